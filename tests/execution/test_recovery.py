from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.execution.rig import Rig, pipeline

from mainspring.execution.recovery import take_over
from mainspring.records.runs import Attempt
from mainspring.records.status import AttemptStatus, TaskStatus
from mainspring.records.stores import NewTask
from mainspring.storage.leases import FileLeases
from mainspring.testing.memory import MemoryLeases


def rig_with(*engines: str) -> Rig:
    """A run with one attempt at work for each of these engines."""
    rig = Rig()
    rig.add(pipeline())
    with rig.store.write() as tx:
        new = [
            NewTask(path=f"of_{name}", node="n", kind="step", status=TaskStatus.READY)
            for name in engines
        ]
        for name, task in zip(engines, tx.add_tasks("r", new), strict=True):
            attempt = Attempt(
                id=f"r.{task}.1", task=task, run="r", number=1, status=AttemptStatus.RUNNING,
                engine=name, epoch=1, started=1.0,
            )  # fmt: skip
            assert tx.begin(attempt, "key", "static", 0, {}, "")
    return rig


def owners(rig: Rig) -> dict[str, tuple[str, int]]:
    return {a.id: (a.engine, a.epoch) for a in rig.store.read.running_attempts("r")}


def test_only_what_the_dead_left_is_taken() -> None:
    rig = rig_with("dead", "alive", "me", "gone")
    for name in ("alive", "me"):
        rig.leases.hold(name)
    with rig.store.write() as tx:
        taken = take_over(tx, rig.leases, "me")
    assert {attempt.id for attempt in taken} == {"r.1.1", "r.4.1"}
    assert all((attempt.engine, attempt.epoch) == ("me", 2) for attempt in taken)
    assert owners(rig) == {
        "r.1.1": ("me", 2), "r.2.1": ("alive", 1), "r.3.1": ("me", 1), "r.4.1": ("me", 2),
    }  # fmt: skip


def test_taking_twice_takes_nothing_more() -> None:
    rig = rig_with("dead")
    leases = MemoryLeases()
    leases.hold("me")
    with rig.store.write() as tx:
        assert len(take_over(tx, leases, "me")) == 1
        assert take_over(tx, leases, "me") == []
    leases.hold("other")
    with rig.store.write() as tx:
        assert take_over(tx, leases, "other") == []
    leases.kill("me")
    with rig.store.write() as tx:
        (attempt,) = take_over(tx, leases, "other")
    assert (attempt.engine, attempt.epoch) == ("other", 3)


def test_a_killed_process_is_dead_at_once(tmp_path: Path) -> None:
    """No clock and no pid: the kernel drops the lock with the process."""
    text = (
        "import sys; from pathlib import Path; from mainspring.storage.leases import FileLeases; "
        "FileLeases(Path(sys.argv[1])).hold('dead'); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    rig, leases = rig_with("dead"), FileLeases(tmp_path)
    leases.hold("me")
    with rig.store.write() as tx:
        assert take_over(tx, leases, "me") == []
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with rig.store.write() as tx:
        assert [a.id for a in take_over(tx, leases, "me")] == ["r.1.1"]
    leases.release("me")
