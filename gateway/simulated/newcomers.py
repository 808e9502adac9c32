"""Stations that were let in since ``farm.json`` was written: where on the farm they stand.

The gateway's settings say it; they are looked at again when they have changed. A board without a
zone has its probe in the first one of its greenhouse.
"""

import json
from typing import Any

from nongso.gateway.simulated.settings import FarmSettings, Node

DRY, WET = 2900, 1200  # counts of a new board's probe, as its first configuration has them


class Newcomers:
    """Every station of the farm by its name. May be asked from several threads."""

    def __init__(self, settings: FarmSettings) -> None:
        self._settings = settings
        self._first = {node.slug: node for node in settings.nodes}
        self._zones = {
            house.slug: [zone.id for zone in house.zones]
            for house in settings.houses
            if house.zones
        }
        self._seen: tuple[object, dict[str, Node]] = (None, {})

    def __getitem__(self, slug: str) -> Node:
        """The station of that name. Raises ``KeyError``."""
        known = self._first.get(slug)
        return known if known is not None else self._come()[slug]

    def _come(self) -> dict[str, Node]:
        file = self._settings.stations
        try:
            about = None if file is None else file.stat()
            mark = None if about is None else (about.st_mtime_ns, about.st_ino)
            if file is not None and mark != self._seen[0]:
                found = json.loads(file.read_text("utf-8"))["nodes"]
                come = {str(one["slug"]): self._node(one) for one in found}
                self._seen = (mark, self._seen[1] | come)  # who was taken out still stands there
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # being written anew, or not there: nobody has come
        return self._seen[1]

    def _node(self, one: dict[str, Any]) -> Node:
        house = str(one["greenhouse"])
        zones = self._zones[house]
        zone = one.get("zone")
        standing = zone if zone in zones else zones[0]
        return Node(str(one["slug"]), str(one["eui64"]), house, standing, DRY, WET)
