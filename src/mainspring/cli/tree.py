"""Tasks as a tree of groups, maps and rounds, each line saying how things stand below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SETTLED = frozenset({"succeeded", "reused", "skipped", "failed", "blocked", "cancelled"})

# The status of a group is the first of these that one of its tasks has.
_TELLING = (
    "failed", "running", "open", "waiting", "ready", "pending", "blocked", "cancelled",
    "succeeded", "reused", "skipped",
)  # fmt: skip


class Entry:
    """One task as it is drawn. `counts` are its children's statuses, of `total` if known."""

    __slots__ = (
        "attempt",
        "counts",
        "detail",
        "kind",
        "path",
        "seconds",
        "since",
        "status",
        "total",
    )

    def __init__(
        self,
        path: str,
        kind: str,
        status: str,
        *,
        seconds: float | None = None,
        detail: str = "",
        total: int | None = None,
        counts: dict[str, int] | None = None,
    ) -> None:
        self.path = path
        self.kind = kind
        self.status = status
        self.seconds = seconds
        self.detail = detail
        self.total = total
        self.counts = counts or {}
        self.since: float | None = None
        self.attempt: str | None = None

    @property
    def done(self) -> int:
        """How many children are settled."""
        return sum(self.counts.get(status, 0) for status in SETTLED)


class Row:
    """A line of the tree: a task, or (`entry` None) a group or round with `count` tasks in it."""

    __slots__ = ("count", "depth", "entry", "label", "status")

    def __init__(
        self, depth: int, label: str, status: str, entry: Entry | None, count: int
    ) -> None:
        self.depth = depth
        self.label = label
        self.status = status
        self.entry = entry
        self.count = count


class _Node:
    __slots__ = ("children", "entry", "is_round", "label")

    def __init__(self, label: str, *, is_round: bool = False) -> None:
        self.label = label
        self.is_round = is_round
        self.entry: Entry | None = None
        self.children: dict[str, _Node] = {}

    def leaves(self) -> Iterator[Entry]:
        if self.entry is not None:
            yield self.entry
        for child in self.children.values():
            yield from child.leaves()


def fold(entries: Iterable[Entry], *, groups: bool) -> list[Row]:
    """Return the lines of a tree; settled rounds (with `groups`, also settled groups) are one."""
    root = _Node("")
    for entry in entries:
        _place(root, entry.path).entry = entry
    return list(_rows(root, 0, groups))


def _place(root: _Node, path: str) -> _Node:
    """The node of a path; `a/b#2/c` lies in round 2 of `a/b`."""
    node = root
    for part in path.split("/"):
        name, sign, number = part.partition("#")
        node = node.children.setdefault(name, _Node(name))
        if sign:
            label = f"round {number}"
            node = node.children.setdefault(part, _Node(label, is_round=True))
    return node


def _rows(node: _Node, depth: int, groups: bool) -> Iterator[Row]:
    for child in node.children.values():
        leaves = list(child.leaves())
        if child.entry is not None:
            yield Row(depth, child.label, child.entry.status, child.entry, len(leaves) - 1)
            yield from _rows(child, depth + 1, groups)
            continue
        status = status_of(leaf.status for leaf in leaves)
        label = child.label if child.is_round else f"{child.label}/"
        yield Row(depth, label, status, None, len(leaves))
        foldable = child.is_round or groups
        if not (foldable and status in ("succeeded", "reused", "skipped")):
            yield from _rows(child, depth + 1, groups)


def status_of(statuses: Iterable[str]) -> str:
    """What a group of tasks comes to."""
    found = set(statuses)
    return next((status for status in _TELLING if status in found), "pending")
