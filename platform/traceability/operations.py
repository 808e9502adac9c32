"""What happens to lots: plant, harvest, take in, make a batch, pack.

Each is one transaction of the caller: check, append the event, move the stock. The writers of a
database wait for each other (``BEGIN IMMEDIATE``), so that what was checked still holds when it
is written, however many clerks press at once.

``id`` comes from the form, made when the form was shown: pressing twice, or sending again after
the network broke, is one harvest. The same id with other contents is refused, because
somebody changed a form that had been recorded.
"""

import datetime
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.epcis import shaping
from nongso.platform.traceability.epcis.shaping import Body
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    BeforeItsSource,
    BestBeforeTooEarly,
    BestBeforeTooLate,
    LotUnknown,
    MoreOutThanIn,
    NotEnough,
    NothingTaken,
    PlaceUnknown,
    Withdrawn,
    WrongCrop,
    WrongKind,
)
from nongso.platform.traceability.identifiers import lot_id, new_lot_code
from nongso.platform.traceability.records import (
    NOODLES,
    PACKS,
    PLANTING,
    ROOTS,
    STARCH,
    Lot,
    Place,
    Producer,
    Product,
    packed_from,
)

MADE_FROM = {STARCH: ROOTS, NOODLES: STARCH}  # what a batch takes to give what


@dataclass(frozen=True)
class Desk:
    """Who writes for whom, and when. ``base`` is the address that identifiers begin with."""

    session: Session
    cooperative: str
    actor: str
    base: str
    now: int
    demonstration: bool = False


@dataclass(frozen=True)
class Planting:
    """A crop goes into a greenhouse."""

    greenhouse: str
    greenhouse_name: str
    producer_id: str
    crop: str
    day: datetime.date


@dataclass(frozen=True)
class Harvest:
    """Some of a planting is gathered and weighed."""

    planting: str
    grams: int
    day: datetime.date


@dataclass(frozen=True)
class Intake:
    """Dong roots of one household are weighed in; it says when they were lifted."""

    producer_id: str
    grams: int
    lifted: datetime.date
    day: datetime.date


@dataclass(frozen=True)
class Take:
    """So much of a lot."""

    lot: str
    grams: int


@dataclass(frozen=True)
class Batch:
    """A mẻ: roots become starch, or starch becomes noodles."""

    kind: str
    inputs: tuple[Take, ...]
    out_grams: int
    day: datetime.date


@dataclass(frozen=True)
class Packing:
    """Something weighed goes into packs of a product."""

    product_id: str
    inputs: tuple[Take, ...]
    packs: int
    pack_grams: int
    day: datetime.date
    best_before: datetime.date


_Owned = TypeVar("_Owned", Lot, Producer, Product)
Wish = Planting | Harvest | Intake | Batch | Packing


def moment(day: datetime.date, now: int) -> int:
    """The moment of something that happened that day: noon there, never later than now."""
    noon = datetime.datetime.combine(day, datetime.time(12), shaping.ZONE)
    return min(now, int(noon.timestamp()))


def day_of(lot: Lot) -> datetime.date:
    """The farm's day on which a lot came to be."""
    return datetime.date.fromisoformat(shaping.day_of(lot.at))


def _digest(wish: Wish) -> str:
    return hashlib.sha256(json.dumps(asdict(wish), default=str).encode()).hexdigest()


def _recorded(desk: Desk, id_: str, wish: Wish) -> Lot | None:
    """The lot that this very form made before. Raises ``AlreadyRecorded`` for another form."""
    event = desk.session.scalar(select(Event).where(Event.id == id_))
    if event is None:
        return None
    body = event.body
    if event.cooperative != desk.cooperative or body.get("nongso:form") != _digest(wish):
        raise AlreadyRecorded
    return desk.session.get(Lot, lots.made_by(body))


def append(desk: Desk, type_: str, at: int, id_: str, body: Body, codes: Sequence[str]) -> Event:
    """Append an event about these lots and move the stock as it says."""
    subjects = [f"lot:{code}" for code in codes]
    if "nongso:greenhouse" in body:
        subjects.append(f"greenhouse:{body['nongso:greenhouse']}")
    event = events.append(
        desk.session,
        id=id_,
        type=type_,
        at=at,
        actor=desk.actor,
        cooperative=desk.cooperative,
        body=body,
        subjects=subjects,
    )
    lots.apply(lots.Tables(desk.session), event)
    desk.session.flush()
    return event


def _new_code(desk: Desk) -> str:
    code = new_lot_code()
    while desk.session.get(Lot, code) is not None:
        code = new_lot_code()
    return code


def own(desk: Desk, kind: type[_Owned], key: str) -> _Owned | None:
    """A record of the desk's own cooperative."""
    found = desk.session.get(kind, key)
    return found if found is not None and found.cooperative == desk.cooperative else None


def _lot(desk: Desk, code: str, kind: str, day: datetime.date) -> Lot:
    """A lot that may be used for a step on that day."""
    lot = own(desk, Lot, code)
    if lot is None:
        raise LotUnknown(code)
    if lot.withdrawn_at is not None:
        raise Withdrawn(code)
    if lot.kind != kind:
        raise WrongKind(code, lot.kind)
    if day < day_of(lot):
        raise BeforeItsSource(code, shaping.day_of(lot.at), lot.kind)
    return lot


def _producer(desk: Desk, producer_id: str) -> Producer:
    producer = own(desk, Producer, producer_id)
    if producer is None:
        raise PlaceUnknown("producer", producer_id)
    return producer


def _common(desk: Desk, wish: Wish, name: str) -> Body:
    common: Body = {"nongso:name": name, "nongso:form": _digest(wish)}
    if desk.demonstration:
        common["nongso:demonstration"] = True
    return common


def _party(desk: Desk, producer: Producer) -> str:
    return f"{desk.base}/id/party/{producer.id}"


def _place(desk: Desk, kind: str, key: str, name: str, producer: Producer) -> Place:
    """The place of this greenhouse, or of this household's hill plots; made at first use."""
    place = desk.session.get(Place, key)
    if place is None:
        place = Place(
            id=key,
            cooperative=desk.cooperative,
            kind=kind,
            name=name,
            greenhouse=key.removeprefix("greenhouse-") if kind == "greenhouse" else None,
            producer_id=producer.id,
            village=producer.village,
            commune=producer.commune,
            province=producer.province,
        )
        desk.session.add(place)
        desk.session.flush()
    return place


def plant(desk: Desk, id_: str, wish: Planting) -> Lot:
    """Record a planting; from this day on the greenhouse's readings belong to it."""
    if (there := _recorded(desk, id_, wish)) is not None:
        return there
    producer = _producer(desk, wish.producer_id)
    key = f"greenhouse-{wish.greenhouse}"
    place = _place(desk, "greenhouse", key, wish.greenhouse_name, producer)
    code, at = _new_code(desk), moment(wish.day, desk.now)
    where = f"{desk.base}/id/place/{place.id}"
    more = {
        **_common(desk, wish, wish.crop),
        "nongso:producer": producer.id,
        "nongso:place": place.id,
        "nongso:greenhouse": wish.greenhouse,
    }
    lot = shaping.kilograms(lot_id(desk.base, code), None)
    body = shaping.planting(id_, at, lot, where, wish.crop, more)
    append(desk, lots.PLANTED, at, id_, body, [code])
    return desk.session.get_one(Lot, code)


def harvest(desk: Desk, id_: str, wish: Harvest, grown: dict[str, Any] | None) -> Lot:
    """Record a harvest and seal into it how the crop grew, as the sensors measured it.

    ``grown`` is the growing record; ``None`` where nothing was measured.
    """
    if (there := _recorded(desk, id_, wish)) is not None:
        return there
    source = _lot(desk, wish.planting, PLANTING, wish.day)
    code, at = _new_code(desk), moment(wish.day, desk.now)
    more = {
        **_common(desk, wish, source.name),
        "nongso:producer": source.producer_id,
        "nongso:place": source.place_id,
        "nongso:grownFrom": lot_id(desk.base, source.code),
    }
    if source.place is not None and source.place.greenhouse is not None:
        more["nongso:greenhouse"] = source.place.greenhouse
        if grown is not None:
            more["nongso:growingRecord"] = grown
    lot = shaping.kilograms(lot_id(desk.base, code), wish.grams)
    where = f"{desk.base}/id/place/{source.place_id}"
    body = shaping.harvest(id_, at, lot, where, "weighed", more)
    append(desk, lots.HARVESTED, at, id_, body, [code, source.code])
    return desk.session.get_one(Lot, code)


def take_in(desk: Desk, id_: str, wish: Intake) -> Lot:
    """Record roots bought from a household: what it states, and what our scale says.

    Two events: the harvest on the household's word, without a weight, and the receipt.
    """
    if (there := _recorded(desk, id_, wish)) is not None:
        return there
    producer = _producer(desk, wish.producer_id)
    if wish.lifted > wish.day:
        raise BeforeItsSource("", wish.lifted.isoformat(), "lifted")
    place = _place(desk, "hill", f"hill-{producer.id}", "", producer)
    code, at = _new_code(desk), moment(wish.day, desk.now)
    identifier = lot_id(desk.base, code)
    lifted_at = min(moment(wish.lifted, desk.now), at)
    first_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/harvest"))
    more = {
        **_common(desk, wish, "Củ dong"),
        "nongso:producer": producer.id,
        "nongso:place": place.id,
    }
    body = shaping.harvest(
        first_id,
        lifted_at,
        shaping.kilograms(identifier, None),
        f"{desk.base}/id/place/{place.id}",
        "stated",
        more,
    )
    append(desk, lots.HARVESTED, lifted_at, first_id, body, [code])
    body = shaping.receipt(
        id_,
        at,
        shaping.kilograms(identifier, wish.grams),
        _party(desk, producer),
        f"{desk.base}/id/party/{desk.cooperative}",
        _common(desk, wish, "Củ dong"),
    )
    append(desk, lots.RECEIVED, at, id_, body, [code])
    return desk.session.get_one(Lot, code)


def _taken(desk: Desk, inputs: Sequence[Take], kind: str, day: datetime.date) -> list[Lot]:
    """Check what goes into a step against the stock. Raises ``NotEnough`` and others."""
    if not inputs or len({take.lot for take in inputs}) != len(inputs):
        raise NothingTaken("nothing goes in, or a lot stands twice")
    found = []
    for take in inputs:
        lot = _lot(desk, take.lot, kind, day)
        left = lot.left_grams or 0
        if take.grams <= 0:
            raise NothingTaken(f"nothing of {take.lot}")
        if take.grams > left:
            raise NotEnough(take.lot, left, take.grams)
        found.append(lot)
    return found


def _transform(
    desk: Desk,
    id_: str,
    wish: Batch | Packing,
    code: str,
    output: Body,
    ilmd: Body,
    more: Body,
) -> Lot:
    inputs = [shaping.kilograms(lot_id(desk.base, t.lot), t.grams) for t in wish.inputs]
    at = moment(wish.day, desk.now)
    body = shaping.transformation(id_, at, inputs, [output], ilmd, more)
    type_ = lots.PACKED if isinstance(wish, Packing) else lots.TRANSFORMED
    append(desk, type_, at, id_, body, [code, *(take.lot for take in wish.inputs)])
    return desk.session.get_one(Lot, code)


def make_batch(desk: Desk, id_: str, wish: Batch) -> Lot:
    """Record a mẻ bột or mẻ miến. Raises ``MoreOutThanIn``: nothing comes from nothing."""
    if (there := _recorded(desk, id_, wish)) is not None:
        return there
    _taken(desk, wish.inputs, MADE_FROM[wish.kind], wish.day)
    in_grams = sum(take.grams for take in wish.inputs)
    if not 0 < wish.out_grams <= in_grams:
        raise MoreOutThanIn(in_grams, wish.out_grams)
    code = _new_code(desk)
    name = {STARCH: "Bột dong", NOODLES: "Miến dong"}[wish.kind]
    more = {**_common(desk, wish, name), "nongso:kind": wish.kind}
    output = shaping.kilograms(lot_id(desk.base, code), wish.out_grams)
    return _transform(desk, id_, wish, code, output, {}, more)


def pack(desk: Desk, id_: str, wish: Packing) -> Lot:
    """Record packing; the packs are what labels are counted against."""
    if (there := _recorded(desk, id_, wish)) is not None:
        return there
    product = own(desk, Product, wish.product_id)
    if product is None:
        raise PlaceUnknown("product", wish.product_id)
    for lot in _taken(desk, wish.inputs, packed_from(product.kind), wish.day):
        if not product.takes(lot):
            raise WrongCrop(lot.code, lot.name, product.name, product.crop)
    in_grams = sum(take.grams for take in wish.inputs)
    out_grams = wish.packs * wish.pack_grams
    if not 0 < out_grams <= in_grams:
        raise MoreOutThanIn(in_grams, out_grams)
    if wish.best_before <= wish.day:
        raise BestBeforeTooEarly(wish.day.isoformat())
    latest = product.keeps_until(wish.day)
    if wish.best_before > latest:
        raise BestBeforeTooLate(latest.isoformat(), (latest - wish.day).days)
    code = _new_code(desk)
    more = {
        **_common(desk, wish, product.name),
        "nongso:kind": PACKS,
        "nongso:product": product.id,
        "nongso:producer": product.producer_id,
    }
    ilmd = {
        "nongso:packingDate": wish.day.isoformat(),
        "nongso:bestBeforeDate": wish.best_before.isoformat(),
        "nongso:packGrams": wish.pack_grams,
    }
    output = shaping.pieces(lot_id(desk.base, code), wish.packs)
    return _transform(desk, id_, wish, code, output, ilmd, more)
