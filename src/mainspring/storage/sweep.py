"""Everything that the records speak of, a part at a time: what `gc` reads."""

from __future__ import annotations

from mainspring.records.stores import Mentioned
from mainspring.storage.nouns import Reading
from mainspring.storage.rows import outputs_of, run_of
from mainspring.storage.statements import statements

_SQL = statements("sweep")
_RUNS = statements("runs")["numbered"]
_NAMES = ("outputs", "inputs", "media", "results", "attempts", "sources", "datasets", "models")


class SweepReader(Reading):
    """Reads all records by ranges of their numbers."""

    def extent(self) -> int:
        return self._db.rows(_SQL["extent"])[0][0]

    def mentioned(self, first: int, last: int) -> Mentioned:
        found = {name: self._db.rows(_SQL[name], (first, last)) for name in _NAMES}
        blobs = [(run, digest, form, size) for run, digest, form, size in found["outputs"]]
        blobs += [(run, digest, "", 0) for run, digest in found["inputs"] + found["media"]]
        for run, outputs in found["results"]:
            refs = outputs_of(outputs).values()
            blobs += [(run, ref.digest, ref.format, ref.size) for ref in refs]
        for manifest, form, size, profile in found["datasets"]:
            blobs.append(("", manifest, form, size))
            if profile is not None:
                blobs.append(("", profile, "", 0))
        blobs += [("", manifest, form, size) for manifest, form, size in found["models"]]
        runs = [run_of(row) for row in self._db.rows(_RUNS, (first, last))]
        given = ((run.id, source.ref) for run in runs for source in run.sources.values())
        blobs += [(run, ref.digest, ref.format, ref.size) for run, ref in given]
        return Mentioned(
            runs=runs,
            blobs=blobs,
            attempts=[(run, name, bool(ended)) for run, name, ended in found["attempts"]],
            sources=[(run, source.partition("/")[0]) for run, source in found["sources"]],
        )
