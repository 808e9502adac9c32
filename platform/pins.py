"""Asking for the watering PIN, where the person has set one. Stopping never asks.

It belongs to the person and not to the phone, so it is asked wherever that person is logged in: a
phone that is lent, lost or logged in anew waters no more than the one for which it was set. A PIN
of one browser would be gone with its cookies, and whoever holds the phone can clear those. Who has
two phones types it on both; that is the price.

A page's form sends it with the wish (``pin``). Programs with a token and helpers with a consent
are not asked: they were let in for this by other means.
"""

import time

from flask import request
from sqlalchemy import delete
from sqlalchemy.orm import Session

from nongso.platform import audit, guesses, people
from nongso.platform.accounts import somebody, who
from nongso.platform.languages import _, duration
from nongso.platform.people import Person
from nongso.platform.store import records, transaction

FIELD = "pin"


def is_asked() -> bool:
    """Say whether the asker's wishes for water need the PIN."""
    found = who()
    if found is None or found.via != "cookie" or found.helper:
        return False
    person = records().get(Person, found.id)
    return person is not None and person.pin_hash is not None


def trouble() -> str:
    """Check the PIN that came with the form; return what is wrong, or nothing."""
    if not is_asked():
        return ""
    person = records().get_one(Person, somebody().id)
    typed, now = request.form.get(FIELD, "").strip(), int(time.time())
    if not typed:
        return _("Chưa tưới. Xin nhập mã PIN khi tưới rồi bấm lại.")
    with transaction() as session:
        # On one's own log-in: counted by itself, so that it locks nobody out of the account.
        tried = guesses.begin(session, "pin", person, device="", address="", now=now)
    if tried.wait_seconds:
        return _(
            "Chưa tưới: đã nhập sai mã PIN nhiều lần. Xin chờ %(time)s. Dừng tưới không cần mã.",
            time=duration(-(-tried.wait_seconds // 60) * 60),
        )
    fits = people.secret_fits(person.pin_hash, typed)
    with transaction() as session:
        if fits:
            guesses.was_right(session, tried)
            return ""
        audit.note(session, "pin_failed", person=person.id, cooperative=person.cooperative)
    return _("Chưa tưới: mã PIN không đúng. Xin nhập lại.")


def forget(session: Session, person: Person) -> None:
    """Forget wrong tries at an older PIN."""
    session.execute(
        delete(guesses.Guess).where(guesses.Guess.kind == "pin", guesses.Guess.whose == person.id)
    )
