"""Names of datasets and models, and of their versions."""

from __future__ import annotations

import pytest

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import DefinitionError
from mainspring.records.sources import Named, Source, named, wanted_in, wanted_of


@pytest.mark.parametrize(
    ("kind", "text", "version", "wanted", "key"),
    [
        ("dataset", "digits", None, None, "datasets.digits"),
        ("dataset", "digits@v3", None, "v3", "datasets.digits@v3"),
        ("dataset", "digits@3", None, "v3", "datasets.digits@v3"),
        ("dataset", "digits", 3, "v3", "datasets.digits@v3"),
        ("dataset", "my-data.2", "v10", "v10", "datasets.my-data.2@v10"),
        ("dataset", "digits@blake3:0a1b2c", None, "blake3:0a1b2c", "datasets.digits@blake3:0a1b2c"),
        ("model", "bert@prod", None, "prod", "models.bert@prod"),
        ("model", "bert", "prod", "prod", "models.bert@prod"),
        ("model", "bert@2", None, "v2", "models.bert@v2"),
        ("dataset", "digits@1f9c3a", None, "blake3:1f9c3a", "datasets.digits@blake3:1f9c3a"),
    ],
)
def test_a_name_and_what_is_wanted(kind, text, version, wanted, key):
    found = named(kind, text, version)
    assert (found.wanted, found.key) == (wanted, key)
    assert found == named(kind, found.text)


@pytest.mark.parametrize(
    ("kind", "text", "version", "words"),
    [
        ("dataset", "", None, "is no name of a dataset"),
        ("dataset", "1st", None, "is no name"),
        ("dataset", "a b", None, "is no name"),
        ("dataset", "../x", None, "is no name"),
        ("dataset", "d" * 101, None, "is no name"),
        ("dataset", "digits\n", None, "is no name"),
        ("model", "größe", None, "is no name of a model"),
        ("dataset", "digits@", None, "is no version of dataset 'digits'"),
        ("dataset", "digits@v0", None, "is no version"),
        ("dataset", "digits@prod", None, "is no version"),
        ("dataset", "digits@v1@v2", None, "is no version"),
        ("dataset", "digits", 0, "is no version"),
        ("dataset", "digits", True, "is no version"),
        ("dataset", "digits", 1.5, "is no version"),
        ("dataset", "digits@blake3:xyz", None, "is no version"),
        ("dataset", "digits@v1", 2, "has two versions"),
        ("model", "bert@a b", None, "an alias"),
    ],
)
def test_what_is_no_name_or_version(kind, text, version, words):
    with pytest.raises(DefinitionError, match=words) as caught:
        named(kind, text, version, where="p.py:3")
    assert caught.value.where == "p.py:3"
    if "alias" in words:
        assert "alias" in str(caught.value.hint)


def test_versions_from_the_command_line_and_from_python():
    assert wanted_in("dataset", ["digits@2", "x@v1"]) == {
        "datasets.digits": "v2",
        "datasets.x": "v1",
    }
    assert wanted_of("model", {"bert": 2, "gpt": "prod"}) == {
        "models.bert": "v2",
        "models.gpt": "prod",
    }
    with pytest.raises(DefinitionError, match="says no version of dataset 'digits'"):
        wanted_in("dataset", ["digits"])
    with pytest.raises(DefinitionError, match="is no version"):
        wanted_of("dataset", {"digits": None})


def test_titles():
    ref = ArtifactRef(digest="blake3:a", size=1, format="file")
    source = Source(kind="model", name="bert", version="v2", digest="blake3:b", ref=ref)
    assert source.title == "bert@v2"
    assert Named("model", "bert").key == "models.bert"
