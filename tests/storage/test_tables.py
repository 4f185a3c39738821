"""Tables of any kind are read as rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainspring.records.errors import MainspringError
from mainspring.storage import tables


def rows(path: Path) -> list[dict[str, object]]:
    return [row for batch in tables.batches(path, path.name) for row in batch]


def test_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH", 1)
    (tmp_path / "a.csv").write_text('\ufeffx,y\n1,"a\nb"\n2,\n', encoding="utf-8")
    (tmp_path / "a.TSV").write_text("x\ty\n1\tz\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n\n{"y": [2]}\n', encoding="utf-8")
    pq.write_table(pa.table({"x": [1, None]}), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.csv") == [{"x": "1", "y": "a\nb"}, {"x": "2", "y": None}]
    assert rows(tmp_path / "a.TSV") == [{"x": "1", "y": "z"}]
    assert rows(tmp_path / "a.jsonl") == [{"x": 1}, {"y": [2]}]
    assert rows(tmp_path / "a.parquet") == [{"x": 1}, {"x": None}]
    assert tables.columns_of(tmp_path / "a.parquet", "a.parquet") == [("x", "int64")]
    assert tables.columns_of(tmp_path / "a.csv", "a.csv") == []
    assert tables.kind_of("a.txt") == ""
    assert tables.can_read("parquet")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_what_is_no_table_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe{")
    with pytest.raises(MainspringError, match="not readable as a table") as caught:
        rows(tmp_path / name)
    assert caught.value.where == name
