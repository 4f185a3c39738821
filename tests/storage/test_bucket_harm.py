"""What can go wrong between a process and its bucket, with a real server and real deaths."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.services.ceph import client
from tests.services.proxy import Proxy, refusal, running

from mainspring.records.errors import BlobError
from mainspring.storage.blobs import key_of
from mainspring.storage.objects import PART
from mainspring.storage.remote import RemoteBlobs

SIZE = 60_000_000
CONTENT = os.urandom(1 << 20) * 57 + os.urandom(SIZE - (57 << 20))
Open = Callable[..., RemoteBlobs]

_PUT = """
import os, sys
from pathlib import Path
from mainspring.storage.remote import RemoteBlobs
url, cache, what, given, limit = sys.argv[1:]
blobs = RemoteBlobs(url, Path(cache), int(limit), dict(os.environ))
if what == "put":
    print(blobs.put_file(Path(given))[0])
elif what == "get":
    print(blobs.path(given))
elif what == "race":
    for n in range(40):
        for digest in given.split(","):
            path = blobs.path(digest)
            assert blobs.read(digest) == path.read_bytes() != b""
            blobs.release(digest)
elif what == "memory":
    def used(name):
        text = Path("/proc/self/status").read_text()
        return int(text.split(name + ":")[1].split()[0]) // 1024
    blobs.put(b"x")
    base = used("VmRSS")
    digest = blobs.put_file(Path(given))[0]
    up = used("VmHWM") - base
    RemoteBlobs(url, Path(cache + "-2"), int(limit), dict(os.environ)).path(digest)
    print(up, used("VmHWM") - base)
"""


@pytest.fixture(params=["s3", pytest.param("ceph", marks=pytest.mark.system("ceph"))])
def direct(request: pytest.FixtureRequest) -> dict[str, str]:
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, dict) else found.variables


@pytest.fixture
def url(direct: dict[str, str]) -> str:
    name = f"harm-{uuid.uuid4().hex}"
    client(direct).create_bucket(Bucket=name)
    return f"s3://{name}/p"


@pytest.fixture
def proxy(direct: dict[str, str]) -> Iterator[Proxy]:
    with running(direct["AWS_ENDPOINT_URL"]) as found:
        yield found


@pytest.fixture
def variables(direct: dict[str, str], proxy: Proxy) -> dict[str, str]:
    return {**direct, "AWS_ENDPOINT_URL": proxy.url, "MAINSPRING_BLOBS_PATIENCE": "60"}


@pytest.fixture
def opened(url: str, variables: dict[str, str], tmp_path: Path) -> Open:
    """Opens the blobs through the proxy, with a cache that is empty."""
    return lambda name="cache", limit=1 << 30: RemoteBlobs(url, tmp_path / name, limit, variables)


@pytest.fixture
def process(url: str, variables: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.Popen]:
    def start(cache: str, what: str, given: object, limit: int = 1 << 30):
        words = [url, str(tmp_path / cache), what, str(given), str(limit)]
        return subprocess.Popen(
            [sys.executable, "-c", _PUT, *words],
            env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def test_an_upload_that_was_cut_goes_on(opened: Open, proxy: Proxy):
    proxy.cuts = [("up", 12_000_000), ("up", 30_000_000), ("up", 50_000_000)]
    digest, _ = opened().put(CONTENT)
    assert proxy.cuts == []
    assert proxy.up < SIZE + 3 * 5 * PART + 1_000_000  # only the parts under way are sent again
    assert opened("there").read(digest) == CONTENT


def test_a_download_that_was_cut_goes_on(opened: Open, proxy: Proxy):
    digest, _ = opened().put(CONTENT)
    before = proxy.down
    proxy.cuts = [("down", before + n) for n in (5_000_000, 25_000_000, 45_000_000)]
    assert opened("there").path(digest).read_bytes() == CONTENT
    assert proxy.cuts == []
    assert proxy.down - before < SIZE + 3 * 5 * PART + 1_000_000


@pytest.mark.parametrize("what", ["503 Slow Down", "500 Internal Server Error", "429 Many"])
def test_a_busy_server_is_asked_again(opened: Open, proxy: Proxy, what: str):
    for data in (b"small", CONTENT[: 3 * PART]):
        proxy.answers = [refusal(what, "SlowDown")] * 3
        digest, _ = opened().put(data)
        proxy.answers += [refusal(what, "SlowDown")] * 3
        assert opened(uuid.uuid4().hex).read(digest) == data
    assert proxy.answered >= 6


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_credentials_that_are_refused_are_said_at_once(
    opened: Open, proxy: Proxy, variables: dict[str, str], code: str
):
    for call in (lambda: opened().put(b"x"), lambda: opened().put(CONTENT[: 2 * PART])):
        proxy.answers = [refusal("403 Forbidden", code)] * 20
        with pytest.raises(BlobError, match=f"does not accept these credentials.*{code}") as caught:
            call()
        proxy.answers = []
        shown = f"{caught.value} {caught.value.hint} {caught.value!r}"
        assert variables["AWS_SECRET_ACCESS_KEY"] not in shown
        assert "Signature=" not in shown


def test_a_process_that_dies_in_an_upload_leaves_no_blob(
    opened: Open, proxy: Proxy, process, tmp_path: Path
):
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    dying = process("cache", "put", file)
    proxy.watch = lambda: dying.kill() if proxy.up > SIZE // 2 else None
    assert dying.wait(60) == -9
    dying.stdout.close()
    proxy.watch = None
    blobs = opened("other")
    assert list(blobs.listing()) == []
    # What it left on the disk goes, and what is put again is whole.
    assert opened("cache").sweep() >= 1
    assert [p for p in (tmp_path / "cache" / "tmp").iterdir() if p.is_file()] == []
    digest, _ = opened("cache").put_file(file)
    assert blobs.read(digest) == CONTENT


def test_a_process_that_dies_in_a_download_leaves_what_the_next_goes_on_from(
    opened: Open, proxy: Proxy, process, tmp_path: Path
):
    digest, _ = opened().put(CONTENT)
    begun = proxy.down
    dying = process("there", "get", digest)
    proxy.watch = lambda: dying.kill() if proxy.down - begun > SIZE * 0.8 else None
    assert dying.wait(60) == -9
    dying.stdout.close()
    proxy.watch = None
    (partial,) = (tmp_path / "there" / "partial").iterdir()
    arrived = partial.stat().st_size
    assert PART <= arrived < SIZE
    before = proxy.down
    assert opened("there").path(digest).read_bytes() == CONTENT
    assert proxy.down - before < SIZE - arrived + PART
    assert not partial.exists()


@pytest.mark.parametrize("data", [b"same", CONTENT[: 2 * PART]], ids=["small", "parts"])
def test_two_writers_of_the_same_content_agree(opened: Open, data: bytes):
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda n: opened(f"cache-{n}").put(data), range(4)))
    assert len(found) == 1
    assert opened("reader").read(found.pop()[0]) == data
    assert len(list(opened().listing())) == 1


def test_readers_whose_caches_evict_each_other_read_right_bytes(opened: Open, process):
    contents = [bytes([n]) * 2_000_000 for n in range(4)]
    digests = [opened().put(data)[0] for data in contents]
    readers = [
        process("shared", "race", ",".join(chosen), 3_000_000)
        for chosen in (digests, digests[::-1])
    ]
    for reader in readers:
        with reader:
            assert reader.wait(120) == 0


def test_a_cache_smaller_than_a_blob_serves_it(opened: Open, tmp_path: Path):
    digest, _ = opened("tiny", 1_000_000).put(CONTENT[: 2 * PART])
    assert not (tmp_path / "tiny" / "blake3").exists()
    there = opened("there", 1_000_000)
    assert there.path(digest).read_bytes() == CONTENT[: 2 * PART]
    there.release(digest)
    other, _ = there.put(b"y" * 100_000)
    assert there.read(other) == b"y" * 100_000
    assert not (tmp_path / "there" / "blake3" / key_of(digest)).exists()


@pytest.mark.parametrize("size", [1000, 2 * PART])
def test_a_damaged_file_of_the_cache_is_fetched_again(opened: Open, tmp_path: Path, size: int):
    data = CONTENT[:size]
    digest, _ = opened().put(data)
    path = tmp_path / "cache" / "blake3" / key_of(digest)
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.write(bytes([data[0] ^ 1]))
    assert opened().path(digest).read_bytes() == data
    assert opened().read(digest) == data


def test_memory_is_bounded(process, tmp_path: Path):
    file = tmp_path / "large"
    with file.open("wb") as out:
        for _ in range(6):
            out.write(CONTENT)
    measuring = process("cache", "memory", file)
    text, _ = measuring.communicate(timeout=120)
    up, both = (int(word) for word in text.split())
    assert up < 150 and both < 150, f"{up} MB up, {both} MB up and down, of 360 MB"
