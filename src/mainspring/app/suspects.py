"""Why a task came out different: one thing at a time is changed back, and the results compared.

Nothing is known beforehand of what a step calls. Each suspect is an experiment: the task is
executed again, several times, with that one thing held fixed or as it was, and what comes out is
the evidence. How strong it is, is its standing (records/verdicts.py: Standing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from mainspring.app.differing import Known, environment_changes, outside
from mainspring.app.recorded import Recorded
from mainspring.app.trials import Trials, made_text, outputs_text
from mainspring.execution import experiments
from mainspring.records.notebook import is_notebook
from mainspring.records.runs import Outcome
from mainspring.records.spec import StepNode
from mainspring.records.status import AttemptStatus
from mainspring.records.surroundings import HASH_SEED, Surroundings
from mainspring.records.verdicts import Standing, Suspect, Trial

LATER = 90_061.0
"""Seconds by which another clock is ahead: of a day, an hour, a minute and a second."""

SLOWER = 10.0
"""How many times longer an experiment may take than the execution before it, plus LEAST."""

LEAST = 60.0
_RANKS = list(Standing)


class Series(msgspec.Struct):
    """Executions of the task under the same conditions."""

    conditions: str
    outcomes: list[Outcome]
    recorded: str

    @property
    def made(self) -> tuple[str, ...]:
        """What each came to."""
        return tuple(made_text(outcome) for outcome in self.outcomes)

    @property
    def steady(self) -> bool:
        """Whether they agree with each other."""
        return len(set(self.made)) == 1

    @property
    def restored(self) -> bool:
        """Whether they all made what is on record."""
        return set(self.made) == {self.recorded}

    def trial(self) -> Trial:
        """The series as it is kept."""
        count = sum(made == self.recorded for made in self.made)
        return Trial(conditions=self.conditions, made=self.made, as_recorded=count)

    def told(self) -> str:
        """How the results agree, in words."""
        total = len(self.made)
        if self.restored:
            return f"{self.conditions}: {total} of {total} as recorded"
        if self.steady:
            return f"{self.conditions}: {total} of {total} agree"
        return f"{self.conditions}: {len(set(self.made))} different results in {total}"


class Inquiry:
    """The experiments with one task. `first` is how it came out with `conditions`; `times` is how
    often an experiment is repeated, `other` another environment than the one it ran in, if any."""

    def __init__(
        self,
        trials: Trials,
        recorded: Recorded,
        first: Outcome,
        conditions: Surroundings,
        *,
        times: int,
        known: Known,
        told: Callable[[str], None],
    ) -> None:
        self._trials = trials
        self._recorded = recorded
        self._conditions = conditions
        self._times = max(2, times)
        self._known = known
        self._told = told
        self._was = outputs_text(recorded.outputs)
        self._patience = SLOWER * first.usage.wall + LEAST
        more = self._execute("as it was verified", conditions, self._times - 1)
        self._base = Series("as it was verified", [first, *more.outcomes], self._was)

    def suspects(self) -> tuple[Suspect, ...]:
        """Return every suspect, the likeliest first."""
        found = self._all()
        if self._base.steady and not _is_explained(found):
            more = self._execute("as it was verified", self._conditions, 2 * self._times)
            self._base.outcomes += more.outcomes
            if not self._base.steady:  # it differs from itself, only not often
                found = self._all()
        if not self._base.steady and not _is_explained(found):
            found += self._together()
        if not _is_explained(found) and not any(s.standing is Standing.POSSIBLE for s in found):
            found.append(self._something())
        return tuple(sorted(found, key=lambda suspect: _RANKS.index(suspect.standing)))

    def _all(self) -> list[Suspect]:
        return [
            self._randomness(),
            self._clock(),
            self._hashes(),
            self._threads(),
            self._environment(),
            self._outside(),
            self._seed(),
            self._data(),
        ]

    def _execute(
        self,
        name: str,
        conditions: Surroundings,
        times: int,
        *,
        python: Path | None = None,
        seed: int | None = None,
    ) -> Series:
        self._told(f"{self._recorded.task.path}: {name}, {times} more")
        change = {} if seed is None else {"seed": seed}
        if conditions.single:
            change["threads"] = 1
        made = self._trials.execute(
            [self._recorded] * times,
            conditions,
            python=python,
            change=change,
            timeout=self._patience,
        )
        return Series(name, [outcome for _, outcome in made], self._was)

    def _with(self, **changes: object) -> Surroundings:
        return msgspec.structs.replace(self._conditions, **changes)

    @property
    def _is_python(self) -> bool:
        work = self._recorded.node.work
        if not isinstance(work, StepNode) or work.options.environment is not None:
            return False
        return not is_notebook(work.uses)

    # The suspects

    def _randomness(self) -> Suspect:
        return self._held(
            "unseeded randomness",
            experiments.ENTROPY,
            ("the machine's entropy held fixed", self._with(entropy=1)),
            ("other entropy, held fixed", self._with(entropy=2)),
            "asks the machine for entropy",
        )

    def _clock(self) -> Suspect:
        then = self._recorded.task.started or self._recorded.run.created
        return self._held(
            "clock",
            experiments.CLOCK,
            ("the clock set to when it was recorded", self._with(clock=then)),
            ("the clock set to a day later", self._with(clock=then + LATER)),
            "looks at the clock",
        )

    def _held(
        self,
        name: str,
        kind: str,
        first: tuple[str, Surroundings],
        second: tuple[str, Surroundings],
        asks: str,
    ) -> Suspect:
        """Something that is held fixed at one value, then at another."""
        if not self._is_python:
            evidence = "it can be held fixed only for a Python step that runs on this machine"
            return Suspect(name=name, standing=Standing.UNTRIED, evidence=evidence)
        one = self._execute(*first, times=2)
        notes = _noted(kind, one.outcomes)
        if not notes:
            evidence = f"nothing of the step {asks}, as far as can be seen"
            return Suspect(name=name, standing=Standing.EXCLUDED, evidence=evidence)
        other = self._execute(*second, times=2)
        if other.steady:
            self._confirm(one, first[1])
        standing = self._standing(one, other)
        if standing is Standing.EXCLUDED and not self._base.steady and not one.steady:
            standing = Standing.POSSIBLE  # it may be one of several causes
        return self._suspect(name, standing, [one, other, self._base], notes)

    def _hashes(self) -> Suspect:
        mine = self._conditions.hash_seed
        others = [seed for seed in (HASH_SEED, mine + 1) if seed != mine]
        series: list[Series] = []
        for seed in others:
            name = "as recorded" if seed == HASH_SEED else "with another seed"
            conditions = self._with(hash_seed=seed)
            series.append(self._execute(f"string hashes {name}", conditions, 2))
            self._confirm(series[-1], conditions)
        standing = self._standing(*series)
        return self._suspect("string hashes (the order of sets)", standing, [*series, self._base])

    def _threads(self) -> Suspect:
        times = self._times + 1
        threads = max(1, int(self._recorded.options.cpus))
        one = self._execute("one thread, on one core", self._with(single=True), times)
        self._confirm(one, self._with(single=True))
        if self._has_failed(one):
            standing = Standing.UNTRIED
        elif not one.steady or (one.made[0] == self._base.made[0] and self._base.steady):
            standing = Standing.EXCLUDED
        elif one.restored:
            standing = Standing.RESTORES
        else:
            standing = Standing.DECIDES if self._base.steady else Standing.SETTLES
        allowed = f"{threads} thread{'' if threads == 1 else 's'} allowed"
        base = Series(allowed, self._base.outcomes, self._was)
        return self._suspect("threads", standing, [one, base])

    def _environment(self) -> Suspect:
        changes = environment_changes(self._trials.project, self._recorded)
        # Only where something is not as recorded: it may have to be built.
        swap = self._known.other() if changes and self._known.other is not None else None
        if swap is not None:
            one = self._execute(self._known.other_name, self._conditions, 2, python=swap)
            standing = self._standing(one)
            if standing is Standing.EXCLUDED and changes and not one.steady:
                standing = Standing.POSSIBLE
            return self._suspect("environment", standing, [one, self._base], changes)
        if self._known.is_recorded or not changes:
            text = (
                "it ran in the environment that is on record"
                if self._known.is_recorded
                else "the packages that the step uses, and the platform, are those on record"
            )
            return Suspect(name="environment", standing=Standing.EXCLUDED, evidence=text)
        text = f"not as recorded: {'; '.join(changes[:3])}; it could not be changed back"
        return Suspect(
            name="environment", standing=Standing.POSSIBLE, evidence=text, notes=tuple(changes)
        )

    def _outside(self) -> Suspect:
        seen = outside(self._base.outcomes)
        name = "the world outside"
        if not seen:
            text = "it reads no file outside of the project and asks no network, as far as is seen"
            return Suspect(name=name, standing=Standing.EXCLUDED, evidence=text)
        text = f"not part of the record: {'; '.join(seen[:3])}"
        return Suspect(name=name, standing=Standing.POSSIBLE, evidence=text, notes=tuple(seen))

    def _seed(self) -> Suspect:
        recorded, now = self._recorded.task.seed, self._recorded.keyed
        name = "run seed"
        if recorded is not None and now is not None and now.seed != recorded:
            text = f"it would be {now.seed} now; the recorded {recorded} was used"
            return Suspect(name=name, standing=Standing.EXCLUDED, evidence=text)
        seed = recorded if recorded is not None else now.seed if now is not None else 0
        one = self._execute("another seed", self._conditions, 1, seed=seed ^ 1)
        has_effect = not self._base.steady or one.made[0] != self._base.made[0]
        text = "the recorded one was used" if has_effect else "it has no effect on the result"
        return Suspect(name=name, standing=Standing.EXCLUDED, evidence=text, trials=(one.trial(),))

    def _data(self) -> Suspect:
        keyed = self._recorded.keyed
        count = len(keyed.inputs) if keyed is not None else 0
        said = "its input is the one" if count == 1 else f"its {count} inputs are those"
        text = f"{said} on record, by digest" if count else "it has no inputs"
        return Suspect(name="data", standing=Standing.EXCLUDED, evidence=text)

    def _together(self) -> list[Suspect]:
        """Several causes at once: what holding them fixed one by one could not show."""
        if not self._is_python:
            return []
        then = self._recorded.task.started or self._recorded.run.created
        two = self._with(clock=then, entropy=1)
        for name, conditions in (
            ("unseeded randomness and clock together", two),
            (
                "unseeded randomness, clock and threads together",
                msgspec.structs.replace(two, single=True),
            ),
        ):
            one = self._execute(f"{name} held fixed", conditions, self._times + 1)
            if one.steady:
                standing = Standing.RESTORES if one.restored else Standing.SETTLES
                return [self._suspect(name, standing, [one, self._base])]
        return []

    def _something(self) -> Suspect:
        base = self._base
        text = (
            "it differs from itself, whatever is held fixed: process ids, memory addresses, "
            "other programs"
            if not base.steady
            else "it agrees with itself now: something of then is not on record, or not seen"
        )
        return Suspect(
            name="something else",
            standing=Standing.POSSIBLE,
            evidence=text,
            trials=(base.trial(),),
        )

    # What series say

    def _confirm(self, series: Series, conditions: Surroundings) -> None:
        """Where the task differs from itself, two equal results may be luck: have some more."""
        if series.steady and not self._base.steady:
            more = self._execute(series.conditions, conditions, self._times)
            series.outcomes += more.outcomes

    def _has_failed(self, series: Series) -> bool:
        """Whether it failed where, without the experiment, it does not."""
        failed = AttemptStatus.SUCCEEDED not in {one.status for one in series.outcomes}
        return failed and any(one.status is AttemptStatus.SUCCEEDED for one in self._base.outcomes)

    def _standing(self, *series: Series) -> Standing:
        """What series at different values of one thing say of it."""
        if any(one.restored for one in series):
            return Standing.RESTORES
        if any(self._has_failed(one) for one in series):
            return Standing.UNTRIED
        if not all(one.steady for one in series):
            return Standing.EXCLUDED
        results = {one.made[0] for one in series}
        if self._base.steady:
            results.add(self._base.made[0])
            return Standing.DECIDES if len(results) > 1 else Standing.EXCLUDED
        return Standing.DECIDES if len(results) > 1 else Standing.SETTLES

    def _suspect(
        self, name: str, standing: Standing, series: Sequence[Series], notes: Iterable[str] = ()
    ) -> Suspect:
        return Suspect(
            name=name,
            standing=standing,
            evidence="; ".join(one.told() for one in series),
            trials=tuple(one.trial() for one in series),
            notes=tuple(notes),
        )


def _is_explained(found: Iterable[Suspect]) -> bool:
    strong = (Standing.RESTORES, Standing.DECIDES, Standing.SETTLES)
    return any(suspect.standing in strong for suspect in found)


def _noted(kind: str, outcomes: Iterable[Outcome]) -> list[str]:
    """Who asked for something, each named once."""
    found = (text for outcome in outcomes for text in experiments.noted(kind, outcome.impure))
    return list(dict.fromkeys(found))
