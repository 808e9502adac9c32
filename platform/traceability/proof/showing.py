"""What pages ask: does this lot still match, and is the log well. Kept while nothing is written.

A change of the database by anybody, also past our programs, makes them look again.
"""

from collections.abc import Sequence

from nongso.platform.store import kept_records, records
from nongso.platform.traceability.proof import standing, watching
from nongso.platform.traceability.proof.standing import Standing
from nongso.platform.traceability.records import Lot

_kept: dict[str, tuple[int, Standing]] = {}
_MOST_KEPT = 1000


def standing_of(lot: Lot, behind: Sequence[str] = ()) -> Standing:
    """Return how a lot stands against the log; ``behind`` as in ``lotfile.events_behind``."""
    news = kept_records().lately_news()
    key = f"{kept_records().where}/{lot.code}"
    kept = _kept.get(key)
    if kept is not None and kept[0] == news:
        return kept[1]
    found = standing.of_lot(records(), lot, behind)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = (news, found)
    return found


def log_trouble() -> str:
    """Return what is wrong with the log, in the IT person's words; empty when all is well."""
    return watching.look(records()).trouble
