"""Everything that is changed in one transaction: the writers of all nouns as one."""

from __future__ import annotations

from mainspring.storage.decisions import DecisionWriter
from mainspring.storage.metrics import MetricWriter
from mainspring.storage.queue import Claiming, Settling, Watching
from mainspring.storage.results import ResultWriter
from mainspring.storage.runs import RunWriter
from mainspring.storage.tasks import TaskWriter


class StoreTransaction(
    RunWriter, TaskWriter, Claiming, Settling, Watching, ResultWriter, DecisionWriter, MetricWriter
):
    """One atomic set of changes (records.stores.Transaction)."""
