"""`mainspring models`, and datasets and models in `plan`, `run`, `show` and `diff`."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli

STEPS = """
from pathlib import Path
from mainspring import Dataset, Model, pipeline, step

@step
def size(model: Path, data: Path) -> int:
    return len(model.read_text()) + len(data.read_text())

@pipeline
def main():
    return size(Model("m"), Dataset("d"))
"""


def test_import_list_show_alias(cli: Cli, flow: Path, valid: Any) -> None:
    assert "there are no models yet" in cli("models", "list").out
    (flow / "m.txt").write_text("one")
    found = valid(cli("models", "import", "m", "m.txt", "--alias", "prod", "--json").json)
    assert (found["new"], found["model"]["version"], found["model"]["origin"]) == (
        True, "v1", "m.txt",
    )  # fmt: skip
    again = cli("models", "import", "m", "m.txt")
    assert again.out.startswith("m@v1 has this content already: no new version\n")
    (flow / "m.txt").write_text("three")
    assert cli("models", "import", "m", "m.txt", "--licence", "MIT").code == 0
    assert cli("models", "alias", "m@v2", "prod").out == "prod → v2  (before: v1)\n"
    assert cli("models", "alias", "m@v2", "prod").out == "prod → v2  (as before)\n"
    shown = valid(cli("models", "show", "m", "--json").json)
    assert [one["version"] for one in shown["versions"]] == ["v2", "v1"]
    assert [move["number"] for move in shown["moves"]] == [1, 2]
    assert valid(cli("models", "list", "--json").json)["counts"] == {"m": 2}
    assert "MIT" in cli("models", "show", "m@prod").out


def test_what_is_refused(cli: Cli, flow: Path) -> None:
    (flow / "m.onnx").write_bytes(pickle.dumps([1]))
    refused = cli("models", "import", "m", "m.onnx")
    assert refused.code == 2
    assert "error: 'm.onnx' is refused: it is a pickle" in refused.err
    assert "Traceback" not in refused.err
    marked = cli("models", "import", "m", "m.onnx", "--allow-pickle")
    assert "yes: reading it may run code" in marked.out
    assert cli("models", "show", "nope").code == 2


def test_versions_in_plan_run_show_and_diff(cli: Cli, flow: Path, valid: Any) -> None:
    (flow / "sizes.py").write_text(STEPS)
    (flow / "m.txt").write_text("one")
    (flow / "d.txt").write_text("data")
    missing = cli("plan", "sizes:main")
    assert "sizes.py:11: there is no model 'm'" in missing.err
    assert "mainspring models import m PATH" in missing.err
    cli("models", "import", "m", "m.txt")
    assert "mainspring data add d PATH" in cli("plan", "sizes:main").err
    cli("data", "add", "d", "d.txt")
    first = cli("run", "sizes:main", "--json").json["run"]["id"]
    (flow / "d.txt").write_text("more data")
    cli("data", "add", "d", "d.txt")
    plan = valid(cli("plan", "sizes:main", "--json").json)
    assert plan["sources"]["datasets.d"]["version"] == "v2"
    assert plan["tasks"][0]["reason"] == "data d v1 → v2 (1 file changed)"
    assert "  d@v2, blake3:" in cli("plan", "sizes:main").out
    old = valid(cli("plan", "sizes:main", "--data", "d@v1", "--json").json)
    assert old["tasks"][0]["choice"] == "reuse"
    second = cli("run", "sizes:main", "--json").json["run"]["id"]
    assert "d@v2, blake3:" in cli("show", second).out
    assert "~  datasets.d  v1 → v2" in cli("diff", first, second).out
    again = valid(cli("rerun", first, "--json").json)["run"]["sources"]
    assert again["datasets.d"]["version"] == "v1"
    newer = cli("rerun", first, "--data", "d@2", "--json").json["run"]["sources"]
    assert newer["datasets.d"]["version"] == "v2"
    assert cli("plan", "sizes:main", "--model", "m").err.startswith("error: 'm' says no version")
    found = cli("runs", "--where", "data.d == v1", "--json").json["runs"]
    assert len(found) == 2
    for where in ("data.d == 'v2' and models.m == v1", "data.d in [v2, v9]"):
        page = cli("runs", "--where", where, "--order-by", "data.d").out.splitlines()
        assert len(page) == 3
        assert second in page[1] + page[2]
    assert page[0].split()[5] == "data.d"
    assert "v2" in page[1].split()
    assert cli("runs", "--where", "models.m == v1").out.splitlines()[1].split()[-1] == "v1"
