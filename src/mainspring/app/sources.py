"""Datasets and models by name: resolved to versions once, checked, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mainspring.app.data.verifying import forget_reading
from mainspring.app.project import Project
from mainspring.definition import types
from mainspring.definition.assignability import assignable
from mainspring.planning.expand import RunGraph
from mainspring.planning.sources import PATHS, Use, names_in, takes_path, type_members, uses
from mainspring.planning.sources import table_of as table_of_text
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import (
    BlobError,
    DefinitionError,
    MainspringError,
    NotFoundError,
)
from mainspring.records.sources import Named, Source, named
from mainspring.records.spec import PipelineSpec
from mainspring.storage.serializers import registry, tables


def resolve(
    project: Project,
    spec: PipelineSpec,
    wanted: Mapping[str, str] = {},
    recorded: Mapping[str, Source] = {},
) -> dict[str, Source]:
    """Return the version that each dataset and model of a pipeline stands for now, by key.

    What is `recorded` of an earlier run stands, unless another version is `wanted` beside the
    pipeline's own words (`datasets.digits` -> `v2`). Raises
    NotFoundError for what is not there, DefinitionError for what nothing in the pipeline names,
    BlobError where a version's content is gone.
    """
    found = names_in(spec)
    _check_wanted(spec, wanted, found)
    made: dict[str, Source] = {}
    for key, (asked, where) in found.items():
        version = wanted.get(key) if asked.wanted is None else None
        if version is None and key in recorded:
            made[key] = recorded[key]
        else:
            made[key] = version_of(project, asked._replace(wanted=version or asked.wanted), where)
        check_content(project, made[key], where)
    return made


def _check_wanted(
    spec: PipelineSpec, wanted: Mapping[str, str], found: Mapping[str, tuple[Named, str]]
) -> None:
    for key in wanted:
        if key in found:
            continue
        root, _, name = key.partition(".")
        fixed = [one for one, _ in found.values() if (f"{one.kind}s", one.name) == (root, name)]
        if fixed:
            raise DefinitionError(
                f"{spec.name} itself says which version of {name!r} it uses: {fixed[0].text}",
                where=found[fixed[0].key][1] or None,
                hint=f"change it there, or write {name!r} there without a version",
            )
        known = ", ".join(one.text for one, _ in found.values() if f"{one.kind}s" == root)
        raise DefinitionError(
            f"{spec.name} uses no {root[:-1]} {name!r}", hint=f"it uses {known or 'none'}"
        )


def version_of(project: Project, asked: Named, where: str) -> Source:
    try:
        if asked.kind == "dataset":
            data = project.store.read.dataset_version(asked.name, asked.wanted)
            return Source(
                kind="dataset", name=asked.name, version=f"v{data.number}", digest=data.digest,
                ref=data.ref, files=data.files, rows=data.rows, size=data.size,
            )  # fmt: skip
        model = project.store.read.model_version(asked.name, asked.wanted)
    except NotFoundError as error:
        raise NotFoundError(error.what, where=where or None, hint=_hint(asked, error)) from None
    version = f"v{model.number}"
    alias = asked.wanted if asked.wanted not in (None, version) else None
    if alias is not None and alias.startswith("blake3:"):
        alias = None
    return Source(
        kind="model", name=asked.name, version=version, digest=model.digest, ref=model.ref,
        alias=alias, files=model.files, size=model.size,
    )  # fmt: skip


def _hint(asked: Named, error: NotFoundError) -> str | None:
    make = "data add" if asked.kind == "dataset" else "models import"
    said = f"`mainspring {make} {asked.name} PATH` makes a version"
    if error.hint is None or "mainspring" in error.hint:
        return said if asked.wanted is None else error.hint
    return f"{error.hint}; {said}" if asked.wanted is None else error.hint


def check_content(project: Project, source: Source, where: str) -> None:
    """Refuse a version whose content is gone or, where it is kept elsewhere, has changed."""
    try:
        missing = first_missing(project, source.ref)
        if missing is None and source.ref.format == "reference":
            registry.lay_out(source.ref, project.blobs, project.home / "cache")
    except MainspringError as error:
        place = f" ({error.where})" if error.where else ""
        raise BlobError(
            f"{source.kind} {source.title} can't be used: {error.what}{place}",
            where=where or None,
            hint=error.hint,
        ) from None
    if missing is not None:
        if source.kind == "dataset":
            forget_reading(project, source.name)  # so that `data add` looks at all of it again
        verb = "data add" if source.kind == "dataset" else "models import"
        raise BlobError(
            f"{source.kind} {source.title} can't be used: a part of its content is gone "
            f"({missing[:23]}…)",
            where=where or None,
            hint=f"`mainspring {verb} {source.name} …` with the same content brings it back",
        )


def first_missing(project: Project, ref: ArtifactRef) -> str | None:
    """Return the digest of the first blob that a value needs and that is not there.

    Their bytes are not read here: who opens the value checks them.
    """
    if not project.blobs.has(ref.digest):
        return ref.digest
    inside = registry.references(ref, project.blobs)
    return next((digest for digest in inside if not project.blobs.has(digest)), None)


def check_uses(
    project: Project, spec: PipelineSpec, parameters: Mapping[str, Any], found: Mapping[str, Source]
) -> None:
    """Raise DefinitionError where a step asks for what a version can't be given as."""
    if not found:
        return
    graph = RunGraph(spec, parameters, found).graph
    for use in uses(graph):
        if use.key in found:
            _check_use(project, use, found[use.key])


def _check_use(project: Project, use: Use, source: Source) -> None:
    members = type_members(use.type)
    if any(takes_path(member) for member in members):
        return
    if source.ref.format not in PATHS and source.kind == "model":
        if assignable(types.read(source.ref.type or "any"), types.read(use.type)):
            return
        raise _unfit(use, source, f"holds a {source.ref.type}", "annotate it so")
    if table_of_text(use.type) is None:
        raise _unfit(use, source, "is given as a path", "annotate it `pathlib.Path`")
    name = table_file(project, source)
    if name is None or tables.suffix_of(name) is None:
        kinds = ", ".join(tables.SUFFIXES)
        what = f"is {source.files:,} files" if name is None else f"is the file {name}"
        raise _unfit(
            use, source, what, f"a table is read from one file ({kinds}); annotate it "
            "`pathlib.Path` and read it in the step",
        )  # fmt: skip


def _unfit(use: Use, source: Source, what: str, hint: str) -> DefinitionError:
    return DefinitionError(
        f"input `{use.port}` of step `{use.step}` is {use.type}, but {source.kind} "
        f"{source.title} {what}",
        where=use.where or None,
        hint=hint,
    )


def table_file(project: Project, source: Source) -> str | None:
    """Return the name of the only file of a version; None where it has more."""
    return tables.only_file(source.ref, project.blobs) if source.files == 1 else None


def compare(project: Project, before: str, after: str) -> str:
    """Say in what two versions (`data digits@v3`, `data digits@v4`) differ: `12 files changed`.
    "" where one of them is gone, or is not kept as files here."""
    try:
        old, new = (_files_of(project, title) for title in (before, after))
    except (MainspringError, msgspec.DecodeError):
        return ""
    changed = [
        sum(name in old and old[name] != digest for name, digest in new.items()),
        sum(name not in old for name in new),
        sum(name not in new for name in old),
    ]
    words = [
        f"{count:,} file{'' if count == 1 else 's'} {what}"
        for count, what in zip(changed, ("changed", "added", "removed"), strict=True)
        if count
    ]
    return ", ".join(words)


def _files_of(project: Project, title: str) -> dict[str, str]:
    word, _, rest = title.partition(" ")
    asked = named("dataset" if word == "data" else "model", rest)
    return tables.digests(version_of(project, asked, "").ref, project.blobs)
