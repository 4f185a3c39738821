"""Ed25519 signatures in DSSE envelopes: what is signed says of what type it is.

https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.records.errors import MainspringError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PAYLOAD = "application/vnd.in-toto+json"
ID = "sha256:"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature: `keyid` is the key's id here, `sig` base64."""

    keyid: str = ""
    sig: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A DSSE envelope; `payload` is base64."""

    payload_type: str
    payload: str
    signatures: tuple[Signature, ...]

    def body(self) -> bytes:
        """What is signed. Raises ValueError."""
        return base64.b64decode(self.payload, validate=True)


def envelope(body: bytes, key: Ed25519PrivateKey | None) -> Envelope:
    """Return the body in an envelope, signed unless there is no key."""
    made: tuple[Signature, ...] = ()
    if key is not None:
        mark = base64.b64encode(key.sign(signed_bytes(PAYLOAD, body))).decode()
        made = (Signature(keyid=key_id(key.public_key()), sig=mark),)
    payload = base64.b64encode(body).decode()
    return Envelope(payload_type=PAYLOAD, payload=payload, signatures=made)


def signed_bytes(kind: str, body: bytes) -> bytes:
    """Return what a signature is over: DSSE's "pre-authentication encoding"."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(body), body)


def is_signed_by(sealed: Envelope, signature: Signature, key: Ed25519PublicKey) -> bool:
    """Whether the signature is that key's, over this envelope's type and body."""
    from cryptography.exceptions import InvalidSignature

    try:
        mark = base64.b64decode(signature.sig, validate=True)
        key.verify(mark, signed_bytes(sealed.payload_type, sealed.body()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def need_cryptography(why: str) -> None:
    """Raise MainspringError where the package is not installed."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError as error:
        raise MainspringError(
            f"{why} needs the package cryptography", hint='pip install "mainspring[keys]"'
        ) from error


def new_key() -> Ed25519PrivateKey:
    """Return a new private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def key_id(key: Ed25519PublicKey) -> str:
    """Return `sha256:` and the digest of the key's DER form, as `openssl pkey -pubin -outform
    DER | sha256sum` prints it."""
    from cryptography.hazmat.primitives import serialization as forms

    data = key.public_bytes(forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo)
    return ID + hashlib.sha256(data).hexdigest()


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return the public key as PEM text."""
    from cryptography.hazmat.primitives import serialization as forms

    return key.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """Return the private key as PEM text, not encrypted."""
    from cryptography.hazmat.primitives import serialization as forms

    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())


def read_public(data: bytes) -> Ed25519PublicKey:
    """Return the public key in PEM text. Raises ValueError."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return _ed25519(_load(forms.load_pem_public_key, data), Ed25519PublicKey)


def read_private(data: bytes) -> Ed25519PrivateKey:
    """Return the private key in PEM text. Raises ValueError."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _ed25519(_load(forms.load_pem_private_key, data, password=None), Ed25519PrivateKey)


def _load(read: Any, data: bytes, **more: Any) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return read(data, **more)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None


def _ed25519(key: Any, kind: Any) -> Any:
    if not isinstance(key, kind):
        raise ValueError("it is no ed25519 key")
    return key
