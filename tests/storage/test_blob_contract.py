"""The promises of every store of blobs: on a local disk, and in buckets of moto and of Ceph."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contracts.blob_suite import MISSING, BlobSuite
from tests.services.ceph import Ceph, client

from mainspring.records.errors import BlobError
from mainspring.storage.blobs import LocalBlobs, key_of
from mainspring.storage.remote import RemoteBlobs


class TestLocal(BlobSuite):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> LocalBlobs:
        return LocalBlobs(tmp_path / "blobs")

    @pytest.fixture
    def again(self, blobs: LocalBlobs) -> Callable[[], LocalBlobs]:
        return lambda: LocalBlobs(blobs.root)

    @pytest.fixture
    def damage(self, blobs: LocalBlobs) -> Callable[[str], None]:
        def change(digest: str) -> None:
            path = blobs.root / "blake3" / key_of(digest)
            path.chmod(0o600)
            with path.open("r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))

        return change


class InBucket(BlobSuite):
    @pytest.fixture
    def bucket(self, variables: dict[str, str]) -> str:
        name = f"bucket-{uuid.uuid4().hex}"
        client(variables).create_bucket(Bucket=name)
        return name

    @pytest.fixture
    def again(self, bucket: str, variables: dict[str, str], tmp_path: Path):
        numbers = itertools.count()
        return lambda: RemoteBlobs(
            f"s3://{bucket}/a b+ü", tmp_path / f"cache-{next(numbers)}", 1 << 30, variables
        )

    @pytest.fixture
    def blobs(self, again: Callable[[], RemoteBlobs]) -> RemoteBlobs:
        return again()

    @pytest.fixture
    def damage(self, bucket: str, variables: dict[str, str]) -> Callable[[str], None]:
        def change(digest: str) -> None:
            s3, key = client(variables), f"a b+ü/blake3/{key_of(digest)}"
            data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            s3.put_object(Bucket=bucket, Key=key, Body=bytes([data[0] ^ 1]) + data[1:])

        return change


class TestMoto(InBucket):
    @pytest.fixture
    def variables(self, s3: dict[str, str]) -> dict[str, str]:
        return s3


@pytest.mark.system("ceph")
class TestCeph(InBucket):
    @pytest.fixture
    def variables(self, ceph: Ceph) -> dict[str, str]:
        return ceph.variables

    def test_a_wrong_secret_is_said_to_be_wrong(self, bucket, variables, tmp_path: Path):
        wrong = {**variables, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
        blobs = RemoteBlobs(f"s3://{bucket}", tmp_path / "c", 1 << 30, wrong)
        calls = (blobs.has, blobs.intact, blobs.path, blobs.delete)
        for call in (*(lambda c=c: c(MISSING) for c in calls), lambda: blobs.put(b"x")):
            with pytest.raises(BlobError, match="does not accept these credentials") as caught:
                call()
            assert "not-the-secret" not in str(caught.value)

    def test_a_gateway_that_comes_back_is_waited_for(self, ceph: Ceph, again) -> None:
        blobs, data = again(), os.urandom(1 << 20) * 20
        digest, _ = blobs.put(data)
        for work in (lambda: again().read(digest) == data, lambda: again().put(b"x" + data)):
            with gone_for_a_while(ceph):
                assert work()
        assert len(list(again().listing())) == 2


@contextmanager
def gone_for_a_while(ceph: Ceph) -> Iterator[None]:
    """A gateway that was killed, and comes back in two seconds."""
    ceph.kill_gateway()
    timer = threading.Timer(2.0, ceph.start_gateway)
    timer.start()
    try:
        yield
    finally:
        timer.join()
