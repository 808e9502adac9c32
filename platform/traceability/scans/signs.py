"""The rules: what is odd about a scan of a pack. Values in, signs with their figures out.

No sign proves a copy. A number that was never issued, or whose goods are destroyed, can hardly be
anything else; many phones or a far province may have an innocent reason, which only people know.
What is usual differs from product to product and is learnt (``learning``); the rest is the same
for all. A scan whose province is not known takes no part in the rules about places.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nongso.platform.traceability.labelling import state as labelling_state

DESTROYED = "destroyed"  # the whole lot; what else may be the matter says ``labelling_state``

NEVER_ISSUED, NOT_ACTIVATED, AFTER_END = "never_issued", "not_activated", "after_end"
TRAVEL, ONE_BROWSER = "travel", "travel_one_browser"
MANY_PHONES, MANY_DAYS, OUTSIDE = "many_phones", "many_days", "outside"
RULES = (
    *(NEVER_ISSUED, NOT_ACTIVATED, AFTER_END),
    *(MANY_DAYS, OUTSIDE, TRAVEL, MANY_PHONES, ONE_BROWSER),
)
_BY_BOOKS = {
    labelling_state.UNKNOWN: NEVER_ISSUED,
    labelling_state.NOT_ACTIVATED: NOT_ACTIVATED,
    labelling_state.SPOILED: NOT_ACTIVATED,
    labelling_state.RETURNED: NOT_ACTIVATED,
    labelling_state.RECALLED: AFTER_END,
    labelling_state.FAILED: AFTER_END,
    labelling_state.WITHDRAWN: AFTER_END,
    DESTROYED: AFTER_END,
}

CROWD = 3  # times what is usual: so many look at one pack at a fair or a long table
DAY_SECONDS, EAST_SECONDS = 86_400, 25_200  # Viet Nam is seven hours east, all the year
TRAVEL_SECONDS = 60  # nobody carries a pack from one province into another in a minute
BROWSER_LETTERS = 4  # of a phone's mark, at its end


@dataclass(frozen=True)
class Seen:
    """One scan: when, where (empty if not known), and the phone's mark of that day."""

    at: int
    province: str
    phone: str

    @property
    def browser(self) -> str:
        """What the mark tells of the browser's name alone."""
        return self.phone[-BROWSER_LETTERS:]


@dataclass(frozen=True)
class Usual:
    """What is usual for a product. ``provinces`` is ``None`` until enough packs were scanned."""

    phones: int
    days: int
    provinces: frozenset[str] | None = None


@dataclass(frozen=True)
class Sign:
    """A rule that has struck, and the figures that say why."""

    rule: str
    values: dict[str, Any]


def signs(state: str, scan: Seen, before: Sequence[Seen], usual: Usual) -> list[Sign]:
    """What is odd about a scan of a label in that state, after the scans ``before``."""
    found = []
    if state in _BY_BOOKS:
        found.append(Sign(_BY_BOOKS[state], {"state": state, "province": scan.province}))
    found += _travel(scan, before)
    found += _many_phones(scan, before, usual)
    found += _many_days(scan, before, usual)
    found += _outside(scan, before, usual)
    return found


def _travel(scan: Seen, before: Iterable[Seen]) -> list[Sign]:
    """Two provinces within a minute. Scans may arrive in any order.

    With one browser's name it is a rule of its own: mostly that is one phone, which has changed
    from Wi-Fi to a network that the table puts into another province.
    """
    far = [
        one
        for one in before
        if scan.province
        and one.province not in ("", scan.province)
        and abs(scan.at - one.at) <= TRAVEL_SECONDS
    ]
    if not far:
        return []
    nearest = min(far, key=lambda one: (one.browser == scan.browser, abs(scan.at - one.at)))
    first, second = sorted((nearest, scan), key=lambda one: one.at)
    values = {"from": first.province, "to": second.province, "seconds": second.at - first.at}
    return [Sign(ONE_BROWSER if nearest.browser == scan.browser else TRAVEL, values)]


def _many_phones(scan: Seen, before: Iterable[Seen], usual: Usual) -> list[Sign]:
    phones = len({scan.phone, *(one.phone for one in before)})
    if phones <= CROWD * usual.phones:
        return []
    return [Sign(MANY_PHONES, {"phones": phones, "usual": usual.phones})]


def _many_days(scan: Seen, before: Iterable[Seen], usual: Usual) -> list[Sign]:
    """A pack is bought, looked at and eaten; its copy is sold again week after week."""
    days = len({(one.at + EAST_SECONDS) // DAY_SECONDS for one in (scan, *before)})
    if days <= usual.days:
        return []
    return [Sign(MANY_DAYS, {"days": days, "usual": usual.days})]


def _outside(scan: Seen, before: Iterable[Seen], usual: Usual) -> list[Sign]:
    """More than a family that took a pack home: its phones, or a second far province."""
    if usual.provinces is None or not scan.province or scan.province in usual.provinces:
        return []
    known = {"", *usual.provinces}
    far = [scan, *(one for one in before if one.province not in known)]
    phones, provinces = len({one.phone for one in far}), len({one.province for one in far})
    if phones <= usual.phones // 2 and provinces == 1:
        return []
    return [Sign(OUTSIDE, {"province": scan.province, "phones": phones, "provinces": provinces})]
