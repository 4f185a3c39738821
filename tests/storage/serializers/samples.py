"""Values of libraries, made anew in each process that asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

RNG = np.random.RandomState(0)
X = RNG.rand(60, 3)
Y = (X[:, 0] > 0.5).astype(int)


def polars_values() -> dict[str, Any]:
    import datetime as dt

    import polars as pl

    when = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y" * 40], "t": [when, None]})
    return {
        "frame": frame.with_columns(
            pl.col("b").cast(pl.Categorical).alias("c"),
            pl.Series("e", ["q", "r"], pl.Enum(["r", "q"])),
            pl.Series("l", [[1], [2, 3]]),
            pl.Series("s", [{"x": 1}, {"x": None}]),
            pl.Series("d", ["1.10", "2"]).cast(pl.Decimal(10, 2)),
            pl.col("t").dt.convert_time_zone("Europe/Berlin").alias("z"),
        ),
        "series": pl.Series("s", [[1], None]),
        "none": pl.DataFrame(),
        "chunks": pl.concat([frame, frame], rechunk=False),
    }


def arrow_values() -> dict[str, Any]:
    import pyarrow as pa

    words = pa.array(["x", "y", None]).dictionary_encode()
    times = pa.array([1, 2, 3], pa.timestamp("us", "Europe/Berlin"))
    metadata = {str(key): "v" for key in range(9)}
    return {
        "table": pa.table({"a": words, "t": times}, metadata=metadata),
        "empty": pa.table({}),
        "batch": pa.record_batch({"a": [1]}),
        "array": pa.array([[1], None]),
        "chunked": pa.chunked_array([["1"], ["2"]]),
        "schema": pa.schema([("a", pa.int8())], metadata={"k": "v"}),
    }


def model_values() -> dict[str, Any]:
    import lightgbm
    import onnx
    import xgboost
    from onnx import helper

    one = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    options = {"verbose": -1, "num_threads": 1, "deterministic": True}
    return {
        "onnx": helper.make_model(helper.make_graph(nodes, "g", one[:1], one[1:])),
        "xgboost": xgboost.train({"nthread": 1}, xgboost.DMatrix(X, Y), 3),
        "lightgbm": lightgbm.train(options, lightgbm.Dataset(X, Y), 3),
    }


def picture_values() -> dict[str, Any]:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure()
    figure.subplots().plot([1, 2])
    grey = Image.fromarray((X * 255).astype("u1"))
    made = {mode: grey.convert(mode) for mode in ("1", "L", "LA", "RGB", "RGBA")}
    return {
        **made,
        "palette": made["RGB"].quantize(4),
        "figure": figure,
        "plotly": go.Figure(go.Scatter(y=[1, 2])),
    }


def array_values() -> dict[str, Any]:
    import scipy.sparse as sp

    made = {name: getattr(sp, name)(X) for name in ("csr_matrix", "csc_array", "bsr_array")}
    return {
        **made,
        "coo_array": sp.coo_array(np.eye(3)),
        "dia_matrix": sp.dia_matrix(np.eye(3)),
        "masked": np.ma.array([1.5, 2], mask=[0, 1], fill_value=7),
        "unmasked": np.ma.array([1, 2]),
    }


def torch_values() -> dict[str, Any]:
    import torch

    torch.manual_seed(0)
    linear = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(linear.parameters())
    linear(torch.ones(2)).sum().backward()
    optimizer.step()
    return {
        "strided": torch.arange(6).reshape(2, 3).T,
        "bfloat16": torch.ones(3, dtype=torch.bfloat16),
        "scalar": torch.tensor(1.5, requires_grad=True),
        "empty": torch.empty(0, 3),
        "complex": torch.ones(2, dtype=torch.complex64).conj(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "tied": torch.nn.Sequential(linear, torch.nn.ReLU(), linear),
        "lstm": torch.nn.LSTM(2, 3, 2),
        "norm": torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)),
        "transformer": torch.nn.TransformerEncoderLayer(4, 2, 8),
        "optimizer": optimizer.state_dict(),
    }


GROUPS: dict[str, Callable[[], dict[str, Any]]] = {
    "polars": polars_values,
    "arrow": arrow_values,
    "models": model_values,
    "pictures": picture_values,
    "arrays": array_values,
    "torch": torch_values,
}
