"""The laws of layout: what a reader may count on in every file, checked instead of promised."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "mainspring"
MODULES = sorted(SOURCE.rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MIRRORED = 0.75

# "path::function" -> why it is clearer in one piece. An entry that is not needed fails the test.
LONG_FUNCTIONS: dict[str, str] = {}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function's name in its file and its length in lines, docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                length -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, length


def test_there_are_modules_to_judge() -> None:
    assert len(MODULES) > 10


def test_inner_packages_export_nothing() -> None:
    inner = [path for path in SOURCE.rglob("*/__init__.py") if path.read_bytes()]
    assert [name_of(path) for path in inner] == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = sorted({path.parent for path in MODULES})
    assert [name_of(f) for f in folders if not (f / "__init__.py").exists()] == []


def test_every_module_says_what_it_is_for() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in MODULES}
    assert [name_of(p) for p, t in texts.items() if t and not ast.get_docstring(ast.parse(t))] == []


def test_no_file_is_too_long() -> None:
    lengths = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert {name: n for name, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    long = {
        f"{name_of(path)}::{name}": length
        for path in MODULES
        for name, length in functions(path)
        if length > MAX_FUNCTION_LINES
    }
    assert {key: n for key, n in long.items() if key not in LONG_FUNCTIONS} == {}
    assert [key for key in LONG_FUNCTIONS if key not in long] == []


def test_no_drawers() -> None:
    drawers = {"utils", "helpers", "common", "misc", "manager", "legacy"}
    assert [name_of(p) for p in MODULES if drawers & {p.stem, *p.relative_to(SOURCE).parts}] == []


def test_modules_have_tests_of_the_same_name() -> None:
    modules = [p.relative_to(SOURCE) for p in MODULES if not p.stem.startswith("__")]
    untested = [
        module.as_posix()
        for module in modules
        if not (ROOT / "tests" / module.parent / f"test_{module.name}").exists()
    ]
    share = 1 - len(untested) / len(modules)
    assert share >= MIRRORED, f"{share:.0%} of the modules have one; these have none: {untested}"


@pytest.mark.system("git")
def test_no_registry_host_and_no_place_of_one_machine_is_named() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of its files")
    check = [sys.executable, str(ROOT / "tools" / "check_text.py")]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_every_package_with_its_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text(encoding="utf-8"))[1:]
    assert len(entries) > 5
    assert [e.split()[0] for e in entries if "==" not in e or "--hash=sha256:" not in e] == []


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []
