"""What a program asks of the readings of a greenhouse: one metric, by sensor and in time order.

The tank and the meter of the farm's cabinet belong to no greenhouse; they are found in each one
of that cabinet. What is asked for and does not exist is said, never answered with nothing.
"""

import heapq
import math
from typing import Any

from flask import request
from sqlalchemy import select

from nongso.platform.accounts import owns
from nongso.platform.errors import Problem
from nongso.platform.greenhouse.records import Greenhouse, Node, Zone
from nongso.platform.languages import _
from nongso.platform.openapi import pattern, text_of
from nongso.platform.openapi import whole as whole_number
from nongso.platform.query import whole
from nongso.platform.store import records
from nongso.platform.telemetry import Point, Series, telemetry
from nongso.wire import marks
from nongso.wire.metrics import METRICS, metric_of

MOST_POINTS = 500_000
LONGEST_STEP = 366 * 86400
QUERY = {
    "greenhouse": text_of("slug", needed=True),
    "metric": pattern(
        "metric name, or series name such as soil_moisture.2",
        f"^({'|'.join(METRICS)})([.][1-9][0-9]?)?$",
        needed=True,
    ),
    "since": whole_number("Unix seconds, a day ago if left out"),
    "until": whole_number("Unix seconds, now if left out"),
    "step": whole_number(
        "seconds; then each point is the mean of the good readings of a step", 0, LONGEST_STEP
    ),
    "zone": text_of("only this zone's"),
    "node": text_of("only this node's: its slug or EUI-64"),
}


def answer(now: int) -> dict[str, Any]:
    """Answer the request's query. Raises ``Problem``."""
    unknown = sorted(set(request.args) - {*QUERY, "lang"})
    if unknown:
        known = ", ".join(QUERY)
        raise Problem(
            400,
            "unknown_parameter",
            _("Không có tham số %(name)s; có: %(known)s.", name=unknown[0], known=known),
        )
    slug, metric = request.args.get("greenhouse", ""), request.args.get("metric", "")
    known_metric = metric_of(metric)
    if known_metric is None:
        raise Problem(
            400,
            "unknown_metric",
            _("Không có số đo %(name)s; có: %(known)s.", name=metric, known=", ".join(METRICS)),
        )
    house = records().get(Greenhouse, slug)
    if house is None or not owns(house.cooperative):
        raise Problem(404, "unknown_greenhouse", _("Không có nhà màng %(name)s.", name=slug))
    since, until = whole("since", now - 86400), whole("until", now + 3600)
    step = whole("step", 0, 0, LONGEST_STEP)
    slugs, found = _measured(house)
    chosen = {
        number: one
        for number, one in _narrowed(house, slugs, found).items()
        if one.name == metric or ("." not in metric and one.name.partition(".")[0] == metric)
    }
    each = _points(list(chosen), since, until, step)
    together = _together(each, since, until, step)
    return {
        "greenhouse": slug,
        "metric": metric,
        "unit": known_metric.unit,
        "points": [_point(point) for point in together],
        "series": [
            {
                "node": slugs.get(chosen[number].node, chosen[number].node),
                "eui64": chosen[number].node,
                "zone": chosen[number].zone or None,
                "name": chosen[number].name,
                "origin": marks.origin(points[-1].mark) if points else None,
                "points": [_point(point) for point in points],
            }
            for number, points in each.items()
        ],
    }


def _measured(house: Greenhouse) -> tuple[dict[str, str], dict[int, Series]]:
    """Return slugs of the nodes by EUI-64, and the series of house and cabinet."""
    found = telemetry().series(greenhouse=house.slug)
    slugs = {}
    own = {one.node for one in found.values()}
    for node in records().scalars(select(Node)):
        is_shared = (
            house.gateway is not None and node.gateway == house.gateway and node.greenhouse is None
        )
        if is_shared:
            found |= {
                number: one
                for number, one in telemetry().series(node=node.eui64).items()
                if one.greenhouse == ""
            }
        if is_shared or node.greenhouse == house.slug or node.eui64 in own:
            slugs[node.eui64] = node.slug
    return slugs, found


def _narrowed(
    house: Greenhouse, slugs: dict[str, str], found: dict[int, Series]
) -> dict[int, Series]:
    """Keep what ``zone`` and ``node`` of the query ask for."""
    zone, node = request.args.get("zone"), request.args.get("node")
    if zone is not None:
        zones = records().scalars(select(Zone.id).where(Zone.greenhouse == house.slug))
        if zone not in {*zones, *(one.zone for one in found.values() if one.zone)}:
            raise Problem(
                404, "unknown_zone", _("Nhà màng này không có khu tưới %(name)s.", name=zone)
            )
        found = {number: one for number, one in found.items() if one.zone == zone}
    if node is not None:
        ids = {eui64 for eui64, slug in slugs.items() if node in (eui64, slug)}
        ids |= {one.node for one in found.values() if one.node == node}
        if not ids:
            raise Problem(
                404, "unknown_node", _("Nhà màng này không có trạm đo %(name)s.", name=node)
            )
        found = {number: one for number, one in found.items() if one.node in ids}
    return found


def _points(chosen: list[int], since: int, until: int, step: int) -> dict[int, list[Point]]:
    if step and len(chosen) * (until - since) // step > MOST_POINTS:
        raise _too_many()
    if step:
        return {n: telemetry().steps([n], since, until, step) for n in chosen}
    found: dict[int, list[Point]] = {}
    left = MOST_POINTS
    for number in chosen:
        found[number] = telemetry().points([number], since, until, limit=left + 1)
        left -= len(found[number])
        if left < 0:
            raise _too_many()
    return found


def _together(each: dict[int, list[Point]], since: int, until: int, step: int) -> list[Point]:
    if len(each) == 1:
        return next(iter(each.values()))
    if step:
        return telemetry().steps(list(each), since, until, step)
    return list(heapq.merge(*each.values(), key=lambda point: point.at))


def _too_many() -> Problem:
    return Problem(
        400,
        "too_many_points",
        _("Nhiều số đo quá. Xin chọn thời gian ngắn hơn hoặc step lớn hơn."),
    )


def _point(point: Point) -> list[Any]:
    return [point.at, finite(point.value), marks.quality(point.mark)]


def finite(value: float | None) -> float | None:
    """Return the value, if JSON can say it; what an older import stored as infinite is none."""
    return value if value is not None and math.isfinite(value) else None
