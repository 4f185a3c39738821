"""A capsule opened: what it says of itself, and who vouches for that."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mainspring.app.capsule import packing
from mainspring.app.capsule.provenance import PREDICATE, STATEMENT, Statement
from mainspring.records.capsule import VERSION, Capsule, PackedFile
from mainspring.records.errors import CapsuleError
from mainspring.storage import signing
from mainspring.storage.archive import Archive, name_offence

LARGEST_JSON = 256 << 20
LARGEST_SPEC = 16 << 20
LARGEST_KEY = 10_000
LARGEST = 1 << 40
"""Bytes of all files of a capsule together."""

_FORMAT = re.compile(r"mainspring\.capsule/([1-9][0-9]{0,8})")
T = TypeVar("T")


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What the importer takes: capsules signed by these key ids too (beside those that are their
    own or trusted), unsigned ones, values that run code when they are loaded."""

    keys: tuple[str, ...] = ()
    unsigned: bool = False
    pickle: bool = False


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Whose signature it has: the key's id, and what the importer calls it ("" for nothing)."""

    id: str
    name: str


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A capsule whose list of files is that of the zip. `digest` is the SHA-256 of
    `capsule.json`."""

    capsule: Capsule
    files: dict[str, PackedFile]
    digest: str
    signer: Signer | None


def opened(archive: Archive, trust: Trust) -> Opened:
    """Return what the capsule says, once its format, its files and its signature are in order.

    Raises CapsuleError.
    """
    data = archive.read(packing.CAPSULE, LARGEST_JSON)
    _check_format(archive, data)
    capsule = decoded(archive, packing.CAPSULE, data, Capsule)
    files = _files(archive, capsule)
    digest = hashlib.sha256(data).hexdigest()
    return Opened(
        capsule=capsule,
        files=files,
        digest=digest,
        signer=_signer(archive, files, digest, trust),
    )


def decoded(archive: Archive, name: str, data: bytes, kind: type[T]) -> T:
    """Return a JSON file as a record. Raises CapsuleError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise archive.refusal("JSON that is nested too deeply", name) from None
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise archive.refusal("JSON that does not fit", f"{name}: {error}") from None


class _Format(msgspec.Struct, frozen=True):
    format: str = ""


def _check_format(archive: Archive, data: bytes) -> None:
    found = decoded(archive, packing.CAPSULE, data, _Format).format
    match = _FORMAT.fullmatch(found)
    if match is None:
        raise archive.refusal("no capsule", f"its format is {found[:100]!r}")
    if int(match[1]) > VERSION:
        raise CapsuleError(
            f"refused: newer format: {found}, and this Mainspring knows {VERSION}",
            where=str(archive.path),
            offence="newer format",
            hint="update Mainspring, or ask for a capsule that an older one has written",
        )


def _files(archive: Archive, capsule: Capsule) -> dict[str, PackedFile]:
    """The files by path: all that are in the zip, and no others."""
    files: dict[str, PackedFile] = {}
    for file in capsule.files:
        offence = name_offence(file.path)
        if offence:
            raise archive.refusal(offence, f"{file.path[:200]!a} in {packing.CAPSULE}")
        if file.path in files:
            raise archive.refusal("name used twice", f"{file.path} in {packing.CAPSULE}")
        files[file.path] = file
    extra = archive.names - files.keys() - {packing.CAPSULE, packing.SEAL, packing.SIGNER}
    missing = files.keys() - archive.names
    if missing:
        raise archive.refusal("missing file", _some(missing))
    if extra:
        raise archive.refusal("extra file", _some(extra))
    for path, file in files.items():
        if archive.size(path) != file.size:
            raise archive.refusal("wrong size", path)
    if sum(file.size for file in files.values()) > LARGEST:
        raise archive.refusal("oversized capsule", f"more than {LARGEST:,} bytes")
    return files


def _some(names: set[str] | frozenset[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# Who vouches for it.


def _signer(
    archive: Archive, files: Mapping[str, PackedFile], digest: str, trust: Trust
) -> Signer | None:
    data = archive.read(packing.SEAL, LARGEST_JSON)
    sealed = decoded(archive, packing.SEAL, data, signing.Envelope)
    try:
        body = sealed.body()
    except (binascii.Error, ValueError):
        raise archive.refusal("damaged signature", "its payload is not base64") from None
    _check_statement(archive, sealed.payload_type, body, files, digest)
    if sealed.signatures:
        return _signed(archive, sealed, trust)
    if packing.SIGNER in archive.names:
        raise archive.refusal("missing signature", "it names a signer who has not signed")
    if not trust.unsigned:
        raise CapsuleError(
            "refused: not signed: nobody vouches for it",
            where=str(archive.path),
            offence="not signed",
            hint="if you know where it comes from: --allow-unsigned",
        )
    return None


def _check_statement(
    archive: Archive, kind: str, body: bytes, files: Mapping[str, PackedFile], digest: str
) -> None:
    if kind != signing.PAYLOAD:
        raise archive.refusal("damaged signature", f"it is over {kind[:100]!r}")
    found = decoded(archive, packing.SEAL, body, Statement)
    if (found.kind, found.predicate_type) != (STATEMENT, PREDICATE):
        raise archive.refusal("damaged signature", "it is over another kind of statement")
    subjects = {one.name: one.digest.get("sha256") for one in found.subject}
    if subjects.get(packing.CAPSULE) != digest:
        raise archive.refusal("signature over another capsule")
    for name, sha256 in subjects.items():
        if name != packing.CAPSULE and (name not in files or files[name].sha256 != sha256):
            raise archive.refusal("signature over another capsule", name[:200])


def _signed(archive: Archive, sealed: signing.Envelope, trust: Trust) -> Signer:
    signing.need_cryptography("checking a signature")
    if len(sealed.signatures) != 1 or packing.SIGNER not in archive.names:
        raise archive.refusal("damaged signature", "it needs one signature, and its key")
    [signature] = sealed.signatures
    try:
        key: Any = signing.read_public(archive.read(packing.SIGNER, LARGEST_KEY))
    except ValueError:
        raise archive.refusal("damaged signature", f"{packing.SIGNER} is no key") from None
    name = signing.key_id(key)
    if signature.keyid != name or not signing.is_signed_by(sealed, signature, key):
        raise archive.refusal("wrong signature", f"it is not that of {name}")
    known = _name_of(name)
    if known is None and name not in trust.keys:
        raise _unknown(archive.path, name)
    return Signer(id=name, name=known or "")


def _name_of(key: str) -> str | None:
    from mainspring.storage.keyring import Keyring

    found = [known.name for known in Keyring().known() if known.id == key]
    return found[0] if found else None


def _unknown(path: Path, name: str) -> CapsuleError:
    return CapsuleError(
        f"refused: unknown signer: {name}",
        where=str(path),
        offence="unknown signer",
        hint="ask who made it for the id of their key. If it is this one, take this capsule with "
        f"--trust {name}, or trust the key from now on: mainspring keys trust NAME FILE",
    )
