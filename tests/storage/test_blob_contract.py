"""The promises of every store of blobs: in memory, on a disk, in buckets of several kinds."""

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
from tests.services import azurite
from tests.services.azurite import Azurite
from tests.services.ceph import Ceph, client

from mainspring.records.errors import BlobError, ConflictError
from mainspring.storage.blobs import LocalBlobs, key_of
from mainspring.storage.bucket_access import parse_url
from mainspring.storage.objects import Objects
from mainspring.storage.remote import RemoteBlobs
from mainspring.testing.memory import MemoryBlobs


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


@pytest.fixture(scope="module")
def azure() -> Iterator[Azurite]:
    """An Azurite server for all tests of this module."""
    with azurite.running() as server:
        yield server


class TestMemory(BlobSuite):
    """The stand-in that tests of pipelines use."""

    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()

    @pytest.fixture
    def again(self, blobs: MemoryBlobs) -> Callable[[], MemoryBlobs]:
        return lambda: blobs

    @pytest.fixture
    def damage(self, blobs: MemoryBlobs) -> Callable[[str], None]:
        return blobs.damage


class InBucket(BlobSuite):
    """Subclasses give `variables` and `bucket`, the URL of one that is there and empty."""

    @pytest.fixture
    def bucket(self, variables: dict[str, str]) -> str:
        name = f"bucket-{uuid.uuid4().hex}"
        client(variables).create_bucket(Bucket=name)
        return f"s3://{name}"

    @pytest.fixture
    def again(self, bucket: str, variables: dict[str, str], tmp_path: Path):
        numbers = itertools.count()
        return lambda: RemoteBlobs(
            f"{bucket}/a b+ü", tmp_path / f"cache-{next(numbers)}", 1 << 30, variables
        )

    @pytest.fixture
    def blobs(self, again: Callable[[], RemoteBlobs]) -> RemoteBlobs:
        return again()

    @pytest.fixture
    def damage(self, bucket: str, variables: dict[str, str]) -> Callable[[str], None]:
        objects = Objects(parse_url(f"{bucket}/a b+ü"), variables)

        def change(digest: str) -> None:
            key = f"blake3/{key_of(digest)}"
            data = objects.read(key)
            objects.replace(key, bytes([data[0] ^ 1]) + data[1:])

        return change

    def test_of_two_stores_the_first_owns_the_prefix(self, again: Callable[[], RemoteBlobs]):
        again().claim("1" * 32)
        again().claim("1" * 32)
        with pytest.raises(ConflictError, match="another store"):
            again().claim("2" * 32)
        assert list(again().listing()) == []


class TestMoto(InBucket):
    @pytest.fixture
    def variables(self, s3: dict[str, str]) -> dict[str, str]:
        return s3


@pytest.mark.system("azurite-blob")
class TestAzurite(InBucket):
    @pytest.fixture
    def variables(self, azure: Azurite) -> dict[str, str]:
        return azure.variables

    @pytest.fixture
    def bucket(self, azure: Azurite) -> str:
        name = f"container-{uuid.uuid4().hex}"
        azure.create_container(name)
        return f"az://{name}"

    def test_a_wrong_key_is_said_to_be_wrong(self, bucket: str, variables, tmp_path: Path):
        wrong = {**variables, "AZURE_STORAGE_ACCOUNT_KEY": "bm90LXRoZS1rZXk="}
        blobs = RemoteBlobs(bucket, tmp_path / "c", 1 << 30, wrong)
        with pytest.raises(BlobError, match=r"credentials|permission") as caught:
            blobs.put(b"x")
        assert "bm90LXRoZS1rZXk" not in str(caught.value)

    def test_a_container_that_is_missing_is_named(self, variables, tmp_path: Path):
        blobs = RemoteBlobs("az://nowhere", tmp_path / "c", 1 << 30, variables)
        with pytest.raises(BlobError, match="there is no bucket 'nowhere'"):
            blobs.put(b"x")


@pytest.mark.system("ceph")
class TestCeph(InBucket):
    @pytest.fixture
    def variables(self, ceph: Ceph) -> dict[str, str]:
        return ceph.variables

    def test_a_wrong_secret_is_said_to_be_wrong(self, bucket, variables, tmp_path: Path):
        wrong = {**variables, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
        blobs = RemoteBlobs(bucket, tmp_path / "c", 1 << 30, wrong)
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
