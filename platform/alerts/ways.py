"""The ways to a person, and the door to Apprise: one message over one way.

Which addresses may people enter? Their own mail address and telephone number, in a strict
form, for servers that the IT person has set up; a phone's push subscription at a known push
service. A raw Apprise address is for administrators only, and only for services that stand at
an address of their own, so that nobody can let this server call into its own network. Mail
goes to any server of the Internet, but to one inside only if ``alerts.json`` names it.
"""

import ipaddress
import json
import logging
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import apprise

from nongso.platform.alerts import push, pushkeys, zalo
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

# Parameters of Apprise with which it reads a file of this server; keys come from anywhere.
READS_FILES = frozenset(
    {"template", "pgp", "pgppub", "pgpprv", "pgpkey", "wkd", "attach", "config", "include"}
)

_MAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}"
)
_PHONE = re.compile(r"(?:\+?84|0)([35789][0-9]{8})")


class NotSent(Exception):
    """A message was not sent. ``for_good``: trying again would not help."""

    def __init__(self, text: str, for_good: bool = False) -> None:
        super().__init__(text)
        self.for_good = for_good


class MustRenew(NotSent):
    """The phone must switch its notifications on again; until then its way stays, marked."""

    def __init__(self, text: str) -> None:
        super().__init__(text, for_good=True)


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
    """Sends over each kind of way that this server has.

    ``trouble`` says why ``alerts.json`` could not be used; then what needs it waits.
    """

    def __init__(
        self, folder: Path, settings: AlertSettings, contact: str, trouble: str = ""
    ) -> None:
        self.folder, self.settings, self.trouble = folder, settings, trouble
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
            return self._checked_address(text)
        raise TargetError(kind)

    def send(self, kind: str, target: str, message: Message, since: int | None = None) -> None:
        """Send a message over a way that was added at ``since``. Raises ``NotSent``."""
        if kind == "push":
            self._push(target, message, since)
        elif self.trouble and kind in ("zalo", "sms", "mail"):
            raise NotSent("alerts.json cannot be used; the log says why")
        elif kind == "zalo":
            self._by_zalo(target, message)
        elif kind == "sms" and self.settings.sms:
            _notify(self.settings.sms.replace("{phone}", quote(target)), message, with_link=False)
        elif kind == "mail" and self.settings.mail:
            base = self.settings.mail
            _notify(base + ("&" if "?" in base else "?") + "to=" + quote(target, safe=""), message)
        elif kind == "apprise":
            if not self._may_call(target):
                raise NotSent("the address is inside our own network", for_good=True)
            _notify(target, message)
        else:
            raise NotSent(f"this server has no way of kind {kind} any more", for_good=True)

    def _push(self, target: str, message: Message, since: int | None) -> None:
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
                since=since,
            )
        except push.KeyChanged as error:
            raise MustRenew(str(error)) from error
        except push.PushError as error:
            # Without alerts.json we do not know all push services: no phone is forgotten then.
            raise NotSent(str(error), error.gone and not self.trouble) from error

    def must_renew(self, kind: str, since: int) -> bool:
        """Say whether a phone subscribed with a key of ours that is no more."""
        return kind == "push" and since < pushkeys.renewed_at(self.folder)

    def push_key(self) -> str:
        """Return the key for browsers; empty where there is none, and the log says why."""
        try:
            return push.public_key(self.folder)
        except pushkeys.KeysAway:
            return ""

    def _checked_address(self, text: str) -> tuple[str, str]:
        scheme = text.partition(":")[0].lower()
        if len(text) > 1000 or scheme not in ALLOWED_SCHEMES or any(ord(c) < 33 for c in text):
            raise TargetError("apprise")
        made = _sender().instantiate(text, suppress_exceptions=True)
        if made is None or not self._may_call(text):
            raise TargetError("apprise")
        return text, f"{made.service_name}"

    def _may_call(self, address: str) -> bool:
        """Say whether an address lets the server read no file and call nothing inside."""
        try:
            parts = urlsplit(address)
            names = {name.lower().lstrip("+-:") for name, _text in parse_qsl(parts.query, True)}
        except ValueError:
            return False
        scheme = parts.scheme.lower()
        if names & READS_FILES and not (
            scheme == "whatsapp" and names & READS_FILES == {"template"}
        ):
            return False
        if scheme not in ("mailto", "mailtos"):
            return True
        made = _sender().instantiate(address, suppress_exceptions=True)
        if made is None:
            return False
        host = str(getattr(made, "smtp_host", "") or made.host or "").lower()
        return host in self._named_hosts() or not _is_inside(host)

    def _named_hosts(self) -> set[str]:
        named = set(self.settings.mail_hosts)
        if self.settings.mail:
            own = urlsplit(self.settings.mail)
            named.add((own.hostname or "").lower())
            named |= {text.lower() for name, text in parse_qsl(own.query) if name == "smtp"}
        return named - {""}

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


def _is_inside(host: str) -> bool:
    """Say whether a host is this machine or one of its own network, by name or by number."""
    host = host.strip("[]").rstrip(".")
    if "." not in host and ":" not in host:  # a name of the own network, or a number as 2130706433
        return True
    if host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa")):
        return True
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False  # nobody has this name, so nobody can be called
    return not all(_is_outside(one) for one in found)


def _is_outside(number: str) -> bool:
    one = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        one = one.ipv4_mapped or one.sixtofour or one
    return one.is_global and not one.is_multicast
