"""The published JSON Schema of pipeline files."""

import json
from pathlib import Path

import pytest
import yaml as pyyaml
from tests.definition import digits as example
from tests.definition.test_yaml import DIGITS, REFUSED

from mainspring.definition import yaml
from mainspring.definition.schema import schema, schema_text

SCHEMA_FILE = Path(__file__).parents[2] / "docs/reference/schemas/pipeline.schema.json"


def test_the_published_schema_is_up_to_date():
    assert SCHEMA_FILE.read_text() == schema_text()


def test_the_schema_accepts_what_reading_accepts_and_refuses_wrong_keys(project):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    for text in (DIGITS, yaml.dump(example.digits.spec)):
        validator.validate(pyyaml.safe_load(text))
    for name in ("unknown key", "unknown step key", "step a text", "repeat key", "newer format"):
        document = pyyaml.safe_load(REFUSED[name][0])
        assert not validator.is_valid(document), name
    assert json.loads(schema_text()) == schema()
