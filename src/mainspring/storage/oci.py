"""Pulling an artifact from an OCI registry: a manifest, and layers checked against its digests.

Only what the distribution specification's pull needs; layers are files, named by the annotation
`org.opencontainers.image.title` as ORAS writes it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import urllib.parse
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mainspring.records.errors import MainspringError
from mainspring.records.ports import Blobs
from mainspring.storage.fetching import Answer, FetchError, RefusedError, get, is_loopback
from mainspring.storage.serializers.files import FileEntry

MANIFEST_LIMIT = 4 << 20
LAYERS = 10_000
_TITLE = "org.opencontainers.image.title"
_UNPACK = "io.deis.oras.content.unpack"
_ACCEPT = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.image.index.v1+json"
)
_REFERENCE = re.compile(
    r"oci://(?P<host>[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)"
    r"/(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that a manifest names."""

    digest: str
    size: int
    annotations: dict[str, str] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an artifact consists of."""

    layers: list[Descriptor] = []
    manifests: list[Any] = []
    annotations: dict[str, str] = {}


class Pulled(NamedTuple):
    """The files of an artifact, in the blobs now, and the digest of its manifest."""

    files: list[FileEntry]
    digest: str
    licence: str


def pull(reference: str, blobs: Blobs) -> Pulled:
    """Pull `oci://HOST/NAME:TAG` or `…@sha256:…`. Each layer is checked while it is read; nothing
    of one that is wrong is kept. Raises MainspringError, FetchError."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise MainspringError(
            f"{reference!r} is no OCI reference"[:300],
            hint="write oci://HOST/NAME:TAG or oci://HOST/NAME@sha256:…",
        )
    registry = _Registry(found["host"], found["name"])
    data = registry.manifest(found["digest"] or found["tag"] or "latest")
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    if found["digest"] not in (None, digest):
        raise MainspringError(f"{reference}: the manifest has another digest: {digest}")
    made = _read(data, reference)
    names = _names(made.layers, reference)
    files = [registry.layer(one, name, blobs) for one, name in zip(made.layers, names, strict=True)]
    return Pulled(files, digest, made.annotations.get("org.opencontainers.image.licenses", ""))


def _read(data: bytes, reference: str) -> Manifest:
    try:
        made = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise MainspringError(f"{reference}: its manifest can't be read: {error}") from None
    if made.manifests:
        raise MainspringError(
            f"{reference} is an index of several artifacts", hint="name one: …@sha256:DIGEST"
        )
    if not made.layers or len(made.layers) > LAYERS:
        raise MainspringError(f"{reference} has {len(made.layers):,} layers")
    for one in made.layers:
        if not _DIGEST.fullmatch(one.digest) or one.size < 0:
            raise MainspringError(f"{reference}: a layer has the digest {one.digest!r}"[:300])
        if one.annotations.get(_UNPACK) == "true":
            raise MainspringError(
                f"{reference}: the layer {one.annotations.get(_TITLE)!r} is a packed directory",
                hint="push its files one by one",
            )
    return made


def _names(layers: list[Descriptor], reference: str) -> list[str]:
    """The path of each layer's file. Raises MainspringError for one that leads elsewhere."""
    names: list[str] = []
    for one in layers:
        name = one.annotations.get(_TITLE) or one.digest[7:19]
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or re.search(r"[\\\0-\x1f:]", name):
            raise MainspringError(f"{reference}: a layer has the unsafe name {name!r}"[:300])
        names.append(name)
    seen: set[str] = set()
    above = {name[:at] for name in names for at, sign in enumerate(name) if sign == "/"}
    for name in names:
        if name in seen or name in above:
            raise MainspringError(f"{reference}: two layers have the name {name!r}")
        seen.add(name)
    return names


class _Registry:
    """One repository of a registry. Plain HTTP is spoken with this machine only."""

    def __init__(self, host: str, name: str) -> None:
        bare = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        scheme = "http" if is_loopback(bare) else "https"
        self._host = host
        self._name = name
        self._base = f"{scheme}://{host}/v2/{name}"
        self._authorization: str | None = None

    def manifest(self, reference: str) -> bytes:
        with self._get(f"{self._base}/manifests/{reference}", {"Accept": _ACCEPT}) as answer:
            return answer.read(MANIFEST_LIMIT)

    def layer(self, one: Descriptor, name: str, blobs: Blobs) -> FileEntry:
        hasher = hashlib.sha256()
        with self._get(f"{self._base}/blobs/{one.digest}") as answer, blobs.writer() as writer:

            def take(chunk: bytes) -> None:
                hasher.update(chunk)
                writer.write(chunk)

            size = answer.copy_to(take, most=one.size)
            if size != one.size or "sha256:" + hasher.hexdigest() != one.digest:
                raise MainspringError(
                    f"the layer {name!r} is not what the manifest says: {size:,} bytes, "
                    f"sha256:{hasher.hexdigest()}"
                )
            digest, size = writer.commit()
        return FileEntry(name=name, digest=digest, size=size)

    @contextmanager
    def _get(self, url: str, headers: Mapping[str, str] = {}) -> Generator[Answer]:
        try:
            opened = get(url, headers, self._authorization)
            answer = opened.__enter__()
        except RefusedError as error:
            if error.status != 401:
                raise
            self._authorization = self._answer(error.headers.get("WWW-Authenticate") or "")
            opened = get(url, headers, self._authorization)
            answer = opened.__enter__()
        try:
            yield answer
        finally:
            opened.__exit__(None, None, None)

    def _answer(self, challenge: str) -> str:
        """What to send after "who are you?": the user's own name, or a token made for it."""
        kind, _, rest = challenge.partition(" ")
        own = _credentials(self._host)
        if kind.lower() == "basic" and own is not None:
            return f"Basic {own}"
        facts: dict[str, str] = dict(_CHALLENGE.findall(rest))
        realm = facts.get("realm", "")
        if kind.lower() != "bearer" or not realm:
            raise FetchError(
                f"the registry {self._host} wants to know who asks",
                hint=f"`docker login {self._host}`, or `podman login` with --authfile",
            )
        host = urllib.parse.urlsplit(realm).hostname or ""
        if not realm.startswith("https://") and not is_loopback(host):
            raise FetchError(f"the registry {self._host} names a place for tokens without https")
        query = {"scope": f"repository:{self._name}:pull"}
        if "service" in facts:
            query["service"] = facts["service"]
        url = f"{realm}?{urllib.parse.urlencode(query)}"
        with get(url, authorization=f"Basic {own}" if own else None) as answer:
            return f"Bearer {_token(answer.read(MANIFEST_LIMIT), self._host)}"


def _token(data: bytes, host: str) -> str:
    try:
        found: Any = json.loads(data)
        token = found.get("token") or found.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise FetchError(f"the registry {host} gave no token")
    return token


def _credentials(host: str) -> str | None:
    """What `docker login` has left for a registry: `user:password` in base64."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        config: Any = json.loads(Path(folder, "config.json").read_bytes())
        found = config["auths"][host]["auth"]
        base64.b64decode(found, validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
