"""Programs in containers: one for each attempt, made, followed and removed.

A container is no child of the worker that started it, so its name is made from its attempt's, and
a file in the attempt's directory says that there may be one: whoever ends the attempt removes it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.container_engine import ContainerError, Engine, at, engine
from mainspring.execution.seeding import THREAD_VARIABLES
from mainspring.records.runs import Order

LABEL = "mainspring.attempt"
DIRECTORY = "mainspring.directory"
_KILLED = 137
_NO_PROGRAM = ("executable file", "exec: ")  # what runc and crun say
_LOOKS, _PAUSE = 30, 0.005  # seconds
_GRACE = 1  # seconds between SIGTERM and SIGKILL; the executor kills the worker after two


class Mount(NamedTuple):
    """A path of this machine that a container sees, only to be read unless `mode` is "rw"."""

    source: str
    target: str
    mode: str = "ro"


class NoProgramError(ContainerError):
    """The image does not have the program that the container is to run."""


class _Stopped(BaseException):
    """The attempt is taken away."""


def run(
    order: Order,
    words: list[str],
    files: AttemptFiles,
    mounts: Sequence[Mount] = (),
    env: Mapping[str, str] = {},
) -> int:
    """Run the order's words in a container of its image, to the end; return the exit status.

    It sees its working directory, what its inputs link to, and `mounts`.
    """
    found = engine()
    from docker.errors import DockerException

    with _stoppable():
        Path(files.container).write_text(found.url, encoding="utf-8")
        try:
            config = _config(found, order, words, files)
            config["HostConfig"]["Binds"] = _binds(files, mounts)
            config["Env"] += [f"{name}={value}" for name, value in env.items()]
            return _follow(found.client, _create(found.client, config, files), order)
        except (DockerException, OSError) as error:
            if any(part in str(error) for part in _NO_PROGRAM):
                raise NoProgramError(
                    f"the program {words[0]} can't be started in the container",
                    hint="is it in the image, and on its PATH?",
                ) from error
            raise ContainerError(f"the container could not be run: {error}") from error
        finally:
            _remove(found.client, _name(files))
            Path(files.container).unlink(missing_ok=True)


def clear(files: AttemptFiles) -> bool:
    """Remove the container that an ended attempt has left, if there is one; False if that can't be
    done now (its engine can't be reached): `gc` tries again."""
    try:
        url = Path(files.container).read_text("utf-8")
        _remove(at(url).client, _name(files))
        Path(files.container).unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except (ContainerError, OSError):
        return False
    return True


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


def _create(client: Any, config: dict[str, Any], files: AttemptFiles) -> str:
    """Make the container; one of that name is left over from a worker that died."""
    from docker.errors import APIError

    name = _name(files)
    try:
        return client.api.create_container_from_config(config, name)["Id"]
    except APIError as error:
        if "in use" not in str(error):
            raise
    _remove(client, name)
    return client.api.create_container_from_config(config, name)["Id"]


def _config(found: Engine, order: Order, words: list[str], files: AttemptFiles) -> dict[str, Any]:
    # Without root, an engine maps its user 0 to the caller.
    user = "0:0" if found.rootless else f"{os.getuid()}:{os.getgid()}"
    own = {"HOME": "/tmp", "TMPDIR": "/tmp", "MAINSPRING_ATTEMPT": order.attempt}  # noqa: S108
    own |= {
        name: os.environ[name] for name in (*THREAD_VARIABLES, *order.env) if name in os.environ
    }
    host: dict[str, Any] = {
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
        "Labels": {LABEL: order.attempt, DIRECTORY: os.path.realpath(files.directory)},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
    }


def _binds(files: AttemptFiles, mounts: Sequence[Mount]) -> list[str]:
    """The working directory, and what its links lead to, all at the paths that they have here."""
    inputs = Path(files.work, "inputs")
    found = [Mount(files.work, files.work, "rw")]
    if inputs.is_dir():
        links = {os.path.realpath(entry) for entry in inputs.iterdir() if entry.is_symlink()}
        outside = sorted(path for path in links if not Path(path).is_relative_to(files.work))
        found += [Mount(path, path) for path in (str(inputs), *outside)]
    found += mounts
    for mount in found:
        if ":" in mount.source:
            raise ContainerError(f"{mount.source} can't be mounted: its name has a colon")
    return [":".join(mount) for mount in found]


def _follow(client: Any, made: str, order: Order) -> int:
    """Start a container, copy what it prints to the log, and return its exit status."""
    try:
        # Before the start: nothing that is printed is missed, and nobody has to look for it.
        with _attached(client.api, made) as printed:
            client.api.start(made)
            for piece in printed:
                _write(piece)
        state = _end(client, made)
    except _Stopped:
        client.api.stop(made, timeout=_GRACE)
        raise
    code = int(state["ExitCode"])
    if state.get("OOMKilled") or (code == _KILLED and order.memory):
        sure = "" if state.get("OOMKilled") else ", probably"
        raise MemoryError(
            f"the container was killed{sure} because it used more than its memory limit of "
            f"{order.memory or 0:,} bytes"
        )
    return code


def _end(client: Any, made: str) -> dict[str, Any]:
    """The state of a container that has ended, or has closed its output and is about to.

    Podman answers a wait with a quarter of a second's delay, so the end is looked for at first.
    """
    for _ in range(_LOOKS):
        state: dict[str, Any] = client.api.inspect_container(made)["State"]
        if state["Status"] in ("exited", "stopped", "dead"):
            return state
        time.sleep(_PAUSE)
    client.api.wait(made, timeout=None)
    return client.api.inspect_container(made)["State"]


@contextlib.contextmanager
def _attached(api: Any, made: str) -> Generator[Iterator[bytes]]:
    """What a container is going to print; the client's own way to this leaves its socket open."""
    from docker.utils import socket as sockets

    frames: Any = sockets.frames_iter  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    response = api.post(
        f"{api.base_url}/v{api.api_version}/containers/{made}/attach",
        params={"stdout": 1, "stderr": 1, "stream": 1},
        headers={"Connection": "Upgrade", "Upgrade": "tcp"},
        stream=True,
    )
    with contextlib.closing(response):
        stream = api._get_raw_response_socket(response)
        yield (data for _, data in frames(stream, tty=False))


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _remove(client: Any, name: str) -> None:
    """Remove a container, running or not. One that is just ending can't be removed for a moment."""
    from docker.errors import APIError, DockerException, NotFound

    for left in reversed(range(_LOOKS)):
        try:
            client.api.remove_container(name, force=True, v=True)
            return
        except NotFound:
            return
        except (DockerException, OSError) as error:
            if not left or not isinstance(error, APIError):
                raise ContainerError(f"a container could not be removed: {error}") from error
        time.sleep(_PAUSE * (_LOOKS - left))
