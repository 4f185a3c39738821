"""Formats that a library has for itself: ONNX models, XGBoost and LightGBM boosters, Plotly."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten

_MAX_MODEL = 2_000_000_000  # bytes: what one protobuf message may hold


class _Leaf:
    data_only = True
    refers = False

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


class Onnx(_Leaf):
    """An `onnx.ModelProto`: the blob is an .onnx file."""

    name = "onnx"

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the model, maps in the order of their keys."""
        model: Any = value
        if model.ByteSize() > _MAX_MODEL:
            raise Unsupported(
                "it is larger than 2 GB", hint="save it with external data; return the directory"
            )
        sink.write(model.SerializeToString(deterministic=True))

    def load(self, source: Source) -> object:
        """Read the model."""
        onnx: Any = import_module("onnx")
        model = onnx.ModelProto()
        try:
            model.ParseFromString(source.read())
        except (ValueError, TypeError, import_module("google.protobuf.message").Error) as error:
            raise damaged(f"it is not an ONNX model ({error})") from error
        return model

    def preview(self, source: Source, limit: int) -> str:
        """Versions, inputs, outputs and the operators."""
        model: Any = self.load(source)
        sets = ", ".join(
            f"{item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import
        )
        graph = model.graph
        lines = [f"ONNX model, {len(graph.node)} nodes, IR {model.ir_version}, {sets}"]
        lines.append(f"inputs: {', '.join(item.name for item in graph.input)}")
        lines.append(f"outputs: {', '.join(item.name for item in graph.output)}")
        lines.append(f"operators: {', '.join(sorted({node.op_type for node in graph.node}))}")
        return shorten("\n".join(lines), limit)


class XGBoost(_Leaf):
    """An `xgboost.Booster` as UBJSON, its own format."""

    name = "xgboost"

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the booster."""
        sink.write(cast("Any", value).save_raw("ubj"))

    def load(self, source: Source) -> object:
        """Read the booster. Its parser checks what it reads, and says so by an exception."""
        xgboost: Any = import_module("xgboost")
        data = source.read()
        if not data.startswith(b"{"):  # anything else would be taken for a file or an old format
            raise damaged("it is not an XGBoost model")
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(data))
        except (xgboost.core.XGBoostError, ValueError, UnicodeDecodeError) as error:
            text = str(error).partition("Stack trace")[0].strip()
            raise damaged(f"XGBoost can't read the model ({text})") from error
        return booster

    def preview(self, source: Source, limit: int) -> str:
        """The numbers of features and rounds, and the size."""
        booster: Any = self.load(source)
        rounds, features = booster.num_boosted_rounds(), booster.num_features()
        return shorten(f"XGBoost booster, {rounds} rounds, {features} features", limit)


class LightGBM(_Leaf):
    """A `lightgbm.Booster` as its text."""

    name = "lightgbm"

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write all trees, and which iteration was the best."""
        booster: Any = value
        text = booster.model_to_string(num_iteration=-1)
        sink.write(f"{text}\nmainspring_best_iteration={booster.best_iteration}\n".encode())

    def load(self, source: Source) -> object:
        """Read the booster."""
        lightgbm: Any = import_module("lightgbm")
        try:
            text, _, best = source.read().decode().rpartition("\nmainspring_best_iteration=")
            if not text.startswith("tree\n") or "\nend of parameters\n" not in text:
                raise ValueError("its beginning or end is missing")
            _check_trees(text)
            booster = lightgbm.Booster(model_str=text)
            booster.best_iteration = int(best)
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise damaged(f"it is not a LightGBM model ({error})") from error
        return booster

    def preview(self, source: Source, limit: int) -> str:
        """The number of trees, then the beginning of the model's text."""
        head = source.read(0, min(source.size, 4 * limit)).decode("utf-8", "replace")
        return shorten(f"LightGBM model\n{head}", limit)


def _check_trees(text: str) -> None:
    """LightGBM believes the sizes that a model states for its trees; they have to be true."""
    head, _, rest = text.partition("\n\n")
    sizes = [line for line in head.splitlines() if line.startswith("tree_sizes=")]
    stated = [int(size) for size in sizes[0].removeprefix("tree_sizes=").split()] if sizes else []
    trees = rest[rest.index("Tree=") :] if stated else ""
    if sum(stated) > len(trees.encode()) or min(stated, default=1) < 1:
        raise ValueError("the sizes of its trees are wrong")


class Plotly(_Leaf):
    """A `plotly` figure as its JSON."""

    name = "plotly"

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the figure, keys sorted."""
        import msgspec

        data = msgspec.json.decode(cast("Any", value).to_json())
        sink.write(msgspec.json.encode(data, order="sorted"))

    def load(self, source: Source) -> object:
        """Read the figure; its properties are validated."""
        import msgspec

        figures: Any = import_module("plotly.graph_objects")
        try:
            return figures.Figure(msgspec.json.decode(source.read()))
        except (msgspec.DecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise damaged(f"it is not a Plotly figure ({error})") from error

    def preview(self, source: Source, limit: int) -> str:
        """The beginning of the JSON."""
        head = source.read(0, min(source.size, 4 * limit))
        return shorten(f"Plotly figure {head.decode('utf-8', 'replace')}", limit)
