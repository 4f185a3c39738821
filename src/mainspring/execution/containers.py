"""Programs in containers, through the API that podman and Docker share.

A container is no child of the worker that started it, so its name is made from its attempt's, and
a file in the attempt's directory says that there may be one: whoever ends the attempt removes it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import FrameType
from typing import Any

from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.seeding import THREAD_VARIABLES
from mainspring.records.errors import DefinitionError, ExecutionError
from mainspring.records.runs import Order

LABEL = "mainspring.attempt"
_KILLED = 137
_GRACE = 1  # seconds between SIGTERM and SIGKILL; the executor kills the worker after two
_PATIENCE = 60  # seconds for an answer of the engine


class ContainerError(ExecutionError):
    """A container could not be started, or the engine does not answer."""


class _Stopped(BaseException):
    """The attempt is taken away."""


def sockets() -> list[str]:
    """The URLs at which an engine may listen, the wanted one first."""
    for name in ("CONTAINER_HOST", "DOCKER_HOST"):
        if os.environ.get(name):
            return [os.environ[name]]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    paths = [f"{runtime}/podman/podman.sock", "/run/podman/podman.sock"]
    paths += [f"{runtime}/docker.sock", "/run/docker.sock", "/var/run/docker.sock"]
    return [f"unix://{path}" for path in paths if os.access(path, os.R_OK | os.W_OK)]


def image_id(image: str, where: str = "") -> str:
    """Return the id of a local image, which is a digest of all that it has.

    Raises DefinitionError when it is not there, ContainerError when no engine answers.
    """
    client, url = _client()
    from docker.errors import DockerException, ImageNotFound

    try:
        return str(client.images.get(image).id)
    except ImageNotFound:
        program = "podman" if "podman" in url else "docker"
        raise DefinitionError(
            f"the image {image} is not on this machine",
            where=where or None,
            hint=f"get it with `{program} pull {image}`, or build it",
        ) from None
    except (DockerException, OSError) as error:
        raise ContainerError(f"the container engine can't look up {image}: {error}") from error


def run(order: Order, words: list[str], files: AttemptFiles) -> int:
    """Run the order's words in a container of its image, to the end; return the exit status."""
    client, url = _client()
    from docker.errors import DockerException

    with _stoppable():
        Path(files.container).write_text(url, encoding="utf-8")
        try:
            _remove(client, files)
            config = _config(client, order, words, files)
            made = client.api.create_container_from_config(config, _name(files))["Id"]
            return _follow(client, made, order)
        except (DockerException, OSError) as error:
            raise ContainerError(f"the container could not be run: {error}") from error
        finally:
            _remove(client, files)
            Path(files.container).unlink(missing_ok=True)


def clear(files: AttemptFiles) -> None:
    """Remove the container that an ended attempt has left, if the engine can be reached."""
    with contextlib.suppress(ContainerError):  # no engine answers: the label says whose it was
        client, _ = _client()
        _remove(client, files)
        Path(files.container).unlink(missing_ok=True)


@cache
def _client() -> tuple[Any, str]:
    """Return a client of the first engine that answers, and its URL."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        raise ContainerError(
            "steps in containers need the package docker",
            hint='pip install "mainspring[containers]"',
        ) from None
    said = ""
    for url in sockets():
        client: Any = None
        path = url.removeprefix("unix://")
        if path != url and not os.access(path, os.R_OK | os.W_OK):
            said = f" (there is no socket {path})"
            continue
        try:
            client = docker.DockerClient(base_url=url, timeout=_PATIENCE)
            client.ping()
            return client, url
        except (DockerException, OSError) as error:
            said = f" (at {url}: {type(error).__name__})"
            if client is not None:
                client.close()
    raise ContainerError(
        f"no container engine answers{said}",
        hint="start one (`systemctl start podman.socket`, or Docker), or set CONTAINER_HOST or "
        "DOCKER_HOST",
    )


@contextlib.contextmanager
def _stoppable() -> Generator[None]:
    """SIGTERM leaves the block, the container is removed, and the process ends."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Stopped:
        # Whoever took the attempt away writes its outcome.
        os._exit(128 + signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def _name(files: AttemptFiles) -> str:
    """The attempt's id, and a digest of where it is: two homes may have attempts of one id."""
    place = blake2b(files.directory.encode(), digest_size=6).hexdigest()
    return f"mainspring-{os.path.basename(files.directory)}-{place}"


def _config(client: Any, order: Order, words: list[str], files: AttemptFiles) -> dict[str, Any]:
    rootless = "name=rootless" in (client.info().get("SecurityOptions") or [])
    # Without root, an engine maps its user 0 to the caller.
    user = "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"
    own = {"HOME": "/tmp", "TMPDIR": "/tmp", "MAINSPRING_ATTEMPT": order.attempt}  # noqa: S108
    own |= {
        name: os.environ[name] for name in (*THREAD_VARIABLES, *order.env) if name in os.environ
    }
    host: dict[str, Any] = {
        "Binds": _binds(files),
        "NetworkMode": ("" if order.network else "none"),
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": "rw,mode=1777"},  # noqa: S108
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "NanoCpus": int(order.cpus * 1e9),
        "Init": False,
    }
    if order.memory:
        host |= {"Memory": order.memory, "MemorySwap": order.memory}
    return {
        "Image": order.image,
        "Entrypoint": words[:1],
        "Cmd": words[1:],
        "WorkingDir": files.work,
        "User": user,
        "Env": [f"{name}={value}" for name, value in own.items()],
        "Labels": {LABEL: order.attempt, "mainspring.directory": files.directory},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
    }


def _binds(files: AttemptFiles) -> list[str]:
    """The working directory, and what its links lead to, all at the paths that they have here."""
    inputs = Path(files.work, "inputs")
    found = {os.path.realpath(entry) for entry in inputs.iterdir() if entry.is_symlink()}
    outside = sorted(path for path in found if not Path(path).is_relative_to(files.work))
    for path in (files.work, *outside):
        if ":" in path:
            raise ContainerError(f"{path} can't be mounted: its name has a colon")
    return [f"{files.work}:{files.work}:rw", *(f"{p}:{p}:ro" for p in (str(inputs), *outside))]


def _follow(client: Any, made: str, order: Order) -> int:
    """Start a container, copy what it prints to the log, and return its exit status."""
    try:
        client.api.start(made)
        for piece in client.api.logs(made, stdout=True, stderr=True, stream=True, follow=True):
            _write(piece)
        code = int(client.api.wait(made, timeout=None)["StatusCode"])
        state = client.api.inspect_container(made)["State"]
    except _Stopped:
        client.api.stop(made, timeout=_GRACE)
        raise
    if state.get("OOMKilled") or (code == _KILLED and order.memory):
        sure = "" if state.get("OOMKilled") else ", probably"
        raise MemoryError(
            f"the container was killed{sure} because it used more than its memory limit of "
            f"{order.memory or 0:,} bytes"
        )
    return code


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _remove(client: Any, files: AttemptFiles) -> None:
    from docker.errors import DockerException, NotFound

    try:
        client.api.remove_container(_name(files), force=True, v=True)
    except NotFound:
        pass
    except (DockerException, OSError) as error:
        raise ContainerError(f"a container could not be removed: {error}") from error
