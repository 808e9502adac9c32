"""The door to Web Push: a message to a phone's browser, without any account elsewhere.

The pair of keys that tells push services who we are (VAPID, RFC 8292) is made once and lies in
the data folder, readable by its owner only; with another pair all phones would have to
subscribe anew. What is sent is encrypted for the phone; the push service cannot read it.
"""

import base64
import json
import os
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from py_vapid import Vapid02  # type: ignore[import-untyped]  # has none
from pywebpush import WebPushException, webpush  # type: ignore[import-untyped]  # has none

from nongso.platform.alerts.settings import AlertSettings

KEY_FILE = "vapid.pem"
TIMEOUT_SECONDS = 10
LIVES_SECONDS = 6 * 3600  # what a phone did not fetch until then is old news
MOST_LETTERS = 1200  # of a text; push services take 4 kB in all


class PushError(Exception):
    """It was not sent; ``gone`` when the phone has unsubscribed for good."""

    def __init__(self, text: str, gone: bool = False) -> None:
        super().__init__(text)
        self.gone = gone


class SubscriptionError(ValueError):
    """What the phone brought is no subscription of a known push service."""


def keys(folder: Path) -> Vapid02:
    """Return our pair of keys; make it the first time."""
    file = folder / KEY_FILE
    if not file.exists():
        made = Vapid02()
        made.generate_keys()
        pem = made.private_pem()
        part = folder / f"{KEY_FILE}.{uuid.uuid4().hex}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(part, file)  # another process may have been faster: then its pair counts
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return Vapid02.from_pem(file.read_bytes())


def public_key(folder: Path) -> str:
    """Return the public key as browsers want it."""
    raw = keys(folder).public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def checked(text: str, settings: AlertSettings) -> dict[str, Any]:
    """Read a subscription that a phone brought. Raises ``SubscriptionError``.

    Its address is called by this server, so it must be one of a known push service.
    """
    try:
        found = json.loads(text)
        endpoint, its_keys = found["endpoint"], found["keys"]
        point, secret = _raw(its_keys["p256dh"]), _raw(its_keys["auth"])
    except (ValueError, KeyError, TypeError) as error:
        raise SubscriptionError("not a subscription") from error
    if len(text) > 4000 or len(point) != 65 or point[0] != 4 or len(secret) != 16:
        raise SubscriptionError("not the keys of a subscription")
    if not isinstance(endpoint, str) or not is_push_address(endpoint, settings):
        raise SubscriptionError("not the address of a known push service")
    return {"endpoint": endpoint, "keys": {n: its_keys[n] for n in ("p256dh", "auth")}}


def is_push_address(address: str, settings: AlertSettings) -> bool:
    """Say whether an address is one of a push service that the settings know."""
    try:
        parts = urlsplit(address)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        return False
    if parts.username or parts.password or any(c.isspace() for c in address):
        return False
    if settings.push_insecure:
        return host in settings.push_hosts
    if parts.scheme != "https" or port not in (None, 443):
        return False
    return any(
        host.endswith(known) if known.startswith(".") else host == known
        for known in settings.push_hosts
    )


def send(
    folder: Path,
    settings: AlertSettings,
    subscription: dict[str, Any],
    content: dict[str, Any],
    *,
    urgent: bool,
    contact: str,
) -> None:
    """Send a message to one phone. Raises ``PushError``."""
    if not is_push_address(subscription["endpoint"], settings):
        raise PushError("the push service is not a known one any more", gone=True)
    content = {**content, "body": str(content["body"])[:MOST_LETTERS]}
    with requests.Session() as session:
        session.max_redirects = 0  # a push service does not send us elsewhere
        session.trust_env = True
        try:
            webpush(
                subscription,
                json.dumps(content, ensure_ascii=False),
                vapid_private_key=keys(folder),
                vapid_claims={"sub": settings.push_contact or contact},
                ttl=LIVES_SECONDS,
                timeout=TIMEOUT_SECONDS,
                headers={"urgency": "high" if urgent else "normal"},
                requests_session=session,
            )
        except WebPushException as error:
            status = error.response.status_code if error.response is not None else 0
            raise PushError(f"push service said {status}", status in (404, 410)) from error
        except (requests.RequestException, ValueError) as error:
            raise PushError(f"push service not reached: {type(error).__name__}") from error


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
