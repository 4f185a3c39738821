"""Command lines, streams and environments as nobody should have them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.e2e.place import Place, Result, environment, polite

from mainspring.cli import overview
from mainspring.cli.logs import _for_terminal
from mainspring.cli.program import execute
from mainspring.cli.screen import clean, clean_block, clean_log

FLOW = """
    @step
    def double(x: int) -> int:
        print("\\x1b[31mred\\x1b]0;title\\x07")
        return 2 * x

    @step
    def fails(x: str) -> int:
        log({"\\x1b[31m[bold]": 1.0})
        raise ValueError("\\x1b[31mno [bold]\\x07 \\u202egnp \\ud800 \\0")

    @pipeline
    def main(n: int = 3, s: str = "a", d: dict = {}):
        double(n)

    @pipeline
    def bad(s: str = "\\x1b[31m[bold]\\u202ex"):
        return fails(s)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = Place(tmp_path_factory.mktemp("words") / "demo", "flow:main", "flow:bad")
    made.flow(FLOW)
    made.run("main")
    made.run("bad", code=1)
    return made


def shell(place: Place, script: str, **env: str) -> Result:
    """Run a line of shell in the project; `ms` is the program."""
    done = subprocess.run(
        ["bash", "-c", f'ms() {{ "{sys.executable}" -m mainspring "$@"; }}\n{script}'],
        cwd=place.root, env=environment(env), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return Result(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("ms runs >&-", 0),
        ("ms run -q <&- >&- 2>&-", 0),
        ("ms run nope >&- 2>&-", 2),
        ("ms --version >&-", 0),
        ("ms runs > /dev/full", 2),
        ("ms --help > /dev/full", 2),
        ("ms nope 2> /dev/full", 2),
        ("ms show --json > /dev/full", 2),
        ("mkdir gone; cd gone; rmdir ../gone; ms runs", 2),
        ("_MAINSPRING_COMPLETE=bash_complete COMP_WORDS=x COMP_CWORD=x ms", 1),
    ],
)
def test_streams_and_places_that_are_gone(shared: Place, script: str, code: int) -> None:
    done = shell(shared, script)
    assert done.code == code, done
    for word in ("Traceback", "bug in", "Exception ignored"):
        assert word not in done.err, done.err
    if code == 2 and "2>" not in script:
        assert done.err.count("error: ") == 1 or json.loads(done.err)["error"], done.err


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"TZ": "\x1b[31m", "COLUMNS": "0", "TERM": "\x1b"},
        {"HOME": ""},
    ],
    ids=["C", "ascii", "odd", "homeless"],
)
def test_odd_environments(shared: Place, env: dict[str, str]) -> None:
    for words in (("show",), ("run", "main", "--force", "double")):
        done = shared(*words, env=env)
        assert done.code == 0 or "bad" in done.out, done
        assert "Traceback" not in done.err


def test_a_home_that_is_no_text(shared: Place, tmp_path: Path) -> None:
    polite(shell(shared, f"MAINSPRING_HOME={tmp_path}/$'\\xff' ms run"), 2, "UTF-8")


@pytest.mark.parametrize(
    "words",
    [
        ["show", "\udcff"], ["show", "latest", "\udcff"], ["logs", "latest", "\udcff"],
        ["why", "\udcff/x"], ["cancel", "\udcff"], ["runs", "--pipeline", "\udcff"],
        ["run", "\udcff"], ["run", "\udcff.yaml"], ["plan", "-p", "s=\udcff"],
        ["runs", "--limit", "9" * 20], ["plan", "--seed", "9" * 30], ["plan", "--seed", "9" * 5000],
        ["plan", "-p", "d=" + "[" * 100_000], ["plan", "-p", "n=" + "9" * 100_000],
        ["plan", "-p", "x" * 50_000 + "=1"], ["show", "x" * 100_000], ["show", "../.."],
        ["artifacts", "get", "latest", "../x"], ["init", "/dev/null/x"], ["-C", "x" * 5000, "run"],
    ],
    ids=lambda words: ascii(" ".join(words))[:30],
)  # fmt: skip
def test_words_that_can_not_be(shared: Place, words: list[str]) -> None:
    done = shared(*words)
    polite(done, 2)
    assert len(done.err) < 8_000
    told = json.loads(shared(*words, "--json").err)
    assert told["format"] == "mainspring.error/1"
    assert told["error"]["exit_code"] == 2


def test_texts_of_users_do_not_steer_the_terminal(shared: Place) -> None:
    for words in (
        ("show", "latest"), ("show", "latest", "fails"), ("runs",), ("plan", "bad"),
        ("why", "latest/fails"), ("artifacts", "list"), ("show", "--graph"), ("run", "bad"),
        ("plan", "-p", "s=\x1b[31m\u202e"), ("run", "\x1b[31m"),
    ):  # fmt: skip
        done = shared(*words)
        text = done.out + done.err
        assert not any(sign in text for sign in "\x1b\x07\0\u202e"), (words, text)
    assert "[bold]" in shared("show", "latest").out


def test_logs_on_a_terminal_keep_colours_only() -> None:
    harmful = "\x1b[31mred\x1b[0m \x1b[8mhidden \x1b[2J\x1b]0;title\x07\x1b[1;8m \x9b31m\u202e\x08"
    assert clean_log(harmful) == "\x1b[31mred\x1b[0m [8mhidden [2J]0;title[1;8m 31m"
    made_harmless = _for_terminal()
    pieces = [made_harmless(bytes([byte])) for byte in "é\x1b[2J\n".encode()]
    assert b"".join(pieces).decode() == "é[2J\n"


@given(st.text())
def test_clean_text_has_no_control_characters(text: str) -> None:
    for made, allowed in ((clean(text), ""), (clean_block(text), "\n\t")):
        assert all(c.isprintable() or c in allowed or ord(c) > 159 for c in made)
        assert "\u202e" not in made


words = st.one_of(
    st.sampled_from([
        "--json", "-p", "--seed", "--force", "-C", "--", "-o", "--limit", "latest", "main", "-1",
        "double", "n=4", "s=\x1b[31m", "latest/double", "--graph", "--help", "--no-color", "",
    ]),
    st.text(max_size=12).filter(lambda text: "\0" not in text),
    st.from_regex(r"-{1,2}[a-z]{1,8}(=.{0,4})?", fullmatch=True),
)  # fmt: skip
# Without those that run, wait or write where they are told to.
_LEFT_OUT = ("engine", "init", "logs", "rerun", "run")
verbs = st.sampled_from([verb for verb in overview.VERBS if verb not in _LEFT_OUT])


@pytest.fixture(scope="module")
def inside(shared: Place) -> Iterator[Place]:
    before = Path.cwd()
    os.chdir(shared.root)
    yield shared
    os.chdir(before)


@settings(max_examples=60, deadline=None)
@given(verbs, st.lists(words, max_size=4))
def test_any_command_line_ends_as_documented(inside: Place, verb: str, rest: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = execute([verb, *rest])
    said = err.getvalue()
    assert code in (0, 1, 2, 3), (code, said)
    assert "Traceback" not in said
    if "--json" in rest and "--" not in rest and "--help" not in rest and "-h" not in rest:
        json.loads(said if code == 2 else out.getvalue())
    elif code == 2:
        assert said.count("error: ") >= 1, said
