"""Fail when a file of the repository names a package registry's host or a path of one machine.

    python tools/check_text.py [FILE ...]     (without FILE: everything git would add)

Such names tie a clone to one network or one home directory. A line that has to show one (the
check's own tests build theirs from parts) does not exist so far, so there is no way to excuse one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# In parts, so that this file does not contain what it looks for.
HOSTS = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("anaconda", "org"),
    ("anaconda", "com"),
    ("crates", "io"),
    ("rubygems", "org"),
    ("r-project", "org"),
    ("maven", "org"),
    ("golang", "org"),
    ("ghcr", "io"),
    ("gcr", "io"),
    ("quay", "io"),
    ("index", "docker", "io"),
    ("registry-1", "docker", "io"),
)
HOMES = ("home", "Users")


def patterns(root: Path) -> list[re.Pattern[str]]:
    """What no line may match; `root` is the checkout, whose own place is one such path."""
    hosts = "|".join(re.escape(".".join(parts)) for parts in HOSTS)
    homes = "|".join(HOMES)
    found = [
        re.compile(rf"(?<![\w-])(?:[\w-]+\.)*(?:{hosts})(?![\w-])", re.IGNORECASE),
        re.compile(rf"(?<![\w.$}}~-])/(?:{homes})/[A-Za-z_][\w.-]*"),
        re.compile(r"(?<![\w.$}~-])/" + "root" + r"/[\w.-]+"),
    ]
    for place in {root.resolve(), Path.home().resolve()}:
        if len(place.parts) > 2:  # "/" and "/src" are too short to tell anything
            found.append(re.compile(re.escape(str(place)) + r"(?![\w-])"))
    return found


def faults(path: Path, forbidden: Iterable[re.Pattern[str]]) -> Iterator[tuple[int, str]]:
    """Yield (line number, what was found) for each forbidden name in a text file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return  # binary, or deleted but not yet from the index, or a submodule
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern in forbidden:
            if match := pattern.search(line):
                yield number, match.group()


def repository_files(root: Path) -> list[Path]:
    """Files that git tracks or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [root / name for name in listing.split("\0") if name]


def main(arguments: list[str]) -> int:
    """Check the named files, or the whole repository; return the process's exit status."""
    root = Path(__file__).resolve().parent.parent
    paths = [Path(name) for name in arguments] or repository_files(root)
    forbidden = patterns(root)
    count = 0
    for path in paths:
        for number, found in faults(path, forbidden):
            print(f"{path}:{number}: names a registry's host or a path of one machine: {found}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
