"""API tokens: a person's keys for programs, each with what it may."""

import time

from flask import abort, redirect, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from nongso.platform import people
from nongso.platform.accounts import allow, somebody
from nongso.platform.languages import _
from nongso.platform.members.desk import OWN, asker, blueprint, chosen_number, note, page
from nongso.platform.members.own import own_secret_trouble
from nongso.platform.people import ROLES, TOKEN_SCOPES, ApiToken
from nongso.platform.store import records, transaction

DAYS = (30, 365)
Page = Response | tuple[str, int]

# What of the scopes makes sense for a role; the policy asks the role anyway.
OF_ROLE = {
    "farmer": ("read", "water", "records"),
    "clerk": TOKEN_SCOPES,
    "officer": ("read",),
    "helper": ("read", "water"),
    "admin": ("read", "water", "admin"),
}


@blueprint.get("/me/tokens")
@allow(*ROLES, scope=OWN)
def tokens() -> Page:
    """The tokens that there are, and the form for another one."""
    return _page()


def _page(trouble: str = "", made: str = "", status: int = 200) -> Page:
    found = records().scalars(
        select(ApiToken)
        .where(ApiToken.person_id == somebody().id)
        .order_by(ApiToken.created_at.desc())
    )
    return page(
        "tokens.html",
        status,
        tokens=found.all(),
        scopes=OF_ROLE[somebody().role],
        scope_word=scope_word,
        days=DAYS,
        trouble=trouble,
        made=made,
    )


def scope_word(scope: str) -> str:
    """Say what a scope lets a program do."""
    words = {
        "read": _("xem số liệu"),
        "water": _("tưới và dừng tưới"),
        "records": _("ghi sổ sản xuất"),
        "labels": _("cấp tem"),
        "admin": _("quản lý người dùng"),
    }
    return words.get(scope, scope)


@blueprint.post("/me/tokens")
@allow(*ROLES, scope=OWN)
def make_token() -> Page:
    """Make a token and show it this once."""
    name = " ".join(request.form.get("name", "").split())[:60]
    scopes = [s for s in request.form.getlist("scope") if s in OF_ROLE[somebody().role]]
    days = chosen_number(request.form.get("days", ""), DAYS)
    if not name or not scopes or days is None:
        return _page(_("Xin đặt tên, chọn ít nhất một việc và thời hạn."), status=422)
    trouble, status = own_secret_trouble(request.form.get("old", ""))
    if trouble:
        return _page(trouble, status=status)
    with transaction() as session:
        ends = int(time.time()) + days * 86400
        made = people.new_api_token(session, asker(session), name, scopes, ends)
        note(session, "token_made", somebody().id, scopes=" ".join(scopes), days=days)
    return _page(made=made)


@blueprint.post("/me/tokens/end")
@allow(*ROLES, scope=OWN)
def end_token() -> Page:
    """End a token."""
    wanted = request.form.get("token", "")
    with transaction() as session:
        own = session.scalars(select(ApiToken).where(ApiToken.person_id == somebody().id))
        chosen = [token for token in own if token.handle == wanted]
        if not chosen:
            abort(404)
        session.delete(chosen[0])
        note(session, "token_ended", somebody().id)
    return redirect(url_for("members.tokens"), 303)
