"""The page of a farm's water: each source, what was taken of it, and what the pump's power gave.

A source is shown as its gateway told it last; its level is a station's newest reading. Litres and
energy of the week are what the meters of the gateway have counted. A counter that begins anew (an
exchanged meter) counts from there.
"""

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import allow
from nongso.platform.greenhouse import sentences
from nongso.platform.greenhouse.now import STALE_SECONDS, Value, values_of
from nongso.platform.greenhouse.pages import asked_greenhouse
from nongso.platform.greenhouse.records import Greenhouse, Node, WaterSource, Zone
from nongso.platform.languages import _, day_of, number
from nongso.platform.store import records
from nongso.platform.telemetry import DAY, HOUR, Summary, Telemetry, telemetry

blueprint = Blueprint("water_sources", __name__)

READERS = ("farmer", "clerk", "helper", "officer", "admin")
WEEK = 7 * DAY
FEWEST_SECONDS = DAY  # a counter that was seen for less and stood still has not measured yet
FEWEST_LITRES = 100.0  # of fewer, energy per cubic metre is the noise of two counters
LITRES_PER_M3 = 1000.0


@dataclass(frozen=True)
class Source:
    """A source and everything that a grower asks of it."""

    name: str
    kind: str
    level: Value | None
    is_level_old: bool
    lowest_percent: float
    today: float
    most_today: float | None
    season: float
    most_season: float | None
    tested_on: datetime.date | None
    is_test_old: bool
    sun: tuple[str, str] | None
    zones: tuple[str, ...]
    at: int
    why_not: str  # a sentence, empty while water may be taken


@dataclass(frozen=True)
class Counted:
    """What a meter counted in the last seven days.

    ``amount`` is ``None`` where it has not measured yet; ``since`` is when it began, where it has
    not seen the whole week.
    """

    amount: float | None
    since: int | None


@dataclass(frozen=True)
class Pumped:
    """What the meters counted in the last seven days; ``None`` where none stands."""

    water: Counted | None
    power: Counted | None
    kwh_per_m3: float | None


@blueprint.get("/greenhouses/<slug>/water-sources")
@allow(*READERS)
def page(slug: str) -> str:
    """Show where this farm's water is from, and what it costs in power."""
    house = asked_greenhouse(slug)
    now = int(time.time())
    return render_template(
        "greenhouse/water_sources.html",
        house=house,
        sources=sources(records(), telemetry(), house.gateway, now),
        pumped=pumped(records(), telemetry(), house.gateway, now),
        kind_word=kind_word,
        sun_word=sun_word,
        kwh_digits=kwh_digits,
        now=now,
    )


def sources(session: Session, readings: Telemetry, gateway: str | None, now: int) -> list[Source]:
    """Return the sources of a gateway by name."""
    zones = list(session.scalars(select(Zone).where(Zone.gateway == gateway).order_by(Zone.id)))
    names = {zone.id: zone.name for zone in zones}
    houses = session.scalars(select(Greenhouse).where(Greenhouse.gateway == gateway))
    places = _places(zones, {house.slug: house.name for house in houses})
    wanted = select(WaterSource).where(WaterSource.gateway == gateway, WaterSource.gone.is_(False))
    found = session.scalars(wanted.order_by(WaterSource.name, WaterSource.id))
    return [_source(readings, one, names, places, now) for one in found]


def _places(zones: list[Zone], houses: dict[str, str]) -> dict[str, str]:
    """What each zone is called where zones of several houses stand together."""
    if len({zone.greenhouse for zone in zones}) < 2:
        return {zone.id: zone.name for zone in zones}
    return {zone.id: f"{zone.name} ({houses.get(zone.greenhouse, zone.greenhouse)})"
            for zone in zones}  # fmt: skip


def _source(
    readings: Telemetry,
    kept: WaterSource,
    names: dict[str, str],
    places: dict[str, str],
    now: int,
) -> Source:
    told = kept.told
    tested = told["tested_on"] and datetime.date.fromisoformat(told["tested_on"])
    level = _level(readings, told["level_node"])
    hours = told["sun_hours"]
    is_of_today = day_of(kept.at) == day_of(now)
    return Source(
        name=kept.name,
        kind=told["kind"],
        level=level,
        is_level_old=level is not None and now - level.at > STALE_SECONDS,
        lowest_percent=told["lowest_percent"],
        today=told["litres_today"] if is_of_today else 0.0,
        most_today=told["litres_per_day"],
        season=told["litres_season"],
        most_season=told["litres_per_season"],
        tested_on=tested or None,
        is_test_old=bool(tested) and (day_of(now) - tested).days > told["test_good_days"],
        sun=None if hours is None else (hours["begin"], hours["end"]),
        zones=tuple(places[zone] for zone in told["zones"] if zone in places),
        at=kept.at,
        why_not=sentences.refusal(told["code"], told["values"], names, now)
        if told["code"]
        else "",
    )


def _level(readings: Telemetry, node: str | None) -> Value | None:
    if node is None:
        return None
    series = {n: s for n, s in readings.series(node=node).items() if s.name == "tank_level"}
    return next(iter(values_of(readings, series, [])), None)


def kind_word(kind: str) -> str:
    """Return the name of a kind of source."""
    words = {
        "stream": _("suối"),
        "well": _("giếng"),
        "tank": _("bể chứa"),
        "network": _("đường nước chung"),
    }
    return words.get(kind, kind)


def sun_word(time_of_day: str) -> str:
    """Say a time as a slot has it: ``08:00``, ``sunrise+90``."""
    word = next((one for one in ("sunrise", "sunset") if time_of_day.startswith(one)), None)
    if word is None:
        return time_of_day
    minutes = int(time_of_day.removeprefix(word) or "0")
    count = number(abs(minutes))
    if word == "sunrise" and minutes < 0:
        return _("%(count)s phút trước lúc mặt trời mọc", count=count)
    if word == "sunrise":
        return _("%(count)s phút sau lúc mặt trời mọc", count=count)
    if minutes < 0:
        return _("%(count)s phút trước lúc mặt trời lặn", count=count)
    return _("%(count)s phút sau lúc mặt trời lặn", count=count)


def kwh_digits(kwh: float | None) -> int:
    """How many decimals of a week's energy say something: a small pump takes some watt-hours."""
    if not kwh:
        return 0
    return 3 if kwh < 1 else 2 if kwh < 10 else 1


def pumped(session: Session, readings: Telemetry, gateway: str | None, now: int) -> Pumped:
    """Return what the gateway's own meters counted in the last seven days.

    Energy a cubic metre is of the hours since both meters stand.
    """
    meters = session.scalars(
        select(Node.eui64).where(Node.gateway == gateway, Node.greenhouse.is_(None))
    )
    until = now // HOUR * HOUR + HOUR
    water: list[Summary] = []
    power: list[Summary] = []
    standing: set[str] = set()
    for node in meters:
        series = readings.series(node=node)
        for name, found in (("water_total", water), ("energy_total", power)):
            numbers = [n for n, one in series.items() if one.name == name]
            if numbers:
                standing.add(name)
                found += readings.summaries(numbers, until - WEEK, until, HOUR)
    both_since = max(water[0].since, power[0].since) if water and power else until
    litres = counted([one for one in water if one.since >= both_since])
    kwh = counted([one for one in power if one.since >= both_since])
    per_m3 = None
    if kwh is not None and litres is not None and litres >= FEWEST_LITRES:
        per_m3 = kwh / litres * LITRES_PER_M3
    return Pumped(
        _seen(water, until) if "water_total" in standing else None,
        _seen(power, until) if "energy_total" in standing else None,
        per_m3,
    )


def _seen(hours: Sequence[Summary], until: int) -> Counted:
    """What a meter counted, and since when."""
    good = [one for one in hours if one.low is not None]
    amount = counted(good)
    if amount is None or (amount == 0 and until - good[0].since < FEWEST_SECONDS):
        return Counted(None, None)
    is_whole = good[0].since <= until - WEEK + HOUR
    return Counted(amount, None if is_whole else good[0].since)


def counted(hours: Sequence[Summary]) -> float | None:
    """What a counter counted over these hours; ``None`` without any good reading."""
    total, last = 0.0, None
    for one in hours:
        if one.low is None or one.high is None:
            continue
        is_anew = last is not None and one.low < last
        total += one.high - (one.low if last is None or is_anew else last)
        last = one.high
    return None if last is None else total
