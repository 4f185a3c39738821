"""Holds still, inside a worker, what is not the step's own: the clock, entropy, threads.

For experiments alone: `arrange` is called before the project's modules are imported, so that what
they take from the standard library is already the arranged one. What compiled code asks of the
operating system by itself (the clock of numpy's `datetime64("now")`, say) is not held.
Whoever asks while a step runs is noted, with the line of the project that it comes from.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import gc
import multiprocessing
import multiprocessing.pool
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from types import FrameType
from typing import Any, cast

from mainspring.execution.reads import state
from mainspring.records.surroundings import Surroundings

CLOCK = "clock"
ENTROPY = "entropy"
TICK = 1_000_000
"""Nanoseconds by which the clock goes on each time that somebody looks at it."""

_SHORT = 0.2  # seconds for which the start of another thread waits for the end of the last one
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PATIENT = ("asyncio/", "threading.py", "queue.py", "selectors.py", "subprocess.py", "socket.py",
            "concurrent/futures/", "multiprocessing/", "sched.py", "ssl.py")  # fmt: skip
_Any = Callable[..., Any]
_AGAIN: list[Callable[[], None]] = []


def arrange(conditions: Surroundings) -> None:
    """Change this process's standard library to the conditions; there is no way back."""
    if conditions.clock is not None:
        _hold_clock(conditions.clock)
    if conditions.entropy is not None:
        _hold_entropy(conditions.entropy)
    if conditions.single:
        _hold_threads()


def begin() -> None:
    """Start clock and entropy anew: what a process asked before its step is nothing to the step."""
    for again in _AGAIN:
        again()


def noted(what: str, impure: tuple[str, ...]) -> tuple[str, ...]:
    """What was noted of an attempt's askings (CLOCK or ENTROPY), without that word."""
    return tuple(text.removeprefix(f"{what}: ") for text in impure if text.startswith(f"{what}: "))


# Who asks.


def _ask(what: str, function: str) -> None:
    """Note that the step asks for something, if it is the step."""
    recorder = state.recorder
    if recorder is None or state.own:
        return
    frame = cast("FrameType | None", sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
    nearest = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name == __file__:
            frame = frame.f_back
            continue
        if name.startswith(recorder.inside):
            place = f"{name[len(recorder.inside) :]}:{frame.f_lineno}"
            recorder.outside(f"{what}: {function} at {place}")
            return
        if name.startswith(_OWN):
            return
        nearest = nearest or os.path.basename(name)
        frame = frame.f_back
    recorder.outside(f"{what}: {function} in {nearest}")


# The clock.


class _Clock:
    def __init__(self, start: float) -> None:
        self._start = int(start * 1e9)
        self._looks = 0
        self._slept = 0
        self._lock = threading.Lock()

    def again(self) -> None:
        self._looks = self._slept = 0

    def passed(self) -> int:
        """Nanoseconds since it began."""
        with self._lock:
            self._looks += 1
            return self._looks * TICK + self._slept

    def wall(self) -> int:
        """Nanoseconds since the epoch."""
        return self._start + self.passed()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._slept += int(seconds * 1e9)


def _hold_clock(start: float) -> None:
    clock = _Clock(start)
    _AGAIN.append(clock.again)
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        real_sleep(seconds)
        clock.sleep(seconds)

    time.sleep = sleep
    _replace_counters(clock)
    _replace_calendars(clock)
    _replace_dates(clock)
    # The C function takes the time from the system.
    cast("Any", uuid)._generate_time_safe = None


def _replace_counters(clock: _Clock) -> None:
    """Functions that tell seconds or nanoseconds."""
    told: dict[str, tuple[_Any, _Any]] = {
        "time": (clock.wall, float), "perf_counter": (clock.passed, float),
        "process_time": (clock.passed, float), "thread_time": (clock.passed, float),
        "monotonic": (clock.passed, float), "time_ns": (clock.wall, int),
        "perf_counter_ns": (clock.passed, int), "process_time_ns": (clock.passed, int),
        "thread_time_ns": (clock.passed, int), "monotonic_ns": (clock.passed, int),
    }  # fmt: skip
    for name, (tell, kind) in told.items():
        setattr(time, name, _counter(name, getattr(time, name), tell, whole=kind is int))


def _counter(name: str, real: _Any, tell: Callable[[], int], *, whole: bool) -> _Any:
    """`monotonic` stays real for what waits by it: a loop would never see its time pass."""
    waits = name.startswith("monotonic")

    @wraps(real)
    def told() -> float:
        if waits and _is_patient(sys._getframe(1)):  # pyright: ignore[reportPrivateUsage]
            return real()
        _ask(CLOCK, f"time.{name}")
        return tell() if whole else tell() / 1e9

    return told


def _is_patient(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(_OWN) or any(part in name for part in _PATIENT)


def _replace_calendars(clock: _Clock) -> None:
    """Functions that take the present time when they are given none: at which argument."""

    def calendar(name: str, real: _Any, place: int) -> _Any:
        @wraps(real)
        def told(*args: Any) -> Any:
            if len(args) > place and args[place] is not None:
                return real(*args)
            _ask(CLOCK, f"time.{name}")
            now: Any = clock.wall() / 1e9
            if name in ("strftime", "asctime"):
                now = _localtime(now)
            return real(*args[:place], now)

        return told

    _localtime = time.localtime
    for name, place in {
        "gmtime": 0,
        "localtime": 0,
        "ctime": 0,
        "asctime": 0,
        "strftime": 1,
    }.items():
        setattr(time, name, calendar(name, getattr(time, name), place))
    real_clock = time.clock_gettime

    def clock_gettime(number: int) -> float:
        _ask(CLOCK, "time.clock_gettime")
        return clock.wall() / 1e9 if number == time.CLOCK_REALTIME else real_clock(number)

    time.clock_gettime = clock_gettime


def _replace_dates(clock: _Clock) -> None:
    """`now`, `utcnow` and `today` of the classes themselves, which compiled modules take too."""
    date, moment = datetime.date, datetime.datetime

    def now(name: str) -> float:
        _ask(CLOCK, name)
        return clock.wall() / 1e9

    def moment_now(tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return moment.fromtimestamp(now("datetime.now"), tz)

    def moment_utcnow() -> datetime.datetime:
        return moment.fromtimestamp(now("datetime.utcnow"), datetime.UTC).replace(tzinfo=None)

    def moment_today() -> datetime.datetime:
        return moment.fromtimestamp(now("datetime.today"))

    def date_today() -> datetime.date:
        return date.fromtimestamp(now("date.today"))

    _give(moment, now=moment_now, utcnow=moment_utcnow, today=moment_today)
    _give(date, today=date_today)


def _give(kind: type, **functions: _Any) -> None:
    """Give a class of C other static functions: its dictionary is behind a read-only view."""
    import ctypes

    (table,) = gc.get_referents(kind.__dict__)
    table.update({name: staticmethod(function) for name, function in functions.items()})
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


# Entropy.


class _Stream:
    """The bytes that a seed stands for, as if the machine had given them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._asked = 0

    def read(self, size: int) -> bytes:
        """The next bytes of the seed's own sequence."""
        with self._lock:
            self._asked += 1
            number = self._asked
        found = bytearray()
        while len(found) < size:
            block = f"{self._seed}:{number}:{len(found)}".encode()
            found += blake2b(block).digest()
        return bytes(found[:size])

    def again(self) -> None:
        """Begin anew."""
        self._asked = 0


def _hold_entropy(seed: int) -> None:
    stream = _Stream(seed)
    _AGAIN.append(stream.again)

    def urandom(size: int) -> bytes:
        _ask(ENTROPY, "os.urandom")
        return stream.read(size)

    def getrandom(size: int, flags: int = 0) -> bytes:
        del flags
        _ask(ENTROPY, "os.getrandom")
        return stream.read(size)

    os.urandom = urandom
    cast("Any", os).getrandom = getrandom
    # SystemRandom, and with it `secrets` and numpy's unseeded generators, ask here.
    cast("Any", random)._urandom = urandom
    real_seed = random.Random.seed

    def seed_generator(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and type(self) is not random.SystemRandom:
            _ask(ENTROPY, "random.seed()")
            a = int.from_bytes(stream.read(32), "big")
        real_seed(self, a, version)

    cast("Any", random.Random).seed = seed_generator
    random.seed = cast("Any", random)._inst.seed


# Threads.


def _hold_threads() -> None:
    """One core, pools of one, and of threads that are started one after the other."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.cpu_count = lambda: 1
    multiprocessing.cpu_count = os.cpu_count
    for pool in (concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor):
        _limit(pool, "max_workers")
    for pool in (multiprocessing.pool.Pool, multiprocessing.pool.ThreadPool):
        _limit(pool, "processes")
    real_start = threading.Thread.start

    def start(self: threading.Thread) -> None:
        real_start(self)
        self.join(_SHORT)

    threading.Thread.start = start


def _limit(pool: Any, name: str) -> None:
    real: _Any = pool.__init__

    @wraps(real)
    def __init__(self: Any, size: Any = None, *args: Any, **kwargs: Any) -> None:
        del size
        kwargs.pop(name, None)
        real(self, 1, *args, **kwargs)

    pool.__init__ = __init__
