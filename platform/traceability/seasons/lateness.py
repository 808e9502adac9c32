"""What came in after harvests were sealed, for pages that many people open.

Asked of the store of readings at most every ten minutes a harvest; a store that cannot be
reached keeps no page from being shown, the page then says nothing about it.
"""

import time
from collections.abc import Sequence

from sqlalchemy.orm import Session

from nongso.platform.telemetry import Telemetry, TelemetryAway
from nongso.platform.traceability.seasons import growing
from nongso.platform.traceability.seasons.growing import Late
from nongso.platform.traceability.shopper.story import Grown

KEPT_SECONDS = 600
_MOST_KEPT = 1000
_kept: dict[str, tuple[float, Late | None]] = {}


def late_of(
    session: Session, telemetry: Telemetry, where: str, grown: Sequence[Grown]
) -> dict[str, Late | None]:
    """Return what came in late, by harvest. ``where`` names the records, for what is kept."""
    return {one.lot: _late(session, telemetry, f"{where}/{one.lot}", one) for one in grown}


def _late(session: Session, telemetry: Telemetry, key: str, one: Grown) -> Late | None:
    kept = _kept.get(key)
    if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
        return kept[1]
    try:
        found = growing.late(session, telemetry, one.record) if one.record is not None else None
    except TelemetryAway:
        found = None
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = (time.monotonic(), found)
    return found
