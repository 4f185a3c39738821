"""The text check finds what it is there for, and leaves alone what only looks like it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "check_text.py"

specification = importlib.util.spec_from_file_location("check_text", SCRIPT)
assert specification is not None
assert specification.loader is not None
check_text = importlib.util.module_from_spec(specification)
specification.loader.exec_module(check_text)


def check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("parts", check_text.HOSTS)
def test_finds_hosts(tmp_path: Path, parts: tuple[str, ...]) -> None:
    page = tmp_path / "page.md"
    page.write_text("fine\nsee https://files." + ".".join(parts).upper() + "/x\n")
    result = check(page)
    assert result.returncode == 1
    assert result.stdout.startswith(f"{page}:2: ")


@pytest.mark.parametrize("home", [*check_text.HOMES, "root"])
def test_finds_home_directories(tmp_path: Path, home: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f'cache = "/{home}/ada/.cache"\n')
    assert check(page).returncode == 1


def test_finds_the_place_of_the_checkout(tmp_path: Path) -> None:
    root = tmp_path / "some" / "checkout"
    root.mkdir(parents=True)
    page = root / "page.md"
    page.write_text(f"-e {root}\n")
    assert list(check_text.faults(page, check_text.patterns(root))) != []


def test_leaves_the_rest_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "https://example.org/home/page ~/home/x crates.iota\napp/home/index src/root/x\n"
    )
    result = check(page)
    assert (result.returncode, result.stdout) == (0, "")


def test_does_not_stumble_over_binary_files(tmp_path: Path) -> None:
    page = tmp_path / "image.png"
    page.write_bytes(bytes(range(256)))
    assert check(page).returncode == 0


@pytest.mark.system("git")
def test_lists_tracked_and_new_files_but_not_ignored_ones(tmp_path: Path) -> None:
    for name in ("tracked", "new", "ignored"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".gitignore").write_text("ignored\n")
    for command in (["git", "init", "-q"], ["git", "add", "tracked"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    names = {path.name for path in check_text.repository_files(tmp_path)}
    assert names == {"tracked", "new", ".gitignore"}
