"""The ways to a person, and the door to Apprise: one message over one way.

Which addresses may people enter? Their own mail address and telephone number, in a strict
form, for servers that the IT person has set up; a phone's push subscription at a known push
service. A raw Apprise address is for administrators only, and only for services that stand at
an address of their own, so that nobody can let this server call into its own network.
"""

import json
import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import apprise

from nongso.platform.alerts import push, zalo
from nongso.platform.alerts.settings import AlertSettings

log = logging.getLogger(__name__)

KINDS = ("push", "zalo", "sms", "mail", "apprise")

# Services with one fixed address, and mail. None that can name any host, file or program.
ALLOWED_SCHEMES = frozenset(
    {
        "mailto", "mailtos", "tgram", "zalo", "viber", "whatsapp", "line", "wechat",
        "discord", "slack", "pover", "pushbullet", "threema", "twilio", "vonage", "nexmo",
        "clicksend", "bulksms", "sinch", "msgbird", "d7sms", "plivo", "sns", "infobip",
    }
)  # fmt: skip

_MAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}"
)
_PHONE = re.compile(r"(?:\+?84|0)([35789][0-9]{8})")


class NotSent(Exception):
    """A message was not sent. ``for_good``: trying again would not help."""

    def __init__(self, text: str, for_good: bool = False) -> None:
        super().__init__(text)
        self.for_good = for_good


class TargetError(ValueError):
    """What was entered is no address of this kind."""


@dataclass(frozen=True)
class Message:
    """What is sent. ``id`` is the same at every try, for receivers that can tell."""

    id: str
    title: str
    text: str
    urgent: bool
    link: str
    alert: str
    time: str


class Ways:
    """Sends over each kind of way that this server has."""

    def __init__(self, folder: Path, settings: AlertSettings, contact: str) -> None:
        self.folder, self.settings = folder, settings
        self._contact = contact
        self._zalo = zalo.ZaloKeys(folder, settings.zalo) if settings.zalo else None

    def kinds(self, is_admin: bool) -> list[str]:
        """Return the kinds that a person may choose here."""
        has = {
            "push": True,
            "zalo": self.settings.zalo is not None,
            "sms": bool(self.settings.sms),
            "mail": bool(self.settings.mail),
            "apprise": is_admin,
        }
        return [kind for kind in KINDS if has[kind]]

    def target(self, kind: str, text: str) -> tuple[str, str]:
        """Check what a person entered; return the target and its name on pages.

        Raises ``TargetError``.
        """
        text = text.strip()
        if kind == "mail":
            if len(text) > 200 or not _MAIL.fullmatch(text):
                raise TargetError("mail")
            return text, text
        if kind in ("sms", "zalo"):
            found = _PHONE.fullmatch(re.sub(r"[ .\-\u00a0]", "", text))
            if found is None:
                raise TargetError(kind)
            return "84" + found[1], "0" + found[1]
        if kind == "push":
            try:
                subscription = push.checked(text, self.settings)
            except push.SubscriptionError as error:
                raise TargetError("push") from error
            return json.dumps(subscription), ""
        if kind == "apprise":
            return _checked_address(text)
        raise TargetError(kind)

    def send(self, kind: str, target: str, message: Message) -> None:
        """Send a message over a way. Raises ``NotSent``."""
        if kind == "push":
            self._push(target, message)
        elif kind == "zalo":
            self._by_zalo(target, message)
        elif kind == "sms" and self.settings.sms:
            _notify(self.settings.sms.replace("{phone}", quote(target)), message, with_link=False)
        elif kind == "mail" and self.settings.mail:
            base = self.settings.mail
            _notify(base + ("&" if "?" in base else "?") + "to=" + quote(target, safe=""), message)
        elif kind == "apprise":
            _notify(target, message)
        else:
            raise NotSent(f"this server has no way of kind {kind} any more", for_good=True)

    def _push(self, target: str, message: Message) -> None:
        content = {
            "title": message.title,
            "body": message.text,
            "url": message.link,
            "tag": message.alert or message.id,
            "urgent": message.urgent,
        }
        try:
            push.send(
                self.folder,
                self.settings,
                json.loads(target),
                content,
                urgent=message.urgent,
                contact=self._contact,
            )
        except push.PushError as error:
            raise NotSent(str(error), error.gone) from error

    def _by_zalo(self, phone: str, message: Message) -> None:
        settings = self.settings.zalo
        if settings is None or self._zalo is None:
            raise NotSent("this server has no Zalo account any more", for_good=True)
        now = int(time.time())
        try:
            token = self._zalo.token(now)
            said = self._zalo_once(token, phone, message)
            if said in zalo.TOKEN_REFUSED:
                said = self._zalo_once(self._zalo.token(now, renew=True), phone, message)
        except zalo.ZaloError as error:
            raise NotSent(str(error)) from error
        if said is None:
            raise NotSent("Zalo was not reached")
        if said != 0:
            raise NotSent(f"Zalo said {said}", for_good=said in zalo.NO_SUCH_PERSON)

    def _zalo_once(self, token: str, phone: str, message: Message) -> int | None:
        assert self.settings.zalo is not None
        most = self.settings.zalo.most_letters
        plugin = zalo.notifier(self.settings.zalo, token, phone, message.id, message.time)
        sender = _sender()
        sender.add(plugin)
        sender.notify(body=message.text[:most], title=message.title[:most])
        return plugin.error


def _notify(address: str, message: Message, *, with_link: bool = True) -> None:
    sender = _sender()
    if not sender.add(address):
        raise NotSent("Apprise does not understand the address", for_good=True)
    body = f"{message.text}\n{message.link}" if with_link and message.link else message.text
    kind = apprise.NotifyType.WARNING if message.urgent else apprise.NotifyType.INFO
    if not sender.notify(body=body, title=message.title, notify_type=kind):
        raise NotSent("the service did not take the message; its words are in the log")


def _sender() -> apprise.Apprise:
    """Return an empty Apprise. Its plugins are loaded when the first message needs one."""
    zalo.register()
    return apprise.Apprise()


def _checked_address(text: str) -> tuple[str, str]:
    scheme = urlsplit(text).scheme.lower()
    if len(text) > 1000 or scheme not in ALLOWED_SCHEMES or any(ord(c) < 33 for c in text):
        raise TargetError("apprise")
    made = _sender().instantiate(text, suppress_exceptions=True)
    if made is None:
        raise TargetError("apprise")
    return text, f"{made.service_name}"
