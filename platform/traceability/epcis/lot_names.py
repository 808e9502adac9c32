"""By which names events call lots of ours: our addresses, GTIN and lot, single packs.

How this works. A lot has very many names: its address in any spelling, the address of each of
its packs, its GTIN with its code or with a pack's serial, as Digital Link or URN, under every
GTIN that the product has or had. What a name may mean is read from its letters once, when an event
enters the index (``clues``), and kept beside the name (``LotName``). Which lot it is stands there
too as soon as the books know it. A clue that means nothing yet waits: the GTIN may be noted later,
a label of a roll be stuck on a pack later (``look_again``). A trace then asks one table.

Somebody else's ``/t/K7M4PQ`` is not our lot K7M4PQ: a clue of an address counts only under our
own host (``_rows``), one of a GTIN only where the product has or had it.
"""

import functools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from nongso.platform.events import EventSubject
from nongso.platform.store import portions
from nongso.platform.traceability.digital_link.compressed import SHORTEST, decompress
from nongso.platform.traceability.digital_link.digits import whole_gtin
from nongso.platform.traceability.digital_link.errors import LinkError
from nongso.platform.traceability.digital_link.link import CANONICAL_STEM, Link, parse
from nongso.platform.traceability.digital_link.values import check
from nongso.platform.traceability.epcis.records import CAPTURED, LotName, table
from nongso.platform.traceability.epcis.same_name import canonical, with_plain_host
from nongso.platform.traceability.identifiers import (
    LOT_LETTERS,
    SERIAL_LETTERS,
    as_typed,
    is_shaped,
)
from nongso.platform.traceability.lots import LABELLED
from nongso.platform.traceability.records import LabelCode, Lot, Product
from nongso.platform.traceability.resolver.names import SAME_AS, gtins_of

LOT, PACK = "lot", "pack"
_OURS = re.compile(r"https?://([^/?#@]+(?:/[^?#]*?)?)/[tT]/([^/?#]+)(?:/([^/?#]*))?/?(?:[?#].*)?")
# What most events are full of; the whole rule reads it the same way (a test holds that).
_USUAL = re.compile(
    r"https?://[a-z0-9.-]+(?::[0-9]+)?/01/([0-9]{14})"
    r"(?:/10/([A-Za-z0-9]{1,20}))?(?:/21/([A-Za-z0-9]{1,20}))?"
)
_COMPRESSED = re.compile(
    r"https?://[^/?#]+(?:/[^?#]*?)?(?:/01/([0-9]{8,14}))?/([A-Za-z0-9_-]{6,400})/?(?:[?#].*)?"
)
_KEPT = (LotName.name, LotName.kind, LotName.key, LotName.gtin, LotName.host)


class Clue(NamedTuple):
    """What a name says it is: the lot of this code, or the pack of this serial.

    ``gtin`` is the GTIN under which it says so, or ``host`` the address before ``/t/``; both are
    empty where an event of our own says it.
    """

    kind: str
    key: str
    gtin: str = ""
    host: str = ""


@functools.lru_cache(maxsize=16_384)
def clues(text: str) -> tuple[Clue, ...]:
    """Read what an identifier may mean, whatever way it is written. No database is asked."""
    plain = with_plain_host(text)
    if usual := _USUAL.fullmatch(plain):
        return tuple(_of_gtin(usual[1], usual[2] or "", usual[3] or ""))
    link = _link(plain)
    if link is not None:
        lot, serial = link.value("10") or "", link.value("21") or ""
        return tuple(_of_gtin(link.key.value, lot, serial)) if link.key.ai == "01" else ()
    found = _OURS.fullmatch(plain)
    if found is None:
        return ()
    host, first, second = found[1], as_typed(found[2]), as_typed(found[3] or "")
    told = [Clue(LOT, first, host=host)] if is_shaped(first, LOT_LETTERS) else []
    serial = second or first  # a label of a roll carries its serial alone
    if is_shaped(serial, SERIAL_LETTERS):
        told.append(Clue(PACK, serial, host=host))
    return tuple(told)


def _link(plain: str) -> Link | None:
    """Take apart what is a Digital Link in any spelling, or a URN of GS1's."""
    known = canonical(plain)
    try:
        if known is not None:
            # The canonical form of a pack has no lot; what was written may have one.
            whole = plain if plain[0] == "h" else known
            return parse(whole.removesuffix("/"), short_gtin=True, words=True, rules=False)
        packed = _COMPRESSED.fullmatch(plain)
        if packed is None or (packed[1] is None and len(packed[2]) < SHORTEST):
            return None
        given = () if packed[1] is None else (check("01", whole_gtin(packed[1]), rules=False),)
        return decompress(packed[2], CANONICAL_STEM, given)
    except LinkError:
        return None


def _of_gtin(gtin: str, lot: str, serial: str) -> Iterator[Clue]:
    for kind, typed, letters in ((LOT, lot, LOT_LETTERS), (PACK, serial, SERIAL_LETTERS)):
        if len(typed) >= letters and is_shaped(key := as_typed(typed), letters):
            yield Clue(kind, key, gtin=gtin)


def host_of(base: str) -> str:
    """What of ``label_url`` stands before ``/t/`` in a clue."""
    return with_plain_host(base.rstrip("/")).partition("://")[2]


def lots_called(session: Session, base: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Which of these names, in the form of the index, are of lots of ours; name to codes."""
    found: dict[str, list[str]] = {}
    for row in _rows(session, base, LotName.name, names):
        found.setdefault(row.name, []).append(row.lot)
    return found


def names_of(session: Session, base: str, codes: Sequence[str]) -> dict[str, list[str]]:
    """By which names events call these lots; name to codes."""
    found: dict[str, list[str]] = {}
    for row in _rows(session, base, LotName.lot, codes):
        found.setdefault(row.name, []).append(row.lot)
    return found


def _rows(session: Session, base: str, column: Any, values: Sequence[str]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for some in portions(values):
        wanted = select(LotName.name, LotName.lot).distinct()
        wanted = wanted.where(column.in_(some), LotName.lot.is_not(None))
        # Somebody else's host has codes of its own.
        wanted = wanted.where(LotName.host.in_(("", host_of(base))))
        found += session.execute(wanted.order_by(LotName.name, LotName.lot))
    return found


def lot_meant(session: Session, base: str, typed: str) -> str | None:
    """Return the lot of ours that somebody calls so, whether or not an event does."""
    told = [one for one in clues(typed) if one.host in ("", host_of(base))]
    known = _known(session, told)
    return next((known[one] for one in told if one in known), None)


def enter(session: Session, told: Iterable[tuple[str, Clue]]) -> None:
    """Keep what names may mean, each once, and which lots they are as far as that is known."""
    named = dict.fromkeys(told)
    there: set[tuple[str, Clue]] = set()
    for some in portions(list({name for name, _clue in named})):
        rows = session.execute(select(*_KEPT).where(LotName.name.in_(some)))
        there.update((row.name, Clue(*row[1:])) for row in rows)
    new = [one for one in named if one not in there]
    if not new:
        return
    known = _known(session, {clue for _name, clue in new})
    rows_ = [{"name": name, **clue._asdict(), "lot": known.get(clue)} for name, clue in new]
    session.execute(insert(table(LotName)), rows_)


def look_again(session: Session, stream: Sequence[Row[Any]]) -> None:
    """See what names mean that waited for what the stream has got: lots, labels, GTINs."""
    own = [row for row in stream if row.type != CAPTURED]
    lots = _lots_told(session, [row.number for row in own])
    labelled = _lots_told(session, [row.number for row in own if row.type == LABELLED])
    gtins = [row.body["gtin"] for row in own if row.type == SAME_AS]
    waiting: set[Clue] = set()
    asked = (
        (LotName.kind == LOT, LotName.key, lots),
        (LotName.kind == PACK, LabelCode.lot, labelled),
        (LotName.gtin != "", LotName.gtin, gtins),
    )
    for kind, column, values in asked:
        for some in portions(values):
            wanted = select(*_KEPT[1:]).where(LotName.lot.is_(None), kind, column.in_(some))
            if column is LabelCode.lot:
                wanted = wanted.join(LabelCode, LabelCode.serial == LotName.key)
            waiting.update(Clue(*row) for row in session.execute(wanted))
    for clue, lot in _known(session, waiting).items():
        same = (getattr(LotName, name) == value for name, value in clue._asdict().items())
        session.execute(
            update(LotName)
            .where(*same)
            .values(lot=lot)
            .execution_options(synchronize_session=False)
        )


def _lots_told(session: Session, numbers: Sequence[int]) -> list[str]:
    found: dict[str, None] = {}
    for some in portions(numbers):
        of = EventSubject.number.in_(some)
        told = select(EventSubject.subject).where(of, EventSubject.subject.like("lot:%"))
        found |= dict.fromkeys(one.removeprefix("lot:") for one in session.scalars(told))
    return list(found)


def _known(session: Session, told: Collection[Clue]) -> dict[Clue, str]:
    """Which lots these clues mean by the books of today."""
    product_of: dict[str, str | None] = {}
    meant: dict[tuple[str, str], str] = {}
    packs = select(LabelCode.serial, Lot.code, Lot.product_id)
    for kind, key, wanted in (
        (LOT, Lot.code, select(Lot.code, Lot.code, Lot.product_id)),
        (PACK, LabelCode.serial, packs.join(Lot, Lot.code == LabelCode.lot)),
    ):
        for some in portions(list({one.key for one in told if one.kind == kind})):
            for name, code, product in session.execute(wanted.where(key.in_(some))):
                meant[kind, name] = code
                product_of[code] = product
    found = {one: meant[one.kind, one.key] for one in told if (one.kind, one.key) in meant}
    asked = {product_of[code] for one, code in found.items() if one.gtin} - {None}
    gtins = {key: set(gtins_of(session, session.get_one(Product, key))) for key in asked}
    return {
        one: code
        for one, code in found.items()
        if not one.gtin or one.gtin in gtins.get(product_of[code], ())
    }
