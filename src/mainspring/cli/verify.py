"""`mainspring verify`: make a run again and say whether what comes out is the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from mainspring.cli import choices, wording
from mainspring.cli.interrupts import sigterm_as_interrupt
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.records.errors import ParameterError
from mainspring.records.surroundings import HASH_SEED

if TYPE_CHECKING:
    from collections.abc import Callable

    from mainspring.records.verdicts import TaskVerdict


def _tolerances(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    values: dict[str, float] = {}
    for text in given:
        name, _equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise ParameterError(
                f"--tolerance takes a number from 0 on, or NAME=NUMBER, not {text!r}",
                hint="for example --tolerance 1e-6, or --tolerance train.loss=1e-3",
            )
        values[name] = value
    return values


def _hash_seed(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    if given is None or given == "new":
        return None
    if given == "recorded":
        return HASH_SEED
    if given.isdecimal() and int(given) < 2**32:
        return int(given)
    raise ParameterError(
        f"--hash-seed takes `new`, `recorded` or a number below 2**32, not {given!r}"
    )


@verb()
@choices.run_argument()
@click.option(
    "--tolerance",
    "tolerances",
    metavar="[NAME=]NUMBER",
    multiple=True,
    callback=_tolerances,
    help="How much numbers may differ: all, or those of an output, task or step NAME.",
)
@click.option(
    "--task",
    "tasks",
    metavar="TASK",
    multiple=True,
    shell_complete=choices.complete_task,
    help="Only this task; may be given many times.",
)
@click.option(
    "--hash-seed",
    metavar="new|recorded|N",
    callback=_hash_seed,
    help="Which string hashes: other ones than recorded (new, the default), the recorded ones, N.",
)
@click.option(
    "--here",
    is_flag=True,
    help="In the present environment, not in one built from the lock of the run.",
)
@click.option(
    "--experiments",
    type=click.IntRange(0, 100),
    default=3,
    show_default=True,
    help="How often an experiment is repeated where a task differs; 0: no experiments.",
)
@choices.quiet_option
@given
def command(
    invocation: Invocation,
    run: str,
    *,
    tolerances: dict[str, float],
    tasks: tuple[str, ...],
    hash_seed: int | None,
    here: bool,
    experiments: int,
    quiet: bool,
) -> int:
    """Execute a run again, ignoring every cache, and compare what comes out, task by task.

    Each task gets the inputs on record. Status 0: identical, or equal within the tolerance; 1:
    something differs; 4: nothing differs, but not all could be verified. The verdict is kept with
    the run. Where a task differs, experiments look for the cause. It runs in an environment that is
    built from the run's own lock.
    """
    from mainspring.app.occupancy import in_use
    from mainspring.app.rebuilding import place_of
    from mainspring.app.verdict_views import verification_view
    from mainspring.app.verifying import Wish, check_ended, verify
    from mainspring.cli.verdict_page import write_verification

    told, say = _tellers(invocation, loud=not quiet and not invocation.json)
    project = invocation.open()
    with in_use(project.home), sigterm_as_interrupt():
        record = project.store.read.find_run(run)
        check_ended(record)
        place = place_of(project, record, here=here)
        wish = Wish(
            tolerances=tolerances,
            tasks=tasks,
            hash_seed=hash_seed,
            experiments=experiments,
            python=place.python,
            where=place.name,
            known=place.known,
        )
        found = verify(project, record, wish, told=told, say=say)
    view = verification_view(found)
    if invocation.json:
        invocation.emit(view)
    else:
        write_verification(invocation.screen, found)
    return view.exit_code


def _tellers(
    invocation: Invocation, *, loud: bool
) -> tuple[Callable[[TaskVerdict], None], Callable[[str], None]]:
    """Who is told of each task's verdict, and of each experiment; both say nothing unless loud."""
    from mainspring.cli.verdict_page import WORDS
    from mainspring.records.verdicts import Exactness

    def told(verdict: TaskVerdict) -> None:
        if loud and verdict.verdict is not Exactness.IDENTICAL:
            sign, style = wording.VERDICTS[verdict.verdict]
            word = invocation.errors.paint(f"{sign} {WORDS[verdict.verdict]}", style)
            invocation.errors.line(f"{verdict.path}  {word}")

    def say(text: str) -> None:
        if loud:
            invocation.errors.line(invocation.errors.paint(f"experiment: {text}", "dim"))

    return told, say
