from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.execution.admission import Admission, check_fits
from mainspring.records.errors import DefinitionError
from mainspring.records.ports import Capacity
from mainspring.records.spec import Options

GIB = 1 << 30


def admission(**capacity: object) -> Admission:
    return Admission(Capacity(**{"cpus": 4.0, "gpus": 3, "memory": 8 * GIB, **capacity}))  # type: ignore[arg-type]


def test_gpus_are_given_by_index_and_the_lowest_free_first() -> None:
    free = admission()
    one, two = free.admit(Options(gpus=1)), free.admit(Options(gpus=2))
    assert one is not None
    assert two is not None
    assert (one.gpus, two.gpus) == ((0,), (1, 2))
    assert free.admit(Options(gpus=1)) is None
    free.give_back(two)
    free.give_back(one)
    again = free.admit(Options(gpus=3))
    assert again is not None
    assert again.gpus == (0, 1, 2)


@pytest.mark.parametrize(
    "want",
    [
        Options(cpus=4.5), Options(gpus=4), Options(memory=9 * GIB), Options(resources={"tpu": 3}),
        Options(resources={"fpga": 1}), Options(cpus=1, gpus=1, memory=GIB, resources={"tpu": 2.5}),
    ],
)  # fmt: skip
def test_what_does_not_fit_takes_nothing(want: Options) -> None:
    free = admission(custom={"tpu": 2.0})
    assert free.admit(want) is None
    everything = Options(cpus=4, gpus=3, memory=8 * GIB, resources={"tpu": 2})
    assert free.admit(everything) is not None


def test_each_resource_alone_is_what_keeps_a_step_out() -> None:
    for held, want in [
        (Options(cpus=3.5), Options(cpus=1)),
        (Options(memory=8 * GIB), Options(memory=1)),
        (Options(cpus=0.5, gpus=3), Options(cpus=0.5, gpus=1)),
        (Options(resources={"tpu": 1}), Options(resources={"tpu": 1.5})),
    ]:
        free = admission(custom={"tpu": 2.0})
        grant = free.admit(held)
        assert grant is not None
        assert free.admit(want) is None
        free.give_back(grant)
        assert free.admit(want) is not None


def test_it_is_full_when_no_cpu_is_left() -> None:
    free = admission(cpus=1.5)
    assert not free.full
    free.admit(Options(cpus=1))
    assert not free.full
    free.admit(Options(cpus=0.5))
    assert free.full


def test_ten_tenths_are_one() -> None:
    free = admission(cpus=1.0)
    grants = [free.admit(Options(cpus=0.1)) for _ in range(10)]
    assert all(grants)
    assert free.full
    assert free.admit(Options(cpus=0.1)) is None


@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.7, 1.1, 1 / 3]), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_fractions_leave_nothing_behind(sizes: list[float], draw: random.Random) -> None:
    free = admission(cpus=4.0, custom={"tpu": 1.0})
    held = []
    for size in itertools.chain(sizes, sizes):
        grant = free.admit(Options(cpus=size, resources={"tpu": size / 10}))
        if grant is not None:
            held.append(grant)
        if held and draw.random() < 0.5:
            free.give_back(held.pop(draw.randrange(len(held))))
    for grant in held:
        free.give_back(grant)
    assert free.admit(Options(cpus=4.0, resources={"tpu": 1.0})) is not None


def test_more_than_there_is_at_all_is_refused_with_the_place() -> None:
    there = Capacity(cpus=4.0, gpus=0, memory=GIB, custom={"tpu": 1.0})
    check_fits("train", Options(cpus=4, memory=GIB, resources={"tpu": 1}), there)
    for want, text in [
        (Options(cpus=8), "cpus=8, there is 4"),
        (Options(gpus=1), "gpus=1, there is 0"),
        (Options(resources={"fpga": 1}), "fpga=1, there is 0"),
    ]:
        with pytest.raises(DefinitionError) as caught:
            check_fits("train", want, there, "flow.py:7")
        assert caught.value.what == f"step 'train' asks for {text}"
        assert caught.value.where == "flow.py:7"
        assert caught.value.hint


def test_sizes_in_messages_are_for_people() -> None:
    with pytest.raises(DefinitionError, match="memory=2 GiB, there is 1 GiB"):
        check_fits("train", Options(memory=2 * GIB), Capacity(cpus=1.0, memory=GIB))
