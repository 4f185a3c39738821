"""One trial: two engines on one run, killed (-9) at random instants, and the server restarted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.chaos.trial import check, command, make_project
from tests.services.postgres import Postgres

from mainspring.app.project import Project
from mainspring.records.status import RunStatus
from mainspring.records.stores import RunFilter

SERVE = ("engine", "--until-idle")
LIMIT = 120.0


@dataclass
class Trial:
    """A project with one queued run, and the engines that were started on it."""

    root: Path
    server: Postgres | None
    output: list[str] = field(default_factory=list[str])
    engines: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def begin(self, more: str = "") -> None:
        """Make the project, put a run on record, and start two engines."""
        make_project(self.root)
        with open(self.root / "mainspring.toml", "a", encoding="utf-8") as file:
            file.write(more)
            if self.server is not None:
                file.write(f'[storage]\nstore = "{self.server.new_database()}"\n')
        queued = command(self.root, "run", "--queue")
        out, _ = queued.communicate(timeout=LIMIT)
        assert queued.returncode == 0, out.decode()
        self.engines += [command(self.root, *SERVE) for _ in range(2)]

    def finish(self) -> None:
        """Let the engines end, and further ones if need be; then the run has to have succeeded."""
        for _ in range(8):
            for engine in self.engines:
                out, _ = engine.communicate(timeout=LIMIT)
                text = out.decode(errors="replace")
                self.output.append(f"exit {engine.returncode}\n{text}")
                assert engine.returncode in (0, -signal.SIGKILL), self.story
                assert "Traceback" not in text, self.story
            if self.status() is RunStatus.SUCCEEDED:
                return
            self.engines = [command(self.root, *SERVE)]
        raise AssertionError(self.story)

    def status(self) -> RunStatus:
        project = Project(self.root)
        try:
            [run] = project.store.read.runs(RunFilter(limit=5))
            return run.status
        finally:
            project.close()

    def wait_until_it_runs(self) -> None:
        """Until a task of the run has ended, or the whole run has."""
        folder = self.root / ".mainspring" / "attempts"
        end = time.monotonic() + 30
        while time.monotonic() < end and not list(folder.glob("*/outcome.json")):
            time.sleep(0.002)

    @property
    def story(self) -> str:
        log = self.server.log[-4000:] if self.server is not None else ""
        return "\n-----\n".join([*self.output, log])

    # What may go wrong.

    def kill_engine(self, draw: random.Random) -> None:
        """Kill one, and start another in its place."""
        alive = [engine for engine in self.engines if engine.poll() is None]
        if alive:
            draw.choice(alive).kill()
            self.engines.append(command(self.root, *SERVE))

    def kill_worker(self, draw: random.Random) -> None:
        """Kill a process below an engine: its zygote, or a worker."""
        alive = [engine for engine in self.engines if engine.poll() is None]
        if not alive:
            return
        try:
            family = psutil.Process(draw.choice(alive).pid).children(recursive=True)
            if family:
                os.kill(draw.choice(family).pid, signal.SIGKILL)
        except (psutil.NoSuchProcess, ProcessLookupError):
            return

    def restart_server(self, draw: random.Random) -> None:
        assert self.server is not None
        self.server.restart(draw.choice(["fast", "immediate"]))

    def stop_engine(self, draw: random.Random, seconds: float) -> None:
        """Stop one for longer than its lease, and let it go on."""
        alive = [engine for engine in self.engines if engine.poll() is None]
        if not alive:
            return
        stopped = draw.choice(alive)
        os.kill(stopped.pid, signal.SIGSTOP)
        time.sleep(seconds)  # what is tried is that this time passes
        os.kill(stopped.pid, signal.SIGCONT)


def trial(root: Path, seed: int, expected: dict[str, str], server: Postgres | None) -> None:
    """Disturb a run at random instants; then check every promise."""
    draw = random.Random(seed)
    made = Trial(root, server)
    try:
        made.begin()
        if draw.random() < 0.8:
            made.wait_until_it_runs()
        kinds = [made.kill_engine, made.kill_engine, made.kill_worker]
        if server is not None:
            kinds += [made.restart_server] * 2
        for number in range(draw.randint(2, 4)):
            time.sleep(draw.uniform(0.0, 0.5))  # the instant is what the trial draws
            first = made.restart_server if server is not None else made.kill_engine
            (draw.choice(kinds) if number else first)(draw)
        made.finish()
        check(root, expected, made.story)
    finally:
        for engine in made.engines:
            if engine.poll() is None:
                engine.kill()
                engine.communicate()
