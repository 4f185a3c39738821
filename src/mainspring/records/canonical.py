"""Canonical JSON and digests: equal values have equal bytes, so equal names."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from blake3 import blake3

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """Return the JSON bytes of `value` (records included): keys sorted, no spaces, UTF-8.

    A float that JSON has no word for is written `{"$float": "nan"}`, so it never equals null.
    """
    data = _encoder.encode(value)
    if b"null" in data:
        data = _encoder.encode(_with_named_floats(msgspec.to_builtins(value)))
    return data


def _with_named_floats(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, dict):
        return {k: _with_named_floats(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [_with_named_floats(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def digest_bytes(data: bytes | bytearray | memoryview) -> str:
    """Return `blake3:<64 hex digits>` of the bytes."""
    return "blake3:" + blake3(data).hexdigest()


def digest_of(value: Any) -> str:
    """Return the digest of a value's canonical JSON."""
    return digest_bytes(canonical(value))
