from __future__ import annotations

import math

from tests.app.capsule.world import World

from mainspring.app.capsule.card import MOST, card, readme
from mainspring.app.capsule.collecting import past_of
from mainspring.app.running import load_spec
from mainspring.records.metrics import MetricSummary


def metric(name: str, last: float) -> MetricSummary:
    return MetricSummary(task="t", name=name, last=last, count=1, minimum=last, maximum=last)


def test_a_card_says_what_is_known(world: World) -> None:
    past, spec = past_of(world.project, world.run), load_spec(world.project, world.run)
    text = card(past, spec, world.project.store.read.metrics(world.run.id))
    for word in (world.run.id, world.run.snapshot, "Double some numbers", "numpy", "passed", "nan"):
        assert word in text
    assert "Not on record" in text
    assert world.run.id in readme(past, "mainspring 9")


def test_nothing_in_a_run_writes_markdown(world: World) -> None:
    past, spec = past_of(world.project, world.run), load_spec(world.project, world.run)
    evil = metric("a|b\n# heading <script> [x](y)", math.inf)
    [line] = [line for line in card(past, spec, [evil]).splitlines() if "heading" in line]
    assert line == r"| t | a\|b \# heading \<script\> \[x\]\(y\) | inf |"


def test_long_tables_end(world: World) -> None:
    past, spec = past_of(world.project, world.run), load_spec(world.project, world.run)
    text = card(past, spec, [metric(f"m{i}", i) for i in range(MOST + 5)])
    assert "| and 5 more |  |  |" in text
