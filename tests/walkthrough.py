"""Executes a documentation page: files are written, commands run, and what they print compared.

In a page, a code block whose first line is a comment that names a file (`# pipeline.py`) is
written to that file. A `console` block is typed: lines that begin with `$ ` are commands, the
others what they print. A line `...` there stands for any lines. Run ids, digests, durations, dates,
megabytes of memory and the width of gaps are not compared. A command has to succeed, unless
`$ echo $?` comes next.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"(?:#|<!--) ([\w./-]+\.\w+)(?: -->)?\n")
_MASKS = (
    (re.compile(r"\d{8}-\d{6}-[a-z0-9]{5}"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( \(.*? ago\))?"), "WHEN"),
    (re.compile(r"~?\b\d+(\.\d+)? (ms|s|min)( \d+ s)?\b"), "TOOK"),
    (re.compile(r"\b\d+(\.\d+)? MB\b"), "MEMORY"),
    (re.compile(r"\b[0-9a-f]{8,12}\b"), "DIGEST"),
    (re.compile(r"  +"), " "),
)


class Block(NamedTuple):
    """A code block: its language and its text."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is to be written to."""
        found = _FILE.match(self.text)
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page that name a language."""
    return [Block(*found) for found in _BLOCK.findall(page.read_text("utf-8"))]


class Walkthrough:
    """One reader at a terminal, in a directory of his own."""

    def __init__(self, directory: Path, program: Path) -> None:
        self.directory = directory
        self.status = 0
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        kept["XDG_CONFIG_HOME"] = str(directory.parent / "config")  # not this machine's own keys
        self.environment = {**kept, "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def follow(self, page: Path) -> None:
        """Do what the page says, in order."""
        for block in blocks(page):
            if block.file is not None:
                target = self.directory / block.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.text, "utf-8")
            elif block.language == "console":
                self._type(block.text)

    def _type(self, session: str) -> None:
        steps = list(_commands(session))
        following = [command for command, _ in steps[1:]] + [""]
        for (command, expected), after in zip(steps, following, strict=True):
            printed = self._run(command)
            if after != "echo $?":
                assert self.status == 0, f"$ {command}\n{printed}"
            assert matches(expected, printed), (
                f"$ {command}\n--- the page says\n{expected}\n--- it prints\n{printed}"
            )

    def _run(self, command: str) -> str:
        if command.startswith("cd "):
            self.directory /= command.removeprefix("cd ")
            return ""
        if command == "echo $?":
            status, self.status = self.status, 0
            return f"{status}\n"
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.directory, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=100,
        )  # fmt: skip
        killed = done.returncode < 0
        self.status = 128 - done.returncode if killed else done.returncode  # as a shell says it
        return done.stdout


def _commands(session: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command.strip(), expected


def matches(expected: str, printed: str) -> bool:
    """Whether a command printed what the page says. Nothing said means that all is well."""
    if not expected.strip():
        return True
    said = ["(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in _plain(expected)]
    return bool(re.fullmatch("".join(said), "".join(f"{line}\n" for line in _plain(printed))))


def _plain(text: str) -> list[str]:
    for mask, word in _MASKS:
        text = mask.sub(word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def make_program(directory: Path) -> Path:
    """Put `mainspring` and `python` into a directory: this interpreter, this source."""
    directory.mkdir(parents=True, exist_ok=True)
    path = f"export PYTHONPATH={shlex.quote(str(ROOT / 'src'))} PYTHONDONTWRITEBYTECODE=1"
    python = shlex.quote(sys.executable)
    for name, arguments in (("mainspring", "-m mainspring "), ("python", "")):
        file = directory / name
        file.write_text(f'#!/bin/sh\n{path}\nexec {python} {arguments}"$@"\n', "utf-8")
        file.chmod(0o755)
    return directory / "mainspring"
