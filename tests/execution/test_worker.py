"""Parts of a worker that need no process of their own: inputs, seeds, errors, endings."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mainspring.execution import failures, inputs, isolation, seeding
from mainspring.records import artifacts
from mainspring.records.errors import SerializationError
from mainspring.records.runs import Order

ORDER = Order(attempt="a", run="r", path="p", node="p", snapshot="", memory=1 << 20)


def load(stored: artifacts.Stored) -> object:
    raise AssertionError(stored)


def test_absent_inputs_are_none_inside_and_default_outside() -> None:
    absent = artifacts.Absent()
    assert inputs.value_of(artifacts.Sequence(items=(absent,)), load) == [None]
    assert inputs.value_of(absent, load) is inputs.MISSING
    assert inputs.arguments({"x": absent}, {}, load) == {"x": None}


def test_a_tuple_is_built_in_the_order_of_its_numbers() -> None:
    items = {str(n): artifacts.Literal(value=n) for n in reversed(range(11))}
    bundle = artifacts.Bundle(type="tuple", items=items)
    assert inputs.value_of(bundle, load) == tuple(range(11))


def test_seeds() -> None:
    def draw() -> tuple[float, float]:
        return random.random(), float(np.random.rand())

    state = random.getstate(), np.random.get_state()
    try:
        seeding.seed_everything(5)
        first = draw()
        seeding.seed_everything(5)
        assert draw() == first
        seeding.seed_everything(6)
        assert draw() != first
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "_SeedOnImport"]


def test_only_generators_that_nobody_seeded_are_found() -> None:
    module = ModuleType("made")
    module.__dict__.update(
        free=np.random.default_rng(),
        fixed=np.random.default_rng(42),
        old=np.random.RandomState(),
        old_fixed=np.random.RandomState(3),
        plain=random.Random(),
        other=7,
    )
    found = [name for name, _ in seeding.import_time_generators([module])]
    assert found == ["made.free", "made.old", "made.plain"]


def test_the_environment_is_an_allow_list() -> None:
    source = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "TOKEN": "x",
        "PYTHONPATH": "/y",
        "OMP_NUM_THREADS": "9",
    }
    made = isolation.base_environment(source)
    assert made["PATH"] == "/bin"
    assert made["LC_ALL"] == "C"
    assert made["PYTHONHASHSEED"] == "0"
    assert made["OMP_NUM_THREADS"] == "1"
    assert not {"TOKEN", "PYTHONPATH"} & made.keys()


def test_errors_say_where_in_the_project(tmp_path: Path) -> None:
    source = tmp_path / "steps.py"
    source.write_text("def inner():\n    raise KeyError('k')\n\ndef outer():\n    inner()\n")
    names: dict[str, object] = {}
    exec(compile(source.read_text(), str(source), "exec"), names)
    with pytest.raises(KeyError) as caught:
        names["outer"]()  # type: ignore[operator]
    error = failures.describe(caught.value, str(tmp_path), ORDER)
    assert (error.kind, error.where) == ("KeyError", "steps.py:2")
    assert str(tmp_path) not in error.traceback
    assert "test_worker" not in error.traceback


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (MemoryError(), "memory", "its limit of 1 MiB"),
        (SystemExit(3), "SystemExit", "sys.exit(3)"),
        (KeyboardInterrupt(), "KeyboardInterrupt", "interrupted"),
        (SerializationError("no format", hint="try"), "SerializationError", "no format"),
        (ModuleNotFoundError("no x"), "ModuleNotFoundError", "no x"),
        (ValueError("y" * 100_000), "ValueError", "..."),
    ],
)
def test_words_for_errors(raised: BaseException, kind: str, words: str) -> None:
    error = failures.describe(raised, "/nowhere", ORDER)
    assert error.kind == kind
    assert words in error.message
    assert len(error.message) < 11_000


def test_an_exception_that_cannot_be_shown() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert failures.describe(Mute(), "/nowhere", ORDER).kind.endswith("Mute")


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("import os; os._exit(3)", "os._exit(3)"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "possibly out of memory"),
        (f"import os; os.kill(os.getpid(), {signal.SIGRTMIN + 3})", "signal"),
    ],
)
def test_words_for_deaths(ending: str, words: str) -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ending], os.environ)
    _, status = os.waitpid(pid, 0)
    assert words in failures.death(status).message


def test_sizes() -> None:
    assert failures.size_text(None) == "0 B"
    assert failures.size_text(200_000_000) == "190.7 MiB"
    assert failures.size_text(3 << 50) == "3072 TiB"
