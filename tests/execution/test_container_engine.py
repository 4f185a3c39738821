"""Which engine is used, and a podman of our own where none listens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.podman import Podman

from mainspring.execution import container_engine
from mainspring.execution.container_engine import ContainerError, choice, engine, image_id


def server_of(path: Path) -> int:
    """The process that listens at a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", found)[0]


def end(pid: int) -> None:
    handle = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)
    import select

    assert select.select([handle], [], [], 20)[0], "podman did not end"
    os.close(handle)


@pytest.fixture
def runtime(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user without an engine, who has podman; the images are those of the tests'."""
    folder = Path(tempfile.mkdtemp(prefix="msrun-", dir="/tmp"))
    for name in ("CONTAINER_HOST", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in podman.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("MAINSPRING_CONTAINERS", "podman")
    yield folder
    container_engine.forget()
    path = folder / f"mainspring-{os.getuid()}" / "podman.sock"
    if path.exists():
        end(server_of(path))
    shutil.rmtree(folder)


@pytest.mark.system("podman")
def test_a_podman_of_our_own_is_started_once(runtime: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(image_id("shell:1"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    folder = runtime / f"mainspring-{os.getuid()}"
    assert folder.stat().st_mode & 0o077 == 0
    assert engine().url == f"unix://{folder}/podman.sock"


@pytest.mark.system("podman")
def test_no_client_outlives_its_socket(runtime: Path) -> None:
    before = engine()
    assert engine() is before
    path = Path(before.url.removeprefix("unix://"))
    end(server_of(path))
    after = engine()
    assert after is not before
    assert after.client.ping()
    assert container_engine.at(before.url) is after


def test_the_own_words_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAINSPRING_CONTAINERS", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///docker")
    assert choice() == "unix:///docker"
    monkeypatch.setenv("CONTAINER_HOST", "unix:///podman")
    assert choice() == "unix:///podman"
    monkeypatch.setenv("MAINSPRING_CONTAINERS", "podman")
    assert choice() == "podman"


def test_a_folder_that_others_may_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"mainspring-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(_podman_that_fails(tmp_path)))
    with pytest.raises(ContainerError, match="of this user's alone"):
        engine("podman")


def test_a_podman_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(_podman_that_fails(tmp_path)))
    with pytest.raises(ContainerError, match="podman can't be started: no space for me"):
        engine("podman")


def test_without_any_engine_there_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError, match="no container engine answers") as told:
        engine("podman")
    assert "install podman" in str(told.value)
    with pytest.raises(ContainerError, match=r"there is no socket .*/none\.sock"):
        engine(f"unix://{tmp_path}/none.sock")


def _podman_that_fails(folder: Path) -> Path:
    """A podman in name only: what the real one does when it can't is not to be had here."""
    place = folder / "bin"
    place.mkdir()
    program = place / "podman"
    program.write_text("#!/bin/sh\necho no space for me >&2\nexit 125\n")
    program.chmod(0o755)
    return place
