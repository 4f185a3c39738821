"""An attempt's files: one outcome, whoever writes it, and a lock that ends with its process."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from mainspring.execution.attempt_files import AttemptFiles, encode
from mainspring.records.runs import Outcome
from mainspring.records.status import AttemptStatus

OURS = Outcome(attempt="a", status=AttemptStatus.SUCCEEDED)
THEIRS = Outcome(attempt="a", status=AttemptStatus.CANCELLED)


@pytest.fixture
def files(tmp_path: Path) -> AttemptFiles:
    files = AttemptFiles(tmp_path, "a")
    files.create()
    files.create()
    return files


@pytest.mark.parametrize("unnamed", [True, False])
def test_the_first_outcome_counts(
    files: AttemptFiles, unnamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    assert (files.ended(), files.read()) == (False, None)
    assert files.publish(encode(OURS))
    assert not files.publish(encode(THEIRS))
    assert (files.ended(), files.read()) == (True, OURS)
    assert os.listdir(files.directory) == ["outcome.json"]
    assert stat.S_IMODE(os.stat(files.outcome).st_mode) & 0o222 == 0


def test_one_of_many_wins(files: AttemptFiles) -> None:
    """Processes that wait for one signal, then all publish at once."""
    read, write = os.pipe()
    won_read, won_write = os.pipe()
    pids: list[int] = []
    for number in range(8):
        pid = os.fork()
        if pid == 0:
            os.close(write)
            os.read(read, 1)
            if files.publish(b'{"attempt":"a","status":"failed","started":%d}' % number):
                os.write(won_write, b"%d" % number)
            os._exit(0)
        pids.append(pid)
    os.close(write)
    for pid in pids:
        os.waitpid(pid, 0)
    os.close(won_write)
    winners = os.read(won_read, 100)
    os.close(won_read)
    os.close(read)
    assert len(winners) == 1
    outcome = files.read()
    assert outcome is not None
    assert outcome.started == int(winners)


def test_a_damaged_outcome_is_an_error(files: AttemptFiles) -> None:
    Path(files.outcome).write_bytes(b"{")
    with pytest.raises(msgspec.DecodeError):
        files.read()


def test_the_lock_ends_with_its_process_not_with_what_it_forked(files: AttemptFiles) -> None:
    read, write = os.pipe()
    alive_read, alive_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        assert files.take_lock() is not None
        if os.fork() == 0:
            os.close(write)
            os.close(alive_write)
            os.read(alive_read, 1)
            os._exit(0)
        os.write(write, b".")
        os.read(alive_read, 1)
        os._exit(0)
    os.read(read, 1)
    assert files.holder() == pid
    assert files.take_lock() is None
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert files.holder() is None
    lock = files.take_lock()
    assert lock is not None
    for fd in (lock, read, write, alive_read, alive_write):
        os.close(fd)


def test_limits_are_left_in_the_lock(files: AttemptFiles) -> None:
    assert files.limits() == {}
    lock = files.take_lock()
    assert lock is not None
    files.write_limits(lock, {"timeout": 2.0})
    os.close(lock)
    assert files.limits() == {"timeout": 2.0}
