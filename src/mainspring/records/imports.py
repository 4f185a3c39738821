"""Runs that were made elsewhere: the note that says so, and what is asked of a store for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from mainspring.records.runs import Attempt, Task


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """That a run was made elsewhere: from which capsule it came, and who vouched for it.

    `capsule` is the SHA-256 of its `capsule.json`. `signer` is a key's id, "" if nobody signed;
    `signer_name` is what the importer called that key. With `pickles` it was let in although some
    of its values run code when they are loaded.
    """

    run: str
    capsule: str
    signer: str
    signer_name: str
    pickles: bool
    at: float


class ImportReads(Protocol):
    """What a store's reader tells of them."""

    def imported(self, run: str) -> Import | None:
        """Where the run came from; None if it was made here."""
        ...


class ImportWrites(Protocol):
    """What a transaction does for them."""

    def add_import(self, found: Import) -> None:
        """Note that a run was made elsewhere; it goes with the run."""
        ...

    def restore(self, tasks: Sequence[Task], attempts: Sequence[Attempt]) -> None:
        """Write what an engine elsewhere wrote of settled tasks (numbers, times, errors), and
        their attempts, all of which have ended."""
        ...

    def add_divergences(self, run: str, found: Sequence[tuple[str, str, str]]) -> None:
        """As `Reader.divergences` gives them."""
        ...
