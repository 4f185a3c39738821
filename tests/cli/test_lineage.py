from __future__ import annotations

from typing import Any

from tests.cli.conftest import Worked


def test_up_goes_through_reuse_to_what_computed_it(worked: Worked, valid: Any) -> None:
    found = valid(worked("lineage", f"{worked.reused}/total", "--up", "--json").json)
    (top,) = found["up"]
    assert (top["run"], top["task"], top["status"]) == (worked.reused, "total", "reused")
    assert top["source"] == f"{worked.computed}/total"
    assert [node["task"] for node in top["nodes"]] == ["double"]
    (numbers,) = top["nodes"][0]["nodes"]
    assert (numbers["run"], numbers["task"]) == (worked.computed, "prep/numbers")
    assert numbers["inputs"]["n"][1] == "3"
    assert found["down"] == []
    assert found["runs"][worked.computed]["parameters"] == {"n": 3}


def test_down_finds_all_runs(worked: Worked, valid: Any) -> None:
    digest = valid(worked("lineage", f"{worked.computed}/prep/numbers", "--json").json)["artifact"]
    found = valid(worked("lineage", digest[:19], "--down", "--json").json)
    assert found["artifact"] == digest
    assert {node["run"] for node in found["down"]} >= {worked.computed, worked.reused}
    assert {node["nodes"][0]["task"] for node in found["down"]} == {"double"}
    near = valid(worked("lineage", digest, "--depth", "0", "--json").json)
    assert near["cut"]
    assert all(node["nodes"] == [] for node in near["up"] + near["down"])


def test_the_page(worked: Worked) -> None:
    for name in ("total", "total.result", "total/result"):
        lines = worked("lineage", f"{worked.computed}/{name}").out.splitlines()
        assert lines[2] == "made by"
        assert f"✓ {worked.computed}/total" in lines[3]
        assert "used in" in lines
        assert "runs" in lines


def test_what_is_no_artifact(worked: Worked) -> None:
    for target, said in [
        ("nothing", "names no artifact"),
        ("blake3:" + "0" * 64, "no task has made an artifact"),
        ("0" * 12, "no task has made an artifact"),
        (f"{worked.computed}/none", "none"),
        (f"{worked.computed}/total.none", "none"),
        ("none/total", "there is no run 'none'"),
    ]:
        done = worked("lineage", target)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
