"""Sets up a cooperative with its people and its gateway, for ``nongso up`` and for a first server.

Nothing has a default password: passwords and API tokens are random and are returned, once, to
whoever calls. What was lost can be had anew, never read back.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import migrations, people, second_factor
from nongso.platform.people import ApiToken, Cooperative, Person
from nongso.platform.settings import Settings
from nongso.platform.uplink import register_gateway

COOPERATIVE = ("binh-lu", "Hợp tác xã Bình Lư")
TOKEN = "start"  # the name of the API token that is made with an account

# log-in name, name on pages, role; names of people are never invented
ACCOUNTS = (
    ("nguoitrong", "Người trồng (dùng thử)", "farmer"),
    ("nhanvien", "Nhân viên HTX (dùng thử)", "clerk"),
    ("canbo", "Cán bộ xã (dùng thử)", "officer"),
    ("quantri", "Quản trị (dùng thử)", "admin"),
)


def prepare(
    settings: Settings,
    gateway_id: str,
    gateway_key: str,
    *,
    kept: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make sure that cooperative, people and gateway are there; return how to enter, by role.

    ``kept`` is what an earlier call returned. An account whose password and token stand there
    and still work stays as it is; any other gets new ones. Who needs a second factor has its
    ``totp_secret`` there too, for any authenticator application.
    """
    with migrations.current(settings) as records, records.transaction() as session:
        slug, name = COOPERATIVE
        if session.get(Cooperative, slug) is None:
            session.add(Cooperative(slug=slug, name=name))
            session.flush()
        register_gateway(session, gateway_id, gateway_id, slug, gateway_key)
        return {
            role: _account(session, user, shown, role, slug, (kept or {}).get(role))
            for user, shown, role in ACCOUNTS
        }


def make_user(
    settings: Settings, user: str, role: str, cooperative: str, name: str | None = None
) -> dict[str, Any]:
    """Make a person, or give one a new password and token; return user, password and token.

    A person who is there already (``renewed``) keeps name and cooperative; all log-ins end.
    Clerks and administrators set their second factor up at the first log-in; a renewed one
    loses the old one, because whoever stands at the server is the last help.
    Officers and administrators belong to no cooperative, so theirs is not looked at.
    Raises ``ValueError`` for a bad name, an unknown role or cooperative, another role or
    cooperative than the person has; ``SchemaError`` for a database of another version.
    """
    with migrations.current(settings) as records, records.transaction() as session:
        there = people.find_person(session, user)
        if role not in ("officer", "admin"):
            _known_cooperative(session, cooperative)
        if there is not None and there.role != role:
            raise ValueError(f"{user} is a {there.role}, not a {role}")
        if there is not None and there.cooperative not in (None, cooperative):
            raise ValueError(f"{user} belongs to {there.cooperative}, not to {cooperative}")
        made = _renewed(session, there, user, name or user, role, cooperative)
        return {**made, "renewed": there is not None}


def _known_cooperative(session: Session, slug: str) -> None:
    if session.get(Cooperative, slug) is None:
        known = (
            ", ".join(session.scalars(select(Cooperative.slug).order_by(Cooperative.slug)))
            or "none yet"
        )
        raise ValueError(f"no cooperative called {slug!r}; there are: {known}")


def _account(
    session: Session, user: str, name: str, role: str, cooperative: str, kept: object
) -> dict[str, str]:
    person = people.find_person(session, user)
    if person is not None and isinstance(kept, dict) and _still_fits(session, person, kept):
        made = {key: str(kept[key]) for key in ("user", "password", "token")}
    else:
        made = _renewed(session, person, user, name, role, cooperative)
        person = people.find_person(session, user)
    if person is not None and person.needs_second_factor:
        if not person.has_second_factor:
            second_factor.set_up(session, person, second_factor.new_secret(), 0)
        made["totp_secret"] = str(second_factor.secret_of(session, person))
    return made


def _still_fits(session: Session, person: Person, kept: dict[str, Any]) -> bool:
    token = session.get(ApiToken, people.hashed(str(kept.get("token", ""))))
    return (
        kept.get("user") == person.user
        and token is not None
        and token.person_id == person.id
        and people.password_fits(person, str(kept.get("password", "")))
    )


def _renewed(
    session: Session, person: Person | None, user: str, name: str, role: str, cooperative: str
) -> dict[str, str]:
    password = people.new_password()
    if person is None:
        person = people.add_person(session, user, name, role, cooperative, password)
    else:
        person.password_hash = people.hash_password(password)
        person.active = True
        second_factor.remove(session, person)
        people.end_log_ins(session, person.id)
    session.flush()
    token = people.new_api_token(session, person, TOKEN)
    return {"user": person.user, "password": password, "token": token}
