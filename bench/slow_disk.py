"""How long nodes wait for the gateway's word when each sync of its disk takes 20 ms (an SD card).

Twenty nodes send messages of three readings to a real broker, 1,000 readings a second in all;
the gateway's inbox and store work as ever, on a layer under SQLite that sleeps before each sync.
Told is the time from sending to the gateway's own acknowledgement. At most 250 ms at the 99th
percentile is the goal; the same without sleeping is measured in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw
import flood

MOST_MS = 250.0


class SlowDisk(apsw.VFS):
    """The machine's files, with syncs that take a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__("slow", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return SlowFile(self.seconds, name, flags)


class SlowFile(apsw.VFSFile):
    """A file of it."""

    def __init__(self, seconds: float, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._seconds = seconds

    def xSync(self, flags: int) -> None:
        time.sleep(self._seconds)
        super().xSync(flags)


def receive(settings_file: Path, seconds: float) -> None:
    """Be the gateway's inbox and store, in a process of its own, until its input ends."""
    from nongso.gateway.inbox import Inbox
    from nongso.gateway.settings import load
    from nongso.gateway.store import Store

    disk = SlowDisk(seconds)
    settings = load(settings_file)
    store = Store(settings.store_file)
    inbox = Inbox(settings, store)
    inbox.start()
    while not inbox.is_ready():
        time.sleep(0.01)
    print("ready", flush=True)
    sys.stdin.readline()
    print(store.commits, flush=True)
    inbox.stop()
    store.close()
    disk.unregister()


def measure(seconds: float, sync_seconds: float, a_second: float) -> dict[str, float]:
    """Return what the nodes' messages took."""
    with tempfile.TemporaryDirectory() as name:
        file, port, broker = flood.lay_down(Path(name))
        argv = [sys.executable, __file__, "--receive", str(file), "--sync", str(sync_seconds)]
        gateway = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        assert gateway.stdout is not None
        try:
            if gateway.stdout.readline() != "ready\n":
                raise SystemExit("the gateway did not start")
            nodes = flood.Honest(port, a_second / 3 / flood.HONEST)
            time.sleep(seconds)
            nodes.end()
            said, _ = gateway.communicate("\n", timeout=30)
        finally:
            for process in (gateway, broker):
                process.kill()
                process.wait(10)
    took = nodes.since(0)
    return {
        "messages_a_second": round(len(took) / seconds),
        "p50_ms": round(flood.percentile(took, 0.5) * 1000, 1),
        "p99_ms": round(flood.percentile(took, 0.99) * 1000, 1),
        "not_acknowledged": took.count(None),
        "commits_a_second": round(int(said) / seconds),
    }


def main() -> int:
    """Run the bench and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of each of the two runs")
    parser.add_argument("--sync", type=float, default=0.02, help="seconds a sync takes")
    parser.add_argument("--readings", type=float, default=1000.0, help="a second, of all nodes")
    parser.add_argument("--receive", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.receive:
        receive(args.receive, args.sync)
        return 0
    found = {
        name: measure(args.seconds, sync, args.readings)
        for name, sync in (("as_it_is", 0.0), ("slow", args.sync))
    }
    slow = found["slow"]
    print(
        json.dumps(
            {"bench": "slow_disk", "sync_ms": args.sync * 1000, **found, "most_p99_ms": MOST_MS}
        )
    )
    return 0 if slow["p99_ms"] <= MOST_MS and not slow["not_acknowledged"] else 1


if __name__ == "__main__":
    sys.exit(main())
