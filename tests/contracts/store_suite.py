"""One contract for every metadata store: in memory, SQLite, and those to come.

A test module derives a class from `StoreSuite` and gives it a fixture `new_store`: a function
that returns a fresh, empty store each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.contracts.store_artifacts import ArtifactContract
from tests.contracts.store_counts import CountContract
from tests.contracts.store_datasets import DatasetContract
from tests.contracts.store_facts import FactContract
from tests.contracts.store_history import HistoryContract, MetricContract
from tests.contracts.store_imports import ImportContract
from tests.contracts.store_models import ModelContract
from tests.contracts.store_queue import QueueContract
from tests.contracts.store_records import RunContract, TransactionContract
from tests.contracts.store_search import SearchContract
from tests.contracts.store_verifications import VerificationContract

from mainspring.records.stores import Store


class StoreSuite(
    TransactionContract,
    RunContract,
    QueueContract,
    CountContract,
    HistoryContract,
    MetricContract,
    FactContract,
    SearchContract,
    ArtifactContract,
    DatasetContract,
    ModelContract,
    ImportContract,
    VerificationContract,
):
    @pytest.fixture
    def store(self, new_store: Callable[[], Store]) -> Iterator[Store]:
        store = new_store()
        yield store
        store.close()
