"""Values of types with files of their own: directories of many files, arrays of a gigabyte.

The floor for a directory is `cp -r` of it, for an array one plain write and fsync of as many bytes.
BENCH_FILES and BENCH_BYTES say how many; the values are read back too.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import timing
from timing import Row

K = 3
FILES = int(os.environ.get("BENCH_FILES", "100000"))
BYTES = int(os.environ.get("BENCH_BYTES", "1000000000"))
numbers = count()


def main() -> None:
    with timing.folder() as root:
        rows = directory(root)
        for name, make in (("npy", array), ("arrow", table), ("safetensors", tensor)):
            rows += large(root, name, make)
    timing.report(rows)


def directory(root: Path) -> list[Row]:
    """A directory of small files: stored, and laid out again."""
    source = root / "files"
    for number in range(FILES):
        folder = source / f"{number // 1000:04}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number:07}.txt").write_bytes(b"%d\n" % number * 20)

    def ours() -> dict[str, float]:
        return trip(source, root)

    def floor() -> dict[str, float]:
        start = time.perf_counter()
        subprocess.run(["cp", "-r", source, root / f"copy{next(numbers)}"], check=True)
        return {"copy": time.perf_counter() - start}

    a, b = timing.alternate(K, ours, floor)
    mine, bare = timing.medians(a), timing.medians(b)
    title = f"directory of {FILES:,} files"
    spread = timing.spread([sample["save"] for sample in a])
    return [
        Row(f"{title}: stored", mine["save"], bare["copy"], "s", note=f"cp -r; {spread}"),
        Row(f"{title}: laid out", mine["load"], bare["copy"], "s", note="cp -r"),
    ]


def large(root: Path, name: str, make: Callable[[], Any]) -> list[Row]:
    """One large value, against writing as many bytes."""
    value = make()
    data = os.urandom(1 << 20)

    def ours() -> dict[str, float]:
        return trip(value, root)

    def floor() -> dict[str, float]:
        start = time.perf_counter()
        with (root / f"plain{next(numbers)}").open("wb", buffering=0) as file:
            for _ in range(BYTES >> 20):
                file.write(data)
            os.fsync(file.fileno())
        return {"write": time.perf_counter() - start}

    a, b = timing.alternate(K, ours, floor)
    mine, bare = timing.medians(a), timing.medians(b)
    title = f"{name}, {BYTES / 1e6:,.0f} MB"
    spread = timing.spread([sample["save"] for sample in a])
    return [
        Row(f"{title}: stored", mine["save"], bare["write"], "s", note=f"write, fsync; {spread}"),
        Row(f"{title}: mapped", mine["load"] * 1e3, None, "ms"),
    ]


def trip(value: Any, root: Path) -> dict[str, float]:
    """Seconds to store a value in a new store, and to read it."""
    from mainspring.storage.blobs import LocalBlobs
    from mainspring.storage.serializers.registry import dump, load

    number = next(numbers)
    blobs = LocalBlobs(root / f"blobs{number}")
    start = time.perf_counter()
    ref = dump(value, None, blobs)
    saved = time.perf_counter()
    load(ref, blobs, workdir=root / f"work{number}")
    return {"save": saved - start, "load": time.perf_counter() - saved}


def array() -> Any:
    """Random doubles: the file system can't make less of them."""
    import numpy as np

    return np.random.default_rng(0).random(BYTES // 8)


def table() -> Any:
    """The same as a table of Arrow."""
    import pyarrow as pa

    return pa.table({"values": array()})


def tensor() -> Any:
    """The same as a tensor."""
    import torch

    return torch.from_numpy(array())


if __name__ == "__main__":
    main()
