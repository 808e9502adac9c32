"""The page that says what the plants of a greenhouse need, and what the weather inside favours.

The soil is the gateway's reckoning, shown as it was told; air and diseases come from the readings.
All of it is advice: nothing here opens a valve or orders a spray.
"""

import datetime
import time
from dataclasses import dataclass

from flask import Blueprint, render_template
from sqlalchemy.orm import Session

from nongso.agronomy import air
from nongso.agronomy.crops import Crop, Enough, acidity, crops, nutrients
from nongso.agronomy.disease import Hour
from nongso.platform.accounts import allow
from nongso.platform.greenhouse.favour import BASE_C, Favour, diseases, ends, warmth
from nongso.platform.greenhouse.favour import DAYS as FAVOUR_DAYS
from nongso.platform.greenhouse.now import STALE_SECONDS, HouseNow, Value, gather
from nongso.platform.greenhouse.operations import zone_sentence
from nongso.platform.greenhouse.pages import asked_greenhouse
from nongso.platform.greenhouse.records import Run, Zone, runs_of
from nongso.platform.greenhouse.soil_trends import DAYS, DOWN, STEADY, UP, Trend, trend
from nongso.platform.languages import ZONE, _, day_of, language, number, quantity
from nongso.platform.store import records
from nongso.platform.telemetry import DAY, HOUR, Summary, Telemetry, telemetry

blueprint = Blueprint("plants", __name__)

READERS = ("farmer", "clerk", "helper", "officer", "admin")
LONGEST_DAYS = 400
OLDEST_BED_SECONDS = 2 * HOUR  # the gateway tells it each hour
SHORTEST_SAID_SECONDS = 600  # of a day that is reckoned from now on, before it says anything
IN_SOIL = ("soil_ec", "soil_ph", "soil_nitrogen", "soil_phosphorus", "soil_potassium")


@dataclass(frozen=True)
class Air:
    """The air now: how strongly it draws water out of leaves, and when dew falls."""

    at: int
    deficit_kpa: float
    dew_point_c: float


@dataclass(frozen=True)
class Bed:
    """The reckoned soil of a zone, in litres over the zone and mm.

    ``used`` is of today, and ``None`` where today nothing was told yet; ``reckoned_seconds`` is
    how much of the day it counts, ``None`` where it is all of it. ``watered_litres`` are those of
    the runs that began today, as the greenhouse's page lists them, beside ``unmetered`` ones. On
    a simulated farm that hurries by ``speed``, days are its own, and the reckoning's sums stand.
    """

    zone: Zone
    crop: str
    age_days: int
    at: int
    is_old: bool
    used_litres: float | None
    used_mm: float | None
    reckoned_seconds: int | None
    watered_litres: float
    unmetered: int
    missing_litres: float
    allowed_litres: float
    says: str  # what the greenhouse's page says of the zone
    warmth: float | None
    warm_days: int
    speed: float


@dataclass(frozen=True)
class Ground:
    """What probes read in the soil of a zone, and how much salt its crop bears.

    A probe reads the moist soil as a whole, which conducts less than the extract that tables are
    made by: too salty for it is too salty, and what it calls good is not yet proven to be so. For
    acidity a wide band is given (of the crop where one is chosen). Nutrients are held against what
    a laboratory calls enough, beside the word that such a probe works them out of the salt: it
    advises a sample of the soil and never a dose.
    """

    zone: Zone
    values: tuple[Value, ...]
    crop: str | None
    most_ds_m: float | None
    ds_m: float | None  # None where no good one is fresh
    ph: float | None
    acidity: tuple[float, float]
    nutrients: tuple["Nutrient", ...]
    trends: tuple[Trend, ...]


@dataclass(frozen=True)
class Nutrient:
    """What the probes of a zone tell of a nutrient, mg/kg, beside what is enough."""

    metric: str
    value: float
    enough: Enough


@blueprint.get("/greenhouses/<slug>/plants")
@allow(*READERS)
def page(slug: str) -> str:
    """Show what plants need here."""
    house = asked_greenhouse(slug)
    now = int(time.time())
    (found,) = gather(records(), telemetry(), [house], now)
    return render_template(
        "greenhouse/plants.html",
        house=house,
        air=_air(found),
        beds=_beds(records(), telemetry(), found),
        grounds=_grounds(telemetry(), found),
        nutrient_sentence=nutrient_sentence,
        trend_sentence=trend_sentence,
        favour=_favour(telemetry(), found, now),
        base=BASE_C,
        now=now,
    )


def _air(house: HouseNow) -> Air | None:
    warm, humid = (house.best.get(name) for name in ("air_temperature", "air_humidity"))
    if warm is None or humid is None or warm.value is None or not humid.value:
        return None
    at = min(warm.at, humid.at)
    if not (warm.is_good and humid.is_good) or house.at - at > STALE_SECONDS:
        return None
    return Air(
        at, air.deficit_kpa(warm.value, humid.value), air.dew_point_c(warm.value, humid.value)
    )


def _grounds(readings: Telemetry, house: HouseNow) -> list[Ground]:
    found = []
    for one in house.zones:
        own = [v for v in house.values if v.zone == one.zone.id and v.metric.name in IN_SOIL]
        if not own:
            continue
        own.sort(key=lambda v: (IN_SOIL.index(v.metric.name), v.name))
        crop = crops().get((one.zone.balance or {}).get("crop", ""))
        found.append(
            Ground(
                zone=one.zone,
                values=tuple(own),
                crop=_called(crop) if crop else None,
                most_ds_m=crop.salt_ds_m if crop else None,
                ds_m=max(_fresh(own, "soil_ec", house.at), default=None),
                ph=min(_fresh(own, "soil_ph", house.at), default=None),
                acidity=acidity(crop),
                nutrients=_nutrients(own, house.at),
                trends=_trends(readings, one.zone, house.at),
            )
        )
    return found


def _fresh(values: list[Value], metric: str, now: int) -> list[float]:
    return [
        v.value
        for v in values
        if v.metric.name == metric
        and v.value is not None
        and v.is_good
        and now - v.at <= STALE_SECONDS
    ]


def _nutrients(values: list[Value], now: int) -> tuple[Nutrient, ...]:
    found = []
    for metric, enough in nutrients().items():
        fresh = _fresh(values, metric, now)
        if fresh:
            found.append(Nutrient(metric, sum(fresh) / len(fresh), enough))
    return tuple(found)


def _trends(readings: Telemetry, zone: Zone, now: int) -> tuple[Trend, ...]:
    today = day_of(now)
    since = _midnight(today - datetime.timedelta(DAYS))
    series = readings.series(greenhouse=zone.greenhouse)
    found = []
    for metric in IN_SOIL:
        numbers = [
            n
            for n, s in series.items()
            if s.zone == zone.id and s.name.partition(".")[0] == metric
        ]
        if not numbers:
            continue
        daily = {
            day_of(one.since).toordinal(): one.mean
            for one in readings.summaries(numbers, since, now, DAY)
            if one.mean is not None
        }
        seen = trend(metric, daily, today.toordinal())
        if seen is not None:
            found.append(seen)
    return tuple(found)


def nutrient_sentence(seen: Nutrient) -> str:
    """Say on which side of what is enough a nutrient stands, as the probe tells it."""
    low, high = seen.enough.low, seen.enough.high
    told = {
        "what": _called_so(seen.metric),
        "value": quantity(seen.value, "mg/kg"),
        "enough": _("từ %(low)s", low=quantity(low, "mg/kg"))
        if high is None
        else _("%(low)s đến %(high)s", low=number(low), high=quantity(high, "mg/kg")),
    }
    if seen.value < low:
        return _("%(what)s theo đầu đo %(value)s: thấp hơn mức đủ (%(enough)s).", **told)
    if high is not None and seen.value > high:
        return _("%(what)s theo đầu đo %(value)s: cao hơn mức đủ (%(enough)s).", **told)
    return _("%(what)s theo đầu đo %(value)s: trong mức đủ (%(enough)s).", **told)


def trend_sentence(seen: Trend) -> str:
    """Say how salt, acidity or a nutrient has moved in two weeks, and what to look at."""
    if seen.way == STEADY:
        return _("%(what)s: hai tuần nay không đổi mấy.", what=_called_so(seen.metric))
    words = {
        ("soil_ec", UP): _("Độ mặn tăng trong hai tuần nay. Xin xem lại lượng phân đã bón."),
        ("soil_ec", DOWN): _("Độ mặn giảm trong hai tuần nay."),
        ("soil_ph", UP): _("Đất bớt chua trong hai tuần nay."),
        ("soil_ph", DOWN): _("Đất chua thêm trong hai tuần nay. Xin gửi mẫu đất đi đo."),
    }
    said = words.get((seen.metric, seen.way))
    if said is not None:
        return said
    if seen.way == UP:
        return _("%(what)s theo đầu đo tăng trong hai tuần nay.", what=_called_so(seen.metric))
    return _(
        "%(what)s theo đầu đo giảm trong hai tuần nay. Xin nhìn lá cây, hỏi cán bộ nông nghiệp "
        "trước khi bón thêm.",
        what=_called_so(seen.metric),
    )


def _called_so(metric: str) -> str:
    words = {
        "soil_ec": _("Độ mặn"),
        "soil_ph": _("Độ chua"),
        "soil_nitrogen": _("Đạm"),
        "soil_phosphorus": _("Lân"),
        "soil_potassium": _("Kali"),
    }
    return words[metric]


def _called(crop: Crop) -> str:
    return crop.vi if language() == "vi" else crop.en


def _beds(session: Session, readings: Telemetry, house: HouseNow) -> list[Bed]:
    found = []
    for z in house.zones:
        zone = z.zone
        if zone.bed is not None and zone.balance is not None and zone.area_m2:
            runs = runs_of(session, [zone.id], _midnight(day_of(house.at)), house.at + 1)
            says = zone_sentence(z, house)
            found.append(_bed(readings, zone, zone.bed, zone.area_m2, runs, says, house.at))
    return found


def _bed(
    readings: Telemetry,
    zone: Zone,
    told: dict[str, float],
    area_m2: float,
    runs: list[Run],
    says: str,
    now: int,
) -> Bed:
    balance = zone.balance or {}
    speed, at = told.get("speed", 1.0), told["at"]
    today = day_of(now)
    planted = datetime.date.fromisoformat(balance["planted"])
    days = max(0, (today - planted).days)
    measured = _temperatures(readings, zone.greenhouse, _midnight(planted), now, days)
    day = datetime.date.fromordinal(datetime.date(1970, 1, 1).toordinal() + int(told["day"]))
    is_todays = day == today
    begins = _midnight(today)
    ran = [run for run in runs if run.started_at >= begins and run.seconds > 0]
    watered = sum(run.litres or 0.0 for run in ran)
    unmetered = sum(run.litres is None for run in ran)
    counts = int(told.get("measured_seconds", DAY))
    is_part = counts < at - begins - HOUR
    if speed != 1.0:
        watered, unmetered = told["watered_mm"] * area_m2, 0
        is_part = False
        at, is_todays, days = zone.state_at, True, max(0, (day - planted).days)
    is_told = is_todays and not (is_part and counts < SHORTEST_SAID_SECONDS)
    crop = crops().get(balance["crop"])
    name = balance["crop"] if crop is None else _called(crop)
    allowed = max(told["allowed_mm"], 0.1)
    return Bed(
        zone=zone,
        crop=name,
        age_days=days,
        at=int(at),
        is_old=now - at > OLDEST_BED_SECONDS,
        used_litres=told["used_mm"] * area_m2 if is_told else None,
        used_mm=told["used_mm"] if is_told else None,
        reckoned_seconds=counts if is_part else None,
        watered_litres=watered,
        unmetered=unmetered,
        missing_litres=told["missing_mm"] * area_m2,
        allowed_litres=allowed * area_m2,
        says=says,
        warmth=warmth(measured) if measured else None,
        warm_days=len(measured),
        speed=speed,
    )


def _temperatures(
    readings: Telemetry, slug: str, since: int, now: int, days: int
) -> dict[datetime.date, tuple[float, float]]:
    if days > LONGEST_DAYS:
        return {}
    found = _summaries(readings, slug, "air_temperature", since, now, DAY)
    return ends(
        (one.since, one.low, one.high)
        for one in found
        if one.low is not None and one.high is not None
    )


def _favour(readings: Telemetry, house: HouseNow, now: int) -> Favour | None:
    """What the weather favoured; ``None`` where no rule was made for what grows here."""
    grown = [crops().get((one.zone.balance or {}).get("crop", "")) for one in house.zones]
    wanted = {code for crop in grown if crop is not None for code in crop.diseases}
    if not wanted:
        return None
    until = _midnight(day_of(now))
    since = until - FAVOUR_DAYS * DAY
    warm, humid = (
        {
            one.since: one.mean
            for one in _summaries(readings, house.greenhouse.slug, name, since, until, HOUR)
            if one.mean is not None
        }
        for name in ("air_temperature", "air_humidity")
    )
    hours = {at: Hour(warm[at], humid[at]) for at in warm.keys() & humid.keys()}
    return diseases(hours, since, wanted)


def _summaries(
    readings: Telemetry, slug: str, name: str, since: int, until: int, step: int
) -> list[Summary]:
    series = [n for n, one in readings.series(greenhouse=slug).items() if one.name == name]
    return readings.summaries(series, since, until, step) if series and until > since else []


def _midnight(day: datetime.date) -> int:
    return int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())
