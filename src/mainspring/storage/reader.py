"""Everything that is asked of the past: the readers of all nouns as one."""

from __future__ import annotations

from mainspring.storage.datasets import DatasetReader
from mainspring.storage.decisions import DecisionReader
from mainspring.storage.facts import FactReader
from mainspring.storage.imports import ImportReader
from mainspring.storage.metrics import MetricReader
from mainspring.storage.models import ModelReader
from mainspring.storage.queue import AttemptReader
from mainspring.storage.results import ResultReader
from mainspring.storage.rows import outputs_of, sources_of
from mainspring.storage.runs import RunReader
from mainspring.storage.search import SearchReader
from mainspring.storage.statements import statements
from mainspring.storage.sweep import SweepReader
from mainspring.storage.tasks import TaskReader

_DIGESTS = (
    statements("runs")["snapshots"],
    statements("tasks")["digests"],
    statements("metrics")["digests"],
    statements("datasets")["manifests"],
    statements("models")["manifests"],
)
_RESULTS = statements("results")["outputs"]
_SOURCES = statements("runs")["sources"]


class StoreReader(
    RunReader,
    TaskReader,
    AttemptReader,
    ResultReader,
    DecisionReader,
    MetricReader,
    DatasetReader,
    ModelReader,
    SweepReader,
    FactReader,
    SearchReader,
    ImportReader,
):
    """Reads what is committed (records.stores.Reader, all but `version`)."""

    def referenced(self) -> set[str]:
        found = {row[0] for sql in _DIGESTS for row in self._db.rows(sql)}
        for (outputs,) in self._db.rows(_RESULTS):
            found.update(ref.digest for ref in outputs_of(outputs).values())
        for (sources,) in self._db.rows(_SOURCES):
            found.update(source.ref.digest for source in sources_of(sources).values())
        return found
