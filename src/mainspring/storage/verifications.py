"""Verifications: what each came to, in the order in which they were made."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mainspring.records.verdicts import Exactness, Verification
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import readable
from mainspring.storage.runs import no_run
from mainspring.storage.statements import statements

_SQL = statements("verifications")
_RUN = statements("runs")["get"]
_decode = msgspec.json.Decoder(Verification).decode


@readable
def verification_of(number: int, body: str) -> Verification:
    """The verification of a row."""
    return msgspec.structs.replace(_decode(body), id=number)


class VerificationReader(Reading):
    """Verifications as they are recorded."""

    def verifications(self, run: str, limit: int = 20) -> list[Verification]:
        rows = self._db.rows(_SQL["of_run"], (run, limit))
        return [verification_of(*row) for row in reversed(rows)]

    def verified(self, runs: Sequence[str]) -> dict[str, Exactness]:
        if not runs:
            return {}
        wanted = msgspec.json.encode(list(runs)).decode()
        return {
            run: Exactness(verdict) for run, verdict in self._db.rows(_SQL["latest"], (wanted,))
        }


class VerificationWriter(Writing):
    """Putting them on record."""

    def add_verification(self, verification: Verification) -> int:
        if self._db.row(_RUN, (verification.run,)) is None:
            raise no_run(verification.run)
        body = msgspec.json.encode(msgspec.structs.replace(verification, id=0)).decode()
        values = (
            verification.run,
            verification.at,
            verification.verdict.value,
            int(not verification.only),
            body,
        )
        row = self._db.row(_SQL["add"], values)
        assert row is not None
        return row[0]
