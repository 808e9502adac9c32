"""Who is asking, and may they? The one policy that every page and API call goes through.

Each view says who may: ``@allow("farmer", "clerk")`` or ``@public``. A view that says nothing
is answered 403 (and fails a test). Who is asking is found once per request: a person by the
log-in cookie or by ``Authorization: Bearer <API token>``, a gateway by its key.

A rule also has a scope: what an API token must have been given, and what a helper who acts for a
farmer must have been allowed. Reading is ``read``; a view that changes something names its scope
(``@allow("farmer", scope="water")``), or no helper and only a token with ``records`` may use it.
``own`` is a person's own account: never a helper's, never a token's. A helper for whom nobody
has given consent sees nothing but the own account, and may stop water.

Queries are narrowed to the cooperative by ``scoped``: farmers, clerks and helpers see their own,
officers and administrators see all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flask import Flask, abort, current_app, g, request
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute

from nongso.platform.consent import Consent
from nongso.platform.people import ROLES, ApiToken, LogIn, Person, hashed
from nongso.platform.remembered import Remembered
from nongso.platform.store import kept_records, records

COOKIE = "nongso_log_in"
GATEWAY = "gateway"
SCOPES = ("read", "stop", "water", "records", "labels", "admin", "own")
_UNNAMED = "unnamed"  # the scope of a change that no view has named
_HELPER_ALONE = frozenset({"own", "stop"})
_SAFE = ("GET", "HEAD", "OPTIONS")

_View = TypeVar("_View", bound=Callable[..., Any])
_Query = TypeVar("_Query", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True)
class Identity:
    """Who is asking. ``via`` is ``cookie``, ``token`` or ``key`` (a gateway).

    While a helper acts for a farmer this is the farmer (``id``, ``user``, ``role``), ``name``
    says both names, and ``helper`` is the helper's id. ``scopes`` is ``None`` for somebody who
    may everything that the role may.
    """

    id: str
    user: str
    name: str
    role: str
    cooperative: str | None
    via: str
    log_in: str = ""  # what form tokens are bound to: the log-in, and the consent if there is one
    session: str = ""  # hash of the log-in's secret, for ending it
    scopes: frozenset[str] | None = None
    helper: str = ""
    helper_name: str = ""
    for_name: str = ""  # of the farmer for whom a helper acts
    until: int = 0  # when the consent ends
    seen_at: int = 0  # when the log-in was last noted to be in use

    @property
    def sees_all(self) -> bool:
        """Officers and administrators look across cooperatives."""
        return self.role in ("officer", "admin")

    def may(self, *roles: str, scope: str = "") -> bool:
        """Say whether the role is one of these; for showing or hiding a button.

        With a scope it is also asked whether a helper or a token was given it.
        """
        return self.role in roles and (not scope or self.has(scope))

    def has(self, scope: str) -> bool:
        """Say whether this way of asking includes the scope."""
        if self.via == "token":
            if scope == "own":
                return False
            scope = {"stop": "water", _UNNAMED: "records"}.get(scope, scope)
        return self.scopes is None or scope in self.scopes


_NOT_ASKED = Identity("", "", "", "", None, "")  # until a request has been looked at


@dataclass(frozen=True)
class Rule:
    """Who may use a view. ``sets_cookies`` is false for pages that must stay cacheable."""

    roles: tuple[str, ...]
    public: bool = False
    sets_cookies: bool = True
    scope: str = ""

    def scope_for(self, method: str) -> str:
        """Return the scope that a request of this method needs."""
        return self.scope or ("read" if method in _SAFE else _UNNAMED)


def allow(*roles: str, scope: str = "") -> Callable[[_View], _View]:
    """Let these roles use the view; nobody else."""
    unknown = set(roles) - {*ROLES, GATEWAY}
    if unknown or not roles:
        raise ValueError(f"unknown roles {sorted(unknown)}" if unknown else "name a role")
    if scope and scope not in SCOPES:
        raise ValueError(f"no scope called {scope!r}")

    def mark(view: _View) -> _View:
        view.rule = Rule(roles, scope=scope)  # type: ignore[attr-defined]
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
    return [link for link in links if found is not None and found.may(*link.roles, scope="read")]


def rule_of(app: Flask, endpoint: str | None) -> Rule | None:
    """Return the rule that a view declared, if it did."""
    if endpoint is None:
        return None
    if endpoint.rsplit(".", 1)[-1] == "static":
        return Rule((), public=True, sets_cookies=False)
    return getattr(app.view_functions[endpoint], "rule", None)


def who() -> Identity | None:
    """Return who is asking, or ``None`` for a stranger."""
    found: Identity | None = g.get("who", _NOT_ASKED)
    if found is _NOT_ASKED:
        token = bearer()
        secret = token or request.cookies.get(COOKIE, "")
        memory: Remembered[Identity] = current_app.extensions["nongso.remembered"]
        known = hashed(secret)
        g.who = found = memory.find(known, lambda: _find(token, known)) if secret else None
    return found


def shown() -> Identity | None:
    """Return who it probably is, while the database cannot be asked; only for a page's head."""
    secret = bearer() or request.cookies.get(COOKIE, "")
    memory: Remembered[Identity] = current_app.extensions["nongso.remembered"]
    return memory.shown(hashed(secret)) if secret else None


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
    kind, _, secret = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" and secret.strip() else None


def install(app: Flask) -> None:
    """Put the policy before every view."""
    app.extensions["nongso.remembered"] = Remembered[Identity]()
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
    needed = rule.scope_for(request.method)
    if not found.has(needed):
        abort(403, f"the scope {needed!r} was not given")


def _find(token: str | None, secret_hash: str) -> Identity | None:
    if token is None:
        return _by_cookie(secret_hash)
    return _by_token(secret_hash) or _by_key(token)


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
    if row is None or row.expires_at <= now or row.step or not row.person.active:
        return None
    found, until = _acting(row, now)
    found = replace(found, seen_at=row.seen_at)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[token_hash] = (version, until, found)
    return found


def half_way() -> LogIn | None:
    """Return the log-in that still waits for its second factor, if the asker has one."""
    cookie = request.cookies.get(COOKIE)
    row = records().get(LogIn, hashed(cookie)) if cookie else None
    if row is None or not row.step or row.expires_at <= time.time() or not row.person.active:
        return None
    return row


def _acting(row: LogIn, now: int) -> tuple[Identity, int]:
    """Return who acts in this log-in, and until when that stands."""
    own = row.person
    consent = records().get(Consent, row.helping) if row.helping else None
    if consent is None or not consent.holds(now) or consent.helper_id != own.id:
        return _identity(own, "cookie", row.token_hash, row.token_hash), row.expires_at
    farmer = records().get(Person, consent.farmer_id)
    still = farmer is not None and farmer.active and farmer.role == "farmer"
    if farmer is None or not still or farmer.cooperative != own.cooperative:
        return _identity(own, "cookie", row.token_hash, row.token_hash), row.expires_at
    until = consent.ends_at or 0
    acting = Identity(
        farmer.id,
        farmer.user,
        done_for(own.name, farmer.name),
        farmer.role,
        farmer.cooperative,
        "cookie",
        f"{row.token_hash}:{consent.id}",
        row.token_hash,
        frozenset({"read", "stop", *consent.scopes.split()}),
        own.id,
        own.name,
        farmer.name,
        until,
    )
    return acting, min(until, row.expires_at)


def done_for(helper: str, farmer: str) -> str:
    """Return both names of what a helper does for a farmer."""
    return f"{helper} (nhập hộ {farmer})"


def _by_token(token_hash: str) -> Identity | None:
    row = records().get(ApiToken, token_hash)
    if row is None or not row.person.active:
        return None
    if row.expires_at is not None and row.expires_at <= time.time():
        return None
    scopes = frozenset(row.scopes.split())
    if row.person.role == "helper":
        scopes &= {"water"}  # of which the role leaves stopping
    return replace(_identity(row.person, "token", ""), scopes=scopes)


def _by_key(key: str) -> Identity | None:
    """Find a gateway by its key. Any other way in comes before, so this is the last try."""
    finder: Callable[[str], Identity | None] | None = current_app.extensions.get("nongso.gateways")
    return finder(key) if finder is not None else None


def _identity(person: Person, via: str, log_in: str, session: str = "") -> Identity:
    return Identity(
        person.id,
        person.user,
        person.name,
        person.role,
        person.cooperative,
        via,
        log_in,
        session,
        _HELPER_ALONE if person.role == "helper" else None,
    )
