"""The way of a wish on real processes, with a watcher in the middle who may kill at each step.

Platform, gateway, valve supervisor and simulated farm as processes of their own; no broker. What
gateway and platform say to each other goes through ``Middle``, which names the steps as they pass.
"""

import gzip
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "valves"))

from farm_house import K1, K2, ZONES, House, free_port, wait_for

from nongso.platform import migrations, people, uplink
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records

__all__ = ("K1", "K2", "ROOMS", "ZONES", "WaterWay", "now", "wait_for")

LEASE_SECONDS = 4.0  # where a zone is new
KEY = "k" * 43  # the key in House's gateway.json
ROOMS = {
    "platform": "nongso.platform.run",
    "gateway": "nongso.gateway.run",
    "valves": "nongso.gateway.valves.supervisor",
}


class Middle:
    """Stands between gateway and platform, and tells ``passes(step)`` what goes by."""

    def __init__(self, to_port: int) -> None:
        self.passes: Callable[[str], None] = lambda step: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, to_port))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def steps_of(batch: bytes) -> set[str]:
    """Name what a gateway's batch tells of water."""
    found = set()
    for row in json.loads(gzip.decompress(batch))["rows"]:
        if row["kind"] == "run":
            found.add("begin" if row["run"]["ended_at"] is None else "end")
        elif row["kind"] == "command":
            found.add("outcome")
    return found


def _handler(middle: Middle, to_port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            steps = steps_of(body) if body else set()
            for step in sorted(steps):
                middle.passes(f"{step} told")
            far = http.client.HTTPConnection("127.0.0.1", to_port, timeout=30)
            try:
                far.request(self.command, self.path, body or None, dict(self.headers.items()))
                answer = far.getresponse()
                status, raw, kind = answer.status, answer.read(), answer.headers["Content-Type"]
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # the platform is away: so is its middle
                return
            finally:
                far.close()
            if b'"signature"' in raw:
                steps = {"offer"}
                middle.passes("offer taken")
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind or "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)
                self.wfile.flush()
            except OSError:
                self.close_connection = True
            for step in sorted(steps):
                middle.passes("offer handed" if step == "offer" else f"{step} stored")

        do_GET = do_POST = _carry

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler


class WaterWay:
    """Everything together; ``end`` kills what still runs. ``new`` are zones never tested."""

    def __init__(self, folder: Path, new: tuple[str, ...] = ()) -> None:
        self.house = House(folder)
        self.folder = folder
        self.port = free_port()
        self.middle = Middle(self.port)
        self._files = {
            "platform": self._platform(folder / "platform"),
            "gateway": self.house.gateway_file,
            "valves": self.house.gateway_file,
        }
        settings = json.loads(self.house.gateway_file.read_text())
        settings["status_port"] = free_port()
        settings["broker"]["port"] = 1
        settings["platform"] = {"url": f"http://127.0.0.1:{self.middle.port}", "key": KEY}
        for zone in settings["greenhouses"][0]["zones"]:
            zone["max_day_seconds"] = 86400
            if zone["id"] in new:  # and a meter that is heard while it runs, on a busy machine too
                del zone["mode"]
                settings["bus"]["lease_seconds"] = LEASE_SECONDS
        self.house.gateway_file.write_text(json.dumps(settings))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.house.start_farm()
        for room in ROOMS:
            self.start(room)
        wait_for(lambda: self.zones(), "the platform to know the zones", 40)

    def _platform(self, folder: Path) -> Path:
        folder.mkdir()
        found = Settings(folder=folder, secret="0123456789abcdef" * 4)
        migrations.upgrade(found)
        records = Records.of(found)
        with records.transaction() as session:
            session.add(Cooperative(slug="binh-lu", name="HTX"))
            session.flush()
            person = people.add_person(
                session, "farmer", "Lò Văn Páo", "farmer", "binh-lu", "bai-hoc-dau-tien"
            )
            self.token = people.new_api_token(session, person, "test")
            uplink.register_gateway(session, "binh-lu", "Bình Lư", "binh-lu", KEY)
        records.close()
        file = folder / "platform.json"
        file.write_text(
            json.dumps({"folder": str(folder), "port": self.port, "secret": found.secret})
        )
        file.chmod(0o600)
        return file

    def start(self, room: str) -> None:
        program = (
            f"import sys; from pathlib import Path; from {ROOMS[room]} import run; "
            "sys.exit(run(Path(sys.argv[1])))"
        )
        with open(self.log(room), "ab") as out:
            self._processes[room] = subprocess.Popen(
                [sys.executable, "-c", program, str(self._files[room])],
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def log(self, room: str) -> Path:
        return self.folder / f"{room}.log"

    def kill(self, room: str) -> None:
        """kill -9."""
        self._processes[room].send_signal(signal.SIGKILL)
        self._processes[room].wait(10)

    def end(self) -> None:
        self.middle.end()
        for room, process in self._processes.items():
            if process.poll() is None:
                self.kill(room)
        self.house.end()

    # --- people ----------------------------------------------------------------------------

    def ask(self, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Ask the platform itself; status 0 while it is away."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except (OSError, http.client.HTTPException):
            return 0, {}

    def zones(self) -> list[str]:
        _, answer = self.ask("/api/v1/greenhouses")
        return [z["id"] for g in answer.get("greenhouses", []) for z in g["zones"]]

    def press(self, path: str, body: dict[str, Any]) -> None:
        """Press until the platform has taken it; the same id is the same wish."""
        wait_for(lambda: self.ask(path, body)[0], "the platform to take it", 40)

    def water(self, zone: str, seconds: int, wish: str | None = None) -> str:
        wish = wish or str(uuid.uuid4())
        self.press(f"/api/v1/zones/{zone}/water", {"seconds": seconds, "id": wish})
        return wish

    def stop(self) -> None:
        self.press("/api/v1/stop", {"id": str(uuid.uuid4())})

    def record_of(self, zone: str, wish: str) -> dict[str, Any]:
        """The run of a wish, or the wish that came to nothing; empty if nobody knows it."""
        _, answer = self.ask(f"/api/v1/zones/{zone}/runs")
        return next((r for r in answer.get("runs", []) if r["id"] == wish), {})

    def numbers(self) -> dict[str, int]:
        """The number of each command, as the platform gave it."""
        found = sqlite3.connect(self.folder / "platform" / "records.sqlite")
        try:
            return dict(found.execute("SELECT id, number FROM command"))
        finally:
            found.close()

    def is_quiet(self) -> bool:
        return not any(self.house.is_on(coil) for coil in range(8))

    def openings(self, coil: int, since: float = 0.0) -> int:
        edges = self.house.edges() if (self.folder / "edges.jsonl").exists() else []
        return sum(e["coil"] == coil and e["on"] and e["mono"] >= since for e in edges)


def now() -> float:
    """The relay's own clock."""
    return time.monotonic()
