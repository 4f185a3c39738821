"""Files that are tables (CSV, TSV, JSON lines, Parquet), read some rows at a time."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from mainspring.records.errors import MainspringError

BATCH = 5_000  # rows that are in memory
_KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
          ".parquet": "parquet", ".pq": "parquet"}  # fmt: skip

Rows = list[dict[str, Any]]


def kind_of(name: str) -> str:
    """Which kind of table a file is by its name: "csv", "jsonl", "parquet" or ""."""
    return _KINDS.get(Path(name).suffix.lower(), "")


def can_read(kind: str) -> bool:
    """Whether what reads that kind is installed."""
    if kind != "parquet":
        return True
    return importlib.util.find_spec("pyarrow") is not None


def batches(path: Path, name: str) -> Iterator[Rows]:
    """The rows of a table whose name is `name`, in order. An empty text in a CSV file is missing.

    Raises MainspringError for what is not such a table.
    """
    read = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[kind_of(name)]
    try:
        yield from read(path, name)
    except (csv.Error, UnicodeDecodeError, msgspec.DecodeError, OSError, ValueError) as error:
        raise MainspringError(f"is not readable as a table: {error}", where=name) from error


def columns_of(path: Path, name: str) -> list[tuple[str, str]]:
    """The columns and their types, as far as the file says: CSV and JSON lines don't."""
    if kind_of(name) != "parquet":
        return []
    pq: Any = importlib.import_module("pyarrow.parquet")
    return [(field.name, str(field.type)) for field in pq.read_schema(path)]


def _csv(path: Path, name: str) -> Iterator[Rows]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if name.lower().endswith("tsv") else ",")
        while rows := list(itertools.islice(reader, BATCH)):
            yield [
                {str(key): value or None for key, value in row.items() if key is not None}
                for row in rows
            ]


def _jsonl(path: Path, name: str) -> Iterator[Rows]:  # noqa: ARG001
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with path.open("rb") as file:
        lines = (line for line in file if line.strip())
        while rows := [decode(line) for line in itertools.islice(lines, BATCH)]:
            yield rows


def _parquet(path: Path, name: str) -> Iterator[Rows]:  # noqa: ARG001
    pa: Any = importlib.import_module("pyarrow")
    pq: Any = importlib.import_module("pyarrow.parquet")
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                yield batch.to_pylist()
    except pa.ArrowException as error:
        raise ValueError(str(cast("object", error)).splitlines()[0]) from error
