"""Which production server the platform runs under: the same application under each, in one run.

Every server gets the same platform (two greenhouses, a day of readings, a logged-in farmer) and
the same load: ``wrk`` with 32 connections on the farmer's first page and on the shopper's first
page, while a gateway brings 1,000 readings a second. Printed are requests a second and the
99th percentile. waitress, gunicorn and granian are compared where they are installed
(``pip install waitress gunicorn granian``); they are no dependencies. Needs ``wrk``.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import page

CONNECTIONS = 32
READINGS_A_SECOND = 1000
BATCHES_A_SECOND = 4
LEAST_A_SECOND = 1000
MOST_MILLISECONDS = 50.0
SHIPPED = "as shipped (uvicorn)"
SETTINGS = "NONGSO_BENCH_SETTINGS"


def application() -> Any:
    """Make the platform as the foreign servers import it."""
    from nongso.platform import settings as settings_of
    from nongso.platform.app import create_app

    return create_app(settings_of.load(Path(os.environ[SETTINGS])))


def commands(file: Path, port: int) -> dict[str, list[str]]:
    """Return how each server is started; only those that are installed."""
    here = Path(__file__).parent
    found = {SHIPPED: ["-m", "nongso.commands", "platform", "run", "--settings", str(file)]}
    if importlib.util.find_spec("waitress"):
        words = f"-m waitress --host 127.0.0.1 --port {port} --threads 12 --call"
        found["waitress, 12 threads"] = [*words.split(), "bench.servers:application"]
    if importlib.util.find_spec("gunicorn"):
        for workers in (1, 2):
            words = f"-m gunicorn -k gthread -w {workers} --threads 12 --keep-alive 30"
            found[f"gunicorn, {workers} x 12 threads"] = [
                *words.split(),
                *["-b", f"127.0.0.1:{port}", "--chdir", str(here), "servers:application()"],
            ]
    if importlib.util.find_spec("granian"):
        for workers, threads in ((1, 2), (1, 12), (2, 2), (2, 12)):
            words = f"-m granian --interface wsgi --workers {workers} --blocking-threads {threads}"
            found[f"granian, {workers} x {threads} threads"] = [
                *words.split(),
                *f"--host 127.0.0.1 --port {port} --factory --no-ws --http 1".split(),
                *["--working-dir", str(here), "servers:application"],
            ]
    return found


@contextlib.contextmanager
def readings(gateway: page.Gateway, at: int) -> Iterator[list[int]]:
    """Bring 1,000 readings a second; yields the count of what was brought."""
    over, brought = threading.Event(), [0]
    sets = READINGS_A_SECOND // BATCHES_A_SECOND // len(gateway.readings(0)) // 4

    def run() -> None:
        clock, due = at, time.monotonic()
        while not over.is_set():
            gateway.bring(*[row for n in range(sets) for row in gateway.readings(clock + n)])
            clock += sets
            brought[0] += sets * 16
            due += sets * 16 / READINGS_A_SECOND
            over.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield brought
    finally:
        over.set()
        thread.join()


def measure(folder: Path, runs: int, seconds: int, only: str) -> int:
    """Measure the servers in turn and print them; 1 when the shipped one breaks its promise."""
    port = page.free_port()
    house = page.prepare_platform(folder, port)
    os.environ[SETTINGS] = str(house["file"])
    url = f"http://127.0.0.1:{port}"
    start, configured = int(time.time()) - 86400 * 20, False
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(runs):
        for name, words in commands(house["file"], port).items():
            if only not in name:
                continue
            with page.server(words, url + "/healthz", folder):
                gateway = page.Gateway(port)
                gateway._row = start  # numbers of rows grow from run to run
                if not configured:
                    gateway.bring({"kind": "configuration", "configuration": page.configuration()})
                    configured = True
                cookie = page.log_in(port, house["accounts"]["farmer"])
                for path, who in (("/greenhouses", cookie), ("/", "")):
                    page.wrk(url + path, who, 1, CONNECTIONS)
                    with readings(gateway, start) as brought:
                        began = time.monotonic()
                        rate = page.wrk(url + path, who, seconds, CONNECTIONS)
                        spent = time.monotonic() - began
                    start += 40_000
                    print(
                        f"  {name:28} {path:14} {rate[0]:7.0f}/s  99 % within {rate[1]:6.1f} ms"
                        f"  ({brought[0] / spent:.0f} readings/s came in)",
                        flush=True,
                    )
                    found.setdefault(f"{name:28} {path:14}", []).append(rate)
    print(f"median of {runs}, {CONNECTIONS} connections, {READINGS_A_SECOND} readings/s come in")
    kept = True
    for name, rates in found.items():
        rate, late = median(r for r, _ in rates), median(ms for _, ms in rates)
        print(f"  {name} {rate:7.0f}/s  99 % within {late:6.1f} ms")
        if name.startswith(SHIPPED) and "/greenhouses" in name:
            kept = rate >= LEAST_A_SECOND and late <= MOST_MILLISECONDS
    print(
        f"  promised of the farmer's first page: {LEAST_A_SECOND}/s and 99 % within "
        f"{MOST_MILLISECONDS:.0f} ms {'kept' if kept else 'NOT KEPT'}"
    )
    return 0 if kept else 1


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", default="", help="only servers with this in their name")
    given = parser.parse_args()
    if not shutil.which("wrk"):
        print("wrk is not installed (on Debian: apt install wrk); nothing is measured")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), given.runs, given.seconds, given.only)


if __name__ == "__main__":
    sys.exit(main())
