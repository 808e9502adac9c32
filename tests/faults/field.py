"""Nodes that measure, keep, and send until the gateway has acknowledged; and the ledger.

Each node speaks MQTT with the broker as a board does. What it has measured stays in its ring, over
its own death too, until the gateway's word comes, and then nowhere but with the gateway. The
ledger (``made``) holds all that was ever measured; the platform's store is held against it.
"""

import random
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
from control_box import FARM, NODES, PASSWORDS
from paho.mqtt.enums import CallbackAPIVersion

from nongso.wire import ack, payload

RESEND_SECONDS = 0.7
MOST_AT_ONCE = 300
Key = tuple[int, int]  # boot, seq


class Node:
    """One node. ``measure`` and ``kill`` from outside; sending is its own thread's."""

    def __init__(self, slug: str, port: int, seed: int, began_at: int) -> None:
        self.slug, self.eui64 = slug, NODES[slug]
        self.made: dict[Key, tuple[int, int]] = {}  # time and warmth of each that was measured
        self.is_measuring = False  # by itself, all the time
        self.heard = threading.Event()  # the gateway has just acknowledged something
        self._chance = random.Random(seed)
        self._port = port
        self._at = began_at
        self._boot = self._seq = 0
        self._ring: dict[Key, bytes] = {}
        self._sent: dict[Key, float] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._client: mqtt.Client | None = None
        self._begin()
        self._thread = threading.Thread(target=self._run, name=slug, daemon=True)
        self._thread.start()

    def measure(self, many: int, step_seconds: int = 60) -> None:
        """Lay samples into the ring."""
        with self._lock:
            for _ in range(many):
                self._seq += 1
                self._at += step_seconds
                warm = self._chance.randrange(0, 4000)
                key = (self._boot, self._seq)
                records: list[tuple[str, int, int | None, str | None]] = [
                    ("air_temperature", 0, warm, None)
                ]
                self.made[key] = (self._at, warm)
                self._ring[key] = payload.encode(
                    self.eui64, *key, self._at, records, simulated=True
                )

    def kill(self) -> None:
        """The board restarts: the connection is gone, the ring is there, a new boot begins."""
        client, self._client = self._client, None
        if client is not None:
            self._hang_up(client)
        self._begin()

    def waiting(self) -> int:
        return len(self._ring)

    def end(self) -> None:
        self._ending.set()
        self._thread.join(10)
        client, self._client = self._client, None
        if client is not None:
            self._hang_up(client)

    @staticmethod
    def _hang_up(client: mqtt.Client) -> None:
        client.disconnect()
        client.loop_stop()

    def _begin(self) -> None:
        with self._lock:
            self._boot, self._seq = self._chance.getrandbits(30), 0
            self._sent.clear()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"node-{self.slug}")
        client.username_pw_set(self.slug, PASSWORDS[self.slug])
        client.max_inflight_messages_set(100)
        client.reconnect_delay_set(0.2, 0.5)  # type: ignore[arg-type]
        client.on_connect = self._connected
        client.on_message = self._told
        client.connect_async("127.0.0.1", self._port, keepalive=5)
        client.loop_start()
        self._client = client

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(f"nongso/1/{FARM}/{self.slug}/ack", 1)

    def _told(self, client: Any, userdata: Any, message: Any) -> None:
        found = ack.decode(message.payload)
        keys = {(found.boot, seq) for seq in range(found.first, found.last + 1)}
        with self._lock:
            for key in keys:
                self._ring.pop(key, None)
                self._sent.pop(key, None)
        self.heard.set()

    def _run(self) -> None:
        """Send what is due: oldest first, mostly; some of it twice, some out of turn."""
        while not self._ending.wait(0.02):
            if self.is_measuring:
                self.measure(1)
            client = self._client
            if client is None or not client.is_connected():
                continue
            now = time.monotonic()
            with self._lock:
                due = [
                    (key, raw)
                    for key, raw in self._ring.items()
                    if now - self._sent.get(key, -1e9) > RESEND_SECONDS
                ][:MOST_AT_ONCE]
                self._sent.update((key, now) for key, _ in due)
            if self._chance.random() < 0.2:
                self._chance.shuffle(due)
            if due and self._chance.random() < 0.2:
                due += self._chance.sample(due, min(5, len(due)))
            for _, raw in due:
                client.publish(f"nongso/1/{FARM}/{self.slug}/up", raw, 1)

    def flood(self, many: int) -> None:
        """Send the same word over and over, as a board whose program runs wild."""
        client = self._client
        if client is None or not self.made:
            return
        key, (at, warm) = next(iter(self.made.items()))
        records: list[tuple[str, int, int | None, str | None]] = [
            ("air_temperature", 0, warm, None)
        ]
        raw = payload.encode(self.eui64, *key, at, records, simulated=True)
        for _ in range(many):
            client.publish(f"nongso/1/{FARM}/{self.slug}/up", raw, 1)

    def rows(self) -> set[tuple[str, str, int, float]]:
        """What must stand in the platform's store."""
        with self._lock:
            return {
                (self.eui64, "air_temperature", at, warm / 100) for at, warm in self.made.values()
            }
