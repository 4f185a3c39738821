"""By how much numbers differ: one by one, in lists, arrays and tensors.

`absolute` is |made - recorded|, `relative` that over |recorded|, `scaled` that over
max(1, |recorded|); each is the largest of all pairs. Two that are "not a number" are equal.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec


class Gap(msgspec.Struct, frozen=True):
    """How `total` pairs differ, `count` of them. Not `numeric`: they are no numbers, or one is
    without end or not a number where the other is another one."""

    count: int
    total: int
    what: str
    numeric: bool = True
    absolute: float = 0.0
    relative: float = 0.0
    scaled: float = 0.0


def is_number(value: Any) -> bool:
    """Whether it is a single number (of Python or numpy), and no bool."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float | complex):
        return True
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind in "iufc" and bool(kind) and getattr(value, "shape", None) == ()


def are_numbers(values: Any) -> bool:
    """Whether a list is of Python's own numbers only."""
    return all(type(value) in (int, float) for value in values)


def between(recorded: Any, made: Any) -> Gap | None:
    """How two numbers differ; None where they don't."""
    if type(recorded) is not type(made) and not (
        isinstance(recorded, int | float) and isinstance(made, int | float)
    ):
        what = f"{type(recorded).__name__} became {type(made).__name__}"
        return Gap(1, 1, what, numeric=False)
    what = f"{recorded!r} became {made!r}"
    if _same(recorded, made):
        return None if type(recorded) is type(made) else Gap(1, 1, what)
    try:
        if not _comparable(recorded, made):
            return Gap(1, 1, what, numeric=False)
        gap = float(abs(made - recorded))
        size = float(abs(recorded))
    except OverflowError:
        return Gap(1, 1, what[:200], numeric=False)
    return Gap(1, 1, what, absolute=gap, relative=_over(gap, size), scaled=gap / max(1.0, size))


def between_lists(recorded: list[Any], made: list[Any]) -> Gap | None:
    """How two lists of numbers, of one length, differ; None where they don't."""
    gaps = [
        (index, gap)
        for index, pair in enumerate(zip(recorded, made, strict=True))
        if (gap := between(*pair)) is not None
    ]
    if not gaps:
        return None
    index, worst = max(gaps, key=lambda found: found[1].absolute)
    return Gap(
        count=len(gaps),
        total=len(recorded),
        what=f"[{index}]: {worst.what}",
        numeric=all(gap.numeric for _, gap in gaps),
        absolute=worst.absolute,
        relative=max(gap.relative for _, gap in gaps),
        scaled=max(gap.scaled for _, gap in gaps),
    )


def between_arrays(recorded: Any, made: Any) -> Gap | None:
    """How two numpy arrays of one shape and dtype differ; None where they don't."""
    import numpy as np

    if recorded.dtype.kind not in "iufc":
        return _between_others(recorded, made)
    recorded, made = np.asarray(recorded), np.asarray(made)
    same = recorded == made
    if recorded.dtype.kind in "fc":
        same |= np.isnan(recorded) & np.isnan(made)
    count = int(same.size - np.count_nonzero(same))
    if not count:
        return None
    wide = np.complex128 if recorded.dtype.kind == "c" else np.float64
    first, second = recorded[~same], made[~same]
    one, other = first.astype(wide), second.astype(wide)
    with np.errstate(all="ignore"):
        gap, size = np.abs(other - one), np.abs(one)
        relative = np.where(size > 0, gap / size, np.inf)
        scaled = gap / np.maximum(1.0, size)
    sound = bool(np.isfinite(gap).all())
    worst = int(np.argmax(np.where(np.isfinite(gap), gap, np.inf)))
    place = [int(i[worst]) for i in np.nonzero(~same)]
    at = f"[{', '.join(map(str, place))}]: " if place else ""
    return Gap(
        count=count,
        total=int(same.size),
        what=f"{at}{first[worst].item()!r} became {second[worst].item()!r}",
        numeric=sound,
        absolute=float(gap.max()) if sound else 0.0,
        relative=float(relative.max()) if sound else 0.0,
        scaled=float(scaled.max()) if sound else 0.0,
    )


def _between_others(recorded: Any, made: Any) -> Gap | None:
    """Texts, dates, bools and objects, one by one."""
    pairs = list(zip(recorded.ravel().tolist(), made.ravel().tolist(), strict=True))
    wrong = [index for index, (one, other) in enumerate(pairs) if not _same(one, other)]
    if not wrong:
        return None
    one, other = pairs[wrong[0]]
    what = f"[{wrong[0]}]: {one!r} became {other!r}"
    return Gap(len(wrong), len(pairs), what[:200], numeric=False)


def of_tensor(tensor: Any) -> Any:
    """A torch tensor as a numpy array; bfloat16 and its like widened, sparse ones filled in."""
    tensor = tensor.detach().cpu()
    if tensor.layout != _strided():
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    try:
        return tensor.numpy()
    except TypeError:
        return tensor.float().numpy()


def _strided() -> Any:
    import torch

    return torch.strided


def _same(recorded: Any, made: Any) -> bool:
    try:
        return bool(recorded == made) or (_is_nan(recorded) and _is_nan(made))
    except Exception:  # an object's own comparison may do anything
        return recorded is made


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _comparable(recorded: Any, made: Any) -> bool:
    return all(math.isfinite(abs(value)) for value in (recorded, made))


def _over(gap: float, size: float) -> float:
    return gap / size if size else math.inf
