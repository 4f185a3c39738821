"""What `mainspring data` prints for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mainspring.cli import wording
from mainspring.cli.invocation import Invocation
from mainspring.cli.screen import Cell, Screen, clean

if TYPE_CHECKING:
    from mainspring.app.data.adding import Added
    from mainspring.app.data.views import DataDiffView, DatasetCheckView, DatasetView, RowsView
    from mainspring.records.datasets import DatasetVersion

_NOTHING = "no datasets yet: `mainspring data add NAME PATH` makes one"
_SHOWN = 10  # labels of a version that are shown
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
    _profile(screen, view)
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


def _profile(screen: Screen, view: DatasetView) -> None:
    found = view.profile or {}
    if found.get("labels"):
        counts = ", ".join(f"{name} {n:,}" for name, n in list(found["labels"].items())[:_SHOWN])
        more = ", …" if len(found["labels"]) > _SHOWN else ""
        screen.line(f"  labels ({clean(str(found['label']))}): {clean(counts)}{more}")
    if found.get("columns"):
        screen.line()
        screen.table(
            [
                [
                    column["name"],
                    Cell(column["type"], "dim"),
                    f"{column['missing']:,} missing" if column.get("missing") else "",
                    _range_of(column),
                ]
                for column in found["columns"]
            ],
            indent=2,
        )
    for text in found.get("skipped", ()):
        screen.line(f"  not profiled: {clean(text)}")


def _range_of(column: dict[str, Any]) -> str:
    if column.get("mean") is not None:
        low, high = wording.number(column["minimum"]), wording.number(column["maximum"])
        return f"{low} to {high}, mean {wording.number(column['mean'])}"
    counts = column.get("categories")
    return f"{len(counts)} values" if counts else ""


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


def differences(invocation: Invocation, view: DataDiffView) -> int:
    """In what two versions differ; the exit status."""
    differ = view.before.digest != view.after.digest
    if invocation.json:
        invocation.emit(view)
        return int(differ)
    screen = invocation.screen
    if not differ:
        screen.line("they have the same content")
        return 0
    for change in view.files[:_FILES]:
        origin = f" (was {clean(change.origin)})" if change.origin else ""
        sign, style = _SIGNS[change.how]
        screen.line(f"{screen.paint(sign, style)} {clean(change.path)}{origin}")
    if len(view.files) > _FILES:
        screen.line("  …")
    screen.line("files: " + ", ".join(f"{n:,} {how}" for how, n in sorted(view.counts.items())))
    before, after = view.before, view.after
    if before.rows is not None or after.rows is not None:
        screen.line(
            f"rows: {_rows(before.rows, before.labelled)} → {_rows(after.rows, after.labelled)}"
        )
    screen.table(
        [["label", label.label, f"{label.before:,} → {label.after:,}"] for label in view.labels]
        + [
            ["column", row.column, row.statistic, f"{row.before} → {row.after}"]
            for row in view.columns
        ]
    )
    for table in view.rows:
        _changed_rows(screen, table)
    for text in view.skipped:
        screen.line(f"not compared: {clean(text)}")
    return 1


def _changed_rows(screen: Screen, table: RowsView) -> None:
    added = wording.plural(table.added, "row")
    screen.line(f"{clean(table.path)}: {added} added, {table.removed:,} removed")
    for sign, style, rows in (("-", "red", table.removed_rows), ("+", "green", table.added_rows)):
        for row in rows[:_SHOWN_ROWS]:
            text = " ".join(f"{name}={wording.setting(value)}" for name, value in row.items())
            screen.line(f"  {screen.paint(sign, style)} {clean(text)}")
        if len(rows) > _SHOWN_ROWS:
            screen.line("    …")


_FILES = 50  # files of a difference that are shown
_SHOWN_ROWS = 20
_SIGNS = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "changed": ("~", "yellow"),
    "renamed": (">", "cyan"),
}
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
