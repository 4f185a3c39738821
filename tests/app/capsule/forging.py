"""Capsules as somebody would make them who means harm: taken apart, changed, and put together.

`forged` makes a capsule that is consistent in everything but what was changed: digests, statement
and signature are made anew, so that only the change itself can be what it is refused for.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from blake3 import blake3

from mainspring.app.capsule import packing
from mainspring.storage import signing

Files = dict[str, bytes]
APART = (packing.CAPSULE, packing.SEAL, packing.SIGNER)


def taken_apart(path: Path) -> Files:
    with zipfile.ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def zipped(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def blake(data: bytes) -> str:
    return "blake3:" + blake3(data).hexdigest()


def listed(files: Files) -> list[dict[str, Any]]:
    return [
        {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
         "blake3": blake(data)}
        for name, data in sorted(files.items()) if name not in APART
    ]  # fmt: skip


def sealed(files: Files, key: Any) -> None:
    """Make the statement and the signature for files as they are."""
    body = json.loads(signing.Envelope.body(_envelope(files)))
    names = [name for name in sorted(files) if name == packing.CAPSULE or _is_value(name)]
    body["subject"] = [
        {"name": name, "digest": {"sha256": hashlib.sha256(files[name]).hexdigest()}}
        for name in names
    ]
    made = signing.envelope(json.dumps(body).encode(), key)
    files[packing.SEAL] = msgspec.json.encode(made)
    if key is None:
        files.pop(packing.SIGNER, None)
    else:
        files[packing.SIGNER] = signing.public_pem(key.public_key())


def _envelope(files: Files) -> signing.Envelope:
    return msgspec.json.decode(files[packing.SEAL], type=signing.Envelope)


def _is_value(name: str) -> bool:
    return name.startswith((packing.ARTIFACTS, packing.BLOBS))


def forged(
    source: Path,
    target: Path,
    key: Any,
    *,
    files: Callable[[Files], object] | None = None,
    records: Callable[[dict[str, Any]], object] | None = None,
) -> Path:
    """A capsule like `source` whose files, and then whose `capsule.json`, were changed."""
    found = taken_apart(source)
    if files is not None:
        files(found)
    capsule = json.loads(found[packing.CAPSULE])
    capsule["files"] = listed(found)
    if records is not None:
        records(capsule)
    found[packing.CAPSULE] = json.dumps(capsule).encode()
    sealed(found, key)
    return zipped(target, found)
