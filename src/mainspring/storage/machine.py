"""What of this machine a result may depend on: Python, processor, C library, BLAS, CUDA.

Everything is read from files, without importing a library: a look costs milliseconds.
"""

from __future__ import annotations

import ast
import os
import platform
import re
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from mainspring.records.environments import Gpu, Library, Machine, Python
from mainspring.storage.installed import record

_CPU = Path("/proc/cpuinfo")
_NVIDIA = Path("/proc/driver/nvidia")
_CUDA_PARTS = {
    "cuda": re.compile(r"nvidia-cuda-runtime(-cu\d+)?"),
    "cudnn": re.compile(r"nvidia-cudnn(-cu\d+)?"),
}
_BLAS_OF = {"scipy": "scipy/__config__.py", "numpy": "numpy/__config__.py"}


def python() -> Python:
    """The interpreter that runs now."""
    return Python(
        version=platform.python_version() + ("+" if sys.version.split()[0].endswith("+") else ""),
        implementation=platform.python_implementation() + getattr(sys, "abiflags", ""),
        build=" ".join(platform.python_build()),
        compiler=platform.python_compiler(),
    )


def machine() -> Machine:
    """The machine, as its system describes it."""
    name = os.uname()
    processor, flags = _processor(_CPU)
    return Machine(
        system=name.sysname,
        release=name.release,
        architecture=name.machine,
        libc=_libc(),
        processor=processor,
        flags=flags,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
    )


def _libc() -> str:
    with suppress(AttributeError, OSError, ValueError):
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").strip()
    return ""


def _processor(place: Path) -> tuple[str, tuple[str, ...]]:
    """The processor's name, and what it can do: libraries choose their code by that."""
    found: dict[str, str] = {}
    with suppress(OSError):
        first = place.read_text("utf-8", "replace").partition("\n\n")[0]
        for line in first.splitlines():
            name, _, value = line.partition(":")
            found[name.strip().lower()] = value.strip()
    name = found.get("model name") or found.get("cpu model") or platform.processor()
    return name, tuple(sorted((found.get("flags") or found.get("features") or "").split()))


def libraries(packages: dict[str, str]) -> tuple[Library, ...]:
    """The BLAS that numpy and scipy were built with, and the OpenMP and BLAS files that these and
    other packages bring along."""
    found: list[Library] = []
    for name, config in _BLAS_OF.items():
        if name in packages and (blas := _blas(name, config)) is not None:
            found.append(blas)
    for name in sorted(packages):
        found += _bundled(name)
    return tuple(sorted(set(found), key=lambda each: (each.kind, each.of, each.name)))


_BUNDLED = re.compile(
    r"lib(?P<name>gomp|iomp5|omp|openblas\w*|scipy_openblas\w*|mkl_rt)[-.](?P<rest>.*)"
)


def _bundled(name: str) -> list[Library]:
    """Libraries in a distribution's own files: their names have a digest of what they are."""
    with suppress(metadata.PackageNotFoundError):
        files = (path.rpartition("/")[2] for path, _ in record(metadata.distribution(name)))
        matches = [(file, _BUNDLED.fullmatch(file)) for file in files if ".so" in file]
        return [
            Library(name=file, kind="openmp" if "omp" in match["name"] else "blas", of=name)
            for file, match in matches
            if match is not None
        ]
    return []


def _blas(name: str, config: str) -> Library | None:
    """What a package's own configuration says of the BLAS that it was built with."""
    with suppress(metadata.PackageNotFoundError, OSError, SyntaxError, ValueError):
        text = Path(str(metadata.distribution(name).locate_file(config))).read_text("utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Dict) and (entry := _entry(node, "blas")) is not None:
                return Library(
                    name=str(entry.get("name", "")), version=str(entry.get("version", "")),
                    kind="blas", of=name,
                )  # fmt: skip
    return None


def _entry(node: ast.Dict, wanted: str) -> dict[str, Any] | None:
    for key, value in zip(node.keys, node.values, strict=True):
        named = isinstance(key, ast.Constant) and key.value == wanted
        if named and isinstance(value, ast.Dict):
            return {
                str(k.value): v.value
                for k, v in zip(value.keys, value.values, strict=True)
                if isinstance(k, ast.Constant) and isinstance(v, ast.Constant)
            }
    return None


def gpu(packages: dict[str, str], place: Path = _NVIDIA) -> Gpu | None:
    """The driver and devices of this machine, and the CUDA that the packages bring; None without
    a driver."""
    try:
        text = (place / "version").read_text("utf-8", "replace")
    except OSError:
        return None
    match = re.search(r"Kernel Module(?: for \S+)?\s+([\d.]+)", text)
    return Gpu(
        driver=match[1] if match else text.partition("\n")[0].strip(),
        cuda=_version(packages, "cuda") or _torch_cuda(packages),
        cudnn=_version(packages, "cudnn"),
        devices=tuple(sorted(_devices(place))),
    )


def _devices(place: Path) -> list[str]:
    found: list[str] = []
    for each in sorted(place.glob("gpus/*/information")):
        with suppress(OSError):
            match = re.search(r"Model:\s*(.+)", each.read_text("utf-8", "replace"))
            found += [match[1].strip()] if match else []
    return found


def _version(packages: dict[str, str], part: str) -> str:
    for name in sorted(packages):
        if _CUDA_PARTS[part].fullmatch(name):
            return packages[name]
    return ""


def _torch_cuda(packages: dict[str, str]) -> str:
    if "torch" not in packages:
        return ""
    with suppress(metadata.PackageNotFoundError, OSError):
        place = metadata.distribution("torch").locate_file("torch/version.py")
        match = re.search(r"^cuda[^=]*=\s*'([^']+)'", Path(str(place)).read_text("utf-8"), re.M)
        return match[1] if match else ""
    return ""
