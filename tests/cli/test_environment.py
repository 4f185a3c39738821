from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli


def test_what_a_run_ran_in(cli: Cli, valid: Any) -> None:
    cli("run", "tiny")
    found = valid(cli("environment", "show", "--json").json)
    assert found["environment"]["lock"]["kind"] == "made"
    assert cli("show", "--json").json["run"]["environment"] == found["digest"]
    text = cli("environment", "show").out
    assert "pylock.toml (made)" in text
    assert "the project has no lock" in text
    assert "processor flags" in text
    assert found["digest"][7:19] in cli("show").out


def test_the_lock_is_written_once(cli: Cli, valid: Any) -> None:
    cli("run", "tiny")
    printed = cli("environment", "lock", "latest", "-o", "-").out
    assert printed.startswith('lock-version = "1.0"\n')
    (path,) = valid(cli("environment", "lock", "latest", "--json").json)["paths"]
    assert Path(path).read_text("utf-8") == printed
    refused = cli("environment", "lock")
    assert refused.code == 2
    assert "pylock.toml exists" in refused.err
    assert cli("environment", "lock", "--force").code == 0


@pytest.mark.system("uv")
def test_an_environment_is_built(cli: Cli, valid: Any) -> None:
    cli("run", "tiny")
    offline = {"UV_OFFLINE": "1"}
    found = valid(cli("environment", "build", "--json", env=offline).json)
    (python,) = found["built"].values()
    assert Path(python).is_file()
    assert cli("environment", "build", env=offline).out.strip() == python
    assert cli("environment", "build", "--of", "nowhere").code == 2
