"""The real engines for tests: each in a folder of its own, on loopback, ended by its id.

InfluxDB 1.6.7 knows ``/write`` only. A small door stands before it that takes ``/api/v2/write`` as
later versions do by themselves: 2.x and 1.8 map a bucket ``database/retention`` the same way.
"""

import http.client
import http.server
import socket
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

ENGINES = Path(__file__).parents[2] / ".venv" / "engines"
START_SECONDS = 60

_CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:{other}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Engine:
    """A running engine."""

    program = ""
    ping = ""

    def __init__(self, folder: Path) -> None:
        if not (ENGINES / self.program).exists():
            pytest.skip(f"{self.program} is not unpacked; tools/setup.sh dev does it")
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def setting(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(ENGINES / self.program), *self.command()], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get(self.ping)
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def settle(self) -> None:
        """Let the engine show everything that it has confirmed."""

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def close(self) -> None:
        self.kill()


class Victoria(Engine):
    program = "victoria-metrics"
    ping = "/health"
    retention = "100y"

    @property
    def setting(self) -> str:
        return f"victoriametrics+http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            f"-storageDataPath={self.folder}/data",
            f"-retentionPeriod={self.retention}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-memory.allowedBytes=128MB",
        ]

    def settle(self) -> None:
        self.get("/internal/force_flush")


class ShortVictoria(Victoria):
    """As it starts without being told: readings older than a month are dropped."""

    retention = "1"


class Influx(Engine):
    program = "influxd"
    ping = "/ping"

    def __init__(self, folder: Path) -> None:
        self.other = free_port()
        super().__init__(folder)
        self.door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Door)
        self.door.daemon_threads = True
        self.door.behind = self.port  # type: ignore[attr-defined]
        self.door.strike = self.strike  # type: ignore[attr-defined]
        self.thread = threading.Thread(target=self.door.serve_forever, args=(0.05,))
        self.thread.start()

    def strike(self, moment: str) -> bool:
        """Ask, ``before`` and ``after`` a write, whether the line breaks here. Set by tests."""
        return False

    @property
    def setting(self) -> str:
        return f"influxdb+http://127.0.0.1:{self.door.server_address[1]}/nongso"

    def command(self) -> list[str]:
        file = self.folder / "influxdb.conf"
        file.write_text(_CONFIG.format(folder=self.folder, port=self.port, other=self.other))
        return ["-config", str(file)]

    def close(self) -> None:
        super().close()
        self.door.shutdown()
        self.door.server_close()
        self.thread.join()


class _Door(http.server.BaseHTTPRequestHandler):
    """Passes everything on; a v2 write becomes a v1 write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer in one piece: two would wait 40 ms for each other

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        path = self.path
        if parts.path == "/api/v2/write":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            database, _, policy = asked["bucket"].partition("/")
            path = f"/write?db={quote(database)}&precision={asked.get('precision', 'ns')}"
            path += f"&rp={quote(policy)}" if policy else ""
            if self._is_broken("before"):
                return
        connection = http.client.HTTPConnection(
            "127.0.0.1",
            self.server.behind,  # type: ignore[attr-defined]
            timeout=30,
        )
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.lower() in ("content-type", "content-encoding", "accept-encoding")
        }
        try:
            connection.request(self.command, path, body, kept)
            answer = connection.getresponse()
            status, found, headers = answer.status, answer.read(), answer.getheaders()
        except OSError:
            self.close_connection = True  # nobody behind the door
            return
        finally:
            connection.close()
        if parts.path == "/api/v2/write" and self._is_broken("after"):
            return
        self.send_response(status)
        for name, value in headers:
            if name.lower() in ("content-type", "content-encoding"):
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def _is_broken(self, moment: str) -> bool:
        if not self.server.strike(moment):  # type: ignore[attr-defined]
            return False
        self.close_connection = True
        return True

    do_GET = do_POST = _pass_on

    def log_message(self, *_args: object) -> None:
        """Be quiet."""
