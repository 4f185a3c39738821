"""Signatures of models: ed25519 over the text of a digest."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.records.errors import MainspringError
from mainspring.records.models import Signature
from mainspring.storage.signing import ID, key_id, need_cryptography, public_pem, read_public

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LONGEST = 64 << 10


def verify(signature: Path, key: Path, digests: Sequence[str]) -> Signature:
    """Return the signature that a file holds (64 bytes, or base64 of them), once it is known to
    hold over one of these digests as text. `key` is a public key in PEM. Raises MainspringError.
    """
    need_cryptography("checking a signature")
    from cryptography.exceptions import InvalidSignature

    public = _key(key)
    value = _value(signature)
    for digest in digests:
        try:
            public.verify(value, digest.encode())
        except InvalidSignature:
            continue
        return Signature(
            signed=digest,
            value=base64.b64encode(value).decode(),
            key=public_pem(public).decode(),
            fingerprint=key_id(public).removeprefix(ID),
        )
    raise MainspringError(
        f"the signature in {signature} does not hold: {key} has not signed this content",
        hint="it has to be over the text of the digest: " + " or ".join(digests),
    )


def _key(path: Path) -> Ed25519PublicKey:
    try:
        return read_public(_content(path))
    except ValueError as error:
        raise MainspringError(
            f"{path} is no public ed25519 key in PEM: {error}"[:300],
            hint="`openssl pkey -in key.pem -pubout` writes one",
        ) from None


def _value(path: Path) -> bytes:
    data = _content(path)
    if len(data) != 64:
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except binascii.Error:
            data = b""
    if len(data) != 64:
        raise MainspringError(f"{path} holds no ed25519 signature (64 bytes, or base64 of them)")
    return data


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise MainspringError(f"can't read {path}: {error.strerror}") from None
    if len(data) > LONGEST:
        raise MainspringError(f"{path} is too long for a key or a signature")
    return data
