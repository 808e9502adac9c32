"""The stations (trạm đo) of a greenhouse: is each heard, what does each measure, what is wrong.

What a station does not tell (its signal) is not on the page. The order is
worst first: silent ones, then those with a sensor at fault, then a low battery.
"""

import time
from dataclasses import dataclass, replace

from flask import Blueprint, render_template, request
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import allow, somebody
from nongso.platform.greenhouse import commands, sentences
from nongso.platform.greenhouse.calibration import Probe, probes, taught, taught_sentence
from nongso.platform.greenhouse.new_stations import INSTALLERS
from nongso.platform.greenhouse.now import STALE_SECONDS, Value, values_at_place
from nongso.platform.greenhouse.pages import asked_greenhouse
from nongso.platform.greenhouse.programs import program_sentence
from nongso.platform.greenhouse.records import Greenhouse, Node, Zone
from nongso.platform.greenhouse.removal import removed, removed_sentence, said
from nongso.platform.languages import _, marked_age, moment
from nongso.platform.local import is_here
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
    replaced_at: int | None = None  # when this board has taken a broken one's place
    probes: tuple[Probe, ...] = ()  # of soil moisture

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
    before = {
        node.replaced_by: node.replaced_at
        for node in session.scalars(select(Node).where(Node.replaced_by.is_not(None)))
    }
    nodes = session.scalars(wanted.order_by(Node.slug)).all()
    points = taught(session, house.gateway, [node.eui64 for node in nodes])
    found = []
    for node in nodes:
        zone, replaced_at = zones.get(node.zone or "", ""), before.get(node.eui64)
        one = _station(readings, node, zone, now, replaced_at)
        found.append(replace(one, probes=tuple(probes(node, one.values, points))))
    return sorted(found, key=lambda one: ALERT_ORDER.index(one.state))


def _station(
    readings: Telemetry, node: Node, zone: str, now: int, replaced_at: int | None
) -> Station:
    values = tuple(values_at_place(readings, node))
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
    return Station(node, zone, values, heard, state, replaced_at)


def sentence(one: Station, now: int) -> str:
    """Say how a station is and what to do; ages in it are marked."""
    name = one.node.slug
    if one.heard_at is None:
        return _("Trạm đo %(name)s chưa gửi số nào. Xin xem nguồn điện và mã trạm.", name=name)
    ago = marked_age(now - one.heard_at)
    if one.state == "silent":
        return _(
            "Trạm đo %(name)s mất tín hiệu từ %(since)s. Xin xem nguồn điện và sóng.",
            name=name,
            since=moment(one.heard_at, now),
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
    said = _("Trạm đo %(name)s bình thường, số cuối %(ago)s.")
    return Markup(said) % {"name": name, "ago": ago}


def replaced_sentence(one: Station, now: int) -> str:
    """Say that a board has taken a broken one's place, and what is to be done again."""
    at = moment(one.replaced_at or 0, now)
    if not all(probe.is_taught for probe in one.probes):
        return _(
            "Đã thay trạm hỏng lúc %(at)s. Số đo cũ vẫn nối liền với số đo mới. Đầu đo độ ẩm đất "
            "cần chỉnh lại.",
            at=at,
        )
    return _("Đã thay trạm hỏng lúc %(at)s. Số đo cũ vẫn nối liền với số đo mới.", at=at)


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
        replaced_sentence=replaced_sentence,
        taught_sentence=taught_sentence,
        may_install=house.gateway is not None
        and is_here("new_stations.begin")
        and somebody().may(*INSTALLERS, scope="records"),
        wish_id=commands.new_id(),
        program_sentence=program_sentence,
        said=said(request.args["said"], now) if "said" in request.args else None,
        removed=removed(records(), house),
        removed_sentence=removed_sentence,
        now=now,
    )
