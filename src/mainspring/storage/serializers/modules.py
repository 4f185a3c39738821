"""A torch module as data: its class by name, its attributes as JSON, its tensors by their path."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from mainspring.storage.serializers.base import Unsupported, damaged, type_text
from mainspring.storage.serializers.classes import class_name, find_class

_FUNCTIONS = "torch.nn.functional"
_PLAIN = (bool, int, str, type(None))


class Writer:
    """Describes a value, and gathers its tensors: one that is used twice is stored once."""

    def __init__(self) -> None:
        self.tensors: dict[str, Any] = {}
        self._torch: Any = import_module("torch")
        self._names: dict[int, str] = {}
        self._made: dict[int, int] = {}  # modules, which may be shared too

    def describe(self, value: Any, path: str = "") -> dict[str, Any]:
        """What `Reader.make` makes the value of. Raises Unsupported."""
        if isinstance(value, self._torch.nn.Module):
            return self._module(value, path)
        return self._tensor(value, path or "tensor")

    def _tensor(self, value: Any, path: str) -> dict[str, Any]:
        torch = self._torch
        kind = {torch.Tensor: "tensor", torch.nn.Parameter: "parameter"}.get(type(value))
        if kind is None or value.layout is not torch.strided or value.is_quantized:
            raise Unsupported(f"a {type_text(value)} that is not plain and dense", where=path)
        if value.device.type == "meta":
            raise Unsupported("it is on the device 'meta': it has no values", where=path)
        name = self._names.setdefault(id(value), path)
        self.tensors[name] = value
        return {"kind": kind, "at": name, "grad": bool(value.is_leaf and value.requires_grad)}

    def _module(self, value: Any, path: str) -> dict[str, Any]:
        if id(value) in self._made:
            return {"kind": "same", "at": self._made[id(value)]}
        if type(value).__module__.startswith(("torch.jit", "torch.fx", "torch.export")):
            raise Unsupported(
                "it is a compiled program",
                hint="return its state_dict(), or save it to a file and return the path",
            )
        self._made[id(value)] = len(self._made)
        state = value.__getstate__()
        prefix = f"{path}." if path else ""
        return {
            "kind": "module",
            "class": class_name(cast("type[Any]", type(value)), path),
            "state": {key: self._part(item, key, prefix) for key, item in state.items()},
        }

    def _part(self, value: Any, key: str, prefix: str) -> Any:
        if key in ("_parameters", "_buffers", "_modules"):
            return {"kind": "dict", "items": [
                [name, self._attribute(item, prefix + name)] for name, item in value.items()
            ]}  # fmt: skip
        if key.endswith(("_hooks", "_hooks_with_kwargs", "_hooks_always_called")) and value:
            raise Unsupported("hooks are attached to it", where=prefix + key)
        return self._attribute(value, prefix + key)

    def _attribute(self, value: Any, path: str) -> Any:
        kind = cast("type[Any]", type(value))
        if kind in _PLAIN:
            return value
        if kind is float:
            return {"kind": "float", "value": value.hex()}
        if isinstance(value, self._torch.Tensor | self._torch.nn.Module):
            return self.describe(value, path)
        if kind in (list, tuple, set):
            items = sorted(value, key=repr) if kind is set else value
            found = [self._attribute(item, f"{path}.{at}") for at, item in enumerate(items)]
            return {"kind": kind.__name__, "items": found}
        if kind is dict or kind.__name__ == "OrderedDict":
            return {"kind": "dict" if kind is dict else "ordered", "items": [
                [self._attribute(name, path), self._attribute(item, f"{path}.{name}")]
                for name, item in value.items()
            ]}  # fmt: skip
        if isinstance(value, self._torch.dtype):
            return {"kind": "dtype", "name": str(value).removeprefix("torch.")}
        if getattr(value, "__module__", "") == _FUNCTIONS and hasattr(value, "__name__"):
            return {"kind": "function", "name": value.__name__}
        raise Unsupported(f"its attribute {path} is a {type_text(value)}", where=f".{path}")


class Reader:
    """Makes the value that a `Writer` described."""

    def __init__(self, tensors: dict[str, Any]) -> None:
        self._torch: Any = import_module("torch")
        self._tensors = tensors
        self._made: dict[tuple[str, str], Any] = {}
        self._modules: list[Any] = []

    def make(self, about: Any) -> Any:
        """The value; raises ValueError and the like when the description does not fit."""
        if isinstance(about, _PLAIN):
            return about
        kind = about["kind"]
        if kind in ("tensor", "parameter"):
            return self._tensor(kind, about["at"], grad=about["grad"] is True)
        if kind == "module":
            return self._module(about)
        if kind == "same":
            return self._modules[about["at"]]
        if kind == "float":
            return float.fromhex(about["value"])
        if kind in ("list", "tuple", "set"):
            items = [self.make(item) for item in about["items"]]
            return {"list": list, "tuple": tuple, "set": set}[kind](items)
        return self._other(kind, about)

    def _other(self, kind: str, about: dict[str, Any]) -> Any:
        if kind in ("dict", "ordered"):
            pairs = [(self.make(key), self.make(item)) for key, item in about["items"]]
            return (
                dict(pairs) if kind == "dict" else import_module("collections").OrderedDict(pairs)
            )
        found = getattr(import_module(_FUNCTIONS), about["name"], None)
        if kind == "function" and getattr(found, "__module__", "") == _FUNCTIONS:
            return found
        dtype = getattr(self._torch, about["name"], None)
        if kind == "dtype" and isinstance(dtype, self._torch.dtype):
            return dtype
        raise damaged(f"unknown kind of attribute {kind!r}; it may be from a newer version")

    def _tensor(self, kind: str, at: str, *, grad: bool) -> Any:
        if (kind, at) not in self._made:
            plain = self._tensors[at]
            made = self._torch.nn.Parameter(plain, grad) if kind == "parameter" else plain
            self._made[kind, at] = made.requires_grad_(grad)
        return self._made[kind, at]

    def _module(self, about: dict[str, Any]) -> Any:
        base = self._torch.nn.Module
        cls: Any = find_class(
            about["class"],
            "a torch module",
            lambda found: issubclass(found, base) and not found.__module__.startswith("torch.jit"),
        )
        made = cls.__new__(cls)
        self._modules.append(made)
        state = {key: self.make(item) for key, item in about["state"].items()}
        if not {"_parameters", "_buffers", "_modules", "training"} <= state.keys():
            raise ValueError("a module of it lacks its parts")
        made.__setstate__(state)
        return made


def class_names(about: Any) -> Iterator[str]:
    """The names of all classes that a description refers to, the outermost first."""
    if isinstance(about, dict):
        table = cast("dict[str, Any]", about)
        if table.get("kind") == "module" and isinstance(table.get("class"), str):
            yield table["class"]
        for item in table.values():
            yield from class_names(item)
    elif isinstance(about, list):
        for item in cast("list[Any]", about):
            yield from class_names(item)
