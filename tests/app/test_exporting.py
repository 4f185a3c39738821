from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mainspring.app.exporting import export
from mainspring.app.project import Project
from mainspring.records.errors import ConflictError, MainspringError, NotFoundError
from mainspring.storage.serializers import registry


@dataclasses.dataclass
class Row:
    name: str
    day: dt.date


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


def exported(opened: Project, value: Any, target: Path) -> Path:
    return export(opened, registry.dump(value, None, opened.blobs), target)


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])}, index=[5, 7])
TABLES = {
    "pandas": (FRAME, ["a", "b", "c"]),
    "series": (pd.Series([1.5], name="s"), ["s"]),
    "polars": (pl.DataFrame({"a": [1, None]}), ["a"]),
    "polars series": (pl.Series("p", [1]), ["p"]),
    "arrow": (pa.table({"t": pa.array([1], pa.timestamp("us", "UTC"))}), ["t"]),
    "batch": (pa.record_batch({"r": [1]}), ["r"]),
    "array": (pa.array([1, None]), ["value"]),
    "numpy": (np.arange(6).reshape(3, 2), ["0", "1"]),
    "records": ([Row("x", dt.date(2024, 5, 1))], ["day", "name"]),
    "no rows": (pl.DataFrame({"a": []}, schema={"a": pl.Int8}), ["a"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(opened: Project, tmp_path: Path, name: str):
    value, columns = TABLES[name]
    table = pq.read_table(exported(opened, value, tmp_path / "t.parquet"))
    assert table.column_names[: len(columns)] == columns
    head = exported(opened, value, tmp_path / "t.csv").read_text().splitlines()
    assert head[0].startswith(",".join(f'"{column}"' for column in columns))
    assert len(head) == table.num_rows + 1


def test_a_frame_comes_back_whole_from_parquet(opened: Project, tmp_path: Path):
    again = pd.read_parquet(exported(opened, FRAME, tmp_path / "t.parquet"))
    pd.testing.assert_frame_equal(again, FRAME)


def test_json_is_plain(opened: Project, tmp_path: Path):
    value = {"rows": (Row("x", dt.date(2024, 5, 1)),), "set": {3, 1, 2}, "big": 10**15}
    found = json.loads(exported(opened, value, tmp_path / "v.json").read_text())
    assert found == {
        "rows": [{"name": "x", "day": "2024-05-01"}], "set": [1, 2, 3], "big": 10**15,
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", [np.ones((2, 3), "f4"), pd.Series([1, 2]), pl.Series("a", [1, 2]), [[1, 2], [3, 4]]]
)
def test_arrays(opened: Project, tmp_path: Path, value: Any):
    found = np.load(exported(opened, value, tmp_path / "a.npy"))
    assert np.array_equal(found, np.asarray(value))


@pytest.mark.system("torch")
def test_tensors(opened: Project, tmp_path: Path):
    import torch

    found = np.load(exported(opened, torch.arange(3, dtype=torch.float64), tmp_path / "t.npy"))
    assert found.tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_pictures(opened: Project, tmp_path: Path, shape: tuple[int, ...]):
    data = np.arange(np.prod(shape), dtype="uint8").reshape(shape)
    assert np.array_equal(np.asarray(Image.open(exported(opened, data, tmp_path / "p.png"))), data)
    again = exported(opened, Image.fromarray(data), tmp_path / "q.png")
    assert np.array_equal(np.asarray(Image.open(again)), data)


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (1, "x.xlsx", "there is no export to .xlsx"),
        (1, "x", "there is no export to a file without an ending"),
        (1, "x.csv", "it has no rows"),
        ([], "x.parquet", "it is no list of records"),
        ("text", "x.json", "can't be exported to .json"),
        (float("nan"), "x.json", "NaN or an infinity"),
        ({(1, 2): 3}, "x.json", "can't be exported to .json"),
        (pa.table({"a": [[1]]}), "x.csv", "can't be exported to .csv"),
        (np.ones((2, 2, 2)), "x.csv", "one or two dimensions"),
        (["a"], "x.npy", "lists of numbers"),
        ([[1], [1, 2]], "x.npy", "can't be exported to .npy"),
        (np.ones((2, 2)), "x.png", "uint8 arrays"),
        (range(3), "x.csv", "a range can't be exported"),
    ],
)
def test_what_has_no_such_form_is_refused(
    opened: Project, tmp_path: Path, value: Any, name: str, text: str
):
    with pytest.raises(MainspringError) as caught:
        exported(opened, value, tmp_path / name)
    assert text in caught.value.what
    assert not (tmp_path / name).exists()
    assert not list(tmp_path.glob(".mainspring-*"))


def test_where_it_goes(opened: Project, tmp_path: Path):
    ref = registry.dump([1], None, opened.blobs)
    target = export(opened, ref, tmp_path / "v.json")
    with pytest.raises(ConflictError, match="--force"):
        export(opened, ref, target)
    assert export(opened, ref, target, force=True) == target
    with pytest.raises(NotFoundError):
        export(opened, ref, tmp_path / "none" / "v.json")
    (tmp_path / "dir.json").mkdir()
    with pytest.raises(ConflictError, match="is a directory"):
        export(opened, ref, tmp_path / "dir.json", force=True)
