"""What must be right before the server answers anybody; otherwise it does not start.

Short and well-known secrets are refused where the settings are read. Here: nobody but the owner
may read the file that holds the secret, and no debugger stands open. What is only unwise is
said once in the log.
"""

import logging
import os
import stat
from pathlib import Path

from flask import Flask

from nongso.platform import second_factor
from nongso.platform.settings import Settings, SettingsError
from nongso.platform.store import Records

log = logging.getLogger(__name__)

_DEBUG_VARIABLE = "FLASK_DEBUG"


def refuse_unsafe(settings_file: Path, app: Flask) -> None:
    """Raise ``SettingsError`` with what to do when the server must not start so."""
    if os.name == "posix" and _is_open(settings_file):
        raise SettingsError(
            f"{settings_file} holds the secret of all log-ins and every user of this machine can "
            f"read it. Close it with: chmod 600 {settings_file}; then make a new secret, because "
            "nobody knows who has read the old one."
        )
    keys: Settings = app.extensions["nongso.settings"]
    if os.name == "posix" and keys.keys_file.exists() and _is_open(keys.keys_file):
        raise SettingsError(
            f"{keys.keys_file} opens what is sealed in the records and every user of this machine "
            f"can read it. Close it with: chmod 600 {keys.keys_file}; then make a new key with: "
            f"nongso platform reseal --settings {settings_file}"
        )
    if os.environ.get(_DEBUG_VARIABLE, "").lower() not in ("", "0", "false", "no"):
        raise SettingsError(
            f"{_DEBUG_VARIABLE} is set: a debugger lets strangers run programs here. Unset it."
        )
    if app.debug or app.testing:
        raise SettingsError("The application is in debug mode; it is not to be served so.")


def _is_open(file: Path) -> bool:
    return bool(stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO)


def warn_unwise(settings: Settings, records: Records) -> None:
    """Say what an operator should still do."""
    if why := second_factor.trouble(records):
        log.error(
            "%s: until then nobody with a second factor comes in, but by a recovery code", why
        )
    if not settings.security_contact:
        log.warning(
            "security_contact is not set in platform.json: whoever finds a fault cannot tell you "
            "(/.well-known/security.txt answers 404)"
        )
    if not settings.secure_cookies and settings.host not in ("127.0.0.1", "::1", "localhost"):
        log.warning(
            "%s is reached without TLS: passwords can be read on the way. Put a proxy with a "
            "certificate in front and set url to https://",
            settings.url,
        )
