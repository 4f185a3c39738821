"""Code fingerprints: a digest of what a step's behaviour depends on in the project's own code.

docs/reference/fingerprint.md states the rule; docs/decisions/0005-fingerprint.md why it is so.
"""

from __future__ import annotations

import difflib
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import msgspec

from mainspring.planning.facts import Kind, memo_key
from mainspring.planning.link import Module, Program
from mainspring.planning.reach import Node, Sort, Walk, node
from mainspring.records.canonical import digest_bytes, digest_of
from mainspring.records.errors import DefinitionError
from mainspring.records.source import CodePart, Fingerprint, Manifest, Memo

ENTRY = "(entry)"
_IMPORT_TIME = " (import time)"
_ORDER = " (order)"
_WHOLE = " (whole)"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[str, Fingerprint])


class CodeBase:
    """The code of one snapshot. Fingerprints of its steps share what was found on the way.

    `read` gives the content of a file of the manifest. `memo` remembers what a file's text says,
    so that a file is parsed once in its life.
    """

    def __init__(
        self, manifest: Manifest, read: Callable[[str], bytes], memo: Memo | None = None
    ) -> None:
        self.manifest = manifest
        self.read = read
        self.memo = memo
        self._code: str | None = None
        self._program = Program(manifest, read, memo)
        self._walk = Walk(self._program)
        self._single: dict[Node, CodePart] = {}
        self._import_time: dict[str, tuple[CodePart | None, list[int]]] = {}
        self._known: dict[str, Fingerprint] = {}

    def fingerprint(self, entry: str) -> Fingerprint:
        """The fingerprint of `module:qualname` (a function, class or method).

        Raises DefinitionError when the project has the module but not the name. A module that the
        project does not have is taken for an installed package, which the environment covers.
        """
        if entry not in self._known:
            self._known[entry] = self._remembered(entry) or self._make(entry)
        return self._known[entry]

    def has_module(self, entry: str) -> bool:
        """Whether the module of `module:qualname` is the project's own."""
        return self._program.module(entry.partition(":")[0]) is not None

    def everything(self) -> Fingerprint:
        """The fingerprint of all of the project's Python: for values whose type is not known."""
        seen, packages, dynamic = self._walk.reach([node(Sort.CODE)])
        return _fingerprint(self._parts(seen), packages, dynamic)

    def _remembered(self, entry: str) -> Fingerprint | None:
        """The fingerprint found last time, if no file of code has changed since."""
        data = self.memo.get(memo_key("fingerprint", entry)) if self.memo is not None else None
        try:
            code, known = _decoder.decode(data) if data else ("", None)
        except (msgspec.DecodeError, ValueError):
            return None
        return known if code == self._code_digest() else None

    def _remember(self, entry: str, fingerprint: Fingerprint) -> None:
        if self.memo is not None:
            data = _encoder.encode((self._code_digest(), fingerprint))
            self.memo.put(memo_key("fingerprint", entry), data)

    def _code_digest(self) -> str:
        if self._code is None:
            files = [(file.path, file.digest) for file in self._program.modules.importable_files()]
            self._code = digest_of([self.manifest.roots, files])
        return self._code

    def _make(self, entry: str) -> Fingerprint:
        name, _, qualname = entry.partition(":")
        module = self._program.module(name)
        if module is None:
            where = name
            packages = {name.partition(".")[0]} - {"mainspring"}
            return _fingerprint([_entry(entry, where)], packages, ())
        start, where = self._start(module, qualname, entry)
        seen, packages, dynamic = self._walk.reach(start)
        missing = where == module.path
        whole = {node(Sort.WHOLE, name), node(Sort.ESCAPED, name)} & seen
        if missing and not whole:
            raise self._unknown(module, qualname)
        made = _fingerprint([_entry(entry, where), *self._parts(seen)], packages, dynamic)
        if node(Sort.FILES) not in seen and node(Sort.NATIVE) not in seen:
            self._remember(entry, made)
        return made

    def _start(self, module: Module, qualname: str, entry: str) -> tuple[list[Node], str]:
        start = [node(Sort.LOADED, module.name)]
        where = module.path
        for hit in self._program.resolve(module, tuple(qualname.split("."))):
            if hit.outside or hit.missing:
                where = where if hit.missing else entry
                continue
            start.append(node(Sort.LOADED, hit.module))
            owner = self._program.module(hit.module)
            if hit.at < 0 or owner is None:
                start.append(node(Sort.ESCAPED, hit.module))
                continue
            sort = Sort.REACHED if hit.item < 0 else Sort.ALIAS
            start.append(node(sort, hit.module, hit.at, hit.item))
            where = owner.where(hit.at)
        return start, where

    def _unknown(self, module: Module, qualname: str) -> DefinitionError:
        near = difflib.get_close_matches(qualname.partition(".")[0], module.bound, n=1)
        return DefinitionError(
            f"module {module.name} has no {qualname!r}",
            where=module.path,
            hint=f"did you mean {near[0]!r}?" if near else "define it at the top of the module",
        )

    # --- parts ---------------------------------------------------------------------------

    def _parts(self, seen: set[Node]) -> list[CodePart]:
        whole = {name for sort, name, _, _ in seen if sort in (Sort.WHOLE, Sort.ESCAPED)}
        docs = node(Sort.DOCS) in seen
        parts: dict[str, CodePart] = {}
        inert: dict[str, list[int]] = defaultdict(list)
        for at in seen:
            sort, name, index, _ = at
            if name in whole:
                continue
            if sort == Sort.REACHED and self._is_part(name, index):
                inert[name].append(index)
                documented = docs or node(Sort.DOCUMENTED, name, index) in seen
                self._add(parts, self._statement(name, index, documented=documented))
            elif sort == Sort.ALIAS:
                self._add(parts, self._alias(at))
            elif sort == Sort.LOADED:
                self._add(parts, self._loaded(name)[0])
        for name in whole:
            self._add(parts, self._whole(name))
        for name, indexes in inert.items():
            self._add(parts, self._order(name, indexes))
        for part in self._files(seen):
            self._add(parts, part)
        return list(parts.values())

    def _add(self, parts: dict[str, CodePart], part: CodePart | None) -> None:
        if part is not None:
            parts[part.name] = part

    def _is_part(self, name: str, index: int) -> bool:
        module = self._program.module(name)
        if module is None or module.statement(index).kind is Kind.IMPORT:
            return False
        return self._program.is_inert(module, index)

    def _statement(self, name: str, index: int, *, documented: bool) -> CodePart:
        key = node(Sort.DOCUMENTED if documented else Sort.REACHED, name, index)
        if key not in self._single:
            module = self._linked(name)
            text = self._text(module, index, documented=documented)
            names = ", ".join(bound for bound, _ in module.statement(index).binds)
            self._single[key] = CodePart(
                name=f"{name}.{names}", digest=_hash(text), where=module.where(index)
            )
        return self._single[key]

    def _text(self, module: Module, index: int, *, documented: bool) -> str:
        statement = module.statement(index)
        bare = self._program.is_bare(module, index)
        return f"{statement.bare if bare else statement.digest} {statement.docs * documented}"

    def _alias(self, at: Node) -> CodePart:
        if at not in self._single:
            _, name, index, item = at
            module = self._linked(name)
            record = module.statement(index).imports[item]
            source = self._program.absolute(module, record)
            target = f"{source}:{record.name}" if record.name else record.bound
            label = f"{name}.{record.alias}" + ("" if _imports(module, index) else f" #{item}")
            place = "project" if self._program.modules.find(target.partition(":")[0]) else "outside"
            digest = _hash(f"{record.alias} {target} {place}")
            self._single[at] = CodePart(
                name=f"{label} = {target}", digest=digest, where=module.where(index)
            )
        return self._single[at]

    def _loaded(self, name: str) -> tuple[CodePart | None, list[int]]:
        """What importing a module does, in order; and the indexes of the statements that do it."""
        if name not in self._import_time:
            module = self._linked(name)
            texts = {index: self._effect(module, index) for index in module.facts.effects}
            places = [index for index, text in texts.items() if text]
            part = None
            if places:
                digest = digest_of([texts[index] for index in places])
                part = CodePart(
                    name=name + _IMPORT_TIME, digest=digest, where=module.where(places[0])
                )
            self._import_time[name] = (part, places)
        return self._import_time[name]

    def _effect(self, module: Module, index: int) -> str:
        """The text by which a statement counts as soon as its module is imported; or ""."""
        statement = module.statement(index)
        if statement.kind is Kind.IMPORT:
            return _import_effect(self._program, module, index)
        if self._program.is_inert(module, index):
            return ""
        return self._text(module, index, documented=True)

    def _order(self, name: str, indexes: list[int]) -> CodePart | None:
        """Where the definitions lie among the effects: an effect may see which are there yet."""
        module = self._linked(name)
        part, places = self._loaded(name)
        if part is None:
            return None
        lines = [f"{module.statement(i).binds} {bisect(places, i)}" for i in indexes]
        where = module.where(min(indexes))
        return CodePart(name=name + _ORDER, digest=digest_of(sorted(lines)), where=where)

    def _whole(self, name: str) -> CodePart | None:
        module = self._linked(name)
        if not module.found.files:
            return None
        digests = [file.digest for file in module.found.files if not file.path.endswith(".py")]
        digests.append(module.facts.whole)
        return CodePart(name=name + _WHOLE, digest=digest_of(digests), where=f"{module.path}:1")

    def _files(self, seen: set[Node]) -> Iterator[CodePart]:
        modules = self._program.modules
        if node(Sort.FILES) in seen:
            files = iter(self.manifest.files)
        elif node(Sort.CODE) in seen:
            files = modules.importable_files()
        elif node(Sort.NATIVE) in seen:
            files = modules.native_files()
        else:
            return
        for file in files:
            digest = file.digest
            if file.path.endswith(".py"):
                digest = _hash(self._program.facts(file).whole)
            yield CodePart(name=file.path, digest=digest, where=file.path)

    def _linked(self, name: str) -> Module:
        module = self._program.module(name)
        assert module is not None
        return module


def compare(old: tuple[CodePart, ...], new: tuple[CodePart, ...]) -> list[str]:
    """What changed between the parts of two fingerprints: "build_model changed, model.py:41".

    Mere order is mentioned only when nothing else explains the change.
    """
    before = {part.name: part for part in old}
    after = {part.name: part for part in new}
    lines: list[tuple[str, str]] = []
    for name in before.keys() | after.keys():
        part = after.get(name) or before[name]
        if name not in before:
            verb = "added"
        elif name not in after:
            verb = "removed"
        elif before[name].digest != part.digest:
            verb = "changed"
        else:
            continue
        lines.append((name, f"{_label(part)} {verb}, {part.where}"))
    telling = [line for line in lines if not line[0].endswith(_ORDER)]
    return [text for _, text in sorted(telling or lines)]


def _label(part: CodePart) -> str:
    """A part's name without its package: `model.build_model` of `model.py` is `build_model`."""
    name, space, rest = part.name.partition(" ")
    if part.where.partition(":")[0] == part.name or part.name == ENTRY:
        return part.name
    return name + space + rest if rest.startswith("(") else name.rpartition(".")[2] + space + rest


def _imports(module: Module, index: int) -> bool:
    return module.statement(index).kind is Kind.IMPORT


def _import_effect(program: Program, module: Module, index: int) -> str:
    """The modules that an import executes; one of the standard library has no effect of its own."""
    statement = module.statement(index)
    names: list[str] = []
    for record in statement.imports:
        base = program.absolute(module, record)
        loaded = program.loads(module, record)
        if base == "__future__":
            names.append(f"__future__.{record.name}")
        elif loaded or program.only_stdlib(base):
            names += [f"./{name}" for name in loaded]
        else:
            names.append(base)
    unique = list(dict.fromkeys(names))
    if statement.pinned:
        unique.append(statement.digest)
    return "import " + " ".join(unique) if unique else ""


def _entry(entry: str, where: str) -> CodePart:
    return CodePart(name=ENTRY, digest=_hash(entry), where=where)


def _hash(text: str) -> str:
    return digest_bytes(text.encode("utf-8", "surrogatepass"))


def _fingerprint(
    parts: Iterable[CodePart], packages: Iterable[str], dynamic: Iterable[str]
) -> Fingerprint:
    ordered = tuple(sorted(parts, key=lambda part: (part.name, part.digest)))
    return Fingerprint(
        digest=digest_of([[part.name, part.digest] for part in ordered]),
        parts=ordered,
        packages=tuple(sorted(packages)),
        dynamic=tuple(sorted(dynamic)),
    )
