"""Decisions: append-only and hash-chained, so that changed evidence shows."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.records.canonical import canonical, digest_bytes
from mainspring.records.runs import Verdict
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import verdict_of
from mainspring.storage.runs import no_run
from mainspring.storage.sessions import Session
from mainspring.storage.statements import statements

_SQL = statements("decisions")
_PIPELINE = statements("runs")["pipeline"]


def chain_of(pipeline: str) -> str:
    """The name of the chain that a pipeline's checkpoints form."""
    return f"checkpoints:{pipeline}"


def linked(verdict: Verdict, previous: str) -> tuple[Verdict, bytes]:
    """The verdict as the next link after `previous`, and the bytes that its digest names."""
    body: dict[str, Any] = msgspec.to_builtins(verdict)
    del body["digest"]
    body["previous"] = previous
    data = canonical(body)
    link = msgspec.structs.replace(verdict, digest=digest_bytes(data), previous=previous)
    return link, data


def broken_links(db: Session) -> list[str]:
    """What is wrong with the chains: a changed decision, or one that is missing."""
    faults: list[str] = []
    last: dict[str, str] = {}
    for chain, body, digest, previous in db.rows(_SQL["chained"]):
        if digest_bytes(body.encode()) != digest:
            faults.append(f"{chain}: decision {digest} was changed after it was recorded")
        if previous != last.get(chain, ""):
            faults.append(f"{chain}: the decision before {digest} is missing")
        last[chain] = digest
    return faults


class DecisionReader(Reading):
    """Verdicts as they are recorded."""

    def verdicts(self, run: str) -> list[Verdict]:
        return [verdict_of(*row) for row in self._db.rows(_SQL["of_run"], (run,))]

    def all_verdicts(self) -> list[Verdict]:
        return [verdict_of(*row) for row in self._db.rows(_SQL["all"])]


class DecisionWriter(Writing):
    """Appending verdicts."""

    def add_verdict(self, verdict: Verdict) -> Verdict:
        owner = self._db.row(_PIPELINE, (verdict.run,))
        if owner is None:
            raise no_run(verdict.run)
        chain = chain_of(owner[0])
        last = self._db.row(_SQL["last"], (chain,))
        link, data = linked(verdict, "" if last is None else last[0])
        values = (chain, link.run, data.decode(), link.digest, link.previous)
        self._db.change(_SQL["add"], values)
        return link
