"""What a new board starts from: its sensors, pins and interval, without a name or a secret.

``stations/new.json`` beside ``gateway.json`` is for every new station (left out: the example's);
``stations/<name>.json`` is what this station was given, so that a board that takes its place
measures the same. The files are a ``config.json`` as ``docs/node.md`` describes it.
"""

import json
import logging
from pathlib import Path
from typing import Any

from nongso.gateway.settings import GatewaySettings
from nongso.gateway.simulated import boards
from nongso.gateway.wholefiles import written

log = logging.getLogger(__name__)

_SECRET = ("farm", "node", "eui64", "key", "broker", "wifi", "setup", "ca")


def first(settings: GatewaySettings, slug: str) -> dict[str, Any]:
    """Return what a board that is to be this station starts from."""
    folder = settings.folder / "stations"
    for file in (folder / f"{slug}.json", folder / "new.json"):
        found = _read(file)
        if found is not None:
            return {key: value for key, value in found.items() if key not in _SECRET}
    return _read(boards.firmware_folder() / "config.example.json") or {}


def keep(settings: GatewaySettings, slug: str, config: dict[str, Any]) -> None:
    """Keep what a station was given; that it cannot be kept is no reason not to let it in."""
    file = settings.folder / "stations" / f"{slug}.json"
    kept = {key: value for key, value in config.items() if key not in _SECRET}
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        written(file, json.dumps(kept, ensure_ascii=False, indent=1)).replace(file)
    except OSError as error:
        log.error("what station %s was given cannot be kept: %s", slug, error)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.error("%s cannot be read and is left aside: %s", file, error)
        return None
    return found if isinstance(found, dict) else None
