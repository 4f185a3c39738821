"""`container(...)`: a program inside an image as a step; files in, files out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Unpack, cast

from mainspring.definition import options
from mainspring.definition.calling import SiteWish
from mainspring.definition.command import CommandDefinition, define
from mainspring.definition.locations import location
from mainspring.definition.options import StepOptions
from mainspring.records.errors import DefinitionError

_IMAGE = re.compile(r"[A-Za-z0-9][\w.\-/:@]{0,499}", re.ASCII)


def container(
    image: str,
    text: str,
    /,
    *,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, str] | None = None,
    files: Iterable[str] = (),
    shell: bool = False,
    network: bool = False,
    **given: Unpack[StepOptions],
) -> CommandDefinition:
    """Return a step that runs a program in a container of `image`, which must be there locally.

    All else is as for `command`. The container has no network unless `network`, sees its inputs
    and its working directory only, and runs as the caller. Raises DefinitionError.
    """
    where = location()
    rest = cast("dict[str, Any]", dict(given))
    name = rest.pop("name", None)
    return define(
        text, inputs, outputs or {}, files, shell=shell, name=name, where=where,
        run_options=options.read(rest, where=where), wish=SiteWish(name=None),
        image=check_image(image, where), network=check_network(network, True, where),
    )  # fmt: skip


def check_image(image: object, where: str) -> str:
    """Return the name of an image. Raises DefinitionError when it can't be one."""
    if isinstance(image, str) and _IMAGE.fullmatch(image):
        return image
    raise DefinitionError(
        f"the image is {image!r}"[:200],
        where=where or None,
        hint='give a name such as "python:3.12-slim"',
    )


def check_network(network: object, contained: bool, where: str) -> bool:
    """Return whether there is a network. Raises DefinitionError."""
    if not isinstance(network, bool):
        raise DefinitionError(
            f"`network` is {network!r}", where=where or None, hint="true or false"
        )
    if network and not contained:
        raise DefinitionError(
            "`network` is for steps with an `image`: a command has the machine's network",
            where=where or None,
        )
    return network
