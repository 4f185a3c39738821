"""The JSON Schemas of what `--json` prints: `python -m mainspring.cli.schemas --check | --write`.

Generated from the records, so that they can't disagree; kept in docs/reference/schemas/, so that a
change of format is seen in review.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, cast

import msgspec

from mainspring.app import verdict_views, views
from mainspring.app.annotations import AnnotationsView
from mainspring.app.capsule import views as capsules
from mainspring.app.data import views as data_views
from mainspring.app.lineage import LineageView
from mainspring.cli.complaint import ErrorView
from mainspring.records.plan import Plan

DIRECTORY = Path(__file__).resolve().parents[3] / "docs" / "reference" / "schemas"

RECORDS: dict[str, type[msgspec.Struct]] = {
    "plan": Plan,
    "runs": views.RunsView,
    "run": views.RunDetail,
    "task": views.TaskDetail,
    "result": views.ResultView,
    "engine": views.EngineView,
    "why": views.WhyView,
    "diff": views.DiffView,
    "annotations": AnnotationsView,
    "lineage": LineageView,
    "log": views.LogLine,
    "artifacts": views.ArtifactsView,
    "preview": views.PreviewView,
    "written": views.WrittenView,
    "environments": views.EnvironmentView,
    "gc": views.WasteView,
    "doctor": views.DoctorView,
    "store": views.StoreView,
    "values": views.ValuesView,
    "data-added": data_views.AddedView,
    "datasets": data_views.DatasetsView,
    "dataset": data_views.DatasetView,
    "data-diff": data_views.DataDiffView,
    "data-check": data_views.DatasetCheckView,
    "data-checkout": data_views.CheckoutView,
    "export": capsules.ExportView,
    "import": capsules.ImportView,
    "keys": capsules.KeysView,
    "determinism": verdict_views.DeterminismView,
    "verification": verdict_views.VerificationView,
    "error": ErrorView,
}


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one format."""
    record = RECORDS[name]
    made = msgspec.json.schema(record, ref_template="#/$defs/{name}")
    version = _format(record)
    made.update(made["$defs"].pop(record.__name__))
    del made["$ref"]
    made["properties"]["format"] = {"const": version}
    required: list[str] = made.setdefault("required", [])
    required.append("format")
    _drop_defaults(made)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": version,
        **{key: value for key, value in made.items() if key != "title"},
    }


def _format(record: type[msgspec.Struct]) -> str:
    field = next(f for f in msgspec.structs.fields(record) if f.name == "format")
    assert isinstance(field.default, str)
    return field.default


def _drop_defaults(node: Any) -> None:
    """What is printed has every field that the record does not leave out: defaults say nothing."""
    if isinstance(node, dict):
        found = cast("dict[str, Any]", node)
        found.pop("default", None)
        for value in found.values():
            _drop_defaults(value)
    elif isinstance(node, list):
        for value in cast("list[Any]", node):
            _drop_defaults(value)


def text_of(name: str) -> str:
    """Return the published text of a schema."""
    data = msgspec.json.format(msgspec.json.encode(schema_of(name)), indent=2).decode()
    return re.sub(r"[ \t]+$", "", data, flags=re.MULTILINE) + "\n"


def main(arguments: list[str]) -> int:
    """Write the schemas, or say which files are stale; return the exit status."""
    paths = {name: DIRECTORY / f"{name}.schema.json" for name in RECORDS}
    if arguments == ["--write"]:
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            path.write_text(text_of(name), "utf-8")
        return 0
    if arguments != ["--check"]:
        print("usage: python -m mainspring.cli.schemas --check | --write", file=sys.stderr)
        return 2
    stale = [
        path.name
        for name, path in paths.items()
        if not path.exists() or path.read_text("utf-8") != text_of(name)
    ]
    for name in stale:
        print(f"{name} is stale: python -m mainspring.cli.schemas --write", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
