"""What verifying a run came to: a verdict for each task, and what was tried where one differs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec


class Exactness(StrEnum):
    """How what was made again compares to what is on record, from the best to the worst.

    `unverified` says nothing of the values: it could not be, or was not to be, made again.
    """

    IDENTICAL = "identical"
    TOLERANCE = "tolerance"
    UNVERIFIED = "unverified"
    DIFFERS = "differs"


class Standing(StrEnum):
    """What the experiments say of a suspect, the strongest first.

    `restores`: changing it back, and nothing else, gave the recorded bytes. `decides`: with it
    held fixed the step agrees with itself, and another value gives another result. `settles`: with
    it held fixed the step agrees with itself. `possible`: it is known to differ, and could not be
    changed back. `excluded`: changing it changes nothing.
    """

    RESTORES = "restores"
    DECIDES = "decides"
    SETTLES = "settles"
    POSSIBLE = "possible"
    UNTRIED = "untried"
    EXCLUDED = "excluded"


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One place in which two values differ: `place` is the way there (`['loss'][3]`); of the
    numbers below it `count` of `total` differ, by `absolute` and `relative` at most."""

    place: str
    what: str
    absolute: float | None = None
    relative: float | None = None
    count: int = 0
    total: int = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """In what two values differ. `numeric` says that they do in nothing but numbers; `scaled` is
    then the largest |made - recorded| / max(1, |recorded|). `relative` is None without an end."""

    changes: tuple[Change, ...] = ()
    count: int = 0
    numeric: bool = False
    absolute: float = 0.0
    relative: float | None = 0.0
    scaled: float = 0.0


class OutputVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One output: the recorded digest and the one that was made (None: it was not)."""

    output: str
    verdict: Exactness
    recorded: str | None = None
    made: str | None = None
    tolerance: float | None = None
    comparison: Comparison | None = None
    note: str = ""


class TaskVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One task; of identical ones only the name is kept. `seconds` is wall-clock time."""

    path: str
    verdict: Exactness
    reason: str = ""
    outputs: tuple[OutputVerdict, ...] = ()
    seconds: float = 0.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Executions under one set of conditions: what each made, as short digests in which equal is
    equal, and how many of them made what is on record."""

    conditions: str
    made: tuple[str, ...]
    as_recorded: int


class Suspect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that may be the cause, with the evidence for it or against it."""

    name: str
    standing: Standing
    evidence: str
    trials: tuple[Trial, ...] = ()
    notes: tuple[str, ...] = ()


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """One verification of a run, as it is kept.

    `counts` is of tasks by verdict; `tasks` are those that are not identical (some, of many), in
    the order in which they depend on one another, and `first` is the first that differs.
    `where` says which environment it ran in, `hash_seed` with which string hashes; `only` names the
    tasks to which it was limited.
    """

    run: str
    at: float
    verdict: Exactness
    counts: dict[str, int]
    tasks: tuple[TaskVerdict, ...] = ()
    first: str | None = None
    suspects: tuple[Suspect, ...] = ()
    where: str = ""
    hash_seed: int = 0
    seconds: float = 0.0
    tolerances: dict[str, float] = {}
    only: tuple[str, ...] = ()
    id: int = 0


class VerificationReader(Protocol):
    """What is asked of the verifications on record (a part of `records.stores.Reader`)."""

    def verifications(self, run: str, limit: int = 20) -> list[Verification]:
        """The last ones of a run, in the order in which they were made."""
        ...

    def verified(self, runs: Sequence[str]) -> dict[str, Exactness]:
        """The last verdict on the whole of each of these runs; of one never verified, none."""
        ...


class VerificationWriter(Protocol):
    """Putting verifications on record (a part of `records.stores.Transaction`)."""

    def add_verification(self, verification: Verification) -> int:
        """Append it and return its number; its run's end takes it along. Raises NotFoundError."""
        ...
