"""What the pages of people share: the blueprint, who is asking, and how a page is made."""

import time
from collections.abc import Collection
from typing import Any

from flask import Blueprint, abort, render_template
from sqlalchemy.orm import Session

from nongso.platform import audit, typed_numbers
from nongso.platform.accounts import somebody
from nongso.platform.languages import _
from nongso.platform.people import Cooperative, LogIn, Person, WeakSecret
from nongso.platform.store import records

blueprint = Blueprint("members", __name__)

OWN = "own"  # the scope of a person's own account


def asker(session: Session | None = None) -> Person:
    """Return the asker's own row, in the given session or in that of the request."""
    found = (session or records()).get(Person, somebody().id)
    return found if found is not None else abort(401)


def note(session: Session, what: str, subject: str | None = None, **details: Any) -> None:
    """Write a deed of the asker into the audit.

    ``cooperative`` says whose audit it belongs to, where that is not the asker's own.
    """
    found = somebody()
    cooperative = details.pop("cooperative", None) or found.cooperative
    audit.note(
        session,
        what,
        person=found.id,
        cooperative=cooperative,
        subject=subject,
        via=found.via,
        helper=found.helper,
        **details,
    )


def page(template: str, status: int = 200, **values: Any) -> tuple[str, int]:
    """Render a page of this room."""
    text = render_template(
        f"members/{template}", now=int(time.time()), role_word=role_word, **values
    )
    return text, status


def chosen_number(typed: str, among: Collection[int]) -> int | None:
    """Return the number that was chosen from a list; ``None`` for anything else."""
    try:
        found = typed_numbers.read_whole(typed)
    except typed_numbers.Unreadable:
        return None
    return found if found in among else None


def role_word(role: str) -> str:
    """Say a role as it is called here."""
    words = {
        "farmer": _("người trồng"),
        "clerk": _("nhân viên HTX"),
        "officer": _("cán bộ xã"),
        "helper": _("người hỗ trợ"),
        "admin": _("quản trị"),
    }
    return words.get(role, role)


def cooperative_name(slug: str | None) -> str:
    """Return the name of a cooperative."""
    found = records().get(Cooperative, slug) if slug else None
    return found.name if found is not None else ""


def weak_sentence(error: WeakSecret) -> str:
    """Say why a password or PIN cannot be taken."""
    if error.code == "not_six_digits":
        return _("Mã PIN có đúng 6 số.")
    if error.code == "easy":
        return _("Mã này quá dễ đoán. Xin chọn mã khác, không dùng số liền nhau hay lặp lại.")
    return _("Mật khẩu cần ít nhất 8 ký tự.")


def device_word(log_in: LogIn) -> str:
    """Say in a few words what a log-in's browser runs on; the browser itself is our witness."""
    text = log_in.device
    systems = {
        "Android": _("điện thoại Android"),
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Windows": _("máy tính Windows"),
        "Mac OS X": _("máy tính Mac"),
        "Linux": _("máy tính Linux"),
    }
    system = next((word for key, word in systems.items() if key in text), _("máy không rõ loại"))
    browsers = {
        "Zalo": "Zalo",
        "Edg": "Edge",
        "coc_coc": "Cốc Cốc",
        "SamsungBrowser": "Samsung Internet",
        "Firefox": "Firefox",
        "Chrome": "Chrome",
        "Safari": "Safari",
    }
    browser = next((word for key, word in browsers.items() if key in text), "")
    return f"{system} · {browser}" if browser else system
