"""What is said of this machine; GPUs with the files that a driver leaves (there is none here)."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from mainspring.storage import machine


def test_this_machine_and_python() -> None:
    found = machine.machine()
    assert found.architecture == os.uname().machine
    assert found.cores == len(os.sched_getaffinity(0))
    assert list(found.flags) == sorted(found.flags)
    assert found.flags
    assert machine.python().version == platform.python_version()


def test_which_blas_numpy_has() -> None:
    found = machine.libraries({"numpy": "2", "click": "8"})
    (built,) = [one for one in found if one.version]
    assert (built.kind, built.of) == ("blas", "numpy")
    assert "openblas" in built.name
    assert any(".so" in one.name and one.of == "numpy" for one in found)
    assert machine.libraries({}) == ()


def test_a_gpu_by_what_its_driver_says(tmp_path: Path) -> None:
    assert machine.gpu({}, tmp_path) is None
    text = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n"
    (tmp_path / "version").write_text(text, encoding="utf-8")
    device = tmp_path / "gpus" / "0000:01:00.0" / "information"
    device.parent.mkdir(parents=True)
    device.write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n", encoding="utf-8")
    packages = {"nvidia-cudnn-cu12": "9.1.0", "nvidia-cuda-runtime-cu12": "12.4.127"}
    found = machine.gpu(packages, tmp_path)
    assert found is not None
    assert (found.driver, found.cuda, found.cudnn) == ("580.95.05", "12.4.127", "9.1.0")
    assert found.devices == ("NVIDIA H100 80GB HBM3",)
