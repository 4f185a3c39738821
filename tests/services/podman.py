"""A throw-away podman: storage, settings and socket in one directory, gone at the end."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
_PATIENCE = 30.0


class Podman:
    """An engine at `url`, with the image `shell:1`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.url = f"unix://{root}/podman.sock"
        (root / "containers.conf").write_text(_SETTINGS)
        self._env = {**os.environ, "CONTAINERS_CONF": f"{root}/containers.conf"}
        self._server = subprocess.Popen(
            self._command("system", "service", "--time=0", self.url), env=self._env
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
            entry = tarfile.TarInfo("mark")
            entry.size = len(mark)
            tar.addfile(entry, io.BytesIO(mark.encode()))
        file = self._root / "image.tar"
        file.write_bytes(data.getvalue())
        self("import", str(file), name)

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


def _files() -> list[str]:
    """Programs and the libraries that they need, at the paths where they are looked for."""
    found: dict[str, None] = {}
    for program in _PROGRAMS:
        path = shutil.which(program)
        assert path is not None
        found[f"/bin/{program}"] = None
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        found.update(dict.fromkeys(re.findall(r"(/\S+) \(0x", said)))
    return list(found)


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
