"""Teaching a station's soil probe dry and wet from the phone, beside the probe.

The station itself keeps the points; here is when somebody has taught them. Taught by cable
(``nongso node calibrate``), they are not known here.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from nongso.platform.accounts import allow
from nongso.platform.greenhouse import commands
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.new_stations import INSTALLERS, ask, asked_station, own_wish
from nongso.platform.greenhouse.now import Value, values_at_place
from nongso.platform.greenhouse.pages import pressed_id
from nongso.platform.greenhouse.records import Command, Greenhouse, Node
from nongso.platform.languages import _, moment
from nongso.platform.store import records
from nongso.platform.telemetry import telemetry

blueprint = Blueprint("calibration", __name__)

CALIBRATE = "calibrate"
POINTS = ("dry", "wet")
ORDER_SECONDS = 60
_SERIES = re.compile(r"soil_moisture(\.[1-9])?")


@dataclass(frozen=True)
class Probe:
    """A soil probe of a station: what it reads, and when each point was taught to this board."""

    value: Value
    dry_at: int | None
    wet_at: int | None

    @property
    def is_taught(self) -> bool:
        """Whether both points are this board's own."""
        return self.dry_at is not None and self.wet_at is not None


def taught(session: Session, gateway: str | None, boards: Iterable[str]) -> dict[str, int]:
    """When points were taught last: by board, series and point, joined by blanks."""
    wanted = set(boards)
    found: dict[str, int] = {}
    done = session.scalars(
        select(Command)
        .where(Command.gateway == gateway, Command.do == CALIBRATE, Command.state == "done")
        .order_by(Command.number)
    )
    for one in done:
        values = one.values
        if values.get("board") in wanted and one.outcome_at is not None:
            key = f"{values['board']} {values.get('series')} {values.get('point')}"
            found[key] = one.outcome_at
    return found


def probes(node: Node, values: Sequence[Value], points: dict[str, int]) -> list[Probe]:
    """The soil probes of a station."""
    return [
        Probe(value, *(points.get(f"{node.eui64} {value.name} {point}") for point in POINTS))
        for value in sorted(values, key=lambda one: one.name)
        if _SERIES.fullmatch(value.name)
    ]


@blueprint.get("/greenhouses/<slug>/stations/<node>/calibrate")
@allow(*INSTALLERS, scope="records")
def page(slug: str, node: str) -> str:
    """Show the probes with their buttons, and what became of the last press."""
    return _page(*asked_station(slug, node))


def _page(house: Greenhouse, node: Node, trouble: str = "") -> str:
    now, readings = int(time.time()), telemetry()
    values = values_at_place(readings, node)
    said = own_wish(request.args.get("said", ""), CALIBRATE) if not trouble else None
    return render_template(
        "greenhouse/calibration.html",
        house=house,
        node=node,
        probes=probes(node, values, taught(records(), house.gateway, [node.eui64])),
        said=outcome(said, now) if said is not None else None,
        trouble=trouble,
        taught_sentence=taught_sentence,
        wish_id=commands.new_id(),
        now=now,
    )


@blueprint.post("/greenhouses/<slug>/stations/<node>/calibrate")
@allow(*INSTALLERS, scope="records")
def teach(slug: str, node: str) -> Response | tuple[str, int]:
    """Take what the probe gives now for its dry or its wet point."""
    house, found = asked_station(slug, node)
    series, _sep, point = request.form.get("point", "").partition(":")
    if not _SERIES.fullmatch(series) or point not in POINTS:
        abort(400)
    station = {"node": found.slug, "greenhouse": slug, "series": series, "point": point}
    wish_id = pressed_id(f"{CALIBRATE}:{found.slug}:{series}:{point}")
    try:
        ask(house, Wish(CALIBRATE, station=station), wish_id, ORDER_SECONDS)
        _wait_for_station(wish_id)
    except WishError:
        trouble = _(
            "Tủ điều khiển không trả lời nên chưa chỉnh được. Xin xem tủ có điện, có mạng không, "
            "rồi bấm lại."
        )
        return _page(house, found, trouble), 409
    return redirect(url_for(".page", slug=slug, node=node, said=wish_id) + "#said", 303)


def _wait_for_station(wish_id: str) -> None:
    """The gateway has passed the order on; a station that is awake answers within a second."""
    session = records()

    def answered() -> bool | None:
        session.expire_all()
        return True if session.get_one(Command, wish_id).state in commands.FINAL_STATES else None

    bell = commands.bell()
    bell.wait_for(answered, commands.ANSWER_SECONDS, bell.wishes)


def outcome(command: Command, now: int) -> tuple[str, str]:
    """Return level and sentence of what became of a press."""
    state = commands.expire(command, now)
    if state == "done":
        if command.values.get("point") == "dry":
            return "good", _("Đã nhớ mức khô. Bây giờ cắm đầu đo vào đất đã tưới đẫm.")
        return "good", _("Đã nhớ mức ướt. Đầu đo đo theo mức mới từ bây giờ.")
    if state in ("sent", "running") and now < command.expires_at:
        return "attention", _("Đang đợi trạm trả lời. Xin bấm Xem lại sau một chút.")
    if state == "refused" and command.code == "calibration_refused":
        return "attention", _(
            "Trạm không nhận mức này: hai mức gần như nhau. Mức khô thì lau khô đầu đo, giơ ngoài "
            "không khí; mức ướt thì cắm vào đất đã tưới đẫm. Chờ nửa phút rồi bấm lại; vẫn không "
            "được thì xin xem đầu đo và dây nối."
        )
    return "attention", _(
        "Trạm không trả lời nên chưa chỉnh được. Trạm đang ngủ hoặc mất sóng thì xin đợi số đo "
        "mới về rồi bấm lại."
    )


def taught_sentence(probe: Probe, now: int) -> str:
    """Say when a probe was taught."""
    if probe.dry_at is None or probe.wet_at is None:
        return _("Đầu đo độ ẩm đất chưa được chỉnh đủ mức khô và mức ướt trên trang này.")
    return _(
        "Đầu đo độ ẩm đất đã chỉnh lúc %(at)s.", at=moment(min(probe.dry_at, probe.wet_at), now)
    )
