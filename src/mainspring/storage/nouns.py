"""What every noun of the store is built on: readers over any session, writers over a writing one.

`Both` is for what is asked inside a transaction as well as outside of it.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from mainspring.storage.sessions import ChangeSession, Session

S = TypeVar("S", bound=Session)


class Both(Generic[S]):
    """Reads by the session that it is given: the committed state, or a transaction's own."""

    def __init__(self, db: S) -> None:
        self._db = db


class Reading(Both[Session]):
    """Reads what is committed."""


class Writing(Both[ChangeSession]):
    """Reads and changes inside of a transaction."""
