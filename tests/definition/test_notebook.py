from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.notebooks.files import write

from mainspring import notebook, pipeline
from mainspring.definition.locations import set_root
from mainspring.definition.notebook import alone, step_name
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import StepNode

PARAMETERS = """
    c = 1.0
    n = 3
    name: str = "x"
    flag = False
    rows = [1, 2]
    both = n * 2
    late: "list[str]" = None
    odd: Annotated[int, at_least(3)] = 3
"""


@pytest.fixture(autouse=True)
def root(tmp_path: Path) -> Any:
    (tmp_path / "mainspring.toml").write_text('[project]\nname = "x"\n')
    write(
        tmp_path / "sub" / "a-1.ipynb",
        "import mainspring\nmainspring.output(acc=1, model=2)",
        parameters=PARAMETERS,
    )
    write(tmp_path / "plain.ipynb", "1")
    set_root(tmp_path)
    yield tmp_path
    set_root(None)


def test_it_is_a_step_of_its_parameters_and_outputs() -> None:
    nb = notebook("sub/a-1.ipynb", outputs={"acc": float}, retries=2)

    @pipeline
    def main(c: float = 2.0):
        done = nb(c=c, rows=[3])
        return done.acc, done.notebook

    [node] = main.spec.steps
    assert isinstance(node, StepNode)
    assert (node.name, node.uses, node.bundle) == ("a-1", "sub/a-1.ipynb", "dict")
    assert node.inputs == {
        "c": "float", "n": "int | float", "name": "str", "flag": "bool", "rows": "any",
        "both": "any", "late": "list[str]", "odd": "any",
    }  # fmt: skip
    assert node.outputs == {"notebook": "pathlib.Path", "acc": "float", "model": "any"}
    assert node.options.retries == 2


def test_one_that_hands_nothing_out_stands_for_its_file() -> None:
    @pipeline
    def main():
        return notebook("plain.ipynb", name="other")()

    [node] = main.spec.steps
    assert isinstance(node, StepNode)
    assert (node.name, node.bundle, list(node.outputs)) == ("other", None, ["notebook"])


def test_options_and_maps() -> None:
    @pipeline
    def main():
        return notebook("sub/a-1.ipynb").options(name="m", timeout="1m").map([1.0, 2.0], n=3)

    [node] = main.spec.steps
    assert isinstance(node, StepNode)
    assert (node.name, node.map, node.options.timeout) == ("m", ("c",), 60.0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: notebook("sub/none.ipynb"), "there is no notebook sub/none.ipynb in the project"),
        (lambda: notebook("../x.ipynb"), "leads out of the directory"),
        (lambda: notebook("a.py"), "`a.py` is no notebook"),
        (
            lambda: notebook("plain.ipynb", outputs={"notebook": int}),
            "the executed notebook itself",
        ),
        (lambda: notebook("plain.ipynb", outputs={"a b": int}), "a b"),
        (lambda: notebook("plain.ipynb", cpu=2), "cpu"),
        (lambda: notebook("plain.ipynb").map([1]), "notebook `plain`"),
    ],
)
def test_what_is_refused(call: Any, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        call()
    assert said in str(caught.value)


def test_wrong_inputs_are_refused_while_tracing() -> None:
    nb = notebook("sub/a-1.ipynb")

    @pipeline
    def unknown():
        nb(cc=1.0)

    @pipeline
    def wrong():
        nb(name=3)

    with pytest.raises(DefinitionError, match="cc"):
        _ = unknown.spec
    with pytest.raises(DefinitionError, match="input `name`"):
        _ = wrong.spec


def test_a_link_out_of_the_project_is_not_followed(root: Path, tmp_path_factory: Any) -> None:
    outside = write(tmp_path_factory.mktemp("outside") / "b.ipynb", "1")
    (root / "link.ipynb").symlink_to(outside)
    with pytest.raises(DefinitionError, match="there is no notebook"):
        notebook("link.ipynb")


def test_a_notebook_alone() -> None:
    nb = notebook("sub/a-1.ipynb")
    spec = alone(nb, {"both": "7"})
    assert spec.parameters["both"].default is msgspec.UNSET
    assert spec.parameters["n"].default == 3
    assert "both" not in alone(nb, {}).parameters
    assert list(spec.outputs) == ["notebook", "acc", "model"]


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b c.ipynb", "b_c"), ("1st.ipynb", "notebook_1st"), ("ä.ipynb", "ä"), ("-x-.ipynb", "x")],
)
def test_names(path: str, name: str) -> None:
    assert step_name(path) == name
