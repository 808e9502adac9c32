"""The gateway's process: puts the rooms together, runs until it is asked to end.

Watering has a thread of its own, paced by the steady clock: losing broker, platform, disk or
wall clock does not stop it. ``init`` writes a first settings file.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from nongso.gateway import storecopy
from nongso.gateway.buspoll import BusPoll
from nongso.gateway.calibrating import Calibrating
from nongso.gateway.errors import GatewayError, SettingsError
from nongso.gateway.homeassistant import Output
from nongso.gateway.inbox import Inbox
from nongso.gateway.newstations import NewStations
from nongso.gateway.ownprocess import OwnProcess
from nongso.gateway.places import Places
from nongso.gateway.removing import Removing
from nongso.gateway.sensornodes import SensorLines, SensorNodes
from nongso.gateway.settings import GatewaySettings, Node, first_settings, load
from nongso.gateway.silence import Silence
from nongso.gateway.status import StatusServer, reading_report
from nongso.gateway.stops import Given
from nongso.gateway.store import Store
from nongso.gateway.takingup import TakingUp
from nongso.gateway.updates import Updates
from nongso.gateway.uplink import Uplink
from nongso.gateway.valves.client import Valves
from nongso.gateway.watering import Watering

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
_ENDS = (signal.SIGTERM, signal.SIGINT)


class Gateway:
    """All parts of one gateway. ``start`` and ``stop`` once each."""

    def __init__(self, settings: GatewaySettings, settings_file: Path | None = None) -> None:
        self.settings = settings
        self.store = Store(
            settings.store_file,
            most_bytes=settings.store_megabytes << 20,
            destinations=[platform.id for platform in settings.destinations],
        )
        self._places = Places(settings, self.store.latest, self.store)
        self.valves = Valves(settings.valves_socket)
        self.watering = Watering(settings, self.valves, self.store.latest, self.store)
        self.updates = Updates(settings, self.store, self._say)
        self.inbox = Inbox(settings, self.store, self._hear_node)
        file = settings_file or settings.folder / "gateway.json"
        self._taking_up = TakingUp(file, settings, self._renew)
        self._taking_lock = threading.Lock()
        self.new_stations = NewStations(
            file, lambda: self._taking_up.settings, self.store, self._take_up
        )
        self.removing = Removing(file, lambda: self._taking_up.settings, self.store, self._take_up)
        self.calibrating = Calibrating(
            lambda: self._taking_up.settings, self.store, self._say, self.watering.teaching
        )
        self.uplink = Uplink(settings, self.store, self._order)
        sensors = SensorNodes(settings, self.inbox.accept)
        self._polling = BusPoll(settings, self.valves, self.inbox.accept, hear=sensors.hear_bus)
        self._lines = SensorLines(settings, sensors.hear)
        self._silence = Silence(settings, self.store, self.inbox.heard_at)
        wanted = settings.home_assistant
        self._output = Output(settings, wanted, self.store.latest) if wanted else None
        self._process = OwnProcess()
        self._status = StatusServer(settings, self.report)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._paced, args=(work,), name=name, daemon=True)
            for name, work in (("watering", self.watering.tick), ("watching", self._watch))
        ]

    def start(self) -> None:
        """Begin: water first, then the rest."""
        self.uplink.introduce()  # before any row that names a zone
        for thread in self._threads:
            thread.start()
        self._status.start()
        self._lines.start()
        self.inbox.start()
        self.uplink.start()
        if self._output is not None:
            self._output.start()

    def stop(self) -> None:
        """End within three seconds: close what runs, write it down, and give the lease back."""
        self._stopping.set()
        self.valves.hurry(0.5)
        self._threads[0].join(0.5)
        self.watering.end()
        self.valves.close()
        self._lines.stop(0.1)
        if self._output is not None:
            self._output.stop(0.1)
        self.new_stations.stop(0.3)
        self.inbox.stop(0.7)
        self.uplink.stop(0.5)
        self._status.stop()
        self.store.close(1.0)

    def _watch(self) -> None:
        self._polling.tick(self.watering.running())
        self._silence.tick()
        self.updates.tick()
        self._take_up()
        self.calibrating.tick()

    def _order(self, command: dict[str, Any], given: Given) -> dict[str, Any]:
        """Hand an order of a platform to whoever does such things; returns its outcome."""
        if command.get("do") == "enrol":
            return self.new_stations.order(command)
        if command.get("do") == "remove":
            return self.removing.order(command)
        if command.get("do") == "calibrate":
            return self.calibrating.order(command)
        return self.watering.order(command, given)

    def _hear_node(self, node: Node, raw: bytes) -> str | None:
        return None if self.calibrating.take(node, raw) else self.updates.take(node, raw)

    def _take_up(self) -> None:
        """See whether there are new stations in the settings."""
        with self._taking_lock:
            self._taking_up.tick()

    def _renew(self, settings: GatewaySettings) -> None:
        """Let every part know the stations of now."""
        self.settings = self._status.settings = settings
        self._places.renew(settings)  # before anybody decides by what they measured elsewhere
        self.uplink.renew(settings)  # then: what the others record may name the new ones
        for part in (self.inbox, self.updates, self._silence, self.watering):
            part.renew(settings)
        if self._output is not None:
            self._output.renew(settings)

    def _say(self, topic: str, message: bytes) -> None:
        self.inbox.say(topic, message)

    def _paced(self, work: Any) -> None:
        """Do ``work`` once a second by the steady clock; what fails once is tried again."""
        due = time.monotonic()
        failed: str | None = None
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + TICK_SECONDS, time.monotonic())
            try:
                work()
            except Exception as error:
                if failed != repr(error):
                    log.exception("a turn of %s failed; it goes on", work.__qualname__)
                failed = repr(error)
            else:
                failed = None

    def report(self) -> dict[str, Any]:
        """Say how everything is, for the status page."""
        store = self.store.report()
        rows = store["rows"]
        newest = self.store.latest.of_node
        everyone = [(node.slug, node.eui64) for node in self.settings.nodes]
        everyone.append((self.settings.bus_node.slug, self.settings.bus_node.eui64))
        return {
            "ok": store["ok"] and self.inbox.is_connected(),
            "gateway": self.settings.gateway,
            **self._process.report(self.settings.folder),
            "simulated": self.settings.simulated,
            "broker_connected": self.inbox.is_connected(),
            "broker_connected_since": self.inbox.connected_since,
            "platform": self.uplink.report(),
            "outbox": {name: rows.get(name, 0) for name in ("protected", "telemetry")},
            "refused": dict(self.inbox.refused),
            "refused_lately": list(reversed(list(self.inbox.refused_lately.values()))),
            "inbox": {"accepted": self.inbox.accepted, "not_stored": self.inbox.not_stored},
            "store": store,
            "nodes": {
                slug: {
                    "eui64": eui64,
                    "state": self.store.state(f"node:{eui64}"),
                    "latest": {r.name: reading_report(r) for r in newest(eui64)},
                    "time": self.inbox.time_quality.get(eui64, ""),
                }
                for slug, eui64 in everyone
            },
            "programs": self.updates.report(),
            "zones": self.watering.states(),
        }


def run(settings_file: Path) -> int:
    """Run the gateway until SIGTERM or SIGINT. Returns the exit status."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # Taken where they are waited for: a handler that sets an event can interrupt the very wait
    # whose lock it needs, and then the gateway would never end. Threads inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        settings = load(settings_file)
        gateway = Gateway(settings, settings_file)
    except GatewayError as error:
        print(f"The gateway cannot run. {error}", file=sys.stderr)
        return 1
    log.info(
        "gateway %s: %d nodes, %d zones, store %s, platform %s%s",
        *(settings.gateway, len(settings.nodes), len(settings.zones())),
        *(settings.store_file, " and ".join(p.url for p in settings.destinations)),
        ", SIMULATED" if settings.simulated else "",
    )
    gateway.start()
    signal.sigwait(_ENDS)
    gateway.stop()
    log.info("gateway %s has ended", settings.gateway)
    return 0


def take_over(settings_file: Path) -> bool:
    """Let this machine take over an identity: that of the settings, and of the store beside them.

    Returns whether there was a store. Raises ``SettingsError`` and ``StoreError``.
    """
    settings = load(settings_file)
    there = settings.store_file.exists()
    storecopy.take_up(settings.store_file, [platform.id for platform in settings.destinations])
    return there


def init(
    settings_file: Path,
    *,
    gateway: str,
    name: str,
    platform_url: str,
    farm: str | None = None,
    farm_name: str | None = None,
) -> None:
    """Write ``gateway.json`` for a new gateway, with new keys, readable by its owner only.

    ``farm`` is the slug of its first farm, the gateway's own slug if left out. Raises
    ``SettingsError`` when the file is there already (its keys would be lost) or a value is wrong.
    """
    settings = first_settings(gateway, name, farm or gateway, farm_name or name, platform_url)
    try:
        settings_file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(settings_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SettingsError(
            f"{settings_file} is there already and holds keys; move it away to make a new one"
        ) from None
    except OSError as error:
        raise SettingsError(f"{settings_file} cannot be written: {error}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(settings, file, ensure_ascii=False, indent=1)
        file.write("\n")
