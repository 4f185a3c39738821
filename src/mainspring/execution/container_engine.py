"""The container engine of this machine: podman or Docker, through the API that they share.

Where none listens, podman is started on a private socket; it ends by itself when nobody has asked
it for a while.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

from mainspring.records.errors import DefinitionError, ExecutionError

SETTING = "MAINSPRING_CONTAINERS"
VARIABLES = (
    *(SETTING, "CONTAINER_HOST", "DOCKER_HOST", "XDG_RUNTIME_DIR"),
    *("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF"),
)
"""What a process needs of the environment to find the engine."""

OWN = "podman"
_PATIENCE = 60  # seconds for an answer of the engine
_OLDEST = "1.40"  # version of the API
_IDLE = 60  # seconds after which a podman of our own ends when nobody is connected
_START = 10.0  # seconds until it listens


class ContainerError(ExecutionError):
    """A container could not be started, or the engine does not answer."""


class Engine(NamedTuple):
    """A client of the engine at `url`; `rootless` engines map their user 0 to the caller."""

    client: Any
    url: str
    rootless: bool


_opened: dict[str, tuple[object, Engine]] = {}
_started: list[subprocess.Popen[bytes]] = []


def choice() -> str:
    """What is asked for: a URL, "podman" (one of our own), or "" for whichever there is."""
    for name in (SETTING, "CONTAINER_HOST", "DOCKER_HOST"):
        if os.environ.get(name):
            return os.environ[name]
    return ""


def sockets() -> list[str]:
    """The URLs at which an engine usually listens, if something is there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    paths = [f"{runtime}/podman/podman.sock", "/run/podman/podman.sock"]
    paths += [f"{runtime}/docker.sock", "/run/docker.sock", "/var/run/docker.sock"]
    return [f"unix://{path}" for path in paths if os.access(path, os.R_OK | os.W_OK)]


def engine(chosen: str = "") -> Engine:
    """Return the engine that is asked for, or the first that answers. Raises ContainerError.

    `chosen` is as in the settings; without it the environment counts.
    """
    chosen = chosen or choice()
    said = ""
    for url in [] if chosen == OWN else [chosen] if chosen else sockets():
        try:
            return _open(url)
        except ContainerError as error:
            said = f" ({error.what})"
    if chosen in ("", OWN) and shutil.which("podman"):
        return _open(_own())
    raise ContainerError(
        f"no container engine answers{said}",
        hint="install podman, or start an engine (`systemctl start docker`); execution.containers, "
        "CONTAINER_HOST or DOCKER_HOST say where it listens",
    )


def at(url: str) -> Engine:
    """Return the engine that was at `url` before. Raises ContainerError when it is not any more."""
    if url == _own_url() and not _listens(_path(url)):
        return _open(_own())
    return _open(url)


def image_id(image: str, where: str = "", chosen: str = "") -> str:
    """Return the id of a local image, which is a digest of all that it has.

    Raises DefinitionError when it is not there, ContainerError when no engine answers.
    """
    asked = engine(chosen)
    found = find_image(asked, image)
    if found is None:
        program = "podman" if "podman" in asked.url else "docker"
        raise DefinitionError(
            f"the image {image} is not on this machine",
            where=where or None,
            hint=f"get it with `{program} pull {image}`, or build it",
        )
    return found


def find_image(at_engine: Engine, image: str) -> str | None:
    """Return the id of a local image, or None when it is not there. Raises ContainerError."""
    from docker.errors import DockerException, ImageNotFound

    try:
        return str(at_engine.client.images.get(image).id)
    except ImageNotFound:
        return None
    except (DockerException, OSError) as error:
        raise ContainerError(f"the container engine can't look up {image}: {error}") from error


def _open(url: str) -> Engine:
    """A client of the engine at `url`, kept for as long as its socket is the same one."""
    mark = _mark(url)
    kept = _opened.get(url)
    if kept is not None:
        if kept[0] == mark:
            return kept[1]
        del _opened[url]
        kept[1].client.close()
    made = _connect(url)
    _opened[url] = (mark, made)
    return made


def forget() -> None:
    """Close all clients."""
    while _opened:
        _opened.popitem()[1][1].client.close()


def _connect(url: str) -> Engine:
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        raise ContainerError(
            "steps in containers need the package docker",
            hint='pip install "mainspring[containers]"',
        ) from None
    path = _path(url)
    if path and not os.access(path, os.R_OK | os.W_OK):
        raise ContainerError(f"there is no socket {path} for this user")
    client: Any = None
    try:
        client = docker.DockerClient(base_url=url, version=_OLDEST, timeout=_PATIENCE)
        version = _version(client)
        client.close()
        client = docker.DockerClient(base_url=url, version=version, timeout=_PATIENCE)
        return Engine(client, url, _is_rootless(client, path))
    except (DockerException, OSError, ValueError) as error:
        if client is not None:
            client.close()
        raise ContainerError(f"at {url}: {type(error).__name__}") from None


def _version(client: Any) -> str:
    """The newest version of the API that both sides speak.

    The answer to a ping has it; to tell all about itself takes podman a quarter of a second.
    """
    from docker.constants import DEFAULT_DOCKER_API_VERSION as ours

    answer = client.api.get(f"{client.api.base_url}/_ping", timeout=_PATIENCE)
    theirs = str(answer.headers.get("Api-Version") or _OLDEST)
    return min(theirs, ours, key=lambda version: [int(part) for part in version.split(".")])


def _is_rootless(client: Any, path: str) -> bool:
    """Whether the engine runs without root. One whose socket is root's does not; to ask it takes
    podman a tenth of a second."""
    if path and os.stat(path).st_uid == 0:
        return False
    return "name=rootless" in (client.info().get("SecurityOptions") or [])


def _path(url: str) -> str:
    return url.removeprefix("unix://") if url.startswith("unix://") else ""


def _mark(url: str) -> object:
    """What tells one socket from another that has come into its place; and one process's client
    from its child's."""
    path = _path(url)
    if not path:
        return os.getpid()
    try:
        found = os.stat(path)
    except OSError:
        return None
    return os.getpid(), found.st_dev, found.st_ino, found.st_ctime_ns


# A podman of our own


def _own_folder() -> Path:
    """A directory that is this user's alone."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = runtime if runtime and os.access(runtime, os.W_OK) else tempfile.gettempdir()
    folder = Path(base, f"mainspring-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ContainerError(f"{folder} is not a directory of this user's alone")
    return folder


def _own_url() -> str:
    return f"unix://{_own_folder()}/podman.sock"


def _own() -> str:
    """The URL of a podman of our own, started if need be."""
    url = _own_url()
    path = _path(url)
    with alone(Path(path).with_suffix(".lock")):
        if not _listens(path):
            _start(url)
    return url


@contextlib.contextmanager
def alone(path: Path) -> Generator[None]:
    """Wait for the lock of a file, and hold it: one process at a time comes in."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(url: str) -> None:
    path = Path(_path(url))
    path.unlink(missing_ok=True)
    log = path.with_suffix(".log")
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["podman", "system", "service", f"--time={_IDLE}", url],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            cwd=path.parent,  # where it notes that a container ran out of memory
        )  # fmt: skip
    # It outlives this process; if it ends before, whoever starts the next one reaps it.
    _started[:] = [*(one for one in _started if one.poll() is None), process]
    end = time.monotonic() + _START
    while not _listens(str(path)):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise ContainerError(f"podman can't be started: {''.join(last) or 'it says nothing'}")
        time.sleep(0.01)  # a socket that is about to be made tells nobody


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
    return True
