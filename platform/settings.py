"""What the platform is told at start: ``platform.json``, read once into a frozen record.

Nothing else in the platform reads files or the environment for settings. A setting that would
make the server unsafe (a short or well-known secret) or that cannot work is refused here, with
a sentence that names the file and the field.
"""

import ipaddress
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nongso.platform import records_address

SHORTEST_SECRET = 32  # characters; `secrets.token_hex(32)` gives 64
# Go before the file: a token or password need not stand in it.
TELEMETRY_VARIABLE = "NONGSO_TELEMETRY"
RECORDS_VARIABLE = "NONGSO_RECORDS"
KEYS_VARIABLE = "NONGSO_KEYS"
KEYS_FILE = "sealing.keys"
_KNOWN_SECRETS = ("secret", "changeme", "change-me", "default", "nongso", "password", "dev")


class SettingsError(Exception):
    """The settings cannot be used; the text says which file, which field and what is expected."""


@dataclass(frozen=True)
class Settings:
    """The platform's settings.

    ``url`` is the address that people type; ``label_url`` the one that is printed on labels
    (shorter, kept for years). ``threads`` is the least number of threads that answer requests;
    the server adds one for each gateway that waits for commands. ``proxy`` is the IP address of
    the reverse proxy in front, whose word about the asker's address is believed; empty if none.
    ``records`` names the database (``nongso.platform.records_address``), ``telemetry`` the store
    of readings (``nongso.platform.telemetry.address``); empty means a SQLite file in the folder.
    """

    folder: Path
    secret: str
    host: str = "127.0.0.1"
    port: int = 8080
    url: str = "http://127.0.0.1:8080"
    label_url: str = "http://127.0.0.1:8080"
    threads: int = 8
    proxy: str = ""
    telemetry: str = field(default="", repr=False)  # may hold a token
    records: str = field(default="", repr=False)  # may hold a password
    keys: str = ""  # the file of the keys that seal secrets (nongso.platform.seals)
    local: bool = False  # on the farm's own box, beside the cooperative's (nongso.platform.local)
    scan_days: int = 30  # how long single scans of packs are kept (nongso…traceability.scans)
    security_contact: str = ""  # mailto:, tel: or https://, for /.well-known/security.txt

    @property
    def records_file(self) -> Path:
        """Accounts, farms, commands, events, lots; not there when they are in PostgreSQL."""
        return self.folder / (records_address.read(self.records).file or "records.sqlite")

    @property
    def records_in_file(self) -> bool:
        """Say whether the records are in SQLite's file."""
        return bool(records_address.read(self.records).file)

    @property
    def records_name(self) -> str:
        """Where the records are, as people are told; never with a password."""
        address = records_address.read(self.records)
        return str(self.records_file) if address.file else address.name

    @property
    def keys_file(self) -> Path:
        """The keys that open what is sealed in the records."""
        return Path(self.keys) if self.keys else self.folder / KEYS_FILE

    @property
    def telemetry_file(self) -> Path:
        """Readings."""
        return self.folder / "telemetry.sqlite"

    @property
    def files_folder(self) -> Path:
        """What was uploaded or printed."""
        return self.folder / "files"

    @property
    def secure_cookies(self) -> bool:
        """Cookies go over TLS only, as soon as people reach the platform by https."""
        return self.url.startswith("https://")


def load(path: Path) -> Settings:
    """Read ``platform.json``. Raises ``SettingsError``."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is not JSON: {error}") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: is nested too deeply") from error
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: an object with the platform's settings is expected")
    return checked(found, str(path))


def checked(found: dict[str, Any], where: str = "settings") -> Settings:
    """Make settings from decoded JSON, field by field. Raises ``SettingsError``."""
    known = {
        "folder",
        "secret",
        "host",
        "port",
        "url",
        "label_url",
        "threads",
        "proxy",
        "telemetry",
        "records",
        "keys",
        "scan_days",
        "security_contact",
        "local",
    }
    unknown = sorted(set(found) - known)
    if unknown:
        raise SettingsError(
            f"{where}: unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )

    def text(name: str, default: str | None = None) -> str:
        value = found.get(name, default)
        if not isinstance(value, str) or not value:
            raise SettingsError(f"{where}: {name} must be a text that is not empty")
        return value

    def number(name: str, default: int, low: int, high: int) -> int:
        value = found.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SettingsError(f"{where}: {name} must be a whole number from {low} to {high}")
        return value

    def yes_or_no(name: str) -> bool:
        value = found.get(name, False)
        if not isinstance(value, bool):
            raise SettingsError(f"{where}: {name} must be true or false")
        return value

    def address(name: str, default: str) -> str:
        value = text(name, default).rstrip("/")
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
            raise SettingsError(f"{where}: {name} must be an http or https address, not {value!r}")
        return value

    def contact() -> str:
        value = found.get("security_contact", "")
        if value and not re.fullmatch(r"(mailto:|https://|tel:)[!-~]{3,300}", str(value)):
            raise SettingsError(
                f"{where}: security_contact must begin with mailto:, tel: or https://"
            )
        return str(value)

    def records() -> str:
        value = os.environ.get(RECORDS_VARIABLE) or text("records", records_address.DEFAULT)
        try:
            records_address.read(value)
        except records_address.AddressError as error:
            raise SettingsError(f"{where}: records: {error}") from None
        return value

    def ip_address(name: str) -> str:
        value = found.get(name, "")
        try:
            return str(ipaddress.ip_address(value)) if value else ""
        except ValueError:
            raise SettingsError(f"{where}: {name} must be an IP address, not {value!r}") from None

    secret = text("secret")
    if len(secret) < SHORTEST_SECRET or len(set(secret)) < 8 or secret.lower() in _KNOWN_SECRETS:
        raise SettingsError(
            f"{where}: secret must be at least {SHORTEST_SECRET} random characters; "
            "make one with: python3 -c 'import secrets; print(secrets.token_hex(32))'"
        )
    host = text("host", "127.0.0.1")
    port = number("port", 8080, 0, 65535)
    url = address("url", f"http://{host}:{port}")
    return Settings(
        folder=Path(text("folder")),
        secret=secret,
        host=host,
        port=port,
        url=url,
        label_url=address("label_url", url),
        threads=number("threads", 8, 1, 256),
        proxy=ip_address("proxy"),
        telemetry=os.environ.get(TELEMETRY_VARIABLE)
        or text("telemetry", "sqlite:///telemetry.sqlite"),
        records=records(),
        keys=os.environ.get(KEYS_VARIABLE) or text("keys", str(Path(text("folder")) / KEYS_FILE)),
        security_contact=contact(),
        local=yes_or_no("local"),
        scan_days=number("scan_days", 30, 1, 365),
    )
