"""Letting a station in from the phone: a sticker scanned or a button tapped, then a claim code.

The gateway opens its door and makes the code; the platform passes it on and forgets it with the
outcome. A board that takes a broken one's place goes the same way, under the station's own name.
The address on a board's sticker, ``/tram/<its number>``, is no secret: it leads to this page.
"""

import re
import time
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from nongso.platform.accounts import allow, owns, scoped, somebody
from nongso.platform.greenhouse import commands
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.now import Value, values_of
from nongso.platform.greenhouse.pages import asked_greenhouse, pressed_id
from nongso.platform.greenhouse.records import Command, Gateway, Greenhouse, Node, Zone
from nongso.platform.greenhouse.sentences import metric_word
from nongso.platform.languages import _, date, duration, moment
from nongso.platform.qr import picture
from nongso.platform.store import records, transaction
from nongso.platform.telemetry import Telemetry, telemetry
from nongso.wire.topics import TopicError, check_slug

blueprint = Blueprint("new_stations", __name__)

INSTALLERS = ("farmer", "clerk", "admin")
ENROL, REMOVE = "enrol", "remove"
ASK_SECONDS = 60  # that the gateway has to open its door
SETUP_PAGE = "http://192.168.4.1/"  # of a board, in its own Wi-Fi
_BOARD = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Claim:
    """An asking for a code: ``asking``, ``open``, ``closed``, ``waiting``, or ``heard``.

    Code, address and ``setup`` (the board's own page, filled in) are there while it is open;
    ``sensors``, sentences about what it measures and what gives no number, once it was heard.
    """

    state: str
    level: str
    sentence: str
    node: str
    is_replacement: bool
    code: str = ""
    address: str = ""
    setup: str = ""
    qr: Markup | None = None
    sensors: tuple[str, ...] = ()


def _may_install() -> bool:
    return somebody().may(*INSTALLERS, scope="records")


@blueprint.get("/tram/<board>")
@allow(*INSTALLERS, scope="records")
def sticker(board: str) -> Response | str:
    """Lead from a board's sticker to where it stands, or to the greenhouses it may stand in."""
    number = board.lower()
    if not _BOARD.fullmatch(number):
        abort(404)
    known = records().get(Node, number)
    if known is not None and known.gateway is not None:
        house = records().get(Greenhouse, known.greenhouse or "")
        if house is None or not owns(house.cooperative):
            abort(404)
        return redirect(url_for("stations.page", slug=house.slug) + f"#{known.slug}", 303)
    wanted = scoped(select(Greenhouse), Greenhouse.cooperative)
    houses = records().scalars(
        wanted.where(Greenhouse.gateway.is_not(None)).order_by(Greenhouse.name, Greenhouse.slug)
    )
    return render_template(
        "greenhouse/sticker.html", houses=list(houses), board=number, before=_before(known)
    )


def _before(known: Node | None) -> str:
    """Say what a board was that is no station any more; nothing to who has not owned it."""
    house = records().get(Greenhouse, known.greenhouse or "") if known is not None else None
    if known is None or house is None or not owns(house.cooperative):
        return ""
    if known.replaced_by is not None:
        return _(
            "Đây là trạm %(node)s cũ của %(house)s: trạm khác đã thay nó ngày %(day)s. Muốn dùng "
            "lại thì thêm vào như trạm mới.",
            node=known.slug,
            house=house.name,
            day=date(known.replaced_at or 0),
        )
    if known.removed_at is not None:
        return _(
            "Trạm này trước là %(node)s của %(house)s, đã gỡ ngày %(day)s. Muốn dùng lại thì "
            "thêm vào như trạm mới.",
            node=known.slug,
            house=house.name,
            day=date(known.removed_at),
        )
    return ""


@blueprint.get("/greenhouses/<slug>/stations/new")
@allow(*INSTALLERS, scope="records")
def choose(slug: str) -> str:
    """Ask what the board is to be: a new station, or one whose board is broken."""
    return _choice(asked_greenhouse(slug), _asked_board(request.args.get("board", "")))


def _choice(house: Greenhouse, board: str, trouble: str = "", name: str = "") -> str:
    session = records()
    zones = session.scalars(
        select(Zone).where(Zone.greenhouse == house.slug, Zone.gone.is_(False)).order_by(Zone.coil)
    )
    return render_template(
        "greenhouse/station_new.html",
        house=house,
        board=board,
        name=name or next_name(session, house),
        zones=list(zones) if house.gateway else [],
        stations=_replaceable(session, house) if house.gateway else [],
        trouble=trouble,
        wish_id=commands.new_id(),
    )


def _replaceable(session: Session, house: Greenhouse) -> list[Node]:
    wanted = select(Node).where(Node.gateway == house.gateway, Node.greenhouse == house.slug)
    return list(session.scalars(wanted.order_by(Node.slug)))


def asked_station(slug: str, name: str) -> tuple[Greenhouse, Node]:
    """The greenhouse and the station of an address, if the asker may see them."""
    house = asked_greenhouse(slug)
    found = [node for node in _replaceable(records(), house) if node.slug == name]
    if house.gateway is None or not found:
        abort(404)
    return house, found[0]


def _asked_board(text: str) -> str:
    """The board of a scanned sticker; empty where nobody has scanned one."""
    if text and not _BOARD.fullmatch(text):
        abort(404)
    return text


def next_name(session: Session, house: Greenhouse) -> str:
    """Propose a name for a new station: as its neighbours are called, with the next number.

    A name that a station of this gateway ever had is not given again: its history is another's.
    """
    nodes = session.scalars(select(Node).where(Node.farm == house.farm)).all()
    taken = {node.slug for node in nodes}
    near = [node.slug for node in nodes if node.greenhouse == house.slug] or sorted(taken)
    named = [m for slug in near if (m := re.fullmatch(r"(.*?)(\d+)", slug))]
    stem = named[0][1] if named else f"{house.slug[:36]}-"
    width = len(named[0][2]) if named else 2
    return next(
        name for n in range(1, 10_000) if (name := f"{stem}{n:0{width}}"[:40]) not in taken
    )


@blueprint.post("/greenhouses/<slug>/stations/new")
@allow(*INSTALLERS, scope="records")
def begin(slug: str) -> Response | tuple[str, int]:
    """Ask the gateway for a claim code."""
    house = asked_greenhouse(slug)
    board = _asked_board(request.form.get("board", ""))
    kind, _sep, where = request.form.get("place", "").partition(":")
    typed = request.form.get("name", "").strip().lower()
    session = records()
    if kind == "replace":
        if where not in {node.slug for node in _replaceable(session, house)}:
            abort(404)
        name, zone = where, None
    elif kind == "new":
        name, zone = typed or next_name(session, house), where or None
        if zone is not None:
            found = session.get(Zone, zone)
            if found is None or found.greenhouse != house.slug or found.gone:
                abort(404)
        try:
            check_slug(name)
        except TopicError:
            trouble = _("Tên trạm chỉ gồm chữ thường không dấu, số và dấu gạch ngang.")
            return _choice(house, board, trouble, name[:40]), 400
    else:
        abort(400)
    wish_id = pressed_id(f"{ENROL}:{kind}:{where}:{name}:{board}")
    station: dict[str, Any] = {"node": name, "greenhouse": house.slug, "zone": zone}
    station |= {"replace": kind == "replace"} | ({"board": board} if board else {})
    trouble = _why_not(session, house, board, where if kind == "replace" else None)
    if not trouble:
        try:
            ask(house, Wish(ENROL, station=station), wish_id, ASK_SECONDS)
        except WishError as error:
            trouble = refusal(error.code, {"node": name})
    if trouble:
        return _choice(house, board, trouble, name), 409
    return redirect(url_for(".claim", slug=slug, number=wish_id), 303)


def _why_not(session: Session, house: Greenhouse, board: str, replaced: str | None) -> str:
    """Say why this board cannot come in; its own name it may take again, with a new password."""
    known = session.get(Node, board) if board else None
    if known is None or known.gateway is None:
        return ""
    if (known.gateway, known.farm, known.slug) == (house.gateway, house.farm, replaced):
        return ""
    if known.gateway == house.gateway:
        return refusal("board_known", {"node": known.slug})
    return _(
        "Trạm này đang thuộc một tủ điều khiển khác. Xin gỡ trạm khỏi tủ đó trước rồi làm lại."
    )


def ask(house: Greenhouse, wish: Wish, wish_id: str, seconds: int) -> Command:
    """Write down a wish about a station, and wait for the gateway's word. Raises ``WishError``."""
    now = int(time.time())
    with transaction() as session:
        if house.gateway is None:
            raise WishError("gateway_away")
        gateway = session.get_one(Gateway, house.gateway)
        if session.get(Command, wish_id) is None and gateway.is_away(now):
            raise WishError("gateway_away")
        commands.record(
            session, somebody(), gateway, wish, id=wish_id, expires_at=now + seconds, now=now
        )
    commands.bell().ring()
    return commands.wait_for_answer(records(), [wish_id], commands.ANSWER_SECONDS)[0]


def own_wish(number: str, do: str) -> Command | None:
    """A wish of this kind, if there is one of this number and the asker may see it."""
    found = records().get(Command, number)
    return found if found and found.do == do and owns(found.cooperative) else None


@blueprint.get("/greenhouses/<slug>/stations/claims/<uuid:number>")
@allow(*INSTALLERS, scope="records")
def claim(slug: str, number: object) -> str:
    """Show the code, or what became of it."""
    house = asked_greenhouse(slug)
    command = own_wish(str(number), ENROL)
    if command is None or (command.station or {}).get("greenhouse") != house.slug:
        abort(404)
    now = int(time.time())
    return render_template(
        "greenhouse/station_claim.html",
        house=house,
        claim=standing(command, telemetry(), now),
        wish_id=commands.new_id(),
        asked=command.station,
        now=now,
    )


def standing(command: Command, readings: Telemetry, now: int) -> Claim:
    """Say how an asking for a code stands."""
    station, values = command.station or {}, command.values
    node, is_new_board = str(station.get("node")), station.get("replace") is True
    state = commands.expire(command, now)

    def told(word: str, level: str, sentence: str) -> Claim:
        return Claim(word, level, sentence, node, is_new_board)

    if state == "sent":
        return told("asking", "attention", _("Đang hỏi tủ điều khiển. Xin chờ một chút."))
    if state == "expired":
        return told("closed", "attention", refusal("gateway_away", {}))
    if state == "refused":
        return told("closed", "attention", refusal(command.code, values))
    if command.code == "claim_open":
        if now >= values["until"]:
            return told("closed", "attention", refusal("claim_expired", values))
        code, address = str(values["claim"]), str(values["address"])
        setup = f"{SETUP_PAGE}?code={code}&gateway={address}"
        sentence = _(
            "Mã dùng được một lần, cho một trạm, đến %(at)s (còn %(left)s).",
            at=moment(values["until"], now),
            left=duration(values["until"] - now),
        )
        return Claim(
            *("open", "good", sentence, node, is_new_board),
            *(code, address, setup, picture(setup)),
        )
    series = readings.series(node=str(values.get("board")))
    since = command.created_at if _was_station(command) else 0
    found = [value for value in values_of(readings, series, []) if value.at >= since]
    if found:
        at = moment(min(value.at for value in found), now)
        works = [value for value in found if value.is_good]
        sentence = _("Đã nhận được số đo của trạm %(node)s, lúc %(at)s.", node=node, at=at)
        if not works:
            sentence = _(
                "Đã nghe được trạm %(node)s, lúc %(at)s, nhưng chưa có số đo nào dùng được.",
                node=node,
                at=at,
            )
        level = "good" if len(works) == len(found) else "attention"
        return replace(told("heard", level, sentence), sensors=_sensors(found))
    sentence = _("Tủ điều khiển đã nhận trạm %(node)s. Đang chờ số đo đầu tiên.", node=node)
    if values.get("broker_told") is False:
        sentence = _(
            "Tủ điều khiển đã nhận trạm %(node)s. Xin báo người phụ trách máy khởi động lại phần "
            "nhận tin của tủ, rồi số đo mới về.",
            node=node,
        )
    return told("waiting", "attention", sentence)


def _was_station(command: Command) -> bool:
    """Say whether a board was one before: only what it measures since then is a word of it.

    Else its clock need not agree with ours.
    """
    earlier = select(Command).where(
        Command.gateway == command.gateway,
        Command.do.in_((ENROL, REMOVE)),
        Command.state == "done",
        Command.number < command.number,
    )
    board = command.values.get("board")
    return any(one.values.get("board") == board for one in records().scalars(earlier))


def _sensors(values: list[Value]) -> tuple[str, ...]:
    """Say which sensors of a new station work, which do not, and what to do."""

    def named(some: list[Value]) -> str:
        return ", ".join(metric_word(value.name) for value in sorted(some, key=lambda v: v.name))

    works = [value for value in values if value.is_good]
    mute = [value for value in values if not value.is_good and value.value is None]
    wrong = [value for value in values if not value.is_good and value.value is not None]
    said = [_("Đo được: %(what)s.", what=named(works))] if works else []
    if mute:
        said.append(_("Không có số: %(what)s.", what=named(mute)))
    if wrong:
        said.append(_("Số không đúng: %(what)s.", what=named(wrong)))
    if mute or wrong:
        said.append(
            _(
                "Xin xem giắc cắm và dây nối của các cảm biến này, đợi lần đo sau rồi bấm Xem "
                "lại. Trạm không lắp cảm biến đó thì xin báo người phụ trách máy."
            )
        )
    if any(value.metric.name == "soil_moisture" for value in mute):
        said.append(
            _(
                "Đầu đo độ ẩm đất mới còn cần chỉnh mức khô và mức ướt: bấm Chỉnh đầu đo ở trang "
                "trạm đo."
            )
        )
    return tuple(said)


def refusal(code: str | None, values: dict[str, Any]) -> str:
    """Say why there is no code, or why a code let nobody in."""
    node = str(values.get("node", ""))
    said = {
        "gateway_away": _(
            "Tủ điều khiển không trả lời nên chưa có mã. Xin xem tủ có điện, có mạng không, rồi "
            "bấm lại."
        ),
        "no_station_network": _(
            "Tủ điều khiển chưa mở cho trạm mới trong Wi-Fi của nông trại. Xin báo người phụ "
            "trách máy."
        ),
        "claim_expired": _("Mã đã hết hạn, chưa có trạm nào vào. Xin lấy mã mới."),
        "claim_withdrawn": _("Mã này không dùng nữa vì đã có người lấy mã mới sau đó."),
        "claim_guessed": _("Mã bị nhập sai nhiều lần nên đã khóa. Xin lấy mã mới."),
        "other_board": _(
            "Trạm vừa hỏi không phải trạm đã quét tem. Xin quét lại đúng tem của trạm."
        ),
        "board_known": _(
            "Trạm này đang là trạm %(node)s rồi. Xin xem ở trang trạm đo.", node=node
        ),
        "board_not_admitted": _(
            "Trạm đã nhập đúng mã nhưng tủ điều khiển không nhận được. Xin báo người phụ trách "
            "máy."
        ),
        "station_name_taken": _("Đã có trạm tên %(node)s. Xin chọn tên khác.", node=node),
        "station_unknown": _(
            "Tủ điều khiển không có trạm %(node)s. Xin tải lại trang trạm đo.", node=node
        ),
        "interrupted": _(
            "Tủ điều khiển vừa khởi động lại nên mã không dùng được nữa. Xin lấy mã mới."
        ),
        "expired": _("Tủ điều khiển nhận lệnh quá muộn nên chưa có mã. Xin bấm lại."),
    }
    general = _("Chưa lấy được mã (%(code)s). Xin báo người phụ trách máy.", code=code or "?")
    return said.get(code or "", general)
