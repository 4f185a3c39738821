"""Python calls with what they were not made for: one error with the place, nothing recorded."""

from __future__ import annotations

import json

import pytest
from tests.e2e.place import Place

CASES = {
    # What is given as a parameter: the expression, and what the error has to say.
    "main.run(x=nested(5_000))": "'x': a value is nested more than 90 deep",
    "main.plan(x=nested(5_000))": "'x': a value is nested more than 90 deep",
    "main.run(x=cyclic())": "'x': a value is nested more than 90 deep",
    "main.run(x=object())": "type object",
    "main.run(x={1: 2})": "keys must be text",
    "main.run(x={'a': {1}})": "type set",
    "main.run(x=float('nan'))": "'x' is nan",
    "main.run(x=[float('-inf')])": "-inf",
    "main.run(x=10**30)": "64 bits",
    "main.run(x='\\ud800')": "surrogate",
    "main.run(x=b'x')": "type bytes",
    "main.run(x=1j)": "type complex",
    "main.run(x=...)": "type ellipsis",
    "main.run(x=print)": "can't be written as JSON",
    "main.run(x=int)": "can't be written as JSON",
    "main.run(n='three')": "'n' is 'three'",
    "main.run(n=True)": "'n' is True",
    "main.run(n=1.5)": "'n' is 1.5",
    "main.run(**{'x' * 1_000: 1})": "has no parameter",
    "main.plan(**{'\\x1b[31m': 1})": "has no parameter",
    # What a definition is made of.
    "step(3)": "@step is for functions",
    "step(cpus='x')(use)": "`cpus` is 'x'",
    "step(cpus=float('nan'))(use)": "`cpus` is nan",
    "step(retries=True)(use)": "`retries` is True",
    "step(retries=10**30)(use)": "`retries` is",
    "step(timeout='banana')(use)": "`timeout` is 'banana'",
    "step(timeout=-1)(use)": "`timeout` is -1",
    "step(memory='lots')(use)": "`memory` is 'lots'",
    "step(cache='1 parsec')(use)": "`cache` is '1 parsec'",
    "step(env=3)(use)": "`env` is 3",
    "step(resources={3: 1})(use)": "3 is no name for a resource",
    "step(colour=3)(use)": "unknown option `colour`",
    "pipeline(3)": "@pipeline is for functions",
    "pipeline(type('A', (), {}))": "not for the class `A`",
    "command(3)": "the command is 3",
    "command('')": "the command is",
    "command('a \\0')": "the command is 'a \\x00'",
    "container(3, 4)": "the image is 3",
    "notebook(3)": "3 is no path",
    "notebook('../x.ipynb')": "'../x.ipynb'",
    "notebook('nope.ipynb')": "there is no notebook nope.ipynb",
    "repeat(3, until=3)": "`repeat` is for pipelines",
    "when(3)": "only inside a @pipeline function",
    "checkpoint('a', 4)": "only inside a @pipeline function",
    # What a pipeline does while it is traced.
    "traced(lambda: when(3))": "3",
    "traced(lambda: checkpoint(3, 4))": "3",
    "traced(lambda: checkpoint('a', 'b'))": "'b'",
    "traced(lambda: use.map(3))": "3",
    "traced(lambda: use.map([]).x.y)": "use",
    "traced(lambda: use(object()))": "object",
    "traced(lambda: use(cyclic()))": "deep",
    "traced(lambda: use(nested(5_000)))": "deep",
    "traced(lambda: use(x=1, y=2))": "y",
    "traced(lambda: use())": "x",
    "traced(lambda: use.options(name=3)(1))": "3",
    "traced(lambda: use.options(name='a/b')(1))": "a/b",
    "traced(lambda: use.options(after=3)(1))": "3",
    "traced(lambda: repeat(main, until=3, max=2)(x=1))": "until",
    "traced(lambda: repeat(main, until=lambda r: r, max=-1)(x=1))": "max",
    "traced(lambda: bool(use(1)))": "when",
    "traced(lambda: list(use(1)))": ".map",
}
FLOW = """
    def nested(depth):
        made = []
        for _ in range(depth):
            made = [made]
        return made

    def cyclic():
        made = []
        made.append(made)
        return made

    @step
    def use(x: Any) -> Any:
        return x

    @pipeline
    def main(x: Any = "a", n: int = 1):
        return use(x)

    def traced(body):
        @pipeline
        def odd():
            body()
        return odd.plan()
"""
SCRIPT = """
    import json, sys
    from flow import *
    from mainspring import container, notebook
    from mainspring.records.errors import MainspringError

    found = {}
    for text in json.load(open("cases.json")):
        try:
            found[text] = ["value", repr(eval(compile(text, __file__, "eval")))]
        except MainspringError as error:
            found[text] = ["error", str(error)]
        except BaseException as error:
            found[text] = [type(error).__name__, str(error)]
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    place = Place(tmp_path_factory.mktemp("python") / "demo")
    place.flow(FLOW)
    place.write("odd.py", SCRIPT)
    place.write("cases.json", json.dumps(list(CASES)))
    done = place.script("odd.py")
    assert done.code == 0, done
    assert place("runs", "--json").json["runs"] == []
    return done.json


@pytest.mark.parametrize("text", CASES, ids=lambda text: ascii(text)[:40])
def test_one_error(answers: dict[str, list[str]], text: str) -> None:
    kind, said = answers[text]
    assert kind == "error", said
    assert CASES[text] in said
    assert len(said) < 1_200
    if not text.startswith("main."):
        assert said.startswith(("odd.py:", "flow.py:")), said
