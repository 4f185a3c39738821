"""While the store is away: wait, with growing pauses, and say so once.

The executor goes on meanwhile: time limits hold, workers end, and their outcomes are durable in
their files, where the engine finds them when it begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mainspring.records.errors import StoreUnavailableError
from mainspring.records.runs import Outcome

PATIENCE = 600.0
"""Seconds for which an absence is waited out, unless the settings say otherwise."""

FIRST, LONGEST = 0.05, 5.0
"""Seconds of the first pause and of the longest one; each is twice the one before."""

QUIET = 1.0
"""Seconds of absence of which nothing is said: a deadlock, a connection that was cut."""

HASTE = 3.0
"""The patience, in seconds, of one who has been asked to stop."""

T = TypeVar("T")


class Absence:
    """Waits for the store. `wait` is the executor's, so that it goes on; what it returns is of no
    account here, since whoever begins again adopts every attempt anew."""

    def __init__(
        self,
        wait: Callable[[float], Sequence[Outcome]],
        tick: Callable[[], float],
        patience: float,
        say: Callable[[str], None],
    ) -> None:
        self.abandoned = False
        self._wait = wait
        self._tick = tick
        self._patience = patience
        self._say = say

    def outlast(self, error: StoreUnavailableError, again: Callable[[], T]) -> T:
        """Call `again` until it succeeds; return what it returns.

        Raises StoreUnavailableError, the latest, when that takes longer than the patience, which
        is short once `abandoned` is set: somebody wants this process to stop.
        """
        began = self._tick()
        pause = FIRST
        told = False
        while True:
            patience = min(self._patience, HASTE) if self.abandoned else self._patience
            if self._tick() - began > patience:
                raise error
            if not told and self._tick() - began >= QUIET:
                self._say("the store is not reachable; waiting for it")
                told = True
            self._rest(min(pause, FIRST * 4) if self.abandoned else pause)
            pause = min(LONGEST, 2 * pause)
            try:
                found = again()
            except StoreUnavailableError as latest:
                error = latest
                continue
            if told:
                self._say("the store is back")
            return found

    def _rest(self, seconds: float) -> None:
        """Pass the time; outcomes end the executor's wait early, so it is asked again."""
        end = self._tick() + seconds
        before = self.abandoned
        while (left := end - self._tick()) > 0 and self.abandoned is before:
            self._wait(left)
