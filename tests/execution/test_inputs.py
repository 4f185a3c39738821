from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring.definition.nodes import Port
from mainspring.definition.step import step
from mainspring.execution.inputs import MISSING, arguments, loader, value_of
from mainspring.records.artifacts import Absent, Bundle, Input, Literal, Mapping, Sequence, Stored
from mainspring.storage.serializers import registry
from mainspring.testing.memory import MemoryBlobs


@step
def takes(x: int, y: int = 7) -> int:
    return x + y


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


def test_every_form_nested(blobs: MemoryBlobs, tmp_path: Path) -> None:
    load = loader(blobs, tmp_path)
    stored = Stored(ref=registry.dump([1, 2], list[int], blobs))
    parts = [registry.dump(n, int, blobs) for n in (10, 20)]
    element = Stored(ref=registry.make_list(parts, blobs), index=1)
    pair = Bundle(type="tuple", items={"1": Literal(value="b"), "0": stored})
    given = Mapping(items={"all": Sequence(items=(stored, element, Absent(), pair))})
    assert value_of(given, load) == {"all": [[1, 2], 20, None, ([1, 2], "b")]}


def test_a_file_is_laid_out_in_the_working_directory(blobs: MemoryBlobs, tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("a,b\n")
    ref = registry.dump(source, Path, blobs)  # type: ignore[arg-type]
    work = tmp_path / "work"
    work.mkdir()
    found = value_of(Stored(ref=ref), loader(blobs, work))
    assert found.read_text() == "a,b\n"
    assert found != source


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"x": Literal(value=1), "y": Literal(value=2)}, {"x": 1, "y": 2}),
        ({"x": Literal(value=1), "y": Absent()}, {"x": 1}),
        ({"x": Absent(), "y": Absent()}, {"x": None}),
        ({"x": Literal(value=None)}, {"x": None}),
    ],
)
def test_an_absent_input_takes_the_ports_default(
    inputs: dict[str, Input], expected: dict[str, Any]
) -> None:
    ports: dict[str, Port] = dict(takes.inputs)
    assert arguments(inputs, ports, lambda _: None) == expected


def test_absent_as_a_whole_is_not_none() -> None:
    assert value_of(Absent(), lambda _: None) is MISSING
    assert value_of(Literal(value=None), lambda _: None) is None
