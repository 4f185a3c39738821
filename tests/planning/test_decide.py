"""Deciding of one task: skipped, blocked, reused, run, expanded, judged, and with what words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.lab import Lab, Past, check, mapped, options, point, spec, step

from mainspring.planning.decide import (
    Block,
    Decision,
    Execute,
    Expand,
    Fault,
    Judge,
    Reuse,
    Round,
    Skip,
    consider_inputs,
    element_inputs,
)
from mainspring.planning.graph import flatten
from mainspring.planning.keys import task_seed
from mainspring.records.artifacts import Absent, ArtifactRef, ElementRef, Literal, Stored
from mainspring.records.plan import Cached
from mainspring.records.source import CodePart, Static
from mainspring.records.spec import CommandNode, RepeatNode
from mainspring.records.status import TaskStatus
from mainspring.records.stores import KeyParts

SKIPPED, FAILED = TaskStatus.SKIPPED, TaskStatus.FAILED


@pytest.fixture
def lab() -> Lab:
    return Lab()


# Before anything else: what came of the tasks before it.


@pytest.mark.parametrize("status", [FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED])
@pytest.mark.parametrize("how", ["data", "after"])
@pytest.mark.parametrize("join", [False, True])
def test_what_failed_blocks_what_needs_it(
    lab: Lab, status: TaskStatus, how: str, join: bool
) -> None:
    needs = {"a": "${{ steps.x }}"} if how == "data" else {"after": ("x",)}
    made = lab.consider(
        "t", spec(step("x"), step("t", options=options(join=join), **needs)), {"x": status}
    )
    did = {"failed": "failed", "blocked": "was blocked", "cancelled": "was cancelled"}
    assert made == Block(f"x {did[status.value]}")


def test_a_skipped_input_skips(lab: Lab) -> None:
    pipeline = spec(step("x"), step("y"), step("t", a="${{ steps.x }}", b="${{ steps.y }}"))
    assert lab.consider("t", pipeline, {"x": 1, "y": SKIPPED}) == Skip("y was skipped")


def test_a_failure_counts_for_more_than_a_skip(lab: Lab) -> None:
    pipeline = spec(step("x"), step("y"), step("t", a="${{ steps.x }}", b="${{ steps.y }}"))
    assert lab.consider("t", pipeline, {"x": SKIPPED, "y": FAILED}) == Block("y failed")


def test_a_skipped_task_that_is_only_waited_for_skips_nothing(lab: Lab) -> None:
    made = lab.consider("t", spec(step("x"), step("t", after=("x",))), {"x": SKIPPED})
    assert isinstance(made, Execute)


def test_a_joining_step_takes_what_there_is(lab: Lab) -> None:
    pipeline = spec(
        step("x"), step("y"),
        step("t", a="${{ steps.x }}", b="${{ steps.y }}", options=options(join=True)),
    )  # fmt: skip
    made = lab.consider("t", pipeline, {"x": SKIPPED, "y": 5})
    assert isinstance(made, Execute)
    assert made.keyed.inputs["a"] == Absent()
    assert "a" not in made.keyed.digests  # its default is in the code
    other = lab.consider("t", pipeline, {"x": 5, "y": 5})
    assert isinstance(other, Execute)
    assert other.keyed.key != made.keyed.key


@pytest.mark.parametrize(
    "node",
    [
        check("t", "steps.x > 1"),
        RepeatNode(name="t", pipeline=spec(), until="True", max=1,
                   bindings={"x": "${{ steps.x }}"}),
        mapped("t", "a", a="${{ steps.x }}"),
        CommandNode(name="t", command="c {inputs.a}", bindings={"a": "${{ steps.x }}"}),
    ],
    ids=["checkpoint", "repeat", "map", "command"],
)  # fmt: skip
def test_every_kind_of_task_is_skipped(lab: Lab, node: Any) -> None:
    assert lab.consider("t", spec(step("x"), node), {"x": SKIPPED}) == Skip("x was skipped")


def test_guards(lab: Lab) -> None:
    pipeline = spec(step("x"), check("gate", "steps.x > 1"), step("t", guards=("gate",)))
    assert lab.consider("t", pipeline, {"gate": FAILED}) == Block("gate did not pass")
    passed = lab.settled({})
    made = lab.consider("t", pipeline, {"gate": TaskStatus.SUCCEEDED})
    assert isinstance(made, Execute), passed
    # A checkpoint that was skipped judged nothing: it stops nobody.
    assert isinstance(lab.consider("t", pipeline, {"gate": SKIPPED}), Execute)


# Conditions.


def test_conditions(lab: Lab) -> None:
    pipeline = spec(step("x"), step("t", when="steps.x.score > 3"))
    made = lab.consider("t", pipeline, {"x": {"score": 2}})
    assert made == Skip("its condition is false: steps.x.score > 3")
    assert isinstance(lab.consider("t", pipeline, {"x": {"score": 4}}), Execute)


def test_a_condition_on_what_was_skipped(lab: Lab) -> None:
    pipeline = spec(step("x"), step("t", when="steps.x > 3"))
    assert lab.consider("t", pipeline, {"x": SKIPPED}) == Skip("x was skipped")
    joining = spec(step("x"), step("t", when="steps.x is None", options=options(join=True)))
    assert isinstance(lab.consider("t", joining, {"x": SKIPPED}), Execute)


@pytest.mark.parametrize(
    ("node", "what"),
    [
        (step("t", when="steps.x.nope"), "no 'nope'"),
        (step("t", when="steps.x > 1"), "'>' not supported"),
        (step("t", a="${{ steps.x.nope }}"), "no 'nope'"),
        (step("t", a="${{ steps.x[5] }}"), "no 5"),
        (step("t", a="${{ 1 / 0 }}"), "division by zero"),
        (check("t", "steps.x.nope > 1"), "no 'nope'"),
        (mapped("t", "a", a="${{ steps.x }}", where="p.py:3"), "p.py:3: map needs a list for 'a'"),
    ],
)
def test_what_cannot_be_computed_is_a_fault_not_a_crash(lab: Lab, node: Any, what: str) -> None:
    made = lab.consider("t", spec(step("x"), node), {"x": {"k": 1}})
    assert isinstance(made, Fault)
    assert what in str(made.error)


# Maps.


def expanded(lab: Lab, node: Any, **done: Any) -> Expand:
    made = lab.consider("t", spec(*(step(name) for name in done), node), done)
    assert isinstance(made, Expand), made
    return made


def elements(made: Expand, lab: Lab) -> list[Any]:
    """The values of the first mapped input's elements."""
    name = next(iter(made.elements))
    return [lab.value(element_inputs(made, i)[0][name]) for i in range(made.count)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ([1, "x", None, [2]], [1, "x", None, [2]]),
        ([], []),
        ("${{ steps.x }}", [7, 8]),
        ("${{ steps.x + [9] }}", [7, 8, 9]),
        ("${{ [steps.y, 1] }}", [5, 1]),
        ("${{ (steps.y, steps.y, 3) }}", [5, 5, 3]),
        ("${{ steps.z.k }}", [1]),
    ],
)
def test_what_a_map_goes_over(lab: Lab, text: Any, values: list[Any]) -> None:
    made = expanded(lab, mapped("t", "a", a=text, b=3), x=[7, 8], y=5, z={"k": [1]})
    assert (made.count, elements(made, lab)) == (len(values), values)
    assert made.shared == {"b": Literal(value=3)}


def test_a_map_over_a_list_artifact_reads_its_index_only(lab: Lab) -> None:
    refs = [ArtifactRef(digest=f"blake3:{i}", size=1, format="npy") for i in range(3)]
    made = expanded(lab, mapped("t", "a", a="${{ steps.x }}"), x=lab.artifacts.list_of(refs))
    inputs, entries = element_inputs(made, 1)
    assert isinstance(inputs["a"], Stored)
    assert inputs["a"].ref.digest == entries["a"].digest == "blake3:1"


def test_an_empty_list_artifact(lab: Lab) -> None:
    made = expanded(lab, mapped("t", "a", a="${{ steps.x }}"), x=lab.artifacts.list_of([]))
    assert made.count == 0


def test_zipped_inputs(lab: Lab) -> None:
    node = step("t", map=("a", "b"), a="${{ steps.x }}", b=["p", "q"], c=0)
    made = expanded(lab, node, x=[1, 2])
    assert [
        {n: v.value for n, v in element_inputs(made, i)[0].items() if isinstance(v, Literal)}
        for i in range(made.count)
    ] == [{"a": 1, "b": "p", "c": 0}, {"a": 2, "b": "q", "c": 0}]


def test_zipped_inputs_of_different_lengths(lab: Lab) -> None:
    node = step("t", map=("a", "b"), a="${{ steps.x }}", b=[1], where="p.py:4")
    made = lab.consider("t", spec(step("x"), node), {"x": [1, 2]})
    assert isinstance(made, Fault)
    assert str(made.error) == "p.py:4: the mapped inputs differ in length: a has 2, b has 1"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (5, "any"),
        ({"k": 1}, "any"),
        ("text", "any"),
        (ArtifactRef(digest="blake3:1", size=1, format="npy", type="ndarray"), "ndarray"),
    ],
)
def test_a_map_needs_a_list(lab: Lab, value: Any, kind: str) -> None:
    node = mapped("t", "a", a="${{ steps.x }}", where="p.py:4")
    made = lab.consider("t", spec(step("x"), node), {"x": value})
    assert isinstance(made, Fault)
    assert str(made.error) == f"p.py:4: map needs a list for 'a', not {kind}"


def test_a_map_over_a_dict_of_steps(lab: Lab) -> None:
    node = mapped("t", "a", a="${{ {'k': steps.x} }}")
    assert isinstance(lab.consider("t", spec(step("x"), node), {"x": 1}), Fault)


def test_elements_of_a_class_stay_what_they_are(lab: Lab) -> None:
    ref = lab.artifacts.json_of([point(1), 3])
    made = expanded(lab, mapped("t", "a", a="${{ steps.x }}"), x=ref)
    first, entries = element_inputs(made, 0)
    assert first == {"a": Stored(ref=ref, index=0, element=lab.artifacts.elements(ref)[0])}
    assert entries["a"] == lab.artifacts.elements(ref)[0]
    assert element_inputs(made, 1) == ({"a": Literal(value=3)}, {})


def child(lab: Lab, made: Expand, index: int, node: Any, history: Any = None) -> Any:
    inputs, entries = element_inputs(made, index)
    graph_node = flatten(spec(step("x"), node), {}).nodes["t"]
    context = lab.context(Past() if history is None else history)
    return consider_inputs(graph_node, inputs, context, entries=entries, index=index)


@given(st.lists(st.integers(0, 3), max_size=5), st.lists(st.integers(0, 3), max_size=5))
def test_elements_have_keys_of_their_own_wherever_they_stand(
    one: list[int], other: list[int]
) -> None:
    """Whether a list comes as JSON or as artifacts, an element's key depends on it alone."""
    lab = Lab()
    node = mapped("t", "a", a="${{ steps.x }}", b=1)
    refs = lab.artifacts.list_of([lab.artifacts.json_of(item) for item in other])
    first = expanded(lab, node, x=one)
    second = expanded(lab, node, x=refs)
    keys = {item: child(lab, first, i, node).keyed for i, item in enumerate(one)}
    more = {item: child(lab, second, i, node).keyed for i, item in enumerate(other)}
    for item in {*keys, *more}:
        found = [table[item] for table in (keys, more) if item in table]
        assert len({keyed.key for keyed in found}) == 1
        assert len({keyed.seed for keyed in found}) == 1
    every = {**keys, **more}
    assert len({keyed.key for keyed in every.values()}) == len(every)


def test_elements_of_a_class_have_keys_that_insertion_leaves(lab: Lab) -> None:
    node = mapped("t", "a", a="${{ steps.x }}")
    items = [point(i) for i in range(3)]
    few = expanded(lab, node, x=lab.artifacts.json_of(items[1:]))
    many = expanded(lab, node, x=lab.artifacts.json_of(items))
    keys = [child(lab, many, i, node).keyed for i in range(3)]
    assert [child(lab, few, i, node).keyed.key for i in range(2)] == [k.key for k in keys[1:]]
    assert len({keyed.key for keyed in keys}) == 3


def test_a_child_says_no_more_than_that_it_was_not_computed(lab: Lab) -> None:
    node = mapped("t", "a", a=[1])
    made = expanded(lab, node)
    assert child(lab, made, 0, node).reason == "not computed before"


# Repeats and checkpoints.


def test_a_repeat_may_begin(lab: Lab) -> None:
    node = RepeatNode(name="t", pipeline=spec(), until="True", max=1,
                      bindings={"x": "${{ steps.x }}", "c": 1})  # fmt: skip
    made = lab.consider("t", spec(step("x"), node), {"x": 5})
    assert isinstance(made, Round)
    assert made.inputs["c"] == Literal(value=1)


def test_a_verdict_has_its_values_and_its_evidence(lab: Lab) -> None:
    scores = {"accuracy": lab.artifacts.json_of(0.97), "report": lab.artifacts.json_of({"n": 5})}
    node = step("scores", outputs={"accuracy": "float", "report": "dict"}, bundle="m:Scores")
    gate = check("gate", "steps.scores.accuracy >= 0.95 and steps.scores.report.n > steps.x")
    made = lab.consider("gate", spec(node, step("x"), gate), {"scores": scores, "x": 3})
    assert isinstance(made, Judge)
    assert made.passed is True
    assert made.values == {"scores.accuracy": 0.97, "scores.report.n": 5, "x": 3}
    assert made.evidence == {
        "scores.accuracy": scores["accuracy"].digest,
        "scores.report": scores["report"].digest,
        "x.result": lab.artifacts.json_of(3).digest,
    }


@pytest.mark.parametrize(("value", "passed"), [(1, True), (0, False), ("", False), ([0], True)])
def test_a_verdict_is_true_or_false(lab: Lab, value: Any, passed: bool) -> None:
    made = lab.consider("gate", spec(step("x"), check("gate", "steps.x")), {"x": value})
    assert isinstance(made, Judge)
    assert made.passed is passed


def test_a_checkpoint_needs_something_to_judge(lab: Lab) -> None:
    made = lab.consider("gate", spec(check("gate", "True")))
    assert isinstance(made, Fault)
    assert str(made.error) == "p.py:9: its condition is a constant"


# Reuse.

TASK = step("t", a=1)


def executed(made: Decision) -> Execute:
    assert isinstance(made, Execute), made
    return made


def result(lab: Lab, node: Any = TASK, name: str = "r1", **more: Any) -> Cached:
    """An earlier result for the present key of `t`."""
    keyed = executed(lab.consider("t", spec(node))).keyed
    return Cached(
        key=keyed.key, run=name, task="t", attempt=f"{name}.1.1",
        outputs=more.pop("outputs", {"result": lab.artifacts.json_of(name)}),
        reads=more.pop("reads", {}), impure=more.pop("impure", ()),
        ended=more.pop("ended", lab.time), wall=1.0,
    )  # fmt: skip


def decided(lab: Lab, *results: Cached, node: Any = TASK, **context: Any) -> Any:
    return lab.consider("t", spec(node), history=Past(*results), **context)


def test_a_result_of_the_same_key_is_reused(lab: Lab) -> None:
    found = result(lab)
    made = decided(lab, found)
    assert isinstance(made, Reuse)
    assert made.cached == found
    assert made.reason == "same code, inputs and parameters as r1/t"
    assert made.keyed.key == found.key


def test_the_first_committed_result_wins(lab: Lab) -> None:
    made = decided(lab, result(lab, name="first"), result(lab, name="second"))
    assert made.cached.run == "first"


def test_a_result_that_is_no_use_lets_the_next_one_in(lab: Lab) -> None:
    first, second = result(lab, name="first"), result(lab, name="second")
    lab.artifacts.forget(first.outputs["result"])
    assert decided(lab, first, second).cached.run == "second"


def test_cache_off(lab: Lab) -> None:
    node = step("t", a=1, options=options(cache=False))
    made = executed(decided(lab, result(lab, node), node=node))
    assert (made.reason, made.cacheable) == ("never reused: cache is off", False)
    # There is nothing to force about it.
    assert executed(decided(lab, node=node, force={"t"})).cacheable is False


def test_forced(lab: Lab) -> None:
    found = result(lab)
    made = executed(decided(lab, found, force={"t"}))
    assert (made.reason, made.cacheable) == ("asked to run again", True)
    assert isinstance(decided(lab, found, force={"u", "t/", "tt"}), Reuse)


def test_all_of_a_repeat_is_forced_by_its_name_and_a_slash(lab: Lab) -> None:
    node = flatten(spec(step("t", a=1)), {}).nodes["t"]
    inner = msgspec.structs.replace(node, template="tune/t")
    context = lab.context(Past(result(lab)), force={"tune/"})
    assert isinstance(consider_inputs(inner, {"a": Literal(value=1)}, context), Execute)
    other = msgspec.structs.replace(node, template="tuned")
    assert isinstance(consider_inputs(other, {"a": Literal(value=1)}, context), Reuse)


@pytest.mark.parametrize(("age", "reused"), [(59.0, True), (60.0, True), (60.5, False)])
def test_a_result_may_grow_too_old(lab: Lab, age: float, reused: bool) -> None:
    node = step("t", a=1, options=options(cache=60.0))
    made = decided(lab, result(lab, node, ended=lab.time - age), node=node)
    assert isinstance(made, Reuse) is reused
    if not reused:
        assert made.reason == "the result of r1 is older than 60 s"


def test_of_results_that_grow_old_the_newest_counts(lab: Lab) -> None:
    node = step("t", a=1, options=options(cache=60.0))
    old = result(lab, node, name="old", ended=lab.time - 90)
    older = result(lab, node, name="first", ended=lab.time - 50)
    new = result(lab, node, name="new", ended=lab.time - 5)
    assert decided(lab, older, new, node=node).cached.run == "new"
    assert decided(lab, old, new, node=node).cached.run == "new"


def test_the_age_is_no_part_of_the_key(lab: Lab) -> None:
    node = step("t", a=1, options=options(cache=60.0))
    assert result(lab, node).key == result(lab).key


def test_an_impure_result_is_not_reused_unless_that_is_ok(lab: Lab) -> None:
    made = decided(lab, result(lab, impure=("read /etc/hosts",)))
    assert executed(made).reason == "its last result is impure: read /etc/hosts"
    made = decided(lab, result(lab, impure=("the clock", "b", "c")))
    assert executed(made).reason == "its last result is impure: the clock (and 2 more)"
    node = step("t", a=1, options=options(impure="ok"))
    assert isinstance(decided(lab, result(lab, node, impure=("x",)), node=node), Reuse)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ("blake3:1", "blake3:1", None),
        ("blake3:1", "blake3:2", "project file data.csv changed"),
        ("blake3:1", None, "project file data.csv is gone"),
        ("absent", "blake3:1", "project file data.csv appeared"),
        ("absent", None, None),
    ],
)
def test_files_that_the_step_read(
    lab: Lab, before: str, now: str | None, words: str | None
) -> None:
    found = result(lab, reads={"data.csv": before})
    if now is not None:
        lab.files["data.csv"] = now
    made = decided(lab, found)
    if words is None:
        assert isinstance(made, Reuse)
    else:
        assert executed(made).reason == words


def test_a_module_that_the_key_covers_part_by_part_may_change(lab: Lab) -> None:
    """Importing a module reads it; the parts of it that count are in the key."""
    assert isinstance(decided(lab, result(lab, reads={"m.py!": "blake3:old"})), Reuse)
    made = executed(decided(lab, result(lab, reads={"n.py!": "blake3:old"})))
    assert made.reason == "project file n.py is gone"
    # Opened as data, all of it counts.
    made = executed(decided(lab, result(lab, reads={"m.py": "blake3:old"})))
    assert made.reason == "project file m.py is gone"


def test_a_result_whose_blob_is_gone_is_no_result(lab: Lab) -> None:
    outputs = {"x": lab.artifacts.json_of(1), "y": lab.artifacts.json_of(2)}
    node = step("t", a=1, outputs={"x": "any", "y": "any"})
    found = result(lab, node, outputs=outputs)
    assert isinstance(decided(lab, found, node=node), Reuse)
    lab.artifacts.forget(outputs["y"])
    made = executed(decided(lab, found, node=node))
    assert made.reason == "the stored output y of r1 is gone or damaged"
    assert made.cacheable


# Why it runs.


def parts(lab: Lab, **changes: Any) -> KeyParts:
    keyed = executed(lab.consider("t", spec(TASK))).keyed
    _, static = lab.static(TASK)
    made = KeyParts(run="r1", path="t", key=keyed.key, static=static, inputs=keyed.digests,
                    seed=keyed.seed)  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def reason(lab: Lab, before: KeyParts | None) -> str:
    past = Past()
    if before is not None:
        past.before["t"] = before
    return executed(lab.consider("t", spec(TASK), history=past)).reason


def test_reasons(lab: Lab) -> None:
    assert reason(lab, None) == "not computed before"
    assert reason(lab, parts(lab)) == "no result of r1 is stored"
    assert reason(lab, parts(lab, inputs={"a": ("json:x", "7")})) == "parameter a 7 → 1"


def test_no_more_than_three_reasons(lab: Lab) -> None:
    static = Static(code=(CodePart(name="m:add", digest="1", where="m.py:1"),), options={},
                    environment={n: "1" for n in "abcde"}, variables={}, platform="test",
                    semantics=1)  # fmt: skip
    assert reason(lab, parts(lab, static=static)) == "a 1 → none; b 1 → none; c 1 → none"


def test_an_unusable_result_is_a_better_reason_than_a_difference(lab: Lab) -> None:
    past = Past(result(lab, impure=("x",)))
    past.before["t"] = parts(lab, seed=99)
    made = executed(lab.consider("t", spec(TASK), history=past))
    assert made.reason == "its last result is impure: x"


# Keys and seeds.


def keyed(lab: Lab, node: Any, **context: Any) -> Any:
    return executed(lab.consider("t", spec(node), **context)).keyed


def test_the_seed_is_in_the_key(lab: Lab) -> None:
    one, other = keyed(lab, TASK), keyed(lab, TASK, seed=1)
    assert one.seed == task_seed(0, "t", None)
    assert other.seed == task_seed(1, "t", None)
    assert one.key != other.key


def test_a_steps_own_seed_is_taken_as_it_is(lab: Lab) -> None:
    node = step("t", a=1, options=options(seed=42))
    assert keyed(lab, node).seed == keyed(lab, node, seed=1).seed == 42
    assert keyed(lab, node).key == keyed(lab, node, seed=1).key


def test_elements_of_a_step_with_a_seed_still_differ(lab: Lab) -> None:
    node = mapped("t", "a", a=[1, 2], options=options(seed=42))
    made = expanded(lab, node)
    seeds = [child(lab, made, i, node).keyed.seed for i in range(2)]
    assert seeds[0] != seeds[1]


def test_what_a_key_depends_on(lab: Lab) -> None:
    base = keyed(lab, TASK).key
    assert keyed(lab, step("t", a=2)).key != base
    assert keyed(lab, step("t", a=1.0)).key != base
    assert keyed(lab, step("t", b=1)).key != base
    assert keyed(lab, step("t", a=1, b=None)).key != base
    assert keyed(lab, step("t", "sum", a=1)).key != base
    assert keyed(lab, step("t", a=1, where="q.py:5", after=())).key == base
    lab.code["add"] = "2"
    assert keyed(lab, TASK).key != base


def test_the_code_of_an_inputs_class_is_in_the_key(lab: Lab) -> None:
    pipeline = spec(step("x"), step("t", a="${{ [steps.x] }}"))
    graph = flatten(pipeline, {})
    model = ArtifactRef(digest="blake3:m", size=1, format="skops")

    def key(code: str) -> Any:
        from mainspring.planning.decide import consider

        context = lab.context(Past())
        context.value_digest = lambda ref: code if ref == model else ""
        made = consider(graph.nodes["t"], {"x": lab.settled(model)}, graph, context)
        return executed(made).keyed

    assert key("one").key == key("one").key != key("two").key != key("").key
    assert "+" in key("one").digests["a"][0]
    assert "+" not in key("").digests["a"][0]


def test_the_code_of_a_bundles_class_is_in_the_key(lab: Lab) -> None:
    node = step("x", outputs={"p": "any", "q": "any"}, bundle="m:Scores")
    graph = flatten(spec(node, step("t", a="${{ steps.x }}")), {})
    done = lab.settled({"p": lab.artifacts.json_of(1), "q": lab.artifacts.json_of(2)})

    def key(code: str) -> str:
        from mainspring.planning.decide import consider

        context = lab.context(Past())
        context.class_digest = lambda name: code if name == "m:Scores" else "other"
        return executed(consider(graph.nodes["t"], {"x": done}, graph, context)).keyed.key

    assert key("one") == key("one") != key("two")


def test_an_element_in_a_list_is_keyed_by_its_own_entry(lab: Lab) -> None:
    node = flatten(spec(mapped("t", "a", a=[])), {}).nodes["t"]
    entry = ElementRef(digest="blake3:e", size=1, format="npy", offset=64)
    keys = {
        consider_inputs(
            node, {"a": Stored(ref=ArtifactRef(digest=d, size=9, format="list"), index=i)},
            lab.context(Past()), entries={"a": entry}, index=i,
        ).keyed.key
        for d, i in (("blake3:one", 0), ("blake3:other", 5))
    }  # fmt: skip
    assert len(keys) == 1
