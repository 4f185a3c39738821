"""The format "safetensors": torch tensors, and modules as their tensors and a description.

The file is what the safetensors library reads. Under `__metadata__` it says what the tensors are
together; a module is made of the class that is named there, without calling `__init__`.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten
from mainspring.storage.serializers.modules import Reader, Writer, class_names

PIECE = 8 << 20  # bytes: how much of a strided tensor is gathered at a time
HEADER = 100 << 20  # bytes of header, as the safetensors library has it
_CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "bool": "BOOL",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "uint16": "U16",
    "uint32": "U32", "uint64": "U64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
    "complex64": "C64",
}  # fmt: skip
_DTYPES = {code: name for name, code in _CODES.items()}


class SafeTensors:
    """Tensors keep dtype, shape and `requires_grad`; they are read on the CPU."""

    name = "safetensors"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the tensor or module; nothing is copied that lies in one piece in memory."""
        writer = Writer()
        about = writer.describe(value)
        at, header = 0, dict[str, Any]()
        for name, tensor in writer.tensors.items():
            dtype = str(tensor.dtype).removeprefix("torch.")
            if dtype not in _CODES:
                raise Unsupported(f"safetensors has no form for {tensor.dtype}")
            end = at + tensor.numel() * tensor.element_size()
            offsets = [at, end]
            shape = list(tensor.shape)
            header[name] = {"dtype": _CODES[dtype], "shape": shape, "data_offsets": offsets}
            at = end
        header["__metadata__"] = {"mainspring": _json(about)}
        head = _json(header).encode()
        head += b" " * (-len(head) % 8)
        sink.write(len(head).to_bytes(8, "little") + head)
        for tensor in writer.tensors.values():
            for piece in _pieces(tensor):
                sink.write(piece)

    def load(self, source: Source) -> object:
        """Read the value; changes to a mapped tensor stay in this process."""
        header, about, start = _header(source)
        data = _buffer(source)
        try:
            tensors = {key: _tensor(entry, data, start) for key, entry in header.items()}
            return Reader(tensors).make(about)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise damaged(f"its tensors do not fit ({error})") from error
        except (RuntimeError, OverflowError, RecursionError) as error:
            raise damaged(f"its tensors do not fit ({error})") from error

    def preview(self, source: Source, limit: int) -> str:
        """Shapes and dtypes; nothing of the project is imported."""
        header, about, _ = _header(source)
        count = sum(math.prod(entry["shape"]) for entry in header.values())
        lines = [f"{', '.join(class_names(about)) or about.get('kind')}: {count:,} values"]
        for key, entry in header.items():
            lines.append(f"{key}  {_DTYPES[entry['dtype']]} {tuple(entry['shape'])}")
        if about.get("kind") in ("tensor", "parameter"):
            lines = [f"{_DTYPES[entry['dtype']]} tensor of shape {tuple(entry['shape'])}"
                     for entry in header.values()]  # fmt: skip
            lines.append(str(getattr(self.load(source), "detach")()))  # noqa: B009
        return shorten("\n".join(lines), limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())

    def classes(self, source: Source) -> Iterator[str]:
        """The classes of the modules in it."""
        yield from class_names(_header(source)[1])


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _pieces(tensor: Any) -> Iterator[memoryview]:
    torch: Any = import_module("torch")
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if not tensor.numel():
        return
    if tensor.is_contiguous():
        yield memoryview(tensor.reshape(-1).view(torch.uint8).numpy())
        return
    row = max(tensor.numel() // len(tensor) * tensor.element_size(), 1)
    for piece in tensor.split(max(PIECE // row, 1)):
        yield memoryview(piece.contiguous().reshape(-1).view(torch.uint8).numpy())


def _header(source: Source) -> tuple[dict[str, Any], dict[str, Any], int]:
    size = int.from_bytes(source.read(0, 8), "little")
    if size > min(HEADER, source.size - 8):
        raise damaged("its header is cut off")
    try:
        header = json.loads(source.read(8, size))
        about = json.loads(header.pop("__metadata__")["mainspring"])
        ends = [0]
        for entry in sorted(header.values(), key=lambda item: item["data_offsets"]):
            start, end = entry["data_offsets"]
            shape = entry["shape"]
            whole = all(type(side) is int and side >= 0 for side in shape)
            bits = int("".join(filter(str.isdigit, entry["dtype"].partition("_")[0])) or 8)
            if not whole or start != ends[-1] or end - start != math.prod(shape) * bits // 8:
                raise ValueError("a tensor of it has another size")
            _ = _DTYPES[entry["dtype"]]
            ends.append(end)
        if not isinstance(about, dict) or ends[-1] != source.size - 8 - size:
            raise ValueError("it is cut off, or has more than its tensors")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(f"its header is not valid ({error})") from error
    return cast("dict[str, Any]", header), cast("dict[str, Any]", about), size + 8


def _buffer(source: Source) -> memoryview:
    if source.data is not None or source.path is None:
        return memoryview(bytearray(source.read()))
    with source.path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return memoryview(mapped)[source.start : source.start + source.size]


def _tensor(entry: dict[str, Any], data: memoryview, start: int) -> Any:
    torch: Any = import_module("torch")
    first, last = entry["data_offsets"]
    dtype = getattr(torch, _DTYPES[entry["dtype"]])
    if first == last:
        return torch.empty(entry["shape"], dtype=dtype)
    piece = data[start + first : start + last]
    if (start + first) % dtype.itemsize:  # torch would read it, slowly or not at all
        piece = memoryview(bytearray(piece))
    return torch.frombuffer(piece, dtype=dtype).reshape(entry["shape"])
