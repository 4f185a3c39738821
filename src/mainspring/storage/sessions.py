"""What the nouns of a store speak to: statements in, rows out, whichever database is behind.

Statements are written for SQLite (`sql/*.sql`); a session of another database finds its own
version of each (postgres_sql.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]
Values: TypeAlias = Sequence[Any] | Mapping[str, Any]

PATIENCE = 60.0  # seconds that others may keep the store busy before a user hears of it


class Session:
    """Runs statements. What both sides of a store, reading and writing, are built on."""

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows of a statement."""
        raise NotImplementedError

    def row(self, sql: str, values: Values = ()) -> Row | None:
        """The first row of a statement, if it has one."""
        rows = self.rows(sql, values)
        return rows[0] if rows else None


class ChangeSession(Session):
    """Runs statements inside of a transaction, those that change rows too."""

    def begin(self, runs: Sequence[str] = ()) -> None:
        """Begin a transaction, when no other moves these runs."""
        raise NotImplementedError

    def end(self, commit: bool) -> None:
        """Commit (durable when this returns) or undo."""
        raise NotImplementedError

    def change(self, sql: str, values: Values = ()) -> int:
        """Run a statement that returns no rows; how many rows it changed."""
        raise NotImplementedError

    def later(self, sql: str, values: Values = ()) -> None:
        """Run a statement of which nobody needs to know what it did. It may travel with the next
        one, and fail there; it comes before it, and before the commit."""
        self.change(sql, values)

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Run a statement once for each row of values; as `later`."""
        raise NotImplementedError
