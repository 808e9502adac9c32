"""What is known of a packed lot, kept in memory while nothing has been written that it could tell.

Not here: what of it a page shows, and what depends on who asks, and when.
"""

from collections.abc import Hashable
from typing import NamedTuple

from sqlalchemy import bindparam, inspect, select

from nongso.platform.store import kept_records, records
from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.resolver.names import gtins_of
from nongso.platform.traceability.shopper.story import Story, tell


class Told(NamedTuple):
    """What is known of a packed lot as long as nobody writes. It is good for ``as_of`` alone."""

    as_of: Hashable
    story: Story
    gtins: tuple[str, ...]  # of its product


_kept: dict[str, Told] = {}
_MOST_KEPT = 1000
# Made once, and of columns: every scan asks this.
_columns = inspect(Lot).local_table.c
_STANDS = select(_columns.withdrawn_at, _columns.recalled_at, _columns.tested).where(
    _columns.code == bindparam("code")
)


def told_of(code: str) -> Told | None:
    """What is known of a packed lot, however it was typed; ``None`` where there is no such lot.

    Of what other processes write, a recall, a withdrawal or a failed test is seen at once,
    anything else after a blink.
    """
    news, session, code = kept_records().lately_news(), records(), ids.as_typed(code)
    stands = session.execute(_STANDS, {"code": code}).first()
    if stands is None:
        return None
    key, as_of = f"{kept_records().where}/{code}", (news, *stands)
    kept = _kept.get(key)
    if kept is not None and kept.as_of == as_of:
        return kept
    with kept_records().session() as own:  # a request's is not for other threads
        story = tell(own, own.get_one(Lot, code))
        if story is None:
            return None
        told = Told(as_of, story, tuple(gtins_of(own, story.product)))
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = told
    return told
