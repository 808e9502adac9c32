"""How fast the gateway takes messages in: broker to committed (FULL) and acknowledged.

Each round measures, one after the other and with the same frames: the floor (a bare paho
subscriber, QoS 1, that parses with ``json`` and forgets) and the gateway's inbox with its store,
where a message counts when its application acknowledgement has come back to the publisher.
Quote the ratio, not the absolute figures: publisher, broker and gateway share the machine's cores,
and what each of them takes for a message is told.

``--steady 20000 --seconds 60`` asks instead whether so many messages a second are kept up with.
The publisher keeps its pace whatever comes back and sends nothing twice, the broker throws away
what is beyond the queue that ``nongso`` gives it, and the gateway is a process of its own. Told
are how long acknowledgements took (seconds), how many messages were ever under way, and the
gateway's memory. Ends with 1 if one message was lost, if an acknowledgement took longer than 5 s,
or above 80 MB. ``--nodes`` says of how many nodes the messages are.
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
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODES = 200
MARGIN_SECONDS = 120.0
PACE_SECONDS = 0.005
SLOWEST_ACK_SECONDS = 5.0
MOST_MEMORY_MB = 80.0
# What ``nongso`` gives its broker (gateway/broker.py).
BOUNDED = "max_queued_messages 20000\nmax_queued_bytes 67108864\nmax_inflight_bytes 8388608\n"


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


def frames(messages: int, boot: int, nodes: int = NODES) -> list[bytes]:
    """Return PUBLISH packets (QoS 1) of three readings each, made beforehand."""
    from nongso.wire import payload

    out = []
    start = int(time.time()) - messages // nodes * 10 - 10
    for n in range(messages):
        node, seq = n % nodes, n // nodes
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
    return out


def publish(
    port: int, messages: int, boot: int, count_acks: bool, nodes: int = NODES, rate: int = 0
) -> None:
    """Run as a process of its own: send everything, then count what was acknowledged.

    With a rate, at that pace, and tell of the acknowledgements.
    """
    packets = frames(messages, boot, nodes)
    wire = socket.create_connection(("127.0.0.1", port))
    wire.sendall(_packet(0x10, _text("MQTT") + b"\x04\x02\x00\x3c" + _text("bench-publisher")))
    reader = wire.makefile("rb", 1 << 20)
    reader.read(4)
    if count_acks:
        wire.sendall(_packet(0x82, b"\x00\x01" + _text("nongso/1/bench/+/ack") + b"\x00"))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    sender = threading.Thread(target=_send, args=(wire, packets, rate, began), daemon=True)
    sender.start()
    missing = messages if count_acks else 0
    seen: set[tuple[bytes, int]] = set()
    took = array("f")
    most_open = 0
    while missing:
        head = reader.read(1)
        if not head:
            return  # who started us has waited long enough
        kind, length, shift = head[0], 0, 0
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
                    if rate:
                        number = int(body[2:cut].split(b"/")[3][2:])
                        now = time.perf_counter() - began
                        took.append(now - (seq * nodes + number) / rate)
            if rate:
                sent = min(messages, int((time.perf_counter() - began) * rate))
                most_open = max(most_open, sent - len(seen))
    if count_acks:
        told = {"most_under_way": most_open}
        if rate:
            slow = sorted(took)
            told |= {
                "took": time.perf_counter() - began,
                "median": slow[len(slow) // 2],
                "p99": slow[len(slow) * 99 // 100],
                "slowest": slow[-1],
            }
        print("acknowledged", json.dumps(told), flush=True)
    else:
        while True:  # read PUBACKs until this process is ended
            if not reader.read(1):
                return


def _send(wire: socket.socket, packets: list[bytes], rate: int, began: float) -> None:
    """Send everything, as fast as it goes or at a pace."""
    sent = 0
    while sent < len(packets):
        due = len(packets)
        if rate:
            due = min(due, int((time.perf_counter() - began) * rate))
        for first in range(sent, due, 1000):
            wire.sendall(b"".join(packets[first : min(due, first + 1000)]))
        sent = due
        if rate:
            time.sleep(PACE_SECONDS)


@contextmanager
def broker(folder: Path, limits: str = "max_queued_messages 0\n") -> Iterator[tuple[int, int]]:
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
        f"{limits}max_inflight_messages 1000\nlog_type error\n"
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
def publisher(
    port: int, messages: int, boot: int, acks: bool, nodes: int = NODES, rate: int = 0
) -> Iterator[Any]:
    """Run the publishing process; it has made its frames when this is entered."""
    what = f"{port},{messages},{boot},{int(acks)},{nodes},{rate}"
    argv = [sys.executable, __file__, "--publish", what]
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


def settings(folder: Path, port: int, nodes: int = NODES) -> Any:
    """Return gateway settings with the bench's nodes."""
    from nongso.gateway.settings import first_settings, load

    found = first_settings("bench", "Bench", "bench", "Bench", "http://127.0.0.1:1")
    found["broker"]["port"] = port
    found["greenhouses"] = [
        {"slug": "bench-1", "name": "Bench 1", "farm": "bench", "area_m2": 1.0, "zones": []}
    ]
    found["nodes"] = [
        {"farm": "bench", "slug": f"n-{n}", "eui64": eui64(n), "greenhouse": "bench-1"}
        for n in range(nodes)
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
        if not answer.startswith("acknowledged") or stored != messages:
            raise SystemExit(f"{stored} of {messages} messages were stored, not all acknowledged")
    each = {who: seconds / messages * 1e6 for who, seconds in worked.items()}
    return messages / took, {"gateway": cpu / messages * 1e6, **each}


def steady(folder: Path, rate: int, seconds: int, nodes: int) -> dict[str, float]:
    """Return how a gateway process fared; ``lost`` counts what was not acknowledged in time."""
    messages = rate * seconds
    with broker(folder, BOUNDED) as (port, broker_pid):
        settings(folder, port, nodes)
        argv = [sys.executable, "-m", "nongso.commands", "gateway", "run"]
        argv += ["--settings", str(folder / "gateway.json")]
        with (
            publisher(port, messages, 1, acks=True, nodes=nodes, rate=rate) as process,
            (folder / "log").open("wb") as log,
        ):
            gateway = subprocess.Popen(argv, stdout=log, stderr=log)
            try:
                time.sleep(5.0)  # it starts and listens
                if gateway.poll() is not None:
                    raise SystemExit((folder / "log").read_text())
                pids = {"gateway": gateway.pid, "broker": broker_pid, "publisher": process.pid}
                before = {who: processor_seconds(pid) for who, pid in pids.items()}
                _go(process)
                watch = threading.Timer(seconds + SLOWEST_ACK_SECONDS + 5.0, process.kill)
                watch.start()
                word, _, told = process.stdout.readline().partition(" ")
                watch.cancel()
                found: dict[str, float] = json.loads(told) if word == "acknowledged" else {}
                for who, pid in pids.items():
                    if found:
                        each = (processor_seconds(pid) - before[who]) / messages * 1e6
                        found[f"{who}_us"] = round(each, 1)
                found["gateway_mb"] = round(peak_mb(gateway.pid), 1)
                found["broker_mb"] = round(peak_mb(broker_pid), 1)
            finally:
                gateway.terminate()
                gateway.wait(20)
    found["stored"] = stored_messages(folder)
    found["lost"] = messages - found["stored"]
    return found


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def stored_messages(folder: Path) -> int:
    """Count the messages in the ledger of a gateway that has ended."""
    import apsw

    (file,) = folder.rglob("*.sqlite")
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.execute("SELECT count(*) FROM messages").get)
    finally:
        connection.close()


def _profiled(inbox: Any, file: str) -> None:
    """Write a profile of the inbox's thread (cProfile) to ``file``."""
    import cProfile

    run = inbox._run

    def wrapped() -> None:
        profile = cProfile.Profile()
        profile.runcall(run)
        profile.dump_stats(file)

    inbox._run = wrapped


def hold(rate: int, seconds: int, nodes: int) -> int:
    """Run at a pace and print what became of it."""
    with tempfile.TemporaryDirectory() as name:
        found = steady(Path(name), rate, seconds, nodes)
    print(
        json.dumps({"bench": "ingest", "rate": rate, "seconds": seconds, "nodes": nodes} | found)
    )
    is_kept = (
        not found["lost"]
        and found.get("slowest", 1e9) <= SLOWEST_ACK_SECONDS
        and found["gateway_mb"] <= MOST_MEMORY_MB
    )
    print("kept up" if is_kept else "NOT kept up")
    return 0 if is_kept else 1


def main() -> int:
    """Run the bench and print one line a round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=50_000, help="a run (default: 50000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in turn (default: 3)")
    parser.add_argument("--profile", metavar="FILE", help="write a cProfile of the inbox thread")
    parser.add_argument("--steady", type=int, metavar="RATE", help="messages a second, held")
    parser.add_argument("--seconds", type=int, default=60, help="of --steady (default: 60)")
    parser.add_argument("--nodes", type=int, default=NODES, help=f"of --steady ({NODES})")
    parser.add_argument("--publish", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.publish:
        port, messages, boot, acks, *rest = (int(part) for part in args.publish.split(","))
        publish(port, messages, boot, bool(acks), *rest)
        return 0
    if args.steady:
        return hold(args.steady, args.seconds, args.nodes)
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
