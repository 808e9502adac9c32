"""Where each station stands, and since when: what it measured elsewhere decides nothing here.

A station that is moved, or taken out and let in again, brings readings of its old soil with it:
those that are in memory and those that it kept while nobody heard it. They are stored and sent as
history, but no rule sees them (``Latest.begin_anew``). Where a station stood is kept on the disk,
so that a restart in between changes nothing.
"""

import json
import time
from collections.abc import Callable
from typing import Protocol

from nongso.gateway.latest import Latest
from nongso.gateway.settings import GatewaySettings

_NOWHERE = ""


class State(Protocol):
    """The store's small durable state."""

    def state(self, key: str) -> str | None: ...

    def set_state(self, key: str, value: str) -> None: ...


class Places:
    """Keeps in mind where stations stand. One thread at a time."""

    def __init__(
        self,
        settings: GatewaySettings,
        latest: Latest,
        store: State,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._latest, self._store, self._clock = latest, store, clock
        self._of = _places(settings)
        for eui64, place in self._of.items():
            text = store.state(_key(eui64))
            if text is None:
                self._keep(eui64, place, None)
                continue
            before = json.loads(text)
            if before["place"] != place:  # moved while the gateway did not run
                self._moved(eui64, place)
            elif before["since"] is not None:
                latest.begin_anew(eui64, before["since"])

    def renew(self, settings: GatewaySettings) -> None:
        """Take up what has changed; to be told before anybody who decides by readings."""
        before, self._of = self._of, _places(settings)
        for eui64 in before.keys() - self._of.keys():
            self._moved(eui64, _NOWHERE)
        for eui64, place in self._of.items():
            if before.get(eui64) != place:
                self._moved(eui64, place)

    def _moved(self, eui64: str, place: str) -> None:
        now = self._clock()
        self._latest.begin_anew(eui64, now)
        self._keep(eui64, place, now)

    def _keep(self, eui64: str, place: str, since: float | None) -> None:
        self._store.set_state(_key(eui64), json.dumps({"place": place, "since": since}))


def _key(eui64: str) -> str:
    return f"place:{eui64}"


def _places(settings: GatewaySettings) -> dict[str, str]:
    return {node.eui64: f"{node.greenhouse}/{node.zone or ''}" for node in settings.nodes}
