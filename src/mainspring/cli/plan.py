"""`mainspring plan`: what a run would do now, step by step, and why."""

from __future__ import annotations

from collections import Counter

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.planned import plan_now
from mainspring.cli.screen import Cell, Screen
from mainspring.records.plan import Choice, Plan, PlannedTask

SIGNS = {
    Choice.RUN: ("+", "green", "to run"),
    Choice.REUSE: ("=", "cyan", "reused"),
    Choice.UNKNOWN: ("~", "yellow", "not known yet"),
    Choice.SKIP: ("-", "dim", "skipped"),
    Choice.DECIDE: ("?", "magenta", "decided"),
    Choice.FAIL: ("!", "red", "failing"),
}


@verb()
@choices.pipeline_argument
@choices.parameter_option
@choices.version_options
@choices.seed_option
@choices.force_option
@given
def command(
    invocation: Invocation,
    pipeline: str | None,
    *,
    parameters: dict[str, str],
    wanted: dict[str, str],
    seed: int | None,
    force: tuple[str, ...],
) -> int:
    """Say what a run would do now, and why.

    PIPELINE is a name that mainspring.toml lists (default: the first), module:name, or a YAML
    file. Nothing runs, and no run is recorded. `+` will run, `=` is reused, `~` depends on what
    others come to, `-` is skipped, `?` is a checkpoint judged already, `!` can't succeed.
    """
    from mainspring.app.occupancy import in_use

    project = invocation.open()
    with in_use(project.home):
        plan = plan_now(project, pipeline, parameters, seed=seed, force=force, wanted=wanted).plan
    if invocation.json:
        invocation.emit(plan)
    else:
        write_plan(invocation.screen, plan)
    return int(any(task.choice is Choice.FAIL for task in plan.tasks))


def write_plan(screen: Screen, plan: Plan) -> None:
    """Write a plan; elements of maps are counted, not listed."""
    about = wording.settings(plan.parameters)
    screen.line(f"plan of {screen.paint(plan.pipeline, 'bold')}  {about}".rstrip())
    for text in wording.sources(plan.sources):
        screen.line(f"  {text}")
    screen.line()
    shown = [task for task in plan.tasks if task.kind != "element"]
    screen.table([_row(task) for task in shown], indent=2)
    screen.line()
    screen.line(summary(plan))


def _row(task: PlannedTask) -> list[Cell]:
    sign, style, _ = SIGNS[task.choice]
    expected = wording.duration(task.expected) if task.choice is not Choice.REUSE else ""
    return [
        Cell(sign, style),
        Cell(task.path, style if task.choice is Choice.RUN else ""),
        Cell(f"~{expected}" if expected else "", "dim"),
        Cell(reason_of(task), "dim" if task.choice in (Choice.REUSE, Choice.UNKNOWN) else ""),
    ]


def reason_of(task: PlannedTask) -> str:
    """Why a task will run; of a reused one, where its result is from."""
    if task.choice is Choice.REUSE and task.source:
        return f"from {task.source}"
    return task.reason


def summary(plan: Plan) -> str:
    """One line: how many tasks of each kind, and how long it may take."""
    counts: Counter[str] = Counter()
    for task in plan.tasks:
        if task.kind != "element":
            counts.update(task.elements or {task.choice: 1})
    parts = [f"{counts[choice]} {word}" for choice, (_, _, word) in SIGNS.items() if counts[choice]]
    text = ", ".join(parts) or "nothing to do"
    if plan.expected is not None:
        text += f"; about {wording.duration(plan.expected)} of work"
    return f"{text}."
