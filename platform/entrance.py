"""The door: logging in and out, and the second factor of those who need one.

Whoever needs a second factor has half a log-in after the password (``LogIn.step``): ten minutes,
good for the pages here and nothing else. It is replaced by a new log-in with a new secret when
the code was right. Each try is counted by ``nongso.platform.guesses`` before it is checked.
"""

import secrets
import time
from contextlib import suppress
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from nongso.platform import audit, guesses, people, second_factor
from nongso.platform.accounts import COOKIE, half_way, public, who
from nongso.platform.languages import _, duration
from nongso.platform.local import is_here
from nongso.platform.people import LogIn, Person, hashed
from nongso.platform.qr import picture
from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError
from nongso.platform.store import records, transaction

blueprint = Blueprint("accounts", __name__)

DEVICE_COOKIE = "nongso_device"
DEVICE_SECONDS = 400 * 86400  # the longest that browsers keep a cookie
SEEN_EVERY_SECONDS = 3600

HOMES = {"clerk": "/records/", "helper": "/help"}


def prepare(app: Flask) -> None:
    """Note now and then that a log-in is in use."""
    app.after_request(_note_seen)


@blueprint.get("/login")
@public
def log_in() -> AnyResponse | str:
    """Show the form; who is logged in already goes on."""
    if who() is not None:
        return _home(request.args.get("next"))
    if half_way() is not None:
        return redirect("/login/second", 303)
    return _form("", request.args.get("next", ""))


@blueprint.post("/login")
@public
def enter() -> AnyResponse | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Check name and password; open a new log-in, never take one over."""
    user = request.form.get("user", "").strip().lower()
    password = request.form.get("password", "")
    wish = request.form.get("next", "")
    now = int(time.time())
    person = people.find_person(records(), user)
    with transaction() as session:
        tried = guesses.begin(
            session,
            "password",
            person,
            name=user,
            device=device_hash(),
            address=request.remote_addr or "",
            now=now,
        )
    if tried.wait_seconds:
        return (
            _form(user, wish, wait_sentence(tried.wait_seconds)),
            429,
            {"Retry-After": str(tried.wait_seconds)},
        )
    if not people.password_fits(person, password) or person is None:
        if person is not None:
            with transaction() as session:
                audit.note(
                    session, "log_in_failed", person=person.id, cooperative=person.cooperative
                )
        return _form(user, wish, _("Tên đăng nhập hoặc mật khẩu không đúng. Xin nhập lại.")), 401
    with transaction() as session:
        guesses.was_right(session, tried)
        return welcome(session, person, wish, now)


def welcome(session: Session, person: Person, wish: str, now: int) -> AnyResponse:
    """Let somebody in who has shown the first factor; or lead on to the second one."""
    if person.needs_second_factor or person.has_second_factor:
        step = "second" if person.has_second_factor else "setup"
        return _half(session, person, step, wish, now)
    return let_in(session, person, now, _home(wish, person))


def _half(session: Session, person: Person, step: str, wish: str, now: int) -> AnyResponse:
    secret, lives = people.open_log_in(
        session, person, request.headers.get("User-Agent", ""), now, step=step
    )
    kept = session.get_one(LogIn, hashed(secret))
    if step == "setup":
        second_factor.propose(session, kept)
    path = "/login/second" if step == "second" else "/login/setup"
    own = _own_path(wish)
    answer = redirect(path, 303)
    _set(answer, COOKIE, secret, lives)
    if own:
        _set(answer, "nongso_next", own, lives)
    return answer


@blueprint.get("/login/second")
@public
def second() -> AnyResponse | str:
    """Ask for the code of the second factor."""
    half = half_way()
    if half is None:
        return redirect("/login", 303)
    if half.step == "setup":
        return redirect("/login/setup", 303)
    return render_template("accounts/second.html", trouble="")


@blueprint.post("/login/second")
@public
def check_second() -> AnyResponse | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Check the code, or a recovery code, and let the person in."""
    half = half_way()
    if half is None or half.step != "second":
        return redirect("/login", 303)
    typed, person, now = request.form.get("code", "")[:40], half.person, int(time.time())
    with transaction() as session:
        tried = _try_second(session, person, now)
    if tried.wait_seconds:
        return _second_again(wait_sentence(tried.wait_seconds), tried.wait_seconds)
    with transaction() as session:
        person = session.get_one(Person, person.id)
        by_recovery = any(c.isalpha() for c in typed)
        if by_recovery:
            fits = second_factor.take_recovery(session, person, typed)
        else:
            fits = second_factor.take(session, person, typed, now)
        if fits:
            guesses.was_right(session, tried)
            if by_recovery:
                audit.note(
                    session, "recovery_used", person=person.id, cooperative=person.cooperative
                )
            people.end_log_in(session, half.token_hash)
            return let_in(session, person, now, _home(request.cookies.get("nongso_next"), person))
        audit.note(session, "second_failed", person=person.id, cooperative=person.cooperative)
    return _second_again(
        _("Mã không đúng hoặc đã dùng rồi. Xin chờ mã mới trên điện thoại rồi nhập lại.")
    )


def _try_second(session: Session, person: Person, now: int) -> guesses.Try:
    return guesses.begin(
        session,
        "second",
        person,
        device=device_hash(),
        address=request.remote_addr or "",
        now=now,
    )


def _second_again(trouble: str, wait: int = 0) -> tuple[str, int, dict[str, str]]:
    page = render_template("accounts/second.html", trouble=trouble)
    return page, 429 if wait else 401, {"Retry-After": str(wait)} if wait else {}


@blueprint.get("/login/setup")
@public
def set_up() -> AnyResponse | str:
    """Show the QR by which a clerk's phone learns to make codes, at the first log-in."""
    half = half_way()
    if half is None or half.step != "setup":
        return redirect("/login", 303)
    return _set_up_page(half)


@blueprint.post("/login/setup")
@public
def check_set_up() -> AnyResponse | str | tuple[str, int]:
    """Take the first code; let the person in and show the recovery codes once."""
    half = half_way()
    if half is None or half.step != "setup":
        return redirect("/login", 303)
    now = int(time.time())
    secret = second_factor.proposed(records(), half)
    step = second_factor.step_of(secret, request.form.get("code", ""), now) if secret else None
    if step is None:
        return _set_up_page(half, _("Mã không đúng. Xin nhập mã đang hiện trên điện thoại.")), 422
    with transaction() as session:
        person = session.get_one(Person, half.person_id)
        if person.has_second_factor:  # set up meanwhile, from another browser
            people.end_log_in(session, half.token_hash)
            return redirect("/login", 303)
        codes = second_factor.set_up(session, person, secret, step)
        audit.note(session, "second_set", person=person.id, cooperative=person.cooperative)
        people.end_log_in(session, half.token_hash)
        page = render_template(
            "accounts/recovery.html",
            codes=codes,
            home=_home(request.cookies.get("nongso_next"), person).location,
        )
        return let_in(session, person, now, Response(page))


def _set_up_page(half: LogIn, trouble: str = "") -> str:
    secret = second_factor.proposed(records(), half)
    return render_template(
        "accounts/second_setup.html",
        action="/login/setup",
        qr=picture(second_factor.address(secret, half.person.user)),
        secret=secret,
        trouble=trouble,
    )


@blueprint.post("/logout")
@public
def log_out() -> AnyResponse:
    """End the log-in; its cookie is dead everywhere."""
    found, half = who(), half_way()
    with transaction() as session:
        if found is not None and found.session:
            person = found.helper or found.id
            audit.note(session, "log_out", person=person, cooperative=found.cooperative)
            people.end_log_in(session, found.session)
        elif half is not None:
            people.end_log_in(session, half.token_hash)
    answer = redirect("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


def let_in(session: Session, person: Person, now: int, answer: AnyResponse) -> AnyResponse:
    """Open a whole log-in and give its cookies to the answer; the device is known from now on."""
    device = request.cookies.get(DEVICE_COOKIE, "")
    if not 20 <= len(device) <= 60:
        device = secrets.token_urlsafe(32)
    secret, lives = people.open_log_in(
        session,
        person,
        request.headers.get("User-Agent", ""),
        now,
        device_hash=hashed(device),
    )
    address = guesses.network(request.remote_addr or "")
    people.know_device(session, person.id, hashed(device), address, now)
    audit.note(session, "log_in", person=person.id, cooperative=person.cooperative)
    _set(answer, COOKIE, secret, lives)
    _set(answer, DEVICE_COOKIE, device, DEVICE_SECONDS)
    answer.delete_cookie("nongso_next")
    return answer


def device_hash() -> str:
    """Return the hash of this browser's device cookie, empty where it has none."""
    device = request.cookies.get(DEVICE_COOKIE, "")
    return hashed(device) if device else ""


def wait_sentence(seconds: int) -> str:
    """Say how long to wait after too many wrong tries, and the way out."""
    minutes = -(-seconds // 60)
    return _(
        "Đã nhập sai nhiều lần. Xin chờ %(time)s rồi nhập lại. Nếu cần vào ngay, xin nhân viên "
        "hợp tác xã in mã vào cửa mới.",
        time=duration(minutes * 60),
    )


def _set(answer: AnyResponse, name: str, value: str, seconds: int) -> None:
    settings: Settings = current_app.extensions["nongso.settings"]
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        httponly=True,
        samesite="Lax",
        secure=settings.secure_cookies,
    )


def _note_seen(answer: Response) -> Response:
    """Note once an hour that a log-in is in use, so that its owner knows which are hers."""
    found = g.get("who")
    now = int(time.time())
    if found is None or not found.session or now - found.seen_at < SEEN_EVERY_SECONDS:
        return answer
    with suppress(StorageError), transaction() as session:
        row = session.get(LogIn, found.session)
        if row is not None:
            row.seen_at = now
    return answer


def _form(user: str, wish: str, trouble: str = "") -> str:
    return render_template(
        "accounts/log_in.html", user=user, next=_own_path(wish), trouble=trouble
    )


def _own_path(wish: str | None) -> str:
    """Return the wished page if it is one of ours, else nothing (no open redirect)."""
    if not wish or not wish.startswith("/") or wish.startswith(("//", "/\\")):
        return ""
    if any(ord(c) < 32 or c == "\\" for c in wish) or urlsplit(wish).netloc:
        return ""
    return wish


def _home(wish: str | None, person: Person | None = None) -> AnyResponse:
    found = who()
    role = person.role if person is not None else found.role if found is not None else ""
    home = HOMES.get(role, "/greenhouses")
    here = {r.rule for r in current_app.url_map.iter_rules() if is_here(r.endpoint)}
    if home not in here:
        home = "/greenhouses"
    return redirect(_own_path(wish) or home, 303)
