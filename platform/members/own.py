"""A person's own account: where one is logged in, password or PIN, second factor."""

import time

from flask import abort, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from nongso.platform import guesses, people, second_factor
from nongso.platform.accounts import allow, somebody
from nongso.platform.entrance import device_hash, wait_sentence
from nongso.platform.languages import _
from nongso.platform.members.desk import (
    OWN,
    asker,
    blueprint,
    cooperative_name,
    device_word,
    note,
    page,
    weak_sentence,
)
from nongso.platform.people import PIN_ROLES, ROLES, Person, WeakSecret
from nongso.platform.qr import picture
from nongso.platform.store import records, transaction

Page = Response | tuple[str, int]


@blueprint.get("/me")
@allow(*ROLES, scope=OWN)
def me() -> Page:
    """What there is to set about oneself."""
    person = asker()
    return page("me.html", person=person, cooperative=cooperative_name(person.cooperative))


@blueprint.get("/me/devices")
@allow(*ROLES, scope=OWN)
def devices() -> Page:
    """Where one is logged in."""
    found = people.log_ins_of(records(), somebody().id, int(time.time()))
    return page(
        "devices.html", log_ins=found, this=somebody().session, device_word=device_word, of=None
    )


@blueprint.post("/me/devices/end")
@allow(*ROLES, scope=OWN)
def end_device() -> Page:
    """End one log-in."""
    wanted = request.form.get("device", "")
    with transaction() as session:
        for log_in in people.log_ins_of(session, somebody().id, int(time.time())):
            if log_in.handle == wanted:
                end_one(session, log_in)
                note(session, "log_in_ended", somebody().id)
                break
        else:
            abort(404)
    return redirect(url_for("members.devices"), 303)


def end_one(session: Session, log_in: people.LogIn) -> None:
    """End a log-in; its browser is a stranger again."""
    known = session.get(people.KnownDevice, (log_in.person_id, log_in.device_hash))
    if known is not None:
        session.delete(known)
    people.end_log_in(session, log_in.token_hash)


@blueprint.post("/me/devices/end-all")
@allow(*ROLES, scope=OWN)
def end_everywhere() -> Page:
    """Log out everywhere, here too; the keys for programs end as well."""
    with transaction() as session:
        ended = people.end_log_ins(session, somebody().id)
        note(session, "log_in_ended", somebody().id, count=ended)
    return redirect(url_for("accounts.log_in"), 303)


@blueprint.get("/me/password")
@allow(*ROLES, scope=OWN)
def password() -> Page:
    """The form for another password or PIN."""
    return page("password.html", trouble="", person=asker(), pin_allowed=_pin_allowed())


@blueprint.post("/me/password")
@allow(*ROLES, scope=OWN)
def change_password() -> Page:
    """Change the password; every other log-in and every key for programs ends."""

    def again(trouble: str, status: int = 422) -> Page:
        return page(
            "password.html", status, trouble=trouble, person=asker(), pin_allowed=_pin_allowed()
        )

    new, old = request.form.get("new", ""), request.form.get("old", "")
    if new != request.form.get("again", ""):
        return again(_("Hai lần nhập không giống nhau. Xin nhập lại."))
    try:
        people.check_secret(asker().role, asker().user, new)
    except WeakSecret as error:
        return again(weak_sentence(error))
    trouble, status = own_secret_trouble(old)
    if trouble:
        return again(trouble, status)
    with transaction() as session:
        person = asker(session)
        person.password_hash = people.hash_secret(new)
        people.end_log_ins(session, person.id, keep=somebody().session)
        note(session, "password_changed", person.id)
    return redirect(url_for("members.me"), 303)


def _pin_allowed() -> bool:
    return somebody().role in PIN_ROLES


def own_secret_trouble(typed: str) -> tuple[str, int]:
    """Check the asker's own password before something that matters; say what is wrong."""
    person = asker()
    with transaction() as session:
        tried = guesses.begin(
            session,
            "password",
            person,
            device=device_hash(),
            address=request.remote_addr or "",
            now=int(time.time()),
        )
    if tried.wait_seconds:
        return wait_sentence(tried.wait_seconds), 429
    if not people.password_fits(person, typed):
        return _("Mật khẩu hiện nay không đúng. Xin nhập lại."), 422
    with transaction() as session:
        guesses.was_right(session, tried)
    return "", 200


@blueprint.get("/me/second")
@allow(*ROLES, scope=OWN)
def second() -> Page:
    """Whether a second factor is set up, and how many recovery codes are left."""
    return _second_page(asker())


def _second_page(person: Person, trouble: str = "", status: int = 200) -> Page:
    left = second_factor.recovery_left(records(), person.id)
    return page("second.html", status, person=person, left=left, trouble=trouble)


@blueprint.post("/me/second")
@allow(*ROLES, scope=OWN)
def change_second() -> Page:
    """Set the second factor up (anew) or make new recovery codes, after the password."""
    trouble, status = own_secret_trouble(request.form.get("old", ""))
    if trouble:
        return _second_page(asker(), trouble, status)
    with transaction() as session:
        person = asker(session)
        if request.form.get("do") == "codes" and person.has_second_factor:
            codes = second_factor.new_recovery_codes(session, person)
            note(session, "recovery_renewed", person.id)
            return page("recovery.html", codes=codes)
        log_in = session.get(people.LogIn, somebody().session) or abort(401)
        second_factor.propose(session, log_in)
    return redirect(url_for("members.new_second"), 303)


@blueprint.get("/me/second/new")
@allow(*ROLES, scope=OWN)
def new_second() -> Page:
    """Show the QR of the new second factor."""
    return _new_second_page("")


def _new_second_page(trouble: str, status: int = 200) -> Page:
    log_in = records().get(people.LogIn, somebody().session)
    if log_in is None or not log_in.candidate:
        return redirect(url_for("members.second"), 303)
    secret = second_factor.proposed(records(), log_in)
    return page(
        "second_setup.html",
        status,
        action=url_for("members.take_second"),
        qr=picture(second_factor.address(secret, log_in.person.user)),
        secret=secret,
        trouble=trouble,
    )


@blueprint.post("/me/second/new")
@allow(*ROLES, scope=OWN)
def take_second() -> Page:
    """Take the first code of the new second factor."""
    now = int(time.time())
    with transaction() as session:
        log_in = session.get(people.LogIn, somebody().session) or abort(401)
        typed = request.form.get("code", "")
        secret = second_factor.proposed(session, log_in)
        step = second_factor.step_of(secret, typed, now) if secret else None
        if step is not None:
            person = asker(session)
            codes = second_factor.set_up(session, person, secret, step)
            log_in.candidate = ""
            people.end_log_ins(session, person.id, keep=log_in.token_hash)
            note(session, "second_set", person.id)
            return page("recovery.html", codes=codes)
    return _new_second_page(_("Mã không đúng. Xin nhập mã đang hiện trên điện thoại."), 422)
