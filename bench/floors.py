"""What nothing can go below here: the bare operations, without a system around them.

python floors.py forks COUNT SLOTS MODULE...  |  array DIRECTORY COUNT  |  rows DIRECTORY COUNT
python floors.py lines DIRECTORY COUNT                      (each prints one line of JSON)
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

clock = time.perf_counter


def forks(count: int, slots: int, *modules: str) -> dict[str, float]:
    """Fork and wait of a process with these modules, `slots` at once, two commits for each."""
    sys.path[0] = os.getcwd()
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    base = _database(Path.cwd())
    start, running, begun = clock(), 0, 0
    while begun < count or running:
        while running < slots and begun < count:
            _commit(base, begun)
            _fork()
            begun, running = begun + 1, running + 1
        os.wait()
        running -= 1
        _commit(base, begun)
    both = clock() - start
    start = clock()
    for _ in range(count):
        _fork()
        os.wait()
    forked = 1000 * (clock() - start) / count
    return {"per_step": 1000 * both / count, "fork": forked, "create": _create(200)}


def _create(count: int) -> float:
    """Milliseconds to create an empty file: no part of the floor, but a sign of a disk's day."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        start = clock()
        for number in range(count):
            os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
        return 1000 * (clock() - start) / count


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _database(folder: Path) -> sqlite3.Connection:
    (folder / "floor.db").unlink(missing_ok=True)
    base = sqlite3.connect(folder / "floor.db", isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, key TEXT, state TEXT, body BLOB)")
    base.execute("CREATE INDEX steps_key ON steps (key)")
    return base


def _commit(base: sqlite3.Connection, number: int) -> None:
    base.execute("INSERT INTO steps (key, state, body) VALUES (?, 'done', ?)",
                 (str(number), b"x" * 100))  # fmt: skip


def array(folder: str, count: int) -> dict[str, float]:
    """Generate float32 numbers, hash with two threads, write, fsync, map, read both ends."""
    import numpy as np
    from blake3 import blake3

    path = Path(folder) / "floor.npy"
    start = clock()
    made = np.random.default_rng(0).random(count, np.float32)
    generated = clock() - start
    blake3(max_threads=2).update(memoryview(made).cast("B")).hexdigest()
    with open(path, "wb") as file:
        np.save(file, made)
        file.flush()
        os.fsync(file.fileno())
    del made
    mapped = np.load(path, mmap_mode="r")
    float(mapped[0] + mapped[-1])
    found = {"wall": clock() - start, "generate": generated}
    path.unlink()
    return found


def rows(folder: str, count: int) -> dict[str, float]:
    """Look up `count` keys, and insert as many rows in one durable commit."""
    base = _database(Path(folder))
    base.execute("BEGIN IMMEDIATE")
    for number in range(count):
        _commit(base, number)
    base.execute("COMMIT")
    start = clock()
    for number in range(count):
        base.execute("SELECT body FROM steps WHERE key = ?", (str(number),)).fetchall()
    base.execute("BEGIN IMMEDIATE")
    for number in range(count):
        _commit(base, number)
    base.execute("COMMIT")
    return {"wall": clock() - start}


def lines(folder: str, count: int) -> dict[str, float]:
    """Write `count` lines of JSON, each handed to the kernel at once."""
    values = [1.0 / (i + 1) for i in range(count)]
    with open(Path(folder) / "floor.jsonl", "a", encoding="utf-8") as file:
        start = clock()
        for i, value in enumerate(values):
            file.write(json.dumps({"name": "loss", "step": i, "value": value}) + "\n")
            file.flush()
        spent = clock() - start
    return {"rate": count / spent}


FLOORS: dict[str, Callable[..., dict[str, float]]] = {
    "forks": forks, "array": array, "rows": rows, "lines": lines
}  # fmt: skip

if __name__ == "__main__":
    words = [int(word) if word.isdigit() else word for word in sys.argv[2:]]
    print(json.dumps(FLOORS[sys.argv[1]](*words)))
