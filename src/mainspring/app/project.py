"""The composition root: one project's parts, wired."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from mainspring import settings
from mainspring.app.reader import Artifacts
from mainspring.app.storage import claim_blobs, open_leases, open_project_blobs, open_store
from mainspring.definition.quantities import seconds
from mainspring.execution.journal import Journal
from mainspring.records.errors import ConflictError, ProjectError
from mainspring.records.ports import Capacity, Executor
from mainspring.records.source import Manifest
from mainspring.records.surroundings import Surroundings

if TYPE_CHECKING:
    from mainspring.app.code import Code
    from mainspring.execution.executors.local import LocalExecutor
    from mainspring.execution.images import Images

_USUAL = Surroundings()


class Project:
    """An open project. `root` is its directory, `home` where Mainspring keeps its state."""

    def __init__(self, root: Path, *, migrate: bool = False) -> None:
        self.root = root
        self.settings = settings.load(root)
        self.home = settings.home_of(root)
        self.containers = settings.containers_of(self.settings)
        _make_home(self.home)
        chosen = settings.storage_of(self.settings)
        self.store = open_store(chosen, self.home, migrate=migrate)
        self.blobs = open_project_blobs(chosen, self.home)
        self.artifacts = Artifacts(self.blobs)
        self.leases = open_leases(chosen, self.home, ttl=self.seconds("lease", least=1.0))
        self.journal = Journal(self.home / "attempts")
        self._codes: dict[str, Code] = {}
        self._claimed = False

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """Open the project that `start` (default: the working directory) lies in."""
        return cls(settings.find_root(start or Path.cwd()))

    def executor(
        self, *, python: Path | None = None, conditions: Surroundings = _USUAL
    ) -> LocalExecutor:
        """Return a new executor on this machine, whose steps run in the environment of `python`
        (default: in this one), under the `conditions` of an experiment. Raises
        EnvironmentBuildError for a Python that can't run them."""
        from mainspring.execution.executors.local import LocalExecutor

        chosen = self.settings.execution
        return LocalExecutor(
            self.home,
            self.blobs,
            slots=chosen.workers,
            start_method=chosen.start,
            containers=self.containers,
            python=python,
            conditions=conditions,
        )

    def capacity(self, executor: Executor) -> Capacity:
        """Return what an executor can run at once, with the custom resources of the settings."""
        custom = self.settings.execution.resources
        return msgspec.structs.replace(executor.capacity(), custom=custom)

    def snapshot(
        self, roots: Sequence[str] | None = None, made: Mapping[str, bytes] = {}
    ) -> tuple[Manifest, str]:
        """Take a snapshot of the source as it is now, with the files that were `made` for it (see
        `take_snapshot`); return its manifest and digest."""
        from mainspring.storage.source import take_snapshot

        self.claim()
        chosen = self.settings.source
        return take_snapshot(
            self.root,
            self.home,
            self.blobs,
            roots=[*(roots if roots is not None else import_roots(self.root)), *chosen.roots],
            exclude=chosen.exclude,
            made=made,
        )

    def refuse_home(self, target: Path) -> None:
        """Raise ConflictError for a place that holds this project's home: who replaces it would
        delete all that is on record."""
        home, place = os.path.realpath(self.home), os.path.realpath(target)
        if os.path.commonpath([home, place]) == place:
            raise ConflictError(
                f"{target} holds the project's own home ({self.home})",
                hint="choose another directory",
            )

    def claim(self) -> None:
        """Make sure, once, that the values are those of this project's records, before one is
        added or removed. Raises ConflictError."""
        if not self._claimed:
            claim_blobs(settings.storage_of(self.settings), self.home, self.blobs)
            self._claimed = True

    def materialise(self, snapshot: str) -> Path:
        """Return the directory with the files of a snapshot."""
        from mainspring.storage.source import materialise

        return materialise(snapshot, self.home, self.blobs)

    def code(self, snapshot: str, manifest: Manifest | None = None) -> Code:
        """Return the fingerprints of a snapshot."""
        if snapshot not in self._codes:
            self._codes[snapshot] = self._code(snapshot, manifest)
        return self._codes[snapshot]

    def _code(self, snapshot: str, manifest: Manifest | None) -> Code:
        from mainspring.app.code import Code
        from mainspring.planning.fingerprint import CodeBase
        from mainspring.storage.environment import inventory
        from mainspring.storage.source import FileMemo, load_manifest

        manifest = manifest or load_manifest(snapshot, self.blobs)
        files = {file.path: file for file in manifest.files}
        memo = FileMemo(self.home)
        base = CodeBase(manifest, lambda path: self.blobs.read(files[path].digest), memo)
        installed = inventory(self.home / "cache", project=self.root)

        def images() -> Images:
            from mainspring.execution.images import Images

            return Images(self.home, files, self.blobs.read, self.containers)

        return Code(manifest, base, installed, self.artifacts, images)

    def seconds(self, name: Literal["lease", "patience"], *, least: float = 0.0) -> float:
        """Return a time of the table `[execution]`. Raises ProjectError, DefinitionError."""
        where = f"execution.{name}"
        found = seconds(getattr(self.settings.execution, name), name=name, where=where)
        if found < least:
            raise ProjectError(f"must be at least {least:g} s", where=where)
        return found

    def is_driven(self, run: str) -> bool:
        """Whether a live engine works on the run."""
        engine = self.store.read.driver(run)
        return engine is not None and self.leases.alive(engine)

    def close(self) -> None:
        """Close the store, and the connections of the leases."""
        self.leases.close()
        self.store.close()


def import_roots(root: Path) -> list[str]:
    """Return the directories of the project, relative to it, that Python imports from now."""
    found = ["", "src"] if (root / "src").is_dir() else [""]
    for entry in sys.path:
        path = Path(entry).absolute() if entry else Path.cwd()
        inside = path.is_relative_to(root) and "site-packages" not in path.parts
        if inside and path.is_dir():
            relative = path.relative_to(root).as_posix()
            hidden = any(part.startswith(".") for part in Path(relative).parts)
            if not hidden and relative != ".":
                found.append(relative)
    return list(dict.fromkeys(found))


def _make_home(home: Path) -> None:
    try:
        str(home).encode()
    except UnicodeEncodeError:
        raise ProjectError(
            f"the project's home {str(home)!a} has a name that is not UTF-8 text",
            hint="rename it, or set MAINSPRING_HOME to another directory",
        ) from None
    try:
        for name in ("attempts", "blobs", "cache", "engines", "snapshots"):
            os.makedirs(home / name, exist_ok=True)
    except OSError as error:
        raise ProjectError(
            f"the project's home {home} can't be used: {error.strerror}",
            hint="make it writable, or set MAINSPRING_HOME to a directory that is",
        ) from None
