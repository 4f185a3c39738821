from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import BlobError, CorruptBlobError, SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers import registry
from mainspring.storage.serializers.registry import FORMATS, dump, load, preview, references


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.mark.parametrize(
    ("value", "hint", "format_name", "type_name"),
    [
        (1, int, "json", "int"),
        (np.float64(0.5), float, "json", "float"),
        (np.float64(0.5), None, "json", "float"),
        (None, None, "json", "NoneType"),
        (None, type(None), "json", "NoneType"),
        ("text", str, "text", "str"),
        ("text", None, "text", "str"),
        (b"x", None, "bytes", "bytes"),
        ([1, 2], list[int], "json", "list"),
        ((1, 2), None, "json", "tuple"),
        ({"a": {1, 2}}, None, "json", "dict"),
        (np.ones(2), np.ndarray, "npy", "numpy.ndarray"),
        ([np.ones(2)], None, "list", "list"),
        ((np.ones(2), 1), None, "list", "tuple"),
        ({"a": np.ones(2)}, None, "dict", "dict"),
        (pd.Series([1]), None, "pandas", "pandas.Series"),
        (range(3), None, "pickle", "range"),
        (bytearray(b"x"), None, "pickle", "bytearray"),
        ({range(2): np.ones(1)}, None, "pickle", "dict"),
        (np.datetime64("2024"), None, "pickle", "numpy.datetime64"),
    ],
)
def test_the_format_that_a_value_gets(
    blobs: LocalBlobs, value: object, hint: object, format_name: str, type_name: str
):
    ref = dump(value, hint, blobs)
    assert (ref.format, ref.type) == (format_name, type_name.replace("pandas.", pandas_home()))
    assert ref.size == blobs.path(ref.digest).stat().st_size
    assert dump(value, inspect.Parameter.empty, blobs).digest == ref.digest
    assert type(load(ref, blobs)).__name__ == ref.type.rpartition(".")[2]
    assert preview(ref, blobs)


def pandas_home() -> str:
    """Older versions of pandas name the module where a class is written."""
    return pd.Series.__module__ + "."


@pytest.mark.parametrize(
    ("value", "hint", "what"),
    [
        ("\ud800", str, "surrogate"),
        (["\ud800"], list[str], "surrogate"),
        ([1, object()], list[int], "JSON has no form"),
        (np.array([{}]), np.ndarray, "Python objects"),
        (1, str, "declared"),
    ],
)
def test_what_cannot_be_stored_leaves_nothing(
    blobs: LocalBlobs, value: object, hint: object, what: str
):
    with pytest.raises(SerializationError, match=what):
        dump(value, hint, blobs)
    assert list(blobs.all()) == []
    assert not (blobs.root / "tmp").exists() or os.listdir(blobs.root / "tmp") == []


@pytest.mark.parametrize("size", [3, 3 << 20])
def test_damage_is_found_when_a_value_is_read(blobs: LocalBlobs, size: int):
    ref = dump(b"x" * size, None, blobs)
    place = blobs.path(ref.digest)
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.write(b"y")
    with pytest.raises(CorruptBlobError):
        load(ref, blobs)
    with pytest.raises(BlobError, match="missing"):
        load(ref, blobs)


def test_a_reference_of_another_size_is_an_error(blobs: LocalBlobs):
    ref = dump(np.ones(1 << 20), None, blobs)
    with pytest.raises(CorruptBlobError):
        load(ArtifactRef(digest=ref.digest, size=ref.size + 1, format="npy"), blobs)


def test_a_format_from_the_future_is_an_error(blobs: LocalBlobs):
    ref = dump(1, None, blobs)
    with pytest.raises(SerializationError, match="newer version"):
        load(ArtifactRef(digest=ref.digest, size=1, format="hologram"), blobs)


def test_a_package_that_is_not_installed_is_named(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(FORMATS, "odd", "no_such_package.formats:Odd")
    with pytest.raises(SerializationError, match="no_such_package, which is not installed"):
        load(ArtifactRef(digest=dump(1, None, blobs).digest, size=1, format="odd"), blobs)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_it_is(name: str):
    serializer = registry._codecs.named(name)
    assert serializer.name == name
    assert serializer.data_only == (name not in ("pickle", "custom"))
    page = Path(__file__).parents[3] / "docs" / "reference" / "formats.md"
    assert f"`{name}`" in page.read_text("utf-8")


def test_references_reach_through_everything(blobs: LocalBlobs, tmp_path: Path):
    (tmp_path / "f").write_text("content")
    ref = dump({"a": [np.ones(1), {"b": (tmp_path / "f", np.ones(1))}]}, None, blobs)
    assert list(references(ref, blobs)) == [blobs.put(b"content")[0]]


LOADED = """
import sys
import mainspring.storage.serializers.registry as registry
from pathlib import Path
from mainspring.storage.blobs import LocalBlobs
blobs = LocalBlobs(Path(sys.argv[1]))
for value in (1, "x", b"x", [1.5], {"a": (1, 2)}, None):
    registry.preview(registry.dump(value, type(value), blobs), blobs)
heavy = {"numpy", "pandas", "sklearn", "skops", "pickle", "inspect", "logging"}
print(sorted(heavy & set(sys.modules)))
"""


def test_plain_values_load_no_heavy_package(tmp_path: Path):
    command = [sys.executable, "-c", LOADED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(eval(done.stdout)) <= {"inspect"}


MANY = """
import datetime, decimal, sys
from pathlib import Path
import numpy as np, pandas as pd
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump
words = {"alpha", "beta", "gamma", "delta", "epsilon"}
values = {
    "json": {"set": words, "frozen": frozenset(words), **{word: {word} for word in words}},
    "keys": {(word, 1): word for word in words},
    "text": "x", "bytes": b"x", "npy": np.arange(6).reshape(2, 3),
    "uninitialised": np.empty(3, np.dtype([("a", "u1"), ("b", "f8")], align=True)),
    "pandas": pd.DataFrame({"w": sorted(words), "c": pd.Categorical(sorted(words))}),
    "masked": pd.Series([1, None], dtype="Int64"),
    "list": [np.ones(3), words], "dict": {word: np.ones(2) for word in words},
    "file": Path(sys.argv[2]), "directory": Path(sys.argv[2]).parent,
    "pickle": range(3), "time": datetime.datetime(2024, 1, 1), "decimal": decimal.Decimal("1.0"),
}
for name in ("a", "b"):
    values["uninitialised"][name] = 1
blobs = LocalBlobs(Path(sys.argv[1]))
for name, value in values.items():
    print(name, dump(value, None, blobs).digest)
"""


def test_the_same_values_have_the_same_bytes_in_every_process(tmp_path: Path):
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "f.txt"
    file.write_text("content")
    outputs: list[Any] = []
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "MALLOC_PERTURB_": seed * 2}
        command = [sys.executable, "-c", MANY, str(tmp_path / seed), str(file)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0]) == 15
