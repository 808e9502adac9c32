"""A simulated farm, a bus cable that can be cut, and a valve supervisor: real processes.

The relay board's own log of edges (``edges.jsonl``) is the truth that tests measure on; its
``mono`` is this machine's monotonic clock.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nongso.gateway.valves.client import SupervisorGone, Valves

LEASE = 1.5
PUMP, MAIN = 7, 6
BIG = "relays-many"
ZONES = {"tan-binh-1-k1": 0, "tan-binh-1-k2": 1}
K1, K2 = ZONES

# A gateway that does nothing but open a zone and hold the lease.
CLIENT = """
import sys, time
from pathlib import Path
from nongso.gateway.valves.client import Valves
valves = Valves(Path(sys.argv[1]))
print(valves.open(sys.argv[2], float(sys.argv[3]), sys.argv[4])["state"], flush=True)
while True:
    valves.renew()
    time.sleep(0.3)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """Wait until ``condition()`` is true; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)
    return found


class Cable:
    """A TCP line to the board. Cut, it swallows what is sent and lets nobody through."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.is_cut = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ended = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended = True
        self._thread.join()

    def _carry(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._connect()
                elif key.fileobj.fileno() >= 0:  # type: ignore[union-attr]  its peer may be gone
                    self._pass_on(key.fileobj, key.data)  # type: ignore[arg-type]
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _connect(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._to_port))
        except OSError:
            near.close()
            return
        self._selector.register(near, selectors.EVENT_READ, far)
        self._selector.register(far, selectors.EVENT_READ, near)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            found = source.recv(4096)
            if found and not self.is_cut:
                target.sendall(found)
        except OSError:
            found = b""
        if not found:
            for end in (source, target):
                self._selector.unregister(end)
                end.close()


class House:
    """Everything together; ``end`` kills what still runs."""

    def __init__(self, folder: Path, relays: int = 8) -> None:
        self.folder, self.relays = folder, relays
        self.board_port = free_port()
        self.cable = Cable(self.board_port)
        self._processes: list[subprocess.Popen[str]] = []
        self._ends: list[Valves] = []
        self.farm_file = folder / "farm.json"
        zones = [{"id": z, "coil": coil, "area_m2": 120} for z, coil in ZONES.items()]
        self.farm_file.write_text(
            json.dumps(
                {
                    "seed": 7,
                    "days": 0,
                    "modbus": {"host": "127.0.0.1", "port": self.board_port},
                    "chips": {"host": "127.0.0.1", "port": free_port()},
                    "edges": "edges.jsonl",
                    "state": "state.json",
                    "greenhouses": [
                        {"slug": "tan-binh-1", "farm": "tan-binh", "area_m2": 500, "zones": zones}
                    ],
                    "nodes": [],
                    "pump_coil": PUMP,
                    "main_coil": MAIN,
                    "relays": relays,
                }
            )
        )
        (folder / "devices").mkdir()
        (folder / "devices" / f"{BIG}.toml").write_text(
            f'schema = "nongso-device/1"\nid = "{BIG}"\nname = "Simulated, with many relays"\n'
            'extends = "relay-waveshare-rtu-8ch"\n[coils]\n'
            f"read_function = 1\nwrite_function = 5\naddress = 0\ncount = {relays}\n"
        )
        self.gateway_file = folder / "gateway.json"
        self.gateway_file.write_text(json.dumps(self._settings(zones)))
        self.gateway_file.chmod(0o600)
        self.socket = folder / "valves.sock"

    def _settings(self, zones: list[dict[str, Any]]) -> dict[str, Any]:
        words = {"mode": "manual", "max_run_seconds": 1800, "max_day_seconds": 7200}
        return {
            "gateway": "binh-lu",
            "name": "Tủ điều khiển Bình Lư",
            "simulated": True,
            "broker": {"host": "127.0.0.1", "port": 1884, "user": "gateway", "password": "-"},
            "platform": {"url": "http://127.0.0.1:8080", "key": "k" * 43},
            "status_port": 8081,
            "bus": {
                "host": "127.0.0.1",
                "port": self.cable.port,
                "framing": "tcp",
                "lease_seconds": LEASE,
                "relay": {
                    "unit": 1,
                    "device": "relay-waveshare-rtu-8ch" if self.relays == 8 else BIG,
                },
                "meter": {"unit": 2, "device": "pulse-meter-sim"},
                "tank": {"unit": 3, "device": "level-qdy30a"},
                "pump_coil": PUMP,
                "main_coil": MAIN,
                "pump_delay_seconds": 0,
                "pump_rest_seconds": 0,
                "valve_rest_seconds": 0,
            },
            "bus_node": {"farm": "tan-binh", "slug": "binh-lu-bus", "eui64": "0200000000000009"},
            "farms": [{"slug": "tan-binh", "name": "Bản Tân Bình"}],
            "greenhouses": [
                {
                    "slug": "tan-binh-1",
                    "name": "Nhà màng Tân Bình 1",
                    "farm": "tan-binh",
                    "area_m2": 500,
                    "zones": [z | words | {"name": "Khu"} for z in zones],
                }
            ],
            "nodes": [],
        }

    # --- processes -------------------------------------------------------------------------

    def start(self, program: str, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._processes.append(process)
        return process

    def start_room(self, module: str, file: Path, function: str = "run") -> subprocess.Popen[str]:
        program = (
            f"import sys; from pathlib import Path; from {module} import {function}; "
            f"sys.exit({function}(Path(sys.argv[1])))"
        )
        return self.start(program, str(file))

    def start_farm(self) -> subprocess.Popen[str]:
        farm = self.start_room("nongso.gateway.simulated.farm", self.farm_file)
        assert farm.stdout is not None
        assert "ready" in farm.stdout.readline()
        return farm

    def start_supervisor(self, is_ready: bool = True) -> subprocess.Popen[str]:
        process = self.start_room("nongso.gateway.valves.supervisor", self.gateway_file)
        valves = self.valves()
        wait_for(
            lambda: process.poll() is not None or self.is_there(valves, is_ready),
            "the supervisor",
        )
        assert process.poll() is None, process.communicate()
        valves.close()
        return process

    @staticmethod
    def is_there(valves: Valves, is_ready: bool) -> bool:
        try:
            coils = valves.read()["coils"]
        except SupervisorGone:
            return False
        return not is_ready or (not any(coils) and None not in coils)

    def start_gateway(self, zone: str = K1, seconds: float = 60) -> subprocess.Popen[str]:
        """A gateway process that has the zone open and holds the lease."""
        gateway = self.start(CLIENT, str(self.socket), zone, str(seconds), "a")
        assert gateway.stdout is not None
        assert gateway.stdout.readline() == "running\n"
        return gateway

    def valves(self) -> Valves:
        self._ends.append(Valves(self.socket))
        return self._ends[-1]

    def end(self) -> None:
        for valves in self._ends:
            valves.close()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate()
        self.cable.end()

    # --- the truth -------------------------------------------------------------------------

    def edges(self) -> list[dict[str, Any]]:
        text = (self.folder / "edges.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def is_on(self, coil: int) -> bool:
        return next((e["on"] for e in reversed(self.edges()) if e["coil"] == coil), False)

    def closed_at(self, seconds: float = 10.0) -> float:
        """Wait until no coil is on; the moment of the last edge."""
        wait_for(lambda: not any(self.is_on(coil) for coil in range(8)), "all coils off", seconds)
        return float(self.edges()[-1]["mono"])

    def spells(self, coil: int) -> list[float]:
        """How long the coil was on, each time."""
        times = [e["mono"] for e in self.edges() if e["coil"] == coil]
        return [off - on for on, off in zip(times[::2], times[1::2], strict=True)]
