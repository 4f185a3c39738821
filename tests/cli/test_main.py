from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.cli.conftest import Worked, call, environment

import mainspring

ROOT = Path(__file__).parents[2]
HEAVY = {"click", "msgspec", "rich", "asyncio", "sqlite3", "importlib.metadata", "inspect", "yaml"}


def modules_after(*arguments: str) -> set[str]:
    script = (
        "import sys\nfrom mainspring.cli.main import run\n"
        f"run({list(arguments)!r})\nprint(*sys.modules, sep=chr(10), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_version_is_the_packages() -> None:
    done = call(ROOT, "--version")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("version")
    assert done == (0, f"mainspring {mainspring.__version__}\n", "")
    assert declared in (None, mainspring.__version__)


def test_help_and_version_import_nothing_heavy() -> None:
    assert not HEAVY & modules_after("--help")
    assert not HEAVY & modules_after("--version")


def test_no_arguments_is_help() -> None:
    assert call(ROOT).out == call(ROOT, "--help").out == call(ROOT, "-h").out


def test_help_by_way_of_other_options_is_the_same() -> None:
    assert call(ROOT, "--no-color", "--help").out == call(ROOT, "--help").out
    assert call(ROOT, "--no-color", "--version").out == call(ROOT, "--version").out


def test_reader_that_goes_away_is_no_error(worked: Worked) -> None:
    command = f"{sys.executable} -m mainspring show --json | head -c 1"
    done = subprocess.run(
        command, shell=True, cwd=worked.root, env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("{", "")
