"""The verb `artifacts export`: write a value as a file that other programs read, where it has one.

Values are read as data only: nothing is unpickled, and no format of the project is asked.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import msgspec

from mainspring.app.artifacts import check_free, settle
from mainspring.app.project import Project
from mainspring.app.reader import plain
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import ConflictError, MainspringError
from mainspring.storage.serializers import registry

TABLES = frozenset({"arrow", "pandas", "npy", "json"})
PICTURES = frozenset({"image", "figure"})


def export(project: Project, ref: ArtifactRef, target: Path, *, force: bool = False) -> Path:
    """Write the value to `target`, as the end of its name says, whole or not at all.

    Raises ConflictError when something is there (unless `force`), MainspringError when the value
    has no such form.
    """
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise MainspringError(
            f"there is no export to {target.suffix or 'a file without an ending'}",
            where=str(target),
            hint=f"there is {', '.join(_WRITERS)}; `artifacts get` copies out the stored file",
        )
    project.refuse_home(target)
    check_free(target, force=force)
    if target.is_dir() and not target.is_symlink():
        raise ConflictError(f"{target} is a directory", hint="give the name of a file")

    def make(scratch: Path) -> Path:
        made = scratch / "export"
        write(project, ref, made)
        return made

    return settle(target, make)


def _json(project: Project, ref: ArtifactRef, target: Path) -> None:
    if ref.format == "plotly":
        target.write_bytes(project.blobs.read(ref.digest))
        return
    if ref.format != "json":
        raise _refusal(ref, ".json", "export a table as .csv or .parquet, an array as .npy")
    value = _plain(project, ref)
    if _has_no_number(value):
        raise _refusal(ref, ".json", "it holds a NaN or an infinity, which JSON has no form for")
    try:
        data = msgspec.json.encode(value, order="deterministic")
    except (TypeError, ValueError, OverflowError) as error:
        raise _refusal(ref, ".json", str(error)) from error
    target.write_bytes(msgspec.json.format(data) + b"\n")


def _csv(project: Project, ref: ArtifactRef, target: Path) -> None:
    _with_arrow(ref, ".csv", target, _table(project, ref, ".csv"), "pyarrow.csv", "write_csv")


def _parquet(project: Project, ref: ArtifactRef, target: Path) -> None:
    table = _table(project, ref, ".parquet")
    _with_arrow(ref, ".parquet", target, table, "pyarrow.parquet", "write_table")


def _with_arrow(
    ref: ArtifactRef, suffix: str, target: Path, table: Any, module: str, name: str
) -> None:
    errors: Any = import_module("pyarrow.lib")
    try:
        getattr(import_module(module), name)(table, target)
    except errors.ArrowException as error:
        raise _refusal(ref, suffix, str(error).partition("\n")[0]) from error


def _table(project: Project, ref: ArtifactRef, suffix: str) -> Any:
    """The value as a pyarrow Table."""
    if ref.format not in TABLES:
        raise _refusal(ref, suffix, "only tables, arrays and lists of records have rows")
    try:
        arrow: Any = import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise MainspringError(
            f"an export to {suffix} needs the package pyarrow", hint="install it: uv add pyarrow"
        ) from error
    value = _plain(project, ref) if ref.format == "json" else _value(project, ref)
    try:
        return _as_table(value, arrow)
    except (arrow.lib.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise _refusal(ref, suffix, str(error).partition("\n")[0]) from error


def _as_table(value: Any, arrow: Any) -> Any:
    name = type(value).__module__.partition(".")[0]
    if isinstance(value, list):
        rows = cast("list[Any]", value)
        if not rows or not all(isinstance(row, dict) for row in rows):
            raise ValueError("it is no list of records with named fields")
        return arrow.Table.from_pylist(rows)
    if name in ("pandas", "polars"):
        frame = value if hasattr(value, "columns") else value.to_frame(value.name or "value")
        return arrow.Table.from_pandas(frame) if name == "pandas" else frame.to_arrow()
    if name == "numpy":
        if value.dtype.names is not None or value.ndim not in (1, 2):
            raise ValueError("only arrays of one or two dimensions have rows and columns")
        columns = [value] if value.ndim == 1 else list(value.T)
        return arrow.table({str(at): arrow.array(column) for at, column in enumerate(columns)})
    return _from_arrow(value, arrow)


def _from_arrow(value: Any, arrow: Any) -> Any:
    if isinstance(value, arrow.Table):
        return value
    if isinstance(value, arrow.RecordBatch):
        return arrow.Table.from_batches([value])
    if isinstance(value, arrow.Array | arrow.ChunkedArray):
        return arrow.table({"value": value})
    raise ValueError("it has no rows")


def _npy(project: Project, ref: ArtifactRef, target: Path) -> None:
    if ref.format == "npy":
        _copied(project, ref, target)
        return
    numpy: Any = import_module("numpy")
    try:
        found = _array(project, ref, numpy)
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise _refusal(ref, ".npy", str(error).partition("\n")[0]) from error
    if found is None or found.dtype.kind not in "biufcMm":
        raise _refusal(ref, ".npy", "only arrays, tensors, columns and lists of numbers are one")
    with target.open("wb") as file:
        numpy.save(file, found, allow_pickle=False)


def _array(project: Project, ref: ArtifactRef, numpy: Any) -> Any:
    if ref.format == "json":
        value = _plain(project, ref)
        return numpy.array(value) if isinstance(value, list) else None
    if ref.format not in ("safetensors", "pandas", "arrow", "masked"):
        return None
    value = _value(project, ref)
    if ref.format == "safetensors":
        return value.detach().numpy() if hasattr(value, "detach") else None
    if ref.format == "masked" or not hasattr(value, "to_numpy"):
        return None
    return value.to_numpy()


def _png(project: Project, ref: ArtifactRef, target: Path) -> None:
    if ref.format in PICTURES:
        _copied(project, ref, target)
        return
    value = _value(project, ref) if ref.format == "npy" else None
    shape = getattr(value, "shape", ())
    grey = len(shape) == 2
    if value is None or str(value.dtype) != "uint8" or not (
        grey or (len(shape) == 3 and shape[2] in (3, 4))
    ):  # fmt: skip
        raise _refusal(
            ref, ".png", "only images, figures, and uint8 arrays (height, width[, 3 or 4]) are one"
        )
    pictures: Any = import_module("PIL.Image")
    pictures.fromarray(value).save(target, format="PNG")


def _copied(project: Project, ref: ArtifactRef, target: Path) -> None:
    shutil.copyfile(project.blobs.path(ref.digest), target)


def _value(project: Project, ref: ArtifactRef) -> Any:
    return registry.load(ref, project.blobs, allow_pickle=False)


def _plain(project: Project, ref: ArtifactRef) -> Any:
    return plain(msgspec.json.decode(project.blobs.read(ref.digest)))


def _has_no_number(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_has_no_number, cast("dict[Any, Any]", value).values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_no_number, cast("list[Any]", value)))
    return False


def _refusal(ref: ArtifactRef, suffix: str, reason: str) -> MainspringError:
    return MainspringError(
        f"a {ref.type or ref.format} can't be exported to {suffix}: {reason}",
        hint="`mainspring artifacts get` copies out the stored file",
    )


_WRITERS: dict[str, Callable[[Project, ArtifactRef, Path], None]] = {
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    ".npy": _npy,
    ".png": _png,
}
