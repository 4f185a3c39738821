from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump, load, preview

RNG = np.random.RandomState(0)
X = RNG.rand(80, 4)
Y = (X[:, 0] + 0.1 * RNG.rand(80) > 0.5).astype(int)


def models() -> dict[str, Any]:
    columns = [("scale", StandardScaler(), [0, 1]), ("narrow", MinMaxScaler(), slice(2, 4))]
    logarithm = FunctionTransformer(np.log1p)
    return {
        "logistic": LogisticRegression(),
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(5, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=5, random_state=0),
        "regressor": GradientBoostingRegressor(n_estimators=3, random_state=0),
        "svc": SVC(),
        "clusters": KMeans(2, random_state=0, n_init=1),
        "columns": make_pipeline(logarithm, ColumnTransformer(columns), LogisticRegression()),
        "neighbours": KNeighborsClassifier(algorithm="kd_tree"),
        "best": make_pipeline(SelectKBest(k=2), PCA(1), GaussianNB()),
        "imputed": make_pipeline(SimpleImputer(), SGDClassifier(random_state=0)),
        "network": MLPClassifier((3,), solver="lbfgs", max_iter=2000, random_state=0),
    }


class Own(TransformerMixin, BaseEstimator):
    def fit(self, x: Any, y: Any = None) -> Own:
        return self

    def transform(self, x: Any) -> Any:
        return x


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.mark.parametrize("name", models())
def test_a_model_predicts_the_same_after_reading(blobs: LocalBlobs, name: str):
    model = models()[name].fit(X, Y)
    ref = dump(model, type(model), blobs, allow_pickle=False)
    assert (ref.format, ref.data_only) == ("skops", True)
    again: Any = load(ref, blobs)
    assert dump(again, None, blobs) == ref  # before it predicts: a KDTree counts its calls
    assert np.array_equal(again.predict(X), model.predict(X))
    assert type(model).__name__ in preview(ref, blobs)


def test_a_vectorizer_holds_no_address(blobs: LocalBlobs):
    refs = []
    for _ in range(2):
        model = TfidfVectorizer(stop_words=["the", *map(str, range(3))])
        refs.append(dump(model.fit(["the cat", "a dog"]), None, blobs))
    assert refs[0] == refs[1]
    assert load(refs[0], blobs).transform(["cat"]).shape == (1, 2)  # type: ignore[attr-defined]


def test_the_archive_is_one_that_skops_reads(blobs: LocalBlobs):
    ref = dump(LogisticRegression().fit(X, Y), None, blobs)
    data = blobs.read(ref.digest)
    assert np.array_equal(
        skops.io.loads(data).predict(X), LogisticRegression().fit(X, Y).predict(X)
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == ["schema.json", *(f"{n}.npy" for n in range(1, 5))]


TRAIN = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_models import X, Y, models
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump
blobs = LocalBlobs(Path(sys.argv[1]))
for name, model in models().items():
    model.words = {"a", "b", "c", "d", b"e", 1, 2.5}
    print(name, dump(model.fit(X, Y), None, blobs).digest)
"""


def test_two_trainings_in_two_processes_give_the_same_bytes(tmp_path: Path):
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "MALLOC_PERTURB_": seed * 2}
        command = [sys.executable, "-c", TRAIN, str(tmp_path / seed), str(Path(__file__).parent)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == len(models())


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (make_pipeline(Own(), LogisticRegression()), "Own"),
        (make_pipeline(FunctionTransformer(np.load), LogisticRegression()), "numpy.load"),
        (make_pipeline(FunctionTransformer(eval), LogisticRegression()), "eval"),
    ],
)
def test_what_is_not_scikit_learns_own_is_pickled_and_marked_or_refused(
    blobs: LocalBlobs, model: Any, what: str
):
    ref = dump(model, None, blobs)
    assert (ref.format, ref.data_only) == ("pickle", False)
    with pytest.raises(SerializationError, match=what):
        dump(model, None, blobs, allow_pickle=False)


def archive(schema: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        zipped.writestr("schema.json", json.dumps({**schema, "protocol": 2}))
    return out.getvalue()


def called(module: str, name: str, *arguments: Any) -> dict[str, Any]:
    """A node that calls `module.name` with the arguments when it is read."""
    items = [
        {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
        | {"content": json.dumps(argument), "is_json": True}
        for argument in arguments
    ]
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": "ConstructorFromReduceNode",
        "content": {
            "__class__": "tuple",
            "__module__": "builtins",
            "__loader__": "TupleNode",
            "content": items,
        },
    }


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("os", "system"),
        ("numpy", "load"),
        ("numpy", "memmap"),
        ("numpy.testing", "runstring"),
        ("scipy.io", "loadmat"),
        ("sklearn.datasets", "load_files"),
        ("sklearn.datasets._svmlight_format_io", "dump_svmlight_file"),
        ("sklearn.feature_selection", "f_classif"),
        ("sklearn.utils", "Path"),
        ("sklearn.pipeline", "clone"),
        ("sklearn.externals._packaging.version", "Version"),
        ("functools", "partial"),
    ],
)
def test_an_archive_that_calls_what_it_should_not_is_refused(
    blobs: LocalBlobs, tmp_path: Path, module: str, name: str
):
    data = archive(called(module, name, str(tmp_path / "made")))
    digest, size = blobs.put(data)
    with pytest.raises(SerializationError, match="not trusted") as caught:
        load(ArtifactRef(digest=digest, size=size, format="skops"), blobs)
    assert f"{module}.{name}" in caught.value.what
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", archive({}), archive({"__loader__": "X"})])
def test_a_damaged_archive_is_one_clear_error(blobs: LocalBlobs, data: bytes):
    digest, size = blobs.put(data)
    with pytest.raises(SerializationError, match="can't read the model"):
        load(ArtifactRef(digest=digest, size=size, format="skops"), blobs)
