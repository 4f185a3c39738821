"""Keys: equal for equal computations, different for all others; seeds that insertion leaves."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.planning.keys import SEMANTICS, SHORT, input_digest, short, task_key, task_seed
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
from mainspring.storage.serializers import jsonvalues

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=4)
    | st.sampled_from(["$float", "nan", "$escaped", "null", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$float", "$escaped", "a", "b"])
            | st.text(st.characters(codec="utf-8"), max_size=2),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def exact(value: Any) -> Any:
    """The value in a form in which 1, 1.0 and True, and 0.0 and -0.0, differ and NaN is NaN."""
    if isinstance(value, list | tuple):
        return ("list", *map(exact, value))
    if isinstance(value, dict):
        return ("dict", *sorted((key, exact(item)) for key, item in value.items()))
    return (type(value).__name__, repr(value))


def stored(name: str, **more: Any) -> Stored:
    return Stored(ref=ArtifactRef(digest=f"blake3:{name}", size=1, format="npy"), **more)


@given(json_values, json_values)
def test_two_literals_have_one_digest_only_if_they_are_the_same(one: Any, other: Any) -> None:
    same = input_digest(Literal(value=one)) == input_digest(Literal(value=other))
    assert same == (exact(one) == exact(other))


NEAR = [
    None, math.nan, math.inf, -math.inf, 0, 0.0, -0.0, False, 1, 1.0, True, "", "1", "nan", "null",
    [], {}, [None], [[]], {"a": None}, {"$float": "nan"}, {"$float": "inf"}, [math.nan],
    {"$escaped": {"$float": "nan"}}, {"$escaped": {"$escaped": {"$float": "nan"}}},
    {"$float": "nan", "a": 1}, {"a": {"$float": "nan"}}, {"a": math.nan},
]  # fmt: skip


def test_values_that_are_easily_confused_have_digests_of_their_own() -> None:
    digests = [input_digest(Literal(value=value)) for value in NEAR]
    assert len(set(digests)) == len(NEAR)


@given(json_values)
def test_a_json_artifact_and_the_same_literal_are_one(value: Any) -> None:
    data = jsonvalues.encode(value)
    ref = ArtifactRef(digest=digest_bytes(data), size=len(data), format="json", type="any")
    assert input_digest(Stored(ref=ref)) == input_digest(Literal(value=value))


@pytest.mark.parametrize("value", NEAR, ids=repr)
def test_that_holds_for_the_odd_ones_too(value: Any) -> None:
    data = jsonvalues.encode(value)
    ref = ArtifactRef(digest=digest_bytes(data), size=len(data), format="json")
    assert input_digest(Stored(ref=ref)) == input_digest(Literal(value=value))


def test_the_order_of_a_dicts_keys_says_nothing() -> None:
    one, other = Literal(value={"a": 1, "b": 2}), Literal(value={"b": 2, "a": 1})
    assert input_digest(one) == input_digest(other)
    two = Mapping(items={"a": stored("x"), "b": stored("y")})
    turned = Mapping(items={"b": stored("y"), "a": stored("x")})
    assert input_digest(two) == input_digest(turned)


def test_the_format_counts_but_not_where_it_lies() -> None:
    one = ArtifactRef(digest="blake3:x", size=1, format="npy", type="a")
    other = ArtifactRef(digest="blake3:x", size=1, format="arrow", type="a")
    assert input_digest(Stored(ref=one)) != input_digest(Stored(ref=other))
    entry = ElementRef(digest="blake3:x", size=1, format="npy", offset=640)
    packed = stored("list", index=3)
    assert input_digest(packed, entry) == input_digest(Stored(ref=one))


def test_inputs_of_different_make_differ() -> None:
    x, y = stored("x"), stored("y")
    made: list[Input] = [
        x, y, stored("x", index=0), stored("x", index=1), Absent(), Literal(value="absent"),
        Sequence(items=()), Sequence(items=(x,)), Sequence(items=(x, y)), Sequence(items=(y, x)),
        Sequence(items=(Sequence(items=(x,)), y)), Sequence(items=(Sequence(items=(x, y)),)),
        Sequence(items=(x, Absent())), Mapping(items={}), Mapping(items={"a": x}),
        Mapping(items={"a": x, "b": y}), Mapping(items={"a": y, "b": x}), Mapping(items={"b": x}),
        Bundle(type="tuple", items={"0": x, "1": y}), Bundle(type="tuple", items={"0": x}),
        Bundle(type="m:A", items={"0": x}), Bundle(type="m:B", items={"0": x}),
        Bundle(type="m:A", items={"0": Absent()}),
    ]  # fmt: skip
    assert len({input_digest(value) for value in made}) == len(made)


named = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
    st.sampled_from(["json:1", "json:2", "absent", "npy:3"]),
    max_size=4,
)


@given(named, named, st.sampled_from(["s", "t", ""]), st.sampled_from(["s", "t"]),
       st.integers(0, 3), st.integers(0, 3))  # fmt: skip
def test_keys_differ_where_anything_does(
    one: dict[str, str], other: dict[str, str], first: str, second: str, seed: int, more: int
) -> None:
    def key(static: str, inputs: dict[str, str], number: int) -> str:
        return task_key(static, {n: (digest, "text") for n, digest in inputs.items()}, number)

    same = (first, one, seed) == (second, other, more)
    assert (key(first, one, seed) == key(second, other, more)) == same


@given(st.permutations(["a", "b", "c"]))
def test_the_order_and_the_texts_of_inputs_say_nothing(names: list[str]) -> None:
    made = task_key("s", {name: (f"json:{name}", "now") for name in names}, 1)
    assert made == task_key("s", {name: (f"json:{name}", "then") for name in "abc"}, 1)
    assert made.startswith("key:")


def test_keys_outlive_the_program_that_made_them() -> None:
    """They may change only together with SEMANTICS, or every result on disk is lost unsaid."""
    assert SEMANTICS == 1
    inputs: dict[str, Input] = {"x": Literal(value={"b": [1, 2.5, None], "a": "ü"}),
                                "y": Sequence(items=(stored("m"), Absent()))}  # fmt: skip
    digests = {name: (input_digest(value), short(value)) for name, value in inputs.items()}
    assert (
        digests["x"][0]
        == "json:blake3:cc30950936d283359c1ec7f15c02a31376fe7a0753210cd3aa85b00c69f78dd5"
    )
    assert (
        digests["y"][0]
        == "sequence:ee1781c776527b0ec37660c078a51a72720eb2b743b6800e742920532655a6f0"
    )
    assert task_seed(0, "train", None) == 6584732517201307841
    assert (
        task_key("blake3:static", digests, 7)
        == "key:82de90885ae1812d773422f5daeacfa7a2bf66d31192acc6d9a75349bedba91e"
    )


@given(st.integers(), st.text(max_size=5), st.text(max_size=5) | st.none())
def test_seeds_are_small_enough_for_every_generator(
    run_seed: int, path: str, element: str | None
) -> None:
    assert 0 <= task_seed(run_seed, path, element) < 2**63


@given(st.lists(st.integers(0, 2**64), min_size=2, max_size=6, unique=True))
def test_inserting_an_element_leaves_the_seeds_of_the_others(values: list[int]) -> None:
    def seeds(items: list[int]) -> dict[int, int]:
        digests = {item: input_digest(Literal(value=item)) for item in items}
        return {item: task_seed(0, "train", digest) for item, digest in digests.items()}

    every, fewer = seeds(values), seeds(values[1:])
    assert all(every[item] == seed for item, seed in fewer.items())
    assert len(set(every.values())) == len(values)


def test_seeds_depend_on_run_step_and_element() -> None:
    given = [(0, "a", None), (1, "a", None), (0, "b", None), (0, "a", "x"), (0, "a", "y")]
    assert len({task_seed(*each) for each in given}) == len(given)


# Texts for people.


@given(json_values)
def test_short_texts_are_short(value: Any) -> None:
    made = short(Literal(value=value))
    assert 0 < len(made) <= SHORT
    full = canonical(value).decode()
    assert made == full or (made.endswith("…") and full.startswith(made[:-1]))


def test_short_texts() -> None:
    ref = ArtifactRef(digest="blake3:0123456789abcdef", size=1, format="npy", type="np.ndarray")
    entry = ElementRef(digest="blake3:fedcba9876543210", size=1, format="npy")
    assert short(Literal(value={"b": 1, "a": "x"})) == '{"a":"x","b":1}'
    assert short(Stored(ref=ref)) == "ndarray 01234567"
    assert short(Stored(ref=ref, index=2), entry) == "ndarray fedcba98"
    assert short(Stored(ref=ArtifactRef(digest="blake3:0" + "1" * 9, size=1, format="npy"))) == (
        "npy 01111111"
    )
    several = Sequence(items=(Stored(ref=ref), Absent()))
    assert short(several).startswith("2 values ")
    assert short(several) != short(Sequence(items=(Absent(), Stored(ref=ref))))
    assert short(Absent()) == "absent"


def test_a_literal_can_be_told_by_its_digest() -> None:
    """`why` calls it a parameter."""
    assert input_digest(Literal(value=1)).startswith("json:")
    assert not input_digest(stored("x")).startswith("json:")
