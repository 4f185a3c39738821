"""What `verify` and `show --json` print of verifications."""

from __future__ import annotations

from mainspring.app.views import View
from mainspring.records.verdicts import Exactness, Verification

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


def verification_view(found: Verification) -> VerificationView:
    """Return a verification as it is printed."""
    return VerificationView(verification=found, exit_code=EXITS[found.verdict])
