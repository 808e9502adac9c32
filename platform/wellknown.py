"""``/.well-known/security.txt`` (RFC 9116): whom to tell about a fault."""

import datetime
import time

from flask import Blueprint, Response, abort, current_app

from nongso.platform.accounts import public_without_cookies
from nongso.platform.settings import Settings

blueprint = Blueprint("wellknown", __name__)

GOOD_DAYS = 180


@blueprint.get("/.well-known/security.txt")
@public_without_cookies
def security_text() -> Response:
    """Name the contact of the settings; without one there is nothing to say."""
    settings: Settings = current_app.extensions["nongso.settings"]
    if not settings.security_contact:
        abort(404)
    today = datetime.datetime.fromtimestamp(time.time(), datetime.UTC).date()
    expires = today + datetime.timedelta(days=GOOD_DAYS)
    lines = [
        f"Contact: {settings.security_contact}",
        f"Expires: {expires:%Y-%m-%d}T00:00:00Z",
        "Preferred-Languages: vi, en",
        f"Canonical: {settings.url}/.well-known/security.txt",
    ]
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
