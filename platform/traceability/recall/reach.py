"""What a recall would hit: lots, packs, who has them, which labels. Reading only.

A recall begins from a lot, from a household, from a spraying or from a day. Whatever was made of
those lots, through any number of steps, is hit; records that were withdrawn are not.
"""

import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from nongso.platform.diary import entries as diary
from nongso.platform.languages import ZONE, day_of
from nongso.platform.store import portions
from nongso.platform.traceability.errors import LotUnknown
from nongso.platform.traceability.moving.errors import NothingHit
from nongso.platform.traceability.moving.records import PACKED as CARTON_PACKED
from nongso.platform.traceability.moving.records import (
    Carton,
    CartonLot,
    Holder,
    Holding,
    PackAccount,
)
from nongso.platform.traceability.records import (
    PLANTING,
    Flow,
    LabelCode,
    Lot,
    Place,
    Producer,
)
from nongso.platform.traceability.registry.plots import BOOK, Plot, begun_on, title, weighed
from nongso.platform.traceability.tracing import wide as trace_wide
from nongso.platform.traceability.tracing.trace import reach

_LIGHT = (
    Lot.code,
    Lot.kind,
    Lot.name,
    Lot.at,
    Lot.packs,
    Lot.made_grams,
    Lot.used_grams,
    Lot.withdrawn_at,
)


@dataclass(frozen=True)
class Origin:
    """From what a recall begins.

    ``key`` is a lot's code, a household's id, the id of a diary line, or a day. For a household,
    ``since`` and ``until`` narrow it to what it brought in those days.
    """

    kind: str
    key: str
    since: datetime.date | None = None
    until: datetime.date | None = None


@dataclass(frozen=True)
class HitLot:
    """A lot that is hit, and where it is. ``grams`` is what of an unpacked lot is in store."""

    code: str
    kind: str
    name: str
    day: str
    depth: int
    packs: int
    in_store: int
    out: int
    gone: int
    grams: int
    labels: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class HitHolder:
    """Somebody who has some of it."""

    holder: str
    lot: str
    packs: int
    grams: int
    cartons: tuple[str, ...]


@dataclass(frozen=True)
class Hit:
    """All that is hit. ``sign`` changes when any of it does."""

    lots: tuple[HitLot, ...]
    holders: tuple[HitHolder, ...]
    names: dict[str, str]
    contacts: dict[str, str]

    @property
    def sign(self) -> str:
        """A short sign of what was shown, to notice that something changed meanwhile."""
        lots, holders = [asdict(one) for one in self.lots], [asdict(one) for one in self.holders]
        shown = json.dumps([lots, holders])
        return hashlib.sha256(shown.encode()).hexdigest()[:32]

    @property
    def packs(self) -> int:
        """Packs of all lots."""
        return sum(one.packs for one in self.lots)

    @property
    def in_store(self) -> int:
        """Packs that are in the store."""
        return sum(one.in_store for one in self.lots)

    @property
    def out(self) -> int:
        """Packs that holders have."""
        return sum(one.out for one in self.lots)

    @property
    def gone(self) -> int:
        """Packs that nobody can get back: sold, sampled, destroyed, lost."""
        return sum(one.gone for one in self.lots)


def _span(day: datetime.date) -> tuple[int, int]:
    begin = int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())
    return begin, begin + 86_400  # no day is too late for it


def seeds(session: Session, cooperative: str, origin: Origin) -> list[str]:
    """The lots with which a recall begins. Raises ``LotUnknown`` and ``NothingHit``."""
    own = select(Lot.code).where(Lot.cooperative == cooperative, Lot.withdrawn_at.is_(None))
    own = own.order_by(Lot.born_number)
    if origin.kind == "lot":
        found = list(session.scalars(own.where(Lot.code == origin.key)))
        if not found:
            raise LotUnknown(origin.key)
    elif origin.kind == "household":
        wanted = own.where(Lot.producer_id == origin.key, Lot.product_id.is_(None))
        if origin.since is not None:
            wanted = wanted.where(Lot.at >= _span(origin.since)[0])
        if origin.until is not None:
            wanted = wanted.where(Lot.at < _span(origin.until)[1])
        found = list(session.scalars(wanted))
    elif origin.kind == "day":
        since, until = _span(datetime.date.fromisoformat(origin.key))
        found = list(session.scalars(own.where(Lot.at >= since, Lot.at < until)))
    else:
        found = _sprayed(session, cooperative, origin.key)
    if not found:
        raise NothingHit
    return found


@dataclass(frozen=True)
class Spraying:
    """A spraying that stands in a diary: of a greenhouse (``place``) or of a ``plot``."""

    name: str
    line: diary.Line
    place: str = ""
    plot: str = ""


def sprayings(session: Session, cooperative: str) -> list[Spraying]:
    """The sprayings in the cooperative's greenhouses and plots that stand, newest first."""
    houses = select(Place).where(Place.cooperative == cooperative, Place.greenhouse.is_not(None))
    plots = select(Plot).where(Plot.cooperative == cooperative)
    found = [
        Spraying(place.name, line, place=place.id)
        for place in session.scalars(houses)
        for line in _sprayed_in(session, place.greenhouse or "")
    ]
    found += [
        Spraying(f"{plot.producer.name}, {title(plot)}", line, plot=plot.id)
        for plot in session.scalars(plots)
        for line in _sprayed_in(session, BOOK + plot.id)
    ]
    return sorted(found, key=lambda one: (one.line.entry.day, one.line.number), reverse=True)


def _sprayed_in(session: Session, book: str) -> list[diary.Line]:
    lines = diary.lines(session, book)
    return [one for one in lines if one.entry.kind == "sprayed" and not one.withdrawn]


def _sprayed(session: Session, cooperative: str, line_id: str) -> list[str]:
    """What was gathered after a spraying from the plantings that stood there, and they."""
    there = next((one for one in sprayings(session, cooperative) if one.line.id == line_id), None)
    if there is None:
        return []
    if there.plot:
        return _lifted_after(session, there)
    since, until = _span(datetime.date.fromisoformat(there.line.entry.day))
    plantings = session.scalars(
        select(Lot)
        .where(Lot.place_id == there.place, Lot.kind == PLANTING, Lot.withdrawn_at.is_(None))
        .where(Lot.at < until)
        .order_by(Lot.at.desc())
    ).all()
    found: list[str] = []
    for planting in plantings:
        gathered = session.execute(
            select(Lot.code, Lot.at)
            .join(Flow, Flow.target == Lot.code)
            .where(Flow.source == planting.code, Lot.withdrawn_at.is_(None))
            .order_by(Lot.born_number)
        ).all()
        after = [code for code, at in gathered if at >= since]
        found += after
        # Beds of one house are planted in turn: what was planted before another may still grow.
        if after or not gathered or planting.at == plantings[0].at:
            found.append(planting.code)  # what it gives from now on is hit too
    return found


def _lifted_after(session: Session, spraying: Spraying) -> list[str]:
    """What was lifted from a plot after a spraying, as far as it stood there then."""
    sprayed = datetime.date.fromisoformat(spraying.line.entry.day)
    lines = diary.lines(session, BOOK + spraying.plot)
    return [
        lot.code
        for lot, at in weighed(session, spraying.plot)
        if begun_on(lines, day_of(at)) <= sprayed <= day_of(at)
    ]


def hit(session: Session, cooperative: str, origin: Origin, base: str) -> Hit:
    """What a recall from there would hit now. ``base`` is what our identifiers begin with.

    What others recorded leads back into our lots too: starch that a buyer made noodles of, which
    we packed. A record that was withdrawn is not followed.
    """
    starts = seeds(session, cooperative, origin)
    plantings = set(
        session.scalars(select(Lot.code).where(Lot.code.in_(starts), Lot.kind == PLANTING))
        if origin.kind == "spray"
        else ()
    )
    # A harvest before the spraying came from the same planting and is not hit.
    depths: dict[str, int] = {}
    ahead = {code: 0 for code in starts if code not in plantings}
    while ahead:
        nodes = reach(session, list(ahead), "forward").standing
        nearest = min(ahead.values())
        fresh = {one.code: one.depth + nearest for one in nodes if one.code not in depths}
        depths |= fresh
        there = trace_wide.onward(session, list(fresh), base, cooperative)
        ahead = {code: nearest + far for code, far in there.items() if code not in depths}
    depths |= dict.fromkeys(plantings, 0)
    return _told(session, depths)


def of_lots(session: Session, codes: Sequence[str]) -> Hit:
    """What is where of these lots now."""
    return _told(session, dict.fromkeys(codes, 0))


def _told(session: Session, depths: dict[str, int]) -> Hit:
    codes = list(depths)
    lots: dict[str, Row[Any]] = {}
    accounts: dict[str, PackAccount] = {}
    labels: dict[str, list[tuple[int, int]]] = {}
    held: list[Holding] = []
    boxes: dict[tuple[str, str], list[str]] = {}
    for some in portions(codes):
        lots |= {
            row.code: row for row in session.execute(select(*_LIGHT).where(Lot.code.in_(some)))
        }
        accounts |= {
            one.lot: one
            for one in session.scalars(select(PackAccount).where(PackAccount.lot.in_(some)))
        }
        held += session.scalars(
            select(Holding)
            .where(Holding.lot.in_(some), (Holding.packs > 0) | (Holding.grams > 0))
            .order_by(Holding.holder, Holding.lot)
        )
        for lot, low, high in session.execute(
            select(LabelCode.lot, func.min(LabelCode.running), func.max(LabelCode.running))
            .where(LabelCode.lot.in_(some))
            .group_by(LabelCode.lot)
        ):
            labels.setdefault(lot, []).append((low, high))
        for lot, code, holder in session.execute(
            select(CartonLot.lot, Carton.code, Carton.holder)
            .join(Carton, Carton.code == CartonLot.carton)
            .where(
                CartonLot.lot.in_(some),
                Carton.state == CARTON_PACKED,
                Carton.holder.is_not(None),
            )
            .order_by(Carton.code)
        ):
            boxes.setdefault((lot, holder or ""), []).append(code)
    holders = {
        one.id: one
        for one in session.scalars(
            select(Holder).where(Holder.id.in_(list({one.holder for one in held})))
        )
    }
    return Hit(
        lots=tuple(
            _lot(lots[code], depth, accounts.get(code), tuple(labels.get(code, ())))
            for code, depth in sorted(depths.items(), key=lambda one: (one[1], one[0]))
            if code in lots
        ),
        holders=tuple(
            HitHolder(
                one.holder,
                one.lot,
                one.packs,
                one.grams,
                tuple(boxes.get((one.lot, one.holder), ())),
            )
            for one in held
        ),
        names={key: one.name for key, one in holders.items()},
        contacts={key: one.contact for key, one in holders.items()},
    )


def _lot(
    row: Row[Any], depth: int, account: PackAccount | None, labels: tuple[tuple[int, int], ...]
) -> HitLot:
    in_store = account.in_store if account else row.packs
    out = account.shipped if account else 0
    stands = row.withdrawn_at is None and row.made_grams is not None
    return HitLot(
        code=row.code,
        kind=row.kind,
        name=row.name,
        day=day_of(row.at).isoformat(),
        depth=depth,
        packs=row.packs,
        in_store=in_store,
        out=out,
        gone=row.packs - in_store - out,
        grams=row.made_grams - row.used_grams if stands else 0,
        labels=labels,
    )


def household_name(session: Session, key: str) -> str:
    """What a household is called in the books."""
    found = session.get(Producer, key)
    return f"{found.code} {found.name}" if found is not None else key
