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

from nongso.platform.settings import Settings, SettingsError

log = logging.getLogger(__name__)

_DEBUG_VARIABLE = "FLASK_DEBUG"


def refuse_unsafe(settings_file: Path, app: Flask) -> None:
    """Raise ``SettingsError`` with what to do when the server must not start so."""
    if os.name == "posix" and stat.S_IMODE(settings_file.stat().st_mode) & stat.S_IRWXO:
        raise SettingsError(
            f"{settings_file} holds the secret of all log-ins and every user of this machine can "
            f"read it. Close it with: chmod 600 {settings_file}; then make a new secret, because "
            "nobody knows who has read the old one."
        )
    if os.environ.get(_DEBUG_VARIABLE, "").lower() not in ("", "0", "false", "no"):
        raise SettingsError(
            f"{_DEBUG_VARIABLE} is set: a debugger lets strangers run programs here. Unset it."
        )
    if app.debug or app.testing:
        raise SettingsError("The application is in debug mode; it is not to be served so.")


def warn_unwise(settings: Settings) -> None:
    """Say what an operator should still do."""
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
