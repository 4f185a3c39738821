"""The keys of a person: their own, to sign with, and those of others whom they trust.

They are files below the user's configuration directory: `keys/NAME.pem` (private, for nobody else
to read) and `trusted/NAME.pem` (public).
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mainspring.records.errors import ConflictError, MainspringError, NotFoundError
from mainspring.storage import signing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_LARGEST = 10_000  # bytes of a key's file
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

T = TypeVar("T")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A key by its name; `own` is one to sign with."""

    name: str
    id: str
    own: bool
    public: str


class Keyring:
    """The keys below a directory, by default the user's."""

    def __init__(self, root: Path | None = None) -> None:
        signing.need_cryptography("a key")
        self.root = root or configuration()
        self._own = self.root / "keys"
        self._trusted = self.root / "trusted"

    def new(self, name: str) -> Known:
        """Make a key to sign with. Raises ConflictError when the name is taken."""
        self._refuse_taken(name)
        key = signing.new_key()
        _write(self._own / f"{name}.pem", signing.private_pem(key))
        return _known(name, key.public_key(), own=True)

    def own(self, name: str) -> Ed25519PrivateKey:
        """The private key of that name. Raises NotFoundError, MainspringError when others can
        read it."""
        path = self._place(self._own, name)
        try:
            with open(path, "rb", opener=_no_link) as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(_LARGEST)
        except FileNotFoundError:
            known = ", ".join(key.name for key in self.known() if key.own)
            hint = f"there is {known}" if known else f"`mainspring keys new {name}` makes it"
            raise NotFoundError(f"you have no key {name!r} to sign with", hint=hint) from None
        except OSError as error:
            raise MainspringError(f"can't be read: {error.strerror}", where=str(path)) from None
        if mode & _OTHERS:
            raise MainspringError(
                "others can read this private key, so it is not used",
                where=str(path),
                hint=f"chmod 600 {path}; if it may have been read, make another and trust that",
            )
        return _read(path, data, signing.read_private)

    def default(self) -> str | None:
        """The key that is used when none is named: the only one, or the one named `default`."""
        names = [key.name for key in self.known() if key.own]
        if len(names) == 1 or "default" in names:
            return names[0] if len(names) == 1 else "default"
        if not names:
            return None
        raise MainspringError(
            f"you have more than one key: {', '.join(names)}", hint="name one: --key NAME"
        )

    def trust(self, name: str, data: bytes, where: str) -> Known:
        """Trust a public key (PEM). Raises ConflictError when the name is taken by another."""
        key = _read(Path(where), data, signing.read_public)
        for known in self.known():
            if known.name == name and not known.own and known.id == signing.key_id(key):
                return known
        self._refuse_taken(name)
        _write(self._trusted / f"{name}.pem", signing.public_pem(key))
        return _known(name, key, own=False)

    def untrust(self, name: str) -> Known:
        """Trust a key no more. Raises NotFoundError."""
        path = self._place(self._trusted, name)
        if os.path.lexists(path):
            try:
                found = _known(name, _read(path, _bytes(path), signing.read_public), own=False)
            except MainspringError:  # a damaged one has to go too
                found = Known(name=name, id="", own=False, public="")
            path.unlink()
            return found
        known = ", ".join(key.name for key in self.known() if not key.own) or "nobody"
        raise NotFoundError(f"you trust no key named {name!r}", hint=f"you trust {known}")

    def known(self) -> list[Known]:
        """All keys, one's own first."""
        own = [self._own_key(path) for path in _pems(self._own)]
        others = [
            _known(path.stem, _read(path, _bytes(path), signing.read_public), own=False)
            for path in _pems(self._trusted)
        ]
        return own + others

    def find(self, name: str) -> Known:
        """The key of that name or id. Raises NotFoundError."""
        found = [known for known in self.known() if name in (known.name, known.id)]
        if not found:
            raise NotFoundError(
                f"there is no key {name!r}", hint="`mainspring keys list` lists them"
            )
        return found[0]

    def _own_key(self, path: Path) -> Known:
        return _known(path.stem, self.own(path.stem).public_key(), own=True)

    def _refuse_taken(self, name: str) -> None:
        for folder in (self._own, self._trusted):
            if os.path.lexists(self._place(folder, name)):
                raise ConflictError(
                    f"there is a key {name!r} already", hint="choose another name for this one"
                )

    def _place(self, folder: Path, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise MainspringError(
                f"a key can't be named {name!r}",
                hint="letters, digits, and . _ @ + - inside: for example alice@lab",
            )
        return folder / f"{name}.pem"


def configuration() -> Path:
    """The user's directory for Mainspring's keys."""
    base = os.environ.get("XDG_CONFIG_HOME")
    if not base or not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "mainspring"


def _known(name: str, key: Ed25519PublicKey, *, own: bool) -> Known:
    public = signing.public_pem(key).decode()
    return Known(name=name, id=signing.key_id(key), own=own, public=public)


def _pems(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        yield from sorted(path for path in folder.iterdir() if path.suffix == ".pem")


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise MainspringError(f"can't be read: {error.strerror}", where=str(path)) from None


def _read(path: Path, data: bytes, read: Callable[[bytes], T]) -> T:
    try:
        return read(data)
    except ValueError:
        # What the library says may quote the file.
        raise MainspringError("is no ed25519 key in PEM form", where=str(path)) from None


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)


def _write(path: Path, data: bytes) -> None:
    """Whole, durable, and readable for nobody else before it has its name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd, draft = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with open(fd, "wb") as file:
                os.fchmod(fd, 0o600)
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.link(draft, path)
        finally:
            os.unlink(draft)
    except FileExistsError:
        raise ConflictError(f"there is a key {path.stem!r} already") from None
    except OSError as error:
        raise MainspringError(f"can't be written: {error.strerror}", where=str(path)) from None
