"""How fast and how heavy the farmer's page is.

Measured in turn, in one run, each under the same server in a process of its own: a bare page
(Flask, one SQLite read by key, one Jinja template) and ``/greenhouses`` as a logged-in farmer
sees it,
with two greenhouses and a day of readings; the latter at rest, and while a gateway brings
readings four times a second, so that the cards must be made anew all the time. Load comes from
``wrk`` where it is installed, else from a small client of our own. Ratios count, not absolutes.
"""

import argparse
import contextlib
import gzip
import http.client
import json
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

CONNECTIONS = 16
BARE = "bare page"
PAGES = ("/greenhouses", "/greenhouses/h-1")
LEAST_A_SECOND = 1000
MOST_BYTES = 60_000
KEY = secrets.token_hex(32)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def serve_bare(port: int, file: Path) -> None:
    """Run the bare page, to compare with."""
    from flask import Flask, render_template

    from nongso.platform import listening, serving

    app = Flask(__name__, template_folder=str(file.parent))
    local = threading.local()

    @app.get("/<int:number>")
    def page(number: int) -> str:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(file)
        row = local.connection.execute("SELECT * FROM house WHERE id = ?", (number,)).fetchone()
        return render_template("bare.html", row=row)

    sockets = listening.listen("127.0.0.1", port)
    serving.Server(app.wsgi_app, sockets, {}, threads=4, most_body=1000).run()


def prepare_bare(folder: Path) -> Path:
    """Make the bare page's database and template."""
    file = folder / "bare.sqlite"
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("CREATE TABLE house (id INTEGER PRIMARY KEY, name, air, soil)")
        connection.execute("INSERT INTO house VALUES (1, 'Nhà màng', 24.5, 62)")
    connection.close()
    (folder / "bare.html").write_text(
        "<!doctype html><title>{{ row[1] }}</title><h1>{{ row[1] }}</h1>"
        + "<p>{{ row[2] }} °C, {{ row[3] }} %</p>" * 20
    )
    return file


def prepare_platform(folder: Path, port: int) -> dict[str, Any]:
    """Make a platform with people and a gateway; return how to enter."""
    from nongso.platform import demo, migrations, settings

    file = folder / "platform.json"
    found = {"folder": str(folder / "data"), "secret": secrets.token_hex(32), "port": port}
    file.touch(mode=0o600)  # the server refuses to start with a secret that others can read
    file.write_text(json.dumps(found))
    loaded = settings.load(file)
    migrations.upgrade(loaded)
    return {"file": file, "accounts": demo.prepare(loaded, "bench", KEY)}


def configuration() -> dict[str, Any]:
    """Return two greenhouses of two zones with a node each."""
    houses, nodes = [], []
    for n in (1, 2):
        zones = [
            {
                "id": f"h-{n}-k{k}",
                "name": f"Khu {k}",
                "coil": 2 * n + k,
                "mode": "band",
                "max_run_seconds": 1800,
                "max_day_seconds": 7200,
                "band": {"low": 40.0, "high": 55.0, "run_seconds": 120, "soak_seconds": 900},
            }
            for k in (1, 2)
        ]
        houses.append({"slug": f"h-{n}", "name": f"Nhà màng {n}", "farm": "b", "zones": zones})
        nodes += [
            {
                "farm": "b",
                "slug": f"n-{n}-{k}",
                "eui64": f"{n}{k:015x}",
                "greenhouse": f"h-{n}",
                "zone": f"h-{n}-k{k}",
            }
            for k in (1, 2)
        ]
    return {"name": "Tủ", "farms": [], "greenhouses": houses, "nodes": nodes}


class Gateway:
    """Brings readings as a gateway does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._row = 0

    def bring(self, *rows: dict[str, Any]) -> None:
        """Send one batch."""
        numbered = []
        for row in rows:
            self._row += 1
            numbered.append({"id": self._row, **row})
        body = {"gateway": "bench", "store": "0" * 16, "rows": numbered}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/api/v1/gateways/bench/batch",
            data=gzip.compress(json.dumps(body).encode()),
            headers={"Authorization": "Bearer " + KEY},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["refused"] == []

    def readings(self, at: int) -> list[dict[str, Any]]:
        """Return a reading of every sensor."""
        values = [
            ["air_temperature", at, 20 + at % 9, 0],
            ["air_humidity", at, 60 + at % 9, 0],
            ["light", at, 20000 + at % 999, 0],
            ["soil_moisture", at, 45 + at % 9, 0],
        ]
        return [
            {"kind": "readings", "node": node["eui64"], "readings": values}
            for node in configuration()["nodes"]
        ]

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Bring readings four times a second."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(0.25):
                self.bring(*self.readings(int(time.time())))

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def log_in(port: int, account: dict[str, str]) -> str:
    """Log in with the form as a phone does; return the cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    page = answer.read().decode()
    visit = (answer.getheader("Set-Cookie") or "").split(";")[0]
    token = re.search(r'name="form_token" value="(\w+)"', page)
    assert token is not None
    body = urlencode(
        {
            "user": account["user"],
            "password": account["password"],
            "form_token": token.group(1),
        }
    )
    headers = {"Cookie": visit, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login", body, headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303, answer.status
    connection.close()
    return (answer.getheader("Set-Cookie") or "").split(";")[0]


def weigh(port: int, cookie: str, path: str) -> tuple[int, int]:
    """Return bytes and requests of a page with everything it loads."""
    page = _fetch(port, path, cookie)
    parts = re.findall(rb'(?:src|href)="(/static/[^"]+)"', page)
    return len(page) + sum(len(_fetch(port, p.decode(), cookie)) for p in parts), 1 + len(parts)


def _fetch(port: int, path: str, cookie: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": cookie})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: bytes = answer.read()
    return found


def wrk(url: str, cookie: str, seconds: int, connections: int) -> tuple[float, float]:
    """Return what ``wrk`` measured: requests a second, and the 99th percentile in milliseconds."""
    words = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s"]
    words += [*(("-H", f"Cookie: {cookie}") if cookie else ()), url]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert rate is not None, said
    assert late is not None, said
    unit = {"us": 0.001, "ms": 1, "s": 1000}[late.group(2)]
    return float(rate.group(1)), float(late.group(1)) * unit


def load(url: str, cookie: str, seconds: int) -> float:
    """Return the requests a second that are answered with 200."""
    if shutil.which("wrk"):
        return wrk(url, cookie, seconds, CONNECTIONS)[0]
    words = [sys.executable, __file__, "--client", url, "--cookie", cookie, "--seconds"]
    done = subprocess.run([*words, str(seconds)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def client(url: str, cookie: str, seconds: int) -> float:
    """Be the load where there is no wrk; slower than wrk, so it measures itself as well."""
    host, _, path = url.removeprefix("http://").partition("/")
    ends = time.monotonic() + seconds
    counts = [0] * 4

    def run(n: int) -> None:
        connection = http.client.HTTPConnection(host, timeout=30)
        while time.monotonic() < ends:
            connection.request("GET", "/" + path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            counts[n] += 1

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


@contextlib.contextmanager
def server(words: list[str], url: str, folder: Path) -> Iterator[None]:
    """Run a server process until the end."""
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((folder / "server.log").read_text()) from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def measure(folder: Path, runs: int, seconds: int) -> int:
    """Measure everything and print it; return 1 when a promise is broken."""
    bare_port, port = free_port(), free_port()
    bare_file = prepare_bare(folder)
    house = prepare_platform(folder, port)
    bare_words = [__file__, "--bare", str(bare_port), "--file", str(bare_file)]
    words = ["-m", "nongso.commands", "platform", "run", "--settings", str(house["file"])]
    bare_url, url = f"http://127.0.0.1:{bare_port}/1", f"http://127.0.0.1:{port}"
    with server(bare_words, bare_url, folder), server(words, url + "/healthz", folder):
        gateway, now = Gateway(port), int(time.time())
        gateway.bring({"kind": "configuration", "configuration": configuration()})
        past = [row for n in range(0, 86400, 300) for row in gateway.readings(now - n)]
        gateway.bring(*past)
        cookie = log_in(port, house["accounts"]["farmer"])
        found: dict[str, list[float]] = {BARE: []}
        for _ in range(runs):
            found[BARE].append(load(bare_url, "", seconds))
            for path in PAGES:
                found.setdefault(f"{path} at rest", []).append(load(url + path, cookie, seconds))
                with gateway.busy():
                    rate = load(url + path, cookie, seconds)
                found.setdefault(f"{path} with readings", []).append(rate)
        weights = {path: weigh(port, cookie, path) for path in PAGES}
    middle = {name: median(rates) for name, rates in found.items()}
    loader = "wrk" if shutil.which("wrk") else "own client"
    print(f"requests/s, {CONNECTIONS} connections, {loader}, median of {runs} in turn (min..max)")
    for name, rates in found.items():
        print(
            f"  {name:31} {middle[name]:7.0f} ({min(rates):.0f}..{max(rates):.0f})"
            f"  {middle[name] / middle[BARE]:.2f} x the bare page"
        )
    for path, (weight, requests) in weights.items():
        print(f"  {path} weighs {weight} bytes with everything, in {requests} requests")
    fast = all(middle[f"{path} at rest"] >= LEAST_A_SECOND for path in PAGES)
    light = all(weight <= MOST_BYTES for weight, _ in weights.values())
    print(
        f"  promised: {LEAST_A_SECOND} requests/s {_met(fast)}, {MOST_BYTES} bytes {_met(light)}"
    )
    return 0 if fast and light else 1


def _met(kept: bool) -> str:
    return "kept" if kept else "NOT KEPT"


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    for hidden in ("--bare", "--file", "--client", "--cookie"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        serve_bare(int(given.bare), Path(given.file))
        return 0
    if given.client:
        print(client(given.client, given.cookie or "", given.seconds))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), given.runs, given.seconds)


if __name__ == "__main__":
    raise SystemExit(main())
