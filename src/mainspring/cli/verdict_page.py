"""How a verification is printed: the verdict, what differs where, and the suspects."""

from __future__ import annotations

from mainspring.app.verdict_views import DeterminismView
from mainspring.cli import wording
from mainspring.cli.screen import Cell, Screen, clean
from mainspring.records.verdicts import (
    Exactness,
    OutputVerdict,
    Standing,
    Suspect,
    TaskVerdict,
    Verification,
)

WORDS = {
    Exactness.IDENTICAL: "identical",
    Exactness.TOLERANCE: "equal within tolerance",
    Exactness.UNVERIFIED: "not verified",
    Exactness.DIFFERS: "differs",
}
STANDINGS = {
    Standing.RESTORES: ("changing it back restores the recorded result", "bold red"),
    Standing.DECIDES: ("the result follows it", "bold red"),
    Standing.SETTLES: ("held fixed, the result settles", "red"),
    Standing.POSSIBLE: ("possible", "yellow"),
    Standing.UNTRIED: ("could not be tried", "dim"),
    Standing.EXCLUDED: ("excluded", "dim"),
}
TASKS_SHOWN = 20
CHANGES_SHOWN = 5
NOTES_SHOWN = 5


def write_verification(screen: Screen, found: Verification) -> None:
    """Write all of it."""
    sign, style = wording.VERDICTS[found.verdict]
    word = screen.paint(f"{sign} {WORDS[found.verdict]}", style)
    screen.line(f"run {screen.paint(found.run, 'bold')}  {word}")
    facts = {
        "tasks": ", ".join(
            f"{count} {WORDS[verdict]}"
            for verdict in Exactness
            if (count := found.counts.get(verdict.value, 0))
        )
        or "none",
        "only": ", ".join(found.only),
        "environment": found.where,
        "string hashes": f"seed {found.hash_seed}",
        "first to differ": found.first or "",
        "took": wording.duration(found.seconds),
    }
    screen.table([[Cell(name, "dim"), text] for name, text in facts.items() if text], indent=2)
    for task in found.tasks[:TASKS_SHOWN]:
        screen.line()
        write_task(screen, task)
    left = sum(found.counts.values()) - found.counts.get(Exactness.IDENTICAL.value, 0)
    if left > TASKS_SHOWN:
        screen.line(f"\n  … and {left - TASKS_SHOWN} more tasks")
    write_suspects(screen, found)


def write_task(screen: Screen, task: TaskVerdict) -> None:
    """Write what became of a task."""
    sign, style = wording.VERDICTS[task.verdict]
    reason = f": {clean(task.reason)}" if task.reason else ""
    word = screen.paint(f"{sign} {WORDS[task.verdict]}", style)
    screen.line(f"{screen.paint(clean(task.path), 'bold')}  {word}{reason}")
    for output in task.outputs:
        if output.verdict is not Exactness.IDENTICAL:
            _write_output(screen, output)


def _write_output(screen: Screen, output: OutputVerdict) -> None:
    digests = f"{_short(output.recorded)} → {_short(output.made)}"
    screen.line(f"  {clean(output.output)}  {screen.paint(digests, 'dim')}")
    found = output.comparison
    if output.note:
        screen.line(f"    {clean(output.note)}")
    if found is None:
        return
    if found.numeric:
        limit = f", tolerance {output.tolerance:g}" if output.tolerance is not None else ""
        relative = "without end" if found.relative is None else f"{found.relative:.3g}"
        screen.line(
            f"    numbers differ by {found.absolute:.3g} at most, relatively by {relative}{limit}"
        )
    for change in found.changes[:CHANGES_SHOWN]:
        count = f"{change.count:,} of {change.total:,} differ, " if change.total > 1 else ""
        screen.line(f"    {clean(change.place)}: {count}{clean(change.what)}")
    if found.count > CHANGES_SHOWN:
        screen.line(f"    … {found.count:,} places in all")


def _short(digest: str | None) -> str:
    return "not made" if digest is None else digest.partition(":")[2][:12]


def write_suspects(screen: Screen, found: Verification) -> None:
    """Write the suspects, the likeliest first, and what speaks for or against each."""
    if not found.suspects:
        return
    screen.line()
    screen.title(f"why {clean(found.first or '')} differs, by experiment")
    for number, suspect in enumerate(found.suspects, 1):
        _write_suspect(screen, number, suspect)


def write_determinism(screen: Screen, found: DeterminismView) -> None:
    """Write which steps differ from themselves, and why."""
    for step in found.steps:
        how = "differs" if step.differs else "differs with another number of threads"
        screen.line(f"{screen.paint(clean(step.path), 'bold')}  {screen.paint(how, 'bold red')}")
        for number, suspect in enumerate(step.suspects, 1):
            if suspect.standing is not Standing.EXCLUDED:
                _write_suspect(screen, number, suspect)
    count = wording.plural(found.tasks, "task")
    same = found.tasks - len(found.steps)
    screen.line(f"{count} executed three times: {same} the same, {len(found.steps)} not")


def _write_suspect(screen: Screen, number: int, suspect: Suspect) -> None:
    text, style = STANDINGS[suspect.standing]
    screen.line(f"  {number}. {screen.paint(suspect.name, 'bold')}: {screen.paint(text, style)}")
    screen.line(f"     {clean(suspect.evidence)}")
    if suspect.standing is Standing.EXCLUDED:
        return
    for note in suspect.notes[:NOTES_SHOWN]:
        screen.line(screen.paint(f"     {clean(note)}", "dim"))


def write_verified(screen: Screen, verifications: list[Verification]) -> None:
    """Write, for a run's page, what the last verification came to."""
    if not verifications:
        return
    whole = [found for found in verifications if not found.only]
    last = (whole or verifications)[-1]
    sign, style = wording.VERDICTS[last.verdict]
    word = screen.paint(f"{sign} {WORDS[last.verdict]}", style)
    first = f" from {clean(last.first)} on" if last.first else ""
    only = f" ({clean(', '.join(last.only))} only)" if last.only else ""
    why = f"; {last.suspects[0].name}" if last.suspects else ""
    at = wording.clock(last.at)
    screen.table([[Cell("verified", "dim"), f"{word}{first}{only}{why}, {at}"]], indent=2)
