"""Goes once through what an attempt does, so that no attempt pays for doing it the first time.

In a zygote it loads what is loaded on first use and warms the interpreter's caches. In a spare
worker it makes the memory pages that an attempt writes to (counting references is writing)
private, while nobody waits for them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from mainspring.definition.step import step
from mainspring.execution import inputs, isolation, reads, seeding, telemetry, wire
from mainspring.execution.attempt_files import AttemptFiles, encode
from mainspring.records.artifacts import ArtifactRef, Literal, Stored
from mainspring.records.runs import Order, Outcome, Usage
from mainspring.records.status import AttemptStatus
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers import registry

_VALUES: tuple[Any, ...] = (7, 0.5, "text", True, {"a": [1, 2.0]}, b"bytes")


@step
def _trial(x: int, y: int = 0) -> int:
    return x * y


class Rehearsal:
    """A small store and an order to rehearse with, in a directory that `close` removes."""

    def __init__(self, home: str) -> None:
        folder = os.path.join(home, "zygotes")
        os.makedirs(folder, exist_ok=True)
        self._folder = tempfile.mkdtemp(dir=folder)
        self._blobs = LocalBlobs(Path(self._folder))
        self._refs = [registry.dump(value, None, self._blobs) for value in _VALUES]

    def everything(self) -> None:
        """Store and load values of the common types, and all the rest of an attempt."""
        for _ in range(3):
            for value in _VALUES:
                registry.dump(value, None, self._blobs)
            self.one()

    def one(self) -> None:
        """What every attempt does, on things that are stored already: nothing is written."""
        order = Order(
            attempt="rehearsal",
            run="rehearsal",
            path="step",
            node="step",
            snapshot="",
            uses="",
            inputs={"x": Stored(ref=self._refs[0]), "y": Literal(value=1)},
        )
        data = wire.dispatch_frame(order, {})
        order = wire.read_dispatch(data[8:]).order
        files = AttemptFiles(self._folder, order.attempt)
        files.create()
        lock = files.take_lock()
        if lock is not None:
            files.ended()
            os.close(lock)
        isolation.set_environment(order, {}, files, self._folder)
        recorder = reads.Recorder(self._folder, files.work, (files.directory,))
        context = telemetry.Context(attempt="", run="", task="", seed=0)
        telemetry.open_channel(context, files, self._blobs)
        seeding.seed_everything(0)
        load = inputs.loader(self._blobs, Path(files.work))
        values = inputs.arguments(order.inputs, _trial.inputs, load)
        with recorder:
            parts = _trial.split(_trial.invoke(values, literals={"y"}))
        outputs: dict[str, ArtifactRef] = {
            name: registry.dump(part, _trial.outputs[name], self._blobs)
            for name, part in parts.items()
        }
        telemetry.close_channel()
        _ = time.time(), time.monotonic(), os.times(), os.getcwd()
        _tell(outputs)

    def close(self) -> None:
        """Remove the directory."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)


def _tell(outputs: dict[str, ArtifactRef]) -> None:
    encode(
        Outcome(
            attempt="rehearsal",
            status=AttemptStatus.SUCCEEDED,
            outputs=outputs,
            usage=Usage(wall=1.0, cpu=1.0, peak_memory=1),
        )
    )
