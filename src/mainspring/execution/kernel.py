"""The kernel process of a notebook that runs as a step: a worker's surroundings, then ipykernel.

It runs from the snapshot, with the step's seed and threads, and what its cells read is noted as
in any step. It keeps nothing: no history, no profile of the user.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

from mainspring.definition.pipeline import Pipeline
from mainspring.execution import audit, reads, telemetry
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.exchange import FOLDER, Setting, read_setting
from mainspring.execution.seeding import limit_threads, seed_everything
from mainspring.storage.places import open_blobs


def main() -> None:
    """Serve one notebook: ipykernel's arguments are this process's."""
    setting = read_setting(Path(os.environ[FOLDER]))
    os.chdir(setting.directory)
    sys.path[:0] = [*setting.paths, setting.directory]
    sys.dont_write_bytecode = True
    Pipeline.forbid_runs("a notebook was running as a step")
    order, blobs = setting.order, open_blobs(setting.blobs)
    files = AttemptFiles(setting.home, order.attempt)
    telemetry.open_channel(
        telemetry.Context(attempt=order.attempt, run=order.run, task=order.path, seed=order.seed),
        files,
        blobs,
    )
    audit.install()
    _serve(setting, reads.Recorder(setting.root, files.work, (files.directory, blobs.place.root)))


def _serve(setting: Setting, recorder: reads.Recorder) -> None:
    from ipykernel.kernelapp import IPKernelApp

    app: Any = IPKernelApp.instance()
    app.initialize([*sys.argv[1:], "--HistoryManager.enabled=False"])
    recorder.forked()  # notes are left in a file for the worker
    limit = limit_threads(setting.order.threads)
    seed_everything(setting.order.seed, deterministic=setting.order.deterministic)
    drawn = random.getstate()

    def before(*_: object) -> None:
        random.setstate(drawn)
        recorder.__enter__()

    def after(*_: object) -> None:
        nonlocal drawn
        recorder.__exit__()
        drawn = random.getstate()  # between two cells the kernel draws for itself

    app.shell.events.register("pre_run_cell", before)
    app.shell.events.register("post_run_cell", after)
    app.start()
    del limit


if __name__ == "__main__":
    main()
