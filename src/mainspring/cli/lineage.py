"""`mainspring lineage`: from what an artifact was made, and what was made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Screen, clean

if TYPE_CHECKING:
    from mainspring.app.lineage import LineageNode, LineageView


@verb()
@click.argument("artifact")
@click.option("--up", is_flag=True, help="Only from what it was made.")
@click.option("--down", is_flag=True, help="Only what was made from it.")
@click.option(
    "--depth", type=click.IntRange(0, 200), metavar="N", help="How many steps away (100)."
)
@given
def command(invocation: Invocation, artifact: str, up: bool, down: bool, depth: int | None) -> None:
    """Show from what an artifact was made, and what was made from it, in all runs.

    ARTIFACT is RUN/TASK, RUN/TASK.OUTPUT or RUN/TASK/OUTPUT, or the artifact's digest.
    """
    from mainspring.app.lineage import lineage

    both = up == down
    found = lineage(invocation.open(), artifact, up=up or both, down=down or both, depth=depth)
    if invocation.json:
        invocation.emit(found)
    else:
        write_lineage(invocation.screen, found)


def write_lineage(screen: Screen, found: LineageView) -> None:
    """Write both trees, and the runs that took part."""
    screen.line(f"artifact {screen.paint(found.artifact, 'bold')}")
    for title, nodes in (("made by", found.up), ("used in", found.down)):
        if nodes:
            screen.line()
            screen.title(title)
        for node in nodes:
            _write_node(screen, node, "  ", inputs=title == "made by")
    screen.line()
    screen.title("runs")
    for name, run in found.runs.items():
        given = wording.settings(run.parameters)
        data = wording.settings(run.data)
        about = "  ".join(text for text in (run.pipeline, given, data) if text)
        screen.line(f"  {name}  {clean(about)}  source {run.snapshot[7:19]}")
    if found.cut:
        screen.line("\nthere is more: see --depth")


def _write_node(screen: Screen, node: LineageNode, indent: str, *, inputs: bool) -> None:
    sign, style = wording.symbol_of(node.status)
    count = f"  {wording.plural(node.count, 'element')}" if node.count is not None else ""
    source = f"  reused from {node.source}" if node.source else ""
    digests = " ".join(f"{out.output}={out.digest[7:19]}" for out in node.outputs)
    text = clean(f"{node.run}/{node.task}{count}{source}  {digests}".rstrip())
    more = "  (see above)" if node.again else ""
    screen.line(f"{indent}{screen.paint(sign, style)} {text}{more}")
    if inputs and not node.again:
        for place in node.code:
            screen.line(screen.paint(clean(f"{indent}    code {place}"), "dim"))
        for name, (digest, value) in node.inputs.items():
            line = clean(f"{indent}    {name} = {value or digest}")
            screen.line(screen.paint(line, "dim"))
    for child in node.nodes:
        _write_node(screen, child, indent + "  ", inputs=inputs)
