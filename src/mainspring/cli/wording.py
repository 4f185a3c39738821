"""How durations, sizes, times and statuses are written for people."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from mainspring.cli.screen import clean

if TYPE_CHECKING:
    from mainspring.app.views import RunView
    from mainspring.records.sources import Source

VERDICTS = {
    "identical": ("=", "green"),
    "tolerance": ("≈", "green"),
    "unverified": ("?", "yellow"),
    "differs": ("≠", "bold red"),
}
SYMBOLS = {
    "succeeded": ("✓", "green"),
    "reused": ("=", "cyan"),
    "running": ("▶", "yellow"),
    "open": ("▶", "yellow"),
    "failed": ("✗", "red"),
    "timed_out": ("✗", "red"),
    "lost": ("✗", "red"),
    "skipped": ("○", "dim"),
    "blocked": ("⊘", "red"),
    "cancelled": ("–", "dim"),
    "waiting": ("…", "yellow"),
    "paused": ("…", "yellow"),
    "queued": ("·", "dim"),
    "interrupted": ("…", "yellow"),
    "pending": ("·", "dim"),
    "ready": ("·", "dim"),
}

LONGEST_VALUE = 200
"""Characters of a parameter's value at most, where it is shown."""

ORDER = tuple(SYMBOLS)
"""The order in which counts are said."""


def run_status(run: RunView) -> str:
    """A run's status, where one that nobody works on any more is `interrupted`."""
    begun = run.status == "running" or (run.status == "queued" and run.started is not None)
    return "interrupted" if begun and not run.working else run.status


def symbol_of(status: str) -> tuple[str, str]:
    """A status as a sign, and its style."""
    return SYMBOLS.get(status, ("?", ""))


def duration(seconds: float | None) -> str:
    """`0.3 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.05 else f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: int) -> str:
    """`512 B`, `1.5 kB`, `20 MB`; powers of 1000."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def clock(at: float) -> str:
    """A time of day, local: `2026-11-21 02:15:30`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def ago(at: float) -> str:
    """How long ago something was, roughly."""
    past = max(0.0, time.time() - at)
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if past < limit:
            return f"{past / unit:.0f} {name} ago"
    return f"{past / 86400:.0f} days ago"


def tally(counts: Mapping[str, int]) -> str:
    """`3 succeeded, 2 reused, 1 failed`."""
    known = [(name, counts[name]) for name in ORDER if counts.get(name)]
    return ", ".join(f"{count} {name}" for name, count in known)


def plural(count: int, word: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


def number(value: float | None) -> str:
    """A metric's value, short."""
    return "nan" if value is None else f"{value:.6g}"


def settings(values: Mapping[str, object]) -> str:
    """Parameters on one line: `c=1.0 test_size=0.25`; long values are cut (`--json` has all)."""
    return " ".join(f"{name}={clean(setting(value))}" for name, value in values.items())


def sources(found: Mapping[str, Source]) -> list[str]:
    """What datasets and models stand for: `digits@v3, 1,797 rows, blake3:1f9c…`, each once."""
    return list(dict.fromkeys(_source(one) for one in found.values()))


def _source(one: Source) -> str:
    parts = [one.title if one.alias is None else f"{one.title} ({one.alias})"]
    if one.rows is not None:
        parts.append(f"{one.rows:,} row{'' if one.rows == 1 else 's'}")
    elif one.files > 1:
        parts.append(f"{one.files:,} files")
    return clean(", ".join([*parts, f"{one.digest[:15]}…"]))


def tags(values: Mapping[str, str]) -> str:
    """Tags on one line: `best owner=ana`."""
    return " ".join(f"{name}={clean(text)}" if text else name for name, text in values.items())


def first_line(text: str) -> str:
    """The beginning of a note."""
    line, end, _ = text.partition("\n")
    return f"{line[:60]}…" if end or len(line) > 60 else line


def fact(run: RunView, name: str) -> str:
    """What a run has of a name such as `metrics.loss`, `params.c`, `tags.by`, short."""
    root, _, rest = name.partition(".")
    if root == "metrics":
        return number(run.metrics[rest]) if rest in run.metrics else ""
    if root == "params":
        found: object = run.parameters
        for part in rest.split("."):
            found = cast("dict[str, object]", found).get(part) if isinstance(found, dict) else None
        return "" if found is None else setting(found)
    if root == "tags":
        return (run.tags[rest] or "yes") if rest in run.tags else ""
    if root == "models":
        from mainspring.records.facts import source_facts

        return str(source_facts(run.sources).get(name, ""))
    return run.data.get(rest, "")


def setting(value: object) -> str:
    """A parameter's value, as JSON; a long one is cut."""
    import msgspec

    return cut(msgspec.json.encode(value).decode())


def cut(text: str) -> str:
    """A text of a user, if it is long only its beginning."""
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def few(names: Sequence[str], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
