"""What the verbs of `mainspring data` print with `--json` (see app/views.py)."""

from __future__ import annotations

from typing import Any

from mainspring.app.views import View
from mainspring.records.datasets import DatasetVersion


class VersionView(View, frozen=True, kw_only=True):
    """A version of a dataset. `digest` is the identity of its content, `manifest` and `kind` what
    a step is given. `rows`, `labelled` and `profile` are null where they are not known."""

    dataset: str
    number: int
    digest: str
    manifest: str
    kind: str
    created: float
    files: int
    size: int
    rows: int | None
    labelled: int | None
    profile: str | None
    origin: str
    message: str
    pinned: bool


class AddedView(View, frozen=True, kw_only=True):
    """`mainspring data add`: the version, whether it is new, and how much was read for it."""

    version: VersionView
    new: bool
    read: int
    read_size: int
    format: str = "mainspring.data-added/1"


class DatasetsView(View, frozen=True, kw_only=True):
    """`mainspring data list` (the newest version of each) and `log` (all of one, newest first)."""

    versions: list[VersionView]
    format: str = "mainspring.datasets/1"


class FileView(View, frozen=True, kw_only=True):
    """A file of a version."""

    path: str
    size: int
    digest: str


class DatasetView(View, frozen=True, kw_only=True):
    """`mainspring data show`: a version, its first files, and its profile as it is stored
    (docs/reference/formats.md)."""

    version: VersionView
    listed: list[FileView]
    profile: dict[str, Any] | None
    cut: list[str] = []
    format: str = "mainspring.dataset/1"


class FaultView(View, frozen=True, kw_only=True):
    """A file of a version that is not what it should be, and why."""

    path: str
    fault: str


class DatasetCheckView(View, frozen=True, kw_only=True):
    """`mainspring data verify`: how much was read again, and what is damaged."""

    version: VersionView
    read: int
    read_size: int
    faults: list[FaultView]
    cut: list[str] = []
    format: str = "mainspring.data-check/1"


class CheckoutView(View, frozen=True, kw_only=True):
    """`mainspring data checkout`: what was written, and where."""

    version: VersionView
    place: str
    format: str = "mainspring.data-checkout/1"


class FileChangeView(View, frozen=True, kw_only=True):
    """A file in which two versions differ: `how` is added, removed, changed or renamed (`origin` is
    its path before that). `before` and `after` are digests."""

    path: str
    how: str
    origin: str | None
    before: str | None
    after: str | None
    size: int


class StatisticView(View, frozen=True, kw_only=True):
    """A column in which two versions differ. With the statistic "column" it was added or removed
    (`before`), and `after` is its type."""

    column: str
    statistic: str
    before: float | str | None
    after: float | str | None


class LabelChangeView(View, frozen=True, kw_only=True):
    """How many rows had a label, and have it now."""

    label: str
    before: int
    after: int


class RowsView(View, frozen=True, kw_only=True):
    """The rows in which a table differs: all are counted, the first 100 of each kind are here. A
    row that has changed was removed and added."""

    path: str
    added: int
    removed: int
    added_rows: list[dict[str, Any]]
    removed_rows: list[dict[str, Any]]


class DataDiffView(View, frozen=True, kw_only=True):
    """`mainspring data diff`. `counts` are of files, by how they differ; `skipped` are tables whose
    rows could not be compared, and why."""

    before: VersionView
    after: VersionView
    counts: dict[str, int]
    files: list[FileChangeView]
    columns: list[StatisticView]
    labels: list[LabelChangeView]
    rows: list[RowsView]
    skipped: list[str] = []
    cut: list[str] = []
    format: str = "mainspring.data-diff/1"


def version_view(version: DatasetVersion) -> VersionView:
    """A version as it is shown."""
    return VersionView(
        dataset=version.dataset,
        number=version.number,
        digest=version.digest,
        manifest=version.ref.digest,
        kind=version.ref.format,
        created=version.created,
        files=version.files,
        size=version.size,
        rows=version.rows,
        labelled=version.labelled,
        profile=version.profile,
        origin=version.origin,
        message=version.message,
        pinned=version.pinned,
    )
