"""Runs one attempt of user code: an order in, blobs and an outcome out.

A worker is a process that waits for its order on a socket, either forked from a zygote that has
imported the project, or a fresh interpreter. The rest of its life is the same.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from mainspring.definition.pipeline import Pipeline
from mainspring.definition.step import StepDefinition, load_step
from mainspring.execution import audit, border, commands, inputs, isolation, reads, telemetry
from mainspring.execution.attempt_files import BUSY, AttemptFiles, encode
from mainspring.execution.failures import describe
from mainspring.execution.rehearsal import Rehearsal
from mainspring.execution.seeding import import_time_generators, limit_threads, seed_everything
from mainspring.execution.wire import Boot, Dispatch, Inbox, frame, read_request
from mainspring.records.artifacts import ArtifactRef, Literal
from mainspring.records.environments import Lock
from mainspring.records.errors import SerializationError
from mainspring.records.notebook import is_notebook
from mainspring.records.ports import Blobs
from mainspring.records.runs import Order, Outcome, Usage
from mainspring.records.status import AttemptStatus
from mainspring.storage.places import open_blobs
from mainspring.storage.serializers import marks, registry
from mainspring.storage.source import load_manifest, materialise

SOCKET = 3
_KILOBYTE = 1024 if sys.platform.startswith("linux") else 1


@dataclass
class Site:
    """What is the same for all attempts from one source snapshot."""

    home: str
    snapshot: str
    root: str
    blobs: Blobs
    digests: dict[str, str]
    paths: tuple[str, ...]
    generators: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    rehearsal: Rehearsal | None = None
    reads: dict[str, None] = field(default_factory=dict[str, None])
    impure: dict[str, None] = field(default_factory=dict[str, None])


def settle_in(boot: Boot) -> Site:
    """Make this process run from a snapshot: working directory, import path, environment."""
    os.environ.pop("PYTHONPATH", None)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    os.environ.update(boot.env)
    if not boot.conditions.usual:
        from mainspring.execution import experiments

        experiments.arrange(boot.conditions)
    blobs = open_blobs(boot.blobs, boot.access)
    return move_in(
        boot, blobs, os.path.realpath(materialise(boot.snapshot, Path(boot.home), blobs))
    )


def move_in(boot: Boot, blobs: Blobs, root: str) -> Site:
    """Make this process run from the directory `root`, which has the snapshot's files."""
    manifest = load_manifest(boot.snapshot, blobs)
    os.chdir(root)
    paths = tuple(os.path.join(root, part) if part else root for part in manifest.roots)
    sys.path[:0] = paths
    importlib.invalidate_caches()
    Pipeline.forbid_runs("a worker was importing the project, or inside a step")
    isolation.line_buffered()
    audit.install()
    return Site(
        home=boot.home,
        snapshot=boot.snapshot,
        root=root,
        blobs=blobs,
        digests={file.path: file.digest for file in manifest.files},
        paths=paths,
    )


def import_modules(site: Site, names: tuple[str, ...]) -> None:
    """Import the project's modules ahead of time.

    One that can't be imported is left for the attempts that need it: there the error is theirs.
    """
    work = os.path.join(site.home, "zygotes")
    with reads.Recorder(site.root, work, (site.blobs.place.root,), importing=True) as recorder:
        for name in names:
            with contextlib.suppress(BaseException):
                importlib.import_module(name)
    # What a module read while it was imported is in what its steps return.
    site.reads, site.impure = recorder.reads, recorder.impure
    own = [module for module in list(sys.modules.values()) if _inside(module, site.root)]
    for module in own:
        for value in list(vars(module).values()):
            if isinstance(value, StepDefinition):
                _examine(cast("StepDefinition[..., Any]", value))
    site.generators = import_time_generators(own)


def _examine(definition: StepDefinition[..., Any]) -> None:
    """Have a step look at its own signature, so that no attempt has to."""
    with contextlib.suppress(Exception):
        _ = definition.inputs, definition.outputs


def _inside(module: ModuleType, root: str) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(root + "/")


def serve(inbox: Inbox, site: Site) -> None:
    """Wait for one order, carry it out, and end this process."""
    dispatch = inbox.dispatch()
    if dispatch is None:
        os._exit(0)
    code = 1
    try:
        code = _carry_out(dispatch, site, inbox.sock)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        # An interpreter with much in it takes its time to tear down, and nobody needs it.
        os._exit(code)


def _carry_out(dispatch: Dispatch, site: Site, sock: socket.socket) -> int:
    order = dispatch.order
    files = AttemptFiles(site.home, order.attempt)
    files.create()
    lock = files.take_lock()
    if lock is None:
        return BUSY
    if files.ended():
        return 0
    if order.timeout or (order.memory and not order.image):
        _leave_limits(files, lock, order)
    isolation.enter(order, dispatch.env, files, site.home)
    recorder = reads.Recorder(site.root, files.work, (files.directory, site.blobs.place.root))
    outcome = attempt(order, site, files, recorder)
    flush()
    data = encode(outcome)
    if not files.publish(data):
        return 0
    with contextlib.suppress(OSError):
        sock.sendall(frame(data))
    if os.access(files.work, os.F_OK):
        os.chdir("/")
        files.remove_work()
    return 0


def _leave_limits(files: AttemptFiles, lock: int, order: Order) -> None:
    limits: dict[str, float] = {"started": time.time()}
    if order.timeout:
        limits["timeout"] = order.timeout
    if order.memory and not order.image:  # a container's own engine sees to it
        limits["memory"] = order.memory
    files.write_limits(lock, limits)


def attempt(order: Order, site: Site, files: AttemptFiles, recorder: reads.Recorder) -> Outcome:
    """Run the order here, or see to it that a container does; whatever it raises is its error."""
    started, clock, before = time.time(), time.monotonic(), _cpu()
    outputs: dict[str, ArtifactRef] = {}
    error = None
    try:
        if order.image and order.uses:
            return _contained(order, site, files)
        outputs = _outputs(order, site, files, recorder)
    except BaseException as failure:
        error = describe(failure, site.root, order)
        _print_failure(failure)
    recorder.collect_forked()
    recorder.reads.update(site.reads)
    recorder.impure.update(site.impure)
    return Outcome(
        attempt=order.attempt,
        status=AttemptStatus.SUCCEEDED if error is None else AttemptStatus.FAILED,
        outputs=outputs,
        error=error,
        usage=Usage(wall=time.monotonic() - clock, cpu=_cpu() - before, peak_memory=_peak_memory()),
        reads=recorder.digests(site.digests) if recorder.reads else (),
        impure=tuple(recorder.impure),
        started=started,
        ended=time.time(),
    )


def _contained(order: Order, site: Site, files: AttemptFiles) -> Outcome:
    from mainspring.execution import contained

    return contained.run(order, site.root, files, site.blobs)


def _outputs(
    order: Order, site: Site, files: AttemptFiles, recorder: reads.Recorder
) -> dict[str, ArtifactRef]:
    if order.command:
        recorder.make_work()
        if order.lock is not None:
            _activate(order.lock, site)
        return commands.run(order, site.root, files, site.blobs)
    if is_notebook(order.uses):
        from mainspring.execution import notebooks

        recorder.make_work()
        return notebooks.run(order, site.root, site.paths, files, site.blobs)
    if order.lock is None:
        return _called(order, site, files, recorder)
    border.check_inputs(order.inputs)
    outputs = _called(order, site, files, recorder)
    border.check_outputs(outputs, order.uses)
    return outputs


def _called(
    order: Order, site: Site, files: AttemptFiles, recorder: reads.Recorder
) -> dict[str, ArtifactRef]:
    definition = load_step(order.uses)
    load = inputs.loader(site.blobs, Path(files.work, "inputs"))
    marks.watch(recorder)
    arguments = inputs.arguments(order.inputs, definition.inputs, load)
    for place in inputs.places(order.inputs.values(), site.blobs):
        recorder.allow(place)
    literals = {name for name, given in order.inputs.items() if isinstance(given, Literal)}
    telemetry.open_channel(
        telemetry.Context(attempt=order.attempt, run=order.run, task=order.path, seed=order.seed),
        files,
        site.blobs,
    )
    limit = limit_threads(order.threads)
    seed_everything(order.seed, site.generators, deterministic=order.deterministic)
    experiment: Any = sys.modules.get("mainspring.execution.experiments")
    if experiment is not None:
        experiment.begin()
    with recorder:
        value = definition.invoke(arguments, literals=literals)
        parts = definition.split(value)
        # What a generator reads, it reads while its elements are stored.
        lazy = {
            name: _store(name, cast("object", part), definition, site)
            for name, part in parts.items()
            if isinstance(part, Iterator)
        }
    outputs = {
        name: lazy[name] if name in lazy else _store(name, part, definition, site)
        for name, part in parts.items()
    }
    del limit
    return outputs


def _activate(lock: Lock, site: Site) -> None:
    """Have programs find the environment of a lock, which is built if need be."""
    from mainspring.execution.environments import Environments, variables

    environments = Environments(Path(site.home), site.blobs.read)
    environments.build(lock)
    os.environ.update(variables(lock, environments.place(lock), os.environ))


def _store(
    name: str, value: object, definition: StepDefinition[..., Any], site: Site
) -> ArtifactRef:
    try:
        return registry.dump(value, definition.outputs.get(name, Any), site.blobs)
    except SerializationError as error:
        place = f"{definition.where}: {error.where or name}"
        raise SerializationError(error.what, where=place, hint=error.hint) from error


def _print_failure(failure: BaseException) -> None:
    """The whole traceback goes to the log; the outcome has the project's part of it."""
    import traceback

    if not isinstance(failure, SystemExit):
        with contextlib.suppress(Exception):
            traceback.print_exception(failure)


def flush() -> None:
    """Have everything that was printed in the log."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _cpu() -> float:
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system


def _peak_memory() -> int:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) * _KILOBYTE


def stand_alone() -> None:
    """Make this process the leader of a session, with the usual signals and no input."""
    with contextlib.suppress(OSError):
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main() -> None:
    """A fresh interpreter as worker: its boot and its order come over the socket."""
    stand_alone()
    inbox = Inbox(socket.socket(fileno=SOCKET))
    os.set_inheritable(SOCKET, False)
    first = inbox.message()
    if first is None:
        os._exit(0)
    boot = read_request(first)
    assert isinstance(boot, Boot)
    site = settle_in(boot)
    import_modules(site, boot.modules)
    gc.collect()
    serve(inbox, site)
