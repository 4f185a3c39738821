"""Evaluating expressions: values, bounds, and faults with their place."""

import math

import pytest

from mainspring.records import expressions as ex
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Reference, evaluate, parse

DATA = {"scores": {"accuracy": 0.96, "n": [1, 2], "name": "abc"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("steps.scores.accuracy >= 0.95 and steps.scores.n[1] == 2", True),
        ("0 < steps.scores.n[0] < 2", True),
        ("steps.scores.n[5] if False else 'x' + 'y'", "xy"),
        ("True or steps.scores.missing", True),
        ("len(steps.scores.n) + max(1, 2) + sum([1, 2])", 7),
        ("steps.scores.n[-1]", 2),
        ("steps.scores.name[0:2]", "ab"),
        ("[1, steps.scores.n]", [1, [1, 2]]),
        ("{'a': (1, 2)}", {"a": (1, 2)}),
        ("2 ** 10 // 3 % 7", 5),
        ("'b' in steps.scores.name and 3 not in steps.scores.n", True),
        ("steps.scores.name is not None", True),
        ("1 is True", False),
        ("round(2.567, 1) + abs(-1)", 3.6),
        ("float('nan') != 1", True),
        ("any([False, True]) and not all([False, True])", True),
        ("int('3') + bool(1) + float(2)", 6.0),
    ],
)
def test_evaluate(text, value):
    found = evaluate(parse(text), lambda _, name: DATA[name])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / 0", "division by zero"),
        ("9 ** 9 ** 9", "too large"),
        ("10.0 ** 400", "too large"),
        ("(-8) ** 0.5", "no real value"),
        ("'a' * 10 ** 9", "too long"),
        ("[1] * 3", "a number is needed"),
        ("'%9999999d' % 1", "a number is needed"),
        ("steps.scores.missing", "there is no 'missing' in it"),
        ("steps.scores.n[5]", "no element 5"),
        ("steps.scores.n.x", "a list has no 'x'"),
        ("steps.scores.accuracy.real", "a float has no 'real'"),
        ("sum(['a'])", "a number is needed"),
        ("1 < 'a'", "not supported"),
        ("int('x')", "invalid literal"),
        ("str([1])", "needs a number or text"),
        ("len(1)", "len"),
        ("len(1, 2)", "argument"),
        ("min([])", "empty|argument"),
        ("1 in 2", "`in` needs"),
        ("{1: 2}", "a key must be text"),
        ("-'a'", "a number is needed"),
        ("1[0:1]", "can't be sliced"),
    ],
)
def test_faults_say_what_and_where(text, words):
    with pytest.raises(DefinitionError, match=words) as caught:
        evaluate(parse(text), lambda _, name: DATA[name], where="pipe.py:7")
    assert caught.value.where == "pipe.py:7"
    assert "column" in caught.value.what
    assert parse(text).text in caught.value.what


def test_paths_can_be_followed_by_the_caller():
    seen = []

    def resolve(found):
        seen.append(found)
        return 2

    assert ex.evaluate_paths(parse("steps.a.x[0] * 3"), resolve) == 6
    assert seen == [Reference("steps", "a", ("x", 0))]


def test_infinite_numbers_stay_what_they_are():
    assert evaluate(parse("1e999"), lambda *_: None) == math.inf
