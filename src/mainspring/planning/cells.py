"""The fingerprint of a whole notebook: its code cells, and the project's code that they reach."""

from __future__ import annotations

import msgspec

from mainspring.planning.fingerprint import ENTRY, CodeBase
from mainspring.records import ipynb
from mainspring.records.canonical import digest_bytes, digest_of
from mainspring.records.notebook import PACKAGE
from mainspring.records.source import CodePart, Fingerprint, SourceFile

_MODULE = "__cells__"
_KERNEL = frozenset({"ipykernel"})


def notebook_fingerprint(base: CodeBase, path: str) -> Fingerprint:
    """Return the fingerprint of a notebook of the snapshot. Raises DefinitionError for no notebook.

    The sources of its code cells count as they are, each as a part; its outputs, its text cells and
    its metadata don't. What the cells import of the project counts as it does for any step.
    """
    cells = ipynb.read(base.read(path), path)
    parts = [
        CodePart(name=f"cell {cell.number}", digest=digest_bytes(cell.source.encode()), where=path)
        for cell in cells
        if cell.source.strip()
    ]
    reached = _reached(base, path, ipynb.module(cells, _MODULE))
    own = f"{PACKAGE}.{_MODULE}"
    parts += [
        part
        for part in reached.parts
        if part.name not in (ENTRY, path) and not part.name.startswith((own, f"{PACKAGE}/"))
    ]
    return Fingerprint(
        digest=digest_of([[part.name, part.digest] for part in parts]),
        parts=tuple(parts),
        packages=tuple(sorted({*reached.packages, *_KERNEL})),
        dynamic=reached.dynamic,
    )


def _reached(base: CodeBase, path: str, text: str) -> Fingerprint:
    """What the cells reach, as if they were a module that lies beside the notebook."""
    data = text.encode("utf-8", "surrogatepass")
    place = f"{PACKAGE}/{_MODULE}.py"
    texts = {place: data, f"{PACKAGE}/__init__.py": b""}
    made = [
        SourceFile(path=name, digest=digest_bytes(content), size=len(content))
        for name, content in texts.items()
    ]
    known = [file for file in base.manifest.files if not file.path.startswith(f"{PACKAGE}/")]
    folder = path.rpartition("/")[0]
    manifest = msgspec.structs.replace(
        base.manifest,
        files=tuple(sorted([*known, *made], key=lambda file: file.path)),
        roots=tuple(dict.fromkeys([*base.manifest.roots, folder])),
    )
    inner = CodeBase(
        manifest, lambda name: texts[name] if name in texts else base.read(name), base.memo
    )
    return inner.fingerprint(f"{PACKAGE}.{_MODULE}:{_MODULE}")
