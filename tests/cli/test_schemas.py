from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from mainspring.cli import schemas


@pytest.mark.parametrize("name", schemas.RECORDS)
def test_published_schema_is_up_to_date(name: str) -> None:
    text = (schemas.DIRECTORY / f"{name}.schema.json").read_text("utf-8")
    assert text == schemas.text_of(name)
    Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("name", schemas.RECORDS)
def test_schema_insists_on_its_format(name: str) -> None:
    validator = Draft202012Validator(schemas.schema_of(name))
    assert not validator.is_valid({})
    assert not validator.is_valid({"format": f"mainspring.{name}/999"})


def test_check_tells_what_is_stale(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas, "DIRECTORY", tmp_path)
    assert schemas.main(["--check"]) == 1
    assert "why.schema.json is stale" in capsys.readouterr().err
    assert schemas.main(["--write"]) == 0
    assert schemas.main(["--check"]) == 0
    assert schemas.main([]) == 2
