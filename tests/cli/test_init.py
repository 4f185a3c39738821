from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import call


def test_what_it_makes_runs_at_once(tmp_path: Path) -> None:
    done = call(tmp_path, "init", "new")
    assert (done.code, done.err) == (0, "")
    assert "mainspring -C new run" in done.out
    assert (tmp_path / "new" / ".gitignore").read_text() == ".mainspring/\n"
    root = tmp_path / "new"
    assert call(root, "run", "--json").json["counts"] == {"succeeded": 12}
    assert call(root, "run", "--json").json["counts"] == {"succeeded": 1, "reused": 11}


def test_twice_is_refused(tmp_path: Path) -> None:
    call(tmp_path, "init")
    (tmp_path / "pipeline.py").write_text("mine")
    done = call(tmp_path, "init")
    assert (done.code, "exists already" in done.err) == (2, True)
    assert (tmp_path / "pipeline.py").read_text() == "mine"
