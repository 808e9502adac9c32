"""The door to Web Push: a message to a phone's browser, without any account elsewhere.

Which keys tell push services who we are is the matter of ``pushkeys``. What is sent is
encrypted for the phone; the push service cannot read it.
"""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pywebpush import WebPushException, webpush  # type: ignore[import-untyped]  # has none

from nongso.platform.alerts.pushkeys import KeysAway, keys, renewed_at
from nongso.platform.alerts.settings import AlertSettings

TIMEOUT_SECONDS = 10
LIVES_SECONDS = 6 * 3600  # what a phone did not fetch until then is old news
MOST_LETTERS = 1200  # of a text; push services take 4 kB in all


class PushError(Exception):
    """It was not sent; ``gone`` when the phone has unsubscribed for good."""

    def __init__(self, text: str, gone: bool = False) -> None:
        super().__init__(text)
        self.gone = gone


class KeyChanged(PushError):
    """The phone knows a key of ours that is no more: it must subscribe again."""


class SubscriptionError(ValueError):
    """What the phone brought is no subscription of a known push service."""


def public_key(folder: Path) -> str:
    """Return the public key as browsers want it. Raises ``KeysAway``."""
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
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SubscriptionError("not a subscription") from error
    if len(text) > 4000 or not _is_point(point) or len(secret) != 16:
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
    since: int | None = None,
) -> None:
    """Send a message to one phone, which subscribed at ``since``. Raises ``PushError``."""
    if not is_push_address(subscription["endpoint"], settings):
        raise PushError("the push service is not a known one any more", gone=True)
    if not _is_point(_raw(subscription["keys"]["p256dh"])):
        raise PushError("the phone's key is none; nothing can be sealed for it", gone=True)
    try:
        own = keys(folder)
    except KeysAway as error:
        raise PushError(str(error)) from error
    if since is not None and since < renewed_at(folder):
        raise KeyChanged("our key is a new one; the phone must switch notifications on again")
    content = {**content, "body": str(content["body"])[:MOST_LETTERS]}
    with requests.Session() as session:
        session.max_redirects = 0  # a push service does not send us elsewhere
        session.trust_env = True
        try:
            webpush(
                subscription,
                json.dumps(content, ensure_ascii=False),
                vapid_private_key=own,
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


def _is_point(raw: bytes) -> bool:
    """Say whether a phone's key is a point of the curve; for any other nothing can be sealed."""
    if len(raw) != 65 or raw[0] != 4:
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return False
    return True


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
