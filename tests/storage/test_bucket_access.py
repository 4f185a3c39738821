from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.records.errors import ProjectError
from mainspring.storage.bucket_access import access_variables, parse_url, store_config


def test_a_url_is_taken_apart():
    assert str(parse_url("s3://bucket//a%20b/c/")) == "s3://bucket/a b/c"


@pytest.mark.parametrize(
    "url",
    ["s3://key:hidden@b/p", "s3://b/../p", "s3://", "ftp://b", "/b", "s3://b?token=hidden"],
)
def test_bad_urls_are_refused_without_repeating_secrets(url: str):
    with pytest.raises(ProjectError) as caught:
        parse_url(url)
    assert "hidden" not in str(caught.value)


def test_only_access_variables_are_handed_on():
    given = {"AWS_SECRET_ACCESS_KEY": "s", "PATH": "/", "https_proxy": "p"}
    assert set(access_variables(given)) == {"AWS_SECRET_ACCESS_KEY", "https_proxy"}


def test_a_profile_file_is_read(tmp_path: Path):
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = k\naws_secret_access_key = s\n", "utf-8")
    names = {"AWS_PROFILE": "work", "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    config = store_config(parse_url("s3://b"), {**names, "AWS_CONFIG_FILE": str(tmp_path / "no")})
    assert config == {"aws_access_key_id": "k", "aws_secret_access_key": "s"}


def test_plain_http_to_another_machine_is_refused():
    for url, name, allow in (
        ("s3://b", "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"),
        ("az://b", "AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP"),
    ):
        with pytest.raises(ProjectError, match="plain http") as caught:
            store_config(parse_url(url), {name: "http://example.org"})
        assert caught.value.where == name
        assert store_config(parse_url(url), {name: "http://example.org", allow: "true"})
        assert store_config(parse_url(url), {name: "http://127.0.0.1:1"})
