"""In what the present differs from what a recorded task had: packages, platform, files outside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from mainspring.app.project import Project
from mainspring.app.recorded import Recorded
from mainspring.execution import experiments
from mainspring.planning.explain import differences
from mainspring.records.errors import MainspringError
from mainspring.records.runs import Outcome
from mainspring.records.spec import CommandNode, StepNode
from mainspring.records.stores import KeyParts

_RECENT = 86_400.0


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Which environment a task ran in: whether the one that is on record, and how to get the
    Python of another that it can be tried in, if there is one."""

    is_recorded: bool = False
    other: Callable[[], Path | None] | None = None
    other_name: str = ""


def environment_changes(project: Project, recorded: Recorded) -> list[str]:
    """What of the key's environment, platform and variables is not as it was; code and inputs are
    the recorded ones."""
    before = project.store.read.key_parts(recorded.task.id)
    work = recorded.node.work
    if before is None or recorded.keyed is None:
        return []
    assert isinstance(work, StepNode | CommandNode)
    try:
        static = project.code(recorded.run.snapshot).static(work)[1]
    except MainspringError:
        return []
    now = KeyParts(
        run=before.run,
        path=before.path,
        key=recorded.keyed.key,
        static=msgspec.structs.replace(static, code=before.static.code),
        inputs=before.inputs,
        seed=before.seed,
    )
    return differences(before, now)


def outside(outcomes: Iterable[Outcome]) -> list[str]:
    """What executions looked at that is no part of the record, with when a file was changed."""
    seen = dict.fromkeys(text for outcome in outcomes for text in outcome.impure)
    words = (f"{experiments.CLOCK}: ", f"{experiments.ENTROPY}: ")
    return [_dated(text) for text in seen if not text.startswith(words)]


def _dated(text: str) -> str:
    verb, _, path = text.partition(" ")
    if verb != "read":
        return text
    try:
        changed = os.stat(path).st_mtime
    except OSError:
        return text
    shape = "%Y-%m-%d %H:%M:%S" if time.time() - changed < _RECENT else "%Y-%m-%d"
    return f"{text} (last changed {time.strftime(shape, time.gmtime(changed))} UTC)"
