"""How fast the gateway takes messages in: broker to committed (FULL) and acknowledged.

Each round measures, one after the other and with the same frames: the floor (a bare paho
subscriber, QoS 1, that parses with ``json`` and forgets) and the gateway's inbox with its store,
where a message counts when its application acknowledgement has come back to the publisher.
Quote the ratio, not the absolute figures: publisher, broker and gateway share the machine's cores,
and what each of them takes for a message is told. ``--messages 1200000 --rounds 1`` is a minute of
20,000 messages a second.
"""

import argparse
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODES = 200
MARGIN_SECONDS = 120.0


def eui64(node: int) -> str:
    """Return the EUI-64 of a node of the bench."""
    return f"{0x0200000000000000 + node:016x}"


def _packet(kind: int, body: bytes) -> bytes:
    length, size = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        size += bytes([digit | (128 if length else 0)])
        if not length:
            return bytes([kind]) + size + body


def _text(value: str) -> bytes:
    return struct.pack("!H", len(value)) + value.encode()


def frames(messages: int, boot: int) -> bytes:
    """Return PUBLISH packets (QoS 1) of three readings each, made beforehand."""
    from nongso.wire import payload

    out = []
    start = int(time.time()) - messages // NODES * 10 - 10
    for n in range(messages):
        node, seq = n % NODES, n // NODES
        message = payload.encode(
            eui64(node),
            boot,
            seq,
            start + seq * 10,
            [
                ("air_temperature", 0, 2450 + n % 100, None),
                ("air_humidity", 0, 801 - n % 50, None),
                ("soil_moisture", 0, 421 + n % 30, None),
            ],
            simulated=True,
        )
        mid = struct.pack("!H", n % 65535 + 1)
        out.append(_packet(0x32, _text(f"nongso/1/bench/n-{node}/up") + mid + message))
    return b"".join(out)


def publish(port: int, messages: int, boot: int, count_acks: bool) -> None:
    """Run as a process of its own: send everything, then count what was acknowledged."""
    blob = frames(messages, boot)
    wire = socket.create_connection(("127.0.0.1", port))
    wire.sendall(_packet(0x10, _text("MQTT") + b"\x04\x02\x00\x3c" + _text("bench-publisher")))
    reader = wire.makefile("rb", 1 << 20)
    reader.read(4)
    if count_acks:
        wire.sendall(_packet(0x82, b"\x00\x01" + _text("nongso/1/bench/+/ack") + b"\x00"))
    print("ready", flush=True)
    sys.stdin.readline()
    threading.Thread(target=wire.sendall, args=(blob,), daemon=True).start()
    missing = messages if count_acks else 0
    seen: set[tuple[bytes, int]] = set()
    while missing:
        kind, length, shift = reader.read(1)[0], 0, 0
        while True:
            digit = reader.read(1)[0]
            length |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        body = reader.read(length)
        if kind & 0xF0 == 0x30:
            cut = 2 + int.from_bytes(body[:2], "big")
            found = json.loads(body[cut:])
            for seq in range(found.get("from", found["seq"]), found["seq"] + 1):
                if (body[2:cut], seq) not in seen:
                    seen.add((body[2:cut], seq))
                    missing -= 1
    if count_acks:
        print("acknowledged", flush=True)
    else:
        while True:  # read PUBACKs until this process is ended
            if not reader.read(1):
                return


@contextmanager
def broker(folder: Path) -> Iterator[tuple[int, int]]:
    """Run a Mosquitto on a free port; yields the port and its process."""
    from nongso.gateway.broker import find_mosquitto

    found = find_mosquitto()
    if found is None:
        raise SystemExit("Mosquitto is not installed. On Debian: apt install mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "max_queued_messages 0\nmax_inflight_messages 1000\nlog_type error\n"
    )
    process = subprocess.Popen([found, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def publisher(port: int, messages: int, boot: int, acks: bool) -> Iterator[Any]:
    """Run the publishing process; it has made its frames when this is entered."""
    argv = [sys.executable, __file__, "--publish", f"{port},{messages},{boot},{int(acks)}"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the publisher did not start")
        yield process
    finally:
        process.kill()
        process.communicate()


def _go(process: Any) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def floor(folder: Path, messages: int, boot: int) -> tuple[float, float]:
    """Return messages a second and CPU µs a message of the bare subscriber."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    received = 0
    subscribed, done = threading.Event(), threading.Event()

    def on_message(client: Any, userdata: Any, message: Any) -> None:
        nonlocal received
        json.loads(message.payload)
        received += 1
        if received == messages:
            done.set()

    with broker(folder) as (port, _), publisher(port, messages, boot, acks=False) as process:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="floor")
        client.on_message = on_message
        client.on_connect = lambda c, *_: c.subscribe("nongso/1/bench/+/up", 1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.connect("127.0.0.1", port)
        client.loop_start()
        subscribed.wait(10)
        started, cpu = time.perf_counter(), time.process_time()
        _go(process)
        if not done.wait(MARGIN_SECONDS):
            raise SystemExit(f"the floor received {received} of {messages} messages")
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
        client.disconnect()
        client.loop_stop()
    return messages / took, cpu / messages * 1e6


def settings(folder: Path, port: int) -> Any:
    """Return gateway settings with the bench's nodes."""
    from nongso.gateway.settings import first_settings, load

    found = first_settings("bench", "Bench", "bench", "Bench", "http://127.0.0.1:1")
    found["broker"]["port"] = port
    found["greenhouses"] = [
        {"slug": "bench-1", "name": "Bench 1", "farm": "bench", "area_m2": 1.0, "zones": []}
    ]
    found["nodes"] = [
        {"farm": "bench", "slug": f"n-{n}", "eui64": eui64(n), "greenhouse": "bench-1"}
        for n in range(NODES)
    ]
    file = folder / "gateway.json"
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    return load(file)


def processor_seconds(pid: int) -> float:
    """Return how long a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def gateway(
    folder: Path, messages: int, boot: int, profile: str | None
) -> tuple[float, dict[str, float]]:
    """Return messages a second, all acknowledged, and CPU µs a message of each process."""
    from nongso.gateway.inbox import Inbox
    from nongso.gateway.store import Store

    with (
        broker(folder) as (port, broker_pid),
        publisher(port, messages, boot, acks=True) as process,
    ):
        where = settings(folder, port)
        store = Store(where.store_file)
        inbox = Inbox(where, store)
        if profile:
            _profiled(inbox, profile)
        inbox.start()
        deadline = time.monotonic() + 10
        while not inbox.is_connected() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)  # subscription
        others = {"broker": broker_pid, "publisher": process.pid}
        before = {who: processor_seconds(pid) for who, pid in others.items()}
        started, cpu = time.perf_counter(), time.process_time()
        _go(process)
        watch = threading.Timer(MARGIN_SECONDS, process.kill)
        watch.start()
        answer = process.stdout.readline()
        watch.cancel()
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
        worked = {who: processor_seconds(pid) - before[who] for who, pid in others.items()}
        stored = store.report()["rows"]["telemetry"]
        inbox.stop()
        store.close()
        if answer != "acknowledged\n" or stored != messages:
            raise SystemExit(f"{stored} of {messages} messages were stored, not all acknowledged")
    each = {who: seconds / messages * 1e6 for who, seconds in worked.items()}
    return messages / took, {"gateway": cpu / messages * 1e6, **each}


def _profiled(inbox: Any, file: str) -> None:
    """Write a profile of the inbox's thread (cProfile) to ``file``."""
    import cProfile

    run = inbox._run

    def wrapped() -> None:
        profile = cProfile.Profile()
        profile.runcall(run)
        profile.dump_stats(file)

    inbox._run = wrapped


def main() -> int:
    """Run the bench and print one line a round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=50_000, help="a run (default: 50000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in turn (default: 3)")
    parser.add_argument("--profile", metavar="FILE", help="write a cProfile of the inbox thread")
    parser.add_argument("--publish", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.publish:
        port, messages, boot, acks = (int(part) for part in args.publish.split(","))
        publish(port, messages, boot, bool(acks))
        return 0
    if args.messages < NODES or args.rounds < 1:
        parser.error(f"at least {NODES} messages and 1 round")
    ratios, fastest = [], 0.0
    for n in range(args.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            base, base_cpu = floor(folder, args.messages, n + 1)
            ours, worked = gateway(folder, args.messages, n + 1, args.profile)
        ratios.append(ours / base)
        fastest = max(fastest, ours)
        told = ", ".join(f"{who} {each:.1f}" for who, each in worked.items())
        print(
            f"round {n + 1}: floor (paho QoS 1 + json) {base:8.0f} messages/s"
            f" ({base_cpu:.1f} µs CPU each)   gateway (FULL, acknowledged) {ours:8.0f} messages/s"
            f" (µs CPU each: {told})   ratio {ours / base:.2f}",
            flush=True,
        )
    print(
        json.dumps(
            {
                "bench": "ingest",
                "messages": args.messages,
                "rounds": args.rounds,
                "cores": os.cpu_count(),
                "ratio": round(statistics.median(ratios), 3),
                "lowest": round(min(ratios), 3),
                "fastest_messages_a_second": round(fastest),
                "target": 0.4,
            }
        )
    )
    return 0 if statistics.median(ratios) >= 0.4 else 1


if __name__ == "__main__":
    sys.exit(main())
