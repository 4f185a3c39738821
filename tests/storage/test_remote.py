"""Blobs in a bucket of moto's S3 server (it checks no signatures)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.storage.places import open_blobs
from mainspring.storage.remote import RemoteBlobs

LARGE = os.urandom(1 << 20) * 20


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret-words",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "MAINSPRING_BLOBS_PATIENCE": "1",
    }
    server.stop()


@pytest.fixture
def bucket(variables: dict[str, str], tmp_path: Path):
    resource = boto3.resource(
        "s3", endpoint_url=variables["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="key", aws_secret_access_key="secret-words",
    )  # fmt: skip
    return resource.create_bucket(Bucket=f"b{abs(hash(tmp_path))}")


@pytest.fixture
def blobs(bucket, variables: dict[str, str], tmp_path: Path) -> RemoteBlobs:
    return RemoteBlobs(f"s3://{bucket.name}/a b+ü", tmp_path / "cache", 1 << 30, variables)


def other(blobs: RemoteBlobs, cache: Path, variables: dict[str, str], limit: int = 1 << 30):
    return RemoteBlobs(blobs.place.url, cache, limit, variables)


@pytest.mark.parametrize("data", [b"", b"small", LARGE])
def test_another_machine_reads_what_was_put(blobs, variables, tmp_path: Path, data: bytes):
    digest, size = blobs.put(data)
    assert size == len(data)
    there = other(blobs, tmp_path / "there", variables)
    assert there.has(digest) and there.intact(digest, size) and not there.intact(digest, size + 1)
    assert there.read(digest) == data
    assert there.path(digest).read_bytes() == data
    assert [(e.digest, e.size) for e in there.listing()] == [(digest, size)]
    there.delete(digest)
    assert not there.has(digest)


def test_workers_open_the_same_place(blobs, variables):
    digest, _ = blobs.put(b"x")
    assert open_blobs(blobs.place, variables).read(digest) == b"x"


@pytest.mark.parametrize("data", [b"small", LARGE])
def test_a_damaged_object_is_moved_aside(blobs, bucket, variables, tmp_path: Path, data: bytes):
    digest, _ = blobs.put(data)
    bucket.Object(next(iter(bucket.objects.all())).key).put(Body=b"!" + data[1:])
    there = other(blobs, tmp_path / "there", variables)
    with pytest.raises(CorruptBlobError, match="another digest"):
        there.read(digest)
    assert not there.has(digest)
    assert there.sweep() == 1


def test_a_download_goes_on_from_what_is_there(blobs, variables, tmp_path: Path, monkeypatch):
    digest, _ = blobs.put(LARGE)
    there = other(blobs, tmp_path / "there", variables)
    partial = tmp_path / "there" / "partial" / digest[7:]
    partial.parent.mkdir(parents=True)
    partial.write_bytes(LARGE[:9_000_000])
    starts: list[int] = []
    real = there._parts
    monkeypatch.setattr(there, "_parts", lambda k, at, size: starts.append(at) or real(k, at, size))
    assert there.read(digest) == LARGE
    assert starts == [9_000_000]
    assert not partial.exists()


def test_wrong_bytes_of_an_earlier_download_are_fetched_again(blobs, variables, tmp_path: Path):
    digest, _ = blobs.put(LARGE)
    there = other(blobs, tmp_path / "there", variables)
    partial = tmp_path / "there" / "partial" / digest[7:]
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"wrong")
    assert there.read(digest) == LARGE


def test_the_cache_keeps_its_limit_but_no_file_in_use_goes(blobs, variables, tmp_path: Path):
    digests = [blobs.put(bytes([n]) * 100_000)[0] for n in range(20)]
    there = other(blobs, tmp_path / "there", variables, limit=500_000)
    held = there.path(digests[0])
    for digest in digests:
        there.read(digest)
        there._cache.unpin(digest) if digest != digests[0] else None
    assert held.exists()
    files = [f for f in (tmp_path / "there" / "blake3").rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) <= 600_000


def test_a_missing_bucket_is_one_clear_error(variables, tmp_path: Path):
    blobs = RemoteBlobs("s3://nowhere", tmp_path, 1 << 20, variables)
    for call in (lambda: blobs.put(b"x"), lambda: blobs.has("blake3:" + "0" * 64)):
        with pytest.raises(BlobError, match="there is no bucket 'nowhere'") as caught:
            call()
        assert "secret" not in str(caught.value)


def test_a_server_that_is_away_is_waited_for_then_named(variables, tmp_path: Path):
    away = {**variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    blobs = RemoteBlobs("s3://bucket", tmp_path, 1 << 20, away)
    with pytest.raises(BlobError, match="gave up after 1 seconds"):
        blobs.put(b"x")
