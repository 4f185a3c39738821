"""Images for `environment="Dockerfile"`: built from the source snapshot, once for what they are of.

An image's tag is a digest of its Dockerfile, of the files that this copies, and of the images that
it builds on. Whoever needs one builds it under a lock, all others find it.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mainspring.execution import dockerfile
from mainspring.execution.container_engine import (
    Engine,
    alone,
    engine,
    find_image,
    image_id,
)
from mainspring.records.canonical import digest_of
from mainspring.records.errors import DefinitionError
from mainspring.records.source import SourceFile

REPOSITORY = "localhost/mainspring-environment"
IGNORE = ".dockerignore"
_FRESH = 2.0  # seconds for which an answer holds: a map of thousands asks for each element
_LAST_LINES = 8


class Images:
    """The images of one source snapshot; `read` gives a file's content by its digest, `chosen` is
    the engine of the settings."""

    def __init__(
        self,
        home: Path,
        files: Mapping[str, SourceFile],
        read: Callable[[str], bytes],
        chosen: str = "",
    ) -> None:
        self._chosen = chosen
        self._home = home
        self._files = files
        self._read = read
        self._found: dict[str, tuple[float, str]] = {}

    def id_of(self, path: str, where: str = "") -> str:
        """Return the id of the image of a Dockerfile of the project, which is built if need be.

        Raises DefinitionError when it is not there or can't be built, ContainerError.
        """
        at, found = self._found.get(path, (0.0, ""))
        if time.monotonic() - at > _FRESH:
            found = self._image(path, where)
            self._found[path] = time.monotonic(), found
        return found

    def named(self, image: str, where: str = "") -> str:
        """Return the id of an image that is named. Raises DefinitionError, ContainerError."""
        return image_id(image, where, self._chosen)

    def _image(self, path: str, where: str) -> str:
        if path not in self._files:
            raise DefinitionError(
                f"the environment {path!r} is not in the project",
                where=where or None,
                hint="give the path of a Dockerfile, relative to the project",
            )
        recipe = dockerfile.read(self._text(path))
        files = dockerfile.context(recipe, self._ignore(path), self._files)
        at_engine = engine(self._chosen)
        tag = self._tag(at_engine, path, recipe, files)
        found = find_image(at_engine, tag)
        if found is None:
            lock = self._log(tag).with_suffix(".lock")
            lock.parent.mkdir(parents=True, exist_ok=True)
            with alone(lock):
                found = find_image(at_engine, tag) or self._build(
                    at_engine, path, files, tag, where
                )
                # An image that it builds on may have come with it.
                settled = self._tag(at_engine, path, recipe, files)
                if settled != tag:
                    at_engine.client.images.get(found).tag(*settled.rsplit(":", 1))
        return found

    def _text(self, path: str) -> str:
        return self._read(self._files[path].digest).decode("utf-8", "replace")

    def _ignore(self, path: str) -> str:
        """The text of what is ignored: of the Dockerfile's own file, or of the project's."""
        for name in (path + IGNORE, IGNORE):
            if name in self._files:
                return self._text(name)
        return ""

    def _tag(
        self, at_engine: Engine, path: str, recipe: dockerfile.Recipe, files: list[str]
    ) -> str:
        bases = [(base, find_image(at_engine, base)) for base in recipe.bases if "$" not in base]
        copied = [(name, self._files[name].digest, self._files[name].executable) for name in files]
        digest = digest_of((self._files[path].digest, copied, bases))
        return f"{REPOSITORY}:{digest.partition(':')[2][:40]}"

    def _log(self, tag: str) -> Path:
        return self._home / "cache" / "images" / f"{tag.rpartition(':')[2]}.log"

    def _build(self, at_engine: Engine, path: str, files: list[str], tag: str, where: str) -> str:
        from docker.errors import DockerException

        data = self._context({path, *files})
        lines: list[str] = []
        problem = ""
        try:
            for said in at_engine.client.api.build(
                fileobj=data, custom_context=True, dockerfile=path, tag=tag, rm=True, forcerm=True,
                decode=True,
            ):  # fmt: skip
                lines.append(str(said.get("stream") or said.get("status") or ""))
                problem = str(said.get("error") or problem)
        except (DockerException, OSError) as error:
            problem = str(error)
        self._log(tag).write_text("".join(lines) + problem, encoding="utf-8")
        found = None if problem else find_image(at_engine, tag)
        if found is None:
            tail = "".join(lines).splitlines()[-_LAST_LINES:]
            raise DefinitionError(
                f"the image of {path} can't be built: "
                + "\n".join([problem.strip() or "the engine does not say why", *tail]),
                where=where or None,
                hint=f"the whole output is in {self._log(tag)}",
            )
        return found

    def _context(self, paths: set[str]) -> io.BytesIO:
        """An archive of the files, the same bytes whenever it is made."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for path in sorted(paths):
                file = self._files[path]
                content = self._read(file.digest)
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content), 0o755 if file.executable else 0o644
                tar.addfile(entry, io.BytesIO(content))
        data.seek(0)
        return data
