"""What happens to lots: plant, harvest, weigh in, make a batch, pack.

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
from collections.abc import Collection, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event
from nongso.platform.traceability import lots, shaping
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
    WhichPlot,
    Withdrawn,
    WrongCrop,
    WrongKind,
)
from nongso.platform.traceability.identifiers import lot_id, lot_of, new_lot_code
from nongso.platform.traceability.making import area as rules_area
from nongso.platform.traceability.making import reckoning
from nongso.platform.traceability.making import use as rules_use
from nongso.platform.traceability.making import yields as rules_yield
from nongso.platform.traceability.making.errors import (
    BeyondLand,
    HoldersDiffer,
    MoistureImpossible,
    MoreDryOutThanIn,
    NotOurs,
    OwnersDiffer,
    Unusable,
    UnusualYield,
)
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.making.recipe_book import Kind, Step, recipes
from nongso.platform.traceability.making.yields import Weighed
from nongso.platform.traceability.moving.errors import Held
from nongso.platform.traceability.records import (
    PACKS,
    PLANTING,
    ROOTS,
    Lot,
    Place,
    Producer,
    Product,
    packed_from,
)
from nongso.platform.traceability.registry.plots import BOOK, grown_on, place_of
from nongso.platform.traceability.seasons import field_events, withholding
from nongso.platform.traceability.shaping import Body

BOUGHT, MILLING = "bought", "milling"
PURPOSES = (BOUGHT, MILLING)


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
    """Something of one household is weighed in; it says when it was gathered.

    ``purpose`` is ``BOUGHT``, or ``MILLING``: then it stays the household's. ``bought_from`` is
    empty for what grew on the household's own land, else from whom and where it was bought.
    ``plot`` is the plot on which it grew, empty where nobody said which.
    ``name`` says which one it is where the recipe leaves that open (which herb).
    """

    producer_id: str
    grams: int
    lifted: datetime.date
    day: datetime.date
    kind: str = ROOTS
    purpose: str = BOUGHT
    bought_from: str = ""
    reason: str = ""
    moisture_permille: int | None = None
    name: str = ""
    plot: str = ""


@dataclass(frozen=True)
class Take:
    """So much of a lot."""

    lot: str
    grams: int


@dataclass(frozen=True)
class Batch:
    """A mẻ: one step of a recipe, such as roots becoming starch.

    ``kind`` is the step's key. ``reason`` explains a yield that is out of the usual band, and is
    recorded.
    """

    kind: str
    inputs: tuple[Take, ...]
    out_grams: int
    day: datetime.date
    moisture_permille: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Packing:
    """Something weighed goes into packs of a product."""

    product_id: str
    inputs: tuple[Take, ...]
    packs: int
    pack_grams: int
    day: datetime.date
    best_before: datetime.date
    pack_ml: int | None = None  # of a liquid, with what a litre weighs by the product's word
    grams_per_litre: int | None = None


_Owned = TypeVar("_Owned", Lot, Producer, Product)


def moment(day: datetime.date, now: int) -> int:
    """The moment of something that happened that day: noon there, never later than now."""
    noon = datetime.datetime.combine(day, datetime.time(12), shaping.ZONE)
    return min(now, int(noon.timestamp()))


def day_of(lot: Lot) -> datetime.date:
    """The farm's day on which a lot came to be."""
    return datetime.date.fromisoformat(shaping.day_of(lot.at))


def digest(wish: Any) -> str:
    """What a form said, in short: to tell the same form from another one under its number.

    What was left as it is usually is left out, so that a form from before a field was added is
    still the same form.
    """
    usual = {one.name: one.default for one in fields(wish) if one.default is not MISSING}
    said = {name: value for name, value in asdict(wish).items() if usual.get(name, ...) != value}
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()


def recorded(desk: Desk, id_: str, wish: Any) -> Lot | None:
    """The lot that this very form made before. Raises ``AlreadyRecorded`` for another form."""
    event = desk.session.scalar(select(Event).where(Event.id == id_))
    if event is None:
        return None
    body = event.body
    if event.cooperative != desk.cooperative or body.get("nongso:form") != digest(wish):
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


def new_code(desk: Desk) -> str:
    """A code that no lot has."""
    code = new_lot_code()
    while desk.session.get(Lot, code) is not None:
        code = new_lot_code()
    return code


def own(desk: Desk, kind: type[_Owned], key: str) -> _Owned | None:
    """A record of the desk's own cooperative."""
    found = desk.session.get(kind, key)
    return found if found is not None and found.cooperative == desk.cooperative else None


def known_lot(desk: Desk, code: str) -> Lot:
    """A lot of the desk's own cooperative, withdrawn or not. Raises ``LotUnknown``."""
    lot = own(desk, Lot, code)
    if lot is None:
        raise LotUnknown(code)
    return lot


def standing_lot(desk: Desk, code: str) -> Lot:
    """A known lot whose record stands. Raises ``LotUnknown`` and ``Withdrawn``."""
    lot = known_lot(desk, code)
    if lot.withdrawn_at is not None:
        raise Withdrawn(code)
    return lot


def usable(
    desk: Desk, code: str, kinds: Collection[str], day: datetime.date, anywhere: bool = False
) -> Lot:
    """A lot of one of these kinds that may be used for a step on that day; any kind if none.

    ``anywhere`` takes also what lies with somebody else (roots at a mill).
    """
    lot = known_lot(desk, code)
    standing = rules_use.Standing(
        withdrawn=lot.withdrawn_at is not None,
        recalled=lot.recalled_at is not None,
        tested=lot.tested,
        best_before=lot.best_before,
        here=anywhere or lot.holder == desk.cooperative,
    )
    verdict = rules_use.judge(standing, day)
    if verdict.code == "withdrawn":
        raise Withdrawn(code)
    if verdict.code in ("recalled", "failed"):
        raise Held(code, verdict.code)
    if not verdict.ok:
        raise Unusable(code, verdict.code)
    if kinds and lot.kind not in kinds:
        raise WrongKind(code, lot.kind)
    if day < day_of(lot):
        raise BeforeItsSource(code, shaping.day_of(lot.at), lot.kind)
    return lot


def producer_of(desk: Desk, producer_id: str) -> Producer:
    producer = own(desk, Producer, producer_id)
    if producer is None:
        raise PlaceUnknown("producer", producer_id)
    return producer


def common(desk: Desk, wish: Any, name: str) -> Body:
    """What every event of ours says."""
    said: Body = {"nongso:name": name, "nongso:form": digest(wish)}
    if desk.demonstration:
        said["nongso:demonstration"] = True
    return said


def party(desk: Desk, key: str) -> str:
    """The identifier of a producer, or of the cooperative by its slug."""
    return f"{desk.base}/id/party/{key}"


def change(desk: Desk, giver: str, taker: str, *types: str) -> Body:
    """From whom to whom: ``owning_party``, ``possessing_party``, or both, which ever changes."""
    return {
        "sourceList": [{"type": type_, "source": party(desk, giver)} for type_ in types],
        "destinationList": [{"type": type_, "destination": party(desk, taker)} for type_ in types],
    }


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
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    producer = producer_of(desk, wish.producer_id)
    key = f"greenhouse-{wish.greenhouse}"
    place = _place(desk, "greenhouse", key, wish.greenhouse_name, producer)
    code, at = new_code(desk), moment(wish.day, desk.now)
    where = f"{desk.base}/id/place/{place.id}"
    more = {
        **common(desk, wish, wish.crop),
        "nongso:producer": producer.id,
        "nongso:place": place.id,
        "nongso:greenhouse": wish.greenhouse,
    }
    lot = shaping.kilograms(lot_id(desk.base, code), None)
    body = shaping.planting(id_, at, lot, where, wish.crop, more)
    append(desk, lots.PLANTED, at, id_, body, [code])
    field_events.bring_up(desk.session, desk.base, wish.greenhouse, desk.now)
    return desk.session.get_one(Lot, code)


def harvest(desk: Desk, id_: str, wish: Harvest, grown: dict[str, Any] | None) -> Lot:
    """Record a harvest and seal into it how the crop grew, as the sensors measured it.

    ``grown`` is the growing record; ``None`` where nothing was measured.
    """
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    source = usable(desk, wish.planting, (PLANTING,), wish.day)
    withholding.refuse_held_back(desk.session, source.code, wish.day, "harvest")
    code, at = new_code(desk), moment(wish.day, desk.now)
    more = {
        **common(desk, wish, source.name),
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
    if source.place is not None and source.place.greenhouse is not None:
        field_events.bring_up(desk.session, desk.base, source.place.greenhouse, desk.now)
    return desk.session.get_one(Lot, code)


def take_in(desk: Desk, id_: str, wish: Intake) -> Lot:
    """Record what a household brought: what it states, and what our scale says.

    Two events: the harvest on the household's word, without a weight, and the receipt. What was
    bought in from elsewhere has the receipt alone, because nobody here can state its harvest.
    Raises ``BeyondLand`` where the household's land does not give so much.
    """
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    kind = recipes().kinds.get(wish.kind)
    if kind is None or kind.comes_in is None or wish.purpose not in PURPOSES:
        raise PlaceUnknown("kind", wish.kind)
    producer = producer_of(desk, wish.producer_id)
    if wish.grams <= 0:
        raise NothingTaken("nothing was weighed")
    if wish.lifted > wish.day:
        raise BeforeItsSource("", wish.lifted.isoformat(), "lifted")
    check_moisture(kind, wish.moisture_permille)
    _check_plot(desk, kind, wish)
    if not wish.bought_from:
        check_land(desk, producer.id, kind, wish.lifted, wish.grams, explained=bool(wish.reason))
    code, at = new_code(desk), moment(wish.day, desk.now)
    is_ours = wish.purpose == BOUGHT
    says: Body = {
        **common(desk, wish, (wish.name if kind.named else "") or kind.name),
        "nongso:kind": kind.key,
        "nongso:producer": producer.id,
        "nongso:purpose": wish.purpose,
        "nongso:owner": desk.cooperative if is_ours else producer.id,
    }
    if wish.bought_from:
        says["nongso:boughtFrom"] = wish.bought_from
    else:
        says["nongso:place"] = _state_harvest(desk, id_, wish, producer, code, says)
    if wish.reason:
        says["nongso:reason"] = wish.reason
    if wish.moisture_permille is not None:
        says["nongso:moisturePermille"] = wish.moisture_permille
    types = ("owning_party", "possessing_party") if is_ours else ("possessing_party",)
    body = shaping.receipt(
        id_,
        at,
        shaping.kilograms(lot_id(desk.base, code), wish.grams),
        party(desk, producer.id),
        party(desk, desk.cooperative),
        {**says, **change(desk, producer.id, desk.cooperative, *types)},
    )
    append(desk, lots.RECEIVED, at, id_, body, [code])
    if wish.plot:
        field_events.bring_up(desk.session, desk.base, BOOK + wish.plot, desk.now)
    return desk.session.get_one(Lot, code)


def check_land(
    desk: Desk,
    producer_id: str,
    kind: Kind,
    day: datetime.date,
    grams: int,
    explained: bool,
    given_back: int = 0,
) -> None:
    """Ask about more than the household's land gives in a season. Raises ``BeyondLand``.

    ``explained`` says that there is a reason; ``given_back`` is what a weigh-in that is corrected
    counted before.
    """
    land = reckoning.land_of(desk.session, producer_id, kind.key, day)
    if land is None or kind.comes_in is None:
        return
    brought = land.brought_grams - given_back
    verdict = rules_area.judge(land.area_m2, kind.comes_in, brought, grams, explained)
    if not verdict.ok:
        area, before, now, most = (
            int(verdict.values[name]) for name in ("area", "before", "now", "most")
        )
        raise BeyondLand(area, before, now, most, surely=verdict.code == "beyond_land")


def _check_plot(desk: Desk, kind: Kind, wish: Intake) -> None:
    """Raise where the plot cannot have given it, or a spraying there was too near to the harvest.

    Where nobody said which plot it was, one that is held back is asked about.
    """
    crop = kind.comes_in.crop if kind.comes_in is not None else ""
    there = {one.id: one for one in grown_on(desk.session, wish.producer_id, crop, wish.lifted)}
    if wish.plot:
        if wish.plot not in there or wish.bought_from:
            raise PlaceUnknown("plot", wish.plot)
        withholding.refuse_plot(desk.session, wish.plot, wish.lifted)
    elif not wish.bought_from:
        for plot in there.values():
            if withholding.of_plot(desk.session, plot.id, wish.lifted):
                raise WhichPlot(plot.code)


def _state_harvest(
    desk: Desk, id_: str, wish: Intake, producer: Producer, code: str, says: Body
) -> str:
    """Append what the household says about the harvest; returns the place."""
    key = place_of(wish.plot) if wish.plot else f"hill-{producer.id}"
    place = _place(desk, "hill", key, "", producer)
    lifted_at = min(moment(wish.lifted, desk.now), moment(wish.day, desk.now))
    first_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/harvest"))
    body = shaping.harvest(
        first_id,
        lifted_at,
        shaping.kilograms(lot_id(desk.base, code), None),
        f"{desk.base}/id/place/{place.id}",
        "stated",
        {**says, "nongso:place": place.id},
    )
    append(desk, lots.HARVESTED, lifted_at, first_id, body, [code])
    return place.id


def check_moisture(kind: Kind, permille: int | None) -> None:
    """Raise ``MoistureImpossible`` for a moisture that the kind cannot have."""
    if permille is None:
        return
    low, high = (
        (kind.moisture.least_permille, kind.moisture.most_permille)
        if kind.moisture is not None
        else (0, 999)
    )
    if not low <= permille <= high:
        raise MoistureImpossible(low, high)


def check_left(lot: Lot, grams: int, given_back: int = 0) -> None:
    """Raise ``NothingTaken`` or ``NotEnough`` unless a lot has so much left.

    ``given_back`` is what a step that is corrected took before.
    """
    left = (lot.left_grams or 0) + given_back
    if grams <= 0:
        raise NothingTaken(f"nothing of {lot.code}")
    if grams > left:
        raise NotEnough(lot.code, left, grams)


def taken(
    desk: Desk,
    inputs: Sequence[Take],
    kinds: Collection[str],
    day: datetime.date,
    anywhere: bool = False,
) -> list[Lot]:
    """Check what goes into a step against the stock. Raises ``NotEnough`` and others."""
    if not inputs or len({take.lot for take in inputs}) != len(inputs):
        raise NothingTaken("nothing goes in, or a lot stands twice")
    found = []
    for take in inputs:
        lot = usable(desk, take.lot, kinds, day, anywhere)
        check_left(lot, take.grams)
        found.append(lot)
    if len({lot.owner for lot in found}) > 1:
        raise OwnersDiffer
    if len({lot.holder for lot in found}) > 1:
        raise HoldersDiffer
    return found


def transform(
    desk: Desk,
    type_: str,
    id_: str,
    inputs: Sequence[Take],
    day: datetime.date,
    output: Body,
    ilmd: Body,
    more: Body,
) -> Lot:
    """Append that lots became another one, whose code stands in ``output``."""
    takes = [shaping.kilograms(lot_id(desk.base, t.lot), t.grams) for t in inputs]
    at, code = moment(day, desk.now), lot_of(output["epcClass"])
    body = shaping.transformation(id_, at, takes, [output], ilmd, more)
    append(desk, type_, at, id_, body, [code, *(take.lot for take in inputs)])
    return desk.session.get_one(Lot, code)


def make_batch(desk: Desk, id_: str, wish: Batch) -> Lot:
    """Record a mẻ.

    Raises ``MoreOutThanIn`` and ``MoreDryOutThanIn``, because nothing comes from nothing, and
    ``UnusualYield`` where the yield is out of its band and no reason is given.
    """
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    step = recipes().steps.get(wish.kind)
    if step is None:
        raise PlaceUnknown("step", wish.kind)
    gives = recipes().kinds[step.gives]
    check_moisture(gives, wish.moisture_permille)
    sources = taken(desk, wish.inputs, step.takes, wish.day, anywhere=step.for_a_fee)
    pairs = zip(sources, wish.inputs, strict=True)
    went_in = [reckoning.weighed(lot, take.grams) for lot, take in pairs]
    came_out = reckoning.made(step, wish.out_grams, wish.moisture_permille)
    possible(step, went_in, came_out)
    got = rules_yield.percent(went_in, came_out)
    verdict = rules_yield.judge(got, reckoning.usual_of(desk.session, desk.cooperative, step))
    if not verdict.ok and not wish.reason:
        raise UnusualYield(got, verdict.values["low"], verdict.values["high"])
    owner = sources[0].owner
    more: Body = {
        **common(desk, wish, _name(gives, sources)),
        "nongso:kind": gives.key,
        "nongso:recipe": step.key,
        "nongso:owner": owner,
        "nongso:holder": sources[0].holder,
    }
    if owner != desk.cooperative:
        more["nongso:producer"] = owner
    if wish.reason:
        more["nongso:reason"] = wish.reason
    ilmd: Body = {}
    if wish.moisture_permille is not None:
        ilmd["nongso:moisturePermille"] = wish.moisture_permille
    output = shaping.kilograms(lot_id(desk.base, new_code(desk)), wish.out_grams)
    return transform(desk, lots.TRANSFORMED, id_, wish.inputs, wish.day, output, ilmd, more)


def possible(step: Step, went_in: Sequence[Weighed], came_out: Weighed) -> None:
    """Raise where physics forbids it."""
    verdict = rules_yield.physics(step.basis, went_in, came_out)
    in_grams = sum(one.grams for one in went_in)
    if verdict.code == "more_dry_out_than_in":
        dry = verdict.values
        raise MoreDryOutThanIn(in_grams, came_out.grams, dry["in_dry"], dry["out_dry"])
    if not verdict.ok:
        raise MoreOutThanIn(in_grams, came_out.grams)


def _name(gives: Kind, sources: Sequence[Lot]) -> str:
    """What the batch is called: a herb keeps its own name through drying."""
    names = {lot.name for lot in sources}
    kinds = [recipes().kinds.get(lot.kind) for lot in sources]
    if gives.named and len(names) == 1 and all(kind and kind.named for kind in kinds):
        return names.pop()
    return gives.name


def check_best_before(product: Product, packed: datetime.date, best_before: datetime.date) -> None:
    """Raise ``BestBeforeTooEarly`` or ``BestBeforeTooLate``."""
    if best_before <= packed:
        raise BestBeforeTooEarly(packed.isoformat())
    latest = product.keeps_until(packed)
    if best_before > latest:
        raise BestBeforeTooLate(latest.isoformat(), (latest - packed).days)


def pack(desk: Desk, id_: str, wish: Packing) -> Lot:
    """Record packing; the packs are what labels are counted against."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    product = own(desk, Product, wish.product_id)
    if product is None:
        raise PlaceUnknown("product", wish.product_id)
    sources = taken(desk, wish.inputs, (packed_from(product.kind),), wish.day)
    for lot in sources:
        if not product.takes(lot):
            raise WrongCrop(lot.code, lot.name, product.name, product.crop)
        if lot.owner not in (desk.cooperative, product.producer_id):
            raise NotOurs(lot.code, lot.owner)
        withholding.refuse_held_back(desk.session, lot.code, wish.day, "pack")
    in_grams = sum(take.grams for take in wish.inputs)
    net = Net(wish.pack_grams, wish.pack_ml, wish.grams_per_litre)
    out_grams = net.mass(wish.packs)
    if not 0 < out_grams <= in_grams:
        raise MoreOutThanIn(in_grams, out_grams)
    check_best_before(product, wish.day, wish.best_before)
    more = {
        **common(desk, wish, product.name),
        "nongso:kind": PACKS,
        "nongso:product": product.id,
        "nongso:producer": product.producer_id,
        "nongso:owner": sources[0].owner,
    }
    ilmd: Body = {
        "nongso:packingDate": wish.day.isoformat(),
        "nongso:bestBeforeDate": wish.best_before.isoformat(),
        "nongso:packGrams": net.grams,
        "nongso:netContent": {"quantity": net.size, "uom": net.uom},
    }
    if net.grams_per_litre is not None:
        ilmd["nongso:gramsPerLitre"] = net.grams_per_litre
    output = shaping.pieces(lot_id(desk.base, new_code(desk)), wish.packs)
    return transform(desk, lots.PACKED, id_, wish.inputs, wish.day, output, ilmd, more)
