"""The JSON Schema of mainspring.toml: `python tools/settings_schema.py` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from mainspring.settings import Settings

FILE = Path(__file__).parents[1] / "docs" / "reference" / "schemas" / "settings.schema.json"


def schema() -> dict[str, Any]:
    """Return the schema (2020-12), generated from the records that read the file."""
    made = msgspec.json.schema(Settings, ref_template="#/$defs/{name}")
    made.update(made["$defs"].pop("Settings"))
    del made["$ref"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "mainspring.toml",
    }


def text() -> str:
    """Return the published text."""
    data = msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode()
    return re.sub(r"[ \t]+$", "", data, flags=re.MULTILINE) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
