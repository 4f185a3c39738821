"""Names through which code reaches more than it mentions, and how much is counted for each."""

from __future__ import annotations

import sys
from enum import StrEnum


class Extent(StrEnum):
    """What is counted when reach can't be decided."""

    NOTHING = ""
    MODULE = "the whole module"
    CLASSES = "every class of the loaded modules"
    DOCS = "docstrings"
    NATIVE = "native libraries of the project"
    CODE = "all Python files of the project"
    FILES = "all files of the project"


STDLIB = sys.stdlib_module_names
ALWAYS_STDLIB = frozenset(sys.builtin_module_names)

BUILTINS = {
    "globals": Extent.MODULE,
    "locals": Extent.MODULE,
    "vars": Extent.MODULE,
    "dir": Extent.MODULE,
    "__annotations__": Extent.MODULE,
    "__dict__": Extent.MODULE,
    "__doc__": Extent.MODULE,
    "exec": Extent.CODE,
    "eval": Extent.CODE,
    "compile": Extent.CODE,
    "__import__": Extent.CODE,
    "__builtins__": Extent.CODE,
    "__loader__": Extent.CODE,
    "__spec__": Extent.CODE,
    "__path__": Extent.CODE,
}

MARKS = {
    "__subclasses__": Extent.CLASSES,
    "__doc__": Extent.DOCS,
    "__code__": Extent.DOCS,
    "__globals__": Extent.CODE,
    "__builtins__": Extent.CODE,
    "__loader__": Extent.CODE,
    "__spec__": Extent.CODE,
    "__path__": Extent.CODE,
    "__import__": Extent.CODE,
    "f_globals": Extent.CODE,
    "f_locals": Extent.CODE,
    "f_builtins": Extent.CODE,
    "f_back": Extent.CODE,
    "tb_frame": Extent.CODE,
    "gi_frame": Extent.CODE,
    "cr_frame": Extent.CODE,
    "ag_frame": Extent.CODE,
    "allow_pickle": Extent.CODE,
    "trust_remote_code": Extent.CODE,
}
"""Attribute names, keyword arguments and texts, wherever they stand."""

_CODE = """
    sys.modules sys.path sys.meta_path sys.path_hooks sys.path_importer_cache sys._getframe
    sys._current_frames sys.settrace sys.setprofile sys.monitoring
    importlib.import_module importlib.reload importlib.util importlib.machinery importlib.abc
    importlib._bootstrap importlib._bootstrap_external importlib.invalidate_caches
    importlib.find_loader
    importlib.metadata.entry_points importlib.metadata.EntryPoint importlib.metadata.EntryPoints
    importlib.metadata.distribution importlib.metadata.distributions importlib_metadata
    importlib.__import__ pkg_resources
    runpy pkgutil imp zipimport zipapp site code codeop pydoc pyclbr modulefinder trace bdb pdb
    inspect.currentframe inspect.stack inspect.trace inspect.getmodule inspect.getsource
    inspect.getsourcelines inspect.getsourcefile inspect.findsource inspect.getcomments
    inspect.getclosurevars inspect.getouterframes inspect.getinnerframes inspect.getframeinfo
    gc.get_objects gc.get_referrers gc.get_referents linecache ast.parse
    pickle.load pickle.loads pickle.Unpickler pickle._Unpickler pickle._load pickle._loads
    _pickle cPickle cloudpickle.load cloudpickle.loads dill shelve marshal types.FunctionType
    joblib.load torch.load torch.package torch.hub pandas.read_pickle
    yaml.unsafe_load yaml.unsafe_load_all yaml.full_load yaml.full_load_all yaml.load yaml.load_all
    yaml.Loader yaml.UnsafeLoader yaml.FullLoader yaml.CLoader
    hydra gin jsonargparse lightning.pytorch.cli pytorch_lightning.cli logging.config
    unittest.mock mock stevedore pluggy apipkg lazy_loader werkzeug.utils.import_string
    django.utils.module_loading builtins.exec builtins.eval builtins.compile builtins.__import__
    builtins.globals builtins.locals builtins.vars
"""
_FILES = """
    subprocess os.system os.popen os.startfile os.execl os.execle os.execlp os.execlpe os.execv
    os.execve os.execvp os.execvpe os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve
    os.spawnvp os.spawnvpe os.posix_spawn os.posix_spawnp asyncio.create_subprocess_exec
    asyncio.create_subprocess_shell asyncio.subprocess pty pexpect sh plumbum fabric invoke
    cppimport pyximport torch.utils.cpp_extension numpy.f2py setuptools distutils Cython
    rpy2 juliacall juliapkg oct2py
"""

EXTERNAL: dict[str, Extent] = {
    **dict.fromkeys(_CODE.split(), Extent.CODE),
    **dict.fromkeys(_FILES.split(), Extent.FILES),
    "inspect.getdoc": Extent.DOCS,
    "inspect.cleandoc": Extent.NOTHING,
    "ctypes": Extent.NATIVE,
    "cffi": Extent.NATIVE,
}


def _leads() -> dict[str, Extent]:
    """The packages around those names. NumPy is passed around too often to count for f2py."""
    found: dict[str, Extent] = {}
    for name, extent in EXTERNAL.items():
        parent = name.rpartition(".")[0]
        while parent and parent != "numpy":
            if found.get(parent) is not Extent.FILES:
                found[parent] = extent
            parent = parent.rpartition(".")[0]
    return found


_LEADS = _leads()

IMPORTERS = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__"})
"""Functions that import what their one argument says, when that is a constant."""

_FRAME_READERS = """
    locals vars dir eval exec globals compile query evaluate sql execute sqldf _getframe
    currentframe stack inspect patsy formulaic statsmodels pandasql duckdb numexpr from_formula
    ols wls gls glm logit dmatrix dmatrices model_matrix
"""
FRAME_READERS = frozenset(_FRAME_READERS.split())
"""Names of what may look up its caller's local variables by name."""


def external_extent(dotted: str, *, whole: bool) -> Extent:
    """What is counted for a name outside the project.

    `whole`: the thing itself is passed on (`x = sys`), so anything in it may be used.
    """
    prefix = dotted
    while prefix:
        if prefix in EXTERNAL:
            return EXTERNAL[prefix]
        prefix = prefix.rpartition(".")[0]
    return _LEADS.get(dotted, Extent.NOTHING) if whole else Extent.NOTHING
