"""Signatures: whose they are, over what, and what the envelope says."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import msgspec
import pytest

from mainspring.storage import signing

BODY = b'{"_type": "https://in-toto.io/Statement/v1"}'


def test_only_the_key_that_signed_verifies() -> None:
    key, other = signing.new_key(), signing.new_key()
    sealed = signing.envelope(BODY, key)
    [mark] = sealed.signatures
    assert mark.keyid == signing.key_id(key.public_key())
    assert signing.is_signed_by(sealed, mark, key.public_key())
    assert not signing.is_signed_by(sealed, mark, other.public_key())


@pytest.mark.parametrize(
    "change",
    [
        {"payload": base64.b64encode(BODY + b" ").decode()},
        {"payload_type": "application/json"},
        {"payload": "not base64"},
    ],
)
def test_another_content_or_type_does_not_verify(change: dict[str, str]) -> None:
    key = signing.new_key()
    sealed = signing.envelope(BODY, key)
    changed = msgspec.structs.replace(sealed, **change)
    assert not signing.is_signed_by(changed, sealed.signatures[0], key.public_key())


def test_a_broken_signature_does_not_verify() -> None:
    key = signing.new_key()
    sealed = signing.envelope(BODY, key)
    for text in ("", "AAAA", "%%%", base64.b64encode(bytes(64)).decode()):
        mark = signing.Signature(keyid="x", sig=text)
        assert not signing.is_signed_by(sealed, mark, key.public_key())


def test_without_a_key_nothing_is_signed() -> None:
    sealed = signing.envelope(BODY, None)
    assert sealed.signatures == ()
    assert sealed.body() == BODY


def test_what_is_signed_is_what_dsse_says() -> None:
    # The example of the specification.
    found = signing.signed_bytes("http://example.com/HelloWorld", b"hello world")
    assert found == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_a_key_reads_back_and_is_named_by_the_digest_of_its_public_half() -> None:
    key = signing.new_key()
    again = signing.read_private(signing.private_pem(key))
    public = signing.read_public(signing.public_pem(key.public_key()))
    assert signing.key_id(again.public_key()) == signing.key_id(public)


@pytest.mark.system("openssl")
def test_openssl_finds_the_same_id(tmp_path: Path) -> None:
    key = signing.new_key()
    pem = tmp_path / "key.pem"
    pem.write_bytes(signing.public_pem(key.public_key()))
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", pem, "-outform", "DER"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert signing.key_id(key.public_key()) == "sha256:" + hashlib.sha256(der).hexdigest()


def test_other_keys_and_other_files_are_no_keys() -> None:
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    other = X25519PrivateKey.generate()
    pem = other.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    encrypted = signing.new_key().private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"secret")
    )
    for data in (pem, encrypted, b"", b"-----BEGIN PRIVATE KEY-----\n"):
        with pytest.raises(ValueError):  # noqa: PT011  what it says is the library's
            signing.read_private(data)
