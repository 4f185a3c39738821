"""What all tests share: a project, hypothesis's profiles, the list of what was left out."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from tests.services import ceph as cephs
from tests.services import s3 as s3s
from tests.services.podman import Podman
from tests.services.podman import running as podman_running
from tests.services.postgres import Postgres, available, running

settings.register_profile("local", deadline=None)
# In CI a failure has to come back on the next try, and nothing is kept between two checkouts.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def _can_mount_tmpfs() -> bool:
    """Whether a small file system of one's own can be had (root, in a private mount namespace)."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _has_r_package(name: str) -> bool:
    """Whether R is there, and has a package."""
    if shutil.which("Rscript") is None:
        return False
    command = ["Rscript", "-e", f'invisible(packageVersion("{name}"))']
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


# Parts of a machine that are more than a program on PATH.
_PROBES: dict[str, Callable[[], bool]] = {
    "tmpfs": _can_mount_tmpfs,
    "postgres": available,
    "torch": lambda: importlib.util.find_spec("torch") is not None,
    "sqlalchemy": lambda: importlib.util.find_spec("sqlalchemy") is not None,
    "ceph": cephs.available,
    "jsonlite": lambda: _has_r_package("jsonlite"),
}


@cache
def _has(part: str) -> bool:
    probe = _PROBES.get(part)
    return probe() if probe else shutil.which(part) is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("system"):
        for part in mark.args:
            if not _has(part):
                pytest.skip(f"needs {part}: make setup-system")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every test that did not run, and why: a skip that nobody sees is a hole."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section("left out")
    for report in skipped:
        # A skip travels as (file, line, "Skipped: why").
        where = report.longrepr
        why = where[2].removeprefix("Skipped: ") if isinstance(where, tuple) else str(where)
        terminalreporter.write_line(f"left out: {report.nodeid} ({why})")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory that is a project named `demo`, with nothing in it yet."""
    root = tmp_path / "demo"
    root.mkdir()
    (root / "mainspring.toml").write_text('[project]\nname = "demo"\n', encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of this process; each takes a database of its own."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def ceph() -> Iterator[cephs.Ceph]:
    """A Ceph gateway for all tests of this process; each takes a bucket of its own."""
    with cephs.running() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """The variables of a light S3 server for all tests of this process."""
    with s3s.running() as variables:
        yield variables


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """A podman of this process's own, with a small image `shell`."""
    with podman_running() as engine:
        yield engine


@pytest.fixture(scope="session")
def python_image(podman: Podman) -> str:
    """An image with this interpreter, and what steps of the tests import."""
    packages = ("blake3", "msgspec", "numpy", "threadpoolctl", "scikit-learn", "skops")
    podman.build_python("python:1", packages)
    return "python:1"
