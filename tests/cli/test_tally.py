from __future__ import annotations

from mainspring.cli.tally import Tally
from mainspring.execution.context import Event


def tally() -> tuple[Tally, list[str]]:
    asked: list[str] = []

    def total_of(path: str) -> int:
        asked.append(path)
        return 3

    return Tally([], {}, total_of), asked


def element(index: int, status: str) -> Event:
    return Event(run="r", path=f"train[{index}]", kind="element", status=status)


def test_elements_are_counted_in_their_map() -> None:
    found, asked = tally()
    for index, status in [(0, "running"), (1, "reused"), (0, "succeeded"), (2, "running")]:
        found.hear(element(index, status))
    entry = found.entries["train"]
    assert (entry.done, entry.total, entry.counts["running"]) == (2, 3, 1)
    assert asked == ["train"]
    assert list(found.entries) == ["train"]


def test_retry_is_not_counted_twice() -> None:
    found, _ = tally()
    for status in ("running", "ready", "running", "failed"):
        found.hear(element(0, status))
    assert found.entries["train"].counts == {"running": 0, "failed": 1}


def test_run_and_tasks() -> None:
    found, _ = tally()
    found.hear(Event(run="r", path="a", kind="step", status="running", reason="new"))
    assert found.seconds_of(found.entries["a"]) is not None
    found.hear(Event(run="r", path="a", kind="step", status="succeeded", seconds=2.0))
    assert found.seconds_of(found.entries["a"]) == 2.0
    found.hear(Event(run="r", path=None, status="succeeded"))
    assert found.status == "succeeded"


def test_ten_thousand_elements_are_cheap() -> None:
    import time

    found, _ = tally()
    events = [element(n, status) for n in range(10_000) for status in ("running", "succeeded")]
    began = time.process_time()
    for event in events:
        found.hear(event)
    assert time.process_time() - began < 1.0
    assert found.entries["train"].done == 10_000
