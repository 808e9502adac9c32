"""Adds a second platform to ``gateway.json``, for whoever sets up a box on the farm.

The file keeps all else that it holds; its old form (one ``platform``) becomes a list. Platforms
are taken out, and keys changed, by hand: what a platform that is gone had still to get is then
given up.
"""

import json
import secrets
from pathlib import Path
from typing import Any

from nongso.gateway.errors import SettingsError
from nongso.gateway.settings import MOST_PLATFORMS, Platform, load
from nongso.gateway.wholefiles import alone, settings_written


def add(
    settings_file: Path,
    *,
    platform_id: str,
    name: str,
    url: str,
    ca_file: Path | None = None,
) -> Platform:
    """Write the platform into the file with a new key. Raises ``SettingsError``.

    The file is replaced in one step, so that a power cut leaves the old one or the new one.
    """
    try:
        with alone(settings_file.parent):
            found = _with_another(settings_file, platform_id, name, url, ca_file)
            new, settings = settings_written(settings_file, found)
            new.replace(settings_file)
    except OSError as error:
        raise SettingsError(f"{settings_file} cannot be written: {error}") from None
    return settings.destinations[-1]


def _with_another(
    settings_file: Path, platform_id: str, name: str, url: str, ca_file: Path | None
) -> dict[str, Any]:
    known = load(settings_file).destinations
    if platform_id in {platform.id for platform in known}:
        raise SettingsError(f"{settings_file} names a platform {platform_id!r} already")
    if len(known) >= MOST_PLATFORMS:
        raise SettingsError(f"{settings_file} names {MOST_PLATFORMS} platforms already")
    found: dict[str, Any] = json.loads(settings_file.read_text("utf-8"))
    first = found.pop("platform", None)
    platforms = found.setdefault("platforms", [])
    if first is not None:
        platforms.append({"id": known[0].id, **first})
    added = {"id": platform_id, "name": name, "url": url, "key": secrets.token_urlsafe(32)}
    if ca_file is not None:
        added["ca_file"] = str(ca_file.absolute())
    platforms.append(added)
    return found
