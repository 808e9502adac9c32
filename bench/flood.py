"""What one wild node costs the others: time to the gateway's acknowledgement, calm and flooded.

Twenty nodes send five messages a second each to a real broker and a real gateway process; then
one more sends as many as it can, up to ``--rate``. All on one machine, so quote the ratio.
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ingest import _packet, _text, eui64

HONEST, A_SECOND = 20, 5.0
PASSWORD = "p" * 24
WILD = "n-0"


def message(node: int, boot: int, seq: int) -> bytes:
    """Return the PUBLISH packet (QoS 1) of a message of three readings."""
    from nongso.wire import payload

    records: list[Any] = [
        ("air_temperature", 0, 2450, None),
        ("air_humidity", 0, 801, None),
        ("soil_moisture", 0, 421, None),
    ]
    body = payload.encode(eui64(node), boot, seq, int(time.time()), records, simulated=True)
    mid = (seq % 65535 + 1).to_bytes(2, "big")
    return _packet(0x32, _text(f"nongso/1/bench/n-{node}/up") + mid + body)


def connected(port: int, user: str) -> socket.socket:
    """Connect to the broker as a node."""
    wire = socket.create_connection(("127.0.0.1", port), timeout=20)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    login = _text(f"bench-{user}") + _text(user) + _text(PASSWORD)
    wire.sendall(_packet(0x10, _text("MQTT") + b"\x04\xc2\x00\x3c" + login))
    if wire.recv(4)[3:] != b"\0":
        raise SystemExit(f"the broker does not let {user} in")
    return wire


class Honest:
    """The other nodes: sends in turn, and notes how long each acknowledgement took."""

    def __init__(self, port: int, a_second: float = A_SECOND) -> None:
        self._a_second = a_second
        self.took: dict[tuple[int, int], float | None] = {}
        self.is_over = threading.Event()
        self._all_sent = threading.Event()
        self._end = 0.0
        self._sent: dict[tuple[int, int], float] = {}
        self._wires = {n: connected(port, f"n-{n}") for n in range(1, HONEST + 1)}
        for n, wire in self._wires.items():
            wire.sendall(_packet(0x82, b"\x00\x01" + _text(f"nongso/1/bench/n-{n}/ack") + b"\x00"))
        self._sender, self._hearer = (
            threading.Thread(target=target) for target in (self._send, self._hear)
        )
        self._sender.start()
        self._hearer.start()

    def _send(self) -> None:
        due, seq = time.monotonic(), 0
        while not self.is_over.is_set():
            seq += 1
            for n, wire in self._wires.items():
                due += 1 / self._a_second / HONEST
                if self.is_over.wait(max(0.0, due - time.monotonic())):
                    return
                self.took[n, seq] = None
                self._sent[n, seq] = time.monotonic()
                wire.sendall(message(n, 7, seq))

    def _hear(self) -> None:
        ears, rest = selectors.DefaultSelector(), dict.fromkeys(self._wires, b"")
        for n, wire in self._wires.items():
            ears.register(wire, selectors.EVENT_READ, n)
        while not self._all_sent.is_set() or None in self.took.values():
            for key, _ in ears.select(0.2):
                now, n = time.monotonic(), key.data
                heard = self._wires[n].recv(65536)
                if not heard:
                    return  # the broker is gone
                rest[n] += heard
                while len(rest[n]) > 1 and len(rest[n]) >= 2 + rest[n][1]:
                    kind, body = rest[n][0], rest[n][2 : 2 + rest[n][1]]
                    rest[n] = rest[n][2 + rest[n][1] :]
                    if kind & 0xF0 == 0x30:
                        found = json.loads(body[body.index(b"{") :])
                        for seq in range(found.get("from", found["seq"]), found["seq"] + 1):
                            self.took[n, seq] = now - self._sent[n, seq]
            if self._all_sent.is_set() and time.monotonic() > self._end:
                return

    def since(self, begin: int) -> list[float | None]:
        """Return what the messages after the first ``begin`` took."""
        return list(self.took.values())[begin:]

    def end(self) -> None:
        """Stop sending and wait up to ten seconds for what is still under way."""
        self.is_over.set()
        self._sender.join(30)
        self._end = time.monotonic() + 10
        self._all_sent.set()
        self._hearer.join(30)


def flood(port: int, rate: float, seconds: float) -> None:
    """Run as a process of its own: send as a wild node; prints how many a second went out."""
    wire = connected(port, WILD)
    threading.Thread(target=lambda: [None for _ in iter(lambda: wire.recv(1 << 16), b"")]).start()
    blobs = [b"".join(message(0, 9, k * 100 + n) for n in range(100)) for k in range(200)]
    begin, sent = time.monotonic(), 0
    wire.settimeout(seconds)
    while (passed := time.monotonic() - begin) < seconds:
        if sent > rate * passed:
            time.sleep(0.002)
            continue
        wire.sendall(blobs[sent // 100 % len(blobs)])
        sent += 100
    print(sent / passed, flush=True)
    os._exit(0)


def resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def percentile(found: list[float | None], share: float) -> float:
    known = sorted(took for took in found if took is not None)
    return known[int(len(known) * share)]


def lay_down(folder: Path) -> tuple[Path, int, Any]:
    """Write broker and gateway settings; returns the gateway's file, the port and the broker."""
    from nongso.gateway import broker
    from nongso.gateway.settings import first_settings

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    slugs = [f"n-{n}" for n in range(HONEST + 1)]
    found = first_settings("bench", "Bench", "bench", "Bench", "http://127.0.0.1:1")
    found["broker"]["port"] = port
    found["status_port"] = port + 1
    found["greenhouses"] = [
        {"slug": "bench-1", "name": "Bench 1", "farm": "bench", "area_m2": 1.0, "zones": []}
    ]
    found["nodes"] = [
        {"farm": "bench", "slug": slug, "eui64": eui64(n), "greenhouse": "bench-1"}
        for n, slug in enumerate(slugs)
    ]
    file = folder / "gateway.json"
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    users = dict.fromkeys(slugs, PASSWORD) | {"gateway": found["broker"]["password"]}
    (folder / "broker").mkdir()
    broker.write_config(folder / "broker", port, users, found["nodes"])
    process = subprocess.Popen(broker.command(folder / "broker"), stderr=subprocess.DEVNULL)
    while not broker.answers(port):
        time.sleep(0.02)
    return file, port, process


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=20_000, help="the wild node's messages/s")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each of the two phases")
    parser.add_argument("--flood", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.flood:
        flood(args.flood, args.rate, args.seconds)
    with tempfile.TemporaryDirectory() as name:
        file, port, broker = lay_down(Path(name))
        argv = [sys.executable, "-m", "nongso.commands", "gateway", "run", "--settings", str(file)]
        gateway = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        try:
            time.sleep(4)
            honest = Honest(port)
            time.sleep(args.seconds)
            many = len(honest.took)
            wild = [sys.executable, __file__, "--flood", str(port), "--rate", str(args.rate)]
            said = subprocess.run(
                [*wild, "--seconds", str(args.seconds)],
                capture_output=True,
                text=True,
                check=True,
                timeout=args.seconds + 60,
            )
            resident = resident_megabytes(gateway.pid)
            honest.end()
            calm, flooded = honest.since(0)[:many], honest.since(many)
        finally:
            for process in (gateway, broker):
                process.kill()
                process.wait(10)
    found = {
        "bench": "flood",
        "wild_messages_a_second": round(float(said.stdout)),
        "calm_p50_ms": round(statistics.median(t or 0.0 for t in calm) * 1000, 1),
        "calm_p99_ms": round(percentile(calm, 0.99) * 1000, 1),
        "flooded_p50_ms": round(statistics.median(t or 0.0 for t in flooded) * 1000, 1),
        "flooded_p99_ms": round(percentile(flooded, 0.99) * 1000, 1),
        "not_acknowledged": [*calm, *flooded].count(None),
        "messages": len(calm) + len(flooded),
        "gateway_megabytes": round(resident),
        "ratio": round(percentile(flooded, 0.99) / percentile(calm, 0.99), 2),
        "target": 2.0,
    }
    print(json.dumps(found))
    return 0 if found["ratio"] <= 2.0 and not found["not_acknowledged"] else 1


if __name__ == "__main__":
    sys.exit(main())
