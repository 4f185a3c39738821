"""What a notebook that runs as a step is given, and what it hands out: files of its attempt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from mainspring.definition import types
from mainspring.execution.inputs import MISSING, loader, value_of
from mainspring.execution.telemetry import store_of
from mainspring.records.artifacts import ArtifactRef, Input
from mainspring.records.errors import MainspringError
from mainspring.records.ports import BlobPlace
from mainspring.records.runs import Order
from mainspring.storage.serializers import registry

FOLDER = "MAINSPRING_NOTEBOOK"
"""The environment variable that tells a kernel where the files of its exchange are."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a kernel needs to know. `paths` is where modules are imported from, `blobs` where
    values are, `directory` the notebook's."""

    order: Order
    home: str
    root: str
    directory: str
    paths: tuple[str, ...]
    blobs: BlobPlace


def write_setting(folder: Path, setting: Setting) -> None:
    """Leave a kernel's setting for it to read."""
    (folder / "outputs").mkdir(parents=True, exist_ok=True)
    (folder / "setting.json").write_bytes(msgspec.json.encode(setting))


def read_setting(folder: Path) -> Setting:
    """Return the setting that was left."""
    return msgspec.json.decode((folder / "setting.json").read_bytes(), type=Setting)


def load_input(name: str) -> Any:
    """Return the value of an input of the notebook that runs here, of whatever type it is.

    Called by the cell that sets the parameters. Raises MainspringError elsewhere.
    """
    folder, blobs = os.environ.get(FOLDER), store_of()
    if folder is None or blobs is None:
        raise MainspringError(
            f"the input {name!r} is there only while the notebook runs as a step",
            hint="set it by hand to try the notebook's cells",
        )
    given: dict[str, Input] = read_setting(Path(folder)).order.inputs
    value = value_of(given[name], loader(blobs, Path(folder, "inputs")))
    return None if value is MISSING else value


def output(**values: Any) -> None:
    """Hand values out of a notebook that runs as a step: `output(accuracy=0.93, model=model)`.

    Each becomes an output of the step, of any type that a step may return. Where the notebook is
    not run as a step nothing happens. Raises MainspringError for a name that it has not.
    """
    folder, blobs = os.environ.get(FOLDER), store_of()
    if folder is None or blobs is None:
        return
    known = read_setting(Path(folder)).order.outputs
    for name, value in values.items():
        if name not in known:
            raise MainspringError(
                f"the notebook has no output {name!r}",
                hint=f'name it where the notebook is used: outputs={{"{name}": object}}',
            )
        ref = registry.dump(value, types.read(known[name]), blobs)
        Path(folder, "outputs", f"{name}.json").write_bytes(msgspec.json.encode(ref))


def handed_out(folder: Path, name: str) -> ArtifactRef | None:
    """Return what the notebook has handed out under a name, if it has."""
    try:
        data = (folder / "outputs" / f"{name}.json").read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(data, type=ArtifactRef)
