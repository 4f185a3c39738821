"""Engines that know of each other by leases on a server: stopped, out of reach, and late.

The records are in one file that all can reach, so that what is tried here is the leases alone:
homes are made to share it (and the blobs) by links.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.e2e.place import Place, alive, environment, finish, until
from tests.services.postgres import Postgres

from mainspring.app.project import Project
from mainspring.records.runs import Attempt

pytestmark = [pytest.mark.system("postgres"), pytest.mark.timeout(120)]

ENGINE = """
import sys
from pathlib import Path

from mainspring.app.engine import serve
from mainspring.app.project import Project
from mainspring.storage.postgres_leases import PostgresLeases

project = Project(Path.cwd())
project.leases = PostgresLeases(sys.argv[1], project.home / "engines", ttl=1.0)
serve(project, until_idle=True)
project.close()
"""

FLOW = """
@step
def slow(mark: str, go: str) -> str:
    with open(mark, "a") as file:
        file.write(context().attempt + " ")
    while context().attempt.endswith(".1") and not Path(go).exists():
        time.sleep(0.01)
    return context().attempt.rpartition(".")[2]

@step
def after(x: str) -> str:
    return "after " + x

@pipeline
def main(mark: str, go: str):
    return after(slow(mark, go))
"""


class Site:
    """A project, and homes that share one store and its blobs."""

    def __init__(self, root: Path, url: str) -> None:
        self.place = Place(root / "project", "flow:main", more="[execution]\nworkers = 1\n")
        self.place.flow(FLOW)
        self.root = root
        self.url = url
        self.mark, self.go = root / "mark", root / "go"
        self.engines: list[subprocess.Popen[str]] = []
        shared = self._home("shared", link=False)
        self.place.env["MAINSPRING_HOME"] = str(shared)
        done = self.place("run", "--queue", "-p", f"mark={self.mark}", "-p", f"go={self.go}")
        assert done.code == 0, done

    def _home(self, name: str, *, link: bool = True) -> Path:
        home = self.root / name
        home.mkdir()
        if link:
            for shared in ("store.db", "blobs"):
                (home / shared).symlink_to(self.root / "shared" / shared)
        return home

    def engine(self, home: str) -> subprocess.Popen[str]:
        if not (self.root / home).exists():
            self._home(home)
        started = subprocess.Popen(
            [sys.executable, "-c", ENGINE, self.url],
            cwd=self.place.root, text=True, start_new_session=True,
            env=environment({"MAINSPRING_HOME": str(self.root / home)}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.engines.append(started)
        return started

    def has_begun(self) -> bool:
        return self.mark.exists() and self.mark.read_text() != ""

    def attempts(self) -> list[Attempt]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MAINSPRING_HOME", str(self.root / "shared"))
            project = Project(self.place.root)
        try:
            read = project.store.read
            tasks = read.tasks(read.find_run("latest").id)
            return [attempt for task in tasks for attempt in read.attempts(task.id)]
        finally:
            project.close()

    @property
    def statuses(self) -> list[str]:
        return [attempt.status.value for attempt in self.attempts()]

    def end(self) -> None:
        self.go.touch()
        for engine in self.engines:
            family = (
                psutil.Process(engine.pid).children(recursive=True) if alive(engine.pid) else []
            )
            engine.kill()
            engine.communicate()
            for process in family:
                if process.is_running():
                    process.kill()


@pytest.fixture
def site(tmp_path: Path, postgres: Postgres) -> Iterator[Site]:
    made = Site(tmp_path, postgres.new_database())
    yield made
    made.end()


def test_a_killed_engine_out_of_reach(site: Site) -> None:
    """Its lease ends, its task is lost and tried again; what its worker makes then is not asked."""
    first = site.engine("one")
    until(site.has_begun)
    workers = psutil.Process(first.pid).children(recursive=True)
    (site.root / "one").rename(site.root / "out-of-reach")
    first.kill()
    done = finish(site.engine("two"))
    assert done.code == 0, done
    assert site.statuses == ["lost", "succeeded", "succeeded"]
    site.go.touch()
    psutil.wait_procs(workers, timeout=20)
    assert site.statuses == ["lost", "succeeded", "succeeded"]


@pytest.mark.parametrize("home", ["one", "two"])
def test_stopped_for_longer_than_its_lease(site: Site, home: str) -> None:
    """Another engine takes over: in the same home it watches the worker to its end, from another
    it has the task run again. The one that was stopped goes on, and ends in peace."""
    first = site.engine("one")
    until(site.has_begun)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        second = site.engine(home)
        if home == "one":
            until(lambda: site.attempts()[0].epoch == 2)
            site.go.touch()
        assert finish(second).code == 0
    finally:
        os.kill(first.pid, signal.SIGCONT)
    site.go.touch()
    done = finish(first)
    assert (done.code, done.err) == (0, "")
    lost = [] if home == "one" else ["lost"]
    assert site.statuses == [*lost, "succeeded", "succeeded"]


def test_a_killed_engine_in_reach_is_not_waited_for(site: Site) -> None:
    first = site.engine("one")
    until(site.has_begun)
    first.kill()
    second = site.engine("two")
    until(lambda: site.attempts()[0].epoch == 2)
    site.go.touch()
    assert finish(second).code == 0
    # The worker is in the other home: seen from here it is lost, whatever it has made.
    assert site.statuses == ["lost", "succeeded", "succeeded"]
