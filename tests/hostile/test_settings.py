"""Settings files that nobody should write: each gets one message that names the place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring import settings
from mainspring.records.errors import ProjectError

GOOD = '[project]\nname = "demo"\n'


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "{a=" * 3_000 + "1" + "}" * 3_000, "nested too deeply"),
        ("a = " + "9" * 5_000, "too many digits"),
        (f"{GOOD}[execution]\nworkers = {10**10}", "execution.workers: must be at most"),
        (f"{GOOD}[execution]\nworkers = -1", "execution.workers: must be at least"),
        (f"{GOOD}[execution]\nseed = -1", "execution.seed"),
        (f"{GOOD}[execution]\nseed = {2**63}", "execution.seed"),
        (f"{GOOD}[execution]\nresources = {{ a = nan }}", "execution.resources.a"),
        (f"{GOOD}[execution]\nresources = {{ a = inf }}", "execution.resources.a"),
        (f"{GOOD}[execution]\nresources = {{ a = -1 }}", "execution.resources.a"),
        (f'{GOOD}[source]\nroots = [".."]', "source.roots"),
        (f'{GOOD}[source]\nroots = ["/etc"]', "source.roots"),
        (f'{GOOD}[source]\nroots = ["a/../../b"]', "source.roots"),
        (f'{GOOD}[source]\nroots = ["\\u0000"]', "source.roots"),
        ("#" * 2_000_000, "more than 1,000,000 bytes"),
        (f"{GOOD}\0", "not valid TOML"),
    ],
    ids=lambda value: value[:30].encode("unicode_escape").decode(),
)
def test_one_message(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / settings.FILE).write_text(text)
    with pytest.raises(ProjectError) as caught:
        settings.load(tmp_path)
    assert part in str(caught.value)
    assert settings.FILE in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_mark_at_the_beginning_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / settings.FILE).write_text(GOOD, "utf-8-sig")
    assert settings.load(tmp_path).project.name == "demo"


@pytest.mark.parametrize("other", ["utf-16", "utf-32"])
def test_another_encoding(tmp_path: Path, other: str) -> None:
    (tmp_path / settings.FILE).write_text(GOOD, other)
    with pytest.raises(ProjectError, match=r"UTF-8|not valid TOML"):
        settings.load(tmp_path)


@pytest.mark.parametrize("text", ["tool = 1", "[tool]\nmainspring = 1", "[[tool]]\na = 1"])
def test_a_pyproject_with_other_shapes(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectError):
        settings.load(settings.find_root(tmp_path))


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / settings.FILE).mkdir()
    os.mkfifo(tmp_path / "pyproject.toml")
    with pytest.raises(ProjectError):
        settings.find_root(tmp_path)
