"""What a step looks at besides its inputs: an audit hook that is active while user code runs.

Project files that are read become part of the record; a look at anything else marks the result as
impure; a write into the source snapshot is refused. Reads made inside C libraries (an Arrow
dataset opened by path, for example) raise no audit event and are not seen.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from mainspring.execution.reads import Recorder, state

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What libraries ask of the machine, not of the world.
_ABOUT_MACHINE = {"lscpu", "uname", "ldconfig", "getconf", "arch", "nproc", "sysctl", "nvidia-smi"}


class SnapshotWriteError(PermissionError):
    """A step tried to write into the source that it runs from."""


def install() -> None:
    """Add the hook to this interpreter (once; it can't be removed) without activating it."""
    if not state.installed:
        state.installed = True
        sys.addaudithook(_hook)
        _watch_looks()
        os.register_at_fork(after_in_child=_after_fork)
        importlib.import_module = _import_module


def _hook(event: str, args: tuple[Any, ...]) -> None:
    recorder = state.recorder
    if recorder is not None and not state.own:
        handler = _HANDLERS.get(event)
        if handler is not None:
            state.own = True
            try:
                handler(recorder, args)
            finally:
                state.own = False


def _after_fork() -> None:
    if state.recorder is not None:
        state.recorder.forked()


def _watch_looks() -> None:
    """Have os.stat, os.lstat and os.access be noted too: they raise no audit event.

    `os.path.exists`, `pathlib` and the like call them; the import system has its own.
    """

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        def look(path: Any, *args: Any, **kwargs: Any) -> Any:
            recorder = state.recorder
            if recorder is not None and not state.own and kwargs.get("dir_fd") is None:
                state.own = True
                try:
                    _looked(recorder, path)
                finally:
                    state.own = False
            return function(path, *args, **kwargs)

        return functools.wraps(function)(look)

    for name in ("stat", "lstat", "access"):
        setattr(os, name, noting(getattr(os, name)))


def _looked(recorder: Recorder, path: Any) -> None:
    """Whether something is there was asked: what was found is part of the record."""
    if isinstance(path, int) or (full := _absolute(path)) is None:
        return
    inside = recorder.place(full)
    asker = _asker()
    if inside:
        if not asker.startswith(_OWN):
            recorder.read(f"{inside}?")
    elif inside is None and asker.startswith(recorder.inside):
        # Resolving a path looks at every directory on the way to the snapshot.
        on_the_way = recorder.inside.startswith(full.rstrip("/") + "/")
        if not on_the_way and not full.startswith(recorder.allowed):
            recorder.outside(f"look at {full}")


def _asker() -> str:
    """The file of the code that asked, by way of os.path or pathlib."""
    frame = sys._getframe(3)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename.endswith(_PATH_MODULES):
        frame = frame.f_back
    return "" if frame is None else frame.f_code.co_filename


_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PATH_MODULES = ("genericpath.py", "posixpath.py", "pathlib.py", "glob.py", "<frozen genericpath>",
                 "<frozen posixpath>")  # fmt: skip
_METADATA = os.path.join("importlib", "metadata", "__init__.py")
_original_import_module = importlib.import_module


def _import_module(name: str, package: str | None = None) -> ModuleType:
    """importlib.import_module, which also notes a project module that the zygote had imported."""
    module = _original_import_module(name, package)
    recorder = state.recorder
    if recorder is not None and not recorder.importing:
        path = recorder.place(getattr(module, "__file__", None) or "")
        if path:
            recorder.read(f"{path}!")
    return module


def _by_import_system() -> bool:
    # 0 is here, 1 the handler, 2 the hook, 3 who caused the event.
    return sys._getframe(3).f_code.co_filename.startswith("<frozen ")  # pyright: ignore[reportPrivateUsage]


def _for_packages() -> bool:
    """Whether a package looks for its own version: it lists all places that modules come from."""
    return sys._getframe(3).f_code.co_filename.endswith(_METADATA)  # pyright: ignore[reportPrivateUsage]


def _absolute(path: Any) -> str | None:
    if isinstance(path, int):
        try:
            return os.readlink(f"/proc/self/fd/{path}")
        except OSError:
            return None
    try:
        text = os.fsdecode("." if path is None else path)
    except TypeError:
        return None
    return os.path.abspath(text)


def _open(recorder: Recorder, args: tuple[Any, ...]) -> None:
    path, _, flags = args
    if isinstance(path, int) or (full := _absolute(path)) is None:
        return
    inside = recorder.place(full)
    if inside is not None:
        _open_inside(recorder, inside, flags, _by_import_system())
    elif full.startswith(recorder.allowed):
        if flags & _WRITING and full.startswith(recorder.work):
            recorder.make_work()
    else:
        _open_outside(recorder, full, flags)


def _open_inside(recorder: Recorder, path: str, flags: int, importing: bool) -> None:
    if importing:
        if path.endswith(".py") and not recorder.importing:
            recorder.read(f"{path}!")
    elif flags & _WRITING:
        _refuse(path)
    else:
        recorder.read(path)


def _open_outside(recorder: Recorder, full: str, flags: int) -> None:
    real = os.path.realpath(full)
    if real != full:
        inside = recorder.place(real)
        if inside is not None:
            _open_inside(recorder, inside, flags, importing=False)
            return
        if real.startswith(recorder.allowed):
            return
    if flags & os.O_TRUNC or (flags & os.O_CREAT and not os.path.exists(real)):
        recorder.created.add(real)
    elif flags & os.O_WRONLY or real in recorder.created or not os.path.exists(real):
        return
    else:
        recorder.outside(f"read {full}")


def _refuse(path: str) -> None:
    raise SnapshotWriteError(
        f"{path}: a step must not write into its source; "
        "use mainspring.workdir() or return the value"
    )


def _list(recorder: Recorder, args: tuple[Any, ...]) -> None:
    full = _absolute(args[0])
    if full is None or _by_import_system() or _for_packages():
        return
    inside = recorder.place(full)
    if inside is None and (real := os.path.realpath(full)) != full:
        inside, full = recorder.place(real), real
    if inside is not None:
        recorder.read(inside + "/")
    elif not (full + "/").startswith(recorder.allowed) and os.path.isdir(full):
        recorder.outside(f"list {full}")


def _change(recorder: Recorder, args: tuple[Any, ...]) -> None:
    """A file or directory is made, moved, removed or altered."""
    paths = [full for arg in args[:2] if isinstance(arg, str | bytes) and (full := _absolute(arg))]
    for full in paths:
        inside = recorder.place(full)
        if inside is not None:
            _refuse(inside)
        if full.startswith(recorder.work):
            recorder.make_work()
    if len(paths) == 2 and os.path.realpath(paths[0]) in recorder.created:
        recorder.created.add(os.path.realpath(paths[1]))


def _scratch(recorder: Recorder, args: tuple[Any, ...]) -> None:
    if isinstance(args[0], str) and args[0].startswith(recorder.work):
        recorder.make_work()


def _connect(recorder: Recorder, args: tuple[Any, ...]) -> None:
    address = args[1]
    if isinstance(address, tuple) and address:
        recorder.outside(f"connect {address[0]}")
    elif isinstance(address, str | bytes):
        path = os.fsdecode(address)
        if not path.startswith(("\0", *recorder.allowed)):
            recorder.outside(f"connect {path}")


def _resolve(recorder: Recorder, args: tuple[Any, ...]) -> None:
    host = args[0]
    if host is not None:
        recorder.outside(f"connect {os.fsdecode(host)}")


def _program(recorder: Recorder, args: tuple[Any, ...]) -> None:
    recorder.make_work()
    program: Any = args[0]
    for words in args[1:2]:
        if isinstance(words, list | tuple):
            program = next(iter(cast("list[Any]", words)), program)
    try:
        words = os.fsdecode(program).split(None, 1)
    except TypeError:
        words = []
    name = os.path.basename(words[0]) if words else "?"
    if name not in _ABOUT_MACHINE:
        recorder.outside(f"subprocess {name}")


def _database(recorder: Recorder, args: tuple[Any, ...]) -> None:
    try:
        path = os.fsdecode(args[0])
    except TypeError:
        return
    if path not in {"", ":memory:"}:
        full = os.path.abspath(path)
        inside = recorder.place(full)
        if inside is not None:
            recorder.read(inside)
        elif full.startswith(recorder.work):
            recorder.make_work()
        elif not full.startswith(recorder.allowed):
            _open_outside(recorder, full, os.O_RDWR)


_CHANGES = ("remove", "rename", "rmdir", "mkdir", "chmod", "truncate", "link", "symlink", "utime")
_HANDLERS: dict[str, Callable[[Recorder, tuple[Any, ...]], None]] = {
    "open": _open,
    "os.listdir": _list,
    "os.scandir": _list,
    **{f"os.{name}": _change for name in _CHANGES},
    "tempfile.mkstemp": _scratch,
    "tempfile.mkdtemp": _scratch,
    "socket.connect": _connect,
    "socket.getaddrinfo": _resolve,
    "subprocess.Popen": _program,
    "os.exec": _program,
    "os.posix_spawn": _program,
    "os.system": _program,
    "sqlite3.connect": _database,
}
