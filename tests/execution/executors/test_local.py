"""The local executor: the suite of all executors, for both ways to start a worker, and its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.executor_suite import (
    ExecutorSuite,
    World,
    children,
    collect,
    gone,
    one,
    told,
    until,
)

from mainspring.execution.executors.local import LocalExecutor
from mainspring.records.ports import Executor
from mainspring.records.status import AttemptStatus

pytestmark = pytest.mark.timeout(180)


class TestZygote(ExecutorSuite):
    """Workers forked from a zygote that has imported the project."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        def make(home: Path, blobs: Any, **options: Any) -> LocalExecutor:
            return LocalExecutor(home, blobs, slots=2, start_method="zygote", **options)

        return World(tmp_path / "home", make)

    def check_threaded_notice(self, executor: Executor) -> None:
        assert isinstance(executor, LocalExecutor)
        (notice,) = executor.notices()
        assert "fresh interpreter" in notice
        assert "1 thread(s) (pool)" in notice
        assert executor.notices() == []

    def test_a_killed_zygote_takes_no_attempt_along(self, world: World, tmp_path: Path) -> None:
        mark, go = tmp_path / "mark", tmp_path / "go"
        with world.executor() as executor:
            before = children()
            running = world.order("wait_for", mark=str(mark), go=str(go))
            dying = world.order("wait_for", mark=str(tmp_path / "dying"), go=str(go))
            executor.launch([running, dying])
            until(lambda: told(mark) and told(tmp_path / "dying"), executor)
            (zygote,) = children() - before or children()
            os.kill(zygote, signal.SIGKILL)
            until(lambda: gone(zygote), executor)
            os.kill(int((tmp_path / "dying").read_text()), signal.SIGKILL)
            outcome = collect(executor)[dying.attempt]
            assert outcome.status is AttemptStatus.LOST
            assert world.value(one(executor, world.order("add", x=1))) == 2
            go.touch()
            assert world.value(collect(executor)[running.attempt]) == 5

    def test_a_killed_spare_is_replaced(self, world: World) -> None:
        before = children()
        with world.executor() as executor:
            one(executor, world.order("add", x=1))
            (zygote,) = children() - before
            text = Path(f"/proc/{zygote}/task/{zygote}/children").read_text("ascii")
            for pid in text.split():
                os.kill(int(pid), signal.SIGKILL)
            assert world.value(one(executor, world.order("add", x=1))) == 2

    def test_three_hundred_attempts_leave_nothing(self, world: World) -> None:
        before = children()
        with world.executor() as executor:
            for number in range(20):
                one(executor, world.order("add", x=number))
            (zygote,) = children() - before
            before = len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{zygote}/fd"))
            for number in range(280):
                one(executor, world.order("add", x=number % 3))
            executor.wait(0.1)
            after = len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{zygote}/fd"))
            assert after[0] <= before[0] + 8  # two descriptors for each spare more
            assert after[1] <= before[1] + 2
            text = Path(f"/proc/{zygote}/task/{zygote}/children").read_text("ascii")
            assert len(text.split()) <= 6


class TestSpawn(ExecutorSuite):
    """Every worker a fresh interpreter."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        def make(home: Path, blobs: Any, **options: Any) -> LocalExecutor:
            return LocalExecutor(home, blobs, slots=1, start_method="spawn", **options)

        return World(tmp_path / "home", make)

    def driver_arguments(self) -> dict[str, Any]:
        return {"start_method": "spawn"}
