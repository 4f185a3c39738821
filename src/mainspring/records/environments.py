"""The environment of a run: locks, and what else of a machine a result may depend on."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from mainspring.records.canonical import digest_of

FORMAT = "mainspring.environment/1"

LockKind: TypeAlias = Literal["uv", "pylock", "requirements", "made", "conda", "renv"]
"""What wrote the lock. "made": a `pylock.toml` that Mainspring made of what is installed."""


class Lock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A lock: its kind, and its files as blobs.

    `main` is the file that is the lock; `files` maps it, and what belongs to it, to digests, by
    paths relative to its folder. `path` is where in the project it is ("" for one that was made).
    `python` is the minor version that it is for, such as "3.12" ("" for another language).
    """

    kind: LockKind
    main: str
    files: dict[str, str]
    path: str = ""
    python: str = ""

    @property
    def digest(self) -> str:
        """The digest of what the lock says, wherever in a project it lies."""
        return digest_of([self.kind, self.main, self.files, self.python])


class Python(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The interpreter: full version, implementation, how it was built and compiled."""

    version: str
    implementation: str
    build: str = ""
    compiler: str = ""


class Machine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The machine: system, architecture, C library, processor with its flags, usable cores."""

    system: str
    release: str = ""
    architecture: str
    libc: str = ""
    processor: str = ""
    flags: tuple[str, ...] = ()
    cores: int = 1


class Library(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A library that computes (BLAS, OpenMP): whose, which version, who brings it along."""

    name: str
    version: str = ""
    kind: str = ""
    of: str = ""


class Gpu(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What computes on GPUs: driver, CUDA and cuDNN versions, names of the devices."""

    driver: str = ""
    cuda: str = ""
    cudnn: str = ""
    devices: tuple[str, ...] = ()


class Environment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run's steps ran in.

    `lock` is what an environment like it is built from; `why` says why it is not the project's
    own. `packages` are the distributions that the steps reach, with versions (and, after a `+`,
    the digest of content that no version tells). `unbuildable` says, by distribution, why the
    lock can't bring it back. `steps` are the locks of steps with an environment of their own,
    `images` the ids of images, by what the pipeline names; `threads` are those of each step.
    """

    lock: Lock | None
    python: Python
    machine: Machine
    packages: dict[str, str] = {}
    unbuildable: dict[str, str] = {}
    why: str = ""
    libraries: tuple[Library, ...] = ()
    gpu: Gpu | None = None
    steps: dict[str, Lock] = {}
    images: dict[str, str] = {}
    threads: dict[str, int] = {}
    format: Literal["mainspring.environment/1"] = FORMAT

    def blobs(self) -> list[str]:
        """Digests of all blobs that it consists of, beside its own."""
        locks = [*([self.lock] if self.lock else []), *self.steps.values()]
        return sorted({digest for lock in locks for digest in lock.files.values()})


def encode(environment: Environment) -> bytes:
    """Return the canonical JSON of an environment."""
    return msgspec.json.encode(environment, order="sorted")


decode = msgspec.json.Decoder(Environment).decode
