"""The door to Zalo: an Apprise plugin for an Official Account, and the keys that it needs.

Two kinds of messages: to a telephone number by an approved template (ZNS,
``POST <messages>/message/template``), and to a follower of the account by a text
(``POST <official>/v3.0/oa/message/cs``). Zalo answers 200 with ``error`` 0 when it has taken a
message. An access token lives about a day; a refresh token is good for one use and comes back
new, so that what came back is on disk before it is used.

As an Apprise address: ``zalooas://<access token>@<host>/zns/<template>/<phone>?+text={text}``
or ``zalooas://<access token>@<host>/oa/<user id>``; ``zalooa`` goes without TLS, for tests.
"""

import json
import logging
import os
import threading
import warnings
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import requests
from apprise import NotifyType
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from apprise.url import PrivacyMode

from nongso.platform.alerts.settings import ZaloSettings

log = logging.getLogger(__name__)

TOKEN_FILE = "zalo.json"
TIMEOUT_SECONDS = 10
RENEW_BEFORE_SECONDS = 600
TOKEN_REFUSED = (-124, -216)
NO_SUCH_PERSON = (-108, -118)  # no telephone number, or nobody on Zalo has it


class ZaloError(Exception):
    """Zalo has not given us a token; the text says why."""


_Base: Any = NotifyBase  # its annotations fit none of Apprise's own plugins either


class NotifyZaloOA(_Base):  # type: ignore[misc]
    """A message of a Zalo Official Account."""

    service_name = "Zalo Official Account"
    service_url = "https://oa.zalo.me/"
    setup_url = "https://developers.zalo.me/docs/official-account"
    secure_protocol = "zalooas"
    protocol = "zalooa"
    body_maxlen = 2000
    title_maxlen = 250
    request_rate_per_sec = 0
    templates = (
        "{schema}://{token}@{host}/zns/{template}/{phone}",
        "{schema}://{token}@{host}:{port}/zns/{template}/{phone}",
        "{schema}://{token}@{host}/oa/{user}",
        "{schema}://{token}@{host}:{port}/oa/{user}",
    )
    template_tokens: ClassVar[dict[str, Any]] = dict(
        _Base.template_tokens,
        token={"name": "Access Token", "type": "string", "private": True, "required": True},
        host={"name": "Hostname", "type": "string", "required": True},
        port={"name": "Port", "type": "int", "min": 1, "max": 65535},
        template={"name": "Template", "type": "string"},
        phone={"name": "Phone", "type": "string"},
        user={"name": "User", "type": "string"},
    )
    template_kwargs: ClassVar[dict[str, Any]] = {
        "fields": {"name": "Template Fields", "prefix": "+"}
    }

    def __init__(
        self,
        token: str,
        kind: str,
        targets: list[str],
        fields: dict[str, str] | None = None,
        tracking: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        wanted = 2 if kind == "zns" else 1
        if kind not in ("zns", "oa") or len(targets) != wanted or not all(targets) or not token:
            raise TypeError("zalooas://token@host/zns/template/phone or /oa/user is expected")
        self.token, self.kind, self.targets = token, kind, targets
        self.fields = fields or {"place": "{place}", "text": "{text}"}
        self.tracking = tracking
        self.error: int | None = None  # what Zalo answered last; 0 is well

    def send(
        self,
        body: str,
        title: str = "",
        notify_type: NotifyType = NotifyType.INFO,
        **kwargs: Any,
    ) -> bool:
        """Send it; ``error`` tells what Zalo said."""
        said = {"place": title, "text": body}
        if self.kind == "zns":
            path = "/message/template"
            content: dict[str, Any] = {
                "phone": self.targets[1],
                "template_id": self.targets[0],
                "template_data": {name: _filled(text, said) for name, text in self.fields.items()},
            }
            if self.tracking:
                content["tracking_id"] = self.tracking
        else:
            path = "/v3.0/oa/message/cs"
            text = f"{title}\n{body}" if title else body
            content = {"recipient": {"user_id": self.targets[0]}, "message": {"text": text}}
        schema = "https" if self.secure else "http"
        port = f":{self.port}" if self.port else ""
        try:
            answer = requests.post(
                f"{schema}://{self.host}{port}{path}",
                json=content,
                headers={"access_token": self.token},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            found = answer.json()
            self.error = int(found.get("error", -1))
        except (
            requests.RequestException,
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            log.info("Zalo was not reached: %s", type(error).__name__)
            self.error = None
            return False
        if self.error != 0:
            log.info("Zalo said %s: %s", self.error, str(found.get("message"))[:200])
        return self.error == 0

    def url(self, privacy: bool = False, *args: Any, **kwargs: Any) -> str:
        """Return the Apprise address."""
        token = self.pprint(self.token, privacy, mode=PrivacyMode.Secret, safe="")
        port = f":{self.port}" if self.port else ""
        query = self.urlencode({f"+{name}": text for name, text in self.fields.items()})
        schema = self.secure_protocol if self.secure else self.protocol
        path = "/".join(quote(part, safe="") for part in (self.kind, *self.targets))
        return f"{schema}://{token}@{self.host}{port}/{path}?{query}"

    @staticmethod
    def parse_url(url: str) -> dict[str, Any] | None:
        """Take an Apprise address apart."""
        found: dict[str, Any] | None = _Base.parse_url(url)
        if not found:
            return None
        found["token"] = _Base.unquote(found.get("user") or "")
        path = [_Base.unquote(p) for p in (found.get("fullpath") or "").split("/") if p]
        found["kind"], found["targets"] = (path[0] if path else ""), path[1:]
        found["fields"] = {k: _Base.unquote(v) for k, v in found.get("qsd+", {}).items()}
        return found


def register() -> None:
    """Let Apprise know the plugin; twice is once. Loads all of Apprise's own plugins."""
    manager: Any = NotificationManager()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some plugins import what Python will drop
        if "zalooas" not in manager:
            manager.add(NotifyZaloOA)


class ZaloKeys:
    """The access token, renewed in time; one process does it at a time (it holds the lease)."""

    def __init__(self, folder: Path, settings: ZaloSettings) -> None:
        self._file = folder / TOKEN_FILE
        self._settings = settings
        self._one_at_a_time = threading.Lock()

    def token(self, now: int, *, renew: bool = False) -> str:
        """Return an access token that is good for some minutes. Raises ``ZaloError``."""
        with self._one_at_a_time:
            kept = self._kept()
            if not renew and kept.get("until", 0) - now > RENEW_BEFORE_SECONDS:
                return str(kept["access_token"])
            return self._renewed(kept, now)

    def _kept(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        # A token that the IT person has entered anew counts, not what came of the old one.
        same = isinstance(kept, dict) and kept.get("begun_with") == self._settings.refresh_token
        return kept if same else {}

    def _renewed(self, kept: dict[str, Any], now: int) -> str:
        settings = self._settings
        try:
            answer = requests.post(
                settings.sign_in.rstrip("/") + "/v4/oa/access_token",
                data={
                    "app_id": settings.app_id,
                    "grant_type": "refresh_token",
                    "refresh_token": kept.get("refresh_token", settings.refresh_token),
                },
                headers={"secret_key": settings.secret},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            found = answer.json()
            access, refresh = str(found["access_token"]), str(found["refresh_token"])
            lives = int(found.get("expires_in", 3600))
        except (
            requests.RequestException,
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
        ) as error:
            raise ZaloError(
                "Zalo gave no access token. If this lasts, sign in to the Official Account again "
                "and write the new refresh_token into alerts.json."
            ) from error
        self._keep(
            {
                "begun_with": settings.refresh_token,
                "access_token": access,
                "refresh_token": refresh,
                "until": now + lives,
            }
        )
        return access

    def _keep(self, content: dict[str, Any]) -> None:
        part = self._file.with_suffix(".part")
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(content, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(self._file)


def notifier(
    settings: ZaloSettings, token: str, phone: str, tracking: str, now_text: str
) -> NotifyZaloOA:
    """Return the plugin for one message to one telephone."""
    address = urlsplit(settings.messages)
    fields = {name: text.replace("{time}", now_text) for name, text in settings.fields.items()}
    return NotifyZaloOA(
        token=token,
        kind="zns",
        targets=[settings.template, phone],
        fields=fields,
        tracking=tracking,
        secure=address.scheme == "https",
        host=address.hostname,
        port=address.port,
    )


def _filled(text: str, said: dict[str, str]) -> str:
    for name, value in said.items():
        text = text.replace("{" + name + "}", value)
    return text
