"""Files read as tables: by their ending, into the library that is asked for, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers import registry, tables
from mainspring.testing.memory import MemoryBlobs


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.csv", ".csv"), ("A.PARQUET", ".parquet"), ("a.csv.gz", None), ("csv", None), ("", None)],
)
def test_endings(name: str, suffix: str | None) -> None:
    assert tables.suffix_of(name) == suffix


def test_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(SerializationError, match=r"a\.txt is not read as a table"):
        tables.read(tmp_path / "a.txt", "pandas")
    with pytest.raises(SerializationError, match="has 2"):
        tables.read(tmp_path, "pandas")
    for library in ("pandas", "polars", "pyarrow"):
        with pytest.raises(SerializationError, match=r"a\.parquet can't be read as a table: "):
            tables.read(tmp_path / "a.parquet", library)


def test_a_library_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")

    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(tables, "import_module", missing)
    with pytest.raises(SerializationError, match="polars, which is not installed"):
        tables.read(tmp_path / "a.csv", "polars")


def test_files_and_their_digests(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    (tmp_path / "d").mkdir()
    one = tmp_path / "d" / "a.csv"
    one.write_text("x\n")
    alone = registry.dump(one, None, blobs)
    folder = registry.dump(tmp_path / "d", None, blobs)
    assert tables.only_file(alone, blobs) == tables.only_file(folder, blobs) == "a.csv"
    assert tables.digests(alone, blobs)[""] == tables.digests(folder, blobs)["a.csv"]
    (tmp_path / "d" / "b").write_text("")
    assert tables.only_file(registry.dump(tmp_path / "d", None, blobs), blobs) is None
    with pytest.raises(SerializationError, match="has no files"):
        tables.digests(registry.dump([1], None, blobs), blobs)
