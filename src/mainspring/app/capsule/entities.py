"""The parts of a crate's metadata that stand for files, and how its parts name each other."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from mainspring.app.capsule import packing
from mainspring.records.capsule import PackedFile, Past
from mainspring.records.metrics import MetricSummary
from mainspring.records.spec import PipelineSpec

Entity = dict[str, Any]

_TYPES = {
    ".py": "text/x-python", ".yaml": "application/yaml", ".toml": "application/toml",
    ".md": "text/markdown", ".npy": "application/x-npy", ".ipynb": "application/x-ipynb+json",
    ".arrow": "application/vnd.apache.arrow.file", ".onnx": "application/onnx",
}  # fmt: skip
_BYTES = "application/octet-stream"
_ABOUT = {
    packing.README: "What this is, and what can be done with it",
    packing.CARD: "Model card",
    packing.CAPSULE: "All records of the run, and every file with its digests",
    packing.SEAL: "SLSA provenance as an in-toto statement in a DSSE envelope",
    packing.MANIFEST: "The files of the source, with their digests",
    packing.SPEC: "The pipeline's exact spec",
    packing.ENVIRONMENT: "What the run ran in: its lock, interpreter, machine and libraries",
    packing.METRICS: "Every point of every metric that was logged",
}


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What a crate is made of. `places` are the capsule's files by the digest of their content."""

    past: Past
    spec: PipelineSpec
    metrics: list[MetricSummary]
    files: Mapping[str, PackedFile]
    places: Mapping[str, str]
    program: str


def ref(name: str) -> Entity:
    """Return how another part is named."""
    return {"@id": name}


def name_of(path: str) -> str:
    """Return a path, or a name, as part of a URI."""
    return quote(path)


def listed(told: Telling) -> Iterator[str]:
    """What is told of one by one: the source, what people read, results of tasks."""
    for path in told.files:
        if not path.startswith(packing.BLOBS):
            yield path
    for task in told.past.tasks:
        if task.index is None:
            for ref in task.outputs.values():
                place = told.places.get(ref.digest, "")
                if place.startswith(packing.BLOBS):
                    yield place
    yield from (packing.CAPSULE, packing.SEAL)


def file_entities(told: Telling) -> Iterator[Entity]:
    """Yield every file that is told of, but the workflow."""
    for path in listed(told):
        if path != packing.WORKFLOW:
            yield file_entity(told, path)


def file_entity(told: Telling, path: str) -> Entity:
    """Return what is told of a file."""
    made: Entity = {"@id": name_of(path), "@type": "File", "name": _ABOUT.get(path, path)}
    ending = path[path.rfind(".") :] if "." in path else ""
    if path == packing.README:
        made["about"] = ref("./")
    made["encodingFormat"] = _TYPES.get(ending) or mimetypes.guess_type(path)[0] or _BYTES
    found = told.files.get(path)
    if found is not None:
        made |= {"contentSize": str(found.size), "sha256": found.sha256}
    return made
