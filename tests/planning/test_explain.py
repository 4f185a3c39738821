"""Explanations: every kind of difference between two keys has its words, and no secret in them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.planning.explain import differences
from mainspring.records.source import CodePart, Static
from mainspring.records.stores import KeyParts

STATIC = Static(
    code=(CodePart(name="train", digest="c1", where="model.py:3"),
          CodePart(name="build", digest="c2", where="model.py:41")),
    environment={"numpy": "2.1.0", "scipy": "1.14"},
    options={"threads": "1", "output result": "int"},
    variables={"TOKEN": "blake3:secret-digest"},
    platform="linux-x86_64-3.11",
    semantics=1,
)  # fmt: skip
BEFORE = KeyParts(
    run="r1", path="train", key="key:1", static=STATIC, seed=7,
    inputs={"c": ("json:1", "1.0"), "x": ("npy:2", "ndarray 0a0a"), "m": ("skops:3+aa", "Ridge 3")},
)  # fmt: skip


def now(static: dict[str, Any] | None = None, **parts: Any) -> KeyParts:
    made = msgspec.structs.replace(STATIC, **(static or {}))
    return msgspec.structs.replace(BEFORE, run="", key="key:2", static=made, **parts)


def inputs(**changes: tuple[str, str]) -> dict[str, tuple[str, str]]:
    return {**BEFORE.inputs, **changes}


def code(*parts: tuple[str, str, str]) -> dict[str, Any]:
    return {"code": tuple(CodePart(name=n, digest=d, where=w) for n, d, w in parts)}


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (now(code(("train", "c1", "model.py:3"), ("build", "new", "model.py:44"))),
         "code changed: build changed, model.py:44"),
        (now(inputs=inputs(c=("json:9", "0.5"))), "parameter c 1.0 → 0.5"),
        (now(inputs=inputs(x=("npy:9", "ndarray 9f9f"))), "input x ndarray 0a0a → ndarray 9f9f"),
        (now(inputs=inputs(x=("json:9", "1"))), "input x ndarray 0a0a → 1"),
        (now(inputs=inputs(d=("json:9", "1"))), "input d added"),
        (now(inputs={n: v for n, v in BEFORE.inputs.items() if n != "c"}), "input c removed"),
        (now({"environment": {"numpy": "2.2.0", "scipy": "1.14"}}), "numpy 2.1.0 → 2.2.0"),
        (now({"environment": {"numpy": "2.1.0"}}), "scipy 1.14 → none"),
        (now({"environment": {**STATIC.environment, "numba": "0.60"}}), "numba none → 0.60"),
        (now({"options": {**STATIC.options, "threads": "4"}}), "option threads 1 → 4"),
        (now({"options": {**STATIC.options, "version": "2"}}), "option version none → 2"),
        (now({"variables": {"TOKEN": "blake3:other"}}), "environment variable TOKEN changed"),
        (now({"variables": {}}), "environment variable TOKEN changed"),
        (now({"platform": "linux-aarch64-3.11"}),
         "platform linux-x86_64-3.11 → linux-aarch64-3.11"),
        (now({"semantics": 2}), "a newer Mainspring runs steps differently"),
        (now(seed=8), "seed changed"),
    ],
)  # fmt: skip
def test_each_difference_has_its_words(other: KeyParts, text: str) -> None:
    assert differences(BEFORE, other) == [text]


def test_nothing_differs() -> None:
    assert differences(BEFORE, now()) == []


def test_where_a_definition_stands_is_no_difference() -> None:
    moved = code(("train", "c1", "model.py:30"), ("build", "c2", "elsewhere.py:1"))
    assert differences(BEFORE, now(moved)) == []


def test_definitions_that_came_or_went() -> None:
    found = differences(BEFORE, now(code(("train", "c1", "model.py:3"), ("new", "c9", "n.py:1"))))
    assert len(found) == 2
    assert any("build" in text for text in found)
    assert any("new" in text for text in found)
    assert all(text.startswith("code changed: ") for text in found)


def test_variables_are_named_and_never_shown() -> None:
    other = now({"variables": {"TOKEN": "blake3:another-digest"}})
    assert "digest" not in " ".join(differences(BEFORE, other))


def test_an_inputs_class_that_changed_while_its_content_did_not() -> None:
    other = now(inputs=inputs(m=("skops:3+bb", "Ridge 3")))
    assert differences(BEFORE, other) == ["code changed: a class of input m"]


def test_long_values_that_begin_alike() -> None:
    """`[1,2,… → [1,2,…` would say nothing."""
    long = "[1,2,3,…"
    before = msgspec.structs.replace(BEFORE, inputs={"xs": ("json:1", long)})
    assert differences(before, now(inputs={"xs": ("json:2", long)})) == [
        f"parameter xs changed: {long}"
    ]


def test_what_weighs_most_comes_first() -> None:
    found = differences(
        BEFORE,
        now(
            {**code(("train", "new", "model.py:3"), ("build", "c2", "model.py:41")),
             "environment": {"numpy": "3", "scipy": "1.14"}, "platform": "other"},
            inputs=inputs(c=("json:2", "2.0")), seed=9,
        ),
    )  # fmt: skip
    assert [text.split()[0] for text in found] == ["code", "parameter", "numpy", "platform", "seed"]
