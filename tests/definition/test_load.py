"""Importing what a text names."""

import pytest
from tests.definition import digits as example

from mainspring.definition.pipeline import load_pipeline
from mainspring.records.errors import DefinitionError


def test_load_pipeline():
    assert load_pipeline("tests.definition.digits:digits") is example.digits
    with pytest.raises(DefinitionError, match="no pipeline `digit`") as caught:
        load_pipeline("tests.definition.digits:digit", where="p.yaml:3")
    assert caught.value.hint == "did you mean `digits`?"
    assert caught.value.where == "p.yaml:3"
    with pytest.raises(DefinitionError, match="is a StepDefinition, not a pipeline"):
        load_pipeline("tests.definition.digits:load")


def test_import_faults_name_the_place(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mainspring.toml").write_text("")
    (tmp_path / "broken_at_import_x.py").write_text("\n1 / 0\n")
    (tmp_path / "broken_syntax_x.py").write_text("\n\ndef (\n")
    (tmp_path / "broken_import_x.py").write_text("import no_such_module_x\n")
    for name, words, where in [
        ("broken_at_import_x", "ZeroDivisionError: division by zero", "broken_at_import_x.py:2"),
        ("broken_syntax_x", "invalid syntax", "broken_syntax_x.py:3"),
        ("broken_import_x", "imports `no_such_module_x`", "p.yaml:1"),
        ("missing_module_x", "there is no module `missing_module_x`", "p.yaml:1"),
        ("not a module", "names no pipeline", "p.yaml:1"),
    ]:
        with pytest.raises(DefinitionError, match=words) as caught:
            load_pipeline(f"{name}:main", where="p.yaml:1")
        assert caught.value.where == where
