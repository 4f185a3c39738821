"""Source records: what an import name brings with it."""

from __future__ import annotations

import msgspec
import pytest

from mainspring.records.canonical import canonical
from mainspring.records.source import Distribution, Inventory, Manifest, SourceFile


def inventory(*distributions: Distribution, **provides: str | tuple[str, ...]) -> Inventory:
    names = {n: (v,) if isinstance(v, str) else v for n, v in provides.items()}
    return Inventory(distributions={d.name: d for d in distributions}, provides=names)


PANDAS = Distribution(name="pandas", version="2.3", requires=("numpy", "pytz", "numexpr"))
NUMPY = Distribution(name="numpy", version="2.1")
PYTZ = Distribution(name="pytz", version="2025", requires=("pandas",))
LOCAL = Distribution(name="mine", version="0.1", requires=("numpy",), content="abc")
FOUND = inventory(PANDAS, NUMPY, PYTZ, LOCAL, pandas="pandas", numpy="numpy", mine="mine",
                  google=("protobuf", "mine"))  # fmt: skip


@pytest.mark.parametrize(
    ("packages", "closure"),
    [
        ([], {}),
        (["numpy"], {"numpy": "2.1"}),
        # What is required but not installed has no version; a ring of requirements ends.
        (["pandas"], {"numpy": "2.1", "pandas": "2.3", "pytz": "2025"}),
        (["mine"], {"mine": "0.1+abc", "numpy": "2.1"}),
        (["google"], {"mine": "0.1+abc", "numpy": "2.1"}),
        (["json", "nothing"], {}),
    ],
)
def test_closures(packages: list[str], closure: dict[str, str]) -> None:
    assert FOUND.closure(packages) == closure
    assert list(FOUND.closure(packages)) == sorted(closure)


def test_the_order_of_what_is_asked_says_nothing() -> None:
    names = ["pandas", "mine", "numpy"]
    assert list(FOUND.closure(names)) == list(FOUND.closure(reversed(names)))


def test_a_manifest_is_small_and_comes_back() -> None:
    manifest = Manifest(
        files=(SourceFile(path="a.py", digest="blake3:1", size=3, executable=True),),
        roots=("", "src"),
    )
    data = canonical(manifest)
    assert data == (
        b'{"files":[["a.py","blake3:1",3,true]],"format":"mainspring.source/1","roots":["","src"]}'
    )
    assert msgspec.json.decode(data, type=Manifest) == manifest
