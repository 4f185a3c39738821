"""What `verify` and `show --json` print of verifications."""

from __future__ import annotations

from mainspring.app.views import View
from mainspring.records.verdicts import Exactness, Suspect, Verification

EXITS = {
    Exactness.IDENTICAL: 0,
    Exactness.TOLERANCE: 0,
    Exactness.DIFFERS: 1,
    Exactness.UNVERIFIED: 4,
}
"""The exit status for each verdict."""


class VerificationView(View, frozen=True, kw_only=True):
    """`mainspring verify`: what came of it. Tasks that are identical are counted, not listed; of
    the others at most 200 are."""

    verification: Verification
    exit_code: int
    format: str = "mainspring.verification/1"


class StepView(View, frozen=True, kw_only=True):
    """A task whose bytes differ: `differs` from one execution to another, `with_threads` with one
    thread from what it makes with those that it asks for."""

    path: str
    differs: bool
    with_threads: bool
    suspects: tuple[Suspect, ...]


class DeterminismView(View, frozen=True, kw_only=True):
    """`mainspring doctor determinism`: how many tasks were executed, and those that differ."""

    run: str
    tasks: int
    steps: list[StepView]
    format: str = "mainspring.determinism/1"


def verification_view(found: Verification) -> VerificationView:
    """Return a verification as it is printed."""
    return VerificationView(verification=found, exit_code=EXITS[found.verdict])
