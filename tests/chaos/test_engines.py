"""Two engines on one run, and what can go away: some seeds always, 50 in `make chaos`."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.sharing import Trial, trial
from tests.chaos.trial import check, command, digests, make_project, undisturbed
from tests.services.postgres import Postgres, running

from mainspring.app.project import Project
from mainspring.app.storage import open_store
from mainspring.records.errors import ProjectError
from mainspring.records.status import AttemptStatus, RunStatus
from mainspring.settings import StorageTable

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Artifact digests of an undisturbed run."""
    found = undisturbed(tmp_path_factory.mktemp("undisturbed"))
    assert len(found) >= 30
    return found


@pytest.fixture(scope="module")
def durable() -> Iterator[Postgres]:
    """A server of this module's own, whose commits reach the disk: it is killed."""
    with running(durable=True) as server:
        try:
            open_store(StorageTable(store=server.new_database()), Path()).close()
        except ProjectError as error:
            if error.what != "unknown kind of store":
                raise
            pytest.skip("there is no store on PostgreSQL yet")
        yield server


@pytest.mark.parametrize("seed", range(3))
def test_engines_of_one_home_are_killed(
    seed: int, expected: dict[str, str], tmp_path: Path
) -> None:
    trial(tmp_path / "shared", seed, expected, None)


@pytest.mark.system("postgres")
@pytest.mark.parametrize("seed", range(100, 106))
def test_engines_are_killed_and_the_server_restarted(
    seed: int, expected: dict[str, str], tmp_path: Path, durable: Postgres
) -> None:
    trial(tmp_path / "shared", seed, expected, durable)


@pytest.mark.chaos
@pytest.mark.system("postgres")
@pytest.mark.parametrize("seed", range(2000, 2050))
def test_many_engines_are_killed_and_the_server_restarted(
    seed: int, expected: dict[str, str], tmp_path: Path, durable: Postgres
) -> None:
    root = tmp_path / "shared"
    trial(root, seed, expected, durable)
    shutil.rmtree(root)


@pytest.mark.system("postgres")
def test_the_server_is_down_for_a_while(
    expected: dict[str, str], tmp_path: Path, durable: Postgres
) -> None:
    """One engine, which waits and says so."""
    root = make_project(tmp_path / "alone")
    with open(root / "mainspring.toml", "a", encoding="utf-8") as file:
        file.write(f'[storage]\nstore = "{durable.new_database()}"\n')
    process = command(root, "run")
    made = Trial(root, durable, engines=[process])
    made.wait_until_it_runs()
    durable.halt("fast")
    time.sleep(5.0)  # the absence that is tried
    assert process.poll() is None
    durable.start()
    out, _ = process.communicate(timeout=120)
    text = out.decode()
    assert process.returncode == 0, text
    assert text.count("the store is not reachable; waiting for it") == 1
    assert text.count("the store is back") == 1
    check(root, expected, text)


@pytest.mark.system("postgres")
def test_an_engine_is_stopped_for_longer_than_its_lease(
    expected: dict[str, str], tmp_path: Path, durable: Postgres
) -> None:
    made = Trial(tmp_path / "stopped", durable)
    made.begin('[execution]\nlease = "1s"\n')
    made.wait_until_it_runs()
    made.stop_engine(random.Random(1), 4.0)
    made.finish()
    check(made.root, expected, made.story)


HOMES = """
import time
from pathlib import Path

from mainspring import context, pipeline, step


@step
def slow(mark: str, x: int) -> int:
    Path(mark).write_text(context().attempt)
    if context().attempt.endswith(".1"):
        time.sleep(600)
    return x + 1


@step
def after(x: int) -> int:
    return 10 * x


@pipeline
def two(mark: str):
    return after(slow(mark, 1))
"""


@pytest.mark.system("postgres")
def test_what_a_machine_had_when_it_went_is_tried_again_on_another(
    tmp_path: Path, durable: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two homes, one store: the one home, with the worker in it, is out of the other's reach."""
    root, mark = tmp_path / "project", tmp_path / "mark"
    root.mkdir()
    (root / "mainspring.toml").write_text(
        '[project]\nname = "homes"\npipelines = ["p:two"]\n[execution]\nlease = "2s"\n'
        f'[storage]\nstore = "{durable.new_database()}"\n'
    )
    (root / "p.py").write_text(HOMES)
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    (one / "blobs").mkdir(parents=True)
    (two / "blobs").symlink_to(one / "blobs")
    monkeypatch.setenv("MAINSPRING_HOME", str(one))
    queued = command(root, "run", "--queue", "-p", f"mark={mark}")
    said, _ = queued.communicate(timeout=60)
    assert queued.returncode == 0, said.decode()
    first = command(root, "engine")
    end = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    workers = _family(first.pid)
    first.kill()
    first.communicate()
    one.rename(tmp_path / "unreachable")
    (two / "blobs").unlink()
    (two / "blobs").symlink_to(tmp_path / "unreachable" / "blobs")
    monkeypatch.setenv("MAINSPRING_HOME", str(two))
    second = command(root, "engine", "--until-idle")
    out, _ = second.communicate(timeout=120)
    for worker in workers:
        _end(worker)
    assert second.returncode == 0, out.decode()
    project = Project(root)
    try:
        run = project.store.read.find_run("latest")
        assert run.status is RunStatus.SUCCEEDED
        task = project.store.read.find_task(run.id, "slow")
        statuses = [a.status for a in project.store.read.attempts(task.id)]
        assert statuses == [AttemptStatus.LOST, AttemptStatus.SUCCEEDED]
        assert len(digests(project)) == 2
    finally:
        project.close()


def _family(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _end(pid: int) -> None:
    import contextlib
    import os
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
