"""Who is asking, and may they? The one policy that every page and API call goes through.

Each view says who may: ``@allow("farmer", "clerk")`` or ``@public``. A view that says nothing
is answered 403 (and fails a test). Who is asking is found once per request: a person by the
log-in cookie or by ``Authorization: Bearer <API token>``, a gateway by its key.

Queries are narrowed to the cooperative by ``scoped``: farmers, clerks and helpers see their own,
officers and administrators see all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, abort, current_app, g, request
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute

from nongso.platform.people import ROLES, ApiToken, LogIn, Person, hashed
from nongso.platform.store import kept_records, records

COOKIE = "nongso_log_in"
GATEWAY = "gateway"

_View = TypeVar("_View", bound=Callable[..., Any])
_Query = TypeVar("_Query", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True)
class Identity:
    """Who is asking. ``via`` is ``cookie``, ``token`` or ``key`` (a gateway)."""

    id: str
    user: str
    name: str
    role: str
    cooperative: str | None
    via: str
    log_in: str = ""  # hash of the log-in's secret, for logging out and for form tokens

    @property
    def sees_all(self) -> bool:
        """Officers and administrators look across cooperatives."""
        return self.role in ("officer", "admin")

    def may(self, *roles: str) -> bool:
        """Say whether the role is one of these; for showing or hiding a button."""
        return self.role in roles


@dataclass(frozen=True)
class Rule:
    """Who may use a view. ``sets_cookies`` is false for pages that must stay cacheable."""

    roles: tuple[str, ...]
    public: bool = False
    sets_cookies: bool = True


def allow(*roles: str) -> Callable[[_View], _View]:
    """Let these roles use the view; nobody else."""
    unknown = set(roles) - {*ROLES, GATEWAY}
    if unknown or not roles:
        raise ValueError(f"unknown roles {sorted(unknown)}" if unknown else "name a role")

    def mark(view: _View) -> _View:
        view.rule = Rule(roles)  # type: ignore[attr-defined]
        return view

    return mark


def public(view: _View) -> _View:
    """Let everybody use the view."""
    view.rule = Rule((), public=True)  # type: ignore[attr-defined]
    return view


def public_without_cookies(view: _View) -> _View:
    """Let everybody use the view, and set no cookie: shared caches may keep the answer."""
    view.rule = Rule((), public=True, sets_cookies=False)  # type: ignore[attr-defined]
    return view


@dataclass(frozen=True)
class Link:
    """An entry in the head of every page, for these roles. ``label`` is a ``later()`` text."""

    endpoint: str
    label: Any
    roles: tuple[str, ...]


def links_for(links: list[Link]) -> list[Link]:
    """Return the entries that the asker may use."""
    found = who()
    return [link for link in links if found is not None and found.role in link.roles]


def rule_of(app: Flask, endpoint: str | None) -> Rule | None:
    """Return the rule that a view declared, if it did."""
    if endpoint is None:
        return None
    if endpoint.rsplit(".", 1)[-1] == "static":
        return Rule((), public=True, sets_cookies=False)
    return getattr(app.view_functions[endpoint], "rule", None)


def who() -> Identity | None:
    """Return who is asking, or ``None`` for a stranger."""
    if "who" not in g:
        g.who = _find()
    found: Identity | None = g.who
    return found


def somebody() -> Identity:
    """Return who is asking, in a view that strangers cannot reach."""
    found = who()
    if found is None:
        abort(401)
    return found


def scoped(statement: _Query, column: InstrumentedAttribute[Any] | ColumnElement[Any]) -> _Query:
    """Narrow a query to what the asker's cooperative owns."""
    asker = somebody()
    return statement if asker.sees_all else statement.where(column == asker.cooperative)


def owns(cooperative: str | None) -> bool:
    """Say whether the asker may see what belongs to this cooperative."""
    asker = somebody()
    return asker.sees_all or (cooperative is not None and cooperative == asker.cooperative)


def bearer() -> str | None:
    """Return the secret of the request's ``Authorization: Bearer`` header."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" and secret.strip() else None


def install(app: Flask) -> None:
    """Put the policy before every view."""
    app.before_request(_check)


def _check() -> None:
    if request.endpoint is None:  # no such address: the error page needs no permission
        return
    rule = rule_of(current_app, request.endpoint)
    if rule is None:
        abort(403)
    if rule.public:
        return
    found = who()
    if found is None:
        abort(401)
    if found.role not in rule.roles:
        abort(403)


def _find() -> Identity | None:
    secret = bearer()
    if secret is not None:
        return _by_token(hashed(secret)) or _by_key(secret)
    cookie = request.cookies.get(COOKIE)
    return _by_cookie(hashed(cookie)) if cookie else None


_kept: dict[str, tuple[tuple[int, int], int, Identity | None]] = {}
_MOST_KEPT = 10_000


def _by_cookie(token_hash: str) -> Identity | None:
    """Find the log-in; kept in memory only while nothing at all has been written."""
    version = kept_records().lately()
    now = int(time.time())
    kept = _kept.get(token_hash)
    if kept is not None and kept[0] == version and now < kept[1]:
        return kept[2]
    row = records().get(LogIn, token_hash)
    if row is None or row.expires_at <= now or not row.person.active:
        return None
    found = _identity(row.person, "cookie", token_hash)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[token_hash] = (version, row.expires_at, found)
    return found


def _by_token(token_hash: str) -> Identity | None:
    row = records().get(ApiToken, token_hash)
    if row is None or not row.person.active:
        return None
    return _identity(row.person, "token", "")


def _by_key(key: str) -> Identity | None:
    """Find a gateway by its key. Any other way in comes before, so this is the last try."""
    finder: Callable[[str], Identity | None] | None = current_app.extensions.get("nongso.gateways")
    return finder(key) if finder is not None else None


def _identity(person: Person, via: str, log_in: str) -> Identity:
    return Identity(
        person.id, person.user, person.name, person.role, person.cooperative, via, log_in
    )
