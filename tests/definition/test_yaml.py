"""YAML: the same spec as Python's, read with every fault named by file:line."""

import pytest
from tests.definition import digits as example
from tests.definition.conftest import without_places

from mainspring.definition import yaml
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import GroupNode, Options, StepNode

STEPS = "tests.definition.digits"

DIGITS = f"""\
pipeline: digits
doc: Train and judge a classifier.
parameters: {{ c: 1.0, test_size: {{ type: float, default: 0.25 }} }}
steps:
  load:     {{ uses: {STEPS}:load }}
  split:    {{ uses: {STEPS}:split, with: {{ x: "${{{{ steps.load[0] }}}}", y: "${{{{ steps.load[1] }}}}", test_size: "${{{{ parameters.test_size }}}}" }} }}
  train:
    uses: {STEPS}:train
    with: {{ x: "${{{{ steps.split.x_train }}}}", y: "${{{{ steps.split.y_train }}}}", c: "${{{{ parameters.c }}}}" }}
    resources: {{ cpus: 2 }}
    retries: 2
    timeout: 30m
  evaluate: {{ uses: {STEPS}:evaluate, with: {{ model: "${{{{ steps.train.result }}}}", x: "${{{{ steps.split.x_test }}}}", y: "${{{{ steps['split'].y_test }}}}" }} }}
  accuracy: {{ checkpoint: "${{{{ steps.evaluate.accuracy>=0.95 }}}}" }}
  report:   {{ uses: {STEPS}:report, with: {{ scores: "${{{{ steps.evaluate }}}}" }} }}
outputs: {{ result: "${{{{ steps.train }}}}" }}
"""  # noqa: E501


def test_the_design_s_example_is_the_same_spec_as_python_s():
    assert without_places(yaml.load(DIGITS)) == without_places(example.digits.spec)


def test_nodes_know_their_line():
    assert [node.where for node in yaml.load(DIGITS, name="d.yaml").steps] == [
        f"d.yaml:{line}" for line in (5, 6, 7, 13, 14, 15)
    ]


def test_steps_may_stand_in_any_order_and_spec_has_needed_ones_first():
    text = (
        "pipeline: p\nsteps:\n"
        f"  report: {{uses: '{STEPS}:report', with: {{scores: '${{{{ steps.evaluate }}}}'}}}}\n"
        f"  evaluate: {{uses: '{STEPS}:evaluate', with: {{model: {{}}, "
        "x: '${{ steps.load[0] }}', y: '${{ steps.load[1] }}'}}\n"
        f"  load: {{uses: '{STEPS}:load'}}\n"
    )
    assert [node.name for node in yaml.load(text).steps] == ["load", "evaluate", "report"]


def test_decorator_options_hold_unless_the_file_says_otherwise():
    text = f"pipeline: p\nsteps:\n  train: {{uses: '{STEPS}:train', with: {{x: '${{{{ parameters.x }}}}', y: '${{{{ parameters.x }}}}'}}, timeout: null, resources: {{memory: 1GiB, tpu: 2}}}}\nparameters: {{x: {{type: any}}}}\n"  # noqa: E501
    (node,) = yaml.load(text).steps
    assert isinstance(node, StepNode)
    assert node.options == Options(
        cpus=2.0, retries=2, timeout=None, memory=2**30, resources={"tpu": 2.0}
    )


# What is wrong -> (text, line, words of the message)
HEAD = "pipeline: p\nsteps:\n"
STEP = HEAD + f"  a: {{uses: '{STEPS}:report', "
RUN = HEAD + "  a: {run: 'a {inputs.x}', with: {x: 1}, "
REFUSED = {
    "empty": ("", None, "the file is empty"),
    "only a comment": ("# hello\n", None, "the file is empty"),
    "list": ("- a\n", 1, "a mapping is needed, not ['a']"),
    "text": ("hello\n", 1, "a mapping is needed, not 'hello'"),
    "tab": ("pipeline: p\nsteps:\n\ta: 1\n", 3, "a tab is used for indentation"),
    "NUL": ("pipeline: p\nsteps: a\0b\n", 2, "U+0000 is not allowed"),
    "two documents": ("pipeline: p\n---\npipeline: q\n", 2, "more than one document"),
    "unclosed": ("pipeline: {p\n", 2, "not YAML"),
    "duplicate key": (HEAD + "  a: {run: x}\n  a: {run: y}\n", 4, "there twice, first in line 3"),
    "duplicate top": ("pipeline: p\npipeline: q\n", 2, "there twice, first in line 1"),
    "number as key": (HEAD + "  1: {run: x}\n", 3, "the key 1 is not text"),
    "tag": ("pipeline: !!python/name:os.system x\n", 1, "the tag"),
    "own tag": ("pipeline: !mine x\n", 1, "the tag `!mine` is not allowed"),
    "alias of itself": ("pipeline: p\nsteps: &a {x: *a}\n", 2, "contains itself"),
    "undefined alias": ("pipeline: *a\n", 1, "undefined alias"),
    "deep": ("pipeline: " + "[" * 5000, None, "nested too deeply"),
    "no name": ("steps: {}\n", 1, "`pipeline: NAME` is missing"),
    "bad name": ("pipeline: a b\n", 1, "'a b' is no name"),
    "newer format": ("format: mainspring.pipeline/2\nnew: 1\n", 1, "'mainspring.pipeline/2'"),
    "unknown key": ("pipeline: p\nstps: {}\n", 2, "unknown key `stps`"),
    "steps a list": ("pipeline: p\nsteps:\n  - run: x\n", 2, "`steps`: a mapping is needed"),
    "step a text": (HEAD + "  a: steps:a\n", 3, "`steps.a`: a mapping is needed"),
    "step of nothing": (HEAD + "  a:\n", 3, "a mapping is needed, not nothing"),
    "no kind": (HEAD + "  a: {with: {x: 1}}\n", 3, "does not say what to run"),
    "near kind": (HEAD + "  a: {use: 'b:c'}\n", 3, "does not say what to run"),
    "two kinds": (HEAD + "  a: {uses: 'b:c', run: x}\n", 3, "it has uses and run"),
    "unknown step key": (STEP + "retires: 2}\n", 3, "`steps.a`: unknown key `retires`"),
    "no module": (HEAD + "  a: {uses: 'no_such_module_x:f'}\n", 3, "no module `no_such_module_x`"),
    "no function": (HEAD + f"  a: {{uses: '{STEPS}:lod'}}\n", 3, "has no step `lod`"),
    "a pipeline as step": (HEAD + f"  a: {{uses: '{STEPS}:digits'}}\n", 3, "is a Pipeline"),
    "uses without colon": (HEAD + "  a: {uses: steps}\n", 3, "`steps` names no step"),
    "uses a number": (HEAD + "  a: {uses: 3}\n", 3, "text is needed, not 3"),
    "missing input": (STEP + "}\n", 3, "step `a` needs the input `scores`"),
    "unknown input": (STEP + "with:\n   {score: 1}}\n", 4, "unknown input `score` of step `a`"),
    "wrong type": (STEP + "with:\n   {scores: 1}}\n", 4, "but 1 is int"),
    "unknown step": (STEP + "with:\n   {scores: '${{ steps.b }}'}}\n", 4, "unknown step `b`"),
    "bad expression": (STEP + "with:\n   {scores: '${{ 1 + }}'}}\n", 4, "invalid syntax"),
    "unclosed expression": (STEP + "with:\n   {scores: '${{ 1'}}\n", 4, "is not `${{"),
    "part of a text": (
        HEAD + "  a: {run: 'a {inputs.x}', with: {x: 'a ${{ 1 }}'}}\n",
        3,
        "`steps.a.with.x`: an expression must be the whole value",
    ),
    "outputs in a step": (RUN + "when: '${{ outputs.x > 1 }}'}\n", 3, "known only in `until`"),
    "constant when": (RUN + "when: '${{ 1 < 2 }}'}\n", 3, "is constant"),
    "when is a truth value": (RUN + "when: true}\n", 3, "text is needed, not True"),
    "when is text": (RUN + "when: 'x > 1'}\n", 3, "`x > 1` is no expression"),
    "circle": (
        HEAD
        + "  a: {run: 'x {inputs.i}', with: {i: '${{ steps.b }}'}}\n"
        + "  b: {run: y, after: c}\n  c: {run: z, after: [a]}\n",
        3,
        "round in a circle: a -> b -> c -> a",
    ),
    "itself": (HEAD + "  a: {run: x, after: a}\n", 3, "circle: a -> a"),
    "after unknown": (HEAD + "  a: {run: x, after: b}\n", 3, "unknown step `b`"),
    "after a number": (HEAD + "  a: {run: x, after: 3}\n", 3, "a list of names is needed"),
    "map unknown": (RUN + "map: y}\n", 3, "unknown input `y` (not in `with`)"),
    "retries": (RUN + "retries: many}\n", 3, "`retries` is 'many'"),
    "timeout": (RUN + "timeout: 012x}\n", 3, "`timeout` is '012x'"),
    "resources": (RUN + "resources: 3}\n", 3, "a mapping is needed, not 3"),
    "cpus": (RUN + "resources: {cpus: none}}\n", 3, "`cpus` is 'none'"),
    "parameter key": ("pipeline: p\nparameters: {c: {typ: int}}\n", 2, "unknown key `typ`"),
    "parameter type": ("pipeline: p\nparameters: {c: {type: flaot}}\n", 2, "unknown type `flaot`"),
    "parameter default": (
        "pipeline: p\nparameters:\n  c: {type: int, default: x}\n",
        3,
        "the default of parameter `c` is int, but 'x' is str",
    ),
    "parameter name": ("pipeline: p\nparameters: {a-b: 1}\n", 2, "a parameter's name"),
    "unknown parameter": (RUN + "when: '${{ parameters.c > 1 }}'}\n", 3, "unknown parameter `c`"),
    "checkpoint constant": (HEAD + "  a: {checkpoint: '${{ 1 < 2 }}'}\n", 3, "is constant"),
    "checkpoint kind": (
        HEAD + "  a: {run: x, outputs: {o: o}}\n"
        "  b: {checkpoint: '${{ steps.a.o == None }}', kind: x}\n",
        4,
        "unknown `kind`",
    ),
    "checkpoint key": (HEAD + "  a: {checkpoint: x, with: {}}\n", 3, "unknown key `with`"),
    "placeholder": (HEAD + "  a: {run: 'x {inputs.y}', inputs: {x: int}}\n", 3, "placeholder"),
    "command type": (HEAD + "  a: {run: x, inputs: {x: itn}}\n", 3, "unknown type `itn`"),
    "path": (HEAD + "  a: {run: x, outputs: {o: ../o}}\n", 3, "leads out"),
    "repeat key": (HEAD + "  a: {repeat: {pipeline: {pipeline: q}}}\n", 3, "`until` is missing"),
    "repeat max": (
        HEAD + "  a:\n    repeat:\n      pipeline: {pipeline: q, outputs: {x: 1}}\n"
        "      until: '${{ outputs.x > 1 }}'\n      max: 0\n",
        4,
        "`max` is 0",
    ),
    "repeat until": (
        HEAD + "  a:\n    repeat:\n      pipeline: {pipeline: q, outputs: {x: 1}}\n"
        "      until: '${{ outputs.y > 1 }}'\n",
        4,
        "unknown output `y`",
    ),
    "inner pipeline": (HEAD + "  a:\n    pipeline:\n      steps: {}\n", 4, "is missing"),
    "outputs a list": ("pipeline: p\noutputs: [1]\n", 2, "a mapping is needed"),
    "bundle class": ("pipeline: p\nbundle: a.b:C\n", 2, "can't be imported"),
    "bundle fields": (
        f"pipeline: p\noutputs: {{x: 1}}\nbundle: {STEPS}:Scores\n",
        3,
        "are not the fields",
    ),
    "bundle tuple": ("pipeline: p\noutputs: {x: 1}\nbundle: tuple\n", 3, "named 0, 1, 2"),
    "large integer": ("pipeline: p\nparameters: {c: 99999999999999999999}\n", 2, "is no int"),
    "long integer": ("pipeline: p\nparameters: {c: " + "9" * 5000 + "}\n", 2, "is no int"),
    "infinite default": ("pipeline: p\nparameters: {c: .inf}\n", 2, "JSON can't say"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    text, line, words = REFUSED[name]
    with pytest.raises(DefinitionError) as caught:
        yaml.load(text, name="p.yaml")
    assert words in caught.value.what
    assert caught.value.where == ("p.yaml" if line is None else f"p.yaml:{line}")


def test_nearest_keys_are_hinted():
    with pytest.raises(DefinitionError) as caught:
        yaml.load(STEP + "retires: 2}\n")
    assert caught.value.hint == "did you mean `retries`?"
    with pytest.raises(DefinitionError) as caught:
        yaml.load(HEAD + "  a: {use: 'b:c'}\n")
    assert caught.value.hint == "did you mean `uses`?"


def test_a_file_is_read_and_named_from_its_project(tmp_path, monkeypatch):
    monkeypatch.setattr("mainspring.definition.locations._root", None)
    (tmp_path / "mainspring.toml").write_text("")
    path = tmp_path / "sub" / "p.yaml"
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbfpipeline: p\nsteps: {a: {run: x}}\n")
    assert yaml.load(path).steps[0].where == "sub/p.yaml:2"
    path.write_bytes(b"pipeline: p\nsteps: \xff\n")
    with pytest.raises(DefinitionError, match="not UTF-8") as caught:
        yaml.load(path)
    assert caught.value.where == "sub/p.yaml:2"
    with pytest.raises(DefinitionError, match="can't be read"):
        yaml.load(tmp_path / "none.yaml")


def test_a_named_pipeline_can_be_a_step():
    text = HEAD + f"  a: {{pipeline: '{STEPS}:digits', with: {{c: 2}}}}\n"
    (node,) = yaml.load(text).steps
    assert isinstance(node, GroupNode)
    assert node.pipeline == example.digits.spec
