from __future__ import annotations

import collections
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
import pytest

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import classes, dump, index_of, load, preview

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Scores(Generic[T]):
    values: np.ndarray
    more: T


class Pair(NamedTuple):
    left: np.ndarray
    right: int


class Packed(msgspec.Struct):
    values: Any


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("things")
    for cls in (Scores, Pair, Packed):
        monkeypatch.setattr(cls, "__module__", "things")
        setattr(module, cls.__name__, cls)
    monkeypatch.setitem(sys.modules, "things", module)


def again(value: Any, blobs: LocalBlobs, format_name: str = "object") -> Any:
    ref = dump(value, None, blobs, allow_pickle=False)
    assert ref.format == format_name
    assert preview(ref, blobs)
    found = load(ref, blobs, allow_pickle=False)
    assert type(found) is type(value)
    assert dump(found, None, blobs, allow_pickle=False).digest == ref.digest
    return found


def test_objects_with_arrays_come_back(blobs: LocalBlobs):
    inner = Scores(np.ones(2), [Pair(np.zeros(3), 1)])
    found = again(Scores(np.arange(3), {"a": inner}), blobs)
    assert found.values.tolist() == [0, 1, 2]
    assert found.more["a"].more[0].left.tolist() == [0, 0, 0]
    assert again(Packed(np.ones(1)), blobs).values.tolist() == [1]
    assert again(Pair(np.ones(1), 2), blobs).right == 2


def test_the_classes_in_a_value_are_known(blobs: LocalBlobs):
    value = [{"a": Scores(np.ones(1), Pair(np.ones(1), 2))}, np.ones(1)]
    ref = dump(value, None, blobs)
    assert set(classes(ref, blobs)) == {"things:Scores", "things:Pair"}


def test_collections_come_back(blobs: LocalBlobs):
    ordered = collections.OrderedDict([("b", np.ones(1)), ("a", 2)])
    assert list(again(ordered, blobs)) == ["b", "a"]
    assert again(collections.deque([1, 2], 3), blobs).maxlen == 3
    assert again(collections.Counter("abca"), blobs) == {"a": 2, "b": 1, "c": 1}
    known = again(collections.defaultdict(list, {1: [2]}), blobs)
    assert known["new"] == []
    assert again([collections.OrderedDict(a=1)], blobs, "list")


def test_a_pydantic_model_comes_back(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch):
    import pydantic

    class Config(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        rate: float
        values: Any = None

    Config.__module__, Config.__qualname__ = "things", "Config"
    setattr(sys.modules["things"], "Config", Config)  # noqa: B010
    found = again(Config(rate=0.5), blobs)
    assert found == Config(rate=0.5)
    assert found.model_fields_set == {"rate"}
    assert again(Config(rate=1, values=np.ones(2)), blobs).values.tolist() == [1, 1]


def test_estimators_of_boosting_libraries_predict_the_same(blobs: LocalBlobs):
    import lightgbm
    import xgboost

    x = np.random.RandomState(0).rand(60, 3)
    y = (x[:, 0] > 0.5).astype(int)
    boosted = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(x, y)
    light = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1).fit(x, y)
    for model in (boosted, light):
        assert (again(model, blobs).predict_proba(x) == model.predict_proba(x)).all()
    assert again(xgboost.XGBRegressor(max_depth=2), blobs).get_params()["max_depth"] == 2


def test_a_class_has_to_be_what_the_data_says(blobs: LocalBlobs):
    ref = dump(Scores(np.ones(1), 0), None, blobs)
    data = blobs.read(ref.digest).replace(b"things:Scores", b"things:Packed")
    digest, size = blobs.put(data)
    with pytest.raises(SerializationError, match="as a dataclass, but it is none"):
        load(ArtifactRef(digest=digest, size=size, format="object"), blobs)


def test_a_generator_is_stored_element_by_element(blobs: LocalBlobs):
    alive: list[int] = []

    def rows() -> Iterator[np.ndarray]:
        for number in range(50):
            alive.append(number)
            yield np.full(1000, number)

    ref = dump(rows(), Iterator[np.ndarray], blobs)
    assert (ref.format, ref.type, ref.count) == ("list", "list", 50)
    assert len(index_of(ref, blobs)) == len(alive) == 50
    assert load(ref, blobs, index=7)[0] == 7  # type: ignore[index]
    assert ref.digest == dump(list(rows()), list[np.ndarray], blobs).digest
    assert dump(iter([1]), Iterator[int], blobs).count == 1
