"""What is held about a person: to be taken away as a file, and to be deleted.

Deleting takes name, log-in name, password, devices, tokens, consents and the ways of alerts
away and puts "người đã xóa" where the name stood. The audit and the cooperative's
records keep the deed and the bare id, which then leads to nobody: the books of a cooperative
must stay whole.
"""

import json
import time
from typing import Any
from urllib.parse import urlsplit

from flask import Response, redirect, request, url_for
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from nongso.platform import audit, people
from nongso.platform.accounts import COOKIE, allow
from nongso.platform.alerts.records import Notice, Way
from nongso.platform.consent import Consent
from nongso.platform.entry_codes import EntryCode
from nongso.platform.events import Event
from nongso.platform.greenhouse.commands import with_names
from nongso.platform.greenhouse.records import Command, Run, Zone
from nongso.platform.languages import _
from nongso.platform.members.desk import OWN, asker, blueprint, device_word, note, page
from nongso.platform.members.own import own_secret_trouble
from nongso.platform.members.people_pages import kept_person
from nongso.platform.people import ROLES, ApiToken, KnownAddress, KnownDevice, Person
from nongso.platform.second_factor import RecoveryCode
from nongso.platform.store import records, transaction
from nongso.platform.traceability.proof import erasing

Page = AnyResponse | tuple[str, int]
MOST_LINES = 50_000
NOBODY = "người đã xóa"


@blueprint.get("/me/record")
@allow(*ROLES, scope=OWN)
def my_record() -> Page:
    """What is held about oneself, and the ways to take or delete it."""
    return page("record.html", person=asker(), own=True, trouble="")


@blueprint.post("/me/record/download")
@allow(*ROLES, scope=OWN)
def download_mine() -> Page:
    """One's own record as JSON."""
    return _file(asker())


@blueprint.post("/me/record/delete")
@allow(*ROLES, scope=OWN)
def delete_me() -> Page:
    """Delete oneself, after the password."""
    person = asker()
    if request.form.get("sure") != "yes":
        trouble = _("Chưa xóa. Xin đánh dấu vào ô đồng ý.")
        return page("record.html", 422, person=person, own=True, trouble=trouble)
    trouble, status = own_secret_trouble(request.form.get("old", ""))
    if trouble:
        return page("record.html", status, person=person, own=True, trouble=trouble)
    if person.role == "admin" and _is_last_admin(person):
        trouble = _("Chưa xóa: đây là người quản trị cuối cùng. Xin thêm người khác trước.")
        return page("record.html", 409, person=person, own=True, trouble=trouble)
    with transaction() as session:
        note(session, "deleted", person.id)
        forget(session, session.get_one(Person, person.id), int(time.time()))
    answer = redirect(url_for("accounts.log_in"), 303)
    answer.delete_cookie(COOKIE)
    return answer


def _is_last_admin(person: Person) -> bool:
    others = select(Person.id).where(
        Person.role == "admin", Person.active, Person.id != person.id, Person.left_at.is_(None)
    )
    return records().scalar(others.limit(1)) is None


@blueprint.get("/people/<key>/record")
@allow("admin", scope="admin")
def someones_record(key: str) -> Page:
    """The same of somebody else, for an administrator."""
    return page("record.html", person=kept_person(key), own=False, trouble="")


@blueprint.post("/people/<key>/record/download")
@allow("admin", scope="admin")
def download_someones(key: str) -> Page:
    """Somebody's record as JSON, when that person has asked for it."""
    return _file(kept_person(key))


@blueprint.post("/people/<key>/record/delete")
@allow("admin", scope="admin")
def delete_someone(key: str) -> Page:
    """Delete somebody who has asked for it."""
    person = kept_person(key)
    if request.form.get("sure") != "yes":
        trouble = _("Chưa xóa. Xin đánh dấu vào ô đồng ý.")
        return page("record.html", 422, person=person, own=False, trouble=trouble)
    with transaction() as session:
        note(session, "deleted", person.id, cooperative=person.cooperative)
        forget(session, session.get_one(Person, person.id), int(time.time()))
    return redirect(url_for("members.people_list"), 303)


def _file(person: Person) -> Response:
    with transaction() as session:
        note(session, "exported", person.id, cooperative=person.cooperative)
        text = json.dumps(collected(session, person), ensure_ascii=False, indent=1)
    answer = Response(text + "\n", content_type="application/json; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="nongso-{person.user}.json"'
    return answer


def collected(session: Session, person: Person) -> dict[str, Any]:
    """Gather what is held about a person; times are Unix seconds. Hashes stay here."""
    now = int(time.time())
    commands = session.scalars(
        select(Command).where(Command.person_id == person.id).limit(MOST_LINES)
    )
    events = session.scalars(select(Event).where(Event.actor == person.id).limit(MOST_LINES))
    tokens = session.scalars(select(ApiToken).where(ApiToken.person_id == person.id))
    consents = session.scalars(
        select(Consent).where((Consent.farmer_id == person.id) | (Consent.helper_id == person.id))
    )
    addresses = session.scalars(select(KnownAddress).where(KnownAddress.person_id == person.id))
    ways = session.scalars(select(Way).where(Way.person_id == person.id))
    deeds = audit.read(session, everything=True, person=person.id, limit=MOST_LINES)
    return {
        "made_at": now,
        "person": {
            "id": person.id,
            "user": person.user,
            "name": person.name,
            "role": person.role,
            "cooperative": person.cooperative,
            "created_at": person.created_at,
            "second_factor": person.has_second_factor,
            "watering_pin": person.pin_hash is not None,
        },
        "log_ins": [
            {
                "since": one.created_at,
                "seen_at": one.seen_at,
                "device": one.device,
                "kind": device_word(one),
            }
            for one in people.log_ins_of(session, person.id, now)
        ],
        "addresses": [{"address": one.address, "at": one.at} for one in addresses],
        "tokens": [
            {"name": one.name, "scopes": one.scopes.split(), "created_at": one.created_at}
            for one in tokens
        ],
        "alert_ways": [
            {
                "kind": one.kind,
                "target": _shown(one),
                "name": one.name,
                "created_at": one.created_at,
            }
            for one in ways
        ],
        "consents": [
            {
                "farmer": one.farmer_id,
                "helper": one.helper_id,
                "scopes": one.scopes.split(),
                "began_at": one.began_at,
                "ends_at": one.ends_at,
                "ended_at": one.ended_at,
            }
            for one in consents
        ],
        "wishes": [
            {
                "id": one.id,
                "do": one.do,
                "zone": one.zone,
                "seconds": one.seconds,
                "at": one.created_at,
                "state": one.state,
            }
            for one in commands
        ],
        "events": [
            {"id": one.id, "type": one.type, "at": one.at, "body": one.body} for one in events
        ],
        "audit": [
            {
                "at": one.at,
                "what": one.what,
                "by": one.person,
                "helper": one.helper,
                "subject": one.subject,
                "via": one.via,
                "network": one.network,
            }
            for one in deeds
        ],
    }


def _shown(way: Way) -> str:
    """Say where a way leads, without what whoever reads the file could send messages with."""
    if way.kind == "push":
        found = urlsplit(str(json.loads(way.target).get("endpoint", "")))
        return f"{found.scheme}://{found.netloc}/…"
    if way.kind == "apprise":
        return way.target.partition("://")[0] + "://…"
    return way.target


def forget(session: Session, person: Person, now: int) -> None:
    """Take everything personal away, inside the caller's ``transaction()``."""
    own_wishes = select(Command.id).where(Command.person_id == person.id)
    session.execute(update(Run).where(Run.id.in_(own_wishes)).values(by=NOBODY))
    session.execute(update(Command).where(Command.person_id == person.id).values(by=NOBODY))
    for zone in session.scalars(select(Zone)):
        zone.wet_test = with_names(session, zone.wet_test)
    people.end_log_ins(session, person.id)
    for kind in (Notice, Way, ApiToken, KnownDevice, KnownAddress, RecoveryCode, EntryCode):
        session.execute(delete(kind).where(kind.person_id == person.id))
    session.execute(
        delete(Consent).where((Consent.farmer_id == person.id) | (Consent.helper_id == person.id))
    )
    person.user, person.name = f"#{person.id}", NOBODY
    person.password_hash, person.active, person.left_at = "", False, now
    person.totp_sealed = person.pin_hash = None
    session.flush()
    erasing.forget(session, person.id, now)
