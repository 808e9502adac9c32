"""Coming in by a printed code: scan the QR or type the six digits, choose a PIN or password."""

import string
import time
from collections.abc import Callable

from flask import abort, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from nongso.platform import audit, entrance, entry_codes, guesses, people
from nongso.platform.accounts import public
from nongso.platform.entry_codes import EntryCode
from nongso.platform.languages import _
from nongso.platform.members.desk import blueprint, page, weak_sentence
from nongso.platform.people import PIN_ROLES, Person, WeakSecret
from nongso.platform.store import records, transaction

Page = Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@blueprint.get("/enter")
@public
def enter() -> Page:
    """The form for the six digits."""
    return page("enter.html", trouble="", user="", digits="", person=None, secret="")


@blueprint.post("/enter")
@public
def enter_by_digits() -> Page:
    """Take log-in name, digits and the new secret at once."""
    user = request.form.get("user", "").strip().lower()[:60]
    digits = "".join(c for c in request.form.get("digits", "") if c in string.digits)[:10]
    now = int(time.time())

    def again(trouble: str, status: int) -> tuple[str, int]:
        return page(
            "enter.html", status, trouble=trouble, user=user, digits=digits, person=None, secret=""
        )

    trouble = _new_secret_trouble("farmer", user)  # what a role may not have is said below
    if trouble:
        return again(trouble, 422)
    person = people.find_person(records(), user)
    with transaction() as session:
        tried = guesses.begin(
            session,
            "digits",
            person,
            name=user,
            device=entrance.device_hash(),
            address=request.remote_addr or "",
            now=now,
        )
    if tried.wait_seconds and not tried.for_others:
        return _wait(again, tried)
    with transaction() as session:
        person = people.find_person(session, user)
        code = entry_codes.by_digits(session, person, digits, now)
        if code is not None and person is not None and person.active:
            guesses.was_right(session, tried)
            trouble = _new_secret_trouble(person.role, user)
            return again(trouble, 422) if trouble else _take(session, code, person, now)
        if person is not None:
            audit.note(session, "code_failed", person=person.id, cooperative=person.cooperative)
    if tried.wait_seconds:
        return _wait(again, tried)
    return again(
        _(
            "Tên đăng nhập hoặc mã không đúng, hoặc mã đã dùng rồi hay hết hạn. Xin xem lại tờ "
            "giấy; nếu vẫn không được, xin nhân viên hợp tác xã in mã mới."
        )
        + " "
        + set_before(),
        401,
    )


def _wait(again: Callable[[str, int], tuple[str, int]], tried: guesses.Try) -> Page:
    text, status = again(entrance.wait_sentence(tried.wait_seconds), 429)
    return text, status, {"Retry-After": str(tried.wait_seconds)}


@blueprint.get("/enter/<secret>")
@public
def enter_by_qr(secret: str) -> Page:
    """The form that the QR leads to. Looking at it does not use the code up."""
    person = _person_of(secret)
    if person is None:
        return page("enter_over.html", 404, set_before=set_before())
    return _form_of(person, secret)


@blueprint.post("/enter/<secret>")
@public
def take_qr(secret: str) -> Page:
    """Take the new PIN or password; the code is used up."""
    person = _person_of(secret)
    if person is None:
        return page("enter_over.html", 404, set_before=set_before())
    trouble = _new_secret_trouble(person.role, person.user)
    if trouble:
        return _form_of(person, secret, trouble)
    now = int(time.time())
    with transaction() as session:
        code = entry_codes.by_secret(session, secret, now)  # again: somebody else may have been
        found = session.get(Person, code.person_id) if code is not None else None
        if code is None or found is None:
            abort(404)
        return _take(session, code, found, now)


def _form_of(person: Person, secret: str, trouble: str = "") -> Page:
    values = {"user": person.user, "digits": "", "person": person, "secret": secret}
    return page("enter.html", 422 if trouble else 200, trouble=trouble, **values)


def _person_of(secret: str) -> Person | None:
    code = entry_codes.by_secret(records(), secret, int(time.time()))
    person = records().get(Person, code.person_id) if code is not None else None
    return person if person is not None and person.active else None


def _new_secret_trouble(role: str, user: str) -> str:
    new = request.form.get("new", "")
    if new != request.form.get("again", ""):
        return _("Hai lần nhập không giống nhau. Xin nhập lại.")
    try:
        people.check_secret(role, user, new)
    except WeakSecret as error:
        if error.code == "short" and role not in PIN_ROLES:
            return _("Vai trò này cần mật khẩu ít nhất 8 ký tự, không dùng mã PIN 6 số.")
        return weak_sentence(error)
    return ""


def set_before() -> str:
    """What is said where a code is refused: its answer may have been lost after it was taken."""
    return _("Nếu vừa đặt mã PIN mà mạng bị ngắt, xin thử đăng nhập bằng mã PIN đó.")


def _take(session: Session, code: EntryCode, person: Person, now: int) -> Response:
    person.password_hash = people.hash_secret(request.form.get("new", ""))
    entry_codes.use(session, code)
    people.end_log_ins(session, person.id)
    audit.note(session, "enrolled", person=person.id, cooperative=person.cooperative)
    return entrance.welcome(session, person, "", now)
