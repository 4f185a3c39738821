"""The steps of the words pipeline: plain Python, nothing beside the standard library."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from mainspring import log, step, workdir


class Counted(NamedTuple):
    """Each field becomes an artifact of its own, with a name that conditions can use."""

    words: dict[str, int]
    different: int


@step
def find() -> list[str]:
    """The texts of this project. What a step opens or lists of the project is watched: a new text,
    or a changed one, makes the step run again."""
    return sorted(str(path) for path in Path("texts").glob("*.txt"))


@step
def read(path: str) -> str:
    return Path(path).read_text("utf-8")


@step
def count(text: str, length: int) -> dict[str, int]:
    """How often each word of at least `length` letters occurs."""
    found = re.findall(r"[^\W\d_]+", text.lower())
    return dict(Counter(word for word in found if len(word) >= length))


@step
def add(counts: list[dict[str, int]]) -> Counted:
    total = sum((Counter(each) for each in counts), Counter())
    log(words=total.total(), different=len(total))
    return Counted(dict(total), len(total))


@step
def longer(length: int) -> int:
    return length + 1


@step
def write(counts: dict[str, int]) -> Path:
    """One line for each word, the most frequent first."""
    path = workdir() / "most-used.txt"
    lines = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    path.write_text("".join(f"{number} {word}\n" for word, number in lines), "utf-8")
    return path


@step
def warn(counts: dict[str, int]) -> str:
    return f"still {len(counts)} different words: allow more rounds"


@step(join=True)
def report(table: Path | None, warning: str | None) -> str:
    """`join=True`: runs although one of the two branches was skipped; that one's input is None."""
    text = table.read_text("utf-8") if table else f"{warning}\n"
    print(text, end="")
    return text
