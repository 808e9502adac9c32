"""The people of a cooperative: add, let in by a printed code, disable, see and end log-ins.

A clerk looks after the farmers and helpers of the own cooperative; an administrator after
everybody but the own account. Nobody sees or sets anybody's password.
"""

import re
import time
import unicodedata
from collections.abc import Sequence

from flask import abort, current_app, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from nongso.platform import consent, entry_codes, people, second_factor
from nongso.platform.accounts import allow, owns, scoped, somebody
from nongso.platform.languages import _
from nongso.platform.members.desk import (
    blueprint,
    chosen_number,
    cooperative_name,
    device_word,
    note,
    page,
)
from nongso.platform.members.own import end_one
from nongso.platform.people import ROLES, Cooperative, Person
from nongso.platform.qr import picture
from nongso.platform.settings import Settings
from nongso.platform.store import records, transaction

KEEPERS = ("clerk", "admin")
Page = Response | tuple[str, int]

_USER = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")


def roles_for_asker() -> Sequence[str]:
    """Return the roles that the asker may give and look after."""
    return ROLES if somebody().role == "admin" else ("farmer", "helper")


def _keeps(person: Person) -> bool:
    asker = somebody()
    if person.id == asker.id or person.left_at is not None:
        return False
    return person.role in roles_for_asker() and (asker.sees_all or owns(person.cooperative))


def kept_person(key: str) -> Person:
    """Return a person whom the asker looks after, else 404."""
    found = records().get(Person, key)
    if found is None or not _keeps(found):
        abort(404)
    return found


@blueprint.get("/people")
@allow(*KEEPERS, scope="admin")
def people_list() -> Page:
    """All people of the cooperative, or of all of them for an administrator."""
    wanted = scoped(select(Person), Person.cooperative).where(Person.left_at.is_(None))
    found = records().scalars(wanted.order_by(Person.cooperative, Person.name)).all()
    return page(
        "people.html",
        people=[(one, cooperative_name(one.cooperative), _keeps(one)) for one in found],
    )


@blueprint.get("/people/new")
@allow(*KEEPERS, scope="admin")
def new_person() -> Page:
    """The form for a new person."""
    return _form({}, {})


def _form(values: dict[str, str], errors: dict[str, str]) -> Page:
    cooperatives = records().scalars(select(Cooperative).order_by(Cooperative.name)).all()
    return page(
        "person_new.html",
        422 if errors else 200,
        values=values,
        errors=errors,
        roles=roles_for_asker(),
        cooperatives=cooperatives if somebody().sees_all else [],
        hours=entry_codes.HOURS,
    )


@blueprint.post("/people/new")
@allow(*KEEPERS, scope="admin")
def add_person() -> Page:
    """Add a person and show the code to be printed."""
    values = {name: _clean(request.form.get(name, "")) for name in ("name", "user", "role")}
    values["user"] = values["user"].lower() or proposed_user(values["name"])
    values["cooperative"] = request.form.get("cooperative", "")
    errors = {}
    if not 1 <= len(values["name"]) <= 80:
        errors["name"] = _("Xin nhập tên, nhiều nhất 80 chữ.")
    if not _USER.fullmatch(values["user"]):
        errors["user"] = _("Tên đăng nhập gồm 2 đến 40 chữ thường không dấu hoặc số.")
    elif people.find_person(records(), values["user"]) is not None:
        errors["user"] = _("Đã có người dùng tên này. Xin chọn tên khác.")
    if values["role"] not in roles_for_asker():
        errors["role"] = _("Xin chọn vai trò.")
    own = somebody().cooperative
    cooperative = values["cooperative"] if somebody().sees_all else own
    needs_one = values["role"] in ("farmer", "clerk", "helper")
    if needs_one and (not cooperative or records().get(Cooperative, cooperative) is None):
        errors["cooperative"] = _("Xin chọn hợp tác xã.")
    hours = _hours()
    if hours is None:
        errors["hours"] = _no_hours()
    if errors or hours is None:
        return _form(values, errors)
    try:
        with transaction() as session:
            made = people.add_person(
                session, values["user"], values["name"], values["role"], cooperative, ""
            )
            note(session, "person_added", made.id, role=made.role, cooperative=made.cooperative)
            return _code_page(session, made, hours)
    except IntegrityError:  # the same name from another browser at the same moment
        return _form(values, {"user": _("Đã có người dùng tên này. Xin chọn tên khác.")})


@blueprint.get("/people/<key>")
@allow(*KEEPERS, scope="admin")
def person(key: str) -> Page:
    """One person: state, log-ins, what can be done."""
    return _person_page(kept_person(key))


def _person_page(found: Person, trouble: str = "", status: int = 200) -> Page:
    return page(
        "person.html",
        status,
        person=found,
        trouble=trouble,
        cooperative=cooperative_name(found.cooperative),
        log_ins=people.log_ins_of(records(), found.id, int(time.time())),
        device_word=device_word,
        roles=[r for r in roles_for_asker() if _fits_cooperative(r, found)],
        hours=entry_codes.HOURS,
    )


def _fits_cooperative(role: str, found: Person) -> bool:
    return (role in ("officer", "admin")) == (found.cooperative is None)


@blueprint.post("/people/<key>/code")
@allow(*KEEPERS, scope="admin")
def make_code(key: str) -> Page:
    """Make a printed code, for enrolling or after a forgotten password (which still fits)."""
    found = kept_person(key)
    if not found.active:
        return _person_page(found, _("Tài khoản đang khóa. Xin mở khóa trước."), 409)
    hours = _hours()
    if hours is None:
        return _person_page(found, _no_hours(), 422)
    with transaction() as session:
        return _code_page(session, session.get_one(Person, found.id), hours)


def _hours() -> int | None:
    typed = request.form.get("hours", str(entry_codes.HOURS[0]))
    return chosen_number(typed, entry_codes.HOURS)


def _no_hours() -> str:
    return _("Xin chọn mã dùng được mấy ngày.")


def _code_page(session: Session, found: Person, hours: int) -> Page:
    now = int(time.time())
    secret, digits = entry_codes.make(session, found, hours, now)
    note(session, "code_made", found.id, hours=hours, cooperative=found.cooperative)
    settings: Settings = current_app.extensions["nongso.settings"]
    return page(
        "code.html",
        person=found,
        qr=picture(f"{settings.url}/enter/{secret}"),
        digits=digits,
        address=f"{settings.url}/enter",
        until=now + hours * 3600,
        cooperative=cooperative_name(found.cooperative),
    )


@blueprint.post("/people/<key>/active")
@allow(*KEEPERS, scope="admin")
def set_active(key: str) -> Page:
    """Disable an account (everything ends at once) or enable it again."""
    found = kept_person(key)
    active = request.form.get("active")
    if active not in ("yes", "no"):
        abort(400)
    with transaction() as session:
        kept = session.get_one(Person, found.id)
        kept.active = active == "yes"
        if not kept.active:
            people.end_log_ins(session, kept.id)
        what = "person_enabled" if kept.active else "person_disabled"
        note(session, what, kept.id, cooperative=kept.cooperative)
    return redirect(url_for("members.person", key=key), 303)


@blueprint.post("/people/<key>/role")
@allow("admin", scope="admin")
def change_role(key: str) -> Page:
    """Give a person another role; log-ins, keys, printed code and help of the old one end."""
    found, role = kept_person(key), request.form.get("role", "")
    if role not in ROLES or not _fits_cooperative(role, found):
        abort(400)
    with transaction() as session:
        kept = session.get_one(Person, found.id)
        before, kept.role = kept.role, role
        people.end_log_ins(session, kept.id)
        entry_codes.void(session, kept.id)
        consent.end_all(session, kept.id, int(time.time()))
        note(
            session,
            "role_changed",
            kept.id,
            before=before,
            role=role,
            cooperative=kept.cooperative,
        )
    return redirect(url_for("members.person", key=key), 303)


@blueprint.post("/people/<key>/second")
@allow("admin", scope="admin")
def remove_second(key: str) -> Page:
    """Take a lost second factor away; it is set up again at the next log-in."""
    found = kept_person(key)
    with transaction() as session:
        kept = session.get_one(Person, found.id)
        second_factor.remove(session, kept)
        people.end_log_ins(session, kept.id)
        note(session, "second_removed", kept.id, cooperative=kept.cooperative)
    return redirect(url_for("members.person", key=key), 303)


@blueprint.post("/people/<key>/devices")
@allow(*KEEPERS, scope="admin")
def end_devices(key: str) -> Page:
    """End one log-in of a person, or all."""
    found, wanted = kept_person(key), request.form.get("device", "")
    with transaction() as session:
        if wanted == "all":
            ended = people.end_log_ins(session, found.id)
        else:
            open_now = people.log_ins_of(session, found.id, int(time.time()))
            chosen = [log_in for log_in in open_now if log_in.handle == wanted]
            if not chosen:
                abort(404)
            end_one(session, chosen[0])
            ended = 1
        note(session, "log_in_ended", found.id, count=ended, cooperative=found.cooperative)
    return redirect(url_for("members.person", key=key), 303)


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def proposed_user(name: str) -> str:
    """Make a log-in name of a name: lower case, without marks and spaces."""
    plain = unicodedata.normalize("NFD", name.lower().replace("đ", "d"))
    return re.sub(r"[^a-z0-9]", "", plain)[:40]
