"""Everything that is changed in one transaction: the writers of all nouns as one."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Generic, TypeVar

from mainspring.storage.datasets import DatasetWriter
from mainspring.storage.decisions import DecisionWriter
from mainspring.storage.facts import FactWriter
from mainspring.storage.imports import ImportWriter
from mainspring.storage.metrics import MetricWriter
from mainspring.storage.models import ModelWriter
from mainspring.storage.queue import Claiming, Settling, Watching
from mainspring.storage.results import ResultWriter
from mainspring.storage.runs import RunWriter
from mainspring.storage.sessions import ChangeSession
from mainspring.storage.tasks import TaskWriter


class StoreTransaction(
    RunWriter,
    TaskWriter,
    Claiming,
    Settling,
    Watching,
    ResultWriter,
    DecisionWriter,
    MetricWriter,
    FactWriter,
    DatasetWriter,
    ModelWriter,
    ImportWriter,
):
    """One atomic set of changes (records.stores.Transaction)."""

    def begun(self) -> None:
        """Another transaction begins: nothing is known from the one before."""


T = TypeVar("T", bound=StoreTransaction)


class Write(Generic[T]):
    """A transaction as a block: committed when it ends, undone when it raises."""

    __slots__ = ("_runs", "_session", "_transaction")

    def __init__(self, session: ChangeSession, transaction: T, runs: Sequence[str]) -> None:
        self._session = session
        self._transaction = transaction
        self._runs = runs

    def __enter__(self) -> T:
        self._session.begin(self._runs)
        self._transaction.begun()
        return self._transaction

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.end(commit=kind is None)
