"""A throw-away podman: storage, settings and socket in one directory, gone at the end."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Works in a container without delegated cgroups, too: runc, and low process limits.
_SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
"""
_PROGRAMS = ("sh", "cat", "sleep", "id", "touch", "tail", "head", "ls")
_PYTHON_PROGRAMS = ("true", "env", "pwd")
_PATIENCE = 30.0


class Podman:
    """An engine at `url`, with the image `shell:1`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.url = f"unix://{root}/podman.sock"
        (root / "containers.conf").write_text(_SETTINGS)
        self._env = {**os.environ, "CONTAINERS_CONF": f"{root}/containers.conf"}
        self._server = subprocess.Popen(
            self._command("system", "service", "--time=0", self.url), env=self._env, cwd=root
        )

    def _command(self, *words: str) -> list[str]:
        place = ["--root", f"{self._root}/storage", "--runroot", f"{self._root}/run"]
        return ["podman", *place, *words]

    def __call__(self, *words: str, data: bytes = b"") -> str:
        done = subprocess.run(
            self._command(*words),
            env=self._env,
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def names(self) -> list[str]:
        """The containers that there are, running or not."""
        return self("ps", "--all", "--format", "{{.Names}}").split()

    def build(self, name: str, mark: str = "") -> None:
        """Make an image of the host's shell and a few programs; `mark` is in /mark."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w", dereference=True) as tar:
            for path in _files():
                tar.add(path, path.lstrip("/"))
            _add_mark(tar, mark)
        file = self._root / "image.tar"
        file.write_bytes(data.getvalue())
        self("import", str(file), name)

    def build_python(self, name: str, packages: Iterable[str]) -> None:
        """Make an image of this interpreter, some of its packages with all that they need, and the
        programs of `shell:1`; /mark reads "outside"."""
        file = self._root / "python.tar"
        with tarfile.open(file, mode="w", dereference=True) as tar:
            found = list(_package_files(packages))
            for path in _files((*_PROGRAMS, *_PYTHON_PROGRAMS), _extensions(found)):
                tar.add(path, path.lstrip("/"))
            _add_mark(tar, "outside")
            tar.add(os.path.realpath(sys.executable), "opt/python/bin/python3")
            stdlib = Path(sysconfig.get_paths()["stdlib"])
            tar.add(stdlib, f"opt/python/lib/{stdlib.name}", filter=_wanted)
            for path, inside in found:
                tar.add(path, f"opt/python/lib/{stdlib.name}/site-packages/{inside}")
        self("import", "--change", "ENV PATH=/opt/python/bin:/bin", str(file), name)
        file.unlink()

    def wait(self) -> None:
        end = time.monotonic() + _PATIENCE
        while not (self._root / "podman.sock").exists():
            assert self._server.poll() is None and time.monotonic() < end, "podman did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        for name in self.names():
            self("rm", "--force", "--time", "0", name)
        self._server.terminate()
        self._server.wait(_PATIENCE)


def _add_mark(tar: tarfile.TarFile, text: str) -> None:
    entry = tarfile.TarInfo("mark")
    entry.size, entry.mode = len(text), 0o444
    tar.addfile(entry, io.BytesIO(text.encode()))


def _files(programs: Iterable[str] = _PROGRAMS, others: Iterable[str] = ()) -> list[str]:
    """Programs and the libraries that they need, at the paths where they are looked for; of
    `others`, the libraries alone."""
    found: dict[str, None] = {}
    for program in programs:
        assert shutil.which(program) is not None
        found[f"/bin/{program}"] = None
    for path in [*found, *others]:
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        found.update(dict.fromkeys(re.findall(r"(/\S+) \(0x", said)))
    return [path for path in found if not path.startswith(str(Path(sys.prefix)))]


def _extensions(packages: list[tuple[Path, str]]) -> list[str]:
    folder = Path(sysconfig.get_paths()["stdlib"], "lib-dynload")
    own = [str(path) for path in folder.glob("*.so") if "tkinter" not in path.name]
    # All of a package need about the same of the system; asking each of them takes seconds.
    others = {path.parent: str(path) for path, _ in packages if path.suffix == ".so"}
    return [sys.executable, *own, *others.values()]


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = set(entry.name.split("/")[4:6])
    unwanted = {"site-packages", "test", "idlelib", "lib2to3", "tkinter", "ensurepip"}
    return None if parts & unwanted or entry.name.endswith(".a") else entry


def _package_files(packages: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """The files of distributions and of all that they need, and where in site-packages they go."""
    left, seen = list(packages), set[str]()
    while left:
        name = canonicalize_name(left.pop())
        if name in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        for text in found.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(requirement.name)
        for file in found.files or ():
            if not str(file).startswith("..") and "/tests/" not in str(file):
                path = Path(str(file.locate()))
                if path.is_file() and path.suffix != ".pyc":
                    yield path, str(file)
                cached = Path(cache_from_source(str(path))) if path.suffix == ".py" else path
                if cached != path and cached.is_file():
                    yield cached, f"{Path(file).parent}/__pycache__/{cached.name}"


@contextmanager
def running() -> Iterator[Podman]:
    """Run an engine for the block."""
    root = Path(tempfile.mkdtemp(prefix="mspod-", dir="/tmp"))
    engine = Podman(root)
    try:
        engine.wait()
        engine.build("shell:1")
        yield engine
    finally:
        engine.stop()
        subprocess.run(
            ["umount", "-l", f"{root}/storage/overlay"], capture_output=True, check=False
        )
        shutil.rmtree(root)
