"""No form of ours can be sent from somebody else's page.

Our own few lines instead of a form library: log-ins live in our database, so the token is bound
to the log-in (it dies with it and cannot be carried to another one), pages stay free of a
second session, and the API's bearer calls, which no browser sends by itself, need no exemption
list. The token is HMAC-SHA256 of the log-in under the platform's secret. Before the log-in it
is bound to a random cookie of its own. Browsers that say where a request comes from
(``Sec-Fetch-Site``) are believed when they say that it comes from elsewhere.
"""

import hmac
import secrets

from flask import Flask, Response, abort, current_app, g, request
from markupsafe import Markup

from nongso.platform.accounts import rule_of, who

FIELD = "form_token"
HEADER = "X-Form-Token"
COOKIE = "nongso_visit"

_SAFE = ("GET", "HEAD", "OPTIONS")


def install(app: Flask, secret: str, secure: bool) -> None:
    """Check every request that may change something, and give templates ``form_token()``."""
    key = hmac.digest(secret.encode(), b"form token", "sha256")

    def token_for(bound: str) -> str:
        return hmac.new(key, bound.encode(), "sha256").hexdigest()

    def visit() -> str:
        """Return the stranger's random cookie; a new one is set with the answer."""
        kept: str | None = request.cookies.get(COOKIE) or g.get("new_visit")
        if kept is None:
            kept = g.new_visit = secrets.token_urlsafe(16)
        return kept

    def token() -> str:
        found = who()
        return token_for(found.log_in if found and found.log_in else visit())

    def check() -> None:
        if request.method in _SAFE or request.endpoint is None:
            return
        rule = rule_of(current_app, request.endpoint)
        found = who()
        if found is not None and found.via != "cookie":
            return
        if rule is not None and rule.public and not rule.sets_cookies:
            return  # changes nothing in anybody's name
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            abort(400, "another page sent this form")
        sent = request.headers.get(HEADER) or request.form.get(FIELD, "")
        if not hmac.compare_digest(sent.encode(), token().encode()):
            abort(400, "the form is too old")

    def set_cookie(answer: Response) -> Response:
        new = g.pop("new_visit", None)
        rule = rule_of(current_app, request.endpoint)
        if new is not None and (rule is None or rule.sets_cookies):
            answer.set_cookie(COOKIE, new, httponly=True, samesite="Lax", secure=secure)
        return answer

    def form_token() -> Markup:
        return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token())

    app.before_request(check)
    app.after_request(set_cookie)
    app.jinja_env.globals["form_token"] = form_token
    app.jinja_env.globals["form_token_value"] = token
