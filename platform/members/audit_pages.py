"""The audit as the cooperative reads it: who did what and when, with filters, and as CSV."""

import csv
import datetime
import io
from collections.abc import Sequence
from typing import Any

from flask import Response, request
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from nongso.platform import audit
from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.audit import Deed
from nongso.platform.languages import ZONE, _, duration, later, local
from nongso.platform.members.desk import blueprint, page, role_word
from nongso.platform.people import Person
from nongso.platform.store import records

READERS = ("clerk", "officer", "admin")
Page = AnyResponse | tuple[str, int]
LINES = 100
CSV_LINES = 20_000
FILTERS = ("group", "person", "since", "until")

# What one filter of the page shows.
GROUPS = {
    "doors": (
        later("Đăng nhập"),
        ("log_in", "log_in_failed", "log_in_held", "second_failed", "log_out", "log_in_ended"),
    ),
    "water": (
        later("Tưới nước"),
        ("water", "hand", "stop", "mode", "wet_test", "wet_test_seen", "pin_failed"),
    ),
    "people": (
        later("Người dùng"),
        (
            *("person_added", "person_disabled", "person_enabled", "role_changed"),
            *("code_made", "code_failed", "enrolled", "password_changed", "pin_set"),
            *("pin_removed", "second_set", "second_removed", "recovery_used"),
            *("recovery_renewed", "token_made", "token_ended"),
        ),
    ),
    "stations": (later("Trạm đo"), ("enrol", "calibrate", "remove")),
    "help": (
        later("Làm hộ"),
        ("help_offered", "help_begun", "help_failed", "help_ended", "help_act"),
    ),
    "data": (later("Tải về và xóa"), ("exported", "deleted", "scratch_sheet")),
}


@blueprint.get("/audit")
@allow(*READERS, scope="admin")
def audit_page() -> Page:
    """The newest lines, or those that the filters ask for."""
    found = _found(LINES + 1)
    more = found[LINES - 1].number if len(found) > LINES else None
    names = _names(found)
    return page(
        "audit.html",
        deeds=[(deed, sentence(deed, names), _who(deed, names)) for deed in found[:LINES]],
        more=more,
        groups=GROUPS,
        people=_people(),
        chosen=request.args,
        query={key: text for key, text in request.args.items() if key in FILTERS},
        via_word=via_word,
    )


@blueprint.get("/audit.csv")
@allow(*READERS, scope="admin")
def audit_csv() -> Page:
    """The same as a table for a spreadsheet."""
    found = _found(CSV_LINES)
    names = _names(found)
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow([_("lúc"), _("ai"), _("việc"), _("bằng cách nào"), _("mạng")])
    for deed in found:
        at = local(deed.at).isoformat(sep=" ")
        row = [at, _who(deed, names), sentence(deed, names), via_word(deed.via), deed.network]
        table.writerow([harmless(cell) for cell in row])
    answer = Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="nhat-ky-truy-cap.csv"'
    return answer


def harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a text for a formula (OWASP's CSV injection)."""
    cell = cell.replace("\r", " ").replace("\n", " ")
    return "'" + cell if cell.lstrip()[:1] in ("=", "+", "-", "@", "\t", "|") else cell


def _found(limit: int) -> Sequence[Deed]:
    asker = somebody()
    wish = request.args
    group = GROUPS.get(wish.get("group", ""))
    return audit.read(
        records(),
        cooperative=None if asker.sees_all else asker.cooperative,
        everything=asker.sees_all,
        what=group[1] if group else (),
        person=wish.get("person") or None,
        since=_day(wish.get("since", "")) or 0,
        until=_day(wish.get("until", ""), 1),
        before=int(wish["before"]) if _is_number(wish.get("before", "")) else None,
        limit=limit,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _day(text: str, more: int = 0) -> int | None:
    try:
        day = datetime.date.fromisoformat(text) + datetime.timedelta(days=more)
        return int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())
    except (ValueError, OverflowError):
        return None


def _people() -> Sequence[Person]:
    wanted = scoped(select(Person), Person.cooperative).where(Person.left_at.is_(None))
    return records().scalars(wanted.order_by(Person.name)).all()


def _names(deeds: Sequence[Deed]) -> dict[str, str]:
    keys = {key for deed in deeds for key in (deed.person, deed.helper, deed.subject) if key}
    found: dict[str, str] = {}
    batch = sorted(keys)
    for begin in range(0, len(batch), 500):
        rows = records().scalars(select(Person).where(Person.id.in_(batch[begin : begin + 500])))
        found |= {person.id: shown_name(person) for person in rows}
    return found


def shown_name(person: Person) -> str:
    """Return a person's name, or what is left of it."""
    if person.left_at is not None:
        return _("người đã xóa %(mark)s", mark=person.id[:8])
    return person.name


def _who(deed: Deed, names: dict[str, str]) -> str:
    own = names.get(deed.person or "", _("không rõ"))
    if deed.helper:
        return _("%(helper)s (nhập hộ %(farmer)s)", helper=names.get(deed.helper, "?"), farmer=own)
    return own


def via_word(via: str) -> str:
    """Say by what way somebody came."""
    return {
        "cookie": _("trang web"),
        "token": _("phần mềm khác"),
        "command": _("máy chủ"),
    }.get(via, via)


def sentence(deed: Deed, names: dict[str, str]) -> str:
    """Say what was done."""
    about = names.get(deed.subject or "", deed.subject or "")
    details = deed.details
    seconds = duration(details.get("seconds") or 0)
    said = {
        "log_in": _("Đăng nhập."),
        "log_in_failed": _("Nhập sai mật khẩu khi đăng nhập."),
        "log_in_held": _("Bị bắt chờ vì nhập sai nhiều lần."),
        "second_failed": _("Nhập sai mã xác nhận."),
        "log_out": _("Đăng xuất."),
        "log_in_ended": _("Đăng xuất máy của %(name)s.", name=about),
        "password_changed": _("Đổi mật khẩu hoặc mã PIN của mình."),
        "pin_set": _("Bật hoặc đổi mã PIN khi tưới."),
        "pin_removed": _("Tắt mã PIN khi tưới."),
        "pin_failed": _("Nhập sai mã PIN khi tưới."),
        "second_set": _("Cài mã xác nhận."),
        "second_removed": _("Bỏ mã xác nhận của %(name)s.", name=about),
        "recovery_used": _("Vào bằng mã dự phòng."),
        "recovery_renewed": _("Tạo mã dự phòng mới."),
        "person_added": _(
            "Thêm %(name)s, vai trò %(role)s.",
            name=about,
            role=role_word(str(details.get("role", ""))),
        ),
        "person_disabled": _("Khóa tài khoản của %(name)s.", name=about),
        "person_enabled": _("Mở khóa tài khoản của %(name)s.", name=about),
        "role_changed": _(
            "Đổi vai trò của %(name)s từ %(before)s sang %(role)s.",
            name=about,
            before=role_word(str(details.get("before", ""))),
            role=role_word(str(details.get("role", ""))),
        ),
        "code_made": _("In mã vào cửa cho %(name)s.", name=about),
        "code_failed": _("Nhập sai mã vào cửa."),
        "enrolled": _("Vào bằng mã in trên giấy và đặt mật khẩu hoặc mã PIN mới."),
        "help_offered": _("Đồng ý cho người hỗ trợ làm thay."),
        "help_begun": _("Bắt đầu làm hộ %(name)s.", name=about),
        "help_failed": _("Nhập sai mã để làm hộ."),
        "help_ended": _("Kết thúc việc làm hộ."),
        "help_act": _("Làm hộ một việc trên trang (%(view)s).", view=details.get("view", "")),
        "token_made": _("Tạo khóa cho phần mềm khác."),
        "token_ended": _("Hủy khóa của phần mềm khác."),
        "water": _("Bấm tưới %(zone)s trong %(time)s.", zone=about, time=seconds),
        "hand": _("Báo tưới %(zone)s bằng tay trong %(time)s.", zone=about, time=seconds),
        "stop": _("Bấm dừng tưới %(zone)s.", zone=about),
        "mode": _("Đổi cách tưới của %(zone)s.", zone=about),
        "wet_test": _("Mở van %(zone)s để thử nước.", zone=about),
        "wet_test_seen": _("Thử nước %(zone)s: %(saw)s.", zone=about, saw=_saw(details)),
        "calibrate": _("Chỉnh đầu đo của trạm %(node)s.", node=about),
        "remove": _("Bấm gỡ trạm đo %(node)s.", node=about),
        "enrol": _("Lấy mã nhận trạm đo cho %(node)s.", node=about),
        "scratch_sheet": _(
            "Tải tờ tem có mã cào của lô %(lot)s, tem số %(first)s đến %(last)s.",
            lot=details.get("lot", ""),
            first=details.get("first", ""),
            last=details.get("last", ""),
        ),
        "exported": _("Tải về thông tin: %(what)s.", what=about or details.get("what", "")),
        "deleted": _("Xóa thông tin của %(name)s.", name=about),
    }
    return said.get(deed.what, deed.what)


def _saw(details: dict[str, Any]) -> str:
    """What somebody has seen in a wet test."""
    words = {
        "right": _("nước chảy đúng khu này"),
        "shut": _("nước chảy đúng khu này, van đã đóng kín"),
        "open": _("van không đóng kín"),
        "nothing": _("không thấy nước"),
        "elsewhere": _("nước chảy ở khu khác"),
    }
    return words.get(str(details.get("saw")), "?")
