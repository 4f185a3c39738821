"""Steps in containers pass the suite of all executors, run by a real podman."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.executor_suite import ExecutorSuite, World, until
from tests.services.podman import Podman

from mainspring.execution import container_engine, containers
from mainspring.execution.executors.local import LocalExecutor

pytestmark = [pytest.mark.system("podman"), pytest.mark.timeout(300)]


class ContainerWorld(World):
    """The same orders with an image; a process id inside means nothing outside."""

    def __init__(self, home: Path, make: Any, podman: Podman) -> None:
        super().__init__(home, make, container_engine.image_id("python:1"))
        self._podman = podman

    def ended(self, attempt: str, pid: str) -> bool:
        del pid
        return containers._name(self.files(attempt)) not in self._podman.names()

    def kill(self, attempt: str, pid: str) -> None:
        """Its worker and its container die at once, without a word."""
        del pid
        holder = self.files(attempt).holder()
        assert holder is not None
        os.kill(holder, signal.SIGKILL)
        self._podman("rm", "--force", "--time", "0", containers._name(self.files(attempt)))
        until(lambda: self.files(attempt).holder() is None)


class TestContainer(ExecutorSuite):
    """Each step in a container of its own."""

    timeout = 5.0

    @pytest.fixture
    def world(
        self,
        tmp_path: Path,
        podman: Podman,
        python_image: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[World]:
        assert python_image == "python:1"
        monkeypatch.setenv("CONTAINER_HOST", podman.url)

        def make(home: Path, blobs: Any, **options: Any) -> LocalExecutor:
            return LocalExecutor(home, blobs, slots=2, start_method="zygote", **options)

        yield ContainerWorld(tmp_path / "home", make, podman)
        assert podman.names() == []
        container_engine.forget()

    def path(self) -> str:
        return "/opt/python/bin:/bin"  # the image's

    def outside(self, folder: Path) -> tuple[Path, str]:
        del folder  # nothing of the machine is to be seen
        return Path("/mark"), "outside"
