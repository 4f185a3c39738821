"""Steps that are programs: files and plain values in, files out, no shell unless asked for.

The program runs in the attempt's scratch directory, where it finds the project files that the
step declares, and nothing else of the project.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, cast

import msgspec

from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.inputs import MISSING, loader, value_of
from mainspring.records import artifacts
from mainspring.records.artifacts import ArtifactRef, Input
from mainspring.records.errors import DefinitionError, ExecutionError
from mainspring.records.ports import Blobs
from mainspring.records.runs import Order
from mainspring.storage.serializers import registry

_PLACE = re.compile(r"\{(inputs|outputs)\.([A-Za-z_][\w-]*)\}")
_SUFFIXES = {
    **{"json": ".json", "text": ".txt", "bytes": ".bin", "npy": ".npy", "parquet": ".parquet"},
    **{"arrow": ".arrow", "safetensors": ".safetensors", "skops": ".skops", "onnx": ".onnx"},
    **{"xgboost": ".ubj", "lightgbm": ".txt", "plotly": ".json", "image": ".png", "figure": ".png"},
    **{"pickle": ".pkl", "csv": ".csv"},
}
_AS_TEXT = frozenset({"json", "text"})
_LAST_LINES = 20
_LAST_BYTES = 16 * 1024


class CommandError(ExecutionError):
    """A command could not be started, failed, or did not write what it promised."""


def run(order: Order, snapshot: str, files: AttemptFiles, blobs: Blobs) -> dict[str, ArtifactRef]:
    """Run the order's command and store the files that it wrote."""
    work = Path(files.work)
    (work / "inputs").mkdir(parents=True, exist_ok=True)
    _copy_declared(order.files, snapshot, work)
    values = {
        name: _argument(name, given, blobs, work / "inputs") for name, given in order.inputs.items()
    }
    outputs = {name: _output_path(name, path, work) for name, path in order.outputs.items()}
    words = _words(order, values, {name: str(path) for name, path in outputs.items()})
    start = os.path.getsize(files.log) if os.path.exists(files.log) else 0
    code = _contained(order, words, files) if order.image else _call(words, work)
    if code != 0:
        raise CommandError(
            f"{_ending(words, code)}\n{_tail(files.log, start)}".rstrip(),
            hint="its whole output is in the task's log",
        )
    return {name: _store(name, path, work, blobs) for name, path in outputs.items()}


def _copy_declared(names: tuple[str, ...], snapshot: str, work: Path) -> None:
    for name in names:
        source, target = Path(snapshot, name), work / name
        if not source.resolve().is_relative_to(Path(snapshot).resolve()) or not source.exists():
            raise CommandError(
                f"the declared file {name} is not in the project's source",
                hint="paths are relative to the project; is it ignored?",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)


def _argument(name: str, given: Input, blobs: Blobs, folder: Path) -> str:
    """The text that stands for an input: a plain value itself, or the path of a file."""
    if isinstance(given, artifacts.Stored) and _is_one_file(given):
        target = folder / (name + _SUFFIXES.get(given.ref.format, ""))
        _link(blobs.path(given.ref.digest), target)
        return str(target)
    value = value_of(given, loader(blobs, folder / f".{name}"))
    if value is MISSING or value is None:
        return ""
    if isinstance(value, os.PathLike):
        source = Path(cast("os.PathLike[str]", value))
        target = folder / (name + source.suffix)
        _link(source, target)
        return str(target)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    target = folder / f"{name}.json"
    target.write_bytes(msgspec.json.encode(value))
    return str(target)


def _is_one_file(given: artifacts.Stored) -> bool:
    """Whether the blob itself is what a program can read."""
    return given.index is None and given.ref.format in _SUFFIXES.keys() - _AS_TEXT


def _link(source: Path, target: Path) -> None:
    target.symlink_to(source.resolve(), target_is_directory=source.is_dir())


def _output_path(name: str, path: str, work: Path) -> Path:
    place = work / (path or name)
    if not Path(os.path.abspath(place)).is_relative_to(work):
        raise CommandError(f"output {name}: {path} is not inside the working directory")
    (place if path.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
    return place


def _words(order: Order, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> list[str]:
    known = {"inputs": inputs, "outputs": outputs}

    def fill(text: str, quote: bool) -> str:
        def one(match: re.Match[str]) -> str:
            group, name = match.groups()
            if name not in known[group]:
                have = ", ".join(known[group]) or "none"
                raise DefinitionError(f"the command has no {group[:-1]} {name} (it has {have})")
            value = known[group][name]
            return shlex.quote(value) if quote else value

        return _PLACE.sub(one, text)

    if order.shell:
        return ["sh", "-c", fill(order.command, quote=True)]
    # Split first: a value with spaces or quotes in it stays one word.
    words = [fill(word, quote=False) for word in shlex.split(order.command)]
    if not words:
        raise DefinitionError("the command is empty")
    return words


def _call(words: list[str], work: Path) -> int:
    """Run the program to its end; when the attempt is taken away, let it end in its own way."""
    asked_to_stop = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    before = signal.signal(signal.SIGTERM, stop)
    try:
        process = subprocess.Popen(words, cwd=work, stdin=subprocess.DEVNULL)
        code = process.wait()
    except (FileNotFoundError, PermissionError) as error:
        raise CommandError(
            f"the program {words[0]} can't be started: {error.strerror}",
            hint="is it installed, and on PATH?",
        ) from error
    finally:
        signal.signal(signal.SIGTERM, before)
    if asked_to_stop:
        # Whoever took the attempt away writes its outcome.
        os._exit(128 + signal.SIGTERM)
    return code


def _contained(order: Order, words: list[str], files: AttemptFiles) -> int:
    from mainspring.execution import containers

    return containers.run(order, words, files)


def _ending(words: list[str], code: int) -> str:
    if code < 0:
        return f"{words[0]} was killed by {signal.Signals(-code).name}"
    if code == 127 and words[0] == "sh":
        return "sh ended with exit status 127: a program in the command was not found"
    return f"{words[0]} ended with exit status {code}"


def _tail(log: str, start: int) -> str:
    with open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start, size - _LAST_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])


def _store(name: str, path: Path, work: Path, blobs: Blobs) -> ArtifactRef:
    if not path.exists():
        raise CommandError(
            f"the command did not write its output {name} ({path.relative_to(work)})",
            hint=f"have it write to {{outputs.{name}}}, or correct the path",
        )
    if not path.resolve().is_relative_to(work.resolve()):
        raise CommandError(
            f"the output {name} is a link to {os.path.realpath(path)}, outside of its directory",
            hint="have the command copy what it wants to keep",
        )
    hint: Any = Path
    return registry.dump(path, hint, blobs)
