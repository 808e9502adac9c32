"""A broker, chips and node processes for the tests of the node; all on loopback, all bounded."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from nongso.gateway.simulated import boards
from nongso.gateway.simulated.chips import ChipBus
from nongso.node import record
from nongso.node.ring import Ring
from nongso.wire import ack, payload

ROOT = Path(__file__).parents[2]
# What drivers import on CPython is in the simulated board's folder.
sys.path.append(str(ROOT / "gateway" / "simulated" / "board"))
sys.path.append(str(ROOT / "tests" / "firmware"))  # chip_models

# Whole boards, minutes of them: not in CI's run, but with "make boards".
on_boards = pytest.mark.skipif("BOARDS" not in os.environ, reason="a long one: make boards")

FARM, NODE, EUI64 = "tan-binh", "tb-01", "02a1b2c3d4e5f601"
OLD_BOOT = 77
TRUTH = {
    "air_temperature": 24.5,
    "air_humidity": 71.2,
    "light": 61000.0,
    "soil_moisture": 44.4,
    "dry": 2900,
    "wet": 1200,
}


def until(
    condition: Callable[[], Any], what: str, seconds: float = 15.0, pause: float = 0.01
) -> Any:
    """Wait until ``condition()`` is true; fail with ``what`` after some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(pause)
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> str:
    """An empty folder, as the runner for MicroPython gives it."""
    return str(tmp_path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A real Mosquitto without memory: what it confirmed is gone when it falls."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if found is None:
            pytest.skip("Mosquitto is not installed: apt install mosquitto")
        self._program = found
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, "the broker")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
            return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, is_paused: bool) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if is_paused else signal.SIGCONT)


def alone(pack: list[dict[str, Any]]) -> list[bytes]:
    """Each sample of a message as if it had come alone."""
    if not any("bn" in one for one in pack[1:]):
        return [json.dumps(pack, separators=(",", ":")).encode()]
    own = [one for one in pack if "n" in one]
    series: list[tuple[str, str, list[dict[str, Any]]]] = []
    for one in pack[len(own) :]:
        if "bn" in one:
            series.append((one["bn"][len(pack[0]["bn"]) :], one.get("bu", ""), []))
        series[-1][2].append(one)
    found = []
    for k, number in enumerate(series[0][2]):
        made = [{**own[0], "bt": own[0].get("bt", 0) + number.get("t", 0)}]
        made += [{"n": "seq", "v": number["v"]}, *own[1:]]
        for name, unit, records in series[1:]:
            if "v" in records[k]:
                made.append({"n": name, "u": unit, "v": records[k]["v"]})
            else:
                made.append({"n": name, "vs": records[k]["vs"]})
        found.append(json.dumps(made, separators=(",", ":")).encode())
    return found


class Gateway:
    """Stands in for the gateway: hears every message and acknowledges as it is told."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[int, int, bytes]] = []  # boot, seq, the sample's own message
        self.messages = 0
        self.status: list[tuple[str, bool]] = []  # word, retained
        self.acknowledges = True
        self.acknowledges_message: Callable[[], bool] = lambda: self.acknowledges
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "gateway")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda c, *_: c.subscribe(f"nongso/1/{FARM}/{NODE}/#", 1)
        self._client.on_message = self._take
        self._is_subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._is_subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._is_subscribed.wait(5)

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        leaf = message.topic.rpartition("/")[2]
        if leaf == "status":
            self.status.append((message.payload.decode(), message.retain))
        elif leaf == "up":
            self.messages += 1
            pack = json.loads(message.payload)
            _, boot, seqs = payload.identify(pack)
            for seq, sample in zip(seqs, alone(pack), strict=True):
                self.heard.append((boot, seq, sample))
            if self.acknowledges_message():
                self.acknowledge(boot, seqs[0], seqs[-1])

    def acknowledge(self, boot: int, first: int, last: int) -> None:
        self.say("ack", ack.encode(boot, first, last))

    def say(self, leaf: str, message: bytes) -> None:
        self._client.publish(f"nongso/1/{FARM}/{NODE}/{leaf}", message, 1)

    def numbers(self, boot: int) -> set[int]:
        return {seq for b, seq, _ in list(self.heard) if b == boot}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes its inner sockets when it goes. In a ring of references, which a test's words
        # for ``acknowledges_message`` may make, they go first and complain.
        self._client.on_message = self._client.on_subscribe = None
        del self._client


class NodeProcess:
    """One node's folder and its process, under either interpreter."""

    def __init__(self, folder: Path, config: dict[str, Any], micropython: bool) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        self._plan = boards.launch_plan(folder, micropython=micropython)
        self.process: subprocess.Popen[bytes] | None = None
        self._cat: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *,
        heap: str | None = None,
        log_through_pipe: bool = False,
        paths: list[Path] | None = None,
    ) -> None:
        """Start it; ``paths`` are where its modules, and in the second ``main.py``, lie."""
        argv = list(self._plan.argv)
        env = dict(self._plan.env)
        if heap is not None:
            argv[argv.index("-X") + 1] = f"heapsize={heap}"
        if paths is not None:
            env["MICROPYPATH"] = ":".join([*map(str, paths), ".frozen"])
            argv[-1] = str(paths[1] / "main.py")
        with contextlib.ExitStack() as stack:
            log: Any = stack.enter_context(self.log.open("ab"))
            if log_through_pipe:  # then a limit on the node's files does not silence it
                self._cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
                log = stack.enter_context(self._cat.stdin or contextlib.nullcontext())
            self.process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds: float = 10.0) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def end(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        if self._cat is not None:
            self._cat.wait()

    def words(self) -> str:
        return self.log.read_text()


def fill_ring(node: NodeProcess, count: int) -> None:
    """Lay samples of an earlier boot into the node's ring."""
    ring = Ring(str(node.folder / "ring"))
    heading = record.pack_heading(OLD_BOOT, True, ("air_temperature", "soil_moisture"))
    for seq in range(1, count + 1):
        ring.append(heading, record.pack(seq, 1790000000 + seq, True, 0, [2450 + seq, 444]))


def in_ring(node: NodeProcess) -> list[tuple[int, int]]:
    """(boot, seq) of everything that the node has not forgotten."""
    while True:
        found = []
        try:
            ring = Ring(str(node.folder / "ring"))
            while item := ring.read():
                boot = record.unpack_heading(item.heading).boot
                found.append((boot, record.unpack(item.body, 0).seq))
        except FileNotFoundError:  # the node has just removed a segment
            continue
        return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def gateway(broker: Broker) -> Iterator[Gateway]:
    made = Gateway(broker.port)
    yield made
    made.close()


@pytest.fixture
def chip_bus() -> Iterator[ChipBus]:
    def truth(node: str) -> dict[str, float]:
        if not node.startswith("tb-"):
            raise KeyError(node)
        return TRUTH

    bus = ChipBus("127.0.0.1", 0, truth)
    bus.start()
    yield bus
    bus.stop()


@pytest.fixture
def config(broker: Broker, chip_bus: ChipBus) -> dict[str, Any]:
    """A node's configuration with short times."""
    host, port = chip_bus.address
    return {
        "farm": FARM,
        "node": NODE,
        "eui64": EUI64,
        "broker": {"host": "127.0.0.1", "port": broker.port, "user": "tb-01", "password": "x"},
        "interval_seconds": 1,
        "resend_seconds": 1,
        "samples_in_memory": 1,
        "sensors": [
            {"chip": "sht4x", "address": 68},
            {"chip": "bh1750", "address": 35},
            {"chip": "soil", "pin": 34, "dry": 2900, "wet": 1200},
        ],
        "board": {"simulated": f"{host}:{port}"},
    }


@pytest.fixture(params=["micropython", "cpython"])
def interpreter(request: pytest.FixtureRequest) -> str:
    if request.param == "micropython" and not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    return str(request.param)


@pytest.fixture
def new_node(tmp_path: Path, config: dict[str, Any]) -> Iterator[Callable[..., NodeProcess]]:
    """Makes node processes and ends them after the test."""
    made: list[NodeProcess] = []

    def make(interpreter: str = "micropython", **changes: Any) -> NodeProcess:
        if interpreter == "micropython" and not boards.has_micropython():
            pytest.skip("MicroPython has no package for this Python")
        made.append(
            NodeProcess(tmp_path / "node", {**config, **changes}, interpreter == "micropython")
        )
        return made[-1]

    yield make
    for node in made:
        node.kill()
