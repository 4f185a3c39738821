"""Datasets and models in runs: one resolution for plan and run, on record from then on."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from tests.app.flows import pipeline, plan, recorded, run, states, step, write
from tests.app.sources import add_data, add_model, table

from mainspring.app.data.adding import Wanted, add_path
from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.app.rerun import rerun
from mainspring.app.running import create_run, drive, reopen
from mainspring.app.why import explain
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import BlobError, DefinitionError, NotFoundError
from mainspring.records.models import ModelVersion
from mainspring.records.spec import CommandNode, GroupNode, Parameter, PipelineSpec, RepeatNode
from mainspring.storage.serializers import registry

FLOW = """
    from pathlib import Path
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from mainspring import step

    @step
    def lines(raw: Path) -> int:
        files = [raw] if raw.is_file() else [f for f in raw.rglob("*") if f.is_file()]
        return sum(len(f.read_text().splitlines()) for f in files)

    @step
    def many(parts: dict, again: list) -> list[int]:
        return [len(parts["a"].read_text()), len(again[0].read_text()), again[1]]

    @step
    def adds(a: pd.DataFrame, b: pl.DataFrame | None, c: pa.Table) -> list[str]:
        return [f"{type(x).__module__.split('.')[0]} {x['x'].sum() if hasattr(x['x'], 'sum') else sum(x['x'].to_pylist())}" for x in (a, b, c)]

    @step
    def grow(raw: Path, n: int) -> int:
        return n + len(raw.read_text())
"""  # noqa: E501
PATH = {"raw": "pathlib.Path"}


@pytest.fixture
def project(tmp_path: Path) -> Any:
    root = tmp_path / "project"
    write(root, '[project]\nname = "demo"\n', "mainspring.toml")
    write(root, FLOW)
    opened = Project(root)
    yield opened
    opened.close()


def one(binding: str = "${{ datasets.digits }}", **more: Any) -> PipelineSpec:
    made = step("lines", {"raw": binding}, inputs=PATH, where="flow.py:9", **more)
    return pipeline(made, outputs={"result": "${{ steps.lines }}"})


def planned(project: Project, spec: PipelineSpec, **wanted: str) -> Planned:
    _, snapshot = project.snapshot([""])
    versions = {f"datasets.{name}": version for name, version in wanted.items()}
    return make_plan(project, spec, snapshot, {}, wanted=versions)


def value(project: Project, record: Any, path: str = "lines") -> Any:
    task = project.store.read.find_task(record.id, path)
    return registry.load(project.store.read.outputs(task.id)["result"], project.blobs)


def test_a_dataset_is_read_and_on_record(project: Project, tmp_path: Path) -> None:
    version = add_data(project, "digits", table(tmp_path / "d" / "a.csv", 1, 2), rows=2)
    record = run(project, one())
    assert value(project, record) == 3
    source = record.sources["datasets.digits"]
    assert (source.title, source.digest, source.ref, source.rows) == (
        "digits@v1", version.digest, version.ref, 2,
    )  # fmt: skip
    assert run(project, one()).sources == record.sources


def test_a_new_version_runs_again_and_says_why(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    for name in "abc":
        table(folder / name, 1)
    add_data(project, "digits", folder)
    first = run(project, one())
    table(folder / "a", 1, 2)
    table(folder / "b", 1, 2)
    table(folder / "d", 1)
    (folder / "c").unlink()
    add_data(project, "digits", folder)
    said = "data digits v1 → v2 (2 files changed, 1 file added, 1 file removed)"
    assert plan(project, one()).plan.tasks[0].reason == said
    second = run(project, one())
    assert (value(project, first), value(project, second)) == (6, 8)
    assert explain(project, second, "lines").differences == [said]
    # The version before is asked for: its result is there.
    assert planned(project, one(), digits="v1").plan.tasks[0].choice == "reuse"
    assert planned(project, one("${{ datasets['digits@v1'] }}")).plan.tasks[0].choice == "reuse"


def test_the_same_content_under_another_name_is_reused(project: Project, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", 1, 2)
    add_data(project, "digits", path)
    run(project, one())
    add_data(project, "numbers", path)
    add_data(project, "digits", path)
    assert states(project, run(project, one("${{ datasets.numbers }}"))) == {"lines": "reused"}
    assert states(project, run(project, one())) == {"lines": "reused"}


def test_a_plan_stands_when_a_version_is_added_before_the_run(
    project: Project, tmp_path: Path
) -> None:
    add_data(project, "digits", table(tmp_path / "a.csv", 1))
    made = plan(project, one())
    add_data(project, "digits", table(tmp_path / "b.csv", 1, 2, 3))
    record = create_run(project, made)
    assert record.sources["datasets.digits"].version == "v1"
    # Whoever works on it later, in another process or on another machine, reads the record.
    other = Project(project.root)
    drive(other, [record.id])
    assert value(other, record) == 2
    other.close()


def test_resume_and_rerun_keep_the_versions(project: Project, tmp_path: Path) -> None:
    add_data(project, "digits", table(tmp_path / "a.csv", 1))
    write(
        project.root,
        FLOW.replace("return sum", "assert Path('/nope').exists()\n        return sum"),
    )
    failed = run(project, one())
    assert failed.status == "failed"
    add_data(project, "digits", table(tmp_path / "b.csv", 1, 2, 3))
    reopen(project, failed)
    drive(project, [failed.id])
    assert project.store.read.run(failed.id).sources == failed.sources
    write(project.root, FLOW)
    done = recorded(project, one())
    drive(project, [done.id])
    add_data(project, "digits", table(tmp_path / "c.csv", 1))
    again = rerun(project, done)
    assert again.plan.sources == done.sources
    assert again.plan.sources["datasets.digits"].version == "v2"
    newer = rerun(project, done, wanted={"datasets.digits": "v3"})
    assert newer.plan.sources["datasets.digits"].version == "v3"
    assert newer.plan.tasks[0].reason.startswith("data digits v2 → v3")


def test_inside_of_values_groups_and_repeats(project: Project, tmp_path: Path) -> None:
    add_data(project, "a", table(tmp_path / "a.csv", 1))
    add_data(project, "b", table(tmp_path / "b.csv", 1, 2))
    add_model(project, "bert", table(tmp_path / "m.bin", 1, 2, 3), alias="prod")
    inner = pipeline(
        step("lines", {"raw": "${{ parameters.raw }}"}, inputs=PATH), name="inner",
        parameters={"raw": Parameter(type="pathlib.Path")},
        outputs={"result": "${{ steps.lines }}"},
    )  # fmt: skip
    rounds = pipeline(
        step("grow", {"raw": "${{ parameters.raw }}", "n": "${{ parameters.n }}"}, inputs=PATH),
        name="rounds", parameters={"raw": Parameter(), "n": Parameter(type="int")},
        outputs={"n": "${{ steps.grow }}", "raw": "${{ parameters.raw }}"},
    )  # fmt: skip
    spec = pipeline(
        step("many", {
            "parts": "${{ {'a': datasets.a} }}", "again": "${{ [models['bert@prod'], 7] }}",
        }),
        GroupNode(name="g", pipeline=inner, bindings={"raw": "${{ datasets.b }}"}),
        RepeatNode(
            name="r", pipeline=rounds, bindings={"raw": "${{ datasets.a }}", "n": 0},
            until="outputs.n > 6", max=3, carry={"n": "n", "raw": "raw"},
        ),
    )  # fmt: skip
    record = run(project, spec)
    assert record.status == "succeeded"
    assert list(record.sources) == ["datasets.a", "models.bert@prod", "datasets.b"]
    assert record.sources["models.bert@prod"].alias == "prod"
    assert value(project, record, "many") == [4, 8, 7]
    assert value(project, record, "g/lines") == 3
    assert value(project, record, "r#2/grow") == 8


def test_a_command_gets_a_path(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    table(folder / "sub" / "a.csv", 1, 2)
    add_data(project, "digits", folder)
    node = CommandNode(
        name="count", command="sh -c 'wc -l < {inputs.data}/sub/a.csv > {outputs.n}'",
        inputs={"data": "pathlib.Path"}, outputs={"n": "n.txt"},
        bindings={"data": "${{ datasets.digits }}"},
    )  # fmt: skip
    record = run(project, pipeline(node))
    task = project.store.read.find_task(record.id, "count")
    made = registry.lay_out(
        project.store.read.outputs(task.id)["n"], project.blobs, tmp_path / "out"
    )
    assert made.read_text().strip() == "3"


ADDS = {
    "a": "pandas.DataFrame",
    "b": "polars.dataframe.frame.DataFrame | None",
    "c": "pyarrow.lib.Table",
}


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "arrow", "feather"])
@pytest.mark.parametrize("folder", [False, True])
def test_tables(project: Project, tmp_path: Path, suffix: str, folder: bool) -> None:
    import polars

    path = tmp_path / "d" / f"x.{suffix}"
    path.parent.mkdir()
    frame = polars.DataFrame({"x": [1, 2, 4]})
    writers = {
        "csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson,
        "arrow": frame.write_ipc_stream, "feather": frame.write_ipc,
    }  # fmt: skip
    writers[suffix](path)
    add_data(project, "digits", path.parent if folder else path)
    spec = pipeline(step("adds", dict.fromkeys("abc", "${{ datasets.digits }}"), inputs=ADDS))
    assert value(project, run(project, spec), "adds") == ["pandas 7", "polars 7", "pyarrow 7"]


@pytest.mark.parametrize("name", ["notes.txt", ""])
def test_what_is_no_table_is_refused_before_anything_runs(
    project: Project, tmp_path: Path, name: str
) -> None:
    table(tmp_path / "d" / "notes.txt", 1)
    if not name:
        table(tmp_path / "d" / "b.csv", 1)
    add_data(project, "digits", tmp_path / "d" / name)
    spec = pipeline(
        step(
            "adds", dict.fromkeys("abc", "${{ datasets.digits }}"), inputs=ADDS, where="flow.py:20"
        )
    )
    what = "is the file notes.txt" if name else "is 2 files"
    with pytest.raises(
        DefinitionError, match=f"input `a` of step `adds` is pandas.*{what}"
    ) as caught:
        plan(project, spec)
    assert caught.value.where == "flow.py:20"
    assert ".parquet" in str(caught.value.hint)


def test_a_repeat_s_body_is_checked_too(project: Project, tmp_path: Path) -> None:
    add_data(project, "digits", table(tmp_path / "notes.txt", 1))
    body = pipeline(
        step("adds", {"a": "${{ parameters.t }}"}, inputs=ADDS), parameters={"t": Parameter()},
        outputs={"n": "${{ steps.adds }}"}, name="body",
    )  # fmt: skip
    spec = pipeline(
        RepeatNode(
            name="r", pipeline=body, bindings={"t": "${{ datasets.digits }}"},
            until="outputs.n > 1", max=2,
        )
    )  # fmt: skip
    with pytest.raises(DefinitionError, match="input `a` of step `r#1/adds`"):
        plan(project, spec)


def test_what_is_not_there(project: Project, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no dataset 'digits'") as caught:
        plan(project, one())
    assert caught.value.where == "flow.py:9"
    assert caught.value.hint == "`mainspring data add digits PATH` makes a version"
    add_data(project, "digits", table(tmp_path / "a.csv", 1))
    with pytest.raises(NotFoundError, match="there is no dataset 'digit'") as caught:
        plan(project, one("${{ datasets.digit }}"))
    assert "data add digit PATH" in str(caught.value.hint)
    with pytest.raises(NotFoundError, match="has no version 'v7'") as caught:
        plan(project, one("${{ datasets['digits@v7'] }}"))
    assert caught.value.hint == "it has v1"
    with pytest.raises(NotFoundError, match="there is no model 'bert'") as caught:
        plan(project, one("${{ models.bert }}"))
    assert "models import bert PATH" in str(caught.value.hint)
    assert project.store.read.extent() >= 1


def test_versions_asked_for_beside_the_pipeline(project: Project, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        add_data(project, "digits", table(tmp_path / f"{number}.csv", *range(number)))
    assert planned(project, one(), digits="v2").plan.sources["datasets.digits"].version == "v2"
    with pytest.raises(NotFoundError, match="no version 'v9'"):
        planned(project, one(), digits="v9")
    with pytest.raises(DefinitionError, match="p uses no dataset 'other'") as caught:
        planned(project, one(), other="v1")
    assert caught.value.hint == "it uses digits"
    with pytest.raises(DefinitionError, match="itself says which version of 'digits'") as caught:
        planned(project, one("${{ datasets['digits@v1'] }}"), digits="v2")
    assert caught.value.where == "flow.py:9"


@pytest.mark.parametrize("part", ["manifest", "file"])
def test_content_that_is_gone_is_refused_by_name(
    project: Project, tmp_path: Path, part: str
) -> None:
    version = add_data(project, "digits", table(tmp_path / "a.csv", 1))
    record = run(project, one())
    [inside] = registry.references(version.ref, project.blobs)
    project.blobs.delete(version.ref.digest if part == "manifest" else inside)
    for again in (lambda: plan(project, one()), lambda: rerun(project, record)):
        with pytest.raises(BlobError, match="dataset digits@v1 can't be used") as caught:
            again()
        assert "data add digits" in str(caught.value.hint)


def test_a_model_in_a_format_of_its_own(project: Project) -> None:
    ref = registry.dump([1, 2], list[int], project.blobs)
    with project.store.write() as tx:
        tx.add_model_version(
            ModelVersion(model="m", digest=ref.digest, ref=ref, created=1.0, files=1, size=3)
        )
    assert isinstance(ref, ArtifactRef)
    fine = step("many", {"parts": {}, "again": "${{ models.m }}"}, inputs={"again": "list"})
    assert plan(project, pipeline(fine)).plan.sources["models.m"].ref == ref
    wrong = step("adds", {"a": "${{ models.m }}"}, inputs=ADDS)
    assert importlib.import_module("pandas")  # a class that is not loaded is not judged
    with pytest.raises(DefinitionError, match="input `a` of step `adds` is pandas") as caught:
        plan(project, pipeline(wrong))
    assert "model m@v1 holds a list" in caught.value.what


def test_data_that_stays_where_it_is(project: Project, tmp_path: Path) -> None:
    path = table(tmp_path / "there" / "x.csv", 1, 2)
    add_path(project, Wanted(name="digits", keep="reference"), path)
    spec = pipeline(
        step("lines", {"raw": "${{ datasets.digits }}"}, inputs=PATH),
        step("adds", dict.fromkeys("abc", "${{ datasets.digits }}"), inputs=ADDS),
    )
    record = run(project, spec)
    assert value(project, record) == 3
    assert value(project, record, "adds") == ["pandas 3", "polars 3", "pyarrow 3"]
    table(path, 1, 2, 3)
    for again in (lambda: plan(project, spec), lambda: rerun(project, record)):
        with pytest.raises(BlobError, match=r"digits@v1 can't be used.*has changed"):
            again()
    add_path(project, Wanted(name="digits", keep="reference"), path)
    assert value(project, run(project, spec)) == 4
