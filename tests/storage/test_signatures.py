"""Signatures of models, with a real key."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from mainspring.records.errors import MainspringError
from mainspring.storage.signatures import verify

DIGESTS = ("blake3:" + "1" * 64, "sha256:" + "2" * 64)


def write_key(path: Path, private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    path.write_bytes(pem)
    return path


@pytest.mark.parametrize("binary", [True, False])
def test_a_signature_that_holds(tmp_path: Path, binary: bool) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = write_key(tmp_path / "key.pem", private)
    value = private.sign(DIGESTS[1].encode())
    path = tmp_path / "model.sig"
    path.write_bytes(value if binary else base64.encodebytes(value))
    found = verify(path, key, DIGESTS)
    assert (found.signed, base64.b64decode(found.value)) == (DIGESTS[1], value)
    assert len(found.fingerprint) == 64
    assert found.key == key.read_text()
    with pytest.raises(MainspringError, match="does not hold"):
        verify(path, key, DIGESTS[:1])
    other = write_key(tmp_path / "other.pem", ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(MainspringError, match="does not hold"):
        verify(path, other, DIGESTS)


def test_what_is_no_key_or_signature(tmp_path: Path) -> None:
    key = write_key(tmp_path / "key.pem", ed25519.Ed25519PrivateKey.generate())
    curve = write_key(tmp_path / "ec.pem", ec.generate_private_key(ec.SECP256R1()))
    bad = tmp_path / "bad"
    bad.write_bytes(b"hello")
    huge = tmp_path / "huge"
    huge.write_bytes(b"a" * 70_000)
    sig = tmp_path / "sig"
    sig.write_bytes(b"\0" * 64)
    for signature, public, words in (
        (bad, key, "holds no ed25519 signature"),
        (sig, bad, "no public ed25519 key in PEM"),
        (sig, curve, "no ed25519 key"),
        (sig, tmp_path / "nope", "can't read"),
        (huge, key, "too long"),
    ):
        with pytest.raises(MainspringError, match=words):
            verify(signature, public, DIGESTS)
