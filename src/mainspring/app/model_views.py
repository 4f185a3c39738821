"""What `mainspring models` prints with `--json`."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.app.views import View
from mainspring.records.models import AliasMove, ModelVersion, Signature


class ModelView(View, frozen=True, kw_only=True):
    """A version of a model. `aliases` are those that point at it now; `data_only` is false where
    it holds pickles."""

    model: str
    version: str
    digest: str
    created: float
    files: int
    size: int
    licence: str
    origin: str
    digests: list[str]
    signature: Signature | None
    data_only: bool
    aliases: list[str]


class ImportedView(View, frozen=True, kw_only=True):
    """`mainspring models import`: `new` is false where a version had this content already."""

    model: ModelView
    new: bool
    format: str = "mainspring.model-imported/1"


class ModelsView(View, frozen=True, kw_only=True):
    """`mainspring models list`: the newest version of each, and their numbers."""

    models: list[ModelView]
    counts: dict[str, int]
    format: str = "mainspring.models/1"


class ModelHistoryView(View, frozen=True, kw_only=True):
    """`mainspring models show`, `models alias`: versions, the newest first; aliases, and every
    move of them in order."""

    versions: list[ModelView]
    aliases: dict[str, str]
    moves: list[AliasMove]
    format: str = "mainspring.model/1"


def model_view(version: ModelVersion, aliases: Mapping[str, int]) -> ModelView:
    """Return a version as it is shown."""
    return ModelView(
        model=version.model,
        version=f"v{version.number}",
        digest=version.digest,
        created=version.created,
        files=version.files,
        size=version.size,
        licence=version.licence,
        origin=version.origin,
        digests=list(version.digests),
        signature=version.signature,
        data_only=version.ref.data_only,
        aliases=[alias for alias, number in aliases.items() if number == version.number],
    )
