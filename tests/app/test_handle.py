from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from tests.app.flows import pipeline, recorded, run, step, write

from mainspring.app.handle import Run, _as_one
from mainspring.app.project import Project
from mainspring.records.errors import NotFoundError, RunFailedError
from mainspring.records.spec import CheckpointNode

FLOW = """
    from dataclasses import dataclass
    from mainspring import log, step

    @dataclass
    class Scores:
        accuracy: float
        label: str

    @step
    def scores(x: int) -> Scores:
        log(loss=9.0)
        log(loss=x / 2)
        return Scores(x / 2, "half")

    @step
    def double(x: int) -> int:
        return 2 * x

    @step
    def bad(x: int) -> int:
        raise ValueError("no good")
"""
SCORES = {"accuracy": "float", "label": "str"}
NAMED = step("scores", {"x": 3}, outputs=SCORES, bundle="flow:Scores")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("handle") / "demo"
    write(root, '[project]\nname = "demo"\n', "mainspring.toml")
    write(root, FLOW)
    project = Project(root)
    yield project
    project.close()


@pytest.fixture(scope="module")
def good(opened: Project) -> Run[object]:
    spec = pipeline(
        NAMED,
        step("double", {"x": [1, 2, 3]}, map=("x",)),
        step("never", {"x": 1}, uses="flow:double", when="steps.scores.accuracy > 99"),
        outputs={
            "accuracy": "${{ steps.scores.accuracy }}",
            "more": "${{ steps.scores.accuracy + 1 }}",
            "doubled": "${{ steps.double }}",
            "one": "${{ steps.double[1] }}",
            "skipped": "${{ steps.never }}",
            "constant": 5,
        },
    )
    return Run(opened, run(opened, spec).id)


def test_outputs_by_name(good: Run[object]) -> None:
    assert good.outputs == {
        "accuracy": 1.5, "more": 2.5, "doubled": [2, 4, 6], "one": 4, "skipped": None, "constant": 5
    }  # fmt: skip
    assert good.result == good.outputs


def test_tasks(good: Run[object]) -> None:
    assert (good["double"], good["double[2]"]) == ([2, 4, 6], 6)
    scores = good.task("scores")
    assert scores.value == SimpleNamespace(accuracy=1.5, label="half")
    assert scores.output("label") == "half"
    assert scores.artifacts["label"].format == "text"
    assert repr(scores) == "<task scores: succeeded>"
    assert repr(good) == f"<run {good.id}: succeeded>"
    with pytest.raises(NotFoundError) as caught:
        scores.output("result")
    assert caught.value.hint == "there is accuracy, label"
    with pytest.raises(NotFoundError):
        good.task("score")


def test_metrics_are_the_last_of_each(good: Run[object]) -> None:
    assert good.metrics == {"scores/loss": 1.5}


def test_an_element_says_more_than_its_map(opened: Project) -> None:
    spec = pipeline(step("bad", {"x": [1]}, map=("x",)), outputs={"result": "${{ steps.bad }}"})
    failed: Run[object] = Run(opened, run(opened, spec).id)
    for ask in ("result", "outputs"):
        with pytest.raises(RunFailedError) as caught:
            getattr(failed, ask)
        assert caught.value.what == f"run {failed.id} failed: bad[0]: ValueError: no good"
        assert (caught.value.where or "").startswith("flow.py:")
        assert caught.value.exit_code == 1


def test_a_checkpoint_that_did_not_pass(opened: Project) -> None:
    check = CheckpointNode(name="check", condition="${{ steps.scores.accuracy > 2 }}")
    failed: Run[object] = Run(opened, run(opened, pipeline(NAMED, check)).id)
    with pytest.raises(RunFailedError, match=r"check: checkpoint: .*accuracy = 1\.5"):
        failed.raise_for_status()
    assert failed["scores"].label == "half"  # what was computed can still be had


def test_a_run_that_has_not_ended(opened: Project) -> None:
    spec = pipeline(step("double", {"x": 77}))
    waiting: Run[object] = Run(opened, recorded(opened, spec).id)
    with pytest.raises(RunFailedError, match=f"run {waiting.id} is queued"):
        _ = waiting.result


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        (None, {"0": 1, "1": 2}),
        ("dict", {"0": 1, "1": 2}),
        ("tuple", (1, 2)),
        ("no_such_module:Thing", SimpleNamespace(**{"0": 1, "1": 2})),
        ("types:NoSuchClass", SimpleNamespace(**{"0": 1, "1": 2})),
    ],
)
def test_forms_of_results(bundle: str | None, expected: object) -> None:
    assert _as_one(bundle, {"0": 1, "1": 2}) == expected
