"""Everything a pipeline function may get wrong is refused while tracing, with its file:line."""

import pytest
from tests.definition.conftest import marked_line

from mainspring.records.errors import DefinitionError

# name -> (body of the pipeline function; the line at fault ends in "# !", words of the message)
BODIES = {
    "literal of the wrong type": ('number("abc")  # !', "`x` of step `number` is int, but 'abc'"),
    "float for int": ("number(0.5)  # !", "is int, but 0.5 is float"),
    "output of the wrong type": ("take_names(number())  # !", "is list[str], but `steps.number`"),
    "list of the wrong elements": ("take_names(numbers())  # !", "list[str], but `steps.numbers`"),
    "array for number": ("evaluate(load())  # !", "is float, but `steps.load` is numpy.ndarray"),
    "missing input": ("train()  # !", "step `train` needs the input `x`"),
    "unknown input": ("train(load(), d=1)  # !", "unknown input `d` of step `train`"),
    "surplus": ("number(1, 2)  # !", "step `number` has 1 input, 2 were given"),
    "given twice": ("number(1, x=2)  # !", "step `number` got `x` twice"),
    "unknown output": ("report(evaluate(1.0).acuracy)  # !", "`acuracy`"),
    "unknown output by item": ('evaluate(1.0)["acuracy"]  # !', "unknown output `acuracy`"),
    "no such tuple part": ("pair()[2]  # !", "unknown output `2` of step `pair`"),
    "attribute of a number": ("number().real  # !", "float has no 'real'"),
    "attribute of an array": ("load().shape  # !", "numpy.ndarray has no `shape` here"),
    "computing with an array": ("load() > 3  # !", "is numpy.ndarray, not JSON data"),
    "arithmetic on text": ("report(evaluate(1.0)) - 1  # !", "`-` needs numbers"),
    "order of text and number": ("number() < 'a'  # !", "`<` can't compare them"),
    "truth": ("h = flag()\n    if h:  # !\n        pass", "a handle has no truth value"),
    "and": ("flag() and flag()  # !", "a handle has no truth value"),
    "chained comparison": ("0 < number() < 1  # !", "a handle has no truth value"),
    "bitwise": ("number() & 1  # !", "`&` joins truth values"),
    "precedence": ("n = number()\n    n > 1 & n < 2  # !", "`&` joins truth values"),
    "not of a number": ("~number()  # !", "`~` joins truth values"),
    "iteration": ("for n in numbers():  # !\n        number(n)", "can't be iterated"),
    "unpacking": ("a, b = number()  # !", "can't be iterated"),
    "length": ("len(numbers())  # !", "length is not known"),
    "membership": ("1.0 in numbers()  # !", "`in` can't look into a handle"),
    "text": ('f"{number()}"  # !', "can't be put into text"),
    "str": ("str(number())  # !", "can't be put into text"),
    "int": ("int(number())  # !", "has no value before the run"),
    "range": ("range(number())  # !", "has no value before the run"),
    "call": ("number()(1)  # !", "is a value, not a function"),
    "assignment": ("h = number()\n    h.x = 1  # !", "can't be changed"),
    "item assignment": ("h = numbers()\n    h[0] = 1  # !", "can't be changed"),
    "Literal that can't be": ('mode() == "slwo"  # !', "it can never equal `'slwo'`"),
    "Literal never unequal": ('mode() != "slwo"  # !', "this is always true"),
    "Literal not among": ('m = mode()\n    (m == "a") | (m == "fast")  # !', "can never equal"),
    "Enum that can't be": ('color() == "green"  # !', "it can never equal `'green'`"),
    "bool against text": ('flag() == "yes"  # !', "it can never equal `'yes'`"),
    "never None": ("number() == None  # !", "it can never equal `None`"),
    "constant branch": ("when(True)  # !", "the condition is True, known before the run"),
    "constant comparison": ("when(1 < 2)  # !", "the condition is True"),
    "number as condition": ("when(number())  # !", "is float, not a truth value"),
    "constant option": ("number.options(when=False)()  # !", "`when` is False"),
    "branch in its opposite": (
        "with when(flag()) as b:\n        with b.otherwise():  # !\n            number()",
        "inside its opposite",
    ),
    "join of what may be absent": (
        "with when(flag()):\n        n = number()\n    join_strict(n)  # !",
        "may be absent: `steps.number` comes from a branch",
    ),
    "join of what follows from it": (
        "with when(flag()):\n        n = number()\n    m = evaluate(n)\n"
        "    join_strict(m.accuracy)  # !",
        "may be absent",
    ),
    "unequal lists": ("train.map([load()], [1.0, 2.0])  # !", "lists of unequal lengths: 1, 2"),
    "map over nothing": ("number.map(x=1)  # !", "`.map` needs a list"),
    "map over a number": ("number.map(number())  # !", "which is float, no list"),
    "map over an array": ("untyped.map(load())  # !", "numpy.ndarray, no list"),
    "map over plain number": ("number.map(3)  # !", "mapped over 3, which is no list"),
    "map of wrong elements": ("number.map(names())  # !", "is int, but `steps.names` is str"),
    "mapped result as one": ("evaluate(number.map([1, 2]))  # !", "is float, but `steps.number`"),
    "attribute of a mapped list": ("number.map([1]).foo  # !", "list[float] has no 'foo'"),
    "checkpoint on a plain value": ('checkpoint("c", True)  # !', "known before the run"),
    "checkpoint on a parameter": ('checkpoint("c", p > 1)  # !', "judges no step's result"),
    "checkpoint on a number": ('checkpoint("c", number())  # !', "not a truth value"),
    "checkpoint of unknown kind": (
        'checkpoint("c", number() > 1, kind="modle")  # !',
        "unknown `kind` of a checkpoint: `modle`",
    ),
    "checkpoint on_fail": (
        'checkpoint("c", number() > 1, on_fail="halt")  # !',
        "unknown `on_fail`",
    ),
    "checkpoint twice": (
        'checkpoint("c", number() > 1)\n    checkpoint("c", number() > 2)  # !',
        "there is a step `c` already (pipe.py:",
    ),
    "checkpoint name": ('checkpoint("a/b", number() > 1)  # !', "'a/b' is no name"),
    "checkpoint as a value": (
        'c = checkpoint("c", number() > 1)\n    untyped(c)  # !',
        "checkpoint `c` has no outputs",
    ),
    "name twice": (
        'number.options(name="n")()\n    number.options(name="n")()  # !',
        "there is a step `n` already (pipe.py:",
    ),
    "name with a slash": ('number.options(name="a/b")()  # !', "'a/b' is no name for a step"),
    "name too long": ('number.options(name="a" * 101)()  # !', "has 101 characters"),
    "unknown option": ("number.options(retires=2)  # !", "unknown option `retires`"),
    "after nothing known": ('number.options(after="nmber")()  # !', "unknown step `nmber`"),
    "after a number": ("number.options(after=3)()  # !", "`after` is 3"),
    "after a parameter": ("number.options(after=p)()  # !", "is no step's result"),
    "not JSON": ("untyped(object())  # !", "can't be written as JSON"),
    "set": ("untyped({1, 2})  # !", "can't be written as JSON"),
    "function": ("untyped(len)  # !", "can't be written as JSON"),
    "dict keys": ("untyped({1: number()})  # !", "keys must be text"),
    "large integer": ("untyped(2**64)  # !", "more than 64 bits"),
    "surrogate": ('untyped("\\ud800")  # !', "surrogate"),
    "path where text": ("load(Path('a'))  # !", "a PosixPath would arrive as str"),
    "path without annotation": ("untyped(Path('a'))  # !", "would arrive as str"),
    "choice": ('take_choice("c")  # !', "is Literal['a', 'b'], but 'c' is str"),
    "endless list": ("a = []\n    a.append(a)\n    untyped(a)  # !", "nested more than"),
    "slice of a number": ("number()[1:2]  # !", "can't be sliced"),
    "key of a list": ("numbers()['a']  # !", "list[float] has no 'a'"),
    "repeat a step": ("repeat(number, until=lambda o: o > 1)  # !", "`repeat` is for pipelines"),
    "until not a function": ("repeat(rounds, until=True)  # !", "`until` is True"),
    "until constant": ("repeat(rounds, until=lambda o: True)  # !", "`until` is True"),
    "until of unknown output": (
        "repeat(rounds, until=lambda o: o.scre > 1)  # !",
        "unknown output `scre`",
    ),
    "until with outer handle": (
        "n = number()\n    repeat(rounds, until=lambda o: n > 1)  # !",
        "belongs to the pipeline `main`",
    ),
    "max zero": ("repeat(rounds, until=lambda o: o.score > 1, max=0)  # !", "`max` is 0"),
    "max bool": ("repeat(rounds, until=lambda o: o.score > 1, max=True)  # !", "`max` is True"),
    "exhausted": (
        "repeat(rounds, until=lambda o: o.score > 1, exhausted='stop')  # !",
        "unknown `exhausted`: `stop`",
    ),
    "carry unknown parameter": (
        "repeat(rounds, until=lambda o: o.score > 1, carry={'d': 'c'})  # !",
        "unknown parameter `d`",
    ),
    "carry unknown output": (
        "repeat(rounds, until=lambda o: o.score > 1, carry={'c': 'd'})  # !",
        "unknown output `d`",
    ),
    "carry of the wrong type": (
        "repeat(rounds, until=lambda o: o.score > 1, carry={'fixed': 'c'})  # !",
        "is float, the parameter `fixed`",
    ),
    "repeat without an input": (
        "repeat(rounds, until=lambda o: o.score > 1)()  # !",
        "repeat `rounds` needs the input `c`",
    ),
    "sub-pipeline's input": ("inner('x')  # !", "input `c` of pipeline `inner` is float"),
    "sub-pipeline's output": ("inner(1.0)[2]  # !", "unknown output `2` of pipeline `inner`"),
    "command's outputs": (
        'c = command("a {outputs.x} {outputs.y}", outputs={"x": "x", "y": "y"})\n'
        "    untyped(c())  # !",
        "command `a` has several outputs",
    ),
    "command's input": ('command("a {inputs.x}")(y=1)  # !', "unknown input `y` of command `a`"),
    "command's input type": (
        'command("a {inputs.x}", inputs={"x": float})(x="b")  # !',
        "input `x` of command `a` is float",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_refused_with_place(project, name):
    body, words = BODIES[name]
    text = f"\n@pipeline\ndef main(p: float = 1.0):\n    {body}\n"
    module = project(text)
    with pytest.raises(DefinitionError) as caught:
        _ = module.main.spec
    assert words in caught.value.what
    assert caught.value.where == f"pipe.py:{marked_line(text)}"


# What is refused when the module is imported, or outside of a pipeline.
MODULES = {
    "generator": ("@step  # !\nasync def f():\n    yield 1", "step `f` is an async generator"),
    "async": ("@step  # !\nasync def f(): ...", "step `f` is async"),
    "star": ("@step  # !\ndef f(*a): ...", "takes *args"),
    "double star": ("@step  # !\ndef f(**a): ...", "takes **kwargs"),
    "class": ("@step  # !\nclass F: ...", "not for the class `F`"),
    "builtin": ("step(print)  # !", "@step is for functions"),
    "text": ('step("train")  # !', "@step is for functions, not for `'train'`"),
    "option": ("step(cpu=2)  # !", "unknown option `cpu`"),
    "cpus": ("step(cpus=0)  # !", "`cpus` is 0"),
    "cpus nan": ('step(cpus=float("nan"))  # !', "`cpus` is nan"),
    "gpus": ("step(gpus=0.5)  # !", "`gpus` is 0.5"),
    "memory": ('step(memory="2 gigs")  # !', "`memory` is '2 gigs', which is not a size"),
    "retries": ("step(retries=-1)  # !", "`retries` is -1"),
    "delay": ('step(retry_delay="soon")  # !', "`retry_delay` is 'soon'"),
    "timeout": ('step(timeout="0s")  # !', "`timeout` is 0.0"),
    "cache": ('step(cache="x")  # !', "`cache` is 'x', which is not a duration"),
    "cache zero": ("step(cache=0)  # !", "`cache` is 0"),
    "seed": ("step(seed=-1)  # !", "`seed` is -1"),
    "version": ("step(version=2)  # !", "`version` is 2"),
    "env": ('step(env="TOKEN")  # !', "`env` is 'TOKEN'"),
    "env name": ('step(env=["A B"])  # !', "`env` is ['A B']"),
    "join": ("step(join=1)  # !", "`join` is 1"),
    "deterministic": ('step(deterministic="no")  # !', "`deterministic` is 'no'"),
    "impure": ('step(impure="yes")  # !', "`impure` is 'yes'"),
    "resources": ("step(resources=3)  # !", "`resources` is 3"),
    "resources cpus": ('step(resources={"cpus": 3})  # !', "`cpus` is an option of its own"),
    "step name": ('step(name="a b")  # !', "'a b' is no name"),
    "pipeline name": ('pipeline(name="a b")(lambda: 1)  # !', "'a b' is no name"),
    "when outside": ("when(True)  # !", "can be used only inside a @pipeline"),
    "checkpoint outside": ('checkpoint("a", True)  # !', "only inside a @pipeline"),
    "command outside": ('command("ls")()  # !', "only inside a @pipeline"),
    "command map outside": ('command("ls {inputs.x}").map([1])  # !', "only inside a @pipeline"),
    "repeat outside": ("repeat(rounds, until=lambda o: o.c > 1)(1.0)  # !", "only inside"),
    "command empty": ('command("  ")  # !', "the command is '  '"),
    "command quotes": ('command("a \'b")  # !', "can't be split into words"),
    "command placeholder": ('command("a {input.x}")  # !', "unknown placeholder `input.x`"),
    "command unknown input": (
        'command("a {inputs.y}", inputs={"x": int})  # !',
        "unknown placeholder `inputs.y`",
    ),
    "command unknown output": ('command("a {outputs.y}")  # !', "unknown placeholder `outputs.y`"),
    "command absolute": ('command("a", outputs={"x": "/x"})  # !', "is not a relative path"),
    "command home": ('command("a", outputs={"x": "~/x"})  # !', "is not a relative path"),
    "command up": ('command("a", outputs={"x": "a/../../x"})  # !', "leads out"),
    "command up in files": ('command("a", files=["../x"])  # !', "leads out"),
    "command files text": ('command("a", files="x.R")  # !', "`files` is text"),
    "command same path": ('command("a", outputs={"x": "m", "y": "m/"})  # !', "overlap"),
    "command nested path": ('command("a", outputs={"x": "m/", "y": "m/b"})  # !', "overlap"),
    "command dot": ('command("a", outputs={"x": "."})  # !', "is the directory itself"),
    "map lengths outside": ("untyped.map([1], [1, 2])  # !", "unequal lengths"),
}


@pytest.mark.parametrize("name", MODULES)
def test_refused_at_import(project, name):
    body, words = MODULES[name]
    with pytest.raises(DefinitionError) as caught:
        project(body + "\n")
    assert words in caught.value.what
    assert caught.value.where == f"pipe.py:{marked_line(body)}"


def test_nearest_names_are_hinted(project):
    module = project("\n@pipeline\ndef main():\n    return report(evaluate(1.0).acuracy)\n")
    with pytest.raises(DefinitionError) as caught:
        _ = module.main.spec
    assert caught.value.hint == "did you mean `accuracy`?"


def test_a_handle_of_another_pipeline_is_refused(project):
    module = project(
        "\nkept = []\n\n@pipeline\ndef one():\n    kept.append(number())\n"
        "\n@pipeline\ndef two():\n    number(kept[0])  # !\n"
    )
    _ = module.one.spec
    with pytest.raises(DefinitionError, match="belongs to the pipeline `one`"):
        _ = module.two.spec


def test_a_pipeline_that_calls_itself_is_refused(project):
    body = "\n@pipeline  # !\ndef main():\n    main()\n"
    with pytest.raises(DefinitionError, match="pipeline `main` calls itself") as caught:
        _ = project(body).main.spec
    assert caught.value.where == f"pipe.py:{marked_line(body)}"


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("c: float = 'abc'", "parameter `c` of pipeline `main` is float, but 'abc' is str"),
        ("c=object()", "can't be written as JSON"),
        ("c: float = float('nan')", "which JSON can't say"),
        ("c: int = None", "is int, but None is None"),
    ],
)
def test_a_default_of_the_wrong_type_is_refused(project, signature, words):
    body = f"\n@pipeline  # !\ndef main({signature}):\n    number()\n"
    with pytest.raises(DefinitionError) as caught:
        _ = project(body).main.spec
    assert words in caught.value.what
    assert caught.value.where == f"pipe.py:{marked_line(body)}"


def test_a_step_that_a_worker_can_not_import_is_refused(project):
    body = "\n@pipeline\ndef main():\n    @step  # !\n    def here() -> int: ...\n    here()\n"
    with pytest.raises(DefinitionError, match="can't be imported by a worker") as caught:
        _ = project(body).main.spec
    assert caught.value.where == f"pipe.py:{marked_line(body)}"


def test_an_error_leaves_no_trace_open(project):
    module = project("\n@pipeline\ndef main():\n    number('x')\n")
    with pytest.raises(DefinitionError):
        _ = module.main.spec
    assert module.untyped(1) is None  # a plain call again
    with pytest.raises(DefinitionError):
        _ = module.main.spec
