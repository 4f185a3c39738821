"""`command(...)`: a program in any language as a step; files in, files out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack, cast

from mainspring.definition import options, types
from mainspring.definition.calling import SiteWish, place
from mainspring.definition.locations import location
from mainspring.definition.nodes import Callee, Port
from mainspring.definition.options import SiteOptions, StepOptions
from mainspring.definition.tracing import required
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import CommandNode, Node, Options

_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_][\w.-]*)\}")


class CommandDefinition:
    """A program as a step: call it with its inputs by name, inside a pipeline."""

    def __init__(
        self, node: CommandNode, ports: dict[str, Port], run_options: Options, wish: SiteWish
    ) -> None:
        self.node = node
        self.inputs = ports
        self.run_options = run_options
        self._wish = wish

    def __repr__(self) -> str:
        return f"<command {self.node.name}: {self.node.command}>"

    def __call__(self, **inputs: Any) -> Any:
        where = location()
        graph = required(f"command `{self.node.name}`", where)
        return place(graph, self.callee(), (), inputs, self._wish, where=where)

    def map(self, *mapped: Any, **broadcast: Any) -> list[Any]:
        """Run the command for each element of the lists given by position, in the order of the
        inputs; what is given by name is the same for all."""
        where = location()
        graph = required(f"command `{self.node.name}`", where)
        return place(graph, self.callee(), mapped, broadcast, self._wish, where=where, mapped=True)

    def options(self, **changes: Unpack[SiteOptions]) -> CommandDefinition:
        """Return the command with other options, and with a name, condition or order for a call."""
        where = location()
        rest = cast("dict[str, Any]", dict(changes))
        wish = self._wish.updated(rest)
        changed = options.read(rest, base=self.run_options, where=where)
        _checked(changed, where, self.node.image)
        return CommandDefinition(self.node, self.inputs, changed, wish)

    def callee(self) -> Callee:
        """Return what tracing needs to place a call."""
        outputs: dict[str, Any] = dict.fromkeys(self.node.outputs, Path)
        return Callee(
            kind="command",
            name=self.node.name,
            make=self._make,
            ports=self.inputs,
            outputs=outputs,
            principal=next(iter(outputs)) if len(outputs) == 1 else None,
            join=self.run_options.join,
        )

    def _make(self, common: dict[str, Any], mapped: tuple[str, ...]) -> Node:
        return CommandNode(
            command=self.node.command,
            map=mapped,
            inputs=self.node.inputs,
            outputs=self.node.outputs,
            files=self.node.files,
            shell=self.node.shell,
            image=self.node.image,
            network=self.node.network,
            options=self.run_options,
            **common,
        )


def command(
    text: str,
    /,
    *,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, str] | None = None,
    files: Iterable[str] = (),
    shell: bool = False,
    **given: Unpack[StepOptions],
) -> CommandDefinition:
    """Return a step that runs a program.

    In `text`, `{inputs.x}` becomes a path or plain value and `{outputs.y}` the path to write.
    `inputs` maps names to types (left out: the names in the text), `outputs` names to relative
    paths (a directory ends in `/`), `files` are the project files that the program reads. Without
    `shell` no shell sees the text. Raises DefinitionError.
    """
    where = location()
    rest = cast("dict[str, Any]", dict(given))
    wish = SiteWish(name=None)
    name = rest.pop("name", None)
    return define(
        text, inputs, outputs or {}, files, shell=shell, name=name, where=where,
        run_options=options.read(rest, where=where), wish=wish,
    )  # fmt: skip


def define(
    text: str,
    inputs: Mapping[str, Any] | None,
    outputs: Mapping[str, str],
    files: Iterable[str],
    *,
    shell: bool,
    name: str | None,
    where: str,
    run_options: Options,
    wish: SiteWish,
    image: str = "",
    network: bool = False,
) -> CommandDefinition:
    """Return the checked definition; `name` None: that of the program."""
    _check_text(text, shell, where)
    _checked(run_options, where, image)
    used = [found[1] for found in _PLACEHOLDER.finditer(text)]
    names = list(dict.fromkeys(u.removeprefix("inputs.") for u in used if u.startswith("inputs.")))
    found = dict.fromkeys(names, Any) if inputs is None else dict(inputs)
    for kind, table in (("input", found), ("output", outputs)):
        for key in table:
            options.check_name(key, f"an {kind}", where=where)
    known = [*(f"inputs.{key}" for key in found), *(f"outputs.{key}" for key in outputs)]
    options.refuse_unknown(used, known, "placeholder", where=where, of=f"the command `{text}`")
    if isinstance(files, str):
        raise DefinitionError("`files` is text", where=where or None, hint="give a list of paths")
    node = CommandNode(
        name=options.check_name(name or _program(text), "a command", where=where),
        command=text,
        inputs={key: types.text(kind) for key, kind in found.items()},
        outputs={key: relative(path, f"outputs.{key}", where) for key, path in outputs.items()},
        files=tuple(relative(path, "files", where) for path in files),
        shell=shell,
        image=image,
        network=network,
    )
    _check_apart(node.outputs, where)
    return CommandDefinition(node, {k: Port(a, True) for k, a in found.items()}, run_options, wish)


def _checked(found: Options, where: str, image: str) -> None:
    """Refuse an environment that is no lock, or beside an image, which brings its own."""
    if not image and "dockerfile" not in (found.environment or "").lower():
        return
    instead = "use `container(image, ...)`, or `image` in a pipeline file"
    what = "a container" if image else "a command"
    options.without_environment(found, what, instead, where=where)


def _check_text(text: object, shell: bool, where: str) -> None:
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise DefinitionError(
            f"the command is {text!r}", where=where or None, hint="give a program and its arguments"
        )
    if not shell:
        try:
            shlex.split(text)
        except ValueError as error:
            raise DefinitionError(
                f"the command `{text}` can't be split into words: {error}", where=where or None
            ) from None


def _program(text: str) -> str:
    """Return a name for a node: that of the program, without directories."""
    word = text.split(maxsplit=1)[0].rsplit("/", 1)[-1]
    name = re.sub(r"[^\w-]", "_", word).strip("-")
    return name if name[:1].isalpha() or name[:1] == "_" else "command"


def relative(path: object, label: str, where: str) -> str:
    """Return a path that stays inside its directory. Raises DefinitionError."""
    problem = None
    if not isinstance(path, str) or not path or "\0" in path:
        problem = "is no path"
    elif path.startswith(("/", "~")) or "\\" in path or re.match(r"[A-Za-z]:", path):
        problem = "is not a relative path with `/`"
    elif ".." in path.split("/"):
        problem = "leads out of the directory"
    elif set(path) <= {"/", "."}:
        problem = "is the directory itself"
    if problem is not None or not isinstance(path, str):
        raise DefinitionError(
            f"`{label}`: {path!r} {problem}",
            where=where or None,
            hint='give a relative path without "..", such as "model.rds" or "tables/"',
        )
    return path


def _check_apart(outputs: Mapping[str, str], where: str) -> None:
    """Refuse outputs at the same path, or one inside another."""
    paths = {key: path.rstrip("/") for key, path in outputs.items()}
    for one, path in paths.items():
        for other, inner in paths.items():
            if one != other and (path == inner or inner.startswith(path + "/")):
                raise DefinitionError(
                    f"outputs `{one}` and `{other}` of the command overlap: {path}, {inner}",
                    where=where or None,
                )
