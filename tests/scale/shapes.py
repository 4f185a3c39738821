"""Pipelines of any number of steps, and how much work something does, counted."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from mainspring import pipeline, repeat, step


@step
def first() -> int:
    return 0


@step
def inc(x: int) -> int:
    return x + 1


@step
def add(x: int, y: int) -> int:
    return x + y


@step
def join(xs: list[int]) -> int:
    return sum(xs)


def chain(n: int) -> Any:
    @pipeline
    def chain() -> int:
        x = first()
        for _ in range(n):
            x = inc(x)
        return x

    return chain


def fan(n: int) -> Any:
    @pipeline
    def fan() -> int:
        x = first()
        return join([add(x, i) for i in range(n)])

    return fan


def any_graph(n: int) -> Any:
    @pipeline
    def any_graph() -> int:
        draw = random.Random(1)
        made = [first(), first()]
        for _ in range(n):
            made.append(add(draw.choice(made), draw.choice(made)))
        return made[-1]

    return any_graph


def groups(n: int) -> Any:
    """Five groups, each of which waits for the whole of the one before it."""

    @pipeline
    def body(x: int) -> int:
        for _ in range(n // 5):
            x = inc(x)
        return x

    @pipeline
    def groups() -> int:
        x = first()
        before: list[Any] = []
        for _ in range(5):
            before = [body.options(after=before)(x)]
        return before[0]

    return groups


def rounds(n: int) -> Any:
    @pipeline
    def body(x: int) -> int:
        for _ in range(n):
            x = inc(x)
        return x

    @pipeline
    def rounds() -> object:
        again = repeat(body, until=lambda out: out > 2 * n, max=3, carry={"x": "result"})
        return again(first())

    return rounds


SHAPES: dict[str, Callable[[int], Any]] = {
    "chain": chain, "fan": fan, "any_graph": any_graph, "groups": groups, "rounds": rounds,
}  # fmt: skip


def lines_run(function: Callable[[], Any]) -> int:
    """How many lines of Python a call runs: a measure of work that no other process disturbs."""
    count = 0

    def see(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return see

    before = sys.gettrace()
    sys.settrace(see)
    try:
        function()
    finally:
        sys.settrace(before)
    return count
