"""Datasets and models put on record without the verbs that add them."""

from __future__ import annotations

import time
from pathlib import Path

from mainspring.app.project import Project
from mainspring.records.datasets import DatasetVersion
from mainspring.records.models import AliasMove, ModelVersion
from mainspring.storage.serializers import registry


def add_data(project: Project, name: str, path: Path, rows: int | None = None) -> DatasetVersion:
    ref = registry.dump(path, None, project.blobs)
    files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
    made = DatasetVersion(
        dataset=name, digest=ref.digest, ref=ref, created=time.time(), files=len(files), rows=rows,
        size=sum(file.stat().st_size for file in files),
    )  # fmt: skip
    with project.store.write() as tx:
        return tx.add_dataset_version(made)


def add_model(project: Project, name: str, path: Path, *, alias: str = "") -> ModelVersion:
    ref = registry.dump(path, None, project.blobs)
    made = ModelVersion(
        model=name, digest=ref.digest, ref=ref, created=time.time(), files=1, size=ref.size
    )
    with project.store.write() as tx:
        added = tx.add_model_version(made)
        if alias:
            tx.move_alias(AliasMove(model=name, alias=alias, number=added.number, at=time.time()))
        return added


def table(path: Path, *numbers: int) -> Path:
    """A CSV file with one column `x`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x\n" + "".join(f"{number}\n" for number in numbers), "utf-8")
    return path
