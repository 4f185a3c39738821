from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from mainspring.storage import bulk

CONTENT = os.urandom(1000) * 20_000  # 20 MB: more than two pieces


def test_a_file_is_hashed_like_its_bytes(tmp_path: Path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    fd = os.open(path, os.O_RDONLY)
    os.lseek(fd, 5, os.SEEK_SET)  # wherever it stands
    assert bulk.digest_file(fd) == ("blake3:" + blake3(CONTENT).hexdigest(), len(CONTENT))
    os.close(fd)


def test_a_stream_writes_and_hashes_every_byte(tmp_path: Path):
    path = tmp_path / "content"
    stream = bulk.Stream(os.open(path, os.O_CREAT | os.O_WRONLY))
    for part in (CONTENT[:10], CONTENT[10:], b"end"):
        stream.write(memoryview(part))
    assert stream.finish() == ("blake3:" + blake3(CONTENT + b"end").hexdigest(), len(CONTENT) + 3)
    stream.seal(7 * 10**9)
    stream.close()
    stream.close()
    assert path.stat().st_mtime_ns == 7 * 10**9
    assert path.read_bytes() == CONTENT + b"end"


def test_an_error_in_the_writing_thread_is_raised_after_the_hash_is_done(tmp_path: Path):
    path = tmp_path / "content"
    path.write_bytes(b"")
    stream = bulk.Stream(os.open(path, os.O_RDONLY))
    data = bytearray(CONTENT)
    with pytest.raises(OSError, match="Bad file descriptor"):
        stream.write(memoryview(data))
    stream.close()
    data.clear()  # nobody holds the memory any more


def test_a_copy_shares_no_writable_byte(tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    target = tmp_path / "target"
    bulk.copy_file(source, target, 0o600)
    with target.open("r+b") as file:
        file.write(b"changed")
    assert source.read_bytes() == CONTENT
    assert target.stat().st_size == len(CONTENT)


def test_a_copy_never_goes_through_a_link(tmp_path: Path):
    (tmp_path / "source").write_bytes(b"x")
    (tmp_path / "target").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        bulk.copy_file(tmp_path / "source", tmp_path / "target", 0o600)
    assert not (tmp_path / "elsewhere").exists()


def test_reading_at_a_place_stops_at_the_end(tmp_path: Path):
    path = tmp_path / "content"
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDONLY)
    assert bulk.read_at(fd, 2, 3) == b"234"
    assert bulk.read_at(fd, 8, 100) == b"89"
    assert bulk.read_at(fd, 10, 1) == b""
    os.close(fd)
