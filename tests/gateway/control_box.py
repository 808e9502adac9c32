"""A control box for tests: broker, settings, nodes that speak MQTT, the gateway as a process."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from nongso.gateway import broker as brokers
from nongso.gateway.inbox import Inbox, client_id
from nongso.gateway.settings import GatewaySettings, load
from nongso.gateway.store import Store
from nongso.wire import ack, payload

FARM = "tan-binh"
NODES = {"tb-01": "0200000000000001", "tb-02": "0200000000000002"}
BUS_NODE = "02000000000000ff"
KEY = "k" * 40
BAND = {"low": 40.0, "high": 55.0, "run_seconds": 120, "soak_seconds": 900}
PASSWORDS = {"gateway": "g" * 20, "demo": "d" * 20, "tb-01": "1" * 20, "tb-02": "2" * 20}


def until(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """Wait for a condition; fail with its name when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds} s still not: {what}")
        time.sleep(0.005)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lets_in(
    port: int, user: str, password: str, host: str = "127.0.0.1", ca_file: str | None = None
) -> bool:
    """Whether a broker lets somebody in; by TLS where the authority is given."""
    said: list[bool] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(user, password)
    if ca_file is not None:
        client.tls_set(ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
    client.on_connect = lambda c, u, f, reason, p: said.append(not reason.is_failure)
    client.connect(host, port)
    client.loop_start()
    try:
        until(lambda: said, "the broker's word")
        return said[0]
    finally:
        client.disconnect()
        client.loop_stop()


class Mosquitto:
    """A real broker with passwords and rights; ``kill`` and ``start`` again on the same port."""

    def __init__(self, folder: Path) -> None:
        if brokers.find_mosquitto() is None:
            pytest.skip("Mosquitto is not installed (apt install mosquitto)")
        self.folder = folder
        self.port = free_port()
        nodes = [{"farm": FARM, "slug": slug} for slug in NODES]
        brokers.write_config(folder, self.port, PASSWORDS, nodes)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            brokers.command(self.folder), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        until(lambda: brokers.answers(self.port), "the broker answers")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(5)
        self._process = None

    def forget(self, client_id: str) -> None:
        """Drop what is kept for the gateway of an earlier test: it is not for the next one."""
        if self._process is None:
            return
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        client.username_pw_set("gateway", PASSWORDS["gateway"])
        gone = threading.Event()
        client.on_connect = lambda c, *_: c.disconnect()
        client.on_disconnect = lambda *_: gone.set()
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        assert gone.wait(5)
        client.loop_stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            self._process = None


class Speaker:
    """A node as the broker sees it: publishes raw bytes, notes what it was told."""

    def __init__(self, port: int, user: str, farm: str = FARM) -> None:
        self.told: set[tuple[int, int]] = set()  # (boot, seq) acknowledged by the gateway
        self.acks: list[ack.Ack] = []
        self._farm, self._slug = farm, user
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"speaker-{user}")
        self._client.username_pw_set(user, PASSWORDS[user])
        self._client.max_inflight_messages_set(1000)
        self._client.on_message = self._hear
        self._client.on_connect = lambda c, *_: c.subscribe(f"nongso/1/{farm}/+/ack", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(5)

    def _hear(self, client: Any, userdata: Any, message: Any) -> None:
        found = ack.decode(message.payload)
        self.acks.append(found)
        self.told |= {(found.boot, seq) for seq in range(found.first, found.last + 1)}

    def say(self, raw: bytes, slug: str | None = None, leaf: str = "up", qos: int = 1) -> None:
        topic = f"nongso/1/{self._farm}/{slug or self._slug}/{leaf}"
        self._client.publish(topic, raw, qos, retain=leaf == "status").wait_for_publish(5)

    def say_on(self, topic: str, raw: bytes) -> None:
        self._client.publish(topic, raw, 1).wait_for_publish(5)

    def send(self, raw: bytes, slug: str | None = None) -> None:
        """Publish without waiting for the broker."""
        self._client.publish(f"nongso/1/{self._farm}/{slug or self._slug}/up", raw, 1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def message(
    seq: int, *, node: str = "tb-01", boot: int = 7, at: int | None = 0, warm: int = 2450
) -> bytes:
    """Return a message of three readings; ``at=0`` is now, ``at=None`` a node without clock."""
    base = int(time.time()) if at == 0 else at
    records: list[tuple[str, int, int | None, str | None]] = [
        ("air_temperature", -5 if at is None else 0, warm, None),
        ("air_humidity", -5 if at is None else 0, 801, None),
        ("soil_moisture", -3 if at is None else 2, 421, None),
    ]
    return payload.encode(NODES[node], boot, seq, base, records, simulated=True)


def settings_file(folder: Path, broker_port: int, platform_url: str, **changes: Any) -> Path:
    """Write a ``gateway.json`` as in the contract."""
    found = {
        "gateway": "binh-lu",
        "name": "Tủ điều khiển Bình Lư",
        "simulated": True,
        "broker": {
            "host": "127.0.0.1",
            "port": broker_port,
            "user": "gateway",
            "password": PASSWORDS["gateway"],
        },
        "platform": {"url": platform_url, "key": KEY},
        "status_port": free_port(),
        "bus": {
            "host": "127.0.0.1",
            "port": free_port(),
            "framing": "tcp",
            "lease_seconds": 4.0,
            "relay": {"unit": 1, "device": "relay-waveshare-rtu-8ch"},
            "meter": {"unit": 2, "device": "pulse-meter-sim"},
            "tank": {"unit": 3, "device": "level-qdy30a"},
            "pump_coil": 7,
            "main_coil": 6,
        },
        "bus_node": {"farm": FARM, "slug": "binh-lu-bus", "eui64": BUS_NODE},
        "farms": [{"slug": FARM, "name": "Bản Tân Bình"}],
        "greenhouses": [
            {
                "slug": "tan-binh-1",
                "name": "Nhà màng Tân Bình 1",
                "farm": FARM,
                "area_m2": 500,
                "zones": [
                    {
                        "id": "tan-binh-1-k1",
                        "name": "Khu 1",
                        "coil": 0,
                        "area_m2": 120,
                        "mode": "manual",
                        "max_run_seconds": 1800,
                        "max_day_seconds": 7200,
                        "band": {
                            "low": 40.0,
                            "high": 55.0,
                            "run_seconds": 120,
                            "soak_seconds": 900,
                        },
                    }
                ],
            }
        ],
        "nodes": [
            {
                "farm": FARM,
                "slug": slug,
                "eui64": eui64,
                "greenhouse": "tan-binh-1",
                "zone": "tan-binh-1-k1",
            }
            for slug, eui64 in NODES.items()
        ],
    }
    file = folder / "gateway.json"
    file.write_text(json.dumps({**found, **changes}))
    file.chmod(0o600)
    return file


class Box:
    """The gateway of one test."""

    def __init__(self, folder: Path, mosquitto: Mosquitto, platform_url: str) -> None:
        self.folder = folder
        self.mosquitto = mosquitto
        self.settings_file = settings_file(folder, mosquitto.port, platform_url)
        self.settings: GatewaySettings = load(self.settings_file)
        self._ends: list[Callable[[], None]] = []
        mosquitto.forget(client_id(self.settings))

    def store(self, **options: Any) -> Store:
        made = Store(self.settings.store_file, **options)
        self._ends.append(lambda: made.close(2.0))
        return made

    def inbox(self, store: Store) -> Inbox:
        """Start an inbox, and wait for the broker."""
        made = Inbox(self.settings, store)
        made.start()
        self._ends.append(lambda: made.stop(2.0))
        until(made.is_ready, "the inbox listens")
        return made

    def speaker(self, user: str = "tb-01", farm: str = FARM) -> Speaker:
        made = Speaker(self.mosquitto.port, user, farm)
        self._ends.append(made.close)
        return made

    def process(self) -> "Process":
        made = Process(self.settings_file, self.folder / "gateway.log")
        self._ends.append(made.kill)
        return made

    def close(self) -> None:
        for end in reversed(self._ends):
            end()


class Process:
    """``nongso gateway run`` as a process of its own."""

    def __init__(self, settings: Path, log: Path) -> None:
        self.log = log
        argv = [sys.executable, "-m", "nongso.commands", "gateway", "run"]
        with open(log, "ab") as out:
            self._process = subprocess.Popen(
                [*argv, "--settings", str(settings)],
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def says(self, text: str) -> bool:
        return text in self.log.read_text("utf-8", "replace")

    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask_to_end(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self._process.wait(10)

    def wait(self, seconds: float = 10.0) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(5)
