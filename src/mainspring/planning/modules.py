"""Finds the project's modules by name, as the import system would, in a manifest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from mainspring.records.source import Manifest, SourceFile

NATIVE = (".so", ".pyd", ".dll", ".dylib")
IMPORTABLE = (".py", ".pyw", ".pyx", ".pth", ".zip", ".egg", ".whl", *NATIVE)


class Found:
    """A module of the project. `files` holds its source, and compiled forms that may win over it;
    none for a namespace package. `search` are the directories of a package's submodules."""

    __slots__ = ("files", "name", "search")

    def __init__(self, name: str, files: tuple[SourceFile, ...], search: tuple[str, ...]) -> None:
        self.name = name
        self.files = files
        self.search = search

    @property
    def is_namespace(self) -> bool:
        return not self.files


class Modules:
    """The modules of one manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._known: dict[str, Found | None] = {}
        self._leaves: dict[str, dict[str, list[SourceFile]]] = defaultdict(dict)
        self._folders: dict[str, set[str]] = defaultdict(set)
        for file in manifest.files:
            if file.path.endswith((".py", *NATIVE)):
                self._add(file)

    def _add(self, file: SourceFile) -> None:
        folder, _, name = file.path.rpartition("/")
        leaf = name.partition(".")[0]
        if name.endswith(".py") and name != leaf + ".py":
            return  # `a.b.py` is no module
        self._leaves[folder].setdefault(leaf, []).append(file)
        while folder:
            parent, _, leaf = folder.rpartition("/")
            if leaf in self._folders[parent]:
                break
            self._folders[parent].add(leaf)
            folder = parent

    def find(self, name: str) -> Found | None:
        """The module of that dotted name, or None when the project has none."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Found | None:
        parent, _, leaf = name.rpartition(".")
        if parent:
            package = self.find(parent)
            search = package.search if package else ()
        else:
            search = self.manifest.roots
        portions: list[str] = []
        for folder in search:
            inner = f"{folder}/{leaf}" if folder else leaf
            package_files = self._leaves.get(inner, {}).get("__init__")
            if package_files:
                return Found(name, tuple(package_files), (inner,))
            files = self._leaves.get(folder, {}).get(leaf)
            if files:
                return Found(name, tuple(files), ())
            if leaf in self._folders.get(folder, ()):
                portions.append(inner)
        return Found(name, (), tuple(portions)) if portions else None

    def children(self, name: str) -> list[str]:
        """The dotted names of the modules right below a package."""
        found = self.find(name)
        leaves: set[str] = set()
        for folder in found.search if found else ():
            leaves.update(self._leaves.get(folder, {}))
            leaves.update(self._folders.get(folder, ()))
        return [f"{name}.{leaf}" for leaf in sorted(leaves - {"__init__"})]

    def top_level(self) -> Iterator[str]:
        """The names that can be imported without a dot."""
        for root in self.manifest.roots:
            yield from self._leaves.get(root, ())
            yield from self._folders.get(root, ())

    def importable_files(self) -> Iterator[SourceFile]:
        """Every file that an import might execute, whatever `sys.path` is made to be."""
        return (file for file in self.manifest.files if file.path.endswith(IMPORTABLE))

    def native_files(self) -> Iterator[SourceFile]:
        """The compiled libraries (`libx.so.2` too), importable or not."""
        return (
            file
            for file in self.manifest.files
            if file.path.endswith(NATIVE) or ".so." in file.path.rpartition("/")[2]
        )
