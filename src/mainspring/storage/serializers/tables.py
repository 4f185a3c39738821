"""A file read as a table, by its name's ending, into the library that a step asks for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import SerializationError
from mainspring.records.ports import Blobs
from mainspring.storage.folders.content import Content

_FILES = ("file", "directory", "reference")
SUFFIXES = (".parquet", ".csv", ".jsonl", ".ndjson", ".arrow", ".feather")


def suffix_of(name: str) -> str | None:
    """Return the ending by which a file is read as a table; None where it can't be."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def only_file(ref: ArtifactRef, blobs: Blobs) -> str | None:
    """Return the name of the file that an artifact is, or of the only one in a directory."""
    if ref.format not in _FILES:
        return None
    found = list(islice(Content(ref, blobs).files(), 2))
    return found[0].name if len(found) == 1 else None


def digests(ref: ArtifactRef, blobs: Blobs) -> dict[str, str]:
    """Return the digest of each file of an artifact, by its path in it; the path of an artifact
    that is a file is "". Raises SerializationError where it is no files."""
    if ref.format not in _FILES:
        raise SerializationError(f"a value of format {ref.format} has no files")
    content = Content(ref, blobs)
    return {"" if content.kind == "file" else entry.name: entry.digest for entry in content.files()}


def read(path: Path, library: str) -> Any:
    """Return the table in a file (or in the only file of a directory): a `pandas.DataFrame`,
    `polars.DataFrame` or `pyarrow.Table`. Raises SerializationError."""
    if path.is_dir():
        found = [inner for inner in path.rglob("*") if inner.is_file()]
        if len(found) != 1:
            raise SerializationError(f"a table is one file, and {path.name} has {len(found)}")
        path = found[0]
    suffix = suffix_of(path.name)
    if suffix is None:
        raise SerializationError(
            f"{path.name} is not read as a table", hint=f"known are {', '.join(SUFFIXES)}"
        )
    try:
        return _READERS[library](path, suffix)
    except ImportError as error:
        raise SerializationError(
            f"{path.name} is to be read by {library}, which is not installed ({error})",
            hint=f"add {library} to the project's environment",
        ) from None
    except Exception as error:
        # The library's own words say what is wrong with the file; their classes differ.
        raise SerializationError(
            f"{path.name} can't be read as a table: {type(error).__name__}: {error}"
        ) from error


def _pandas(path: Path, suffix: str) -> Any:
    pandas: Any = import_module("pandas")
    if suffix == ".parquet":
        return pandas.read_parquet(path)
    if suffix == ".csv":
        return pandas.read_csv(path)
    if suffix in (".jsonl", ".ndjson"):
        return pandas.read_json(path, lines=True)
    return _pyarrow(path, suffix).to_pandas()


def _polars(path: Path, suffix: str) -> Any:
    polars: Any = import_module("polars")
    if suffix == ".parquet":
        return polars.read_parquet(path)
    if suffix == ".csv":
        return polars.read_csv(path)
    if suffix in (".jsonl", ".ndjson"):
        return polars.read_ndjson(path)
    with path.open("rb") as file:
        streamed = file.read(6) != b"ARROW1"
    return polars.read_ipc_stream(path) if streamed else polars.read_ipc(path)


def _pyarrow(path: Path, suffix: str) -> Any:
    if suffix == ".parquet":
        parquet: Any = import_module("pyarrow.parquet")
        return parquet.read_table(path)
    if suffix == ".csv":
        csv: Any = import_module("pyarrow.csv")
        return csv.read_csv(path)
    if suffix in (".jsonl", ".ndjson"):
        json: Any = import_module("pyarrow.json")
        return json.read_json(path)
    ipc: Any = import_module("pyarrow.ipc")
    data: Any = import_module("pyarrow")
    with path.open("rb") as file:
        streamed = file.read(6) != b"ARROW1"
    with data.memory_map(str(path)) as source:
        opened = ipc.open_stream(source) if streamed else ipc.open_file(source)
        return opened.read_all()


_READERS: dict[str, Callable[[Path, str], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
}
