"""Taking a station out from the phone: sold, lost, stolen, moved to another farm.

The gateway ends its password and its key, and forgets it; what it has measured stays. Who took
it out is in the audit. A board that was taken out may come in again as any other.
"""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased
from werkzeug.wrappers import Response

from nongso.platform.accounts import allow
from nongso.platform.greenhouse import commands
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.new_stations import (
    INSTALLERS,
    REMOVE,
    ask,
    asked_station,
    own_wish,
)
from nongso.platform.greenhouse.pages import asked_greenhouse, pressed_id
from nongso.platform.greenhouse.records import AUTOMATIC, Command, Greenhouse, Node, Zone
from nongso.platform.languages import _, date
from nongso.platform.store import records

blueprint = Blueprint("removal", __name__)

ASK_SECONDS = 60


@dataclass(frozen=True)
class Removed:
    """A station that was taken out here; ``by`` is empty where nobody asked for it on a page."""

    node: Node
    by: str


def removed(session: Session, house: Greenhouse) -> list[Removed]:
    """The stations that were taken out of a greenhouse, the last first.

    Not one whose name another board has now: under that name it stands among those that measure.
    """
    there = aliased(Node)
    is_there = (there.greenhouse == house.slug) & there.gateway.is_not(None)
    nodes = session.scalars(
        select(Node)
        .where(Node.greenhouse == house.slug, Node.removed_at.is_not(None))
        .where(~exists().where(there.slug == Node.slug, is_there))
        .order_by(Node.removed_at.desc(), Node.slug)
    ).all()
    asked = session.scalars(
        select(Command)
        .where(Command.do == REMOVE, Command.state == "done")
        .where(Command.cooperative == house.cooperative)
        .order_by(Command.number)
    )
    by = {str(one.values.get("board")): one.by for one in (asked if nodes else ())}
    return [Removed(node, by.get(node.eui64, "")) for node in nodes]


def removed_sentence(one: Removed) -> str:
    """Say when a station was taken out, and by whom."""
    name, day = one.node.slug, date(one.node.removed_at or 0)
    if one.by:
        return _(
            "Trạm %(node)s: đã gỡ ngày %(day)s. Người gỡ: %(by)s.", node=name, day=day, by=one.by
        )
    return _("Trạm %(node)s: đã gỡ ngày %(day)s.", node=name, day=day)


@blueprint.get("/greenhouses/<slug>/stations/<node>/remove")
@allow(*INSTALLERS, scope="records")
def page(slug: str, node: str) -> str:
    """Say what taking the station out does, and ask whether that is wished."""
    return _page(*asked_station(slug, node))


def _page(house: Greenhouse, node: Node, trouble: str = "") -> str:
    return render_template(
        "greenhouse/station_remove.html",
        house=house,
        node=node,
        blind=_blind_zone(records(), node),
        trouble=trouble,
        wish_id=commands.new_id(),
    )


def _blind_zone(session: Session, node: Node) -> str:
    """The name of a zone that waters by itself and has no other station, else empty."""
    zone = session.get(Zone, node.zone) if node.zone else None
    if zone is None or zone.gone or zone.mode not in AUTOMATIC:
        return ""
    others = select(Node.eui64).where(Node.zone == zone.id, Node.gateway == node.gateway)
    is_alone = session.scalar(others.where(Node.eui64 != node.eui64).limit(1)) is None
    return zone.name if is_alone else ""


@blueprint.post("/greenhouses/<slug>/stations/<node>/remove")
@allow(*INSTALLERS, scope="records")
def remove(slug: str, node: str) -> Response | tuple[str, int]:
    """Ask the gateway to take the station out."""
    sent_before = _sent_before(slug, node)
    if sent_before is not None:
        return _told(slug, sent_before)
    house, found = asked_station(slug, node)
    wish_id = pressed_id(f"{REMOVE}:{found.slug}:{found.eui64}")
    station = {"node": found.slug, "greenhouse": slug, "board": found.eui64}
    try:
        ask(house, Wish(REMOVE, station=station), wish_id, ASK_SECONDS)
    except WishError as error:
        return _page(house, found, refusal(error.code, {"node": found.slug})), 409
    return _told(slug, wish_id)


def _sent_before(slug: str, name: str) -> str | None:
    """The wish that this very form has made already: its answer was lost on the way.

    The station may be history by then, and another board may have its name.
    """
    house = asked_greenhouse(slug)
    session = records()
    for board in session.scalars(
        select(Node.eui64).where(Node.slug == name, Node.farm == house.farm)
    ):
        wish_id = pressed_id(f"{REMOVE}:{name}:{board}")
        if own_wish(wish_id, REMOVE) is not None:
            return wish_id
    return None


def _told(slug: str, wish_id: str) -> Response:
    return redirect(url_for("stations.page", slug=slug, said=wish_id) + "#said", 303)


def said(number: str, now: int) -> tuple[str, str] | None:
    """Return level and sentence of what became of a wish to take a station out."""
    command = own_wish(number, REMOVE)
    if command is None:
        return None
    values = {"node": (command.station or {}).get("node")} | command.values
    state = commands.expire(command, now)
    if state == "sent":
        return "attention", _("Đang hỏi tủ điều khiển. Xin chờ một chút.")
    if state != "done":
        return "attention", refusal(command.code if state == "refused" else "gateway_away", values)
    if values.get("broker_told") is False:
        return "attention", _(
            "Đã gỡ trạm %(node)s. Xin báo người phụ trách máy khởi động lại phần nhận tin của tủ, "
            "để mật khẩu cũ của trạm hết hiệu lực.",
            node=values["node"],
        )
    return "good", _(
        "Đã gỡ trạm %(node)s. Trạm này không gửi được nữa; số đo cũ vẫn còn.", node=values["node"]
    )


def refusal(code: str | None, values: dict[str, Any]) -> str:
    """Say why a station was not taken out."""
    node = str(values.get("node", ""))
    sentences = {
        "gateway_away": _(
            "Tủ điều khiển không trả lời nên chưa gỡ được. Xin xem tủ có điện, có mạng không, rồi "
            "bấm lại."
        ),
        "station_unknown": _(
            "Tủ điều khiển không có trạm %(node)s. Xin tải lại trang trạm đo.", node=node
        ),
        "station_measures_source": _(
            "Chưa gỡ được: trạm %(node)s đo mực nước của %(source)s, gỡ đi thì máy không biết còn "
            "nước không. Xin thay trạm khác vào, hoặc báo người phụ trách máy.",
            node=node,
            source=values.get("source", ""),
        ),
        "interrupted": _("Tủ điều khiển vừa khởi động lại nên chưa gỡ xong. Xin bấm lại."),
        "expired": _("Tủ điều khiển nhận lệnh quá muộn nên chưa gỡ. Xin bấm lại."),
    }
    general = _("Chưa gỡ được (%(code)s). Xin báo người phụ trách máy.", code=code or "?")
    return sentences.get(code or "", general)
