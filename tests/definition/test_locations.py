"""file:line, relative to the project, the same on every machine."""

import pytest

from mainspring.definition import locations


@pytest.fixture(autouse=True)
def _no_root_left():
    yield
    locations.set_root(None)


def test_relative_to_the_nearest_project(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "mainspring.toml").write_text("")
    assert locations.at(str(inner / "p.py"), 3) == "a/b/p.py:3"


def test_relative_to_the_root_that_was_set(tmp_path):
    (tmp_path / "a").mkdir()
    locations.set_root(tmp_path / "a")
    assert locations.at(str(tmp_path / "a" / "p.py"), 3) == "p.py:3"


def test_a_file_elsewhere_has_no_directories(tmp_path):
    locations.set_root(tmp_path / "a")
    assert locations.at(str(tmp_path / "secret" / "p.py"), 3) == "p.py:3"


def test_what_is_no_file_stays(tmp_path):
    assert locations.at("<stdin>", 3) == "<stdin>:3"


def test_location_is_the_callers(tmp_path):
    locations.set_root(tmp_path)
    code = compile("\n\nhere = location()", str(tmp_path / "p.py"), "exec")
    names = {"location": locations.location}
    exec(code, names)
    assert names["here"] == "p.py:3"
