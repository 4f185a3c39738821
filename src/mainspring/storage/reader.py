"""Everything that is asked of the past: the readers of all nouns as one."""

from __future__ import annotations

from mainspring.storage.decisions import DecisionReader
from mainspring.storage.metrics import MetricReader
from mainspring.storage.queue import AttemptReader
from mainspring.storage.results import ResultReader
from mainspring.storage.rows import outputs_of
from mainspring.storage.runs import RunReader
from mainspring.storage.statements import statements
from mainspring.storage.sweep import SweepReader
from mainspring.storage.tasks import TaskReader
from mainspring.storage.verifications import VerificationReader

_DIGESTS = (
    statements("runs")["snapshots"],
    statements("tasks")["digests"],
    statements("metrics")["digests"],
)
_RESULTS = statements("results")["outputs"]


class StoreReader(
    RunReader,
    TaskReader,
    AttemptReader,
    ResultReader,
    DecisionReader,
    MetricReader,
    SweepReader,
    VerificationReader,
):
    """Reads what is committed (records.stores.Reader, all but `version`)."""

    def referenced(self) -> set[str]:
        found = {row[0] for sql in _DIGESTS for row in self._db.rows(sql)}
        for (outputs,) in self._db.rows(_RESULTS):
            found.update(ref.digest for ref in outputs_of(outputs).values())
        return found
