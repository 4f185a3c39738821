"""What `keys`, `export` and `import` print with `--json`."""

from __future__ import annotations

from mainspring.app.views import View


class KeyView(View, frozen=True, kw_only=True):
    """A key. `own` is one to sign with; `public` is its public half, as PEM text."""

    name: str
    id: str
    own: bool
    public: str


class KeysView(View, frozen=True, kw_only=True):
    """`mainspring keys`: all of them, or the one that was made, shown, trusted or not any more."""

    keys: list[KeyView]
    format: str = "mainspring.keys/1"


class LeftOutView(View, frozen=True, kw_only=True):
    """A value that a capsule names and does not hold."""

    digest: str
    size: int
    why: str


class ExportView(View, frozen=True, kw_only=True):
    """`mainspring export`: what was written; `signer` is the id of the key, null for none."""

    path: str
    run: str
    size: int
    files: int
    signer: str | None
    left_out: list[LeftOutView]
    format: str = "mainspring.export/1"


class ImportView(View, frozen=True, kw_only=True):
    """`mainspring import`. With `present` the run was here already; `values` were not, and are now.

    `signer` is the id of the key that vouches for it, `signer_name` what it is called here;
    `pickles` are the formats of values that run code when they are loaded.
    """

    run: str
    pipeline: str
    status: str
    tasks: int
    present: bool
    values: int
    signer: str | None
    signer_name: str | None
    pickles: list[str]
    left_out: list[LeftOutView]
    format: str = "mainspring.import/1"
