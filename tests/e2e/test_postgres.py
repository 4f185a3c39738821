"""A project whose records are in PostgreSQL works as any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.place import Place, polite
from tests.services.postgres import Postgres

pytestmark = pytest.mark.system("postgres")

FLOW = """
    @step
    def numbers(n: int) -> list[int]:
        return list(range(n))

    @step
    def square(x: int) -> int:
        return x * x

    @step
    def total(xs: list[int]) -> int:
        log(total=sum(xs))
        if os.path.exists("fail"):
            raise ValueError("told to fail")
        return sum(xs)

    @pipeline
    def main(n: int = 5):
        whole = total(square.map(numbers(n)))
        checkpoint("plausible", whole >= 0, kind="data")
        return whole
"""


def test_the_usual_day(tmp_path: Path, postgres: Postgres) -> None:
    on_disk, on_server = Place(tmp_path / "one"), Place(tmp_path / "two")
    on_server.env["MAINSPRING_STORE"] = postgres.new_database()
    for place in (on_disk, on_server):
        place.flow(FLOW)
        place.run()
    assert on_server.show().digests == on_disk.show().digests
    assert on_server.counts() == on_disk.counts()
    assert not (on_server.home / "store.db").exists()
    assert "same code, inputs and parameters" in on_server("why", "latest", "total").out
    assert on_server("store", "check").code == 0
    assert on_server("doctor", "--json").json["status"] != "fail"
    assert on_server("gc", "--json").code == 0
    assert len(on_server("runs", "--json").json["runs"]) == 2


def test_finding_runs_and_where_a_result_comes_from(tmp_path: Path, postgres: Postgres) -> None:
    place = Place(tmp_path / "one")
    place.env["MAINSPRING_STORE"] = postgres.new_database()
    place.flow(FLOW)
    place.run()
    place.run()
    found = place("runs", "--where", "metrics.total == 30 and params.n < 6", "--json").json["runs"]
    assert [run["metrics"]["total"] for run in found] == [30.0, 30.0]
    assert "did you mean `metrics.total`?" in place("runs", "--where", "metrics.totl == 30").err
    made = place("lineage", f"{found[0]['id']}/total", "--json").json
    (total,) = made["up"]
    assert (total["status"], total["source"]) == ("reused", f"{found[1]['id']}/total")
    (square,) = total["nodes"]
    assert [node["task"] for node in square["nodes"]] == ["numbers"]
    assert {node["run"] for node in made["down"]} == {run["id"] for run in found}


def test_a_failed_run_goes_on(tmp_path: Path, postgres: Postgres) -> None:
    place = Place(tmp_path / "one")
    place.env["MAINSPRING_STORE"] = postgres.new_database()
    place.flow(FLOW)
    place.write("fail", "")
    place.run(code=1)
    assert place.show().statuses["total"] == "failed"
    (place.root / "fail").unlink()
    assert place("resume", "latest").code == 1  # the snapshot has the file
    assert place("rerun", "latest").code == 1
    place.run()


def test_a_wrong_address(tmp_path: Path) -> None:
    place = Place(tmp_path / "one")
    place.flow(FLOW)
    place.env["MAINSPRING_STORE"] = "postgresql://ann:hush@127.0.0.1:1/db"
    done = place("runs")
    polite(done, 2, "the store is not there", "postgresql://ann@127.0.0.1:1/db")
    assert "hush" not in done.err
    place.env["MAINSPRING_STORE"] = "mysql://host/db"
    polite(place("runs"), 2, "unknown kind of store")
