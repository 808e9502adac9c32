"""The door: logging in and out."""

import time
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from sqlalchemy import delete, func, select

from nongso.platform import people
from nongso.platform.accounts import COOKIE, public, who
from nongso.platform.languages import _
from nongso.platform.people import Guess, KnownAddress, Person
from nongso.platform.settings import Settings
from nongso.platform.store import records, transaction

blueprint = Blueprint("accounts", __name__)

GUESS_SECONDS = 900
GUESSES_AN_ADDRESS = 20
GUESSES_A_PERSON = 20  # from addresses where this person never logged in

HOMES = {"clerk": "/records/"}


def prepare(app: Flask) -> None:
    """Give templates what the door knows."""

    def language_link(code: str) -> str:
        path = request.path if request.method == "GET" else "/"
        kept = [f"{k}={v}" for k, v in request.args.items(multi=True) if k == "day"]
        return path + "?" + "&".join([*kept, "lang=" + code])

    app.jinja_env.globals["language_link"] = language_link


@blueprint.get("/login")
@public
def log_in() -> Response | str:
    """Show the form; who is logged in already goes on."""
    if who() is not None:
        return _home(request.args.get("next"))
    return _form("", request.args.get("next", ""))


@blueprint.post("/login")
@public
def enter() -> Response | tuple[str, int]:
    """Check name and password; open a new log-in, never take one over."""
    user = request.form.get("user", "").strip().lower()
    password = request.form.get("password", "")
    wish = request.form.get("next", "")
    now = int(time.time())
    address = request.remote_addr or ""
    person = people.find_person(records(), user)
    if _guessed_too_often(person, user, address, now):
        return _form(
            user,
            wish,
            _("Đã thử quá nhiều lần. Xin chờ 15 phút, hoặc nhờ nhân viên hợp tác xã giúp."),
        ), 429
    if not people.password_fits(person, password) or person is None:
        with transaction() as session:
            session.execute(delete(Guess).where(Guess.at < now - GUESS_SECONDS))
            session.add(Guess(user=user[:60], address=address, at=now))
        return _form(user, wish, _("Tên đăng nhập hoặc mật khẩu không đúng. Xin nhập lại.")), 401
    with transaction() as session:
        secret, lives = people.open_log_in(
            session, person, request.headers.get("User-Agent", ""), now
        )
        session.merge(KnownAddress(person_id=person.id, address=address, at=now))
    answer = _home(wish, person)
    settings: Settings = current_app.extensions["nongso.settings"]
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=lives,
        httponly=True,
        samesite="Lax",
        secure=settings.secure_cookies,
    )
    return answer


@blueprint.post("/logout")
@public
def log_out() -> Response:
    """End the log-in; its cookie is dead everywhere."""
    found = who()
    if found is not None and found.log_in:
        with transaction() as session:
            people.end_log_in(session, found.log_in)
    answer = redirect("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer  # type: ignore[return-value]


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


def _home(wish: str | None, person: Person | None = None) -> Response:
    found = who()
    role = person.role if person is not None else found.role if found is not None else ""
    home = HOMES.get(role, "/greenhouses")
    if home not in {rule.rule for rule in current_app.url_map.iter_rules()}:
        home = "/greenhouses"
    return redirect(_own_path(wish) or home, 303)  # type: ignore[return-value]


def _guessed_too_often(person: Person | None, user: str, address: str, now: int) -> bool:
    """Count the failures of a quarter of an hour.

    Whoever guesses from elsewhere cannot lock the owner out: an address from which this person
    has logged in before only counts its own failures.
    """
    session = records()
    recent = select(func.count()).select_from(Guess).where(Guess.at > now - GUESS_SECONDS)
    if (session.scalar(recent.where(Guess.address == address)) or 0) >= GUESSES_AN_ADDRESS:
        return True
    if person is not None and session.get(KnownAddress, (person.id, address)) is not None:
        return False
    return (session.scalar(recent.where(Guess.user == user)) or 0) >= GUESSES_A_PERSON
