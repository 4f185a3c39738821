from __future__ import annotations

import fractions
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump, load, preview


class Thing:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Explodes:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def test_a_pickle_is_marked(blobs: LocalBlobs):
    value = {1: Thing(x=fractions.Fraction(1, 3), big=np.ones(1 << 18))}
    ref = dump(value[1], None, blobs)
    assert (ref.format, ref.data_only) == ("pickle", False)
    again: Any = load(ref, blobs)
    assert again.x == fractions.Fraction(1, 3)
    assert np.array_equal(again.big, np.ones(1 << 18))
    assert blobs.read(ref.digest)[:2] == b"\x80\x05"


def test_a_pickle_can_be_refused_both_ways(blobs: LocalBlobs):
    with pytest.raises(SerializationError, match="only be stored as pickle") as caught:
        dump(Thing(x=1), None, blobs, allow_pickle=False)
    assert "Thing" in caught.value.what
    assert caught.value.hint
    assert list(blobs.all()) == []
    ref = dump(Explodes(), None, blobs)
    with pytest.raises(SerializationError, match="refused here"):
        load(ref, blobs, allow_pickle=False)
    hidden = ArtifactRef(digest=ref.digest, size=ref.size, format="pickle")  # lies: data_only
    with pytest.raises(SerializationError, match="refused here"):
        load(hidden, blobs, allow_pickle=False)
    inside = dump([np.ones(1), Explodes()], None, blobs)
    lying = ArtifactRef(digest=inside.digest, size=inside.size, format="list")
    with pytest.raises(SerializationError, match="refused here"):
        load(lying, blobs, allow_pickle=False)


def test_preview_runs_no_pickle(blobs: LocalBlobs, tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    text = preview(dump([np.ones(1), Explodes()], None, blobs), blobs)
    assert "touch" in text
    assert not (tmp_path / "exploded").exists()


def local_class() -> type:
    class Inner:
        pass

    return Inner


@pytest.mark.parametrize(
    ("value", "where", "what"),
    [
        (lambda x: x, "result", "is a lambda"),
        (Thing(model={"f": [1, lambda x: x]}), "result.model['f'][1]", "is a lambda"),
        (Thing(a=Thing(b=local_class()())), "result.a.b", "local object"),
        (Thing(cls=local_class()), "result.cls", "inside a function"),
        (Thing(lock=threading.Lock()), "result.lock", "cannot pickle"),
        (Thing(g=(x for x in ())), "result.g", "cannot pickle"),
    ],
)
def test_what_cannot_be_pickled_is_named_with_its_place(
    blobs: LocalBlobs, value: object, where: str, what: str
):
    with pytest.raises(SerializationError, match=what) as caught:
        dump(value, None, blobs)
    assert caught.value.where == where
    assert "top level" in str(caught.value.hint)
    assert " at 0x" not in str(caught.value)
    assert list(blobs.all()) == []


@pytest.mark.parametrize("data", [b"", b"\x80\x05", b"\x80\x05cno_such_module\nX\n.", b"garbage"])
def test_a_pickle_that_cannot_be_read_is_one_clear_error(blobs: LocalBlobs, data: bytes):
    digest, size = blobs.put(data)
    ref = ArtifactRef(digest=digest, size=size, format="pickle", data_only=False)
    with pytest.raises(SerializationError, match="can't be read"):
        load(ref, blobs)
