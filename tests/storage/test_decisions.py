"""Decisions: each link's digest covers all that was judged and the link before it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.contracts.store_builders import filled, verdict

from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import MainspringError
from mainspring.records.runs import Verdict
from mainspring.storage.decisions import broken_links, chain_of, linked
from mainspring.storage.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


@pytest.mark.parametrize("field", [f for f in Verdict.__struct_fields__ if f != "digest"])
def test_every_field_is_in_the_digest(field: str) -> None:
    base = verdict()
    before = getattr(base, field)
    changes = {
        "passed": False, "at": 11.0, "values": {"steps.scores.accuracy": 0.96},
        "evidence": {"steps.scores.accuracy": "blake3:2"},
    }  # fmt: skip
    change = changes.get(field, f"{before}!")
    if field == "previous":
        one, other = linked(base, "")[0], linked(base, "blake3:x")[0]
    else:
        one = linked(base, "")[0]
        other = linked(msgspec.structs.replace(base, **{field: change}), "")[0]
    assert one.digest != other.digest


def test_a_link_has_the_digest_of_its_bytes_and_its_predecessor() -> None:
    link, data = linked(verdict(), "blake3:before")
    assert link.digest == digest_bytes(data)
    assert link.previous == "blake3:before"
    body = msgspec.json.decode(data)
    assert body["previous"] == "blake3:before"
    assert "digest" not in body
    # What the verdict said of its own digest counts for nothing.
    lying = msgspec.structs.replace(verdict(), digest="blake3:lie", previous="blake3:lie")
    assert linked(lying, "blake3:before") == (link, data)


def test_each_pipeline_has_a_chain(store: SqliteStore) -> None:
    filled(store, run="r1", pipeline="p")
    filled(store, run="r2", pipeline="q")
    with store.write() as tx:
        links = [tx.add_verdict(verdict(run)) for run in ("r1", "r2", "r1", "r1")]
    assert chain_of("p") == "checkpoints:p"
    assert [link.previous for link in links] == [
        "", "", links[0].digest, links[2].digest,
    ]  # fmt: skip
    assert store.read.verdicts("r1") == [links[0], *links[2:]]
    assert store.read.all_verdicts() == links
    assert broken_links(store._reading) == []


def test_a_verdict_of_a_run_that_is_not_there(store: SqliteStore) -> None:
    with pytest.raises(MainspringError, match="'nope'"), store.write() as tx:
        tx.add_verdict(verdict("nope"))
    assert store.read.all_verdicts() == []


def test_the_chain_is_carried_on_by_the_next_process(tmp_path: Path) -> None:
    digests = []
    for number in range(3):
        store = SqliteStore(tmp_path / "store.db")
        filled(store, run=f"r{number}")
        with store.write() as tx:
            digests.append(tx.add_verdict(verdict(f"r{number}", at=float(number))))
        store.close()
    assert [link.previous for link in digests[1:]] == [link.digest for link in digests[:-1]]


def test_a_changed_verdict_shows(store: SqliteStore) -> None:
    filled(store)
    with store.write() as tx:
        link = tx.add_verdict(verdict(passed=False))
    connection = sqlite3.connect(store.path)
    triggers = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'decisions'"
    ).fetchall()
    for (name,) in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(
        """UPDATE decisions SET body = replace(body, '"passed":false', '"passed":true')"""
    )
    connection.commit()
    connection.close()
    assert broken_links(store._reading) == [
        f"checkpoints:digits: decision {link.digest} was changed after it was recorded"
    ]
