"""A catalogue of edits to small projects: which must change a step's fingerprint, and which not."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from mainspring.planning import facts
from mainspring.planning.fingerprint import CodeBase, compare
from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import DefinitionError
from mainspring.records.source import Manifest, SourceFile

Files = Mapping[str, str]


def code_base(files: Files, *, roots: tuple[str, ...] = ("",), memo=None) -> CodeBase:
    contents = {path: text.encode() for path, text in files.items()}
    for path, text in files.items():
        if path.endswith(".py") and path != "bad.py":
            ast.parse(text)  # an edit that breaks the text would be noticed for the wrong reason
    listed = tuple(
        SourceFile(path=path, digest=digest_bytes(data), size=len(data))
        for path, data in sorted(contents.items())
    )
    return CodeBase(Manifest(files=listed, roots=roots), contents.__getitem__, memo)


def edited(files: Files, path: str, old: str, new: str) -> dict[str, str]:
    if old == "":
        return {**files, path: new}
    assert old in files[path], (path, old)
    return {**files, path: files[path].replace(old, new)}


_PROJECT = {
    "steps.py": '''
        import numpy as np

        from mainspring import pipeline, step
        from model import build_model

        RATE = 0.1
        UNUSED = 1


        @step(cpus=2)
        def train(x, c=1.0):
            """Train a model."""
            total = build_model(x, c)
            return total * RATE


        @step
        def evaluate(model, x):
            return model, x


        @pipeline
        def digits(c=1.0):
            evaluate(train(1, c=c), 2)


        def idle():
            return 3


        if __name__ == "__main__":
            digits.run()
        ''',
    "model.py": """
        from deep.maths import scale


        def build_model(x, c):
            return scale(x) + c


        def unrelated():
            return 1
        """,
    "deep/__init__.py": "",
    "deep/maths.py": """
        FACTOR = 2


        def scale(x):
            return x * FACTOR


        def shift(x):
            return x + FACTOR
        """,
    "other.py": "VALUE = 1\n",
    "README.md": "hello",
}
PROJECT = {path: dedent(text) for path, text in _PROJECT.items()}

UNCHANGED = {
    "comment": ("steps.py", "RATE = 0.1", "RATE = 0.1  # a comment"),
    "docstring": ("steps.py", "Train a model.", "Train it."),
    "formatting": ("steps.py", "train(x, c=1.0)", "train(\n    x,\n    c=1.0,\n)"),
    "renamed local": ("steps.py", "total", "result"),
    "unrelated function": ("model.py", "return 1", "return 2"),
    "unrelated function added": (
        "steps.py",
        "def idle():",
        "def lazy(): return 4\n\ndef idle():",
    ),
    "another step": ("steps.py", "return model, x", "return x, model"),
    "the pipeline": ("steps.py", "evaluate(train(1, c=c), 2)", "evaluate(train(2, c=c), 3)"),
    "options of the step": ("steps.py", "cpus=2", "cpus=4, retries=3"),
    "decorator called or not": ("steps.py", "@step\n", "@step()\n"),
    "main block": ("steps.py", "digits.run()", "digits.run(c=2)"),
    "unreferenced constant": ("steps.py", "UNUSED = 1", "UNUSED = 2"),
    "module never imported": ("other.py", "VALUE = 1", "VALUE = 2"),
    "file that is not code": ("README.md", "hello", "goodbye"),
    "unused standard import": ("steps.py", "import numpy as np", "import json\nimport numpy as np"),
    "a new module": ("another.py", "", "X = 1"),
    "blank lines": ("deep/maths.py", "FACTOR = 2", "\n\n\nFACTOR = 2"),
    "unreferenced in the deep": ("deep/maths.py", "x + FACTOR", "x - FACTOR"),
}

CHANGED = {
    "helper two modules away": ("deep/maths.py", "x * FACTOR", "x / FACTOR"),
    "constant two modules away": ("deep/maths.py", "FACTOR = 2", "FACTOR = 3"),
    "constant": ("steps.py", "RATE = 0.1", "RATE = 0.2"),
    "int for float": ("deep/maths.py", "FACTOR = 2", "FACTOR = 2.0"),
    "default argument": ("steps.py", "train(x, c=1.0)", "train(x, c=2.0)"),
    "parameter name": ("model.py", "def build_model(x, c):\n    return scale(x) + c",
                       "def build_model(x, k):\n    return scale(x) + k"),
    "annotation": ("steps.py", "train(x, c=1.0)", "train(x: np.ndarray, c=1.0)"),
    "return annotation": ("steps.py", "train(x, c=1.0)", "train(x, c=1.0) -> float"),
    "import-time effect": ("deep/__init__.py", "", "import os\nos.environ['A'] = '1'"),
    "effect in a module": ("model.py", "def unrelated", "print('hello')\n\ndef unrelated"),
    "third-party import": ("model.py", "from deep", "import torch\nfrom deep"),
    "what an import names": ("steps.py", "import build_model", "import unrelated as build_model"),
    "a module in the way of the library": ("numpy.py", "", "array = list"),
    "a module in the way of Python": ("random.py", "", "def random(): return 4"),
    "deleted": ("deep/maths.py", "def shift", "del FACTOR\ndef shift"),
    "augmented": ("deep/maths.py", "def shift", "FACTOR += 1\ndef shift"),
    "redefined later": ("deep/maths.py", "def shift(x)", "def scale(x)"),
    "assigned through global": ("deep/maths.py", "def shift(x):",
                                "def shift(x):\n    global FACTOR; FACTOR = 3"),
    "package's __init__": ("deep/__init__.py", "", "print('x')"),
    "user decorator": ("model.py", "def build_model", "@staticmethod\ndef build_model"),
}  # fmt: skip


@pytest.mark.parametrize("edit", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_edit_keeps_the_fingerprint(edit):
    before = code_base(PROJECT).fingerprint("steps:train")
    after = code_base(edited(PROJECT, *edit)).fingerprint("steps:train")
    assert before.digest == after.digest, compare(before.parts, after.parts)


@pytest.mark.parametrize("edit", CHANGED.values(), ids=CHANGED.keys())
def test_edit_changes_the_fingerprint(edit):
    before = code_base(PROJECT).fingerprint("steps:train")
    after = code_base(edited(PROJECT, *edit)).fingerprint("steps:train")
    assert before.digest != after.digest


# Each: the files, where the step is `steps:train`; then an edit that must be noticed.
NOTICED: dict[str, tuple[Files, tuple[str, str, str]]] = {
    "argument of a user decorator": (
        {
            "steps.py": "from deco import times\n@times(2)\ndef train(): return 1",
            "deco.py": "def times(n):\n    return lambda f: lambda: f() * n",
        },
        ("steps.py", "times(2)", "times(3)"),
    ),
    "body of a user decorator": (
        {
            "steps.py": "from deco import times\n@times(2)\ndef train(): return 1",
            "deco.py": "def times(n):\n    return lambda f: lambda: f() * n",
        },
        ("deco.py", "f() * n", "f() + n"),
    ),
    "shadowed built-in": (
        {"steps.py": "def train(): return len([])"},
        ("steps.py", "def train", "def len(x): return 7\ndef train"),
    ),
    "decorator order": (
        {"steps.py": "from d import a, b\n@a\n@b\ndef train(): return 1", "d.py": "a = b = print"},
        ("steps.py", "@a\n@b", "@b\n@a"),
    ),
    "class attribute": (
        {"steps.py": "class A:\n    x = 1\ndef train(): return A.x"},
        ("steps.py", "x = 1", "x = 2"),
    ),
    "base class method": (
        {
            "steps.py": "from base import Base\nclass A(Base): pass\ndef train(): return A().f()",
            "base.py": "class Base:\n    def f(self): return 1",
        },
        ("base.py", "return 1", "return 2"),
    ),
    "closure": (
        {"steps.py": "def make(n):\n    def f(): return n + 1\n    return f\n"
         "g = make(1)\ndef train(): return g()"},
        ("steps.py", "n + 1", "n + 2"),
    ),
    "lambda": (
        {"steps.py": "f = lambda x: x + 1\ndef train(): return f(1)"},
        ("steps.py", "x + 1", "x + 2"),
    ),
    "dataclass default": (
        {"steps.py": "from dataclasses import dataclass\n@dataclass\nclass C:\n    x: int = 1\n"
         "def train(): return C().x"},
        ("steps.py", "int = 1", "int = 2"),
    ),
    "through a dict": (
        {"steps.py": "def a(): return 1\nTABLE = {'a': a}\ndef train(n): return TABLE[n]()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "registry filled by a decorator": (
        {
            "steps.py": "import plugins\nfrom reg import R\ndef train(n): return R[n]()",
            "reg.py": "R = {}\ndef add(f):\n    R[f.__name__] = f\n    return f",
            "plugins.py": "from reg import add\n@add\ndef a(): return 1",
        },
        ("plugins.py", "return 1", "return 2"),
    ),
    "registry filled by a call": (
        {
            "steps.py": "import plugins\nfrom reg import R\ndef train(n): return R[n]()",
            "reg.py": "R = {}",
            "plugins.py": "from reg import R\ndef a(): return 1\nR.update(a=a)",
        },
        ("plugins.py", "return 1", "return 2"),
    ),
    "registry filled by an item": (
        {
            "steps.py": "import plugins\nfrom reg import R\ndef train(n): return R[n]()",
            "reg.py": "R = {}",
            "plugins.py": "from reg import R\ndef a(): return 1\nR['a'] = a",
        },
        ("plugins.py", "return 1", "return 2"),
    ),
    "getattr on a module": (
        {"steps.py": "import m\ndef train(n): return getattr(m, n)()", "m.py": "def a(): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "module in a variable": (
        {"steps.py": "import m\nx = m\ndef train(n): return x.a()", "m.py": "def a(): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "module of a module by getattr": (
        {
            "steps.py": "import m\ndef train(n): return getattr(m, 'k').a()",
            "m.py": "import k",
            "k.py": "def a(): return 1",
        },
        ("k.py", "return 1", "return 2"),
    ),
    "submodule by getattr": (
        {
            "steps.py": "import p, p.k\ndef train(n): return getattr(p, 'k').a()",
            "p/__init__.py": "",
            "p/k.py": "def a(): return 1",
        },
        ("p/k.py", "return 1", "return 2"),
    ),
    "__dict__ of a module": (
        {"steps.py": "import m\ndef train(n): return m.__dict__[n]()", "m.py": "def a(): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "globals()": (
        {"steps.py": "def a(): return 1\ndef train(n): return globals()[n]()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "sys.modules of itself": (
        {"steps.py": "import sys\ndef a(): return 1\n"
         "def train(n): return getattr(sys.modules[__name__], n)()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "sys.modules": (
        {"steps.py": "import sys, m\ndef train(n): return sys.modules[n].a()",
         "m.py": "def a(): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "__globals__": (
        {"steps.py": "import m\ndef train(n): return m.b.__globals__[n]()",
         "m.py": "def a(): return 1\ndef b(): pass"},
        ("m.py", "return 1", "return 2"),
    ),
    "star import": (
        {"steps.py": "from m import *\ndef train(): return a()", "m.py": "def a(): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "star import of an import": (
        {
            "steps.py": "from m import *\ndef train(): return k.a()",
            "m.py": "import k",
            "k.py": "def a(): return 1",
        },
        ("k.py", "return 1", "return 2"),
    ),
    "star import hides a built-in": (
        {"steps.py": "from m import *\ndef train(): return len([])", "m.py": "x = 1"},
        ("m.py", "x = 1", "x = 1\ndef len(x): return 7"),
    ),
    "conditional import": (
        {
            "steps.py": "import os\nif os.name == 'posix':\n    from m import a\nelse:\n    a = 1\n"
            "def train(): return a()",
            "m.py": "def a(): return 1",
        },
        ("m.py", "return 1", "return 2"),
    ),
    "import under TYPE_CHECKING": (
        {
            "steps.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from m import A\n"
            "def train(x: 'A'): return x",
            "m.py": "class A:\n    x: int",
        },
        ("m.py", "x: int", "x: str"),
    ),
    "try/except ImportError": (
        {
            "steps.py": "try:\n    from m import a\nexcept ImportError:\n    a = None\n"
            "def train(): return a()",
            "m.py": "def a(): return 1",
        },
        ("m.py", "return 1", "return 2"),
    ),
    "a missing module appears": (
        {"steps.py": "try:\n    from m import a\nexcept ImportError:\n    a = None\n"
         "def train(): return a"},
        ("m.py", "", "a = 1"),
    ),
    "re-export through __init__": (
        {
            "steps.py": "from p import a\ndef train(): return a()",
            "p/__init__.py": "from .k import a",
            "p/k.py": "def a(): return 1",
        },
        ("p/k.py", "return 1", "return 2"),
    ),
    "re-export of another": (
        {
            "steps.py": "from p import a\nimport p.k\ndef train(): return a(), p.k.a(), p.k.b()",
            "p/__init__.py": "from .k import a",
            "p/k.py": "def a(): return 1\ndef b(): return 2",
        },
        ("p/__init__.py", "import a", "import b as a"),
    ),
    "relative import": (
        {
            "steps.py": "import p.q.m\ndef train(): return p.q.m.f()",
            "p/__init__.py": "",
            "p/q/__init__.py": "",
            "p/q/m.py": "from .. import k\nfrom ..k import b\ndef f(): return k.a() + b()",
            "p/k.py": "def a(): return 1\ndef b(): return 1",
        },
        ("p/k.py", "def a(): return 1", "def a(): return 2"),
    ),
    "function-level import": (
        {"steps.py": "def train():\n    import m as n\n    return n.a()",
         "m.py": "def a(): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "import through global": (
        {
            "steps.py": "def load():\n    global m\n    import m\n"
            "def train():\n    load()\n    return m.a()",
            "m.py": "def a(): return 1",
        },
        ("m.py", "return 1", "return 2"),
    ),
    "import in a class body": (
        {"steps.py": "class C:\n    import m\n    f = m.a\ndef train(): return C.f()",
         "m.py": "def a(): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "side effect of an imported module": (
        {"steps.py": "import setup_all\ndef train(): return 1",
         "setup_all.py": "import np_settings",
         "np_settings.py": "import numpy\nnumpy.seterr(all='raise')"},
        ("np_settings.py", "raise", "warn"),
    ),
    "import-time setting by a function": (
        {"steps.py": "import k\ndef train(): return 1",
         "k.py": "import os\ndef put(): os.environ['A'] = '1'\nput()"},
        ("k.py", "'1'", "'2'"),
    ),
    "nested function": (
        {"steps.py": "def train():\n    def inner(): return 1\n    return inner()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "name of a nested function": (
        {"steps.py": "def train():\n    def inner(): return 1\n    return inner"},
        ("steps.py", "inner", "other"),
    ),
    "comprehension": (
        {"steps.py": "def a(x): return 1\ndef train(): return [a(x) for x in range(3) if x]"},
        ("steps.py", "return 1", "return 2"),
    ),
    "walrus": (
        {"steps.py": "def a(): return 1\ndef train():\n    if (x := a()): return x"},
        ("steps.py", "return 1", "return 2"),
    ),
    "match": (
        {"steps.py": "class P:\n    __match_args__ = ('x',)\n"
         "def train(v):\n    match v:\n        case P(x): return x"},
        ("steps.py", "('x',)", "('y',)"),
    ),
    "async": (
        {"steps.py": "import asyncio as io\nasync def a(): return 1\n"
         "def train(): return io.run(a())"},
        ("steps.py", "return 1", "return 2"),
    ),
    "class decorator": (
        {"steps.py": "def d(c):\n    c.x = 1\n    return c\n@d\nclass A: pass\n"
         "def train(): return A.x"},
        ("steps.py", "c.x = 1", "c.x = 2"),
    ),
    "metaclass": (
        {"steps.py": "class M(type):\n    def f(cls): return 1\nclass A(metaclass=M): pass\n"
         "def train(): return A.f()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "registered by a metaclass": (
        {"steps.py": "R = []\nclass M(type):\n    def __init__(cls, *a): R.append(cls)\n"
         "class A(metaclass=M):\n    def f(self): return 1\n"
         "def train(): return R[0]().f()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "__init_subclass__": (
        {"steps.py": "R = []\nclass Base:\n    def __init_subclass__(cls): R.append(cls)\n"
         "class A(Base):\n    def f(self): return 1\n"
         "def train(): return R[0]().f()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "__init_subclass__ two bases up": (
        {
            "steps.py": "import m\nfrom b import R\ndef train(): return R[1]().f()",
            "b.py": "R = []\nclass Base:\n    def __init_subclass__(cls): R.append(cls)\n"
            "class Middle(Base): pass",
            "m.py": "from b import Middle\nclass A(Middle):\n    def f(self): return 1",
        },
        ("m.py", "return 1", "return 2"),
    ),
    "__subclasses__": (
        {"steps.py": "class Base: pass\nclass A(Base):\n    def f(self): return 1\n"
         "def train(): return Base.__subclasses__()[0]().f()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "__set_name__": (
        {"steps.py": "R = []\nclass D:\n    def __set_name__(self, o, n): R.append(o)\nd = D()\n"
         "class A:\n    x = d\n    def f(self): return 1\ndef train(): return R[0]().f()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "property": (
        {"steps.py": "class A:\n    @property\n    def x(self): return 1\n"
         "def train(): return A().x"},
        ("steps.py", "return 1", "return 2"),
    ),
    "module __getattr__": (
        {"steps.py": "import m\ndef train(): return m.anything",
         "m.py": "def __getattr__(n): return make(n)\ndef make(n): return 1"},
        ("m.py", "return 1", "return 2"),
    ),
    "import_module of a computed name": (
        {"steps.py": "import importlib\n"
         "def train(n): return importlib.import_module('plugins.' + n).f()",
         "plugins/a.py": "def f(): return 1"},
        ("plugins/a.py", "return 1", "return 2"),
    ),
    "import_module of a constant": (
        {"steps.py": "from importlib import import_module as load\n"
         "def train(n): return load('plugins.a').f()",
         "plugins/a.py": "def f(): return 1"},
        ("plugins/a.py", "return 1", "return 2"),
    ),
    "__import__": (
        {"steps.py": "def train(n): return __import__(n).f()", "a.py": "def f(): return 1"},
        ("a.py", "return 1", "return 2"),
    ),
    "runpy": (
        {"steps.py": "import runpy\ndef train(): return runpy.run_path('a.py')['x']",
         "a.py": "x = 1"},
        ("a.py", "x = 1", "x = 2"),
    ),
    "exec": (
        {"steps.py": "def train(n): exec('import a; print(a.x)')", "a.py": "x = 1"},
        ("a.py", "x = 1", "x = 2"),
    ),
    "sys.path": (
        {"steps.py": "import sys\nsys.path.append('lib')\nimport a\ndef train(): return a.x",
         "lib/a.py": "x = 1"},
        ("lib/a.py", "x = 1", "x = 2"),
    ),
    "unpickled": (
        {"steps.py": "import pickle\ndef train(b): return pickle.loads(b).f()",
         "a.py": "class A:\n    def f(self): return 1"},
        ("a.py", "return 1", "return 2"),
    ),
    "named in a text": (
        {"steps.py": "from some_library import make\ndef train(): return make('kinds.a:A')",
         "kinds/a.py": "class A:\n    def f(self): return 1"},
        ("kinds/a.py", "return 1", "return 2"),
    ),
    "a program of the project": (
        {"steps.py": "import subprocess\ndef train(): subprocess.run(['sh', 'a.sh'])",
         "a.sh": "echo 1"},
        ("a.sh", "1", "2"),
    ),
    "monkeypatched module": (
        {"steps.py": "import m, patch\ndef train(): return m.a()",
         "m.py": "def a(): return 1",
         "patch.py": "import m\ndef b(): return 1\nm.a = b"},
        ("patch.py", "return 1", "return 2"),
    ),
    "order of patch and definition": (
        {"steps.py": "import m\ndef train(): return m.x",
         "m.py": "import patch\nx = 1\n",
         "patch.py": "import m\nm.x = 5"},
        ("m.py", "import patch\nx = 1\n", "x = 1\nimport patch\n"),
    ),
    "order of definition and import": (
        {"steps.py": "import m, k\ndef train(): return k.f",
         "m.py": "import k\ndef f(): return 1\n",
         "k.py": "try:\n    from m import f\nexcept ImportError:\n    f = None"},
        ("m.py", "import k\ndef f(): return 1\n", "def f(): return 1\nimport k\n"),
    ),
    "order of two definitions": (
        {"steps.py": "def f(): return 1\ndef f(): return 2\ndef train(): return f()"},
        ("steps.py", "def f(): return 1\ndef f(): return 2",
         "def f(): return 2\ndef f(): return 1"),
    ),
    "order of value and effect": (
        {"steps.py": "X = 1\nY = X\nX = 2\ndef train(): return Y"},
        ("steps.py", "Y = X\nX = 2\n", "X = 2\nY = X\n"),
    ),
    "swapped imports": (
        {"steps.py": "from m import a as p, b as q\ndef train(): return p() - q()",
         "m.py": "def a(): return 1\ndef b(): return 2"},
        ("steps.py", "a as p, b as q", "b as p, a as q"),
    ),
    "conditional definition": (
        {"steps.py": "import os\nif os.name == 'x':\n    def f(): return 0\nelse:\n"
         "    def f(): return 1\ndef train(): return f()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "global changed by another module": (
        {"steps.py": "import k\nfrom s import S\ndef train(): return S['a']",
         "s.py": "S = {}", "k.py": "from s import S\nS['a'] = 1"},
        ("k.py", "= 1", "= 2"),
    ),
    "type alias": (
        {"steps.py": "Kind = int | None\ndef train(x: Kind): return x"},
        ("steps.py", "int | None", "str | None"),
    ),
    "enum member": (
        {"steps.py": "from enum import Enum\nclass E(Enum):\n    A = 1\ndef train(): return E.A"},
        ("steps.py", "A = 1", "A = 2"),
    ),
    "enumeration that runs its own methods": (
        {"steps.py": "from enum import Enum\nR = []\nclass E(Enum):\n    A = 1\n"
         "    def __init__(self, n): R.append(n)\ndef train(): return R"},
        ("steps.py", "A = 1", "A = 2"),
    ),
    "enumeration that runs a base's methods": (
        {"steps.py": "from enum import Enum\nR = []\nclass B(Enum):\n"
         "    def __init__(self, n): R.append(n)\nclass E(B):\n    A = 1\n"
         "def train(): return R"},
        ("steps.py", "A = 1", "A = 2"),
    ),
    "NamedTuple default": (
        {"steps.py": "from typing import NamedTuple\nclass T(NamedTuple):\n    a: int = 1\n"
         "def train(): return T()"},
        ("steps.py", "int = 1", "int = 2"),
    ),
    "f-string": (
        {"steps.py": "W = 3\nN = f'{W}'\ndef train(): return f'{N}!'"},
        ("steps.py", "W = 3", "W = 4"),
    ),
    "f-string that shows a name": (
        {"steps.py": "def train():\n    a = 1\n    return f'{a=}'"},
        ("steps.py", "a = 1\n    return f'{a=}'", "b = 1\n    return f'{b=}'"),
    ),
    "partial": (
        {"steps.py": "from functools import partial\ndef f(a, b): return 1\ng = partial(f, 1)\n"
         "def train(): return g(2)"},
        ("steps.py", "partial(f, 1)", "partial(f, 2)"),
    ),
    "function inside a partial": (
        {"steps.py": "from functools import partial\ndef f(a, b): return 1\ng = partial(f, 1)\n"
         "def train(): return g(2)"},
        ("steps.py", "return 1", "return 2"),
    ),
    "overload": (
        {"steps.py": "from typing import overload\n@overload\ndef f(a: int) -> int: ...\n"
         "def f(a): return 1\ndef train(): return f(1)"},
        ("steps.py", "return 1", "return 2"),
    ),
    "singledispatch": (
        {"steps.py": "from functools import singledispatch\n@singledispatch\ndef f(a): return 0\n"
         "@f.register\ndef _(a: int): return 1\ndef train(): return f(1)"},
        ("steps.py", "return 1", "return 2"),
    ),
    "private name in a class": (
        {"steps.py": "def _A__f(): return 1\nclass A:\n    def g(self): return __f()\n"
         "def train(): return A().g()"},
        ("steps.py", "return 1", "return 2"),
    ),
    "text annotation": (
        {"steps.py": "class A:\n    x: int\ndef train(x: 'list[A]'): return x"},
        ("steps.py", "x: int", "x: str"),
    ),
    "docstring that is read": (
        {"steps.py": "def train():\n    'one'\n    return train.__doc__"},
        ("steps.py", "one", "two"),
    ),
    "docstring of a tool": (
        {"steps.py": "from agents import Agent\ndef tool():\n    'one'\n"
         "def train(): return Agent([tool])"},
        ("steps.py", "one", "two"),
    ),
    "docstring of a model": (
        {"steps.py": "from pydantic import BaseModel\nclass A(BaseModel):\n    'one'\n"
         "def train(): return A.schema()"},
        ("steps.py", "one", "two"),
    ),
    "swapped locals that a query names": (
        {"steps.py": "def train(df):\n    a = 1\n    b = 2\n    return df.query(Q)\nQ = 'x > @a'"},
        ("steps.py", "a = 1\n    b = 2", "b = 1\n    a = 2"),
    ),
    "decorator argument that calls": (
        {"steps.py": "from mainspring import step\ndef f(): return 1\n"
         "@step(timeout=f())\ndef train(): return 1"},
        ("steps.py", "def f(): return 1", "def f(): return 2"),
    ),
    "a decorator called step that is not Mainspring's": (
        {"steps.py": "from mine import step\n@step(cpus=2)\ndef train(): return 1",
         "mine.py": "def step(cpus): return lambda f: lambda: cpus"},
        ("steps.py", "cpus=2", "cpus=3"),
    ),
    "rebound step": (
        {"steps.py": "from mainspring import step\ndef _train(): return 1\ntrain = step(_train)"},
        ("steps.py", "return 1", "return 2"),
    ),
    "rebound step with options": (
        {"steps.py": "from mainspring import step\ndef _train(): return 1\n"
         "train = step(cpus=2)(_train)"},
        ("steps.py", "return 1", "return 2"),
    ),
    "re-exported step": (
        {"steps.py": "from p.impl import train", "p/impl.py": "def train(): return 1"},
        ("p/impl.py", "return 1", "return 2"),
    ),
    "compiled module": (
        {"steps.py": "import fast\ndef train(): return fast.f()", "fast.cpython-311.so": "one"},
        ("fast.cpython-311.so", "one", "two"),
    ),
    "not Python": (
        {"steps.py": "import bad\ndef train(): return 1", "bad.py": "def ("},
        ("bad.py", "(", "(("),
    ),
    "future import": (
        {"steps.py": "def train(x: int): return train.__annotations__"},
        ("steps.py", "def train", "from __future__ import annotations\ndef train"),
    ),
    "default that calls, of another function": (
        {"steps.py": "R = []\ndef add(): R.append(1)\ndef other(x=add()): pass\n"
         "def train(): return len(R)"},
        ("steps.py", "x=add()", "x=(add(), add())"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "edit"), NOTICED.values(), ids=NOTICED.keys())
def test_edit_is_noticed(files, edit):
    before = code_base(files).fingerprint("steps:train")
    after = code_base(edited(files, *edit)).fingerprint("steps:train")
    assert before.digest != after.digest


IGNORED: dict[str, tuple[Files, tuple[str, str, str]]] = {
    "option of a rebound step": (
        {"steps.py": "from mainspring import step\ndef _train(): return 1\n"
         "train = step(cpus=2)(_train)"},
        ("steps.py", "cpus=2", "cpus=3"),
    ),
    "another rebound step": (
        {"steps.py": "from mainspring import step\ndef _a(): return 1\na = step(_a)\n"
         "@step\ndef train(): return 1"},
        ("steps.py", "def _a(): return 1", "def _a(): return 2"),
    ),
    "step named through its module": (
        {"steps.py": "import mainspring as ms\n@ms.step\ndef a(): return 1\n"
         "@ms.step\ndef train(): return 2"},
        ("steps.py", "return 1", "return 3"),
    ),
    "an unreferenced dataclass": (
        {"steps.py": "from dataclasses import dataclass, field\n@dataclass(frozen=True)\n"
         "class Scores:\n    a: list[int] = field(default_factory=list)\n    b: float = 1.0\n"
         "def train(): return 1"},
        ("steps.py", "b: float = 1.0", "b: float = 2.0"),
    ),
    "an unreferenced subclass": (
        {"steps.py": "from base import Base\nclass A(Base):\n    x = 1\ndef train(): return 1",
         "base.py": "class Base:\n    pass"},
        ("steps.py", "x = 1", "x = 2"),
    ),
    "a swapped renaming in nested scopes": (
        {"steps.py": "def train(xs):\n    a = 1\n    def f():\n        nonlocal a\n        a += 1\n"
         "        return [b + a for b in xs]\n    return f()"},
        ("steps.py", "a = 1\n    def f():\n        nonlocal a\n        a += 1\n"
         "        return [b + a for b in xs]", "k = 1\n    def f():\n        nonlocal k\n"
         "        k += 1\n        return [z + k for z in xs]"),
    ),
    "order of two unrelated functions": (
        {"steps.py": "def a(): return 1\ndef b(): return 2\ndef train(): return a() + b()"},
        ("steps.py", "def a(): return 1\ndef b(): return 2",
         "def b(): return 2\ndef a(): return 1"),
    ),
    "a local of the same name": (
        {"steps.py": "def a(): return 1\ndef train():\n    a = 2\n    return a"},
        ("steps.py", "return 1", "return 3"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "edit"), IGNORED.values(), ids=IGNORED.keys())
def test_edit_is_ignored(files, edit):
    before = code_base(files).fingerprint("steps:train")
    after = code_base(edited(files, *edit)).fingerprint("steps:train")
    assert before.digest == after.digest, compare(before.parts, after.parts)


def test_an_unreferenced_enumeration_is_left_out():
    files = {"steps.py": "from enum import Enum\nclass E(Enum):\n    A = 1\ndef train(): return 1"}
    before = code_base(files).fingerprint("steps:train")
    after = code_base(edited(files, "steps.py", "A = 1", "A = 2")).fingerprint("steps:train")
    assert before.digest == after.digest


def test_two_steps_with_the_same_parts_differ():
    files = {"steps.py": "def f(n): return g(n)\ndef g(n): return n and f(n - 1)"}
    base = code_base(files)
    assert base.fingerprint("steps:f").digest != base.fingerprint("steps:g").digest


def test_packages_are_third_party_and_reached():
    files = {
        "steps.py": "import os\nimport numpy as np\nfrom mainspring import step\nimport model\n"
        "@step\ndef train():\n    import torch.nn as nn\n    return nn, model.f()\n"
        "@step\ndef other():\n    import polars",
        "model.py": "try:\n    import numexpr\nexcept ImportError:\n    pass\ndef f(): return 1",
    }
    assert code_base(files).fingerprint("steps:train").packages == ("numexpr", "numpy", "torch")


@pytest.mark.parametrize("use", ["rng()", "mainspring.rng()", "draw()"])
def test_the_generator_of_a_step_is_a_package_of_its_own(use: str):
    files = {
        "steps.py": "import mainspring\nfrom mainspring import rng, step\n"
        "from mainspring import rng as draw\n"
        f"@step\ndef f():\n    return {use}\n@step\ndef g():\n    return 1",
    }
    base = code_base(files)
    assert base.fingerprint("steps:f").packages == ("numpy",)
    assert base.fingerprint("steps:g").packages == ()


def test_undecidable_places_are_named():
    files = {
        "steps.py": "import m\ndef train(n):\n    return getattr(m, n)\n",
        "m.py": "def f():\n    return eval('1')",
    }
    dynamic = code_base(files).fingerprint("steps:train").dynamic
    assert "steps.py:3: module m used as a value" in dynamic
    assert any(each.startswith("m.py:2: eval") for each in dynamic)


def test_parts_say_where():
    parts = {part.name: part.where for part in code_base(PROJECT).fingerprint("steps:train").parts}
    assert parts["model.build_model"] == "model.py:5"
    assert parts["deep.maths.FACTOR"] == "deep/maths.py:2"
    assert "steps.evaluate" not in parts
    assert "steps.digits" not in parts


def test_comparison_names_what_changed():
    before = code_base(PROJECT).fingerprint("steps:train")
    files = edited(PROJECT, "deep/maths.py", "x * FACTOR", "x / FACTOR")
    after = code_base(files).fingerprint("steps:train")
    assert compare(before.parts, after.parts) == ["scale changed, deep/maths.py:5"]
    files = edited(PROJECT, "deep/maths.py", "return x * FACTOR", "return x")
    after = code_base(files).fingerprint("steps:train")
    assert compare(before.parts, after.parts) == [
        "FACTOR removed, deep/maths.py:2",
        "scale changed, deep/maths.py:5",
    ]
    assert compare(before.parts, before.parts) == []


def test_entry_may_be_a_method_or_come_from_elsewhere():
    files = {
        "src/pkg/__init__.py": "from .impl import Model",
        "src/pkg/impl.py": "class Model:\n    def fit(self): return 1",
    }
    base = code_base(files, roots=("", "src"))
    parts = {part.name for part in base.fingerprint("pkg:Model.fit").parts}
    assert "pkg.impl.Model" in parts
    assert base.fingerprint("pkg.impl:Model.fit").digest != base.fingerprint("pkg:Model.fit").digest


def test_entry_of_an_installed_package_is_left_to_the_environment():
    found = code_base(PROJECT).fingerprint("sklearn.svm:SVC")
    assert found.packages == ("sklearn",)
    assert [part.name for part in found.parts] == ["(entry)"]


def test_entry_that_is_not_there_is_refused():
    with pytest.raises(DefinitionError, match="has no 'trian'") as caught:
        code_base(PROJECT).fingerprint("steps:trian")
    assert caught.value.where == "steps.py"
    assert caught.value.hint == "did you mean 'train'?"


def test_entry_made_at_run_time_counts_its_whole_module():
    files = {"steps.py": "def f(): return 1\nglobals()['train'] = f"}
    before = code_base(files).fingerprint("steps:train")
    after = code_base(edited(files, "steps.py", "return 1", "return 2")).fingerprint("steps:train")
    assert before.digest != after.digest


def test_everything_counts_every_file_of_code():
    before = code_base(PROJECT).everything()
    after = code_base(edited(PROJECT, "other.py", "VALUE = 1", "VALUE = 2")).everything()
    assert before.digest != after.digest
    assert code_base({**PROJECT, "README.md": "x"}).everything().digest == before.digest


class DictMemo(dict[str, bytes]):
    """A memo in memory that counts what it is asked to remember."""

    def put(self, key: str, data: bytes) -> None:
        self[key] = data


def test_memo_spares_reading_and_gives_the_same():
    memo = DictMemo()
    cold = code_base(PROJECT, memo=memo).fingerprint("steps:train")
    files = {path: text.encode() for path, text in PROJECT.items()}
    listed = tuple(
        SourceFile(path=path, digest=digest_bytes(data), size=len(data))
        for path, data in sorted(files.items())
    )

    def no_reading(path: str) -> bytes:
        raise AssertionError(path)

    for known in (memo, {key: value for key, value in memo.items() if "facts" in key}):
        warm = CodeBase(Manifest(files=listed), no_reading, DictMemo(known))
        assert warm.fingerprint("steps:train") == cold


def test_memo_that_is_damaged_is_not_used():
    cold = code_base(PROJECT, memo=DictMemo())
    memo = DictMemo()
    code_base(PROJECT, memo=memo).fingerprint("steps:train")
    damaged = DictMemo(dict.fromkeys(memo, b"\xc1"))
    again = code_base(PROJECT, memo=damaged).fingerprint("steps:train")
    assert again == cold.fingerprint("steps:train")


@pytest.mark.parametrize("edit", CHANGED.values(), ids=CHANGED.keys())
def test_memo_never_hides_an_edit(edit):
    memo = DictMemo()
    before = code_base(PROJECT, memo=memo).fingerprint("steps:train")
    after = code_base(edited(PROJECT, *edit), memo=memo).fingerprint("steps:train")
    assert before.digest != after.digest


# The digest of the analysis for each `facts.ANALYSER` that was ever released or used.
ANALYSIS = {1: "dae4b9dea6225eef", 2: "248456e609ba587e"}


def test_analyser_is_raised_with_every_change():
    """What an older analysis found is kept on disk: it must not be taken for this one's."""
    folder = Path(facts.__file__).parent
    names = ["parse", "reading", "scopes", "inert", "escapes", "facts"]
    names += ["link", "modules", "reach", "fingerprint"]
    data = b"".join((folder / f"{name}.py").read_bytes() for name in names)
    found = digest_bytes(data).removeprefix("blake3:")[:16]
    assert ANALYSIS[facts.ANALYSER] == found, (
        "the analysis has changed: if it may find anything else than before, raise "
        f"facts.ANALYSER; then write the digest {found} beside it here"
    )
