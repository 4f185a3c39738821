"""A map costs the same for each element, and holds few of them in memory, however many it has."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.scale import shapes
from tests.scale.instant import Failure, drive_at_once, engine_of

from mainspring import pipeline, step
from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.app.running import create_run, reopen
from mainspring.app.showing import result_of, run_detail, task_detail
from mainspring.records.plan import ELEMENTS_LISTED
from mainspring.records.runs import Order, Run
from mainspring.records.status import RunStatus, TaskStatus
from mainspring.storage.database import ReadSession, WriteSession
from mainspring.storage.serializers import registry


@dataclass(frozen=True)
class Corner:
    x: int


@step
def numbers() -> list[int]: ...


@step
def corners() -> list[Corner]: ...


@step
def one(x: Any) -> int: ...


@step(retries=1, retry_delay=3600)
def unlucky(x: int) -> int: ...


@pipeline
def over_numbers() -> list[int]:
    return one.map(numbers())


@pipeline
def over_corners() -> list[int]:
    return one.map(corners())


@pipeline
def with_retries() -> list[int]:
    return unlucky.map(numbers())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "mainspring.toml").write_text('[project]\nname = "scale"\n')
    place = tmp_path / "tests" / "scale"
    place.mkdir(parents=True)
    for module in (__file__, shapes.__file__, str(Path(__file__).with_name("instant.py"))):
        shutil.copy(module, place)
    opened = Project(tmp_path)
    yield opened
    opened.close()


def plan_of(project: Project, chosen: Any) -> Planned:
    _, snapshot = project.snapshot([""])
    return make_plan(project, chosen.spec, snapshot, {})


def giving(values: list[Any]) -> Any:
    """What workers return: the list for the first step, 1 for each element."""
    return lambda order: 1 if "[" in order.path else values


def start(project: Project, chosen: Any, n: int) -> Run:
    run = create_run(project, plan_of(project, chosen))
    assert drive_at_once(project, run, giving(list(range(n)))) is RunStatus.SUCCEEDED
    return run


class Rows:
    """Counts the statements of a store's sessions, and the rows that they gave."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.statements = self.rows = 0
        for session in (ReadSession, WriteSession):
            patch.setattr(session, "rows", self._counted(session.rows))

    def _counted(self, rows: Any) -> Any:
        def counted(session: Any, sql: str, values: Any = ()) -> Any:
            found = rows(session, sql, values)
            self.statements += 1
            self.rows += len(found)
            return found

        return counted

    def take(self) -> tuple[int, int]:
        found = self.statements, self.rows
        self.statements = self.rows = 0
        return found


def test_statements_and_rows_for_each_element(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Rows(monkeypatch)
    each: list[list[float]] = []
    for n in (500, 2000):
        start(project, over_numbers, n)
        each.append([total / n for total in counted.take()])
    small, large = each
    assert large[0] < 12
    assert large[1] < 12
    assert large[0] < 1.2 * small[0]
    assert large[1] < 1.2 * small[1]


def test_pages_of_a_large_map_read_a_part_of_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(project, over_numbers, 3000)
    counted = Rows(monkeypatch)
    detail = run_detail(project, run)
    assert [task.path for task in detail.tasks] == ["numbers", "one"]
    assert detail.tasks[1].children == {"succeeded": 3000}
    result_of(project, run.id, 0)
    assert counted.take()[1] < 50
    page = task_detail(project, run, "one", first=2000, limit=5)
    assert [child.path for child in page.children] == [f"one[{i}]" for i in range(2000, 2005)]
    assert page.task.children == {"succeeded": 3000}
    assert len(task_detail(project, run, "one").children) == 1000
    assert counted.take()[1] < 1100


def test_failed_elements_come_first(project: Project) -> None:
    def make(order: Order) -> Any:
        if order.path.endswith("7]"):
            raise Failure("it has a seven")
        return 1 if "[" in order.path else list(range(1200))

    run = create_run(project, plan_of(project, over_numbers))
    assert drive_at_once(project, run, make) is RunStatus.FAILED
    detail = run_detail(project, run)
    assert (len(detail.failed), detail.cut) == (100, ["failed"])
    page = task_detail(project, run, "one", limit=130)
    assert all(child.status == "failed" for child in page.children[:100])
    assert page.children[100].path == "one[0]"
    assert len(page.children) == 130
    assert len({child.path for child in page.children}) == 130
    # Only what failed runs again.
    assert reopen(project, project.store.read.run(run.id)) == 121
    engine, executor = engine_of(project, giving([]), id="again")
    assert engine.drive([run.id]) == {run.id: RunStatus.SUCCEEDED}
    assert executor.launched == 120


def test_a_turn_passes_over_no_tasks_that_wait_for_a_retry(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(order: Order) -> Any:
        if "[" in order.path:
            raise Failure("not now")
        return list(range(2000))

    run = create_run(project, plan_of(project, with_retries))
    engine, executor = engine_of(project, make)
    engine.leases.hold(engine.id)
    engine.start([run.id])
    counted = Rows(monkeypatch)
    rows = 0
    while executor.launched < 1201:
        engine.turn(executor.wait(0))
        if executor.launched > 1001:
            rows = rows or counted.take()[1]
    waiting = sum(
        task.not_before is not None
        for task in project.store.read.tasks(run.id, status=TaskStatus.READY)
    )
    assert waiting > 1000
    assert (counted.rows - waiting) / 200 < 60  # for each task that was started
    engine.leases.release(engine.id)


def test_an_element_of_a_list_in_json_is_read_by_itself(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[Order] = []

    def make(order: Order) -> Any:
        orders.append(order)
        return 1 if "[" in order.path else [Corner(i) for i in range(300)]

    run = create_run(project, plan_of(project, over_corners))
    assert drive_at_once(project, run, make) is RunStatus.SUCCEEDED
    whole: list[object] = []
    monkeypatch.setattr(registry, "_json_elements", lambda *given: whole.append(given) or [])
    for index, order in enumerate(orders[1:]):
        stored: Any = order.inputs["x"]
        value = registry.load(stored.ref, project.blobs, index=stored.index, element=stored.element)
        assert value == Corner(index)
    assert whole == []


def test_a_plan_counts_the_elements_and_lists_some(project: Project) -> None:
    start(project, over_numbers, ELEMENTS_LISTED + 500)
    plan = plan_of(project, over_numbers).plan
    listed = [task for task in plan.tasks if task.kind == "element"]
    assert len(listed) == ELEMENTS_LISTED
    [mapped] = [task for task in plan.tasks if task.kind == "map"]
    assert mapped.elements == {"reuse": ELEMENTS_LISTED + 500}
    assert mapped.reason == f"all {ELEMENTS_LISTED + 500} elements are reused"


MEMORY = """
import resource, sys
from pathlib import Path
from tests.scale.test_maps import Project, create_run, drive_at_once, giving, over_numbers, plan_of
project = Project(Path(sys.argv[1]))
n = int(sys.argv[2])
for _ in range(2):
    run = create_run(project, plan_of(project, over_numbers))
    drive_at_once(project, run, giving(list(range(n))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(project: Project, n: int) -> float:
    """MB that a process needs at its peak to run a map, and to run it again."""
    command = [sys.executable, "-c", MEMORY, str(project.root), str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def test_memory_grows_little_with_a_map(project: Project) -> None:
    bare = peak(project, 10)
    assert peak(project, 5000) - bare < 5000 * 4 / 1024 + 6  # 4 kB for an element


@pytest.mark.chaos
def test_a_map_of_a_hundred_thousand_fits_into_300_megabytes(project: Project) -> None:
    assert peak(project, 100_000) < 300
