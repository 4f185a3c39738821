"""Which long words do some texts use most? Every construct of a pipeline, in little."""

from pathlib import Path

from mainspring import checkpoint, command, pipeline, repeat, when
from steps import add, count, find, longer, read, report, warn, write

FEW = 8

# A step in another language: files in, files out, and the program's own files declared.
draw = command(
    "awk -v out={outputs.table} -f bars.awk {inputs.counts}",
    inputs={"counts": Path},
    outputs={"table": "table.txt"},
    files=["bars.awk"],
    name="draw",
)


@pipeline
def corpus():
    """A sub-pipeline: a group of its own in the graph of whoever calls it."""
    paths = find()
    there = checkpoint("texts", paths != [], kind="data")
    return read.options(after=there).map(paths)


@pipeline
def narrower(texts: list[str], length: int):
    """One round: count the words of a length. The next round takes the next length."""
    counted = add(count.map(texts, length=length))
    return {"words": counted.words, "different": counted.different, "length": longer(length)}


@pipeline
def words(length: int = 4):
    texts = corpus()

    # Round again, with longer and longer words, until few are left.
    found = repeat(narrower, until=lambda out: out.different <= FEW, max=6)(
        texts=texts, length=length
    )

    with when(found.different <= FEW) as few:
        table = draw(counts=write(found.words))
    with few.otherwise():
        warning = warn(found.words)
    return report(table, warning)
