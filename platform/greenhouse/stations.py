"""The stations (trạm đo) of a greenhouse: is each heard, what does each measure, what is wrong.

What a station does not tell (its signal) is not on the page. The order is
worst first: silent ones, then those with a sensor at fault, then a low battery.
"""

import time
from dataclasses import dataclass

from flask import Blueprint, render_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import allow
from nongso.platform.greenhouse import sentences
from nongso.platform.greenhouse.now import STALE_SECONDS, Value, values_of
from nongso.platform.greenhouse.pages import asked_greenhouse
from nongso.platform.greenhouse.programs import program_sentence
from nongso.platform.greenhouse.records import Greenhouse, Node, Zone
from nongso.platform.languages import _, age
from nongso.platform.store import records
from nongso.platform.telemetry import Telemetry, telemetry

blueprint = Blueprint("stations", __name__)

READERS = ("farmer", "clerk", "helper", "officer", "admin")
LOW_BATTERY = 3.5  # V: a lithium cell is nearly empty below (its voltage falls fast from there)
ALERT_ORDER = ("never", "silent", "sensor", "battery", "good")


@dataclass(frozen=True)
class Station:
    """A station with its newest values. ``state`` is the worst that is known of it."""

    node: Node
    zone: str
    values: tuple[Value, ...]
    heard_at: int | None
    state: str

    @property
    def level(self) -> str:
        """The level that stands for the state, as on the card of a greenhouse."""
        return {"never": "lost", "silent": "lost", "good": "good"}.get(self.state, "attention")


def stations(session: Session, readings: Telemetry, house: Greenhouse, now: int) -> list[Station]:
    """Return the stations of a greenhouse and of its cabinet, worst first."""
    zones = {
        zone.id: zone.name
        for zone in session.scalars(select(Zone).where(Zone.greenhouse == house.slug))
    }
    wanted = select(Node).where(Node.gateway == house.gateway, Node.gateway.is_not(None))
    wanted = wanted.where((Node.greenhouse == house.slug) | Node.greenhouse.is_(None))
    found = [
        _station(readings, node, zones.get(node.zone or "", ""), now)
        for node in session.scalars(wanted.order_by(Node.slug))
    ]
    return sorted(found, key=lambda one: ALERT_ORDER.index(one.state))


def _station(readings: Telemetry, node: Node, zone: str, now: int) -> Station:
    values = tuple(values_of(readings, readings.series(node=node.eui64), [node]))
    heard = max((value.at for value in values), default=None)
    batteries = [v.value for v in values if v.name == "battery" and v.value is not None]
    if heard is None:
        state = "never"
    elif now - heard > STALE_SECONDS or node.state == "offline":
        state = "silent"
    elif any(not v.is_good for v in values if now - v.at <= STALE_SECONDS):
        state = "sensor"
    elif batteries and min(batteries) < LOW_BATTERY:
        state = "battery"
    else:
        state = "good"
    return Station(node, zone, values, heard, state)


def sentence(one: Station, now: int) -> str:
    """Say how a station is and what to do."""
    name = one.node.slug
    if one.heard_at is None:
        return _("Trạm đo %(name)s chưa gửi số nào. Xin xem nguồn điện và mã trạm.", name=name)
    ago = age(now - one.heard_at)
    if one.state == "silent":
        return _(
            "Trạm đo %(name)s mất tín hiệu, số cuối %(ago)s. Xin xem nguồn điện và sóng.",
            name=name,
            ago=ago,
        )
    if one.state == "sensor":
        wrong = next(v for v in one.values if not v.is_good)
        return _(
            "Trạm đo %(name)s: cảm biến %(what)s báo số không đúng. Xin xem cảm biến và dây nối.",
            name=name,
            what=sentences.metric_word(wrong.name),
        )
    if one.state == "battery":
        return _("Trạm đo %(name)s sắp hết pin. Xin thay hoặc sạc pin.", name=name)
    return _("Trạm đo %(name)s bình thường, số cuối %(ago)s.", name=name, ago=ago)


@blueprint.get("/greenhouses/<slug>/stations")
@allow(*READERS)
def page(slug: str) -> str:
    """The stations of a greenhouse."""
    house = asked_greenhouse(slug)
    now = int(time.time())
    return render_template(
        "greenhouse/stations.html",
        house=house,
        stations=stations(records(), telemetry(), house, now),
        sentence=sentence,
        program_sentence=program_sentence,
        now=now,
    )
