"""A project's settings: where its root is, what `mainspring.toml` says, where its home is."""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

import msgspec

from mainspring.records.errors import ProjectError

FILE = "mainspring.toml"
HOME = ".mainspring"
LARGEST = 1_000_000
"""Bytes of `mainspring.toml` or `pyproject.toml` at most."""

WORKERS = 100_000
SEED = 2**63
ENGINES = ("podman", "unix://", "tcp://", "ssh://")


class ProjectTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[project]`: `pipelines` are `module:name` or YAML files; the first is the default one."""

    name: str
    pipelines: list[str] = []


class SourceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[source]`: globs left out of the snapshot; directories that modules import from."""

    exclude: list[str] = []
    roots: list[str] = []


class ExecutionTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[execution]`: workers at once (default: cores), custom resources, the project's seed.

    `patience` is how long an engine waits for a store that does not answer, `lease` after how long
    an engine on another machine that is silent counts as dead. `containers` is where the engine
    of containers listens, or "podman" for one of our own.
    """

    workers: int | None = None
    resources: dict[str, float] = {}
    seed: int = 0
    start: Literal["zygote", "spawn"] = "zygote"
    patience: str = "10m"
    lease: str = "10s"
    containers: str = ""


class StorageTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[storage]`: where records and values are kept; by default in the project's home.

    `store` is a `postgresql://` URL, `blobs` an `s3://`, `gs://` or `az://` URL, `cache` how many
    bytes of remote values are kept on the local disk (`"20GiB"`). No passwords here: they come
    from the environment.
    """

    store: str | None = None
    blobs: str | None = None
    cache: str = "10GiB"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of `mainspring.toml` (or of `[tool.mainspring]` in `pyproject.toml`)."""

    project: ProjectTable
    source: SourceTable = SourceTable()
    execution: ExecutionTable = ExecutionTable()
    storage: StorageTable = StorageTable()


_TABLES: dict[str, type[msgspec.Struct]] = {
    "project": ProjectTable,
    "source": SourceTable,
    "execution": ExecutionTable,
    "storage": StorageTable,
}


def find_root(start: Path) -> Path:
    """Return the nearest directory, from `start` upwards, that is a project.

    Raises ProjectError when there is none.
    """
    start = start.absolute()
    for directory in (start, *start.parents):
        if (directory / FILE).is_file() or _has_table(directory / "pyproject.toml"):
            return directory
    raise ProjectError(
        f"no {FILE} in {start} or any directory above it",
        hint="run `mainspring init` to make a project here",
    )


def load(root: Path) -> Settings:
    """Return the settings of the project at `root`. Raises ProjectError, naming file and field."""
    path = root / FILE
    if not path.is_file():
        path = root / "pyproject.toml"
    data = _read(path)
    if path.name == "pyproject.toml":
        data = _own_table(data)
        if data is None:
            raise ProjectError("[tool.mainspring] is no table", where=path.name)
    return _settings(data, path.name)


def _own_table(data: dict[str, Any]) -> dict[str, Any] | None:
    """`[tool.mainspring]` of a `pyproject.toml`, or None."""
    tools: Any = data.get("tool")
    table: Any = (
        cast("dict[str, Any]", tools).get("mainspring") if isinstance(tools, dict) else None
    )
    return cast("dict[str, Any]", table) if isinstance(table, dict) else None


def _read(path: Path) -> dict[str, Any]:
    """Return what a TOML file says. Raises ProjectError, whatever is in the file."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ProjectError(f"has more than {LARGEST:,} bytes", where=path.name)
        return tomllib.loads(text.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"not valid TOML: {error}", where=path.name) from None
    except RecursionError:
        raise ProjectError("not valid TOML: nested too deeply", where=path.name) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ProjectError("is not UTF-8", where=f"{path.name}:{line}") from None
    except ValueError:  # Python's limit for numbers
        raise ProjectError(
            "not valid TOML: a number has too many digits", where=path.name
        ) from None
    except OSError as error:
        raise ProjectError(f"can't be read: {error.strerror}", where=path.name) from None


def home_of(root: Path) -> Path:
    """Return the project's home: `MAINSPRING_HOME`, or `.mainspring` in its root."""
    chosen = os.environ.get("MAINSPRING_HOME")
    return Path(chosen).absolute() if chosen else root / HOME


def storage_of(settings: Settings) -> StorageTable:
    """Return where records and values are kept: `MAINSPRING_STORE` and `MAINSPRING_BLOBS` count
    before the settings."""
    chosen = settings.storage
    return msgspec.structs.replace(
        chosen,
        store=os.environ.get("MAINSPRING_STORE") or chosen.store,
        blobs=os.environ.get("MAINSPRING_BLOBS") or chosen.blobs,
    )


def containers_of(settings: Settings) -> str:
    """Return which engine runs containers ("": the usual one): `MAINSPRING_CONTAINERS` counts
    before the settings."""
    return os.environ.get("MAINSPRING_CONTAINERS") or settings.execution.containers


def _settings(data: dict[str, Any], file: str) -> Settings:
    _check_names(data, Settings, file, "")
    for table, kind in _TABLES.items():
        inner = data.get(table)
        if isinstance(inner, dict):
            _check_names(inner, kind, file, f"{table}.")  # pyright: ignore[reportUnknownArgumentType]
    if "project" not in data:
        hint = '[project]\n  name = "my-project"'
        raise ProjectError("the table [project] is missing", where=file, hint=hint)
    try:
        found = msgspec.convert(data, Settings)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        where = f"{file}: {path.strip('.`')}" if path else file
        raise ProjectError(what[0].lower() + what[1:], where=where) from None
    _check_numbers(found.execution, file)
    for root in found.source.roots:
        _check_root(root, file)
    return found


def _check_numbers(table: ExecutionTable, file: str) -> None:
    workers = table.workers
    if workers is not None and workers < 1:
        raise ProjectError("must be at least 1", where=f"{file}: execution.workers")
    if workers is not None and workers > WORKERS:
        raise ProjectError(f"must be at most {WORKERS}", where=f"{file}: execution.workers")
    if not 0 <= table.seed < SEED:
        raise ProjectError(
            "must be a whole number from 0 to 2**63 - 1", where=f"{file}: execution.seed"
        )
    if table.containers and not table.containers.startswith(ENGINES):
        raise ProjectError(
            f"{table.containers!r} is no engine of containers",
            where=f"{file}: execution.containers",
            hint='give "podman", or where one listens: "unix:///run/podman/podman.sock"',
        )
    for name, amount in table.resources.items():
        if not 0 <= amount < math.inf:
            raise ProjectError(
                "must be a number, zero or more", where=f"{file}: execution.resources.{name}"
            )


def _check_root(root: str, file: str) -> None:
    """Modules come from the snapshot alone: a root outside of it would not be on record."""
    parts = PurePosixPath(root).parts
    if root.startswith("/") or ".." in parts or "\0" in root or len(root) > 1_000:
        raise ProjectError(
            f"{root!r} is no directory inside the project",
            where=f"{file}: source.roots",
            hint="write it relative to the project, without `..`",
        )


def _check_names(data: dict[str, Any], kind: type[msgspec.Struct], file: str, at: str) -> None:
    known = list(kind.__struct_fields__)
    for name in data:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"
            raise ProjectError(f"unknown name {at}{name}", where=file, hint=hint)


def _has_table(path: Path) -> bool:
    try:
        tools: object = _read(path).get("tool") if path.is_file() else None
    except ProjectError:
        return False
    return isinstance(tools, dict) and "mainspring" in tools
