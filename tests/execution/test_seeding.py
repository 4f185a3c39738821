from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.execution.seeding import derived, import_time_generators, limit_threads

HEAD = "import json, random, sys\nfrom mainspring.execution.seeding import *\n"


def drawn(text: str) -> Any:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", HEAD + text], capture_output=True, check=True)
    return json.loads(done.stdout)


LATE = "import numpy\nprint(json.dumps([random.random(), numpy.random.rand()]))"


def test_generators_that_are_imported_later_start_from_the_seed_too() -> None:
    early = "import numpy\nseed_everything(5)\n" + LATE
    late = "seed_everything(5)\n" + LATE
    assert drawn(early) == drawn(late)
    assert drawn(late.replace("5", "6")) != drawn(late)


def test_the_last_seed_counts_for_what_is_imported_later() -> None:
    assert drawn("seed_everything(1)\nseed_everything(5)\n" + LATE) == drawn(
        "seed_everything(5)\n" + LATE
    )
    count = "seed_everything(1)\nseed_everything(2)\nprint(len(sys.meta_path))"
    assert drawn(count) == drawn("seed_everything(1)\nprint(len(sys.meta_path))")


def test_the_module_that_is_seeded_late_is_whole() -> None:
    text = (
        "seed_everything(5)\nimport numpy\n"
        "print(json.dumps([type(numpy.random.__loader__).__name__, numpy.random.__name__, "
        "'exec_module' in vars(numpy.random.__loader__)]))"
    )
    assert drawn(text) == ["SourceFileLoader", "numpy.random", False]


@given(st.integers(0, 2**63 - 1), st.text())
def test_derived_seeds_are_64_bits_of_both(seed: int, name: str) -> None:
    found = derived(seed, name)
    assert 0 <= found < 2**64
    assert found == derived(seed, name)
    assert len({found, derived(seed, name + "x"), derived(seed ^ 1, name)}) == 3


def test_generators_made_at_import_time_begin_anew_by_their_names() -> None:
    text = (
        "import types, numpy\n"
        "m = types.ModuleType('m')\n"
        "m.a, m.b, m.c = random.Random(), numpy.random.default_rng(), numpy.random.RandomState()\n"
        "m.fixed = numpy.random.default_rng(3)\n"
        "found = import_time_generators([m])\n"
        "seed_everything(5, found)\n"
        "print(json.dumps([[n for n, _ in found], m.a.random(), m.b.random(), "
        "m.c.random_sample(), m.fixed.random()]))"
    )
    first, second = drawn(text), drawn(text)
    assert first == second
    assert first[0] == ["m.a", "m.b", "m.c"]
    assert len(set(first[1:])) == 4
    assert first[4] == np.random.default_rng(3).random()


def test_a_generator_under_two_names_is_found_once() -> None:
    one, two = ModuleType("one"), ModuleType("two")
    one.__dict__["rng"] = two.__dict__["rng"] = random.Random()
    assert [name for name, _ in import_time_generators([one, two])] == ["one.rng"]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(threads: int) -> None:
    text = (
        "import numpy, threadpoolctl, os\n"
        f"kept = limit_threads({threads}, 3)\n"
        "print(json.dumps([os.environ['OMP_NUM_THREADS'], "
        "[i['num_threads'] for i in threadpoolctl.threadpool_info()]]))"
    )
    variable, pools = drawn(text)
    assert variable == str(threads)
    assert all(count <= threads for count in pools)


def test_as_many_as_there_are_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "untouched")
    assert limit_threads(2, 2) is None


def fake(tmp_path: Path, name: str, text: str) -> str:
    """A program's beginning that finds a module of this name, which is not the real one."""
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return f"sys.path.insert(0, {str(tmp_path)!r})\n"


def test_tensorflow_is_seeded_when_it_is_imported(tmp_path: Path) -> None:
    # Not the real one, which is too large for a test environment: only which calls are made.
    head = fake(
        tmp_path,
        "tensorflow",
        "from types import SimpleNamespace as N\n"
        "said = []\n"
        "random = N(set_seed=lambda seed: said.append(seed))\n"
        "experimental = N(enable_op_determinism=lambda: said.append('deterministic'))\n"
        "config = N(experimental=experimental)\n",
    )
    last = "import tensorflow\nprint(json.dumps(tensorflow.said))"
    assert drawn(f"{head}seed_everything(2**32 + 5)\n{last}") == [5, "deterministic"]
    assert drawn(f"{head}seed_everything(5, deterministic=False)\n{last}") == [5]


def test_jax_is_told_to_be_deterministic_beside_what_the_user_says(tmp_path: Path) -> None:
    head = fake(tmp_path, "jax", "") + "import os\nos.environ['XLA_FLAGS'] = '--mine'\n"
    last = "import jax\nprint(json.dumps(os.environ['XLA_FLAGS']))"
    told = "--mine --xla_gpu_deterministic_ops=true"
    assert drawn(f"{head}seed_everything(5)\n{last}") == told
    assert drawn(f"{head}seed_everything(5)\nseed_everything(6)\n{last}") == told
    assert drawn(f"{head}seed_everything(5, deterministic=False)\n{last}") == "--mine"


@pytest.mark.system("torch")
def test_torch_is_deterministic_unless_the_step_says_otherwise() -> None:
    text = (
        "import torch\nprint(json.dumps([torch.rand(2).tolist(), "
        "torch.are_deterministic_algorithms_enabled()]))"
    )
    strict = drawn(f"seed_everything(5)\n{text}")
    free = drawn(f"seed_everything(5, deterministic=False)\n{text}")
    assert strict[0] == free[0]
    assert (strict[1], free[1]) == (True, False)
