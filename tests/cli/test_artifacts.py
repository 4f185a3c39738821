from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Worked, call


@pytest.fixture
def get(worked: Worked, tmp_path: Path) -> Any:
    def run(*arguments: str) -> Any:
        return call(tmp_path, "artifacts", "get", *arguments, "-C", str(worked.root))

    return run


def test_list(worked: Worked, valid: Any) -> None:
    found = valid(worked("artifacts", "list", worked.computed, "--json").json)["artifacts"]
    assert [f"{a['task']}.{a['output']}" for a in found] == [
        "prep/numbers.result", "double.result", "total.result",
    ]  # fmt: skip
    assert worked("artifacts", "list", worked.computed, "total").out.startswith("total.result  int")


def test_get_to_a_file_and_never_over_one(get: Any, worked: Worked, tmp_path: Path) -> None:
    assert get(worked.computed, "total").out == "total.json\n"
    assert json.loads((tmp_path / "total.json").read_text()) == 6
    (tmp_path / "total.json").write_text("mine")
    done = get(worked.computed, "total.result")
    assert (done.code, "--force" in done.err) == (2, True)
    assert (tmp_path / "total.json").read_text() == "mine"
    assert get(worked.computed, "total", "--force").code == 0
    assert (tmp_path / "total.json").read_text() == "6"
    assert list(tmp_path.iterdir()) == [tmp_path / "total.json"]


def test_get_to_standard_output(get: Any, worked: Worked) -> None:
    assert get(worked.computed, "total", "-o", "-").out == "6"


def test_get_a_list_as_files(get: Any, worked: Worked, tmp_path: Path) -> None:
    assert get(worked.computed, "double", "-o", "doubled").code == 0
    texts = {path.name: path.read_text() for path in (tmp_path / "doubled").iterdir()}
    assert texts == {"0.json": "0", "1.json": "2", "2.json": "4"}


def test_open(worked: Worked, valid: Any) -> None:
    assert worked("artifacts", "open", worked.computed, "total").out == "6\n"
    found = valid(worked("artifacts", "open", worked.computed, "double[1]", "--json").json)
    assert found["preview"] == "2"


def test_what_is_not_there(get: Any, worked: Worked) -> None:
    assert "has no output 'nope'" in get(worked.computed, "total.nope").err
    assert "has no artifacts" in get(worked.failed, "total").err
    assert "no directory" in get(worked.computed, "total", "-o", "no/where").err
