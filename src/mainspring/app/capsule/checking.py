"""Whether what a capsule says of its run can be: records that agree with each other, with the
spec, and with the digests that name them. Nothing here is believed because it is signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from mainspring.app.capsule import packing
from mainspring.app.code import identity
from mainspring.planning.expand import RunGraph
from mainspring.planning.keys import task_key
from mainspring.records import capsule
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import CapsuleError, MainspringError
from mainspring.records.runs import Usage
from mainspring.records.source import Manifest
from mainspring.records.spec import PipelineSpec
from mainspring.records.status import (
    RUN_ENDED,
    TASK_HAS_OUTPUTS,
    TASK_SETTLED,
    AttemptStatus,
    TaskStatus,
)
from mainspring.storage.archive import Archive
from mainspring.storage.serializers.registry import FORMATS

DEEPEST = 90
LARGEST_INT = 1 << 64
_RUN = re.compile(r"[0-9]{8}-[0-9]{6}-[a-z0-9]{5}")
_DIGEST = re.compile(r"blake3:[0-9a-f]{64}")
_ROUND = re.compile(r"#([0-9]{1,18})/")
_LATEST = 1e12
WORK = ("step", "command", "element")


class Checks:
    """The checks of one capsule; each raises CapsuleError."""

    def __init__(self, archive: Archive, past: capsule.Past) -> None:
        self._archive = archive
        self._past = past

    def _refuse(self, what: str) -> CapsuleError:
        return self._archive.refusal("records that do not agree", what)

    def run(self, spec: PipelineSpec, manifest: Manifest) -> None:
        """The run as a whole, and its code."""
        run = self._past.run
        if not _RUN.fullmatch(run.id):
            raise self._refuse(f"{run.id[:100]!r} is no id of a run")
        if run.status not in RUN_ENDED or run.ended is None:
            raise self._refuse(f"run {run.id} has not ended")
        if run.pipeline != spec.name:
            raise self._refuse("its pipeline has another name")
        if run.parent is not None and not _RUN.fullmatch(run.parent):
            raise self._refuse("its parent is no run")
        if not 0 <= run.seed < LARGEST_INT:
            raise self._refuse("its seed is no 64-bit number")
        for at in (run.created, run.started, run.ended):
            if at is not None and not 0 <= at < _LATEST:
                raise self._refuse("its times are none")
        self.plain(run.parameters, "a parameter")
        for name, found in run.sources.items():
            self.ref(found.ref, name)
        self._source(manifest)
        packing.check_code(spec, manifest)

    def _source(self, manifest: Manifest) -> None:
        seen: set[str] = set()
        for file in manifest.files:
            parts = file.path.split("/")
            unsound = not file.path or "\0" in file.path or {"", ".", ".."} & set(parts)
            if unsound or file.path in seen:
                raise self._archive.refusal("path traversal", f"{file.path[:200]!a} in the source")
            if not _DIGEST.fullmatch(file.digest) or not 0 <= file.size < 1 << 62:
                raise self._refuse(f"the source has no digest of {file.path}")
            seen.add(file.path)
        for root in manifest.roots:
            if ".." in root.split("/") or root.startswith("/"):
                raise self._archive.refusal("path traversal", f"{root[:200]!a} in the source")

    def tasks(self, spec: PipelineSpec) -> None:
        """Every task: a place in the graph, outputs, attempts, and a key that is its own."""
        past = self._past
        self._statics()
        self._graph(spec)
        places: dict[str, int] = {}
        for place, task in enumerate(past.tasks):
            if places.setdefault(task.path, place) != place:
                raise self._refuse(f"there are two tasks {task.path}")
            self._links(place, task)
            self._state(task)
            self._key(task)
            for name, ref in task.outputs.items():
                self.ref(ref, f"{task.path}.{name}")
        self._children()
        self._rest(places)

    def _statics(self) -> None:
        for digest, static in self._past.statics.items():
            if identity(static) != digest:
                raise self._archive.refusal("wrong digest", f"the static part {digest}")

    def _graph(self, spec: PipelineSpec) -> None:
        """Each task is one that the spec makes. Rounds are added only as far as there are tasks,
        so that no number of a stranger decides how much is computed."""
        tasks = self._past.tasks
        try:
            graph = RunGraph(spec, self._past.run.parameters)
            for task in tasks:
                rounds = [int(found) for found in _ROUND.findall(task.path)]
                if max(rounds, default=0) > len(tasks):
                    raise self._refuse(f"{task.path} is a round too many")
                node = graph.node(task.path)
                kind = "element" if task.path.endswith("]") else node.kind
                if node.template != task.node or task.kind != kind:
                    raise self._refuse(f"{task.path} is no task of the pipeline")
        except CapsuleError:
            raise
        except (MainspringError, RecursionError, LookupError, ValueError, AssertionError) as error:
            raise self._refuse(f"the spec can't make these tasks ({error})") from None

    def _links(self, place: int, task: capsule.PastTask) -> None:
        for other in (task.parent, *task.after):
            if other is not None and (other >= len(self._past.tasks) or other == place):
                raise self._refuse(f"{task.path} is linked to a task that is not there")
        if task.parent is not None and task.parent >= place:
            raise self._refuse(f"{task.path} comes before what it belongs to")
        if len(set(task.after)) != len(task.after):
            raise self._refuse(f"{task.path} waits twice for one task")

    def _children(self) -> None:
        counts: dict[int, int] = {}
        for task in self._past.tasks:
            if task.parent is not None:
                counts[task.parent] = counts.get(task.parent, 0) + 1
        for place, task in enumerate(self._past.tasks):
            rounds = (task.total or 0) if task.kind == "repeat" else 0
            if max(rounds, task.expanded) > counts.get(place, 0):
                raise self._refuse(f"{task.path} has fewer parts than it says")

    def _state(self, task: capsule.PastTask) -> None:
        if task.status not in TASK_SETTLED:
            raise self._refuse(f"{task.path} is not settled")
        good = sum(attempt.status is AttemptStatus.SUCCEEDED for attempt in task.attempts)
        for number, attempt in enumerate(task.attempts, 1):
            if attempt.number != number or attempt.status is AttemptStatus.RUNNING:
                raise self._refuse(f"the attempts of {task.path} are not in order")
            if attempt.usage is not None:
                self._usage(attempt.usage, task.path)
        if task.outputs and task.status not in TASK_HAS_OUTPUTS:
            raise self._refuse(f"{task.path} has outputs, but has not succeeded")
        if task.status is TaskStatus.REUSED and task.source is None and task.kind != "map":
            raise self._refuse(f"{task.path} was reused of nothing")
        succeeded = task.status is TaskStatus.SUCCEEDED
        if succeeded and task.attempts and good != 1:
            raise self._refuse(f"{task.path} has succeeded {good} times")
        if succeeded and task.kind in WORK and task.outputs and not task.attempts:
            raise self._refuse(f"{task.path} has outputs that nothing has made")

    def _usage(self, usage: Usage, path: str) -> None:
        numbers = (usage.wall, usage.cpu, usage.peak_memory, usage.gpu_memory)
        if not all(0 <= number < 1 << 62 for number in numbers):
            raise self._refuse(f"{path} has used what nobody has")

    def _key(self, task: capsule.PastTask) -> None:
        if (task.key is None) != (task.static is None):
            raise self._refuse(f"{task.path} has half a key")
        if task.key is None or task.static is None:
            return
        if task.static not in self._past.statics or task.seed is None:
            raise self._refuse(f"{task.path} has a key of nothing")
        if task_key(task.static, task.inputs, task.seed) != task.key:
            raise self._archive.refusal("wrong digest", f"the key of {task.path}")

    def ref(self, ref: ArtifactRef, name: str) -> None:
        """A reference that can be used without harm."""
        numbers = (ref.size, 0 if ref.count is None else ref.count)
        if not _DIGEST.fullmatch(ref.digest) or not all(0 <= n < 1 << 62 for n in numbers):
            raise self._refuse(f"{name} has no digest or size")
        if ref.format not in FORMATS:
            raise self._archive.refusal("unknown format", f"{name}: {ref.format[:100]!r}")

    def _rest(self, places: dict[str, int]) -> None:
        tasks = self._past.tasks
        for result in self._past.results:
            if result.task >= len(tasks) or tasks[result.task].key is None:
                raise self._refuse("there is a result of no task")
        for verdict in self._past.verdicts:
            if verdict.task not in places:
                raise self._refuse("there is a verdict of no task")
            self.plain(verdict.values, "a verdict")
        for found in self._past.divergences:
            if found.task not in places:
                raise self._refuse("there is a divergence of no task")
        for medium in self._past.media:
            if medium.task >= len(tasks) or medium.attempt > len(tasks[medium.task].attempts):
                raise self._refuse("there is a figure of no attempt")

    def plain(self, value: Any, what: str) -> None:
        """JSON that is not too deep, with numbers of 64 bits."""
        for depth, found in _walk(value):
            if depth > DEEPEST:
                raise self._archive.refusal("JSON that is nested too deeply", what)
            if isinstance(found, int) and not -LARGEST_INT < found < LARGEST_INT:
                raise self._archive.refusal("number that is too large", what)


def _walk(value: Any) -> Iterator[tuple[int, Any]]:
    waiting: list[tuple[int, Any]] = [(0, value)]
    while waiting:
        depth, found = waiting.pop()
        yield depth, found
        if isinstance(found, dict):
            waiting += [(depth + 1, item) for item in cast("dict[str, Any]", found).values()]
        elif isinstance(found, list):
            waiting += [(depth + 1, item) for item in cast("list[Any]", found)]
