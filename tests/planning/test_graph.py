"""Flattening: groups inlined, names absolute, edges explicit; wrong graphs refused with a place."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.lab import check, group, mapped, spec, step

from mainspring.planning.graph import flatten, flatten_round, paths_in, until_of
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Constant, Expression, parse
from mainspring.records.spec import CommandNode, Parameter, RepeatNode


def text(binding: Any) -> Any:
    """An expression's text, or a constant's value."""
    return binding.text if isinstance(binding, Expression) else binding.value


def bound(graph: Any, path: str) -> dict[str, Any]:
    return {name: text(value) for name, value in graph.nodes[path].bindings.items()}


CLEAN = spec(
    step("read", a="${{ parameters.x }}"),
    step("wash", a="${{ steps.read }}", b="${{ parameters.strength }}"),
    name="clean",
    parameters={"x": Parameter(), "strength": Parameter(default=3)},
    outputs={"result": "${{ steps.wash }}"},
)


def test_a_flat_pipeline_keeps_its_names_and_gets_its_edges() -> None:
    graph = flatten(
        spec(
            step("b", a="${{ steps.a }}", b=2),
            step("a", a="${{ parameters.n + 1 }}"),
            step("c", after=("a",)),
            outputs={"result": "${{ steps.b }}", "n": "${{ parameters.n }}", "one": 1},
        ),
        {"n": 5},
    )
    assert list(graph.nodes) == ["a", "b", "c"]  # upstream first
    assert bound(graph, "b") == {"a": "steps.a", "b": 2}
    assert bound(graph, "a") == {"a": "5 + 1"}
    assert [graph.nodes[p].deps for p in graph.nodes] == [(), ("a",), ("a",)]
    assert [graph.nodes[p].data for p in graph.nodes] == [(), ("a",), ()]
    assert {name: text(value) for name, value in graph.outputs.items()} == {
        "result": "steps.b", "n": 5, "one": 1,
    }  # fmt: skip


def test_a_groups_single_result_is_what_its_name_stands_for() -> None:
    graph = flatten(spec(group("prep", CLEAN, x=1), step("use", a="${{ steps.prep }}")), {})
    assert list(graph.nodes) == ["prep/read", "prep/wash", "use"]
    assert bound(graph, "prep/wash") == {"a": "steps['prep/read']", "b": 3}
    assert bound(graph, "use") == {"a": "steps['prep/wash']"}
    assert graph.nodes["use"].data == ("prep/wash",)
    assert graph.nodes["prep/wash"].template == "prep/wash"


def test_groups_inside_groups() -> None:
    outer = spec(
        group("inner", CLEAN, x="${{ parameters.y + 1 }}", strength=9),
        step("last", a="${{ steps.inner }}"),
        parameters={"y": Parameter()},
        outputs={"result": "${{ steps.last }}"},
    )
    graph = flatten(
        spec(
            step("first"),
            group("outer", outer, y="${{ steps.first }}"),
            step("use", a="${{ steps.outer * 2 }}"),
        ),
        {},
    )
    assert list(graph.nodes) == [
        "first", "outer/inner/read", "outer/inner/wash", "outer/last", "use",
    ]  # fmt: skip
    assert bound(graph, "outer/inner/read") == {"a": "steps.first + 1"}
    assert bound(graph, "outer/inner/wash") == {"a": "steps['outer/inner/read']", "b": 9}
    assert bound(graph, "use") == {"a": "steps['outer/last'] * 2"}


@pytest.mark.parametrize(
    ("bundle", "whole"),
    [
        ("tuple", "(steps['g/a'], steps['g/b'], 1)"),
        ("m:Scores", "{'$bundle': 'm:Scores', 'x': steps['g/a'], 'y': steps['g/b'], 'z': 1}"),
        ("dict", "{'x': steps['g/a'], 'y': steps['g/b'], 'z': 1}"),
        (None, "{'x': steps['g/a'], 'y': steps['g/b'], 'z': 1}"),
    ],
)
def test_a_group_with_several_outputs(bundle: str | None, whole: str) -> None:
    body = spec(
        step("a"),
        step("b"),
        outputs={"x": "${{ steps.a }}", "y": "${{ steps.b }}", "z": 1},
        bundle=bundle,
    )
    users = [step("all", a="${{ steps.g }}")]
    if bundle == "tuple":
        users.append(step("part", a="${{ steps.g[1] }}"))
    else:
        users.append(step("part", a="${{ steps.g.y }}"))
    graph = flatten(spec(group("g", body), *users), {})
    assert bound(graph, "all") == {"a": whole}
    # One output alone neither waits for the others nor is read through the bundle.
    assert bound(graph, "part") == {"a": "steps['g/b']"}
    assert graph.nodes["part"].deps == ("g/b",)


def test_a_group_whose_output_is_a_constant_or_a_parameter() -> None:
    body = spec(
        parameters={"x": Parameter()}, outputs={"one": 1, "x": "${{ parameters.x }}"}, bundle="dict"
    )
    graph = flatten(
        spec(step("s"), group("g", body, x="${{ steps.s }}"),
             step("u", a="${{ steps.g.one }}", b="${{ steps.g.x.k }}")), {}
    )  # fmt: skip
    assert bound(graph, "u") == {"a": 1, "b": "steps.s.k"}


def test_when_after_and_guards_come_down_into_groups() -> None:
    body = spec(
        step("a", when="parameters.go"),
        step("b", a="${{ steps.a }}", after=("a",)),
        parameters={"go": Parameter(default=True)},
    )
    graph = flatten(
        spec(
            step("flag"),
            step("early"),
            check("gate", "steps.flag > 0"),
            group("g", body, when="steps.flag", after=("early",), guards=("gate",)),
            step("late", after=("g",)),
        ),
        {},
    )
    inner = graph.nodes["g/a"]
    assert inner.when is not None
    assert inner.when.text == "steps.flag and True"
    assert inner.guards == ("gate",)
    assert set(inner.deps) == {"flag", "early", "gate"}
    assert inner.data == ("flag",)  # what the condition reads counts as read
    other = graph.nodes["g/b"]
    assert other.when is not None
    assert other.when.text == "steps.flag"
    assert set(other.deps) == {"g/a", "flag", "early", "gate"}
    assert graph.nodes["late"].deps == ("g/b",)  # which is settled after g/a
    assert graph.nodes["late"].data == ()


def test_a_checkpoints_condition_is_a_binding() -> None:
    graph = flatten(spec(step("a"), check("gate", "steps.a >= parameters.least")), {"least": 0.5})
    assert bound(graph, "gate") == {"condition": "steps.a >= 0.5"}
    assert (graph.nodes["gate"].kind, graph.nodes["gate"].deps) == ("checkpoint", ("a",))


def test_kinds() -> None:
    graph = flatten(
        spec(
            step("s"),
            mapped("m", "a", a=[1]),
            CommandNode(name="c", command="true"),
            CommandNode(name="cm", command="x", map=("a",), bindings={"a": [1]}),
            check("k", "1 > 0"),
            RepeatNode(name="r", pipeline=spec(), until="True", max=1),
        ),
        {},
    )
    kinds = {path: node.kind for path, node in graph.nodes.items()}
    assert kinds == {
        "s": "step", "m": "map", "c": "command", "cm": "map", "k": "checkpoint", "r": "repeat",
    }  # fmt: skip


def test_a_name_that_is_no_identifier() -> None:
    graph = flatten(spec(step("my-step"), step("b", a="${{ steps['my-step'].k }}")), {})
    assert graph.nodes["b"].deps == ("my-step",)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -3, 1.5, -0.0, math.inf, -math.inf, "x", "${{ no }}", [], {},
        [1, [2, None]], {"k": {"$bundle": "m:C"}}, 2**80,
    ],
)  # fmt: skip
def test_a_parameter_reaches_a_step_as_it_is(value: Any) -> None:
    body = spec(step("b", a="${{ parameters.y }}"), parameters={"y": Parameter()})
    graph = flatten(
        spec(step("a", a="${{ parameters.x }}"), group("g", body, y="${{ parameters.x }}")),
        {"x": value},
    )
    for path in ("a", "g/b"):
        found = graph.nodes[path].bindings["a"]
        assert isinstance(found, Constant)
        assert repr(found.value) == repr(value)


def test_a_parameter_may_be_larger_than_any_expression() -> None:
    many = list(range(100_001))
    graph = flatten(spec(mapped("m", "a", a="${{ parameters.xs }}")), {"xs": many})
    assert graph.nodes["m"].bindings["a"] == Constant(many)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_parameter_inside_of_an_expression_keeps_its_value(value: Any) -> None:
    from mainspring.records.expressions import evaluate

    graph = flatten(spec(step("a", a="${{ [parameters.x, 1] }}")), {"x": value})
    found = graph.nodes["a"].bindings["a"]
    assert isinstance(found, Expression)
    made = evaluate(found, lambda root, name: pytest.fail(f"{root}.{name} is left"))
    assert repr(made) == repr([value, 1])


def test_literal_text_that_looks_like_an_expression() -> None:
    graph = flatten(spec(step("a", a="$${{ steps.b }}", b=["$${{ x", "${ y"])), {})
    assert bound(graph, "a") == {"a": "${{ steps.b }}", "b": ["${{ x", "${ y"]}


# Refusals.


def test_a_cycle_is_refused_with_its_ring_and_its_place() -> None:
    with pytest.raises(DefinitionError, match="form a cycle") as caught:
        flatten(
            spec(
                step("free"),
                step("a", a="${{ steps.c }}", where="p.py:3"),
                step("b", after=("a",), where="p.py:4"),
                step("c", when="steps.b > 0", where="p.py:5"),
            ),
            {},
        )
    ring = caught.value.what.partition(": ")[2].split(" → ")
    assert ring[0] == ring[-1]
    follows = {("a", "b"), ("b", "c"), ("c", "a")}
    assert set(pairwise(ring)) == follows
    assert caught.value.where in {"p.py:3", "p.py:4", "p.py:5"}


def test_a_step_that_needs_itself() -> None:
    with pytest.raises(DefinitionError, match="a → a") as caught:
        flatten(spec(step("a", a="${{ steps.a }}", where="p.py:3")), {})
    assert caught.value.where == "p.py:3"


def test_a_long_chain_needs_no_deep_recursion() -> None:
    chain = [step("s0")] + [step(f"s{i}", a=f"${{{{ steps.s{i - 1} }}}}") for i in range(1, 3000)]
    assert list(flatten(spec(*reversed(chain)), {}).nodes) == [node.name for node in chain]


@pytest.mark.parametrize(
    ("node", "what", "known"),
    [
        (step("b", a="${{ steps.nope }}", where="p.py:7"), "step 'nope'", "a, b"),
        (step("b", after=("nope",), where="p.py:7"), "step 'nope'", "a, b"),
        (step("b", guards=("nope",), where="p.py:7"), "step 'nope'", "a, b"),
        (step("b", when="steps.nope", where="p.py:7"), "step 'nope'", "a, b"),
        (step("b", a="${{ parameters.no }}", where="p.py:7"), "parameter 'no'", "x"),
        (step("b", a="${{ 1 + parameters.no }}", where="p.py:7"), "parameter 'no'", "x"),
        (step("b", when="parameters.no", where="p.py:7"), "parameter 'no'", "x"),
    ],
)
def test_unknown_names_are_refused_with_their_place(node: Any, what: str, known: str) -> None:
    with pytest.raises(DefinitionError, match=what) as caught:
        flatten(spec(step("a"), node, parameters={"x": Parameter()}), {"x": 1})
    assert caught.value.where == "p.py:7"
    assert caught.value.hint == f"there is {known}"


def test_a_body_sees_neither_the_steps_nor_the_parameters_around_it() -> None:
    for inner, what in (("steps.a", "step 'a'"), ("parameters.x", "parameter 'x'")):
        body = spec(step("b", a="${{ " + inner + " }}", where="p.py:2"))
        with pytest.raises(DefinitionError, match=what) as caught:
            flatten(spec(step("a"), group("g", body)), {"x": 1})
        assert caught.value.where == "p.py:2"


def test_an_unknown_name_in_the_outputs() -> None:
    with pytest.raises(DefinitionError, match="'nope'") as caught:
        flatten(spec(step("a"), outputs={"r": "${{ steps.nope }}"}, where="p.py:1"), {})
    assert caught.value.where == "p.py:1"


# Repeats.


def test_one_round_of_a_repeat() -> None:
    body = spec(
        step("fit", a="${{ parameters.x }}", b="${{ parameters.c }}"),
        step("score", a="${{ steps.fit }}"),
        parameters={"x": Parameter(), "c": Parameter(default=2)},
        outputs={"score": "${{ steps.score }}"},
    )
    graph = flatten(
        spec(
            step("data"),
            RepeatNode(name="tune", pipeline=body, until="outputs.score > 3", max=4,
                       bindings={"x": "${{ steps.data }}"}),
        ),
        {},
    )  # fmt: skip
    node = graph.nodes["tune"]
    assert isinstance(node.work, RepeatNode)
    assert (node.deps, until_of(node.work).text) == (("data",), "outputs.score > 3")
    made = flatten_round(node, 2, {"x": parse("steps['tune#1/score'].k")})
    assert list(made.nodes) == ["tune#2/fit", "tune#2/score"]
    assert bound(made, "tune#2/fit") == {"a": "steps['tune#1/score'].k", "b": 2}
    assert made.nodes["tune#2/score"].template == "tune/score"
    assert made.nodes["tune#2/score"].deps == ("tune#2/fit",)
    assert text(made.outputs["score"]) == "steps['tune#2/score']"


def test_paths_in_an_expression_come_once_and_in_order() -> None:
    found = paths_in(parse("steps.b.x + len(steps.a) + steps.b.y + parameters.c"))
    assert list(found) == ["b", "a"]
