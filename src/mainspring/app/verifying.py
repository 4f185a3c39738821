"""The verb `verify`: execute a recorded run again, task by task, and compare what comes out.

Every task gets the inputs on record, so that each verdict is of that task alone: a difference
further up neither hides one below nor makes it up. No cache is asked, and no run is recorded.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mainspring.app.differing import Known
from mainspring.app.project import Project
from mainspring.app.recorded import Recorded, RecordedRun
from mainspring.app.suspects import Inquiry
from mainspring.app.trials import Pair, Trials, failure_of
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import ConflictError, MainspringError
from mainspring.records.runs import Outcome, Run
from mainspring.records.status import (
    RUN_ENDED,
    TASK_HAS_OUTPUTS,
    AttemptStatus,
    RunStatus,
    TaskStatus,
)
from mainspring.records.surroundings import HASH_SEED, Surroundings
from mainspring.records.verdicts import (
    Comparison,
    Exactness,
    OutputVerdict,
    Suspect,
    TaskVerdict,
    Verification,
)

LISTED = 200
"""Tasks that are not identical and are kept with a verification; all are counted."""

OUTSIDE = "it looks at the world outside (its cache is off, or lasts for a time)"
"""Why a task is left out that could not be expected to come out the same."""

_ORDER = list(Exactness)
_ENDED = RUN_ENDED | {RunStatus.PAUSED}


class Wish(msgspec.Struct, kw_only=True):
    """How a run is to be verified.

    `tolerances` are by output, task, step or `task.output`; "" is for all others. `tasks` are the
    only ones to look at, if there are any. `python` is the environment (None: the present one), and
    `where` its name. `hash_seed` is that of string hashes: None is a new one. `experiments` is how
    often an experiment is repeated, 0 to make none.
    """

    tolerances: Mapping[str, float] = {}
    tasks: Sequence[str] = ()
    python: Path | None = None
    where: str = "present"
    known: Known = Known()
    hash_seed: int | None = None
    experiments: int = 3


class Result(msgspec.Struct, kw_only=True):
    """What came of one task."""

    recorded: Recorded
    verdict: TaskVerdict
    outcome: Outcome | None = None


Told = Callable[[TaskVerdict], None]
Say = Callable[[str], None]


def verify(
    project: Project, run: Run, wish: Wish, *, told: Told | None = None, say: Say | None = None
) -> Verification:
    """Verify a run, put the verdict on record and return it.

    `told` is told of every task as soon as it has its verdict, `say` what is being tried then.
    Raises ConflictError for a run that is still at work, NotFoundError, BlobError.
    """
    check_ended(run)
    found = Verifier(project, run, wish, told or _silent, say or _silent).verification()
    with project.store.write() as tx:
        number = tx.add_verification(found)
    return msgspec.structs.replace(found, id=number)


def check_ended(run: Run) -> None:
    """Raise ConflictError for a run that is still at work."""
    if run.status not in _ENDED:
        raise ConflictError(
            f"run {run.id} is {run.status.value}: there is nothing final to verify",
            hint="wait until it has ended",
        )


def _silent(_: object) -> None:
    """Nobody wants to know."""


class Verifier:
    """One verification, as it goes on."""

    def __init__(self, project: Project, run: Run, wish: Wish, told: Told, say: Say) -> None:
        self._project = project
        self._run = run
        self._wish = wish
        self._told = told
        self._say = say
        seed = wish.hash_seed
        if seed is None:
            seed = HASH_SEED + 1 + secrets.randbelow(2**31)
        self.conditions = Surroundings(hash_seed=seed)
        self._recorded = RecordedRun(project, run)
        self._trials = Trials(project, self._recorded, wish.python)
        self._counts: Counter[Exactness] = Counter()
        self._kept: list[Result] = []
        self._later: list[Recorded] = []

    def verification(self) -> Verification:
        """Execute everything, compare, and look for the cause of the first difference."""
        began = time.time()
        for recorded, outcome in self._trials.execute(self._to_execute(), self.conditions):
            self._settle(recorded, outcome)
        self._do_later()
        self._compare()
        self._kept.sort(key=lambda result: result.recorded.place)
        first = next((r for r in self._kept if r.verdict.verdict is Exactness.DIFFERS), None)
        suspects = self._suspects(first) if first is not None else ()
        return Verification(
            run=self._run.id,
            at=began,
            verdict=self._overall(),
            counts={verdict.value: self._counts[verdict] for verdict in _ORDER},
            tasks=tuple(result.verdict for result in self._kept[:LISTED]),
            first=first.verdict.path if first is not None else None,
            suspects=suspects,
            where=self._wish.where,
            hash_seed=self.conditions.hash_seed,
            seconds=time.time() - began,
            tolerances=dict(self._wish.tolerances),
            only=tuple(self._wish.tasks),
        )

    def _overall(self) -> Exactness:
        """The worst verdict; what was left out on purpose does not count, unless it was all."""
        left_out = sum(r.verdict.reason == OUTSIDE for r in self._kept)
        counts = Counter(self._counts)
        counts[Exactness.UNVERIFIED] -= left_out
        found = [verdict for verdict in _ORDER if counts[verdict] > 0]
        return found[-1] if found else Exactness.UNVERIFIED

    # Executing

    def _to_execute(self) -> Iterator[Recorded]:
        for recorded in self._recorded.tasks(self._wish.tasks):
            why = self._unfit(recorded)
            if why:
                self._keep(recorded, Exactness.UNVERIFIED, why)
            elif self._misses(recorded):
                self._later.append(recorded)
            elif recorded.task.status in TASK_HAS_OUTPUTS:
                yield recorded

    def _unfit(self, recorded: Recorded) -> str:
        """Why a task can't be made again, or is not to be; "" where it is."""
        status = recorded.task.status
        if status is TaskStatus.FAILED:
            return "it failed then"
        if status not in TASK_HAS_OUTPUTS:
            return ""
        if recorded.options.cache is not True and not self._is_named(recorded):
            return OUTSIDE
        return recorded.fault if recorded.keyed is None and not recorded.missing else ""

    def _is_named(self, recorded: Recorded) -> bool:
        return recorded.task.path in self._wish.tasks or recorded.task.node in self._wish.tasks

    def _misses(self, recorded: Recorded) -> bool:
        """Whether a value that it needs is gone."""
        if recorded.task.status not in TASK_HAS_OUTPUTS:
            return False
        if recorded.missing:
            return True
        return not all(map(self._project.artifacts.complete, recorded.artifacts()))

    def _do_later(self) -> None:
        """Execute what missed a value: what comes before it has made that again, perhaps."""
        while self._later:
            paths = [recorded.task.path for recorded in self._later]
            self._later = []
            ready: list[Recorded] = []
            for recorded in self._recorded.tasks(paths):
                why = self._unfit(recorded)
                if why:
                    self._keep(recorded, Exactness.UNVERIFIED, why)
                else:
                    (self._later if self._misses(recorded) else ready).append(recorded)
            if not ready:
                break
            for recorded, outcome in self._trials.execute(ready, self.conditions):
                self._settle(recorded, outcome)
        for recorded in self._later:
            self._keep(recorded, Exactness.UNVERIFIED, "an input is gone, and was not made again")

    # Comparing

    def _settle(self, recorded: Recorded, outcome: Outcome) -> None:
        """Take down how a task came out; what differs is compared when all are through."""
        if outcome.status is not AttemptStatus.SUCCEEDED:
            failed = failure_of(outcome)
            lacks = outcome.error is not None and outcome.error.kind == "resources"
            verdict = Exactness.UNVERIFIED if lacks else Exactness.DIFFERS
            self._keep(
                recorded, verdict, f"it fails now: {failed}" if not lacks else failed, outcome
            )
            return
        outputs = tuple(_outputs(recorded.outputs, outcome.outputs))
        if all(output.verdict is Exactness.IDENTICAL for output in outputs):
            self._count(_task(recorded, Exactness.IDENTICAL, outcome))
            return
        made = _task(recorded, Exactness.DIFFERS, outcome)
        verdict = msgspec.structs.replace(made, outputs=outputs)
        self._kept.append(Result(recorded=recorded, verdict=verdict, outcome=outcome))

    def _keep(
        self, recorded: Recorded, verdict: Exactness, reason: str, outcome: Outcome | None = None
    ) -> None:
        made = msgspec.structs.replace(_task(recorded, verdict, outcome), reason=reason)
        self._kept.append(Result(recorded=recorded, verdict=made, outcome=outcome))
        self._count(made)

    def _count(self, verdict: TaskVerdict) -> None:
        self._counts[verdict.verdict] += 1
        self._told(verdict)

    def _compare(self) -> None:
        """Look into the outputs that are not identical, and give their tasks a verdict."""
        differing = [result for result in self._kept if result.verdict.outputs]
        pairs: dict[tuple[str, str], Pair] = {}
        for result in differing:
            for output in result.verdict.outputs:
                pair = self._pair(result, output)
                if pair is not None:
                    pairs[pair.recorded.digest, pair.made.digest] = pair
        found = {
            (pair.recorded.digest, pair.made.digest): said
            for pair, said in (self._trials.compare(pairs.values()) if pairs else ())
        }
        for result in differing:
            outputs = tuple(self._judged(result, one, found) for one in result.verdict.outputs)
            worst = max((one.verdict for one in outputs), key=_ORDER.index)
            result.verdict = msgspec.structs.replace(result.verdict, outputs=outputs, verdict=worst)
            self._count(result.verdict)

    def _pair(self, result: Result, output: OutputVerdict) -> Pair | None:
        """The two values of an output that differs, if both are to be had."""
        recorded = result.recorded.outputs.get(output.output)
        made = result.outcome.outputs.get(output.output) if result.outcome is not None else None
        if output.verdict is Exactness.IDENTICAL or recorded is None or made is None:
            return None
        is_there = self._project.artifacts.complete(recorded)
        return Pair(recorded=recorded, made=made) if is_there else None

    def _judged(
        self,
        result: Result,
        output: OutputVerdict,
        found: Mapping[tuple[str, str], Comparison | str],
    ) -> OutputVerdict:
        if output.verdict is Exactness.IDENTICAL or output.made is None or output.recorded is None:
            return output
        said = found.get((output.recorded, output.made), "the recorded value is gone")
        if isinstance(said, str):
            return msgspec.structs.replace(output, note=said)
        tolerance = self._tolerance(result.recorded, output.output)
        same = said.numeric and tolerance is not None and said.scaled <= tolerance
        close = tolerance is not None and (same or not said.count)
        return msgspec.structs.replace(
            output,
            comparison=said,
            tolerance=tolerance,
            verdict=Exactness.TOLERANCE if close else Exactness.DIFFERS,
            note="" if said.count else "the bytes differ, the values compare as equal",
        )

    def _tolerance(self, recorded: Recorded, output: str) -> float | None:
        path, node = recorded.task.path, recorded.task.node
        for name in (f"{path}.{output}", f"{node}.{output}", path, node, output, ""):
            if name in self._wish.tolerances:
                return self._wish.tolerances[name]
        return None

    def _suspects(self, first: Result) -> tuple[Suspect, ...]:
        if not self._wish.experiments or first.outcome is None:
            return ()
        try:
            return Inquiry(
                self._trials,
                first.recorded,
                first.outcome,
                self.conditions,
                times=self._wish.experiments,
                known=self._wish.known,
                told=self._say,
            ).suspects()
        except MainspringError as error:
            self._say(f"the experiments could not be finished: {error}")
            return ()


def _task(recorded: Recorded, verdict: Exactness, outcome: Outcome | None) -> TaskVerdict:
    seconds = outcome.usage.wall if outcome is not None else 0.0
    return TaskVerdict(path=recorded.task.path, verdict=verdict, seconds=seconds)


def _outputs(
    recorded: Mapping[str, ArtifactRef], made: Mapping[str, ArtifactRef]
) -> Iterator[OutputVerdict]:
    """Each output by digest; what is not identical counts as different until it is looked into."""
    for name in dict.fromkeys((*recorded, *made)):
        one, other = recorded.get(name), made.get(name)
        same = (
            one is not None
            and other is not None
            and (one.digest, one.format) == (other.digest, other.format)
        )
        yield OutputVerdict(
            output=name,
            verdict=Exactness.IDENTICAL if same else Exactness.DIFFERS,
            recorded=one.digest if one is not None else None,
            made=other.digest if other is not None else None,
        )
