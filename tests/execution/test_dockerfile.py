"""What a Dockerfile depends on, read from its text."""

from __future__ import annotations

import pytest

from mainspring.execution.dockerfile import context, read

FILES = ["app/a.py", "app/deep/b.py", "data/x.csv", "data/y.csv", "envs/Dockerfile", "lock.txt"]


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("COPY lock.txt /", ["lock.txt"]),
        ("copy ./lock.txt /", ["lock.txt"]),
        ("COPY /lock.txt data/x.csv /in/", ["data/x.csv", "lock.txt"]),
        ("COPY data /data", ["data/x.csv", "data/y.csv"]),
        ("COPY data/*.csv /data/", ["data/x.csv", "data/y.csv"]),
        ("COPY data/[x]* /data/", ["data/x.csv"]),
        ("COPY app/*.py /", ["app/a.py"]),
        ("COPY \\\n  # why\n  lock.txt \\\n  /", ["lock.txt"]),
        ('COPY ["lock.txt", "/"]', ["lock.txt"]),
        ("COPY --chown=1:1 --chmod=600 lock.txt /", ["lock.txt"]),
        ("COPY --from=build /made /made", []),
        ("ADD http://127.0.0.1/x /x", []),
        ("COPY . /", FILES),
        ("COPY ./ /", FILES),
        ("ARG WHAT=lock.txt\nCOPY $WHAT /", FILES),
        ("RUN --mount=type=bind,target=/src make", FILES),
        ("ONBUILD COPY . /", FILES),
        ("# COPY . /\nRUN true", []),
        ('COPY "lock.txt" /', FILES),
    ],
)
def test_what_is_copied(text: str, files: list[str]) -> None:
    assert context(read(f"FROM scratch\n{text}\n"), "", FILES) == files


def test_another_mark_for_lines_that_go_on() -> None:
    recipe = read("# escape=`\nFROM scratch\nCOPY `\n lock.txt /\n")
    assert context(recipe, "", FILES) == ["lock.txt"]


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("FROM python:3.12", ("python:3.12",)),
        ("from python:3.12 as build\nFROM build", ("python:3.12",)),
        ("FROM --platform=linux/amd64 a:1 AS b\nFROM c:2\nCOPY --from=b /x /x", ("a:1", "c:2")),
        ('ARG V="3.12"\nFROM python:${V}-slim', ("python:3.12-slim",)),
        ("FROM scratch", ()),
    ],
)
def test_what_it_builds_on(text: str, bases: tuple[str, ...]) -> None:
    assert read(text).bases == bases


@pytest.mark.parametrize(
    ("ignore", "files"),
    [
        ("data\n", ["app/a.py", "app/deep/b.py", "envs/Dockerfile", "lock.txt"]),
        ("**/*.py\n!app/a.py\n", ["app/a.py", *FILES[2:]]),
        ("*\n!lock.txt\n", ["lock.txt"]),
        ("# data\n\n./app/\n/envs", ["data/x.csv", "data/y.csv", "lock.txt"]),
    ],
)
def test_what_is_ignored(ignore: str, files: list[str]) -> None:
    assert context(read("FROM scratch\nCOPY . /\n"), ignore, FILES) == files
