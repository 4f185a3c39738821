"""What is held still inside a process, which can't be undone: each is a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mainspring.execution import experiments

HEAD = """
import json, sys
from pathlib import Path
from mainspring.execution import experiments, reads
from mainspring.records.surroundings import Surroundings
experiments.arrange(Surroundings({conditions}))
sys.path.insert(0, {folder!r})
recorder = reads.Recorder({folder!r}, {folder!r} + "/work")
with recorder:
    import steps
    made = steps.main()
print(json.dumps([made, list(recorder.impure)]))
"""


def run(folder: Path, conditions: str, body: str) -> tuple[Any, list[str]]:
    """What `main` of a project's module returns under conditions, and what was noted."""
    (folder / "steps.py").write_text(body, "utf-8")
    text = HEAD.format(conditions=conditions, folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    made, noted = json.loads(done.stdout)
    return made, noted


CLOCK = """
import datetime, time, uuid
from datetime import date
from time import perf_counter, time as now

def main():
    return [
        now(), time.time_ns(), str(date.today()), str(datetime.datetime.now(datetime.UTC)),
        time.strftime("%Y-%m-%d", time.gmtime()), time.gmtime().tm_year, perf_counter(),
        time.monotonic(), time.clock_gettime(time.CLOCK_REALTIME),
        type(datetime.datetime.now()).__name__,
        isinstance(datetime.datetime(2020, 1, 1), datetime.datetime), time.ctime(),
        time.gmtime(0).tm_year,
    ]
"""


def test_the_clock_stands_where_it_is_set_and_goes_on_by_looks(tmp_path: Path) -> None:
    one, noted = run(tmp_path, "clock=1.7e9", CLOCK)
    other, _ = run(tmp_path, "clock=1.7e9", CLOCK)
    later, _ = run(tmp_path, "clock=1.8e9", CLOCK)
    assert one == other
    assert later != one
    assert one[0] == 1.7e9 + 0.001
    assert one[2] == "2023-11-14"
    assert one[3].startswith("2023-11-14 22:13:20.00")
    assert (one[4], one[5], one[9], one[10], one[12]) == (
        "2023-11-14", 2023, "datetime", True, 1970,
    )  # fmt: skip
    assert experiments.noted(experiments.CLOCK, tuple(noted))[0] == "time.time at steps.py:8"


def test_what_waits_by_the_clock_still_ends(tmp_path: Path) -> None:
    body = """
import asyncio, queue, threading, time

def main():
    try:
        queue.Queue().get(timeout=0.05)
    except queue.Empty:
        pass
    threading.Event().wait(0.05)
    asyncio.run(asyncio.sleep(0.05))
    end = time.time() + 0.5
    while time.time() < end:
        pass
    before = time.time()
    time.sleep(0.25)
    return round(time.time() - before, 2)
"""
    made, _ = run(tmp_path, "clock=1.7e9", body)
    assert made == 0.25


ENTROPY = """
import os, random, secrets, uuid
import numpy as np

def main():
    random.seed()
    return [
        os.urandom(4).hex(), random.random(), random.SystemRandom().random(),
        random.Random().random(),
        secrets.token_hex(4), str(uuid.uuid4()), float(np.random.default_rng().random()),
        float(np.random.RandomState().rand()), len(os.urandom(1000)),
    ]
"""


def test_entropy_is_the_seeds_own(tmp_path: Path) -> None:
    one, noted = run(tmp_path, "entropy=1", ENTROPY)
    assert one == run(tmp_path, "entropy=1", ENTROPY)[0]
    other, _ = run(tmp_path, "entropy=2", ENTROPY)
    assert all(a != b for a, b in zip(one[:-1], other[:-1], strict=True))
    assert one[-1] == 1000
    assert len(set(one)) == len(one)
    asked = experiments.noted(experiments.ENTROPY, tuple(noted))
    assert "random.seed() at steps.py:6" in asked
    assert "os.urandom at steps.py:8" in asked


THREADS = """
import os, threading, time
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing.pool import ThreadPool

def main():
    with ThreadPoolExecutor(max_workers=8) as pool:
        waits = [pool.submit(lambda i=i: (time.sleep(0.02 - i / 1000), i)[1]) for i in range(8)]
        order = [done.result() for done in as_completed(waits)]
    with ThreadPool(4) as pool:
        names = set(pool.map(lambda _: threading.current_thread().name, range(8)))
    found = []
    threads = [threading.Thread(target=found.append, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    return [sorted(order), len(names), found, os.cpu_count(), len(os.sched_getaffinity(0))]
"""


def test_threads_take_turns(tmp_path: Path) -> None:
    made, noted = run(tmp_path, "single=True", THREADS)
    assert made == [list(range(8)), 1, list(range(8)), 1, 1]
    assert noted == []


def test_what_mainspring_asks_for_itself_is_not_the_steps(tmp_path: Path) -> None:
    body = """
import mainspring

def main():
    mainspring.log(loss=1.0)
    return 1
"""
    assert run(tmp_path, "clock=1.7e9, entropy=1", body) == (1, [])


def test_a_look_of_a_package_is_told_by_the_line_that_led_to_it(tmp_path: Path) -> None:
    body = """
import logging

def main():
    logging.getLogger("x").error("hello")
    return 1
"""
    _, noted = run(tmp_path, "clock=1.7e9", body)
    assert noted == ["clock: time.time at steps.py:5"]
