from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.storage.blobs import SEAL, SMALL, LocalBlobs

LARGE = bytes(range(256)) * (3 * SMALL // 256) + b"tail"


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def name_of(data: bytes) -> str:
    return "blake3:" + blake3(data).hexdigest()


def temps(blobs: LocalBlobs) -> list[str]:
    return os.listdir(blobs.root / "tmp")


def run_python(text: str, *args: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", textwrap.dedent(text), *args],
        env={**os.environ, "PYTHONPATH": source},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("data", [b"", b"x", b"y" * SMALL, b"z" * (SMALL + 1), LARGE])
def test_what_is_put_is_read_back_under_its_digest(blobs: LocalBlobs, data: bytes):
    digest, size = blobs.put(data)
    assert (digest, size) == (name_of(data), len(data))
    assert blobs.has(digest)
    assert blobs.read(digest) == data
    path = blobs.path(digest)
    assert path.read_bytes() == data
    assert path == blobs.root / "blake3" / digest[7:9] / digest[9:]
    assert stat.S_IMODE(path.stat().st_mode) & 0o222 == 0
    assert temps(blobs) == []


@given(pieces=st.lists(st.binary(max_size=50) | st.integers(0, 3 * SMALL), max_size=6))
def test_a_writer_gives_the_same_blob_however_the_content_is_cut(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes | int]
):
    blobs = LocalBlobs(tmp_path_factory.mktemp("cut"))
    cut = [LARGE[:piece] if isinstance(piece, int) else piece for piece in pieces]
    whole = b"".join(cut)
    with blobs.writer() as writer:
        for piece in cut:
            buffer = bytearray(piece)
            assert writer.write(buffer) == len(piece)
            buffer[:] = bytes(len(buffer))  # a caller may reuse its buffer
        assert writer.commit() == (name_of(whole), len(whole))
    assert blobs.read(name_of(whole)) == whole


@pytest.mark.parametrize("data", [b"a few bytes", LARGE])
def test_a_writer_left_without_commit_leaves_nothing(blobs: LocalBlobs, data: bytes):
    def interrupted() -> None:
        with blobs.writer() as writer:
            writer.write(data)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(blobs.all()) == []
    assert not (blobs.root / "tmp").exists() or temps(blobs) == []


@pytest.mark.parametrize("data", [b"small", LARGE])
def test_content_that_is_there_is_not_written_again(blobs: LocalBlobs, data: bytes):
    digest, _ = blobs.put(data)
    before = blobs.path(digest).stat()
    assert blobs.put(data) == (digest, len(data))
    with blobs.writer() as writer:
        writer.write(data)
        writer.commit()
    after = blobs.path(digest).stat()
    assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)
    assert temps(blobs) == []


def test_a_blob_of_the_wrong_length_is_written_anew(blobs: LocalBlobs):
    digest, _ = blobs.put(b"whole")
    place = blobs.path(digest)
    place.unlink()
    place.write_bytes(b"who")
    blobs.put(b"whole")
    assert blobs.read(digest) == b"whole"


@pytest.mark.parametrize("data", [b"tiny", LARGE])
def test_a_file_is_stored_like_its_bytes(blobs: LocalBlobs, tmp_path: Path, data: bytes):
    source = tmp_path / "source"
    source.write_bytes(data)
    digest, size = blobs.put_file(source)
    assert (digest, size) == (name_of(data), len(data))
    assert blobs.put_file(source) == (digest, size)
    source.write_bytes(b"changed later")  # the blob shares nothing that can be written
    assert blobs.read(digest) == data
    assert temps(blobs) == []


def test_a_file_that_cannot_be_read_is_named(blobs: LocalBlobs, tmp_path: Path):
    with pytest.raises(BlobError, match="nothing-here"):
        blobs.put_file(tmp_path / "nothing-here")


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("data", [b"some bytes", LARGE])
def test_a_changed_byte_is_found_and_the_file_moved_aside(blobs: LocalBlobs, data: bytes, at: int):
    digest, _ = blobs.put(data)
    place = blobs.path(digest)
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.seek(at, os.SEEK_SET if at == 0 else os.SEEK_END)
        file.write(b"!")
    with pytest.raises(CorruptBlobError, match="moved to"):
        blobs.path(digest)
    assert not blobs.has(digest)
    with pytest.raises(BlobError, match="missing"):
        blobs.read(digest)
    assert (blobs.root / "corrupt" / digest[7:]).exists()
    assert blobs.put(data)[0] == digest
    assert blobs.read(digest) == data


def test_a_small_blob_is_hashed_even_if_its_times_are_untouched(blobs: LocalBlobs):
    digest, _ = blobs.put(b"12345678")
    place = blobs.path(digest)
    times = place.stat()
    place.chmod(0o644)
    place.write_bytes(b"12345679")
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(CorruptBlobError):
        blobs.read(digest)


def test_a_large_blob_is_hashed_only_when_its_seal_is_broken(blobs: LocalBlobs):
    digest, _ = blobs.put(LARGE)
    place = blobs.path(digest)
    assert place.stat().st_mtime_ns == SEAL
    os.utime(place)  # touched, not changed: found intact and sealed again
    assert blobs.path(digest) == place
    assert place.stat().st_mtime_ns == SEAL


def test_a_cut_off_large_blob_is_found(blobs: LocalBlobs):
    digest, _ = blobs.put(LARGE)
    place = blobs.path(digest)
    place.chmod(0o644)
    os.truncate(place, len(LARGE) - 1)
    with pytest.raises(CorruptBlobError):
        blobs.path(digest)


NO_DIGESTS = [
    "",
    "blake3:",
    "blake3:" + "g" * 64,
    "blake3:" + "A" * 64,
    "blake3:" + "0" * 65,
    "blake3:" + "0" * 64 + "\n",
    "blake3:" + "0" * 62 + "/x",
    "blake3:../../../etc/passwd",
    "sha256:" + "0" * 64,
]


@pytest.mark.parametrize("digest", NO_DIGESTS)
def test_a_name_that_is_no_digest_reaches_no_file(blobs: LocalBlobs, digest: str):
    for use in (blobs.has, blobs.path, blobs.read, blobs.delete):
        with pytest.raises(BlobError, match="not a blob digest"):
            use(digest)


def test_all_lists_blobs_and_nothing_else(blobs: LocalBlobs):
    assert list(blobs.all()) == []
    stored = {blobs.put(data) for data in (b"", b"a", LARGE)}
    (blobs.root / "blake3" / "ab").mkdir(exist_ok=True)
    (blobs.root / "blake3" / "ab" / "stray").write_bytes(b"")
    (blobs.root / "blake3" / "README").write_bytes(b"")
    assert set(blobs.all()) == stored
    for digest, _ in stored:
        blobs.delete(digest)
        blobs.delete(digest)
    assert list(blobs.all()) == []


def test_sweep_takes_the_files_of_the_dead_only(blobs: LocalBlobs):
    writing = """
        import os, sys
        from pathlib import Path
        from mainspring.storage.blobs import LocalBlobs
        with LocalBlobs(Path(sys.argv[1])).writer() as writer:
            writer.write(bytes(3 << 20))
            print("written", flush=True)
            sys.stdin.read()
    """
    process = run_python(writing, str(blobs.root))
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        assert len(temps(blobs)) == 1
        assert blobs.sweep() == 0
        process.send_signal(signal.SIGKILL)
    (blobs.root / "tmp" / "elsewhere-1-0").write_bytes(b"")  # another machine's, and new
    assert blobs.sweep() == 1
    assert temps(blobs) == ["elsewhere-1-0"]
    os.utime(blobs.root / "tmp" / "elsewhere-1-0", (0, 0))
    assert blobs.sweep() == 1
    assert blobs.sweep() == 0


def test_processes_that_write_the_same_content_do_not_disturb_each_other(blobs: LocalBlobs):
    putting = """
        import sys
        from pathlib import Path
        from mainspring.storage.blobs import LocalBlobs
        blobs = LocalBlobs(Path(sys.argv[1]))
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(40):
            for data in (b"%d" % number, b"%d" % number * (1 << 20)):
                digest, _ = blobs.put(data)
                assert blobs.read(digest) == data
    """
    processes = [run_python(putting, str(blobs.root)) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
    assert len(list(blobs.all())) == 80
    assert temps(blobs) == []


def test_a_child_after_fork_can_write_what_its_parent_has_hashed_with_threads(blobs: LocalBlobs):
    forking = """
        import os, sys
        from pathlib import Path
        from mainspring.storage.blobs import LocalBlobs
        blobs = LocalBlobs(Path(sys.argv[1]))
        blobs.put(bytes(32 << 20))
        child = os.fork()
        if child == 0:
            blobs.put(b"1" * (32 << 20))
            os._exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    process = run_python(forking, str(blobs.root))
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


ON_TMPFS = """
    import os, sys
    from pathlib import Path
    from mainspring.records.errors import BlobError
    from mainspring.storage.blobs import LocalBlobs
    root = Path("/mnt/blobs")
    blobs = LocalBlobs(root)
    kept = blobs.put(b"kept")[0]
    {before}
    for size in (600_000, 8 << 20):
        try:
            blobs.put(os.urandom(size))
        except BlobError as error:
            print(error)
        else:
            print("was written")
    print(os.listdir(root / "tmp"), len(list(blobs.all())), blobs.read(kept))
"""


def in_tmpfs(before: str, size: str) -> str:
    mount = f'mount -t tmpfs -o size={size} tmpfs /mnt && exec "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", mount, "sh")
    process = run_python(ON_TMPFS.format(before=before), prefix=prefix)
    out, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    return out


@pytest.mark.system("tmpfs")
def test_a_full_disk_is_said_and_nothing_half_written_stays():
    out = in_tmpfs("", "512k")
    assert out.count("no space left for blobs in /mnt/blobs") == 2
    assert "hint: free some disk space" in out
    assert out.endswith("[] 1 b'kept'\n")


@pytest.mark.system("tmpfs")
def test_a_read_only_disk_is_said_and_can_be_read():
    before = 'assert os.system("mount -o remount,ro /mnt") == 0'
    out = in_tmpfs(before, "4m")
    assert out.count("can't write blobs in /mnt/blobs: Read-only file system") == 2
    assert out.endswith("[] 1 b'kept'\n")


def test_a_root_that_is_no_directory_is_said(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    blobs = LocalBlobs(tmp_path / "file")
    with pytest.raises(BlobError, match="can't write blobs"):
        blobs.put(b"x")
    with pytest.raises(BlobError, match="missing"):
        blobs.read(name_of(b"x"))


def test_an_error_of_the_disk_reaches_the_caller_and_leaves_nothing(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
):
    blobs.put(b"so that the directories are there")

    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    monkeypatch.setattr(os, "fdatasync", fails)
    for data in (b"small", LARGE):
        with pytest.raises(BlobError, match="Input/output error"):
            blobs.put(data)
    assert len(list(blobs.all())) == 1
    assert temps(blobs) == []
