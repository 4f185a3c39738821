"""`mainspring logs`: what steps have printed."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import clean_log

if TYPE_CHECKING:
    from mainspring.app.logs import Piece

LINE = 1 << 16
"""With --json, a longer line is cut into pieces of so many bytes."""


@verb()
@choices.run_argument(required=False)
@choices.task_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run rests.")
@click.option(
    "--attempt", type=click.IntRange(min=1), help="The log of this attempt (default: the latest)."
)
@given
def command(
    invocation: Invocation, run: str, task: str | None, follow: bool, attempt: int | None
) -> None:
    """Print what the steps of a run, or one task, have written to their output.

    RUN is an id, the beginning of one, or `latest`, which is the default. A map has the logs of
    its elements, a reused task that of the run that its result came from.
    """
    from mainspring.app.following import follow_logs
    from mainspring.app.logs import read_logs

    if follow and attempt is not None:
        raise click.UsageError("--follow goes through all attempts: leave --attempt out")
    project = invocation.open()
    record = project.store.read.find_run(run)
    if follow:
        pieces: Iterable[Piece | None] = follow_logs(project, record, task)
    else:
        pieces = read_logs(project, record, task, attempt=attempt)
    if invocation.json:
        _write_json(invocation, record.id, pieces)
    else:
        _write_text(invocation, pieces, headed=task is None or follow)


def _write_text(invocation: Invocation, pieces: Iterable[Piece | None], *, headed: bool) -> None:
    """Bytes as they are, but nothing that steers a terminal to one; a heading where another
    attempt goes on (not for a single task's log)."""
    out = sys.stdout.buffer
    made_harmless = _for_terminal() if invocation.screen.terminal else None
    shown, ended = "", True
    for piece in pieces:
        if piece is None:
            continue
        if piece.attempt != shown and (headed or shown):
            title = f"==> {piece.task} (attempt {piece.number}) <=="
            gap = "" if ended else "\n"
            out.write(f"{gap}{invocation.screen.paint(title, 'bold')}\n".encode())
        shown = piece.attempt
        out.write(made_harmless(piece.data) if made_harmless else piece.data)
        out.flush()
        ended = piece.data.endswith(b"\n")
    if not shown:
        invocation.errors.line("nothing was printed")


def _for_terminal() -> Callable[[bytes], bytes]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def made_harmless(data: bytes) -> bytes:
        text = clean_log(decoder.decode(data))
        return (text + "\x1b[0m" if "\x1b" in text else text).encode()

    return made_harmless


def _write_json(invocation: Invocation, run: str, pieces: Iterable[Piece | None]) -> None:
    rest: dict[str, Any] = {}
    for piece in pieces:
        if piece is None:
            continue
        _, before = rest.pop(piece.attempt, (piece, b""))
        *lines, last = (before + piece.data).split(b"\n")
        for line in lines:
            _emit(invocation, run, piece, line)
        while len(last) >= LINE:
            _emit(invocation, run, piece, last[:LINE])
            last = last[LINE:]
        if last:
            rest[piece.attempt] = (piece, last)
    for piece, last in rest.values():
        _emit(invocation, run, piece, last)


def _emit(invocation: Invocation, run: str, piece: Piece, line: bytes) -> None:
    import msgspec

    from mainspring.app.views import LogLine

    view = LogLine(
        run=run,
        task=piece.task,
        attempt=piece.attempt,
        number=piece.number,
        text=line.decode("utf-8", "replace"),
    )
    invocation.screen.line(msgspec.json.encode(view).decode())
