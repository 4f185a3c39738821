"""Containers and environments as they are written, in Python and in YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring import command, container, pipeline, step
from mainspring.definition import yaml
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import CommandNode, StepNode


@step(environment="envs/Dockerfile")
def inside(x: int) -> int:
    return x


@pipeline
def mixed():
    fit = container(
        "my-r:4.2", "Rscript a.R {inputs.x} {outputs.out}", outputs={"out": "o"}, network=True
    )
    return fit(x=inside(1))


def test_what_is_given_is_in_the_spec() -> None:
    one, two = mixed.spec.steps
    assert isinstance(one, StepNode)
    assert isinstance(two, CommandNode)
    assert one.options.environment == "envs/Dockerfile"
    assert (two.image, two.network, two.name) == ("my-r:4.2", True, "Rscript")


def test_it_comes_back_from_yaml(tmp_path: Path) -> None:
    text = yaml.dump(mixed.spec)
    assert "image: my-r:4.2" in text
    assert "network: true" in text
    file = tmp_path / "mixed.yaml"
    file.write_text(text)
    one, two = yaml.load(file).steps
    assert isinstance(one, StepNode)
    assert isinstance(two, CommandNode)
    assert one.options.environment == "envs/Dockerfile"
    assert (two.image, two.network) == ("my-r:4.2", True)


@pytest.mark.parametrize("image", ["", "-x", "a b", "$(id)", "x" * 600, 3, None])
def test_what_is_no_image_is_refused(image: object) -> None:
    with pytest.raises(DefinitionError, match=r"the image is .*") as told:
        container(image, "true")  # type: ignore[arg-type]
    assert "test_container.py:" in str(told.value)


def test_a_network_is_yes_or_no() -> None:
    with pytest.raises(DefinitionError, match="`network` is 'host'"):
        container("a:1", "true", network="host")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["", "/etc/Dockerfile", "../Dockerfile", "a//b", "a/./b", 3, "a\0"]
)
def test_an_environment_is_a_path_inside_the_project(path: object) -> None:
    with pytest.raises(DefinitionError, match="`environment` is"):
        step(environment=path)(lambda: 1)  # type: ignore[call-overload]


def test_only_python_steps_have_a_dockerfile() -> None:
    with pytest.raises(DefinitionError, match="not for a command") as told:
        command("true", environment="Dockerfile")
    assert "container(image, ...)" in str(told.value)
    with pytest.raises(DefinitionError, match="not for a command"):
        command("true").options(environment="Dockerfile")
    assert inside.options(environment=None).run_options.environment is None
