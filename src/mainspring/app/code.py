"""The input-independent part of every key: code, environment, options, variables, platform."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from mainspring.app.reader import Artifacts
from mainspring.execution.orders import threads_of
from mainspring.execution.reads import digest_in
from mainspring.planning import locks
from mainspring.planning.cells import notebook_fingerprint
from mainspring.planning.fingerprint import CodeBase
from mainspring.planning.keys import SEMANTICS
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import digest_bytes, digest_of
from mainspring.records.environments import Lock
from mainspring.records.errors import DefinitionError
from mainspring.records.notebook import is_notebook
from mainspring.records.source import CodePart, Fingerprint, Manifest, Static
from mainspring.records.spec import CommandNode, StepNode
from mainspring.storage.environment import Inventory, platform_key
from mainspring.storage.serializers.contents import ANYTHING

if TYPE_CHECKING:
    from mainspring.execution.images import Images


class Code:
    """One source snapshot: fingerprints of its steps, digests of its files."""

    def __init__(
        self,
        manifest: Manifest,
        base: CodeBase,
        inventory: Inventory,
        artifacts: Artifacts,
        images: Callable[[], Images],
    ) -> None:
        """`images` is asked only by steps in containers: most projects have none."""
        self._images = cache(images)
        self._artifacts = artifacts
        self._base = base
        self._inventory = inventory
        self._files = {file.path: file.digest for file in manifest.files}
        self._listings: dict[str, str] = {}
        self._statics: dict[str, tuple[str, Static]] = {}
        self._platform = platform_key()
        self._locks: dict[str, Lock | None] = {}

    def static(self, work: StepNode | CommandNode) -> tuple[str, Static]:
        """Return the digest and the record of a step's static part. Raises DefinitionError."""
        code = work.uses if isinstance(work, StepNode) else (work.command, work.shell, work.files)
        # An image may be built anew at any time: which one is meant is asked each time.
        image = self._image(work)
        name = repr((code, work.options, work.outputs, image))
        found = self._statics.get(name)
        if found is None:
            made = (
                self._step(work, image)
                if isinstance(work, StepNode)
                else self._command(work, image)
            )
            found = self._statics[name] = (identity(made), made)
        return found

    def source_digest(self, path: str) -> str:
        """The digest of a project file, or of a directory's listing (`dir/`), or "absent"."""
        if not path.endswith(("/", "?")):
            return digest_in(self._files, path)
        if path not in self._listings:
            self._listings[path] = digest_in(self._files, path)
        return self._listings[path]

    def value_digest(self, ref: ArtifactRef) -> str:
        """The digest of the project's code that a stored value brings with it, or "".

        A value of a project's class behaves as its class does now, and one in a format of the
        project is what that format reads now. What a pickle may hold is not known, so it counts
        all of the project's code.
        """
        found = self._artifacts.classes(ref)
        if ANYTHING in found:
            return self._base.everything().digest
        return "".join(sorted(map(self.class_digest, found)))

    def class_digest(self, name: str) -> str:
        """The digest of the code of a class of the project (`module:Class`); "" for others."""
        return self._base.fingerprint(name).digest if self._base.has_module(name) else ""

    def lock(self, work: StepNode | CommandNode) -> Lock | None:
        """The lock of a step's own environment, or None. Raises DefinitionError."""
        path = work.options.environment
        if path is None:
            return None
        if path not in self._locks:
            self._locks[path] = self._find_lock(path, work.where)
        found = self._locks[path]
        python = isinstance(work, StepNode)
        if (found is None and not python) or (found and found.kind == "renv" and python):
            raise DefinitionError(
                f"{path!r} is for {'commands in R' if python else 'Python steps'}",
                where=work.where or None,
                hint="a Python step has a lock of Python packages, or a Dockerfile; a command has "
                "a lock, or is a `container(image, ...)`",
            )
        return found

    def _find_lock(self, path: str, where: str) -> Lock | None:
        if path in self._files and not locks.is_lock(path):
            return None  # a Dockerfile
        if path not in self._files and not any(p.startswith(path + "/") for p in self._files):
            raise DefinitionError(
                f"the environment {path!r} is not in the project",
                where=where or None,
                hint="give the path of a lock, of a folder with one, or of a Dockerfile, relative "
                "to the project",
            )
        return self.read_lock(path)

    def read_lock(self, path: str) -> Lock:
        """The lock at a path of the project, or in a folder of it. Raises DefinitionError."""
        running = (sys.version_info[0], sys.version_info[1])
        return locks.read(self._files, self._base.read, path, running=running)

    def own_lock(self) -> str | None:
        """The path of the lock in the project's root, if there is one."""
        return locks.find(self._files, "")

    def read(self, path: str) -> bytes:
        """The content of a file of the project."""
        return self._base.read(path)

    def packages(self) -> dict[str, str]:
        """The distributions that any of the project's code reaches, with their versions."""
        return self._inventory.closure(self._base.everything().packages)

    def _image(self, work: StepNode | CommandNode) -> dict[str, str]:
        """Which image a step in a container means now, by its id, and whether it has a network."""
        if isinstance(work, StepNode):
            path = work.options.environment
            if path is None or self.lock(work) is not None:
                return {}
            return {"image": self._images().id_of(path, work.where)}
        if not work.image:
            return {}
        found = self._images().named(work.image, work.where)
        return {"image": found, "network": "yes" if work.network else "no"}

    def _step(self, work: StepNode, image: dict[str, str]) -> Static:
        if is_notebook(work.uses):
            found = self._notebook(work)
        else:
            found = self._base.fingerprint(work.uses)
        # What is installed on this machine is nothing to a step that has an image, or a lock.
        alone = bool(image) or self.lock(work) is not None
        installed = {} if alone else self._inventory.closure(found.packages)
        return self._static(work, found.parts, installed, image)

    def _notebook(self, work: StepNode) -> Fingerprint:
        """Its code cells as they are, and the code of the project that they reach."""
        if work.uses not in self._files:
            raise DefinitionError(
                f"the notebook {work.uses!r} is not in the project", where=work.where
            )
        return notebook_fingerprint(self._base, work.uses)

    def _command(self, work: CommandNode, image: dict[str, str]) -> Static:
        parts: list[CodePart] = []
        for path in work.files:
            digest = self._files.get(path)
            if digest is None:
                raise DefinitionError(f"the file {path!r} is not in the project", where=work.where)
            parts.append(CodePart(name=path, digest=digest, where=path))
        text = digest_bytes(f"{work.shell}\0{work.command}".encode())
        parts.append(CodePart(name="command", digest=text, where=work.where))
        return self._static(work, tuple(parts), {}, image or _program(work))

    def _static(
        self,
        work: StepNode | CommandNode,
        parts: tuple[CodePart, ...],
        environment: dict[str, str],
        programs: dict[str, str],
    ) -> Static:
        lock = self.lock(work)
        if lock is not None:
            environment = {str(work.options.environment): f"{lock.main} {lock.digest[7:23]}"}
        options = {"threads": str(threads_of(work)), **programs}
        options |= {f"output {name}": kind for name, kind in work.outputs.items()}
        if work.options.version is not None:
            options["version"] = work.options.version
        if not work.options.deterministic:
            options["deterministic"] = "no"
        return Static(
            code=parts,
            environment=environment,
            options=options,
            variables={name: _variable(name) for name in work.options.env},
            platform=platform_key(lock.python) if lock and lock.python else self._platform,
            semantics=SEMANTICS,
        )


def identity(static: Static) -> str:
    """Return the digest of a static part, wherever in its file the code stands."""
    code = [(part.name, part.digest) for part in static.code]
    return digest_of((code, msgspec.structs.replace(static, code=())))


def _variable(name: str) -> str:
    value = os.environ.get(name)
    return "unset" if value is None else digest_bytes(value.encode())


def _program(work: CommandNode) -> dict[str, str]:
    """Which program a command names: it is no part of the snapshot, so its file's stamp is in
    the key (an upgrade makes the step run again)."""
    word = work.command.split()[0] if work.command.split() else ""
    found = None if work.shell or word.startswith("{") else shutil.which(word)
    if found is None:
        return {}
    stat = os.stat(found)
    return {f"program {word}": f"{os.path.realpath(found)} {stat.st_size} {stat.st_mtime_ns}"}
