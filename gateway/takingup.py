"""Stations that come while the gateway runs: ``gateway.json`` is looked at once a second.

Only what stations are may change under way: their names, boards and keys, a farm that is new, a
greenhouse without zones, and the station that measures a source's level. Everything else (zones,
relays, platforms, sensors on a fieldbus) is read at the next start, and the log says so once.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nongso.gateway.errors import SettingsError
from nongso.gateway.settings import GatewaySettings, Node, load

log = logging.getLogger(__name__)


class TakingUp:
    """Watches one settings file. ``tick`` may come from several threads, one at a time."""

    def __init__(
        self, file: Path, settings: GatewaySettings, renew: Callable[[GatewaySettings], None]
    ) -> None:
        self._file, self.settings, self._renew = file, settings, renew
        self._seen = _mark_of(file)

    def tick(self) -> None:
        """Take up what has changed since the last look."""
        mark = _mark_of(self._file)
        if mark is None or mark == self._seen:
            return
        self._seen = mark
        try:
            found = load(self._file)
        except SettingsError as error:
            log.error("the changed settings are not taken up: %s", error)
            return
        if found == self.settings:
            return
        usable = with_stations_of(self.settings, found)
        if usable != found:
            log.warning(
                "%s has changed in more than its stations; restart the gateway for the rest",
                self._file,
            )
        if usable == self.settings:
            return
        before, self.settings = self.settings, usable
        self._renew(usable)
        for node in usable.nodes:
            if node not in before.nodes:
                log.warning("station %s of %s is known now: %s", node.slug, node.farm, node.eui64)


def with_stations_of(settings: GatewaySettings, found: GatewaySettings) -> GatewaySettings:
    """Return the settings with what ``found`` says of stations, where that fits together."""
    wired = [node for node in settings.nodes if node.sensor is not None]
    known = {house.slug for house in settings.greenhouses}
    new = [h for h in found.greenhouses if h.slug not in known and not h.zones]
    houses = (*settings.greenhouses, *new)
    zones = {zone.id for house in houses for zone in house.zones}
    slugs = {house.slug for house in houses}
    fit = [node for node in found.boards if _fits(node, slugs, zones)]
    farms = {farm.slug: farm for farm in (*settings.farms, *found.farms)}
    nodes = tuple(
        node
        for node in (*fit, *wired)
        if (node.farm, node.slug) != (settings.bus_node.farm, settings.bus_node.slug)
    )
    order = {node.eui64: place for place, node in enumerate(found.nodes)}
    boards = {node.eui64 for node in nodes} | {settings.bus_node.eui64}
    levels = {source.id: source.level_node for source in found.sources}
    sources = tuple(
        replace(source, level_node=levels[source.id])
        if source.id in levels and levels[source.id] in {None, *boards}
        else source
        for source in settings.sources
    )
    return replace(
        settings,
        farms=tuple(farms.values()),
        greenhouses=houses,
        nodes=tuple(sorted(nodes, key=lambda node: order.get(node.eui64, len(order)))),
        sources=sources,
    )


def _fits(node: Node, houses: set[str], zones: set[str]) -> bool:
    return node.greenhouse in houses and node.zone in {None, *zones}


def _mark_of(file: Path) -> tuple[int, int] | None:
    """What changes when a file is written or replaced; ``None`` while it is not there."""
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino
