from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.execution.failures import death, describe, size_text
from mainspring.records.errors import DefinitionError
from mainspring.records.runs import Order, TaskError

ORDER = Order(attempt="a", run="r", path="p", node="p", snapshot="", memory=512 << 20)


def raised(error: BaseException, snapshot: str = "/nowhere", order: Order = ORDER) -> TaskError:
    try:
        raise error
    except BaseException as caught:
        return describe(caught, snapshot, order)


def from_project(folder: Path, text: str) -> TaskError:
    """What is said of an error that comes out of a file of the project."""
    path = folder / "steps.py"
    path.write_text(text, "utf-8")
    try:
        exec(compile(text, str(path), "exec"), {})
    except Exception as error:
        return describe(error, str(folder), ORDER)
    raise AssertionError("nothing was raised")


def test_the_place_is_the_projects_last_line(tmp_path: Path) -> None:
    error = from_project(tmp_path, "import json\n\ndef f():\n    json.loads('{')\n\nf()\n")
    assert (error.kind, error.where) == ("JSONDecodeError", "steps.py:4")
    assert 'File "steps.py", line 6' in error.traceback
    assert "json/decoder.py" not in error.traceback
    assert str(tmp_path) not in error.traceback


def test_what_led_to_an_error_is_told_first(tmp_path: Path) -> None:
    text = "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e\n"
    error = from_project(tmp_path, text)
    first, second = error.traceback.split("\nThis led to:\n\n")
    assert "ZeroDivisionError" in first
    assert second.rstrip().endswith("ValueError: bad")
    hidden = from_project(tmp_path, text.replace("from e", "from None"))
    assert "ZeroDivisionError" not in hidden.traceback


def test_a_ring_of_causes_has_an_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert raised(one).traceback.count("Traceback") == 2


def test_a_line_that_is_no_python(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("x = (\n")
    error = SyntaxError("never closed", (str(tmp_path / "bad.py"), 1, 5, "x = ("))
    assert raised(error, str(tmp_path)).where == "bad.py:1"


@pytest.mark.parametrize(
    ("error", "kind", "message", "hint"),
    [
        (MemoryError("300 GiB"), "memory", "(its limit of 512 MiB): 300 GiB", "memory="),
        (SystemExit(3), "SystemExit", "sys.exit(3)", "return a value"),
        (SystemExit(), "SystemExit", "sys.exit()", "return a value"),
        (KeyboardInterrupt(), "KeyboardInterrupt", "interrupted", ""),
        (ModuleNotFoundError("No module named 'x'"), "ModuleNotFoundError", "'x'", "installed"),
        (DefinitionError("wrong", hint="right"), "DefinitionError", "wrong", "right"),
        (ValueError("no"), "ValueError", "no", ""),
    ],
)
def test_kinds_messages_and_hints(error: BaseException, kind: str, message: str, hint: str) -> None:
    found = raised(error)
    assert found.kind == kind
    assert message in found.message
    assert hint in found.hint


def test_an_error_of_ours_keeps_its_place() -> None:
    assert raised(DefinitionError("wrong", where="flow.py:3")).where == "flow.py:3"


def test_an_error_that_cannot_be_shown() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    found = raised(Mute())
    assert found.message == "(its message can't be shown)"
    assert found.kind.endswith("Mute")


def test_long_messages_keep_their_ends() -> None:
    found = raised(ValueError("begin" + "x" * 100_000 + "end"))
    assert len(found.message) < 11_000
    assert (found.message[:5], found.message[-3:]) == ("begin", "end")


def ended(code: str) -> TaskError:
    process = subprocess.Popen([sys.executable, "-c", f"import os, signal; {code}"])
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return death(status)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (signal.SIGKILL, "killed by SIGKILL \N{EM DASH} possibly out of memory"),
        (signal.SIGTERM, "killed by SIGTERM"),
        (signal.SIGRTMIN + 2, f"killed by signal {signal.SIGRTMIN + 2}"),
    ],
)
def test_death_by_a_signal(number: int, text: str) -> None:
    found = ended(f"os.kill(os.getpid(), {int(number)})")
    assert (found.kind, found.message) == ("killed", text)


def test_death_by_exit() -> None:
    found = ended("os._exit(7)")
    assert (found.kind, "os._exit(7)" in found.message) == ("exit", True)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (512 << 20, "512 MiB"),
        (3 << 40, "3 TiB"), (5000 << 40, "5000 TiB"),
    ],
)  # fmt: skip
def test_sizes(size: int | None, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.system("torch")
def test_an_operation_without_a_deterministic_form_says_what_can_be_done() -> None:
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError) as caught:
            torch.zeros(4).put_(torch.tensor([0]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(before)
    assert "deterministic=False" in describe(caught.value, "/nowhere", ORDER).hint
