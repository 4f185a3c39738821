"""What vouches for a capsule: an in-toto statement with SLSA provenance, over all that is in it.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from mainspring.app.capsule.packing import (
    ARTIFACTS,
    BLOBS,
    CAPSULE,
    CRATE,
    DATA,
    ENVIRONMENT,
    MANIFEST,
    SPEC,
)
from mainspring.records.canonical import canonical
from mainspring.records.capsule import LeftOut, PackedFile, Past

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:mainspring:run:1"
BUILDER = "urn:mainspring:engine"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is about; in-toto leaves both fields optional, ours have them."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An in-toto statement; the predicate is not looked into when it is read."""

    kind: str = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: msgspec.Raw


def statement(
    past: Past, files: Mapping[str, PackedFile], left_out: Iterable[LeftOut], program: str
) -> bytes:
    """Return the statement's bytes. `files` are all of the capsule but what vouches for it."""
    subjects = [
        {"name": found.path, "digest": _digests(found)}
        for path, found in sorted(files.items())
        if path == CAPSULE or path.startswith((ARTIFACTS, BLOBS, DATA))
    ]
    made = {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": _definition(past, files, left_out),
            "runDetails": _details(past, files, program),
        },
    }
    return canonical(made)


def _definition(
    past: Past, files: Mapping[str, PackedFile], left_out: Iterable[LeftOut]
) -> dict[str, Any]:
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "pipeline": past.run.pipeline,
            "spec": past.run.spec,
            "parameters": past.run.parameters,
            "seed": past.run.seed,
        },
        "internalParameters": {
            "forced": list(past.run.forced),
            "leftOut": [{"digest": found.digest, "why": found.why} for found in left_out],
        },
        "resolvedDependencies": _dependencies(past, files),
    }


def _details(past: Past, files: Mapping[str, PackedFile], program: str) -> dict[str, Any]:
    return {
        "builder": {"id": BUILDER, "version": {"mainspring": program.rpartition(" ")[2]}},
        "metadata": {
            "invocationId": past.run.id,
            "startedOn": moment(past.run.started or past.run.created),
            "finishedOn": moment(past.run.ended or past.run.created),
        },
        "byproducts": [
            {"name": name, "digest": _digests(files[name])} for name in (CRATE, CAPSULE)
        ],
    }


def _dependencies(past: Past, files: Mapping[str, PackedFile]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "uri": f"urn:mainspring:{name}", "digest": _digests(files[name])}
        for name in (MANIFEST, SPEC, ENVIRONMENT)
        if name in files
    ]
    found += [
        {"name": name, "uri": f"urn:mainspring:{source.kind}:{source.name}@{source.version}",
         "digest": {"blake3": source.digest.rpartition(":")[2]}}
        for name, source in sorted(past.run.sources.items())
    ]  # fmt: skip
    versions: dict[str, str] = {}
    for static in past.statics.values():
        versions.update(static.environment)
    found += [
        {"name": name, "uri": f"pkg:pypi/{name}@{version.partition('+')[0]}",
         "annotations": {"version": version}}
        for name, version in sorted(versions.items())
    ]  # fmt: skip
    return found


def _digests(found: PackedFile) -> dict[str, str]:
    return {"sha256": found.sha256, "blake3": found.blake3.partition(":")[2]}


def moment(at: float) -> str:
    """Return a time as RFC 3339 has it, in whole milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
