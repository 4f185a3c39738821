"""What a step calls while it runs: log, figure, table, workdir, rng.

Outside a worker a step stays a plain function: logging checks its arguments and keeps nothing.
"""

from __future__ import annotations

import json
import math
import mimetypes
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from mainspring.execution.attempt_files import AttemptFiles
from mainspring.records.errors import MainspringError
from mainspring.records.ports import Blobs

if TYPE_CHECKING:
    from numpy.random import Generator

LONGEST_NAME = 500
"""Characters of the name of a metric, figure or table at most."""

_APPEND = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class Context:
    """The attempt that this process works on. `attempt` serves as an idempotency key."""

    attempt: str
    run: str
    task: str
    seed: int


class _Channel:
    """Where this process's telemetry goes; nowhere until a worker opens it."""

    def __init__(self) -> None:
        self.context: Context | None = None
        self.files: AttemptFiles | None = None
        self.blobs: Blobs | None = None
        self.metrics = -1
        self.names: dict[str, str] = {}
        self.lock = threading.Lock()
        self.rng: Any = None
        self.scratch: Path | None = None


_channel = _Channel()


def open_channel(context: Context, files: AttemptFiles, blobs: Blobs) -> None:
    """Called by the worker before the step: telemetry goes to the attempt's files from here on."""
    _channel.context, _channel.files, _channel.blobs = context, files, blobs


def store_of() -> Blobs | None:
    """Where the values of the attempt being worked on go; None outside a worker."""
    return _channel.blobs


def context() -> Context | None:
    """The attempt being worked on, or None outside a worker."""
    return _channel.context


def log(
    values: Mapping[str, Any] | None = None, /, *, step: float | None = None, **more: Any
) -> None:
    """Record scalar metrics: `log(loss=0.3, step=12)` or `log({"loss": 0.3}, step=12)`.

    They are in the attempt's file when the call returns: a step that is killed loses none.
    Raises MainspringError when a value is not a number.
    """
    at = repr(time.time())
    counter = "null" if step is None else _number(step, "step")
    known = _channel.names
    lines: list[str] = []
    for points in (values, more) if values else (more,):
        for name, value in points.items():
            word = known.get(name)
            if word is None:
                word = known.setdefault(name, json.dumps(_checked_name(name)))
            if type(value) is float and value - value == 0:
                text = repr(value)
            else:
                text = _number(value, name)
            lines.append(f"[{word},{text},{counter},{at}]\n")
    if _channel.metrics < 0 and not _open_metrics():
        return
    data = "".join(lines).encode()
    written = os.write(_channel.metrics, data)
    while written < len(data):
        written += os.write(_channel.metrics, data[written:])


def _open_metrics() -> bool:
    path = _file("metrics")
    if path is None:
        return False
    with _channel.lock:
        if _channel.metrics < 0:
            _channel.metrics = os.open(path, _APPEND, 0o644)
    return True


def _file(name: str) -> str | None:
    """The attempt's file; also for an interpreter that the step has started (by environment)."""
    if _channel.files is None:
        attempt, home = os.environ.get("MAINSPRING_ATTEMPT"), os.environ.get("MAINSPRING_HOME")
        if not attempt or not home:
            return None
        files = AttemptFiles(home, attempt)
        if not os.path.isdir(files.directory):
            return None
        _channel.files = files
    return getattr(_channel.files, name)


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise MainspringError(f"a metric's name is a text that isn't empty, not {name!r}")
    if len(name) > LONGEST_NAME:
        raise MainspringError(f"a metric's name has {len(name):,} characters, not {LONGEST_NAME}")
    if "\0" in name or not _is_text(name):
        raise MainspringError(f"a metric's name has a character that is none: {name!a}")
    return name


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: Any, name: str) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise MainspringError(
            f"log: {name} is not a number but {type(value).__name__}",
            hint="mainspring.figure and mainspring.table take everything else",
        ) from error
    return repr(number) if math.isfinite(number) else f'"{number}"'


def figure(name: str, content: Any, *, step: float | None = None) -> None:
    """Record a picture: a matplotlib figure, PNG/SVG/JPEG bytes, or the path of a file."""
    _checked_name(name)
    data, mime = _picture(content)
    _medium("figure", name, data, mime, step)


def table(name: str, content: Any, *, step: float | None = None) -> None:
    """Record a table: a list of dicts, a dict of lists, or a pandas/polars DataFrame."""
    _checked_name(name)
    columns, rows = _grid(content)
    data = msgspec.json.encode({"columns": columns, "rows": rows}, enc_hook=_plain)
    _medium("table", name, data, "application/json", step)


def _medium(kind: str, name: str, data: bytes, mime: str, step: float | None) -> None:
    path = _file("media")
    if path is None or _channel.blobs is None:
        return
    digest, size = _channel.blobs.put(data)
    counter = None if step is None else float(step)
    line = json.dumps([kind, name, digest, size, mime, counter, time.time()]) + "\n"
    fd = os.open(path, _APPEND, 0o644)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


_SIGNATURES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"<svg": "image/svg+xml",
    b"<?xm": "image/svg+xml",
}


def _picture(content: Any) -> tuple[bytes, str]:
    if hasattr(content, "savefig"):
        import io

        buffer = io.BytesIO()
        # Without the library's version in it: equal figures are equal bytes.
        content.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue(), "image/png"
    if isinstance(content, str | os.PathLike):
        path = Path(cast("str | os.PathLike[str]", content))
        return path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if isinstance(content, bytes | bytearray | memoryview):
        data = bytes(cast("bytes | bytearray | memoryview", content))
        for signature, mime in _SIGNATURES.items():
            if data.startswith(signature):
                return data, mime
        return data, "application/octet-stream"
    raise MainspringError(
        f"figure: {type(content).__name__} is no picture",
        hint="give a matplotlib figure, the bytes of an image, or the path of one",
    )


def _grid(content: Any) -> tuple[list[str], list[list[Any]]]:
    if hasattr(content, "to_dict") and hasattr(content, "columns"):
        names = [str(name) for name in content.columns]
        series = [content[name].to_list() for name in content.columns]
        return names, [list(row) for row in zip(*series, strict=True)]
    if isinstance(content, Mapping):
        columns = {
            str(k): list(v)
            for k, v in cast("Mapping[Any, Any]", content).items()
            if not isinstance(v, str | bytes)
        }
        if len(columns) == len(cast("Mapping[Any, Any]", content)):
            if len({len(values) for values in columns.values()}) > 1:
                raise MainspringError("table: the columns are not of one length")
            return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]
    if isinstance(content, list | tuple):
        records = cast("list[Any]", content)
        if all(isinstance(record, Mapping) for record in records):
            names = list(dict.fromkeys(str(name) for record in records for name in record))
            return names, [[record.get(name) for name in names] for record in records]
    kind = type(cast("object", content)).__name__
    raise MainspringError(
        f"table: {kind} is no table",
        hint="give a list of dicts, a dict of lists, or a DataFrame",
    )


def _plain(value: Any) -> Any:
    """JSON for what msgspec does not know: numpy's scalars and arrays, and text for the rest."""
    for method in ("item", "tolist"):
        if hasattr(value, method):
            try:
                return getattr(value, method)()
            except (TypeError, ValueError):
                continue
    return str(value)


def workdir() -> Path:
    """A scratch directory of this attempt, removed when it ends; a temporary one elsewhere."""
    path = _file("work")
    if path is not None:
        os.makedirs(path, exist_ok=True)
        return Path(path)
    if _channel.scratch is None:
        _channel.scratch = Path(tempfile.mkdtemp(prefix="mainspring-"))
    return _channel.scratch


def rng() -> Generator:
    """The task's numpy generator: one per process, from the task's seed (outside: unseeded)."""
    if _channel.rng is None:
        import numpy

        seed = _channel.context.seed if _channel.context else secrets.randbits(64)
        _channel.rng = numpy.random.Generator(numpy.random.PCG64(seed))
    return _channel.rng


def close_channel() -> None:
    """Send nothing more to the attempt's files (used by tests; a worker just ends)."""
    if _channel.metrics >= 0:
        os.close(_channel.metrics)
    _channel.__init__()
