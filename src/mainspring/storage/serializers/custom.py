"""The format "custom": values stored by a format of the project (`stored_as`).

A manifest says which format, class and type it is, and has the preview; what `save` wrote are
blobs of their own, like those of a file or directory. Nothing of the project is imported to show
it: only what loads the value runs the format's code.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from mainspring.records.canonical import canonical
from mainspring.records.errors import SerializationError
from mainspring.records.formats import METHODS
from mainspring.storage.serializers import files, marks
from mainspring.storage.serializers.base import (
    ROOT,
    Sink,
    Source,
    Unsupported,
    class_text,
    damaged,
    shorten,
    type_text,
)
from mainspring.storage.serializers.classes import class_name, find_class
from mainspring.storage.serializers.contents import ANYTHING

KEPT = 2000  # characters of a preview


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored: `format` is the class (`module:Class`), `name` and `version` are its own."""

    name: str
    version: int
    format: str
    type: str
    data_only: bool = False
    preview: str = ""
    file: files.FileEntry | None = None
    tree: files.Tree | None = None


class Custom:
    """A value as its own format wrote it. Its `load` is the project's code, so never data only."""

    name = "custom"
    data_only = False
    refers = True

    def dump(self, value: object, hint: object, sink: Sink) -> None:
        """Have the format write the value, and store the files."""
        found = marks.own_format(value, hint)
        if found is None:
            raise Unsupported("no format is given for it")
        if not sink.allow_pickle:
            raise SerializationError(
                f"a {type_text(value)} is stored by a format of the project, which is refused here",
                where=ROOT,
                hint="only formats that need no code of a project may cross a trust border",
            )
        try:
            place, kind = class_name(found, ""), class_name(type(value), "")
        except Unsupported as error:
            raise error.explain(value, found.name) from error
        with marks.watched(), tempfile.TemporaryDirectory(prefix="format-") as scratch:
            made = _made(found)
            path = Path(scratch, "value" + getattr(found, "suffix", ""))
            _saved(made, value, path)
            text = _preview(made, value)
            file, tree = None, None
            if path.is_dir():
                tree = files.store_tree(path, path.name, sink)
            else:
                file = files.store_file(path, path.name, sink)
        manifest = Manifest(
            name=found.name,
            version=getattr(found, "version", 1),
            format=place,
            type=kind,
            data_only=getattr(found, "data_only", False) is True,
            preview=text,
            file=file,
            tree=tree,
        )
        sink.write(canonical(manifest))

    def load(self, source: Source) -> object:
        """Give the files to the format's `load`; what it returns must be of the stored type."""
        manifest = _read(source)
        if not source.reading.allow_pickle:
            raise SerializationError(
                f"a value stored by the project's format {manifest.name!r} is refused here",
                hint="only formats that need no code of a project may cross a trust border",
            )
        cls: Any = find_class(manifest.format, "a format", _is_format)
        version = getattr(cls, "version", 1)
        if version != manifest.version or cls.name != manifest.name:
            raise SerializationError(
                f"the value was stored by {manifest.name!r}, version {manifest.version}; "
                f"{manifest.format} is {cls.name!r}, version {version}",
                hint="run the step that made it again",
            )
        with marks.watched(), _scratch(source) as place:
            path = _laid_out(manifest, source, place)
            value = _made(cls).load(path)
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        if kind != manifest.type:
            raise SerializationError(
                f"load of the format {manifest.name!r} returned a {type_text(value)}, where "
                f"a {manifest.type.replace(':', '.')} was saved",
                where=manifest.format,
                hint="load has to return what save was given",
            )
        return value

    def lay_out(self, source: Source) -> Path:
        """What `save` wrote, in the work directory."""
        return _laid_out(_read(source), source, source.reading.workdir)

    def preview(self, source: Source, limit: int) -> str:
        """What the format said of the value when it was saved; nothing is imported."""
        manifest = _read(source)
        lines = [f"{manifest.type.replace(':', '.')}, by {manifest.name} {manifest.version}"]
        lines[0] += f" ({manifest.format.replace(':', '.')})"
        if manifest.preview:
            lines.append(manifest.preview)
        stored = manifest.file or manifest.tree
        if isinstance(stored, files.FileEntry):
            lines.append(files.line(stored))
        elif stored is not None:
            lines.append(files.listing(stored, limit))
        return shorten("\n".join(lines), limit)

    def references(self, source: Source) -> Iterator[str]:
        """The content of what was saved."""
        manifest = _read(source)
        entries = manifest.tree.files if manifest.tree else ()
        for entry in (manifest.file, *entries):
            if entry is not None:
                yield entry.digest

    def classes(self, source: Source) -> Iterator[str]:
        """The format, the value's class, and (unless the format says otherwise) anything else."""
        manifest = _read(source)
        yield manifest.format
        yield manifest.type
        if not manifest.data_only:
            yield ANYTHING


def _is_format(found: type) -> bool:
    methods = all(callable(getattr(found, method, None)) for method in METHODS)
    return methods and isinstance(getattr(found, "name", None), str)


def _made(cls: Any) -> Any:
    try:
        return cls()
    except TypeError as error:
        raise SerializationError(
            f"the format {class_text(cls)} can't be made without arguments: {error}",
            hint="give the parameters of its __init__ defaults",
        ) from error


def _saved(made: Any, value: object, path: Path) -> None:
    made.save(value, path)
    if not path.is_file() and not path.is_dir():
        raise SerializationError(
            f"save of the format {made.name!r} wrote nothing at the path it was given",
            where=class_text(cast("type[Any]", type(made))),
            hint="write a file or a directory at `path`; a suffix goes into the class: "
            'suffix = ".mol"',
        )


def _preview(made: Any, value: object) -> str:
    show = getattr(made, "preview", None)
    text: object = "" if show is None else show(value)
    if not isinstance(text, str):
        raise SerializationError(
            f"preview of the format {made.name!r} returned a {type_text(text)}, not a text",
            where=class_text(cast("type[Any]", type(made))),
        )
    return shorten(text.encode("utf-8", "replace").decode(), KEPT)


def _read(source: Source) -> Manifest:
    try:
        found = msgspec.json.decode(source.read(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(f"its manifest is not valid ({error})") from error
    if (found.file is None) == (found.tree is None):
        raise damaged("its manifest names no content")
    return found


@contextlib.contextmanager
def _scratch(source: Source) -> Generator[Path]:
    """A place for the files that stays as long as the value may need it."""
    workdir = source.reading.workdir
    if workdir is not None:
        yield workdir
        return
    with tempfile.TemporaryDirectory(prefix="format-") as made:
        yield Path(made)


def _laid_out(manifest: Manifest, source: Source, workdir: Path | None) -> Path:
    if manifest.file is not None:
        return files.lay_out_file(source, manifest.file, workdir)
    return files.lay_out_tree(source, cast("files.Tree", manifest.tree), workdir)
