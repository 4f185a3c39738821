"""Text on a terminal or into a pipe: colours, columns that line up, nothing that can do harm."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

_CODES = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34",
    "magenta": "35", "cyan": "36",
}  # fmt: skip

# What a step printed or a file is named must not steer the terminal.
# Nor may it look like another text: U+061C and so on turn the direction of what follows.
_HARMFUL = (
    *range(32), *range(127, 160), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F),
    *range(0x2066, 0x206A), 0xFEFF,
)  # fmt: skip
_HARMLESS: dict[int, str | None] = dict.fromkeys(_HARMFUL)
# Colours but not "hidden"; then all else that is harmful but for line ends and tabs.
_STEERS = "".join(chr(code) for code in _HARMFUL if chr(code) not in "\n\r\t")
_LOG = re.compile(rf"(\x1b\[(?:(?!0*8[;m])[0-9]*;?)*m)|[{re.escape(_STEERS)}]")
_LINE = _HARMLESS | {ord("\n"): " ", ord("\t"): " "}
_BLOCK = {code: to for code, to in _HARMLESS.items() if chr(code) not in "\n\t"}


def clean(text: str) -> str:
    """The text on one line, without control characters."""
    return text.translate(_LINE)


def clean_block(text: str) -> str:
    """The text without control characters, its lines as they are."""
    return text.translate(_BLOCK)


def clean_log(text: str) -> str:
    """What a program printed, for a terminal: colours stay, and what else may steer it goes."""
    return _LOG.sub(lambda found: found[1] or "", text)


def width_of(text: str) -> int:
    """How many cells of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def shorten(text: str, width: int) -> str:
    """The text, cut to a number of cells."""
    if width_of(text) <= width:
        return text
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return text + "…"


class Cell(str):
    """A text with a style."""

    __slots__ = ("style",)
    style: str

    def __new__(cls, text: str, style: str = "") -> Cell:
        cell = super().__new__(cls, clean(text))
        cell.style = style
        return cell


class Screen:
    """A stream of text. `width` is None where there is no terminal: nothing is cut then."""

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self.stream = stream
        self.color = color
        self.terminal = stream.isatty()

    @property
    def width(self) -> int | None:
        """The terminal's width in cells."""
        if not self.terminal:
            return None
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80

    def write(self, text: str) -> None:
        """Write and flush."""
        self.stream.write(text)
        self.stream.flush()

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.write(text + "\n")

    def paint(self, text: str, style: str) -> str:
        """The text in a style (`"red"`, `"bold dim"`), where colours are shown."""
        codes = ";".join(_CODES[name] for name in style.split())
        return f"\x1b[{codes}m{text}\x1b[0m" if self.color and codes else text

    def title(self, text: str) -> None:
        """Write the heading of a section."""
        self.line(self.paint(text, "bold"))

    def table(self, rows: Iterable[Sequence[str]], *, indent: int = 0) -> None:
        """Write rows in columns; on a terminal the last column is cut to what fits."""
        made = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
        self.write("".join(f"{line}\n" for line in self._lines(made, indent)))

    def _lines(self, rows: list[list[Cell]], indent: int) -> Iterable[str]:
        columns = max((len(row) for row in rows), default=0)
        widths = [max(width_of(row[n]) for row in rows if n < len(row)) for n in range(columns)]
        room = self.width
        for row in rows:
            at, parts = indent, [" " * indent]
            for place, cell in enumerate(row):
                last = place == len(row) - 1
                text = shorten(cell, max(8, room - at)) if last and room else str(cell)
                pad = "" if last else " " * (widths[place] - width_of(cell) + 2)
                parts.append(self.paint(text, cell.style) + pad)
                at += widths[place] + 2
            yield "".join(parts).rstrip()
