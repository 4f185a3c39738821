"""Tests of execution/waits.py."""

from __future__ import annotations

from mainspring.execution.waits import Waits


def test_what_is_due_comes_out_in_order_of_its_time() -> None:
    waits = Waits()
    for task, at in ((1, 3.0), (2, 1.0), (3, 2.0)):
        waits.add(task, at)
    assert waits.next() == 1.0
    assert waits.pop_due(0.5) is None
    assert [waits.pop_due(2.5) for _ in range(3)] == [2, 3, None]
    assert (len(waits), 1 in waits, 2 in waits) == (1, True, False)


def test_a_time_that_is_changed_counts_once() -> None:
    waits = Waits()
    waits.add(1, 1.0)
    waits.add(1, 5.0)
    assert waits.next() == 5.0
    assert waits.pop_due(4.0) is None
    assert [waits.pop_due(6.0), waits.pop_due(6.0)] == [1, None]
    assert waits.next() is None
