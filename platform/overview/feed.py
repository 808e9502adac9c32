"""Open data for the commune's operations centre: JSON and CSV, documented, without any person.

What is given is what anybody may know: per village how many greenhouses measure, day means of
their climate, the plans' indicators, and the quality of the data. No name, no account, no
producer, no place finer than the village. Suspect readings are left out and counted.
"""

import json
import time
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from sqlalchemy import select

from nongso.platform.accounts import public_without_cookies
from nongso.platform.csvtable import csv_answer
from nongso.platform.errors import Problem
from nongso.platform.greenhouse.fragments import Fragments
from nongso.platform.greenhouse.records import Gateway, Greenhouse
from nongso.platform.languages import day_of, language, local
from nongso.platform.overview import indicators
from nongso.platform.overview.quality import quality_of
from nongso.platform.overview.quarters import Quarter, back_from, quarter_of, read
from nongso.platform.store import records
from nongso.platform.telemetry import DAY, telemetry
from nongso.platform.telemetry.interface import local_day
from nongso.wire.metrics import METRICS

blueprint = Blueprint("open_data", __name__, url_prefix="/open-data")

KEPT_SECONDS = 900  # any cache may keep an answer for so long
REMEMBERED_SECONDS = 60
MOST_REMEMBERED = 64  # of some kilobytes
MOST_DAYS = 92
CLIMATE = ("air_temperature", "air_humidity", "soil_moisture", "light")

# Every field that is given, with its meaning; /open-data/ shows it, a test holds us to it.
FIELDS: dict[str, dict[str, str]] = {
    "indicators": {
        "quarter": "the quarter, such as 2026-Q4",
        "code": "which indicator",
        "title": "its name in Vietnamese",
        "percent": "its value in per cent; null while a part is missing",
        "numerator": "the numerator; null while nobody knows it",
        "numerator_source": "where the numerator comes from",
        "denominator": "the denominator; null while nobody knows it",
        "denominator_source": "where the denominator comes from",
        "denominator_day": "the day since which a stated denominator holds, else empty",
        "unit": "what both count",
    },
    "climate": {
        "day": "the day at the farm, such as 2026-11-21",
        "village": "where the greenhouses stand",
        "metric": "what was measured, in the words of the API",
        "unit": "its unit",
        "greenhouses": "how many greenhouses the line sums up",
        "low": "lowest good reading",
        "mean": "mean of the good readings",
        "high": "highest good reading",
        "good": "good readings",
        "suspect": "readings that were left out",
        "simulated": "whether a computer plays these greenhouses",
    },
    "quality": {
        "since": "first day of the quarter",
        "right_percent": "đúng: good readings of all readings",
        "complete_percent": "đủ: hours with a good reading of all hours",
        "refused_messages": "sạch: messages that had to be refused",
        "alive_percent": "sống: stations heard within a day of all stations",
        "readings": "readings in the quarter",
        "stations": "stations",
    },
}


@blueprint.get("/")
@public_without_cookies
def contents() -> Response:
    """Say what is here and what each field means."""
    files = {
        name: {
            "json": f"/open-data/{name}.json",
            "csv": f"/open-data/{name}.csv",
            "fields": fields,
        }
        for name, fields in FIELDS.items()
    }
    return _kept(jsonify(licence="CC BY 4.0", zone="Asia/Ho_Chi_Minh", files=files))


@blueprint.get("/<any(indicators, climate, quality):what>.<any(json, csv):shape>")
@public_without_cookies
def table(what: str, shape: str) -> Response:
    """Give a table. ``?days=`` (climate) says how many days back, ``?quarter=`` which quarter."""
    make = {"indicators": _indicators, "climate": _climate, "quality": _quality}[what]
    fragments: Fragments = current_app.extensions["nongso.open_data"]
    # Anybody may ask, as often as they like; it is reckoned once a minute.
    minute = int(time.time()) // REMEMBERED_SECONDS
    asked = request.args.get("days" if what == "climate" else "quarter")
    text = fragments.get((what, asked, language(), minute), lambda: json.dumps(make()))
    made = json.loads(text)
    if shape == "csv":
        head = list(FIELDS[what])
        return _kept(csv_answer(f"{what}.csv", head, [[row[f] for f in head] for row in made]))
    return _kept(jsonify(made))


def prepare(app: Flask) -> None:
    """Give the application the memory of what was reckoned."""
    app.extensions["nongso.open_data"] = Fragments(most=MOST_REMEMBERED)


def _kept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _indicators() -> list[dict[str, Any]]:
    now = int(time.time())
    quarter = _quarter(now)
    return [
        {
            "quarter": one.code,
            "code": line.code,
            "title": indicators.title(line.code),
            "percent": None if line.percent is None else round(line.percent, 1),
            "numerator": line.numerator.value,
            "numerator_source": line.numerator.source,
            "denominator": line.denominator.value,
            "denominator_source": line.denominator.source,
            "denominator_day": line.denominator.day,
            "unit": indicators.unit(line.code),
        }
        for one in back_from(quarter, 4)
        for line in indicators.indicators(records(), telemetry(), one, now)
    ]


def _climate() -> list[dict[str, Any]]:
    wish = request.args.get("days", "7")
    if not (wish.isascii() and wish.isdigit() and len(wish) < 4 and 1 <= int(wish) <= MOST_DAYS):
        raise Problem(400, "bad_days", f"days is a whole number from 1 to {MOST_DAYS}")
    until = local_day(int(time.time())) + DAY
    since = until - int(wish) * DAY
    simulated = {one.slug: one.simulated for one in records().scalars(select(Gateway))}
    villages: dict[tuple[str, bool], list[str]] = {}
    for house in records().scalars(
        select(Greenhouse).where(Greenhouse.gateway.is_not(None)).order_by(Greenhouse.slug)
    ):
        key = (house.farm_name or "", simulated.get(house.gateway or "", False))
        villages.setdefault(key, []).append(house.slug)
    rows = []
    for (village, played), slugs in sorted(villages.items()):
        for metric in CLIMATE:
            series = {slug: _series(slug, metric) for slug in slugs}
            numbers = [number for found in series.values() for number in found]
            houses = sum(bool(found) for found in series.values())
            for day in telemetry().summaries(numbers, since, until, DAY) if numbers else ():
                rows.append(
                    {
                        "day": local(day.since).date().isoformat(),
                        "village": village,
                        "metric": metric,
                        "unit": METRICS[metric].unit,
                        "greenhouses": houses,
                        "low": day.low,
                        "mean": None if day.mean is None else round(day.mean, 2),
                        "high": day.high,
                        "good": day.good,
                        "suspect": day.suspect,
                        "simulated": played,
                    }
                )
    return rows


def _series(slug: str, metric: str) -> list[int]:
    found = telemetry().series(greenhouse=slug)
    return [number for number, one in found.items() if one.name.partition(".")[0] == metric]


def _quality() -> list[dict[str, Any]]:
    now = int(time.time())
    quarter = _quarter(now)
    houses = records().scalars(select(Greenhouse).order_by(Greenhouse.slug)).all()
    found = quality_of(records(), telemetry(), houses, quarter.since, quarter.until, now)
    return [
        {
            "since": quarter.first.isoformat(),
            "right_percent": _percent(found.good, found.readings),
            "complete_percent": _percent(found.hours_measured, found.hours),
            "refused_messages": found.refused,
            "alive_percent": _percent(found.alive, found.stations),
            "readings": found.readings,
            "stations": found.stations,
        }
    ]


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _quarter(now: int) -> Quarter:
    this = quarter_of(day_of(now))
    if "quarter" not in request.args:
        return this
    wanted = read(request.args["quarter"])
    if wanted is None or wanted > this or wanted.year < 2020:
        raise Problem(400, "bad_quarter", "quarter looks like 2026-Q4 and is not to come")
    return wanted
