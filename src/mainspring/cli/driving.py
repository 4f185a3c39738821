"""Drives a run from the command line: progress while it works, a summary when it rests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from mainspring.app.running import drive
from mainspring.app.showing import result_of
from mainspring.app.views import ResultView
from mainspring.cli import wording
from mainspring.cli.complaint import write_task_error
from mainspring.cli.invocation import Invocation
from mainspring.cli.plain import PlainProgress, say_stopping
from mainspring.cli.tally import Tally
from mainspring.execution.context import Event
from mainspring.records.runs import Run
from mainspring.records.status import RUN_ENDED, RunStatus

if TYPE_CHECKING:
    from mainspring.app.project import Project

DONE, FAILED, WAITING, INTERRUPTED = 0, 1, 3, 130
ERRORS_SHOWN = 5


class Progress(Protocol):
    """What shows how a run goes on."""

    def begin(self) -> None: ...
    def hear(self, event: Event) -> None: ...
    def stopping(self, text: str) -> None: ...
    def end(self) -> None: ...


def drive_run(
    invocation: Invocation, project: Project, run: str, executor: Any, *, quiet: bool = False
) -> int:
    """Work on a run until it rests, telling how it goes; return the exit status."""
    record = project.store.read.run(run)
    progress = _progress(invocation, project, record, quiet=quiet or invocation.json)
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        progress.stopping(f"stopping…; resume with `mainspring resume {run}`")

    def hear(event: Event) -> None:
        if event.kind == "store":
            progress.stopping(event.reason or "")
        elif event.run == run:  # attempts of another run may have been taken over
            progress.hear(event)

    if not (quiet or invocation.json):
        _headline(invocation, record)
    progress.begin()
    try:
        if record.status in RUN_ENDED:
            executor.close()
            status = record.status
        else:
            status = drive(project, [run], listener=hear, executor=executor, on_interrupt=stop)[run]
    finally:
        progress.end()
    code = exit_code(status, interrupted=interrupted)
    _notices(invocation, executor)
    report(invocation, result_of(project, run, code))
    return code


def exit_code(status: RunStatus, *, interrupted: bool = False) -> int:
    """Return the exit status that says what a run came to."""
    if status is RunStatus.SUCCEEDED:
        return DONE
    if interrupted:
        return INTERRUPTED
    return FAILED if status in RUN_ENDED else WAITING


def _progress(invocation: Invocation, project: Project, run: Run, *, quiet: bool) -> Progress:
    if quiet:
        return _Silence()
    read = project.store.read
    tally = Tally(
        read.top_tasks(run.id), read.counts(run.id), lambda path: read.find_task(run.id, path).total
    )
    if (
        invocation.screen.terminal
        and os.environ.get("TERM") != "dumb"
        and run.status not in RUN_ENDED
    ):
        from mainspring.cli.live import LiveProgress

        return LiveProgress(invocation.screen, tally)
    return PlainProgress(invocation.screen, tally)


class _Silence:
    def begin(self) -> None:
        pass

    def hear(self, event: Event) -> None:
        pass

    def stopping(self, text: str) -> None:
        say_stopping(text)

    def end(self) -> None:
        pass


def _headline(invocation: Invocation, run: Run) -> None:
    screen = invocation.screen
    about = wording.settings(run.parameters)
    screen.line(f"run {screen.paint(run.id, 'bold')}  {run.pipeline}  {about}".rstrip())


def _notices(invocation: Invocation, executor: Any) -> None:
    for text in getattr(executor, "notices", list[str])():
        invocation.errors.line(f"{invocation.errors.paint('note:', 'yellow')} {text}")


def report(invocation: Invocation, result: ResultView) -> None:
    """Say what a run came to: as JSON, or as a summary with the errors of its tasks."""
    if invocation.json:
        invocation.emit(result)
        return
    run = result.run
    for task in result.failed[:ERRORS_SHOWN]:
        if task.error is not None:
            logs = f"mainspring logs {run.id} '{task.path}'" if task.attempts else ""
            write_task_error(invocation.errors, task.path, task.error, logs)
    if len(result.failed) > ERRORS_SHOWN:
        invocation.errors.line(f"… and {len(result.failed) - ERRORS_SHOWN} more failed tasks")
    screen = invocation.screen
    sign, style = wording.symbol_of(run.status)
    took = f" in {wording.duration(run.seconds)}" if run.seconds is not None else ""
    counts = wording.tally(result.counts)
    screen.line(f"{screen.paint(f'{sign} {run.status}', style)}{took}: {counts}")
    verb = "resume" if result.exit_code in (WAITING, INTERRUPTED) else "show"
    screen.line(f"  mainspring {verb} {run.id}")
