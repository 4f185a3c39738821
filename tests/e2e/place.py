"""A real project in a directory of its own, and the real program run in it as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from mainspring import Run
from mainspring.app.project import Project

SOURCE = Path(__file__).parents[2] / "src"
HEAD = """\
import os, signal, subprocess, sys, time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mainspring import (
    checkpoint, command, context, figure, log, pipeline, repeat, rng, step, table, when, workdir
)

"""
LIMIT = 90


class Result(NamedTuple):
    """What a call of the program came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def statuses(self) -> dict[str, str]:
        """Status by task, from `show --json`."""
        return {task["path"]: task["status"] for task in self.json["tasks"]}

    @property
    def digests(self) -> dict[str, str]:
        """Digest by `task.output`, from `show --json`."""
        return {f"{a['task']}.{a['output']}": a["digest"] for a in self.json["artifacts"]}


class Place:
    """A project: `write` files, then call it with the words of a command line."""

    def __init__(self, root: Path, *pipelines: str, more: str = "") -> None:
        self.root = root
        self.home = root / ".mainspring"
        self.env: dict[str, str] = {}
        self.wrapped: tuple[str, ...] = ()
        root.mkdir(parents=True, exist_ok=True)
        listed = json.dumps(list(pipelines or ("flow:main",)))
        self.write("mainspring.toml", f'[project]\nname = "demo"\npipelines = {listed}\n{more}')

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
        return path

    def flow(self, text: str, name: str = "flow.py") -> Path:
        """Write a module of steps and pipelines; the usual imports are there."""
        return self.write(name, HEAD + dedent(text))

    def edit(self, name: str, before: str, after: str) -> None:
        path = self.root / name
        text = path.read_text("utf-8")
        assert text.count(before) == 1, f"{before!r} is in {name} {text.count(before)} times"
        path.write_text(text.replace(before, after), "utf-8")

    def popen(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the program; it is in a session of its own, like one in another terminal."""
        return self.python("-m", "mainspring", *words, env=env)

    def python(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.wrapped, sys.executable, *words],
            cwd=self.root, env=environment({**self.env, **(env or {})}), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def __call__(self, *words: str, env: Mapping[str, str] | None = None) -> Result:
        return finish(self.popen(*words, env=env))

    def script(self, name: str, *words: str, env: Mapping[str, str] | None = None) -> Result:
        """Run a Python file of the project, as `python NAME`."""
        return finish(self.python(name, *words, env=env))

    # What is asked for all the time.

    def run(self, *words: str, code: int = 0, env: Mapping[str, str] | None = None) -> Result:
        """`run --json`, which has to end with this code."""
        done = self("run", "--json", *words, env=env)
        assert done.code == code, done
        assert "Traceback" not in done.err, done.err
        return done

    def counts(self, *words: str, env: Mapping[str, str] | None = None) -> dict[str, int]:
        """How many tasks a successful run had, by status."""
        return self.run(*words, env=env).json["counts"]

    def show(self, *words: str) -> Result:
        done = self("show", *(words or ("latest",)), "--json")
        assert done.code == 0, done
        return done

    def value(self, task: str, run: str = "latest") -> Any:
        """The value of a task, as the Python API gives it."""
        project = Project(self.root)
        try:
            return Run[Any](project, project.store.read.find_run(run).id)[task]
        finally:
            project.close()

    def plan(self, *words: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The planned tasks by path."""
        done = self("plan", "--json", *words, env=env)
        fails = any(task["choice"] == "fail" for task in done.json["tasks"])
        assert done.code == int(fails), done
        return {task["path"]: task for task in done.json["tasks"]}

    def choices(self, *words: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
        return {path: task["choice"] for path, task in self.plan(*words, env=env).items()}

    def attempts(self) -> set[str]:
        folder = self.home / "attempts"
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    def blob(self, digest: str) -> Path:
        name, _, rest = digest.partition(":")
        return self.home / "blobs" / name / rest[:2] / rest[2:]


def finish(process: subprocess.Popen[str], limit: float = LIMIT) -> Result:
    """Wait for the program's end."""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end:\n{out}\n{err}") from None
    return Result(process.returncode, out, err)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """What the program is started with: nothing of this session's own settings."""
    unwanted = ("MAINSPRING_", "_MAINSPRING", "NO_COLOR", "FORCE_COLOR", "PYTEST_")
    found = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    return {**found, "PYTHONPATH": str(SOURCE), **more}


def until(found: Callable[[], bool], limit: float = 40.0, what: str = "") -> None:
    """Wait until something is so, at most a while."""
    end = time.monotonic() + limit
    while not found():
        assert time.monotonic() < end, f"waited in vain {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process is at work (a zombie is not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def at_work(place: Place) -> list[str]:
    """Command lines of the processes that have anything of the project's home open."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            opened = [os.readlink(fd) for fd in (folder / "fd").iterdir()]
            opened.append(os.readlink(folder / "cwd"))
            command = os.fsdecode((folder / "cmdline").read_bytes().replace(b"\0", b" "))
        except OSError:
            continue
        if any(name.startswith(f"{place.home}/") for name in opened):
            found.append(f"{folder.name} {command}")
    return found


def polite(done: Result, code: int, *parts: str) -> None:
    """Assert that a user's mistake got one clear message with all these parts."""
    assert done.code == code, done
    assert "Traceback" not in done.err + done.out, done.err
    assert "bug in Mainspring" not in done.err, done.err
    assert done.err.startswith("error: "), done.err
    assert done.err.count("error: ") == 1, done.err
    for part in parts:
        assert part in done.err, (part, done.err)
