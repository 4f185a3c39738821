"""Expressions: canonical text, references, rewriting, shapes, bounded evaluation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.records import expressions as ex
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Reference, evaluate, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("steps.a.x>=0.95", "steps.a.x >= 0.95"),
        ("steps['a']['x']", "steps.a.x"),
        ("steps['my-name'][0]", "steps['my-name'][0]"),
        ("steps['class']", "steps['class']"),
        ("steps['\ufb01t']", "steps['\ufb01t']"),
        ("steps.größe", "steps.größe"),
        ("steps.a[-1]", "steps.a[-1]"),
        (" ( 1 , ) ", "(1,)"),
        ("steps.a\n  and steps.b", "steps.a and steps.b"),
    ],
)
def test_canonical_text(text, canonical):
    assert parse(text).text == canonical
    assert parse(canonical).text == canonical
    assert parse(text) == parse(canonical)
    assert hash(parse(text)) == hash(parse(canonical))


def test_references_are_as_deep_as_they_are_constant():
    found = ex.references(parse("steps.a.x[parameters.i] + len(steps.b['k'][0]) + steps.a.x[0]"))
    assert found == (
        Reference("steps", "a", ("x",)),
        Reference("parameters", "i"),
        Reference("steps", "b", ("k", 0)),
        Reference("steps", "a", ("x", 0)),
    )


def test_rewrite_inlines_and_renames_without_touching_the_cached_tree():
    before = parse("steps.train.a + parameters.c.x * parameters.d")
    made = ex.rewrite(
        before,
        lambda root, name: (
            parse("steps['prep/train']")
            if root == "steps"
            else parse("{'x': steps.y[0]}")
            if name == "c"
            else None
        ),
    )
    assert made.text == "steps['prep/train'].a + steps.y[0] * parameters.d"
    assert before == parse("steps.train.a + parameters.c.x * parameters.d")
    assert before.text == "steps.train.a + parameters.c.x * parameters.d"


def test_shapes():
    found = ex.shape(parse("[steps.a.x, {'k': (1, 'b')}, steps.b + 1]"))
    assert isinstance(found, ex.ListOf)
    first, second, third = found.items
    assert first == ex.Referred(Reference("steps", "a", ("x",)))
    assert second == ex.DictOf({"k": ex.ListOf((ex.Constant(1), ex.Constant("b")), True)})
    assert isinstance(third, ex.Computed)
    assert third.expression.text == "steps.b + 1"


@pytest.mark.parametrize(
    ("path", "outputs", "mapped", "located"),
    [
        ((), ["result"], False, ("result", None, ())),
        (("k",), ["result"], False, ("result", None, ("k",))),
        (("result", "result"), ["result"], False, ("result", None, ("result",))),
        ((), ["x", "y"], False, (None, None, ())),
        (("y", 0), ["x", "y"], False, ("y", None, (0,))),
        ((1,), ["0", "1"], False, ("1", None, ())),
        ((-1,), ["0", "1"], False, ("1", None, ())),
        ((2,), ["0", "1"], False, (None, None, (2,))),
        ((3,), ["result"], True, ("result", 3, ())),
        ((3, "k"), ["result"], True, ("result", 3, ("k",))),
        ((3, "y"), ["x", "y"], True, ("y", 3, ())),
        (("y", 3), ["x", "y"], True, ("y", 3, ())),
        (("y",), ["x", "y"], True, ("y", None, ())),
        ((3,), ["0", "1"], True, (None, 3, ())),
        ((3, 1), ["0", "1"], True, ("1", 3, ())),
    ],
)
def test_locate(path, outputs, mapped, located):
    assert tuple(ex.locate(path, outputs, mapped=mapped)) == located


@pytest.mark.parametrize("text", ["${{", "$${{ a", "$$${{", "a ${{ b }}", "$", "", "$$", "${ {"])
def test_escaped_text_comes_back(text):
    binding = ex.escape(text)
    assert not ex.is_expression(binding)
    assert ex.literal_of(binding) == text
    assert ex.literal_of([{"k": binding}]) == [{"k": text}]


@given(st.text(alphabet="${ }a", max_size=12))
def test_any_text_comes_back(text):
    assert not ex.is_expression(ex.escape(text))
    assert ex.literal_of(ex.escape(text)) == text


def test_bindings():
    made = ex.expression_of("${{steps.a}}")
    assert ex.binding_of(made) == "${{ steps.a }}"
    with pytest.raises(DefinitionError, match="is not"):
        ex.expression_of("${{ steps.a", where="x:1")


names = st.text(min_size=1, max_size=6).filter(lambda t: t.isprintable())
paths = st.builds(
    lambda name, path: ex.from_tree(ex.reference("steps", name, *path)),
    names,
    st.lists(names | st.integers(-3, 3), max_size=3),
)


@given(paths)
def test_any_reference_is_read_back(made):
    again = parse(made.text)
    assert again == made
    assert ex.references(again) == ex.references(made)
    assert len(ex.references(made)) == 1


scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5)
floats = st.floats(allow_nan=False, allow_infinity=False)
data = st.recursive(
    scalars | floats,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(data)
def test_any_data_is_an_expression_of_itself(value):
    text = repr(value)
    made = parse(text)
    assert parse(made.text).text == made.text
    assert evaluate(made, lambda *_: None) == value
