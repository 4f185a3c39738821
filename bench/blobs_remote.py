"""A gigabyte and a thousand small values to a bucket and back; the floor is boto3 in the same run.

The server is a Ceph gateway on this machine, in memory, so what counts is what the client costs.
boto3 neither hashes nor keeps a copy; ours does both. Each begins with an upload that is not
counted: the first one pays for memory that the gateway and this machine have not touched yet.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import timing
from timing import Row

sys.path[:0] = [str(timing.HERE.parent), str(timing.HERE.parent / "src")]

from tests.services import ceph  # noqa: E402

K = int(os.environ.get("BENCH_K", "3"))
SIZE = 1_000_000_000
SMALL, COUNT = 10_000, 1000
AT_ONCE = 8


def main() -> None:
    with ceph.running(10 << 30) as server, timing.folder() as tmp:
        server.client().create_bucket(Bucket="bench")
        large = timing.alternate(K, lambda: ours(server, tmp), lambda: theirs(server, tmp))
        small = timing.alternate(
            K, lambda: our_small(server, tmp), lambda: their_small(server)
        )  # fmt: skip
    note = f"{timing.spread([s['up'] for s in large[0]])}"
    a, b, c, d = (timing.medians(samples) for samples in (*large, *small))
    timing.report([
        Row("1 GB file to a bucket", a["up"], b["up"], "s", "1.25x", note),
        Row("1 GB in memory to a bucket", a["memory"], b["memory"], "s", "1.25x"),
        Row("1 GB written in pieces, then to a bucket", a["stream"], b["stream"], "s", "1.25x"),
        Row("1 GB from a bucket", a["down"], b["down"], "s", "1.25x"),
        Row(f"{COUNT} values of 10 kB to a bucket", c["up"], d["up"], "s", "1.43x"),
        Row(f"{COUNT} values of 10 kB from a bucket", c["down"], d["down"], "s", "1.43x"),
    ])  # fmt: skip


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def content(size: int) -> bytes:
    """Bytes that were never there before."""
    return os.urandom(1 << 20) * (size // (1 << 20)) + os.urandom(size % (1 << 20))


def opened(server: ceph.Ceph, tmp: Path) -> Any:
    from mainspring.storage.remote import RemoteBlobs

    cache = Path(tempfile.mkdtemp(prefix="cache-", dir=tmp))
    return RemoteBlobs("s3://bench/ours", cache, 100 << 30, server.variables)


def ours(server: ceph.Ceph, tmp: Path) -> dict[str, float]:
    file = tmp / "given"
    file.write_bytes(content(SIZE))
    here, there = opened(server, tmp), opened(server, tmp)
    here.delete(here.put(content(SIZE))[0])
    up, (digest, _) = timed(lambda: here.put_file(file))
    shutil.rmtree(here.place.root)  # the reader is another machine: it has not seen this
    down, path = timed(lambda: there.path(digest))
    assert path.stat().st_size == SIZE
    for blobs in (here, there):
        blobs.delete(digest)
    here = opened(server, tmp)
    data = content(SIZE)
    memory, (digest, _) = timed(lambda: here.put(data))
    here.delete(digest)
    data = content(SIZE)
    stream, (digest, _) = timed(lambda: streamed(here, data))
    here.delete(digest)
    file.unlink()
    return {"up": up, "down": down, "memory": memory, "stream": stream}


def streamed(blobs: Any, data: bytes) -> tuple[str, int]:
    """As a serializer does it: nobody knows how much comes."""
    with blobs.writer() as writer:
        for start in range(0, SIZE, 8 << 20):
            writer.write(data[start : start + (8 << 20)])
        return writer.commit()


def theirs(server: ceph.Ceph, tmp: Path) -> dict[str, float]:
    file = tmp / "sent"
    data = content(SIZE)
    written, _ = timed(lambda: file.write_bytes(data))
    client = server.client()
    client.upload_fileobj(io.BytesIO(data), "bench", "theirs")
    client.delete_object(Bucket="bench", Key="theirs")
    up, _ = timed(lambda: client.upload_file(str(file), "bench", "theirs"))
    down, _ = timed(lambda: client.download_file("bench", "theirs", str(tmp / "received")))
    memory, _ = timed(lambda: client.upload_fileobj(io.BytesIO(data), "bench", "theirs"))
    client.delete_object(Bucket="bench", Key="theirs")
    (tmp / "received").unlink()
    file.unlink()
    return {"up": up, "down": down, "memory": memory, "stream": written + up}


def our_small(server: ceph.Ceph, tmp: Path) -> dict[str, float]:
    values = [os.urandom(SMALL) for _ in range(COUNT)]
    here, there = opened(server, tmp), opened(server, tmp)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        up, stored = timed(lambda: list(pool.map(here.put, values)))
        down, _ = timed(lambda: list(pool.map(there.read, [digest for digest, _ in stored])))
    return {"up": up, "down": down}


def their_small(server: ceph.Ceph) -> dict[str, float]:
    values = [(f"small-{time.time_ns()}-{n}", os.urandom(SMALL)) for n in range(COUNT)]
    client = server.client()

    def put(value: tuple[str, bytes]) -> None:
        client.put_object(Bucket="bench", Key=value[0], Body=value[1])

    def get(value: tuple[str, bytes]) -> bytes:
        return client.get_object(Bucket="bench", Key=value[0])["Body"].read()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        up, _ = timed(lambda: list(pool.map(put, values)))
        down, _ = timed(lambda: list(pool.map(get, values)))
    return {"up": up, "down": down}


if __name__ == "__main__":
    main()
