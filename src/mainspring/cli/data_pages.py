"""What `mainspring data` prints for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.cli import wording
from mainspring.cli.invocation import Invocation
from mainspring.cli.screen import Cell, Screen, clean

if TYPE_CHECKING:
    from mainspring.app.data.adding import Added
    from mainspring.app.data.views import DatasetCheckView, DatasetView
    from mainspring.records.datasets import DatasetVersion

_NOTHING = "no datasets yet: `mainspring data add NAME PATH` makes one"
_SHORT = 19  # characters of a digest that are shown


class Progress:
    """One line that says how far reading has come, on a terminal only."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown = False

    def __call__(self, files: int, size: int) -> None:
        if self._screen.terminal and files:
            self._screen.write(f"\r  {files:,} files, {wording.size(size)} read ")
            self._shown = True

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            self._screen.write("\r" + " " * 50 + "\r")


def added(invocation: Invocation, added: Added) -> None:
    """What `add` came to."""
    version = added.version
    if invocation.json:
        from mainspring.app.data.views import AddedView, version_view

        invocation.emit(
            AddedView(
                version=version_view(version),
                new=added.new,
                read=added.read,
                read_size=added.read_size,
            )
        )
        return
    if added.new:
        invocation.screen.line(f"{version.name}: {_content(version)}")
    else:
        invocation.screen.line(f"no change: it is still {version.name} ({_content(version)})")


def listing(invocation: Invocation, versions: Sequence[DatasetVersion]) -> None:
    """Datasets, by name."""
    if invocation.json:
        _emit(invocation, versions)
    elif versions:
        invocation.screen.table([_row(version) for version in versions])
    else:
        invocation.errors.line(_NOTHING)


def log(invocation: Invocation, versions: Sequence[DatasetVersion]) -> None:
    """Versions of one dataset."""
    if invocation.json:
        _emit(invocation, versions)
    else:
        invocation.screen.table([[*_row(version), version.message] for version in versions])


def version(invocation: Invocation, view: DatasetView) -> None:
    """One version."""
    if invocation.json:
        invocation.emit(view)
        return
    screen, found = invocation.screen, view.version
    screen.line(f"{found.dataset}@v{found.number}" + ("  pinned" if found.pinned else ""))
    rows = [
        ["digest", found.digest],
        ["added", wording.clock(found.created)],
        ["from", found.origin],
        ["message", found.message],
        ["kept", _KEPT.get(found.kind, found.kind)],
        ["files", f"{found.files:,}, {wording.size(found.size)}"],
        ["rows", _rows(found.rows, found.labelled)],
    ]
    screen.table([[Cell(name, "dim"), text] for name, text in rows if text], indent=2)
    if view.listed:
        screen.line()
        screen.table(
            [
                [file.path, wording.size(file.size), Cell(file.digest[:_SHORT] + "…", "dim")]
                for file in view.listed
            ],
            indent=2,
        )
    if view.cut and view.listed:
        screen.line(f"  … and {found.files - len(view.listed):,} more")


def checked(invocation: Invocation, view: DatasetCheckView) -> int:
    """What `verify` found; the exit status."""
    found = view.version
    name = f"{found.dataset}@v{found.number}"
    if invocation.json:
        invocation.emit(view)
        return int(bool(view.faults))
    screen = invocation.screen
    for fault in view.faults:
        screen.line(f"{screen.paint('fault:', 'bold red')} {clean(fault.path)} {fault.fault}")
    if view.cut:
        screen.line("… and more")
    read = f"{wording.plural(view.read, 'file')}, {wording.size(view.read_size)}"
    if not view.faults:
        screen.line(f"{name} is whole ({read} read)")
        return 0
    screen.line(f"{name} is damaged ({read} read)")
    invocation.errors.line(
        f"  hint: where the data is still whole, `mainspring data add {found.dataset} PATH` "
        "stores again what is missing"
    )
    return 1


_KEPT = {
    "directory": "in the store, a directory",
    "file": "in the store, a file",
    "reference": "where it is, by reference",
}


def _emit(invocation: Invocation, versions: Sequence[DatasetVersion]) -> None:
    from mainspring.app.data.views import DatasetsView, version_view

    invocation.emit(DatasetsView(versions=[version_view(version) for version in versions]))


def _row(version: DatasetVersion) -> list[str]:
    return [
        Cell(version.name, "bold"),
        f"{wording.plural(version.files, 'file')}",
        wording.size(version.size),
        _rows(version.rows, version.labelled),
        Cell(wording.ago(version.created), "dim"),
        Cell("pinned" if version.pinned else "", "yellow"),
        Cell(version.digest[:_SHORT] + "…", "dim"),
    ]


def _rows(rows: int | None, labelled: int | None) -> str:
    if rows is None:
        return ""
    text = wording.plural(rows, "row") if rows < 1000 else f"{rows:,} rows"
    return text if labelled is None else f"{text}, {labelled:,} labelled"


def _content(version: DatasetVersion) -> str:
    parts = [
        f"{version.files:,} files" if version.files != 1 else "1 file",
        wording.size(version.size),
        _rows(version.rows, version.labelled),
    ]
    return ", ".join(part for part in parts if part)
