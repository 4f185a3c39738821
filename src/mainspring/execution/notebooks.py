"""Steps that are notebooks: executed cell by cell in a kernel of their own, from the snapshot."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from mainspring.definition.cells.values import literal
from mainspring.definition.notebook import EXECUTED
from mainspring.execution import exchange
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.failures import ToldError
from mainspring.execution.inputs import MISSING, loader, value_of
from mainspring.execution.isolation import package_folder
from mainspring.records.artifacts import ArtifactRef, Input
from mainspring.records.errors import ExecutionError
from mainspring.records.ipynb import PARAMETERS
from mainspring.records.ports import Blobs
from mainspring.records.runs import Order, TaskError
from mainspring.storage.serializers import registry

INJECTED = "injected-parameters"
"""The tag of the cell that sets the parameters, as papermill has it."""

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_IN = re.compile(r"Cell In\[(\d+)\], line (\d+)")
_SHOWN = 1_000  # characters of a value that is written into the notebook
_LAST_LINES = 30


class NotebookError(ExecutionError):
    """A notebook's kernel can't be started or died, or an output was not handed out."""


def run(
    order: Order, root: str, paths: tuple[str, ...], files: AttemptFiles, blobs: Blobs
) -> dict[str, ArtifactRef]:
    """Execute the order's notebook and return its outputs. Raises NotebookError, ToldError.

    `root` is the snapshot's directory, `paths` where in it modules are imported from.
    """
    folder = Path(files.work, "notebook")
    setting = exchange.Setting(
        order=order, home=os.environ["MAINSPRING_HOME"], root=root, paths=paths, blobs=blobs.place,
        directory=os.path.dirname(os.path.join(root, order.uses)),
    )  # fmt: skip
    exchange.write_setting(folder, setting)
    notebook = _read(Path(root, order.uses))
    _inject(notebook, _parameters(order.inputs, blobs, folder))
    executed = folder / Path(order.uses).name
    try:
        _execute(notebook, order, folder)
    finally:
        executed.write_text(_text(notebook), "utf-8")
        Path(files.directory, "notebook.ipynb").write_text(_text(notebook), "utf-8")
    found: dict[str, ArtifactRef] = {}
    for name in order.outputs:
        hint: Any = Path
        ref = (
            registry.dump(executed, hint, blobs)
            if name == EXECUTED
            else exchange.handed_out(folder, name)
        )
        if ref is None:
            raise NotebookError(
                f"the notebook did not hand out its output {name!r}",
                where=order.uses,
                hint=f"have a cell call mainspring.output({name}=...)",
            )
        found[name] = ref
    return found


def _read(path: Path) -> Any:
    try:
        import nbformat
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    return cast(Any, nbformat).reads(path.read_text("utf-8"), as_version=4)


def _missing(error: ModuleNotFoundError) -> NotebookError:
    return NotebookError(
        f"to run a notebook the package {error.name} is needed",
        hint='pip install "mainspring[notebook]"',
    )


def _text(notebook: Any) -> str:
    import nbformat

    return cast(Any, nbformat).writes(notebook) + "\n"


def _parameters(inputs: Mapping[str, Input], blobs: Blobs, folder: Path) -> list[str]:
    """The lines that set the parameters: short plain values as they are, others are loaded."""
    lines: list[str] = []
    loads: list[str] = []
    for name, given in inputs.items():
        text = _literal(given, blobs, folder)
        if text is None:
            loads.append(f"{name} = load_input({name!r})")
        elif text:
            lines.append(f"{name} = {text}")
    if loads:
        lines += ["from mainspring.execution.exchange import load_input", *loads]
    return lines


def _literal(given: Input, blobs: Blobs, folder: Path) -> str | None:
    """A value as code, if it is plain and short; "" for one that is absent: its default counts."""
    size = getattr(getattr(given, "ref", None), "size", 0)
    kind = getattr(getattr(given, "ref", None), "format", "json")
    if size > _SHOWN or kind not in ("json", "text"):
        return None
    value = value_of(given, loader(blobs, folder / "inputs"))
    if value is MISSING:
        return ""
    try:
        text = literal(value)
    except OverflowError:
        return None
    return text if text is not None and len(text) <= _SHOWN else None


def _inject(notebook: Any, lines: list[str]) -> None:
    """Put a cell with the parameters after the one with their defaults; else before all."""
    if not lines:
        return
    import nbformat

    cell = cast(Any, nbformat).v4.new_code_cell("\n".join(["# Parameters", *lines]))
    cell.metadata["tags"] = [INJECTED]
    cell["id"] = "parameters"
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        del cell["id"]
    cells = notebook.cells
    tagged = [at for at, one in enumerate(cells) if PARAMETERS in one.metadata.get("tags", [])]
    cells.insert(tagged[-1] + 1 if tagged else 0, cell)


# --- executing ---------------------------------------------------------------------------


def _execute(notebook: Any, order: Order, folder: Path) -> None:
    try:
        import zmq
        from ipykernel.kernelspec import get_kernel_dict
        from jupyter_client.kernelspec import KernelSpec
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, DeadKernelError
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    _prepare(notebook)
    manager: Any = AsyncKernelManager(connection_file=str(folder / "kernel.json"))
    # Whatever kernels are installed under which names: it is this interpreter that is in the key.
    manager._kernel_spec = KernelSpec(
        argv=[*_interpreter(), "-f", "{connection_file}"],
        display_name="step",
        language="python",
        metadata=get_kernel_dict().get("metadata", {}),
    )
    if hasattr(manager, "transport_encryption") and zmq.has("curve"):
        manager.transport_encryption = "auto"  # others on this machine could listen
    client: Any = NotebookClient(
        notebook,
        km=manager,
        timeout=None,
        record_timing=False,
        on_cell_executed=_log,
        on_cell_error=_log,
    )
    try:
        client.execute(env=_environment(folder), cwd=str(folder))
    except CellExecutionError:
        raise _failure(notebook, order) from None
    except DeadKernelError:
        raise NotebookError(
            f"the kernel died after {_last(notebook)} was begun",
            where=order.uses,
            hint="it may have run out of memory; give the step a memory=... limit to see",
        ) from None


def _prepare(notebook: Any) -> None:
    """What an earlier execution left is no part of this one."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
            cell.metadata.pop("execution", None)


def _interpreter() -> list[str]:
    start = "from mainspring.execution.kernel import main; main()"
    place = f"import sys; sys.path.append({package_folder()!r})"
    return [sys.executable, "-P", "-c", f"{place}; {start}"]


def _environment(folder: Path) -> dict[str, str]:
    own = {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_NO_CONFIG": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        exchange.FOLDER: str(folder),
    }
    return {**os.environ, **own}


def _log(cell: Any, cell_index: int, execute_reply: Any = None) -> None:  # noqa: ARG001
    """Print what a cell printed, into the attempt's log."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            print(output.text, end="", flush=True)


def _failure(notebook: Any, order: Order) -> ToldError:
    """The error of the cell that raised one, with the places in the terms of the file."""
    cells = dict(_executed(notebook))
    error = next(
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    )

    def place(found: re.Match[str]) -> str:
        return f"{cells.get(int(found[1]), found[0])}, line {found[2]}"

    trace = _IN.sub(place, _COLOR.sub("", "\n".join(error.traceback)))
    where = re.findall(r"^((?:the )?cell [^,\n]*, line \d+)", trace, re.MULTILINE)
    return ToldError(
        TaskError(
            kind=error.ename,
            message=error.evalue,
            where=f"{order.uses}: {where[-1] if where else _last(notebook)}",
            traceback="\n".join(trace.splitlines()[-_LAST_LINES:]),
            hint="the notebook as far as it ran lies beside the task's log: notebook.ipynb",
        )
    )


def _executed(notebook: Any) -> Iterator[tuple[int, str]]:
    """The cells that were executed: the kernel's count, and what a cell is called in the file."""
    number = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        injected = INJECTED in cell.metadata.get("tags", [])
        number += not injected
        if cell.execution_count is not None:
            name = "the cell with the parameters" if injected else f"cell {number}"
            yield cell.execution_count, name


def _last(notebook: Any) -> str:
    return next(reversed([name for _, name in _executed(notebook)]), "cell 1")
