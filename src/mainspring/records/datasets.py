"""Datasets: named collections of files, each version of them immutable; and their ports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Protocol

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import MainspringError, NotFoundError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}", re.ASCII)
_NUMBER = re.compile(r"v?([0-9]{1,15})", re.ASCII)
_DIGEST = re.compile(r"(?:blake3:)?([0-9a-f]{6,64})", re.ASCII)
_SHOWN = 5


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a dataset, written `name@v2`.

    `digest` is the identity of the content, wherever that is kept; `ref` what a step is given (it
    stays the same for as long as the content is kept in the same way). `files` and `size` (bytes)
    are those of the content. `rows` and `labelled` (annotated rows) are None where they are not
    known. `profile` is the digest of a JSON blob (docs/reference/formats.md). `origin` says where
    it came from, without credentials. `created` is in seconds since the epoch.
    """

    dataset: str
    number: int = 0
    digest: str
    ref: ArtifactRef
    created: float
    files: int
    size: int
    rows: int | None = None
    labelled: int | None = None
    profile: str | None = None
    origin: str = ""
    message: str = ""
    pinned: bool = False

    @property
    def name(self) -> str:
        """`digits@v2`."""
        return f"{self.dataset}@v{self.number}"


class DatasetReads(Protocol):
    """What is asked about datasets."""

    def dataset_version(self, name: str, wanted: str | None = None) -> DatasetVersion:
        """The newest version, or the one that is `wanted`: `v3`, `3` or the beginning of a
        digest (at least six digits; of versions with equal content the newest). Raises
        NotFoundError, which names what there is."""
        ...

    def dataset_versions(self, name: str) -> list[DatasetVersion]:
        """All versions, the first one first; none where there is no such dataset."""
        ...

    def datasets(self) -> list[DatasetVersion]:
        """The newest version of each dataset, by name."""
        ...


class DatasetWrites(Protocol):
    """What is done to datasets in a transaction."""

    def newest_dataset_version(self, name: str) -> DatasetVersion | None:
        """The newest version, if there is one. From here to the transaction's end nobody else
        changes the dataset."""
        ...

    def add_dataset_version(self, version: DatasetVersion) -> DatasetVersion:
        """Add it (its `number` does not matter); return it with its number, one above the
        highest that the dataset ever had."""
        ...

    def change_dataset_version(self, version: DatasetVersion) -> None:
        """Replace `ref`, `rows`, `labelled`, `profile`, `message` and `pinned` of the version of
        that number; what it is (`digest`, `files`, `size`) stays. Raises NotFoundError."""
        ...

    def delete_dataset_version(self, name: str, number: int) -> None:
        """Forget a version; its number is not given again. Raises NotFoundError."""
        ...


def check_name(name: str) -> str:
    """Return a dataset's name. Raises MainspringError where it can't be one."""
    if not _NAME.fullmatch(name):
        raise MainspringError(
            f"{name!r} can't be the name of a dataset",
            hint="a name has up to 100 letters, digits and _, and begins with a letter",
        )
    return name


def split_name(text: str) -> tuple[str, str | None]:
    """`digits@v2` as (`digits`, `v2`), `digits` as (`digits`, None). Raises MainspringError."""
    name, at, wanted = text.partition("@")
    if at and not wanted:
        raise MainspringError(f"{text!r} names no version", hint="write NAME or NAME@v2")
    return check_name(name), wanted or None


def pick_version(
    name: str, wanted: str | None, found: Sequence[DatasetVersion], others: Sequence[str]
) -> DatasetVersion:
    """The version that is wanted of those that `found` has, the first one first.

    `others` are the names of all datasets. Raises NotFoundError.
    """
    if not found:
        raise _no_dataset(name, others)
    if wanted is None:
        return found[-1]
    number, digest = _NUMBER.fullmatch(wanted), _DIGEST.fullmatch(wanted)
    if number is not None:
        for version in found:
            if version.number == int(number[1]):
                return version
    fitting = [v for v in found if digest and v.digest.startswith("blake3:" + digest[1])]
    if not fitting:
        raise NotFoundError(
            f"dataset {name!r} has no version {wanted!r}", hint=f"it has {_range_of(found)}"
        )
    if len({version.digest for version in fitting}) > 1:
        names = ", ".join(f"v{version.number}" for version in fitting[:_SHOWN])
        raise NotFoundError(
            f"{wanted!r} is the beginning of more than one digest of {name!r}: {names}",
            hint="give more of the digest",
        )
    return fitting[-1]


def _no_dataset(name: str, others: Sequence[str]) -> NotFoundError:
    near = get_close_matches(name, others, 1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif others:
        more = ", ..." if len(others) > _SHOWN else ""
        hint = f"there is {', '.join(others[:_SHOWN])}{more}"
    else:
        hint = "`mainspring data add NAME PATH` makes one"
    return NotFoundError(f"there is no dataset {name!r}", hint=hint)


def _range_of(found: Sequence[DatasetVersion]) -> str:
    if len(found) <= _SHOWN:
        return ", ".join(f"v{version.number}" for version in found)
    return f"{len(found)} versions, v{found[0].number} to v{found[-1].number}"
