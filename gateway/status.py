"""The gateway's own small page on 127.0.0.1: works when the Internet does not. Reads only.

``/`` is a page in Vietnamese with the last values, ``/healthz`` JSON (status 503 when the store
or the broker is in trouble), ``/metrics`` Prometheus text. What is shown comes from functions
handed in; nothing is asked of bus or broker here.
"""

import html
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nongso.gateway.settings import GatewaySettings
from nongso.wire import marks
from nongso.wire.metrics import metric_of
from nongso.wire.payload import Reading

log = logging.getLogger(__name__)

Report = dict[str, Any]

_METRIC_WORDS = {
    "air_temperature": "Nhiệt độ không khí",
    "air_humidity": "Độ ẩm không khí",
    "light": "Ánh sáng",
    "soil_moisture": "Độ ẩm đất",
    "soil_temperature": "Nhiệt độ đất",
    "soil_ec": "Độ mặn (EC)",
    "soil_ph": "Độ chua (pH)",
    "soil_nitrogen": "Đạm (N)",
    "soil_phosphorus": "Lân (P)",
    "soil_potassium": "Kali (K)",
    "co2": "Khí CO₂",
    "air_pressure": "Áp suất không khí",
    "wind_speed": "Tốc độ gió",
    "wind_direction": "Hướng gió",
    "rain_total": "Lượng mưa đã rơi",
    "tank_level": "Bể nước",
    "door_open": "Cửa mở",
    "water_flow": "Nước chảy",
    "water_total": "Lượng nước đã tưới",
    "battery": "Pin",
    "voltage": "Điện áp",
    "current": "Dòng điện",
    "power": "Công suất điện",
    "energy_total": "Lượng điện đã dùng",
    "frequency": "Tần số điện",
    "power_factor": "Hệ số công suất",
}
_ZONE_WORDS = {
    "idle": "đang đóng",
    "running": "đang tưới",
    "queued": "chờ tưới",
    "locked": "đang khóa",
}
_MODE_WORDS = {
    "off": "tắt",
    "manual": "tưới tay",
    "band": "theo độ ẩm đất",
    "schedule": "theo giờ hẹn",
    "balance": "theo lượng nước cây cần",
    "advice": "chỉ gợi ý",
}


def metrics_text(report: Report) -> str:
    """Write the report as Prometheus text."""
    lines: list[str] = []

    def add(name: str, kind: str, samples: list[tuple[dict[str, str], float]]) -> None:
        lines.append(f"# TYPE nongso_{name} {kind}")
        for labels, value in samples:
            inside = ",".join(f'{key}="{_escape(word)}"' for key, word in labels.items())
            name_and_labels = f"nongso_{name}{{{inside}}}" if inside else f"nongso_{name}"
            lines.append(f"{name_and_labels} {value:.12g}")

    store, platform, inbox = report["store"], report["platform"], report["inbox"]
    build = {"version": report["version"], "sqlite": store["sqlite"]}
    add("build_info", "gauge", [(build, 1.0)])
    add("start_time_seconds", "gauge", [({}, float(report["started_at"]))])
    add("resident_bytes", "gauge", [({}, float(report["resident_bytes"]))])
    add("disk_free_bytes", "gauge", [({}, float(report["disk_free_bytes"]))])
    add("store_ok", "gauge", [({}, float(store["ok"]))])
    add("broker_connected", "gauge", [({}, float(report["broker_connected"]))])
    add("platform_reachable", "gauge", [({}, float(platform["reachable_since"] is not None))])
    named = platform["destinations"].items()
    up = [({"platform": key}, float(d["reachable_since"] is not None)) for key, d in named]
    add("destination_reachable", "gauge", up)
    waiting = [
        ({"platform": key, "class": name}, float(n))
        for key, d in named
        for name, n in d["waiting"].items()
    ]
    add("destination_waiting_rows", "gauge", waiting)
    rows = [({"class": name}, float(n)) for name, n in store["rows"].items()]
    add("store_rows", "gauge", rows)
    refused = [({"code": code}, float(n)) for code, n in report["refused"].items()]
    add("messages_refused_total", "counter", refused)
    add("messages_accepted_total", "counter", [({}, float(inbox["accepted"]))])
    for name in ("duplicates", "conflicts", "rows_lost", "telemetry_dropped"):
        add(f"store_{name}_total", "counter", [({}, float(store[name]))])
    damage = store["damage"]
    unreadable = sum(damage["unreadable"].values()) if damage else 0
    add("store_rows_unreadable", "gauge", [({}, float(unreadable))])
    values, times = [], []
    for node, found in report["nodes"].items():
        for series, reading in found["latest"].items():
            labels = {"node": node, "series": series}
            times.append((labels, float(reading["at"])))
            if reading["value"] is not None:
                values.append((labels, float(reading["value"])))
    add("reading", "gauge", values)
    add("reading_time_seconds", "gauge", times)
    running = [
        ({"zone": zone}, float(found["state"] == "running"))
        for zone, found in report["zones"].items()
    ]
    add("zone_running", "gauge", running)
    return "\n".join(lines) + "\n"


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def reading_report(reading: Reading) -> Report:
    """Show one reading."""
    metric = metric_of(reading.name)
    return {
        "value": reading.value,
        "unit": metric.unit if metric else "",
        "at": reading.at,
        "quality": marks.quality(reading.mark),
    }


def _number(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.replace(",", " ").replace(".", ",").replace(" ", ".")


def _age(seconds: float) -> str:
    if seconds < 60:
        return "vừa xong"
    for unit, length in (("ngày", 86400), ("giờ", 3600), ("phút", 60)):
        if seconds >= length:
            return f"cách đây {int(seconds // length)} {unit}"
    return "vừa xong"


def _value(name: str, reading: Report) -> str:
    metric = metric_of(name)
    if reading["value"] is None or metric is None:
        return "chưa có số đo"
    space = "" if metric.unit in ("%", "°C", "") else "\u00a0"
    text = _number(reading["value"], metric.decimals) + space + metric.unit
    return text if reading["quality"] == "good" else f"{text} (số không đúng)"


def _words(name: str) -> str:
    base, _, channel = name.partition(".")
    word = _METRIC_WORDS.get(base, base)
    return f"{word} {channel}" if channel else word


def _zone_lines(settings: GatewaySettings, house: Any, report: Report) -> Iterator[str]:
    for zone in house.zones:
        found = report["zones"].get(zone.id, {})
        state = _ZONE_WORDS.get(found.get("state", ""), "chưa rõ")
        mode = _MODE_WORDS.get(found.get("mode", zone.mode), "")
        yield f"<li>{html.escape(zone.name)}: <b>{state}</b>, {mode}</li>"


def page(settings: GatewaySettings, report: Report, now: float) -> str:
    """Write the page for people at the control box."""
    out = [
        '<!doctype html><html lang="vi"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        '<meta http-equiv="refresh" content="10">',
        f"<title>{html.escape(settings.name)}</title>",
        "<style>body{font:1.1rem/1.5 sans-serif;max-width:40rem;margin:1rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;width:100%}td{padding:.2rem .4rem;"
        "border-bottom:1px solid #ccc}.warn{background:#fff3cd;padding:.5rem}</style></head>",
        f"<body><h1>{html.escape(settings.name)}</h1>",
    ]
    if settings.simulated:
        out.append('<p class="warn">Nhà màng mô phỏng, không phải số đo thật.</p>')
    if not report["store"]["ok"]:
        out.append(
            '<p class="warn">Chưa ghi được vào bộ nhớ của tủ điều khiển. Việc tưới vẫn chạy. '
            "Xin báo người phụ trách máy.</p>"
        )
    if report["store"]["telemetry_dropped"]:
        dropped = _number(report["store"]["telemetry_dropped"], 0)
        out.append(
            f'<p class="warn">Hết chỗ chứa: {dropped} bản ghi số đo cũ nhất chưa gửi đã bị bỏ. '
            "Nhật ký tưới, cảnh báo và cài đặt còn đủ.</p>"
        )
    if not report["broker_connected"]:
        out.append('<p class="warn">Chưa nhận được tin của các trạm đo.</p>')
    for n, destination in enumerate(report["platform"]["destinations"].values()):
        if destination["reachable_since"] is not None:
            continue
        lead = "Không có mạng"
        if n:
            lead = f"Chưa gửi được số liệu đến {html.escape(destination['name'])}"
        waiting = _number(sum(destination["waiting"].values()), 0)
        out.append(
            f'<p class="warn">{lead}. Còn {waiting} bản ghi chờ gửi; '
            "khi có mạng sẽ tự gửi bù. Việc tưới vẫn chạy.</p>"
        )
    nodes = {node.slug: node for node in settings.nodes}
    for house in settings.greenhouses:
        out.append(f"<h2>{html.escape(house.name)}</h2><ul>")
        out += _zone_lines(settings, house, report)
        out.append("</ul><table>")
        for slug, found in report["nodes"].items():
            if slug not in nodes or nodes[slug].greenhouse != house.slug:
                continue
            for name, reading in found["latest"].items():
                out.append(
                    f"<tr><td>{html.escape(slug)}</td><td>{html.escape(_words(name))}</td>"
                    f"<td>{html.escape(_value(name, reading))}</td>"
                    f"<td>{_age(now - reading['at'])}</td></tr>"
                )
        out.append("</table>")
    bus = report["nodes"].get(settings.bus_node.slug, {"latest": {}})
    if bus["latest"]:
        out.append("<h2>Nước</h2><table>")
        for name, reading in bus["latest"].items():
            out.append(
                f"<tr><td>{html.escape(_words(name))}</td><td>{html.escape(_value(name, reading))}"
                f"</td><td>{_age(now - reading['at'])}</td></tr>"
            )
        out.append("</table>")
    out.append("</body></html>")
    return "".join(out)


class StatusServer:
    """Serves the page in a thread. A taken port is an error in the log and nothing more."""

    def __init__(self, settings: GatewaySettings, report: Callable[[], Report]) -> None:
        self.settings = settings  # those of now, when stations come while it runs
        self._report = report
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Begin to listen."""
        server, settings, report = self, self.settings, self._report

        class Handler(BaseHTTPRequestHandler):
            timeout = 5.0
            server_version = "nongso-gateway"
            sys_version = ""

            def do_GET(self) -> None:
                host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
                if host not in ("127.0.0.1", "localhost"):  # a page elsewhere asks by a trick
                    self._answer(403, "text/plain", "only as 127.0.0.1 or localhost")
                elif self.path == "/":
                    self._answer(200, "text/html", page(server.settings, report(), time.time()))
                elif self.path == "/healthz":
                    found = report()
                    text = json.dumps(found, ensure_ascii=False, indent=1)
                    self._answer(200 if found["ok"] else 503, "application/json", text)
                elif self.path == "/metrics":
                    self._answer(200, "text/plain; version=0.0.4", metrics_text(report()))
                else:
                    self._answer(404, "text/plain", "there is /, /healthz and /metrics")

            def _answer(self, status: int, kind: str, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        try:
            self._server = _Server(("127.0.0.1", settings.status_port), Handler)
        except OSError as error:
            log.error(
                "the status page cannot listen on port %d (%s); the gateway goes on without it. "
                "Set status_port in gateway.json to a free port",
                settings.status_port,
                error,
            )
            return
        threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="status", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 16

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no news."""
        log.debug("a request to the status page was not finished: %s", sys.exc_info()[1])
