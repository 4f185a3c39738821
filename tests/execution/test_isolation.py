from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mainspring.execution import isolation
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.records.runs import Order

SOURCE = {
    "PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "SECRET": "x", "PYTHONPATH": "/p",
    "PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "64", "AWS_SECRET_ACCESS_KEY": "k",
}  # fmt: skip


def test_only_what_is_allowed_reaches_a_worker() -> None:
    found = isolation.base_environment(SOURCE)
    assert {k: v for k, v in found.items() if k in SOURCE} == {
        "PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def test_the_package_is_found_wherever_it_is() -> None:
    environment = isolation.bootstrap_environment(SOURCE)
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import mainspring.execution.worker"],
        env=environment, capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "SECRET" not in environment


@pytest.mark.parametrize(("gpus", "visible"), [((), ""), ((1, 3), "1,3")])
def test_variables_of_an_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: tuple[int, ...], visible: str
) -> None:
    environ: dict[str, str] = {"CUDA_VISIBLE_DEVICES": "7"}
    monkeypatch.setattr(isolation.os, "environ", environ)
    monkeypatch.setattr(tempfile, "tempdir", "/decided/before")
    order = Order(attempt="r.1.1", run="r", path="a", node="a", snapshot="s", gpus=gpus)
    files = AttemptFiles(tmp_path, order.attempt)
    isolation.set_environment(order, {"TOKEN": "t"}, files, str(tmp_path))
    assert environ == {
        "CUDA_VISIBLE_DEVICES": visible, "TOKEN": "t", "MAINSPRING_ATTEMPT": "r.1.1",
        "MAINSPRING_HOME": str(tmp_path), "TMPDIR": files.work,
    }  # fmt: skip
    assert tempfile.tempdir is None


@pytest.mark.parametrize(("memory", "ends"), [(32 << 20, "MemoryError"), (None, "made")])
def test_a_huge_allocation_fails_at_once(tmp_path: Path, memory: int | None, ends: str) -> None:
    text = (
        "import sys\n"
        "from mainspring.execution import isolation\n"
        "from mainspring.execution.attempt_files import AttemptFiles\n"
        "from mainspring.records.runs import Order\n"
        f"order = Order(attempt='a', run='r', path='a', node='a', snapshot='', memory={memory})\n"
        "files = AttemptFiles(sys.argv[1], 'a')\n"
        "files.create()\n"
        "isolation.enter(order, {}, files, sys.argv[1])\n"
        "try:\n"
        "    bytearray(512 << 20)\n"
        "    print('made')\n"
        "except MemoryError:\n"
        "    print('MemoryError')\n"
    )
    subprocess.run([sys.executable, "-c", text, str(tmp_path)], check=True)
    assert Path(AttemptFiles(tmp_path, "a").log).read_text() == f"{ends}\n"
