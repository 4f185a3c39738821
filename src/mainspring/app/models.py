"""The verbs of `models`: import (everything is checked at the door), list, show, alias."""

from __future__ import annotations

import hashlib
import os
import re
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from mainspring.app.model_views import (
    ImportedView,
    ModelHistoryView,
    ModelsView,
    model_view,
)
from mainspring.app.project import Project
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import canonical
from mainspring.records.errors import MainspringError, NotFoundError
from mainspring.records.models import AliasMove, ModelVersion, Signature, check_alias, present
from mainspring.records.sources import Named, named
from mainspring.storage.fetching import CHUNK, get, is_loopback, shown
from mainspring.storage.serializers import registry
from mainspring.storage.serializers.files import FileEntry, Tree

FOLDER = "model"
"""What a step sees the directory of a model called."""

_DIGEST = re.compile(r"(sha256|blake3):[0-9a-f]{64}", re.ASCII)


class Card(NamedTuple):
    """What is said of a model, and what it is to be checked against."""

    licence: str = ""
    origin: str = ""
    digest: str = ""
    signature: Path | None = None
    key: Path | None = None
    alias: str = ""
    allow_pickle: bool = False


class Taken(NamedTuple):
    """A model's content, in the blobs now. `digests` are those of the content as a whole."""

    ref: ArtifactRef
    files: tuple[FileEntry, ...]
    digest: str
    digests: tuple[str, ...]
    origin: str
    licence: str = ""


def import_model(project: Project, name: str, source: str, card: Card) -> ImportedView:
    """Import a model from a path, an http(s) URL or an oci:// reference, as a new version.

    Nothing is recorded unless everything holds: digest, signature, and that no file is a pickle
    (unless that is allowed). Content that a version has already makes no new one, unless something
    else is said of it. Raises MainspringError.
    """
    asked = named("model", name)
    if asked.wanted is not None:
        raise MainspringError(f"{name!r} has a version: it is given by the import")
    _check_card(card)
    project.claim()
    taken = _take(project, source, card)
    digests = (taken.digest, *taken.digests)
    if card.digest and card.digest not in digests:
        raise MainspringError(
            f"{shown_source(source)} is not what was asked for: it has the digests "
            f"{', '.join(digests)}",
            hint="nothing was imported",
        )
    signature = _signature(card, digests)
    data_only = _check_pickles(project, taken, card)
    version = ModelVersion(
        model=asked.name,
        digest=taken.digest,
        ref=msgspec.structs.replace(taken.ref, data_only=data_only),
        created=time.time(),
        files=len(taken.files),
        size=sum(entry.size for entry in taken.files),
        licence=card.licence or taken.licence,
        origin=card.origin or taken.origin,
        digests=taken.digests,
        signature=signature,
    )
    return _record(project, version, card)


def _check_card(card: Card) -> None:
    if card.digest and not _DIGEST.fullmatch(card.digest):
        raise MainspringError(
            f"{card.digest!r} is no digest"[:200], hint="write sha256:… or blake3:… with 64 digits"
        )
    if (card.signature is None) != (card.key is None):
        raise MainspringError(
            "a signature is checked with a key", hint="give --signature and --key"
        )
    if card.alias:
        check_alias(card.alias)


def _signature(card: Card, digests: Sequence[str]) -> Signature | None:
    if card.signature is None or card.key is None:
        return None
    from mainspring.storage.signatures import verify

    return verify(card.signature, card.key, digests)


def _check_pickles(project: Project, taken: Taken, card: Card) -> bool:
    """Whether the model is data only. Raises MainspringError where it is not, and may not be so."""
    from mainspring.storage.pickled import offence

    for entry in taken.files:
        found = offence(project.blobs.path(entry.digest))
        if found is None:
            continue
        if card.allow_pickle:
            return False
        raise MainspringError(
            f"{entry.name!a} is refused: {found}",
            hint="reading a pickle runs code that it names: ask for ONNX, safetensors or skops; "
            "--allow-pickle imports it all the same, and marks it",
        )
    return True


def _record(project: Project, version: ModelVersion, card: Card) -> ImportedView:
    read = project.store.read
    with project.store.write() as tx:
        tx.newest_model_version(version.model)  # from here on nobody else adds one
        same = [one for one in read.model_versions(version.model) if _same(one, version)]
        made = same[-1] if same else tx.add_model_version(version)
        if card.alias and present(read.alias_moves(version.model)).get(card.alias) != made.number:
            tx.move_alias(_move(made, card.alias))
    aliases = present(read.alias_moves(version.model))
    return ImportedView(model=model_view(made, aliases), new=not same)


def _same(one: ModelVersion, other: ModelVersion) -> bool:
    """Whether a version says all that another import would."""
    return (
        one.ref.digest == other.ref.digest  # the names of its files too
        and one.ref.data_only == other.ref.data_only
        and other.licence in ("", one.licence)
        and other.signature in (None, one.signature)
    )


def _move(version: ModelVersion, alias: str) -> AliasMove:
    return AliasMove(model=version.model, alias=alias, number=version.number, at=time.time())


# Where it comes from


def shown_source(source: str) -> str:
    """A source as people may see it: a URL without credentials."""
    return shown(source) if "://" in source else source


def _take(project: Project, source: str, card: Card) -> Taken:
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if scheme in ("http", "https"):
        return _from_url(project, source, card)
    if scheme == "oci":
        return _from_registry(project, source)
    if scheme:
        raise MainspringError(
            f"models are not imported from {scheme}://", hint="give a path, https:// or oci://"
        )
    return _from_path(project, Path(source))


def _from_path(project: Project, path: Path) -> Taken:
    if not path.exists():
        raise NotFoundError(f"there is no file or directory {path}")
    path = path.resolve()
    ref = registry.dump(path, None, project.blobs)
    origin = os.path.relpath(path, project.root) if path.is_relative_to(project.root) else path.name
    if ref.format == "file":
        entry = msgspec.json.decode(project.blobs.read(ref.digest), type=FileEntry)
        hasher = hashlib.sha256()
        with project.blobs.path(entry.digest).open("rb") as file:
            while chunk := file.read(CHUNK):
                hasher.update(chunk)
        return Taken(ref, (entry,), entry.digest, (f"sha256:{hasher.hexdigest()}",), origin)
    tree = msgspec.json.decode(project.blobs.read(ref.digest), type=Tree)
    if not tree.files:
        raise MainspringError(f"{path} has no files")
    ref = _as_tree(project, tree.files, tree.empty)
    return Taken(ref, tree.files, ref.digest, (), origin)


def _as_tree(
    project: Project, files: tuple[FileEntry, ...], empty: tuple[str, ...] = ()
) -> ArtifactRef:
    """A directory of files that are in the blobs, under the one name that steps see."""
    files = tuple(sorted(files, key=lambda entry: entry.name))
    digest, size = project.blobs.put(canonical(Tree(name=FOLDER, files=files, empty=empty)))
    return ArtifactRef(digest=digest, size=size, format="directory", type="pathlib.Path")


def _as_file(project: Project, entry: FileEntry) -> ArtifactRef:
    digest, size = project.blobs.put(canonical(entry))
    return ArtifactRef(digest=digest, size=size, format="file", type="pathlib.Path")


def _from_url(project: Project, url: str, card: Card) -> Taken:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or "") and not card.digest:
        raise MainspringError(
            f"{shown(url)}: over http anybody on the way can change it",
            hint="use https, or say what it has to be: --digest sha256:…",
        )
    hasher = hashlib.sha256()
    with get(url) as answer, project.blobs.writer() as writer:

        def take(chunk: bytes) -> None:
            hasher.update(chunk)
            writer.write(chunk)

        answer.copy_to(take)
        sha256 = f"sha256:{hasher.hexdigest()}"
        if card.digest.startswith("sha256:") and card.digest != sha256:
            raise MainspringError(
                f"{shown(url)} is not what was asked for: it has the digest {sha256}",
                hint="nothing was imported",
            )
        digest, size = writer.commit()
    name = urllib.parse.unquote(parts.path.rpartition("/")[2])
    if not name or name in (".", "..") or re.search(r"[/\\\0-\x1f]", name):
        name = FOLDER
    entry = FileEntry(name=name, digest=digest, size=size)
    return Taken(_as_file(project, entry), (entry,), digest, (sha256,), shown(url))


def _from_registry(project: Project, reference: str) -> Taken:
    from mainspring.storage.oci import pull

    found = pull(reference, project.blobs)
    files = tuple(found.files)
    name = reference.partition("@")[0]
    if len(files) == 1 and "/" not in files[0].name:
        ref, digest = _as_file(project, files[0]), files[0].digest
    else:
        ref = _as_tree(project, files)
        digest = ref.digest
    return Taken(ref, files, digest, (found.digest,), name, found.licence)


# What there is


def list_models(project: Project) -> ModelsView:
    """Return the newest version of each model."""
    read = project.store.read
    found = read.models()
    return ModelsView(
        models=[model_view(one, present(read.alias_moves(one.model))) for one in found],
        counts={one.model: len(read.model_versions(one.model)) for one in found},
    )


def show_model(project: Project, text: str) -> ModelHistoryView:
    """Return all versions of a model, or the one of `NAME@VERSION`. Raises NotFoundError."""
    asked = named("model", text)
    read = project.store.read
    one = read.model_version(asked.name, asked.wanted)
    found = [one] if asked.wanted is not None else read.model_versions(asked.name)[::-1]
    moves = read.alias_moves(asked.name)
    aliases = present(moves)
    return ModelHistoryView(
        versions=[model_view(version, aliases) for version in found],
        aliases={alias: f"v{number}" for alias, number in aliases.items()},
        moves=moves,
    )


def set_alias(project: Project, text: str, alias: str) -> tuple[ModelHistoryView, str | None]:
    """Point an alias at a version; return how things are then, and where it pointed before.

    `text` names the version: `bert@v2`, or another alias. Raises NotFoundError, MainspringError.
    """
    check_alias(alias)
    asked: Named = named("model", text)
    version = project.store.read.model_version(asked.name, asked.wanted)
    with project.store.write() as tx:
        tx.newest_model_version(asked.name)
        before = present(project.store.read.alias_moves(asked.name)).get(alias)
        if before != version.number:
            tx.move_alias(_move(version, alias))
    return show_model(project, asked.name), None if before is None else f"v{before}"
