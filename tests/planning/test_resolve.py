"""Inputs: artifacts go by reference, expressions by value; wrong references are user errors."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planning.lab import Lab, group, mapped, point, spec, step

from mainspring.planning.graph import flatten
from mainspring.planning.resolve import Resolver, element_input, whole
from mainspring.records.artifacts import (
    Absent,
    ArtifactRef,
    Bundle,
    ElementRef,
    Input,
    Literal,
    Mapping,
    Sequence,
    Stored,
)
from mainspring.records.canonical import canonical, digest_bytes
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import Parameter, RepeatNode
from mainspring.records.status import TaskStatus


@pytest.fixture
def lab() -> Lab:
    return Lab()


def resolve(lab: Lab, text: str, *nodes: Any, **done: Any) -> Input:
    """The input that `text` stands for, after the nodes named in `done` have come to that."""
    known = {node.name for node in nodes}
    plain = [step(name) for name in done if name not in known]
    graph = flatten(spec(*plain, *nodes, step("use", x=text)), {})
    upstream = {name: lab.settled(value) for name, value in done.items()}
    resolver = Resolver(upstream.__getitem__, lab.artifacts, graph)
    return resolver.input(graph.nodes["use"].bindings["x"])


def model(name: str = "m") -> ArtifactRef:
    """An artifact that no expression can read."""
    return ArtifactRef(digest=f"blake3:{name}", size=3, format="skops", type="Ridge")


class Unread(Lab):
    """Fails when a value is read."""

    def __init__(self) -> None:
        super().__init__()
        self.artifacts.value = lambda *_: pytest.fail("the value was read")  # type: ignore[method-assign]


@pytest.mark.parametrize("value", [1, "x", [1, {"k": None}], {"a": True}])
def test_a_literal(lab: Lab, value: Any) -> None:
    assert resolve(lab, value) == Literal(value=value)


def test_a_whole_result_is_passed_on_unread() -> None:
    lab = Unread()
    assert resolve(lab, "${{ steps.a }}", a=model()) == Stored(ref=model())
    assert resolve(lab, "${{ steps.a.result }}", a=model()) == Stored(ref=model())


def test_an_output_by_name_or_number() -> None:
    node = step("a", outputs={"x": "any", "y": "any"}, bundle="tuple")
    outputs = {"x": model("x"), "y": model("y")}
    lab = Unread()
    for text, name in (("steps.a.y", "y"), ("steps.a[0]", "x"), ("steps.a[-1]", "y")):
        made = resolve(lab, "${{ " + text + " }}", node, a=outputs)
        assert made == Stored(ref=model(name)), text


@pytest.mark.parametrize("bundle", ["tuple", "m:Scores"])
def test_all_outputs_form_their_bundle(bundle: str) -> None:
    node = step("a", outputs={"x": "any", "y": "any"}, bundle=bundle)
    outputs = {"x": model("x"), "y": model("y")}
    made = resolve(Unread(), "${{ steps.a }}", node, a=outputs)
    items = {name: Stored(ref=ref) for name, ref in outputs.items()}
    assert made == Bundle(type=bundle, items=items)


@pytest.mark.parametrize("bundle", ["dict", None])
def test_all_outputs_of_a_dict(bundle: str | None) -> None:
    node = step("a", outputs={"x": "any", "y": "any"}, bundle=bundle)
    made = resolve(Unread(), "${{ steps.a }}", node, a={"x": model(), "y": model("y")})
    assert made == Mapping(items={"x": Stored(ref=model()), "y": Stored(ref=model("y"))})


def test_a_repeat_as_a_whole_leaves_out_its_rounds(lab: Lab) -> None:
    body = spec(outputs={"x": 1, "y": 2}, bundle="m:Out")
    node = RepeatNode(name="r", pipeline=body, until="True", max=1)
    outputs = {n: lab.artifacts.json_of(i) for i, n in enumerate(["x", "y", "rounds"])}
    made = resolve(lab, "${{ steps.r }}", node, r=outputs)
    assert isinstance(made, Bundle)
    assert (made.type, list(made.items)) == ("m:Out", ["x", "y"])
    assert resolve(lab, "${{ steps.r.rounds }}", node, r=outputs) == Stored(ref=outputs["rounds"])


def test_displays_of_references_and_values() -> None:
    lab = Unread()
    ref = Stored(ref=model())
    assert resolve(lab, "${{ [steps.a, 1] }}", a=model()) == Sequence(items=(ref, Literal(value=1)))
    assert resolve(lab, "${{ {'m': steps.a, 'n': [2]} }}", a=model()) == Mapping(
        items={"m": ref, "n": Literal(value=[2])}
    )
    assert resolve(lab, "${{ (steps.a, 1) }}", a=model()) == Bundle(
        type="tuple", items={"0": ref, "1": Literal(value=1)}
    )
    assert resolve(lab, "${{ [1, [2, 3]] }}") == Literal(value=[1, [2, 3]])
    assert resolve(lab, "${{ {'a': {'b': 1}} }}") == Literal(value={"a": {"b": 1}})


def test_a_groups_class_is_rebuilt(lab: Lab) -> None:
    body = spec(step("a"), outputs={"x": "${{ steps.a }}", "y": 2}, bundle="m:Pair")
    graph = flatten(spec(group("g", body), step("use", x="${{ steps.g }}")), {})
    upstream = {"g/a": lab.settled(model())}
    resolver = Resolver(upstream.__getitem__, lab.artifacts, graph)
    made = resolver.input(graph.nodes["use"].bindings["x"])
    assert made == Bundle(type="m:Pair", items={"x": Stored(ref=model()), "y": Literal(value=2)})


def test_a_users_dict_is_never_taken_for_a_bundle(lab: Lab) -> None:
    value = {"$bundle": "m:Pair", "x": 1}
    graph = flatten(
        spec(step("use", x="${{ parameters.p }}"), parameters={"p": Parameter()}), {"p": value}
    )
    resolver = Resolver({}.__getitem__, lab.artifacts, graph)
    assert resolver.input(graph.nodes["use"].bindings["x"]) == Literal(value=value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("steps.a.k", [1, 2]),
        ("steps.a.k[1]", 2),
        ("steps.a.k[-1] * 10", 20),
        ("steps.a['k'][0]", 1),
        ("len(steps.a)", 2),
        ("steps.a.missing if 'missing' in steps.a else 'none'", "none"),
        ("steps.a.t and 3", 3),
    ],
)
def test_what_is_inside_of_a_value_is_computed(lab: Lab, text: str, value: Any) -> None:
    made = resolve(lab, "${{ " + text + " }}", a={"k": [1, 2], "t": True})
    assert made == Literal(value=value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("steps.a.nope", "there is no 'nope' in it (it has 'k')"),
        ("steps.a.k[7]", "there is no element 7: it has 2"),
        ("steps.a.k.x", "a list has no 'x'"),
        ("[steps.a.nope]", "there is no 'nope'"),
        ("steps.a.k + 1", "number"),
    ],
)
def test_what_is_not_there_is_a_users_error(lab: Lab, text: str, what: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        resolve(lab, "${{ " + text + " }}", a={"k": [1, 2]})
    assert what in str(caught.value)
    assert "steps.a" in str(caught.value)


def test_skipped_tasks_are_absent(lab: Lab) -> None:
    skipped = TaskStatus.SKIPPED
    assert resolve(lab, "${{ steps.a }}", a=skipped) == Absent()
    assert resolve(lab, "${{ [steps.a, 1] }}", a=skipped) == Sequence(
        items=(Absent(), Literal(value=1))
    )
    assert resolve(lab, "${{ steps.a.k }}", a=skipped) == Absent()
    assert resolve(lab, "${{ steps.a is None }}", a=skipped) == Literal(value=True)


# Elements.


def test_an_element_of_a_map(lab: Lab) -> None:
    node = mapped("a", "a", a=[1, 2])
    refs = [lab.artifacts.json_of({"k": i}) for i in range(2)]
    done = lab.artifacts.list_of(refs)
    for text, index in (("steps.a[0]", 0), ("steps.a[-1]", 1), ("steps.a.result[1]", 1)):
        made = resolve(lab, "${{ " + text + " }}", node, a=done)
        assert isinstance(made, Stored)
        assert (made.ref.digest, made.index) == (refs[index].digest, None), text
    assert resolve(lab, "${{ steps.a[1].k }}", node, a=done) == Literal(value=1)
    assert resolve(lab, "${{ steps.a[-1].k + 1 }}", node, a=done) == Literal(value=2)
    assert resolve(lab, "${{ len(steps.a) }}", node, a=done) == Literal(value=2)
    assert resolve(lab, "${{ steps.a }}", node, a=done) == Stored(ref=done)


@pytest.mark.parametrize("text", ["steps.a[2]", "steps.a[-3]", "steps.a[2].k", "steps.a[2] + 1"])
def test_an_element_that_a_map_has_not(lab: Lab, text: str) -> None:
    node = mapped("a", "a", a=[1, 2])
    done = lab.artifacts.list_of([lab.artifacts.json_of({"k": i}) for i in range(2)])
    with pytest.raises(DefinitionError, match=r"no element -?\d: it has 2"):
        resolve(lab, "${{ " + text + " }}", node, a=done)


def test_an_element_of_a_map_with_several_outputs(lab: Lab) -> None:
    node = mapped("a", "a", a=[1], outputs={"x": "any", "y": "any"}, bundle="tuple")
    done = {n: lab.artifacts.list_of([lab.artifacts.json_of(n)]) for n in "xy"}
    for text in ("steps.a[0].y", "steps.a.y[0]"):
        made = resolve(lab, "${{ " + text + " }}", node, a=done)
        assert isinstance(made, Stored)
        assert made.ref.digest == lab.artifacts.json_of("y").digest
    with pytest.raises(DefinitionError, match="no single output"):
        resolve(lab, "${{ steps.a[0] }}", node, a=done)


def test_an_element_of_a_list_that_a_step_returned() -> None:
    lab = Unread()
    done = lab.artifacts.list_of([model("x"), model("y")])
    made = resolve(lab, "${{ steps.a[1] }}", a=done)
    assert isinstance(made, Stored)
    assert (made.ref.digest, made.index) == ("blake3:y", None)
    with pytest.raises(DefinitionError, match="no element 2: it has 2"):
        resolve(lab, "${{ steps.a[2] }}", a=done)


def test_an_element_of_a_class_keeps_it(lab: Lab) -> None:
    done = lab.artifacts.json_of([point(1), {"x": 2}])
    kept = Stored(ref=done, index=0, element=lab.artifacts.elements(done)[0])
    assert resolve(lab, "${{ steps.a[0] }}", a=done) == kept
    assert resolve(lab, "${{ steps.a[-2] }}", a=done) == kept
    # Where plain data says it all, the key depends on the element alone.
    assert resolve(lab, "${{ steps.a[1] }}", a=done) == Literal(value={"x": 2})
    assert resolve(lab, "${{ steps.a[0].x }}", a=done) == Literal(value=1)


def test_elements_lie_in_blobs_of_their_own_or_in_the_lists() -> None:
    data = canonical(1)
    inside = ElementRef(digest=digest_bytes(data), size=1, format="json", offset=64, type="int")
    apart = ElementRef(digest="blake3:a", size=9, format="pickle", type="m:X", data_only=False)
    ref = ArtifactRef(digest="blake3:l", size=99, format="list", count=2)
    assert element_input(ref, (inside, apart), 0) == Stored(ref=ref, index=0)
    assert element_input(ref, (inside, apart), -2) == Stored(ref=ref, index=0)
    assert element_input(ref, (inside, apart), 1) == Stored(ref=whole(apart))
    assert whole(apart) == ArtifactRef(
        digest="blake3:a", size=9, format="pickle", type="m:X", data_only=False
    )


def test_several_outputs_are_no_value_for_an_expression(lab: Lab) -> None:
    node = step("a", outputs={"x": "any", "y": "any"})
    done = {"x": lab.artifacts.json_of(1), "y": lab.artifacts.json_of(2)}
    with pytest.raises(DefinitionError, match="several outputs: name one"):
        resolve(lab, "${{ steps.a + 1 }}", node, a=done)
    assert resolve(lab, "${{ steps.a.x + steps.a.y }}", node, a=done) == Literal(value=3)
