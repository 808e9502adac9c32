"""A small farm on free ports, its process, and the brokers, for the tests of this room."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nongso.gateway.simulated.settings import FarmSettings, from_dict


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(
    condition: Callable[[], Any], what: str, seconds: float = 10.0, pause: float = 0.02
) -> Any:
    """Wait until ``condition()`` is true; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(pause)
    return found


def two_greenhouses() -> dict[str, Any]:
    return {
        "seed": 7,
        "speed": 1,
        "latitude": 22.4,
        "longitude": 103.6,
        "modbus": {"host": "127.0.0.1", "port": _free_port()},
        "chips": {"host": "127.0.0.1", "port": _free_port()},
        "edges": "edges.jsonl",
        "state": "state.json",
        "greenhouses": [
            {
                "slug": "tan-binh-1",
                "farm": "tan-binh",
                "area_m2": 500,
                "zones": [
                    {"id": "tan-binh-1-k1", "coil": 0, "area_m2": 240},
                    {"id": "tan-binh-1-k2", "coil": 1, "area_m2": 240},
                ],
            },
            {
                "slug": "hung-binh-1",
                "farm": "hung-binh",
                "area_m2": 400,
                "zones": [{"id": "hung-binh-1-k1", "coil": 2, "area_m2": 190}],
            },
        ],
        "nodes": [
            {
                "slug": "tb-01",
                "eui64": "0200000000000001",
                "greenhouse": "tan-binh-1",
                "zone": "tan-binh-1-k1",
                "dry": 2900,
                "wet": 1250,
            },
            {
                "slug": "hb-01",
                "eui64": "0200000000000002",
                "greenhouse": "hung-binh-1",
                "zone": "hung-binh-1-k1",
                "dry": 2860,
                "wet": 1190,
            },
        ],
        "bus_node": {"farm": "tan-binh", "slug": "binh-lu-bus", "eui64": "0200000000000009"},
        "switches": {"stop_input": 0, "hands": {"tan-binh-1-k1": 1, "tan-binh-1-k2": 2}},
        "pump_coil": 7,
        "main_coil": 6,
    }


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    return _free_port


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    return _wait_for


@pytest.fixture(scope="session")
def settings_in() -> Callable[[Path], FarmSettings]:
    """Settings of the farm of two greenhouses whose files lie in a folder."""
    return lambda folder: from_dict(two_greenhouses(), folder)


@pytest.fixture
def farm_settings(settings_in: Callable[[Path], FarmSettings], tmp_path: Path) -> FarmSettings:
    return settings_in(tmp_path)


class RunningFarm:
    """The farm as a process of its own, and a Modbus client that is only a socket."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.settings = two_greenhouses() | changes
        self.file = folder / "farm.json"
        self.file.write_text(json.dumps(self.settings))
        self.modbus_port = self.settings["modbus"].get("port")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it; returns its first line."""
        self.process = start_farm(self.file)
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the status."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=10)
        return self.process.returncode

    def edges(self) -> list[dict[str, Any]]:
        text = (self.folder / "edges.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def ask(self, unit: int, pdu: str) -> str:
        """Send one request (hex of the PDU), return the answer's PDU as hex."""
        request = bytes.fromhex(pdu)
        with socket.create_connection(("127.0.0.1", self.modbus_port), timeout=5) as line:
            line.sendall(struct.pack(">HHHB", 77, 0, len(request) + 1, unit) + request)
            answer = b""
            while len(answer) < 6 or len(answer) < 6 + struct.unpack(">H", answer[4:6])[0]:
                more = line.recv(300)
                assert more, "the board closed the connection"
                answer += more
        transaction, protocol, _, answered = struct.unpack(">HHHB", answer[:7])
        assert (transaction, protocol, answered) == (77, 0, unit)
        return answer[7:].hex(" ")

    def meter(self) -> tuple[float, float]:
        """Litres counted and litres a minute."""
        high, low, flow = struct.unpack(">HHH", bytes.fromhex(self.ask(2, "04 0000 0003"))[2:])
        return (high << 16 | low) / 10, flow / 100


def start_farm(file: Path) -> subprocess.Popen[str]:
    program = (
        "import sys; from pathlib import Path; from nongso.gateway.simulated.farm import run; "
        "sys.exit(run(Path(sys.argv[1])))"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.fixture
def new_farm(tmp_path: Path) -> Iterator[Callable[..., RunningFarm]]:
    """Make farms that are killed at the end of the test, if they still run."""
    made: list[RunningFarm] = []

    def make(**changes: Any) -> RunningFarm:
        made.append(RunningFarm(tmp_path, **changes))
        return made[-1]

    yield make
    for running in made:
        if running.process is not None and running.process.poll() is None:
            running.process.kill()
            running.process.communicate()


@pytest.fixture
def farm(new_farm: Callable[..., RunningFarm]) -> RunningFarm:
    running = new_farm()
    assert "ready" in running.start()
    return running
