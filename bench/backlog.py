"""How long a gateway needs to bring a month that it has kept, and whether an alarm overtakes it.

200 nodes have measured every five minutes for 30 days (1.7 million readings) while the line to the
platform was cut. Then it is there: gateway store and uplink in this process, the platform as a
process of its own on the same machine. Every few seconds an alarm is raised; told is when the
platform has it. To be reached: everything within ten minutes, each alarm within five seconds, at
most 24 bytes a reading on the wire (request bodies). With ``--days 3`` it takes a tenth.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import page

MOST_SECONDS, MOST_ALARM_SECONDS, MOST_BYTES = 600.0, 5.0, 24.0
STEP = 300
ALARM_EVERY_SECONDS = 2.0
AT_ONCE = 2000


def eui64(node: int) -> str:
    """Return the EUI-64 of a node of the bench."""
    return f"{0x0200000000000000 + node:016x}"


def settings(folder: Path, port: int, nodes: int) -> Any:
    """Return gateway settings with the bench's nodes, a platform and no water."""
    from nongso.gateway.settings import first_settings, load

    found = first_settings("bench", "Bench", "b", "Bench", f"http://127.0.0.1:{port}")
    found["platform"]["key"] = page.KEY
    found["greenhouses"] = [
        {"slug": "h-1", "name": "Nhà màng 1", "farm": "b", "area_m2": 1.0, "zones": []}
    ]
    found["nodes"] = [
        {"farm": "b", "slug": f"n-{n}", "eui64": eui64(n), "greenhouse": "h-1"}
        for n in range(nodes)
    ]
    file = folder / "gateway.json"
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    return load(file)


def fill(file: Path, days: int, nodes: int) -> int:
    """Lay the backlog down as the inbox does; return how many readings it is."""
    from nongso.gateway.intake import Sender, make_message, number_of
    from nongso.gateway.ledger import accept
    from nongso.gateway.storefile import StoreFile
    from nongso.wire.payload import Reading

    store = StoreFile(file)
    senders = [Sender(eui64(n), number_of(eui64(n)), f"n-{n}", "") for n in range(nodes)]
    level, dice = [2400] * nodes, random.Random(1)
    begin, count = int(time.time()) // STEP * STEP - days * 86400, 0
    messages = []
    for seq in range(days * 86400 // STEP):
        for n, sender in enumerate(senders):
            level[n] += dice.randrange(-9, 10)
            at = begin + seq * STEP + n
            reading = Reading("air_temperature", at, level[n] / 100, 16)
            messages.append(make_message(sender, 1, seq + 1, [reading], False, "", b""))
        if len(messages) >= AT_ONCE or (seq + 1) * STEP == days * 86400:
            store.begin()
            count += len(accept(store, messages, []).new)
            store.commit()
            messages = []
    store.close()
    return count


class Weighed:
    """Counts what goes over the wire."""

    def __init__(self) -> None:
        from nongso.gateway.platformlink import PlatformLink

        self.bytes = 0
        ask = PlatformLink._ask

        def weighed(link: Any, method: str, path: str, body: bytes | None, headers: Any) -> Any:
            self.bytes += len(body or b"")
            return ask(link, method, path, body, headers)

        PlatformLink._ask = weighed  # type: ignore[method-assign]


def alarms(store: Any, over: threading.Event, took: list[float]) -> None:
    """Raise an alarm now and then, and note when the platform has named it."""
    while not over.wait(ALARM_EVERY_SECONDS):
        began = time.monotonic()
        store.alarm_soon("telemetry_dropped", {"count": 1}, {})
        time.sleep(0.01)
        while store.report()["rows"]["protected"] and time.monotonic() - began < 60:
            time.sleep(0.01)
        took.append(time.monotonic() - began)


def drain(where: Any, readings: int, patience: float) -> dict[str, float]:
    """Let the uplink bring everything."""
    from nongso.gateway.store import Store
    from nongso.gateway.uplink import Uplink

    weighed = Weighed()
    store = Store(where.store_file, most_bytes=4 << 30)
    uplink = Uplink(where, store, lambda command, given: {})
    over, took = threading.Event(), [0.0]
    uplink.introduce()
    began = time.monotonic()
    uplink.start()
    bell = threading.Thread(target=alarms, args=(store, over, took))
    bell.start()
    try:
        while store.report()["rows"]["telemetry"] and time.monotonic() - began < patience:
            time.sleep(0.1)
        seconds = time.monotonic() - began
    finally:
        over.set()
        bell.join(90)
        rows = store.report()["rows"]
        left = rows["telemetry"]
        uplink.stop()
        store.close()
    return {
        "seconds": round(seconds, 1),
        "readings_a_second": round((readings - left) / seconds),
        "left": left,
        "refused": rows["set_aside"],
        "bytes_a_reading": round(weighed.bytes / max(1, readings - left), 1),
        "alarms": len(took) - 1,
        "slowest_alarm_seconds": round(max(took), 2),
    }


def main() -> int:
    """Run the bench and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--days", type=int, default=3, help="of backlog (default: 3; goal: 30)")
    parser.add_argument("--nodes", type=int, default=200)
    args = parser.parse_args()
    share = args.days / 30 * args.nodes / 200
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), page.free_port()
        house = page.prepare_platform(folder, port)
        where = settings(folder, port, args.nodes)
        began = time.monotonic()
        readings = fill(where.store_file, args.days, args.nodes)
        laid_down = time.monotonic() - began
        megabytes = where.store_file.stat().st_size >> 20
        words = ["-m", "nongso.commands", "platform", "run", "--settings", str(house["file"])]
        with page.server(words, f"http://127.0.0.1:{port}/healthz", folder):
            found = drain(where, readings, 2 * MOST_SECONDS * share + 30)
    most = {"seconds": MOST_SECONDS * share, "bytes": MOST_BYTES, "alarm": MOST_ALARM_SECONDS}
    about = {"readings": readings, "laid_down_in": round(laid_down), "store_megabytes": megabytes}
    print(
        json.dumps({"bench": "backlog", "cores": os.cpu_count(), **about, **found, "most": most})
    )
    is_reached = (
        not found["left"]
        and not found["refused"]
        and found["seconds"] <= most["seconds"]
        and found["bytes_a_reading"] <= MOST_BYTES
        and found["slowest_alarm_seconds"] <= MOST_ALARM_SECONDS
    )
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
