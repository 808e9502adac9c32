"""Whether a lot may be used, packed or printed for on a day. Values in, verdict out."""

import datetime
from dataclasses import dataclass

from nongso.platform.traceability.making.rules import FINE, REFUSE, Verdict

FAILED = "failed"


@dataclass(frozen=True)
class Standing:
    """How a lot stands. ``here`` says that the cooperative holds it."""

    withdrawn: bool
    recalled: bool
    tested: str
    best_before: str | None
    here: bool


def judge(lot: Standing, day: datetime.date) -> Verdict:
    """Refuse what was withdrawn, recalled, failed a test, is expired, or lies elsewhere."""
    if lot.withdrawn:
        return Verdict(REFUSE, "withdrawn")
    if lot.recalled:
        return Verdict(REFUSE, "recalled")
    if lot.tested == FAILED:
        return Verdict(REFUSE, "failed")
    if lot.best_before is not None and lot.best_before < day.isoformat():
        return Verdict(REFUSE, "expired")
    if not lot.here:
        return Verdict(REFUSE, "held_elsewhere")
    return FINE
