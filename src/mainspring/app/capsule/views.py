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
