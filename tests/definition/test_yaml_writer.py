"""What is written as YAML reads back as the same spec."""

import string

import hypothesis
import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.definition import digits as example
from tests.definition.conftest import without_places

from mainspring.definition import yaml
from mainspring.definition.pipeline import Pipeline
from mainspring.records.spec import PipelineSpec


def round_trip(spec: PipelineSpec) -> None:
    text = yaml.dump(spec)
    again = yaml.load(text)
    assert without_places(again) == without_places(spec)
    assert yaml.dump(again) == text


def test_what_is_written_can_be_read(project):
    module = project(
        "\n@pipeline\ndef main(p: float = 1.0, q: str = 'on', r: list[int] = [1], s=None, *, t):\n"
        "    '''Words: of 'all'\n    kinds.'''\n"
        "    n = number.options(name='größe-1', retries=3, resources={'tpu': 1}, env=['A'])()\n"
        "    with when((n > 1) & (q == 'x')) as b:\n"
        "        out = repeat(rounds, until=lambda o: o.score > 0.5, max=2)(n, fixed='1e3')\n"
        "        checkpoint('judged', out.score > 0.7, kind='data', on_fail='warn')\n"
        "    with b.otherwise():\n        inner.options(name='prep', after=n)(p)\n"
        "    m = train.options(cache='1h', timeout='30m').map([load(), load('b')], c=p)\n"
        "    untyped([n, {'k': (m, 'on')}], {'a': ['${{ x', 'a ${{ b'], 'n': float('inf')})\n"
        "    untyped('yes', '012')\n    untyped('${{ 1 }}', 'x ${{ 1 }}')\n"
        "    untyped('', ' a\\n\\tb\\u2028\\x85 ')\n"
        "    f = command('a {inputs.x} > {outputs.y}', outputs={'y': 'y/'}, files=['b.R'],\n"
        "                shell=True, memory='1GiB')\n"
        "    f.map([1, 2], )\n"
        "    return {'a': n + 1, 'b': [m, 'true'], 'c': 'no'}\n"
    )
    round_trip(module.main.spec)
    for name in ("inner", "rounds"):
        round_trip(getattr(module, name).spec)
    round_trip(example.digits.spec)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.text("${ }'\"ab:-#\n", max_size=10)
    | st.sampled_from(["on", "yes", "012", "1e3", "2024-01-02", "~", "null", "<<", "=", "1:30"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(string.printable, max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@hypothesis.example(["\x85 \u2028\ufeff"], [])
@given(st.lists(values, max_size=3), st.lists(st.integers(0, 5), max_size=3))
def test_any_values_survive_python_spec_yaml_spec(literals, links):
    def body():
        made = [example.load.options(name=f"load-{i}")() for i in range(2)]
        for value in literals:
            example.anything.options(name=None)(value)
        for link in links:
            example.anything([made[link % 2], link, literals])

    spec = Pipeline(body, "any", example.digits._wish, where="").spec
    assert msgspec.json.decode(msgspec.json.encode(spec), type=PipelineSpec) == spec
    round_trip(spec)
