"""Assisted use: a farmer asks a helper to act, sees who does, and ends it; the helper's side.

What a consent allows is enforced by ``nongso.platform.accounts``; here it is given and ended.
Whatever a helper changes stands in the audit with both names, whichever page it was done on.
"""

import time

from flask import Flask, Response, abort, g, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from nongso.platform import audit, consent, guesses, people
from nongso.platform.accounts import allow, somebody
from nongso.platform.consent import Consent
from nongso.platform.entrance import device_hash, wait_sentence
from nongso.platform.languages import _
from nongso.platform.members.desk import OWN, asker, blueprint, chosen_number, note, page
from nongso.platform.people import LogIn, Person
from nongso.platform.store import records, transaction

Page = AnyResponse | tuple[str, int]


def prepare_helping(app: Flask) -> None:
    """Write what helpers do into the audit, and tell templates who is helped."""
    app.after_request(_write_down)


def _write_down(answer: Response) -> Response:
    found = g.get("who")
    changing = request.method not in ("GET", "HEAD", "OPTIONS")
    if found is None or not found.helper or not changing or answer.status_code >= 400:
        return answer
    with transaction() as session:
        note(session, "help_act", found.id, view=request.endpoint or "")
    return answer


# --- the farmer's side ------------------------------------------------------------------------


@blueprint.get("/me/help")
@allow("farmer", scope=OWN)
def my_help() -> Page:
    """Who is helping now, and the form to ask for help."""
    return _my_help()


def _my_help(trouble: str = "", code: str = "", status: int = 200) -> Page:
    now = int(time.time())
    held = consent.of_farmer(records(), somebody().id, now)
    helpers = [(one, records().get(Person, one.helper_id)) for one in held]
    return page(
        "my_help.html",
        status,
        helpers=helpers,
        deed_words=deed_words,
        hours=consent.HOURS,
        deeds=consent.DEEDS,
        deed_word=deed_word,
        code=code,
        code_until=now + consent.CODE_SECONDS,
        trouble=trouble,
    )


def deed_word(scope: str) -> str:
    """Say what a helper was allowed beyond looking."""
    return {"records": _("ghi nhật ký"), "water": _("bấm tưới nước")}.get(scope, scope)


def deed_words(one: Consent) -> str:
    """List what a helper may."""
    return ", ".join([_("xem"), *(deed_word(scope) for scope in one.scopes.split())])


@blueprint.post("/me/help")
@allow("farmer", scope=OWN)
def ask_help() -> Page:
    """Consent, and show the code for the helper's phone."""
    wish = _wish()
    if wish is None:
        return _my_help(_("Xin chọn trong mấy giờ."), status=422)
    hours, deeds = wish
    with transaction() as session:
        made, code = consent.offer(session, asker(session), hours, deeds, int(time.time()))
        note(session, "help_offered", made.farmer_id, hours=hours, scopes=" ".join(deeds))
    return _my_help(code=f"{code[:4]} {code[4:]}")


def _wish() -> tuple[int, list[str]] | None:
    hours = chosen_number(request.form.get("hours", ""), consent.HOURS)
    deeds = [deed for deed in consent.DEEDS if deed in request.form.getlist("deed")]
    return (hours, deeds) if hours is not None else None


@blueprint.post("/me/help/end")
@allow("farmer", scope=OWN)
def end_my_help() -> Page:
    """End a helper's consent at once."""
    with transaction() as session:
        found = session.get(Consent, request.form.get("consent", ""))
        if found is None or found.farmer_id != somebody().id:
            abort(404)
        consent.end(session, found, int(time.time()))
        note(session, "help_ended", found.helper_id)
    return redirect(url_for("members.my_help"), 303)


# --- the helper's side ------------------------------------------------------------------------


@blueprint.get("/help")
@allow("helper", scope=OWN)
def help_others() -> Page:
    """The form by which a helper begins."""
    return _help_page()


def _help_page(trouble: str = "", status: int = 200) -> Page:
    return page(
        "help.html",
        status,
        trouble=trouble,
        hours=consent.HOURS,
        deeds=consent.DEEDS,
        deed_word=deed_word,
        user=request.form.get("user", "")[:60],
    )


@blueprint.post("/help/code")
@allow("helper", scope=OWN)
def begin_by_code() -> Page:
    """Begin with the code that the farmer's phone shows."""
    now = int(time.time())
    with transaction() as session:
        tried = _tried(session, "consent", asker(session), now)
    if tried.wait_seconds:
        return _help_page(wait_sentence(tried.wait_seconds), 429)
    with transaction() as session:
        helper = asker(session)
        typed = request.form.get("code", "")[:20]
        found = consent.by_code(session, typed, helper.cooperative, now)
        if found is not None and found.farmer_id != helper.id:
            guesses.was_right(session, tried)
            return _begin(session, found, helper, now)
        note(session, "help_failed")
    return _help_page(_("Mã không đúng hoặc đã hết hạn. Xin bà con tạo mã mới."), 422)


@blueprint.post("/help/pin")
@allow("helper", scope=OWN)
def begin_by_pin() -> Page:
    """Begin with the farmer's PIN or password, typed by the farmer on the helper's phone."""
    now, wish = int(time.time()), _wish()
    if wish is None:
        return _help_page(_("Xin chọn trong mấy giờ."), 422)
    farmer = people.find_person(records(), request.form.get("user", ""))
    if farmer is not None and (
        farmer.role != "farmer" or farmer.cooperative != somebody().cooperative
    ):
        farmer = None
    with transaction() as session:
        by_helper = _tried(session, "consent", asker(session), now)
        tried = guesses.begin(
            session,
            "password",
            farmer,
            name=request.form.get("user", ""),
            device=device_hash(),
            address=request.remote_addr or "",
            now=now,
        )
    if by_helper.wait_seconds or tried.wait_seconds:
        return _help_page(wait_sentence(max(by_helper.wait_seconds, tried.wait_seconds)), 429)
    fits = people.password_fits(farmer, request.form.get("secret", ""))
    with transaction() as session:
        if fits and farmer is not None:
            guesses.was_right(session, by_helper)
            guesses.was_right(session, tried)
            made, _code = consent.offer(session, farmer, *wish, now)
            return _begin(session, made, asker(session), now)
        note(session, "help_failed", farmer.id if farmer is not None else None)
    return _help_page(_("Tên hoặc mã PIN của bà con không đúng. Xin nhập lại."), 422)


def _tried(session: Session, kind: str, person: Person, now: int) -> guesses.Try:
    return guesses.begin(
        session, kind, person, device=device_hash(), address=request.remote_addr or "", now=now
    )


def _begin(session: Session, found: Consent, helper: Person, now: int) -> Page:
    log_in = session.get(LogIn, somebody().session)
    if log_in is None:
        abort(401)
    consent.take_up(session, found, helper, log_in, now)
    note(session, "help_begun", found.farmer_id, hours=found.hours, scopes=found.scopes)
    return redirect("/greenhouses", 303)


@blueprint.post("/help/end")
@allow("farmer", scope="stop")
def end_helping() -> Page:
    """The helper has finished. Only meant for somebody who is helping."""
    found = somebody()
    if not found.helper:
        abort(404)
    with transaction() as session:
        held = session.scalars(
            select(Consent)
            .join(LogIn, LogIn.helping == Consent.id)
            .where(LogIn.token_hash == found.session)
        ).all()
        for one in held:
            consent.end(session, one, int(time.time()))
        audit.note(
            session,
            "help_ended",
            person=found.id,
            helper=found.helper,
            cooperative=found.cooperative,
            subject=found.id,
        )
    g.pop("who", None)  # so that the act of ending is not noted as an act of help as well
    return redirect(url_for("members.help_others"), 303)
