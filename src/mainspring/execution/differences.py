"""Walks through two values side by side and notes in what they differ.

Arrays, frames, tensors and models are taken apart by what they offer, not by importing a library.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AnySet
from pathlib import Path
from typing import Any, cast

from mainspring.execution import filepairs, gaps
from mainspring.execution.gaps import Gap
from mainspring.records.verdicts import Change, Comparison

LISTED = 20
"""Changes that are listed at most; all are counted."""

DEEPEST = 60
"""Levels of containers that are gone into."""

_SHOWN = 60


class Walk:
    """One comparison. `values` may be called for any number of pairs."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._count = 0
        self._numeric = True
        self._absolute = self._relative = self._scaled = 0.0
        self._depth = 0

    def comparison(self) -> Comparison:
        """What was found; the largest differences of numbers first."""
        changes = sorted(self._changes, key=lambda change: -(change.absolute or math.inf))
        return Comparison(
            changes=tuple(changes[:LISTED]),
            count=self._count,
            numeric=self._numeric and self._count > 0,
            absolute=self._absolute,
            relative=_finite(self._relative),
            scaled=self._scaled,
        )

    def values(self, recorded: Any, made: Any, place: str) -> None:
        """Compare two values of any type, found at `place`."""
        if recorded is made:
            return
        if gaps.is_number(recorded) and gaps.is_number(made):
            self._gap(gaps.between(recorded, made), place)
            return
        if type(recorded) is not type(made):
            self._other(place, f"{_kind(recorded)} became {_kind(made)}")
            return
        if self._depth >= DEEPEST:
            self._other(place, "it lies too deep to be looked at")
            return
        self._depth += 1
        try:
            self._same_type(recorded, made, place)
        finally:
            self._depth -= 1

    def _same_type(self, recorded: Any, made: Any, place: str) -> None:
        for fits, look in _WAYS:
            if fits(recorded):
                getattr(self, look)(recorded, made, place)
                return
        parts = _parts(recorded), _parts(made)
        if parts[0] is not None and parts[1] is not None:
            self._fields(parts[0], parts[1], place)
        elif not _equal(recorded, made):
            self._other(place, f"{_shown(recorded)} became {_shown(made)}")

    # Kinds of values

    def _text(self, recorded: Any, made: Any, place: str) -> None:
        if recorded != made:
            self._other(place, _text_change(recorded, made))

    def _list(self, recorded: Any, made: Any, place: str) -> None:
        if len(recorded) != len(made):
            self._other(place, f"{len(recorded):,} elements became {len(made):,}")
            return
        if gaps.are_numbers(recorded) and gaps.are_numbers(made):
            self._gap(gaps.between_lists(recorded, made), place)
            return
        before = self._count
        for index, (one, other) in enumerate(zip(recorded, made, strict=True)):
            self.values(one, other, f"{place}[{index}]")
        if self._count > before and _same_bag(recorded, made):
            self._other(place, "the same elements in another order")

    def _dict(self, recorded: Mapping[Any, Any], made: Mapping[Any, Any], place: str) -> None:
        gone = [key for key in recorded if key not in made]
        new = [key for key in made if key not in recorded]
        if gone or new:
            text = [f"without {_names(gone)}"] if gone else []
            text += [f"with {_names(new)}"] if new else []
            self._other(place, f"now {' and '.join(text)}")
        for key, one in recorded.items():
            if key in made:
                self.values(one, made[key], f"{place}[{_shown(key)}]")
        if not gone and not new and list(recorded) != list(made):
            self._other(place, "the same keys in another order")

    def _set(self, recorded: AnySet[Any], made: AnySet[Any], place: str) -> None:
        if recorded != made:
            gone, new = len(recorded - made), len(made - recorded)
            self._other(place, f"{gone} elements are gone, {new} are new")

    def _array(self, recorded: Any, made: Any, place: str) -> None:
        if recorded.shape != made.shape:
            self._other(place, f"shape {recorded.shape} became {made.shape}")
        elif recorded.dtype != made.dtype:
            self._other(place, f"{recorded.dtype} became {made.dtype}")
        elif recorded.dtype.names:
            for name in recorded.dtype.names:
                self._array(recorded[name], made[name], f"{place}[{name!r}]")
        else:
            self._gap(gaps.between_arrays(recorded, made), place)

    def _tensor(self, recorded: Any, made: Any, place: str) -> None:
        if recorded.dtype != made.dtype:
            self._other(place, f"{recorded.dtype} became {made.dtype}")
            return
        self._array(gaps.of_tensor(recorded), gaps.of_tensor(made), place)

    def _frame(self, recorded: Any, made: Any, place: str) -> None:
        names = [str(name) for name in recorded.columns], [str(name) for name in made.columns]
        if names[0] != names[1]:
            gone = [name for name in names[0] if name not in names[1]]
            new = [name for name in names[1] if name not in names[0]]
            how = (
                f"without {_names(gone)}, with {_names(new)}" if gone or new else "in another order"
            )
            self._other(place, f"its columns are {how}")
        if len(recorded) != len(made):
            self._other(place, f"{len(recorded):,} rows became {len(made):,}")
            return
        for name in recorded.columns:
            if str(name) in names[1]:
                self._column(recorded[name], made[name], f"{place} column {str(name)!r}")
        if hasattr(recorded, "index") and not callable(recorded.index):
            self._column(recorded.index, made.index, f"{place} index")

    def _column(self, recorded: Any, made: Any, place: str) -> None:
        if str(recorded.dtype) != str(made.dtype):
            self._other(place, f"{recorded.dtype} became {made.dtype}")
        elif len(recorded) != len(made):
            self._other(place, f"{len(recorded):,} rows became {len(made):,}")
        else:
            arrays = recorded.to_numpy(), made.to_numpy()
            self._gap(gaps.between_arrays(*arrays), place)

    def _table(self, recorded: Any, made: Any, place: str) -> None:
        if recorded.schema != made.schema:
            self._other(place, "its schema is another one")
        elif recorded.num_rows != made.num_rows:
            self._other(place, f"{recorded.num_rows:,} rows became {made.num_rows:,}")
        else:
            for name in recorded.column_names:
                one, other = recorded[name].to_numpy(), made[name].to_numpy()
                self._gap(gaps.between_arrays(one, other), f"{place} column {name!r}")

    def _sparse(self, recorded: Any, made: Any, place: str) -> None:
        if recorded.shape != made.shape:
            self._other(place, f"shape {recorded.shape} became {made.shape}")
            return
        one, other = recorded.tocoo(), made.tocoo()
        for name in ("row", "col"):
            if not _equal(getattr(one, name).tolist(), getattr(other, name).tolist()):
                self._other(place, "other elements are set")
                return
        self._array(one.data, other.data, place)

    def _path(self, recorded: Path, made: Path, place: str) -> None:
        for change in filepairs.changes(recorded, made):
            self._other(f"{place} {change.place}".strip(), change.what)

    def _fields(self, recorded: Mapping[str, Any], made: Mapping[str, Any], place: str) -> None:
        for name in dict.fromkeys((*recorded, *made)):
            here = f"{place}.{name}"
            if name not in made or name not in recorded:
                self._other(here, "is gone" if name in recorded else "is new")
            else:
                self.values(recorded[name], made[name], here)

    # Notes

    def _gap(self, gap: Gap | None, place: str) -> None:
        if gap is None or not gap.count:
            return
        self._numeric &= gap.numeric
        self._absolute = max(self._absolute, gap.absolute)
        self._relative = max(self._relative, gap.relative)
        self._scaled = max(self._scaled, gap.scaled)
        self._add(
            Change(
                place=place.strip() or "the value",
                what=gap.what,
                absolute=gap.absolute if gap.numeric else None,
                relative=_finite(gap.relative) if gap.numeric else None,
                count=gap.count,
                total=gap.total,
            )
        )

    def _other(self, place: str, what: str) -> None:
        self._numeric = False
        self._add(Change(place=place.strip() or "the value", what=what))

    def _add(self, change: Change) -> None:
        self._count += 1
        if len(self._changes) < 50 * LISTED:
            self._changes.append(change)


def _of(*modules: str) -> Callable[[Any, str], bool]:
    return lambda value, name: (
        type(value).__module__.partition(".")[0] in modules and (hasattr(value, name))
    )


_WAYS: list[tuple[Callable[[Any], bool], str]] = [
    (lambda v: isinstance(v, str | bytes), "_text"),
    (lambda v: isinstance(v, Path), "_path"),
    (lambda v: _of("torch")(v, "detach"), "_tensor"),
    (lambda v: _of("pandas", "polars")(v, "columns"), "_frame"),
    (lambda v: _of("pandas", "polars")(v, "dtype"), "_column"),
    (lambda v: _of("pyarrow")(v, "column_names"), "_table"),
    (lambda v: _of("scipy")(v, "tocoo"), "_sparse"),
    (lambda v: _of("numpy")(v, "dtype"), "_array"),
    (lambda v: isinstance(v, Mapping), "_dict"),
    (lambda v: isinstance(v, list | tuple), "_list"),
    (lambda v: isinstance(v, AnySet), "_set"),
]


def _parts(value: Any) -> Mapping[str, Any] | None:
    """The parts of an object by name; None where it has none."""
    if callable(getattr(value, "state_dict", None)):
        return value.state_dict()
    kind = cast("Any", type(value))
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(kind, "__struct_fields__"):
        return {name: getattr(value, name) for name in kind.__struct_fields__}
    state: Any = value.__getstate__() if hasattr(value, "__getstate__") else None
    if isinstance(state, tuple):  # of an object with slots: (its dictionary or None, the slots)
        found: dict[str, Any] = {}
        for part in cast("tuple[Any, ...]", state):
            found |= cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        return found
    return cast("Mapping[str, Any]", state) if isinstance(state, dict) else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _equal(recorded: Any, made: Any) -> bool:
    try:
        return bool(recorded == made)
    except Exception:  # a user's __eq__ may do anything
        return False


def _same_bag(recorded: Any, made: Any) -> bool:
    try:
        one, other = list(map(repr, recorded)), list(map(repr, made))
        return one != other and sorted(one) == sorted(other)
    except Exception:
        return False


def _text_change(recorded: Any, made: Any) -> str:
    if len(recorded) <= _SHOWN and len(made) <= _SHOWN:
        return f"{recorded!r} became {made!r}"
    if isinstance(recorded, bytes):
        return filepairs.bytes_change(recorded, made)
    return filepairs.lines_change(recorded.splitlines(), made.splitlines())


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"a {_kind(value)}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _names(names: list[Any]) -> str:
    shown = ", ".join(_shown(name) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown or "nothing"
