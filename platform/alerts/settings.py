"""What the ways out need: ``alerts.json`` in the data folder, read once into a frozen record.

Nothing of it is needed: without the file alerts stand on the page and go out by Web Push. The
file holds keys, so it must be its owner's alone (0600).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FILE = "alerts.json"

# The push services of Chrome and Edge, Firefox, Safari: an address that a phone brings is only
# believed when it is one of theirs, else anybody could let this server call any other one.
PUSH_HOSTS = (
    "fcm.googleapis.com",
    ".push.services.mozilla.com",
    ".notify.windows.com",
    ".push.apple.com",
)


class AlertSettingsError(Exception):
    """``alerts.json`` cannot be used; the text says which field and what is expected."""


@dataclass(frozen=True)
class ZaloSettings:
    """An Official Account of Zalo, with a template of its notification service (ZNS).

    ``fields`` maps the template's parameters to texts in which ``{place}``, ``{text}`` and
    ``{time}`` are filled in. ``refresh_token`` is only the first one: Zalo changes it each time.
    """

    app_id: str
    secret: str
    refresh_token: str
    template: str
    fields: dict[str, str] = field(default_factory=lambda: {"place": "{place}", "text": "{text}"})
    sign_in: str = "https://oauth.zaloapp.com"
    messages: str = "https://business.openapi.zalo.me"
    most_letters: int = 200  # of one field; Zalo refuses longer ones


@dataclass(frozen=True)
class AlertSettings:
    """``mail`` is an Apprise address of a mail server (``mailtos://user:password@host``),
    ``sms`` one of an SMS gateway in which ``{phone}`` stands for the number (849…).
    """

    mail: str = ""
    sms: str = ""
    zalo: ZaloSettings | None = None
    push_hosts: tuple[str, ...] = PUSH_HOSTS
    push_contact: str = ""
    mail_hosts: tuple[str, ...] = ()  # mail servers of the own network that may be entered
    push_insecure: bool = False  # for tests: push services without TLS


def load(folder: Path) -> AlertSettings:
    """Read ``alerts.json``. Raises ``AlertSettingsError``."""
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8")
        shared = file.stat().st_mode & 0o077
    except FileNotFoundError:
        return AlertSettings()
    except ValueError as error:
        raise AlertSettingsError(f"{file}: is not text in UTF-8") from error
    except OSError as error:
        raise AlertSettingsError(f"{file}: cannot be read: {error.strerror}") from error
    if shared:
        raise AlertSettingsError(f"{file} holds keys and others may read it: chmod 600 {file}")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise AlertSettingsError(f"{file}: is not JSON: {error}") from error
    except RecursionError as error:
        raise AlertSettingsError(f"{file}: is nested too deeply") from error
    if not isinstance(found, dict):
        raise AlertSettingsError(f"{file}: an object is expected")
    try:
        return checked(found, str(file))
    except ValueError as error:  # of an address that cannot be taken apart
        raise AlertSettingsError(f"{file}: an address cannot be read: {error}") from error


def checked(found: dict[str, Any], where: str = FILE) -> AlertSettings:
    """Make settings from decoded JSON. Raises ``AlertSettingsError``."""
    _known(found, AlertSettings, where)
    zalo = found.get("zalo")
    if zalo is not None:
        zalo = _zalo(zalo, where)
    for name in ("mail", "sms", "push_contact"):
        if not isinstance(found.get(name, ""), str):
            raise AlertSettingsError(f"{where}: {name} must be a text")
    mail, sms = found.get("mail", ""), found.get("sms", "")
    if mail and urlsplit(mail).scheme not in ("mailto", "mailtos"):
        raise AlertSettingsError(f"{where}: mail begins with mailtos:// (or mailto://)")
    if sms and "{phone}" not in sms:
        raise AlertSettingsError(f"{where}: sms needs {{phone}} where the number goes")
    hosts = found.get("push_hosts", list(PUSH_HOSTS))
    mail_hosts = found.get("mail_hosts", [])
    for name, names in (("push_hosts", hosts), ("mail_hosts", mail_hosts)):
        if not isinstance(names, list) or not all(isinstance(h, str) and h for h in names):
            raise AlertSettingsError(f"{where}: {name} must be a list of host names")
    return AlertSettings(
        mail=mail,
        sms=sms,
        zalo=zalo,
        push_hosts=tuple(hosts),
        push_contact=found.get("push_contact", ""),
        mail_hosts=tuple(host.lower() for host in mail_hosts),
        push_insecure=found.get("push_insecure") is True,
    )


def _zalo(found: Any, where: str) -> ZaloSettings:
    if not isinstance(found, dict):
        raise AlertSettingsError(f"{where}: zalo must be an object")
    _known(found, ZaloSettings, where + ": zalo")
    for name in ("app_id", "secret", "refresh_token", "template"):
        if not isinstance(found.get(name), str) or not found[name]:
            raise AlertSettingsError(f"{where}: zalo.{name} must be a text that is not empty")
    for name in ("sign_in", "messages"):
        address = urlsplit(str(found.get(name, "https://zalo")))
        if address.scheme not in ("http", "https") or not address.netloc:
            raise AlertSettingsError(f"{where}: zalo.{name} must be an https address")
    fields = found.get("fields", {"place": "{place}", "text": "{text}"})
    if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
        raise AlertSettingsError(f"{where}: zalo.fields must map names to texts")
    most = found.get("most_letters", 200)
    if isinstance(most, bool) or not isinstance(most, int) or not 20 <= most <= 2000:
        raise AlertSettingsError(f"{where}: zalo.most_letters must be from 20 to 2000")
    return ZaloSettings(**found)


def _known(found: dict[str, Any], kind: type, where: str) -> None:
    unknown = sorted(set(found) - set(kind.__dataclass_fields__))  # type: ignore[attr-defined]
    if unknown:
        raise AlertSettingsError(f"{where}: unknown field {unknown[0]!r}")
