from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import string
import uuid
import zoneinfo
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.base import Unsupported
from mainspring.storage.serializers.jsonvalues import decode, elements, encode


class Colour(enum.Enum):
    RED = (1, 0, 0)
    BLUE = "blue"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: float
    label: str = "p"


class Size(msgspec.Struct, frozen=True):
    width: int
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Scores:
    accuracy: float
    by_class: dict[int, float]
    note: str | None = dataclasses.field(default=None, init=False)


@dataclasses.dataclass(slots=True)
class Slotted:
    items: list[Any]

    def __post_init__(self) -> None:
        self.items = [*self.items, "made"]


class Named(str):
    pass


ZONES = [
    dt.UTC,
    dt.timezone(dt.timedelta(hours=-3, minutes=30)),
    zoneinfo.ZoneInfo("Europe/Berlin"),
]
texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["$", "$tuple", "$a"])
hashables = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.sampled_from(ZONES), allow_imaginary=False)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.complex_numbers(allow_nan=False)
    | st.sampled_from([*Colour, *Level, Access.READ, Access.READ | Access.WRITE, Access(0)])
    | st.builds(Point, st.floats(allow_nan=False), texts)
    | st.builds(Size, st.integers(), st.tuples(texts))
)
values = st.recursive(
    hashables,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(hashables, max_size=4)
        | st.frozensets(hashables, max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.builds(Scores, st.floats(allow_nan=False), st.dictionaries(st.integers(), st.floats()))
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal, with equal types all the way down; NaN equals NaN, 0.0 is not -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        pairs = [sorted(d.items(), key=lambda pair: encode(pair[0])) for d in (a, b)]
        return same(pairs[0], pairs[1])
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return all(same(getattr(a, name), getattr(b, name)) for name in names)
    if isinstance(a, dt.datetime | dt.time):
        return a == b and a.fold == b.fold and a.utcoffset() == b.utcoffset()
    if isinstance(a, decimal.Decimal):
        return str(a) == str(b)
    return a == b


@given(values)
@example({"$tuple": [1]})
@example({"$escaped": {"$escaped": 1}})
@example({"$a": 1, "$b": 2})
@example([math.nan, -math.inf, -0.0, 2**200, -(2**70), 1e300, 5e-324])
@example({1: "a", "1": "b", (1, 2): "c", None: "d"})
@example(complex(math.inf, -0.0))
@example(dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")))
@example(dt.datetime(2024, 10, 27, 2, 30, fold=1))
@example(dt.time(2, 30, tzinfo=dt.UTC))
def test_a_value_comes_back_as_it_was(value: Any):
    data = encode(value)
    assert same(decode(data), value)
    assert encode(decode(data)) == data
    json.loads(data)  # plain JSON: no NaN, no Infinity


@given(st.dictionaries(texts, st.integers()), st.randoms())
def test_order_of_insertion_does_not_show(value: dict[str, int], random: Any):
    shuffled = list(value.items())
    random.shuffle(shuffled)
    assert encode(dict(shuffled)) == encode(value)
    assert encode({(k,): v for k, v in shuffled}) == encode({(k,): v for k, v in value.items()})
    assert encode(set(dict(shuffled))) == encode(set(value))


def test_what_json_has_is_plain_json():
    assert (
        encode({"b": [1, 2.5, None, True], "a": "ü"}) == '{"a":"ü","b":[1,2.5,null,true]}'.encode()
    )


def test_a_dataclass_is_not_made_by_its_init():
    value = Slotted([1])
    again = decode(encode(value))
    assert isinstance(again, Slotted)
    assert again.items == [1, "made"]


def test_numpy_scalars_become_numbers():
    value = {np.int64(3): [np.float32(0.5), np.bool_(True), np.str_("x"), (np.uint8(7),)]}
    assert same(decode(encode(value)), {3: [0.5, True, "x", (7,)]})


@pytest.mark.parametrize(
    ("value", "where", "reason"),
    [
        ([1, {"a": object()}], "[1]['a']", "object"),
        ({"a": [Named("x")]}, "['a'][0]", "Named"),
        (Scores(object(), {}), ".accuracy", "object"),  # type: ignore[arg-type]
        ([np.ones(2)], "[0]", "ndarray"),
        ([np.array(1.0)], "[0]", "ndarray"),
        ([np.datetime64("2024")], "[0]", "datetime64"),
        ((fractions.Fraction(1, 2),), "[0]", "Fraction"),
        ({object(): 1}, " key", "object"),
    ],
)
def test_what_has_no_form_is_named_with_its_place(value: object, where: str, reason: str):
    with pytest.raises(Unsupported, match=reason) as caught:
        encode(value)
    assert caught.value.where == where


def test_a_value_that_contains_itself_is_refused():
    value: list[Any] = []
    value.append(value)
    with pytest.raises(Unsupported, match="contains itself"):
        encode(value)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, ["a", "\ud800"]])
def test_a_lone_surrogate_is_refused(value: object):
    with pytest.raises(Unsupported, match="surrogate"):
        encode(value)


def test_a_class_that_cannot_be_found_is_refused():
    @dataclasses.dataclass
    class Local:
        x: int

    with pytest.raises(Unsupported, match="can't be found"):
        encode(Local(1))


def test_a_dataclass_that_holds_more_than_its_fields_is_refused():
    value = Scores(0.5, {})
    object.__setattr__(value, "cached", 1)
    with pytest.raises(Unsupported, match="cached"):
        encode(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"$dataclass":["os:system",{}]}',
        '{"$dataclass":["builtins:dict",{}]}',
        '{"$enum":["builtins:print",["x"]]}',
        '{"$namedtuple":["builtins:tuple",[1]]}',
        '{"$struct":["no.such.module:X",{}]}',
        '{"$enum":[3,"x"]}',
        '{"$enum":["","x"]}',
        '{"$nothing":1}',
        '{"$date":"yesterday"}',
        '{"$bytes":"%%"}',
        '{"$dict":[1]}',
        '{"$dict":[[[],1]]}',
        '{"$datetime":["2024-01-01",null]}',
        '{"$decimal":"x"}',
        "{",
        "",
        "NaN",
    ],
)
def test_damaged_or_hostile_json_is_one_clear_error(text: str):
    with pytest.raises(SerializationError):
        decode(text.encode())


def test_a_dataclass_whose_fields_changed_is_an_error():
    data = encode(Scores(0.5, {})).replace(b'"accuracy"', b'"precision"')
    with pytest.raises(SerializationError, match="have changed"):
        decode(data)


@given(st.lists(values, max_size=5))
def test_elements_are_the_canonical_json_of_each(items: list[Any]):
    assert elements(encode(items)) == [encode(item) for item in items]


@given(st.text(string.printable) | st.dictionaries(texts, texts))
def test_only_a_list_has_elements(value: object):
    assert elements(encode(value)) is None


def test_uuid_is_kept():
    value = uuid.UUID(int=5)
    assert decode(encode(value)) == value
