"""Requests to a bucket, one by one, and what their refusals are called."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.ceph import client
from tests.services.proxy import Proxy, refusal, running

from mainspring.records.errors import BlobError, ProjectError
from mainspring.storage.bucket_access import parse_url
from mainspring.storage.objects import PART, AbsentError, Objects, _Pages


@pytest.fixture
def name(s3: dict[str, str]) -> str:
    found = f"objects-{uuid.uuid4().hex}"
    client(s3).create_bucket(Bucket=found)
    return found


@pytest.fixture
def objects(s3: dict[str, str], name: str) -> Objects:
    return Objects(parse_url(f"s3://{name}/p"), s3)


@pytest.fixture
def proxy(s3: dict[str, str]) -> Iterator[Proxy]:
    with running(s3["AWS_ENDPOINT_URL"]) as found:
        yield found


def test_an_object_is_made_once(objects: Objects):
    assert objects.put("k", b"one")
    assert not objects.put("k", b"two")
    assert objects.read("k") == b"one"
    objects.replace("k", b"three")
    assert (objects.size("k"), bytes(objects.read_range("k", 1, 3))) == (5, b"hr")
    objects.delete("k")
    objects.delete("k")
    for read in (objects.size, objects.read, lambda k: objects.read_range(k, 0, 1)):
        with pytest.raises(AbsentError):
            read("k")


def test_parts_come_from_a_file_or_in_pieces(objects: Objects, tmp_path: Path):
    data = bytes(range(256)) * (3 * PART // 256) + b"end"
    path = tmp_path / "file"
    path.write_bytes(data)
    objects.put_parts("file", lambda: path, len(data))
    objects.put_parts("pieces", lambda: iter([data[:PART], data[PART:]]), len(data))
    assert objects.read("file") == objects.read("pieces") == data


def test_what_pieces_raise_ends_the_upload(objects: Objects, s3: dict[str, str], name: str):
    def pieces() -> Iterator[bytes]:
        yield b"x" * PART
        raise BlobError("changed")

    with pytest.raises(BlobError, match="changed"):
        objects.put_parts("k", pieces, 2 * PART)
    with pytest.raises(AbsentError):
        objects.size("k")
    assert client(s3).list_multipart_uploads(Bucket=name).get("Uploads", []) == []


def test_a_listing_has_all_pages_and_only_this_prefix(
    objects: Objects, s3: dict[str, str], name: str
):
    Objects(parse_url(f"s3://{name}/pq"), s3).put("d/other", b"")
    s3_client = client(s3)
    for number in range(1005):
        s3_client.put_object(Bucket=name, Key=f"p/d/{number:04}", Body=b"x")
    pages = list(objects.list("d"))
    assert [key for page in pages for key, _, _ in page] == [f"d/{n:04}" for n in range(1005)]
    assert {size for page in pages for _, size, _ in page} == {1}


def test_an_object_is_moved(objects: Objects):
    objects.put("a", b"x")
    objects.move("a", "b/c")
    assert objects.read("b/c") == b"x"
    with pytest.raises(AbsentError):
        objects.size("a")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("403 Forbidden", "AccessDenied", "no permission to write"),
        ("401 Unauthorized", "", "does not accept these credentials"),
        ("403 Forbidden", "ExpiredToken", r"does not accept these credentials \(ExpiredToken\)"),
        ("404 Not Found", "NoSuchBucket", "there is no bucket"),
        ("400 Bad Request", "EntityTooLarge", "refused to write: EntityTooLarge"),
    ],
)
def test_refusals_are_said_once(
    s3: dict[str, str], name: str, proxy: Proxy, status: str, code: str, said: str
):
    proxy.answers = [refusal(status, code)] * 9
    objects = Objects(parse_url(f"s3://{name}"), {**s3, "AWS_ENDPOINT_URL": proxy.url})
    with pytest.raises(BlobError, match=said) as caught:
        objects.put("k", b"x")
    assert proxy.answered == 1
    assert s3["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


def test_patience_has_an_end(s3: dict[str, str]):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    away = {
        **s3,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MAINSPRING_BLOBS_PATIENCE": "0.5",
    }
    begun = time.monotonic()
    with pytest.raises(BlobError, match="can't reach"):
        Objects(parse_url("s3://b"), away).put("k", b"x")
    assert time.monotonic() - begun < 10
    with pytest.raises(ProjectError, match="seconds"):
        Objects(parse_url("s3://b"), {"MAINSPRING_BLOBS_PATIENCE": "soon"})


@pytest.mark.parametrize("knows_offsets", [True, False])
def test_a_listing_goes_on_behind_the_last_page_that_came(knows_offsets: bool):
    keys = [f"k{n:02}" for n in range(10)]
    fails = iter([False, True, False, False, True, False, False, False, False])

    def begin(offset: str | None) -> Iterator[list[dict[str, str]]]:
        left = [key for key in keys if not (offset and knows_offsets) or key > offset]
        for start in range(0, len(left), 3):
            if next(fails):
                raise ConnectionError
            yield [{"path": key} for key in left[start : start + 3]]

    pages, found = _Pages(begin), list[str]()
    while True:
        try:
            page = pages.next()
        except ConnectionError:
            continue
        if not page:
            break
        found += [meta["path"] for meta in page]
    assert found == keys
