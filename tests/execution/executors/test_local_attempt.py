from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.execution.attempt_files import AttemptFiles, encode
from mainspring.execution.executors import local_attempt as ends
from mainspring.execution.executors.local_attempt import STARTS, Attempt
from mainspring.records.runs import Order, Outcome, Usage
from mainspring.records.status import AttemptStatus

ORDER = Order(attempt="r.1.1", run="r", path="a", node="a", snapshot="s")


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt("r.1.1", AttemptFiles(tmp_path, "r.1.1"), ORDER)


def test_the_first_outcome_counts(attempt: Attempt) -> None:
    usage = Usage(wall=2.0)
    first = ends.conclude(attempt, ends.timed_out(5.0), usage)
    assert (first.status, first.usage) == (AttemptStatus.TIMED_OUT, usage)
    assert ends.conclude(attempt, ends.lost()) == first == attempt.files.read()


def test_a_workers_outcome_stands_against_whoever_takes_the_attempt_away(attempt: Attempt) -> None:
    own = Outcome(attempt="r.1.1", status=AttemptStatus.SUCCEEDED)
    attempt.files.create()
    assert attempt.files.publish(encode(own))
    taken = ends.taken_away(AttemptStatus.CANCELLED, None)
    assert ends.conclude(attempt, taken) == own


def test_a_damaged_outcome_is_a_loss_that_is_said(attempt: Attempt) -> None:
    attempt.files.create()
    Path(attempt.files.outcome).write_bytes(b"{half")
    found = ends.conclude(attempt, ends.lost())
    assert found.status is AttemptStatus.LOST
    assert found.error is not None
    assert "outcome.json is damaged" in found.error.message


def test_an_outcome_that_cannot_be_stored_is_told_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "attempts").write_text("a file where a directory should be")
    attempt = Attempt("r.1.1", AttemptFiles(tmp_path, "r.1.1"), ORDER)
    found = ends.conclude(attempt, ends.lost())
    assert found.error is not None
    assert "could not be stored" in found.error.message


@pytest.mark.parametrize(
    ("ending", "status", "words"),
    [
        (ends.timed_out(90.0), AttemptStatus.TIMED_OUT, "its limit of 90 s"),
        (ends.timed_out(None), AttemptStatus.TIMED_OUT, "longer than its limit"),
        (ends.taken_away(AttemptStatus.TIMED_OUT, 3.0), AttemptStatus.TIMED_OUT, "3 s"),
        (ends.taken_away(AttemptStatus.CANCELLED, None), AttemptStatus.CANCELLED, "was cancelled"),
        (ends.out_of_memory(3 << 30, 1 << 30), AttemptStatus.FAILED, "used 3 GiB"),
        (ends.lost(), AttemptStatus.LOST, "without an outcome"),
    ],
)
def test_endings(ending: ends.Ending, status: AttemptStatus, words: str) -> None:
    assert ending.status is status
    assert words in ending.error.message


def test_what_was_never_begun_may_start_elsewhere(attempt: Attempt) -> None:
    assert attempt.unbegun()
    attempt.starts = STARTS
    assert not attempt.unbegun()
    attempt.starts = 0
    attempt.files.create()
    lock = attempt.files.take_lock()
    assert lock is not None
    os.close(lock)
    assert not attempt.unbegun()


def test_an_attempt_of_another_engine_is_never_started_here(tmp_path: Path) -> None:
    assert not Attempt("r.1.1", AttemptFiles(tmp_path, "r.1.1")).unbegun()


def test_limits_go_on_from_what_is_spent(attempt: Attempt) -> None:
    assert not attempt.timed()
    attempt.follow_limits(10.0, None)
    fresh = attempt.deadline
    attempt.follow_limits(10.0, None, spent=8.0)
    assert fresh is not None
    assert attempt.deadline is not None
    assert 7.0 < fresh - attempt.deadline < 8.5
    attempt.follow_limits(None, 100)
    assert (attempt.deadline, attempt.timed()) == (None, True)
