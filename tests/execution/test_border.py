from __future__ import annotations

import pytest

from mainspring.execution import border
from mainspring.records.artifacts import (
    ArtifactRef,
    Bundle,
    ElementRef,
    Input,
    Literal,
    Mapping,
    Sequence,
    Stored,
)
from mainspring.records.errors import SerializationError

PLAIN = ArtifactRef(digest="d", size=1, format="npy")
PICKLE = ArtifactRef(digest="d", size=1, format="pickle", data_only=False)
ELEMENT = ElementRef(digest="d", size=1, format="npy")


@pytest.mark.parametrize(
    "given",
    [
        Stored(ref=PICKLE),
        Sequence(items=(Literal(value=1), Stored(ref=PICKLE))),
        Mapping(items={"a": Stored(ref=PICKLE)}),
        Bundle(type="tuple", items={"a": Sequence(items=(Stored(ref=PICKLE),))}),
    ],
)
def test_a_pickle_is_refused_however_deep(given: Input) -> None:
    with pytest.raises(SerializationError, match="the input x is pickled"):
        border.check_inputs({"x": given})


def test_data_passes() -> None:
    border.check_inputs({
        "a": Stored(ref=PLAIN), "b": Literal(value=1),
        "c": Stored(ref=PICKLE, index=0, element=ELEMENT),
    })  # fmt: skip
    border.check_outputs({"a": PLAIN}, "flow.py:1")
    with pytest.raises(SerializationError, match=r"flow.py:1: the output a can only be pickled"):
        border.check_outputs({"a": PICKLE}, "flow.py:1")
