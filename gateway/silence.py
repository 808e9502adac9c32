"""Alarms for nodes that say nothing: raised after a while, cleared when they speak again."""

import json
import logging
import time
from collections.abc import Callable, Mapping

from nongso.gateway.ledger import new_alarm
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.store import Store

log = logging.getLogger(__name__)

SILENT_SECONDS = 900.0


class Silence:
    """Watches when each node was heard; ``heard_at`` maps EUI-64 to steady seconds.

    A node that was not heard since the start is silent from the time of its last reading, or
    from the start if it never had one. The open alarm is in the store's state, so that it is
    cleared also after a restart.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        store: Store,
        heard_at: Mapping[str, float],
        steady: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._nodes = settings.nodes
        self._store = store
        self._heard_at = heard_at
        self._steady, self._clock = steady, clock
        self._began_at = steady()
        self._known_since: dict[str, float] = {}  # of boards that came later

    def renew(self, settings: GatewaySettings) -> None:
        """Watch new boards from now on; of one that is gone nothing is missed any more."""
        gone = {node.eui64 for node in self._nodes} - {node.eui64 for node in settings.nodes}
        for node in settings.nodes:
            if node not in self._nodes:
                self._known_since.setdefault(node.eui64, self._steady())
        self._nodes = settings.nodes
        for eui64 in gone:
            alarm = self._store.state(self._key(eui64))
            if alarm:
                cleared = json.loads(alarm) | {"cleared_at": int(self._clock())}
                self._store.record_soon("alarm", cleared, {self._key(eui64): ""})

    def tick(self) -> None:
        """Look at all nodes; cheap enough for once a second."""
        now = self._steady()
        for node in self._nodes:
            quiet = now - self._heard_at.get(
                node.eui64, self._known_since.get(node.eui64, self._began_at)
            )
            alarm = self._store.state(self._key(node.eui64))
            if quiet > SILENT_SECONDS and not alarm:
                log.warning("node %s says nothing for %d s", node.slug, quiet)
                self._raise(node.eui64, quiet)
            elif alarm and node.eui64 in self._heard_at and quiet <= SILENT_SECONDS:
                log.warning("node %s speaks again", node.slug)
                cleared = json.loads(alarm) | {"cleared_at": int(self._clock())}
                self._store.record_soon("alarm", cleared, {self._key(node.eui64): ""})

    def _raise(self, eui64: str, quiet: float) -> None:
        since = int(self._clock() - quiet)
        if eui64 not in self._heard_at:
            known = [reading.at for reading in self._store.latest.of_node(eui64)]
            since = max((at for at in known if at < since), default=since)
        alarm = new_alarm("node_silent", {"node": eui64, "since": since})
        text = json.dumps(alarm)
        self._store.record_soon("alarm", alarm, {self._key(eui64): text})

    @staticmethod
    def _key(eui64: str) -> str:
        return f"silent:{eui64}"
