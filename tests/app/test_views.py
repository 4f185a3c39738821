from __future__ import annotations

import inspect

import msgspec

from mainspring.app import views
from mainspring.records.artifacts import ArtifactRef


def test_formats_are_versioned_and_unlike() -> None:
    records = [v for v in vars(views).values() if inspect.isclass(v) and issubclass(v, views.View)]
    formats = [
        field.default
        for record in records
        for field in msgspec.structs.fields(record)
        if field.name == "format" and isinstance(field.default, str)
    ]
    assert len(formats) == len(set(formats)) > 8
    assert all(text.startswith("mainspring.") and text.endswith("/1") for text in formats)


def test_artifact() -> None:
    ref = ArtifactRef(digest="blake3:0", size=3, format="list", type="list", count=2)
    shown = msgspec.to_builtins(views.artifact_view("a", "b", ref))
    assert shown == {
        "task": "a", "output": "b", "digest": "blake3:0", "size": 3, "format": "list",
        "type": "list", "data_only": True, "count": 2,
    }  # fmt: skip
