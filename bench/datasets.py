"""Data into versions: 20,000 files of 10 KB, against cp, and against hashing and linking them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import timing
from blake3 import blake3
from timing import Row

FILES = int(os.environ.get("BENCH_FILES", "20000"))
SIZE = 10_000


def make(root: Path) -> None:
    for number in range(FILES):
        place = root / f"{number // 200:03}" / f"{number:06}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(os.urandom(SIZE))
    os.sync()


def seconds(*command: str, cwd: Path | None = None) -> float:
    return timing.wall(list(command), cwd) / 1000


def hashed(root: Path) -> float:
    start = time.perf_counter()
    for path in root.rglob("*.bin"):
        blake3(path.read_bytes()).digest()
    return time.perf_counter() - start


def main() -> None:
    with timing.project("", "pipeline:main") as root:
        data, add = root.parent / "data", [timing.COMMAND, "data", "add"]
        make(data)
        copied = seconds("cp", "-r", str(data), str(root.parent / "cp"))
        ours = seconds(*add, "copied", str(data), "--no-profile", cwd=root)
        floor = hashed(data) + seconds("cp", "-rl", str(data), str(root.parent / "cpl"))
        shutil.rmtree(root / ".mainspring")
        linked = seconds(*add, "linked", str(data), "--link", "--no-profile", cwd=root)
        time.sleep(2.5)  # times of the last two seconds are not trusted
        again = [seconds(*add, "linked", str(data), "--link", cwd=root) for _ in range(6)][1:]
        subprocess.run(["chmod", "-R", "u+w", str(data)], check=True)
    timing.report([
        Row(f"{FILES:,} files copied (cp -r, unsynced)", ours, copied, "s", "2x"),
        Row(f"{FILES:,} files linked (hash and link)", linked, floor, "s", "3x"),
        Row("nothing has changed", timing.median(again), None, "s", "0.15", timing.spread(again)),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
