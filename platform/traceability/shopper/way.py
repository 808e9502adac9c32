"""The way of a lot as steps: what was done, from when to when, and on whose word that stands.

Values in, values out; ``story`` brings lots and events, the page finds the words. What happened
often is drawn together (six weigh-ins, thirty waterings); each spraying stands alone, because
that is what people ask about.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nongso.platform.events import Event
from nongso.platform.languages import day_of
from nongso.platform.traceability import lots
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.records import CROP, PACKS, PLANTING, Lot
from nongso.platform.traceability.shopper.parts import Part

# On whose word a thing stands: what a grower or household says, what the cooperative says, what
# its scale, a sensor or a laboratory says.
GROWER, HOUSEHOLD, COOPERATIVE = "grower", "household", "cooperative"
SCALE, SENSOR, SIMULATED, LABORATORY = "scale", "sensor", "simulated", "laboratory"
TAKEN_OVER = "lot.taken_over"
TEST_WRONG = "lot.test_declared_wrong"
TESTED = ("lot.tested", "lot.test_corrected")

# In which order things stand that happened on the same day.
_ORDER = (
    "planted", "fertilised", "watered", "hand_watered", "cared", "sprayed", "harvested",
    "gathered", "weighed_in", "bought_in", "made", "taken_over", "kept_fee", "regrouped",
    "packed", "tested",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step. ``what`` is a word of ``_ORDER``.

    ``grams`` is how much of it went into this lot, and ``is_part`` says that more was weighed
    than that; ``None`` where nobody weighed, or the part cannot be said. ``kind`` is the lot's
    kind, for what is called differently by kind; ``name`` is what was sprayed or spread, or what
    a laboratory looked for.
    """

    what: str
    since: datetime.date
    until: datetime.date
    word: str
    grams: int | None = None
    is_part: bool = False
    lots: int = 0
    households: int = 0
    times: int = 0
    kind: str = ""
    name: str = ""
    ingredient: str = ""
    interval_days: int | None = None
    litres: float | None = None
    unmetered: int = 0
    laboratory: str = ""
    passed: bool | None = None


def steps(
    behind: Sequence[Lot],
    events: Sequence[Event],
    field: Sequence[Event],
    parts: Mapping[str, Part],
) -> list[Step]:
    """The way in the order in which it was gone; ``parts`` of the lots went into this one."""
    found = [*_field(field), *_lots(behind, events, parts), *_tests(behind, events)]
    return sorted(found, key=lambda one: (one.since, _place(one), one.until))


def _place(step: Step) -> tuple[int, bool]:
    """Where a step stands among others of its day; a test stands right after what it tested."""
    if step.what != "tested":
        return _ORDER.index(step.what), False
    raw = {kind.key for kind in recipes().raw}
    made = {PACKS: "packed", CROP: "harvested", PLANTING: "planted"}
    what = made.get(step.kind, "weighed_in" if step.kind in raw else "made")
    return _ORDER.index(what), True


def _day(event: Event) -> datetime.date:
    return day_of(event.at)


def _span(events: Iterable[Event]) -> tuple[datetime.date, datetime.date]:
    days = [_day(event) for event in events]
    return min(days), max(days)


def _weight(some: Sequence[Lot], parts: Mapping[str, Part]) -> tuple[int | None, bool]:
    """Grams of these lots that went into this one, and whether more was weighed than that."""
    known = [parts[one.code] for one in some if one.code in parts]
    if len(known) < len(some):
        return None, True
    return sum(one.grams for one in known), not all(one.is_whole for one in known)


def _lots(behind: Sequence[Lot], events: Sequence[Event], parts: Mapping[str, Part]) -> list[Step]:
    """What lots came to be, kind by kind."""
    born = {event.number: event for event in events}
    # As they were recorded: starch and noodles of one day stand in the order of their making.
    kinds = dict.fromkeys(one.kind for one in sorted(behind, key=lambda one: one.born_number))
    raw = {kind.key for kind in recipes().raw}
    found: list[Step] = []
    for kind in kinds:
        own = [one for one in behind if one.kind == kind and one.born_number in born]
        made = [one for one in own if not one.regrouped]
        if kind in raw:
            found += _brought(kind, own, events, born, parts)
        elif made:
            found.append(_made(kind, made, parts))
    regrouped = [one for one in behind if one.regrouped and one.born_number in born]
    ways: dict[str, list[Lot]] = {}
    for one in regrouped:
        ways.setdefault(_regrouped_how(born[one.born_number]), []).append(one)
    for what, some in ways.items():
        span = _span(born[one.born_number] for one in some)
        weight = _weight(some, parts)
        kind = some[0].kind if len({one.kind for one in some}) == 1 else ""
        found.append(Step(what, *span, COOPERATIVE, *weight, lots=len(some), kind=kind))
    return found


def _regrouped_how(event: Event) -> str:
    """Whether a lot was put aside, or became the cooperative's: bought, or kept as the fee."""
    if event.type != TAKEN_OVER:
        return "regrouped"
    return "taken_over" if event.body.get("nongso:purpose") == "bought" else "kept_fee"


def _made(kind: str, made: Sequence[Lot], parts: Mapping[str, Part]) -> Step:
    days = [day_of(one.at) for one in made]  # a corrected lot has its right day
    span = min(days), max(days)
    count = len(made)
    if kind == PLANTING:
        return Step("planted", *span, COOPERATIVE, lots=count)
    if kind == PACKS:
        return Step("packed", *span, COOPERATIVE, lots=count)
    what = "harvested" if kind == CROP else "made"
    return Step(what, *span, SCALE, *_weight(made, parts), lots=count, kind=kind)


def _brought(
    kind: str,
    own: Sequence[Lot],
    events: Sequence[Event],
    born: dict[int, Event],
    parts: Mapping[str, Part],
) -> list[Step]:
    """What households brought: gathered on their word, weighed on our scale; or bought in."""
    codes = {one.code for one in own if not one.regrouped}
    gathered = [e for e in events if e.type == lots.HARVESTED and lots.made_by(e.body) in codes]
    received = [e for e in events if e.type == lots.RECEIVED and lots.made_by(e.body) in codes]
    said = {lots.made_by(event.body) for event in gathered}
    home = [one for one in own if one.code in said]
    away = [one for one in own if one.code in codes - said]
    found = []
    if gathered:
        households = len({one.producer_id for one in home})
        found.append(
            Step(
                "gathered",
                *_span(gathered),
                HOUSEHOLD,
                lots=len(home),
                households=households,
                kind=kind,
            )
        )
    for what, some in (("weighed_in", home), ("bought_in", away)):
        codes = {one.code for one in some}
        weighed = [event for event in received if lots.made_by(event.body) in codes]
        if some and weighed:
            days, weight = [day_of(one.at) for one in some], _weight(some, parts)
            found.append(
                Step(what, min(days), max(days), SCALE, *weight, lots=len(some), kind=kind)
            )
    return found


def _field(field: Sequence[Event]) -> list[Step]:
    """Work in the field and watering, as the diary and the gateway have it."""
    found = [_spraying(event.body, _day(event)) for event in _of(field, "field.sprayed")]
    watered = _of(field, "field.watered")
    measured = by_gateway(field)
    by_hand = [event for event in watered if event not in measured]
    if measured:
        found.append(_watering(measured))
    if by_hand:
        found.append(Step("hand_watered", *_span(by_hand), GROWER, times=len(by_hand)))
    found += _grouped("fertilised", _of(field, "field.fertilised"), _name)
    found += _grouped("cared", _of(field, "field.pruned"), lambda _body: "")
    return found


def _of(field: Sequence[Event], type_: str) -> list[Event]:
    return [event for event in field if event.type == type_]


def _name(body: dict[str, Any]) -> str:
    return str(body.get("nongso:inputName", ""))


def _grouped(
    what: str, events: Sequence[Event], by: Callable[[dict[str, Any]], str]
) -> list[Step]:
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(by(event.body), []).append(event)
    return [
        Step(what, *_span(some), GROWER, times=len(some), name=name)
        for name, some in groups.items()
    ]


def _spraying(body: dict[str, Any], day: datetime.date) -> Step:
    return Step(
        "sprayed",
        day,
        day,
        GROWER,
        times=1,
        name=_name(body),
        ingredient=str(body.get("nongso:activeIngredient", "")),
        interval_days=body.get("nongso:preHarvestIntervalDays"),
    )


def by_gateway(field: Sequence[Event]) -> list[Event]:
    """The days on which the gateway watered, as it told them itself."""
    return [one for one in _of(field, "field.watered") if "nongso:waterings" in one.body]


@dataclass(frozen=True)
class Water:
    """How often was watered, with how much; ``unmetered`` of those times nobody measured it."""

    times: int
    litres: float | None
    unmetered: int

    @classmethod
    def of_events(cls, events: Sequence[Event]) -> "Water":
        """The days of the gateway together."""
        bodies = [event.body for event in events]
        metered = [body["nongso:litres"] for body in bodies if "nongso:litres" in body]
        return cls(
            sum(body["nongso:waterings"] for body in bodies),
            round(sum(metered), 1) if metered else None,
            sum(body["nongso:unmeteredWaterings"] for body in bodies),
        )

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Water":
        """What a growing record sealed."""
        times, litres = record["waterings"], record["litres"]
        return cls(times, litres, times if litres is None else record.get("unmetered", 0))

    @classmethod
    def together(cls, some: Sequence["Water"]) -> "Water":
        """The water of several plantings."""
        metered = [one.litres for one in some if one.litres is not None]
        return cls(
            sum(one.times for one in some),
            round(sum(metered), 1) if metered else None,
            sum(one.unmetered for one in some),
        )


def _watering(events: Sequence[Event]) -> Step:
    water = Water.of_events(events)
    return Step(
        "watered",
        *_span(events),
        SIMULATED if any(event.body.get("nongso:simulated") for event in events) else SENSOR,
        times=water.times,
        litres=water.litres,
        unmetered=water.unmetered,
    )


def _tests(behind: Sequence[Lot], events: Sequence[Event]) -> list[Step]:
    """What laboratories found; one that failed stays in the story, one recorded wrongly does not.

    That there was a correction, and why, is told with the other corrections.
    """
    kinds = {one.code: one.kind for one in behind}
    wrong = {event.body["eventID"] for event in events if event.type == TEST_WRONG}
    return [
        Step(
            "tested",
            _day(event),
            _day(event),
            LABORATORY,
            kind=kinds.get(lots.made_by(event.body), ""),
            name=str(event.body.get("nongso:what", "")),
            laboratory=str(event.body.get("nongso:laboratory", "")),
            passed=event.body.get("disposition") == "conformant",
        )
        for event in events
        if event.type in TESTED and event.body["eventID"] not in wrong
    ]
