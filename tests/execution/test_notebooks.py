"""What needs no kernel; the rest is in tests/notebooks."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.notebooks.files import write

from mainspring.execution import notebooks
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.notebooks import NotebookError
from mainspring.records.runs import Order
from mainspring.storage.blobs import LocalBlobs


@pytest.mark.parametrize("package", ["nbformat", "nbclient", "ipykernel.kernelspec"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    write(tmp_path / "a.ipynb", "1")
    files = AttemptFiles(tmp_path / "home", "run.1.1")
    files.create()
    order = Order(attempt="run.1.1", run="run", path="a", node="a", snapshot="", uses="a.ipynb")
    with pytest.raises(NotebookError) as caught:
        notebooks.run(order, str(tmp_path), (), files, LocalBlobs(tmp_path / "blobs"))
    assert f"the package {package} is needed" in caught.value.what
    assert caught.value.hint == 'pip install "mainspring[notebook]"'


def test_the_parameters_come_after_their_defaults() -> None:
    def cell(*tags: str) -> SimpleNamespace:
        return SimpleNamespace(metadata={"tags": list(tags)})

    notebook = SimpleNamespace(
        nbformat=4, nbformat_minor=4, cells=[cell(), cell("parameters"), cell()]
    )
    notebooks._inject(notebook, ["c = 1"])
    assert [one.metadata.get("tags") for one in notebook.cells] == [
        [], ["parameters"], ["injected-parameters"], [],
    ]  # fmt: skip
    assert notebook.cells[2].source == "# Parameters\nc = 1"
    assert "id" not in notebook.cells[2]
