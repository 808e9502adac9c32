"""Alerts on the running system: silence is noticed by the platform's own clock, and ends.

The delays are set to nothing by a clerk's own choice of limits, as a clerk does it on the page.
"""

import html
import http.cookiejar
import os
import re
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from running import System, until

pytestmark = pytest.mark.walk

HOUSE, GATEWAY = "tan-binh-1", "binh-lu"


class Browser:
    """A farmer's browser without script."""

    def __init__(self, system: System) -> None:
        self.base = system.demo["url"]
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)
        account = system.demo["accounts"]["farmer"]
        page = self.get("/login")
        self.post("/login", page, user=account["user"], password=account["password"])

    def get(self, path: str) -> str:
        with self._opener.open(self.base + path, timeout=20) as answer:
            return str(answer.read().decode())

    def post(self, path: str, page: str, **fields: str) -> str:
        found = re.search(r'name="form_token" value="(\w+)"', page)
        assert found is not None
        body = urllib.parse.urlencode({"form_token": found[1], **fields}).encode()
        with self._opener.open(self.base + path, body, timeout=20) as answer:
            return str(answer.read().decode())

    def alerts(self) -> str:
        """The page of alerts, as it is read."""
        return html.unescape(self.get("/alerts")).replace("\u00a0", " ")


def alerts(system: System, code: str, state: str = "open") -> list[dict[str, Any]]:
    status, answer = system.ask(f"/api/v1/alerts?state={state}")
    assert status == 200
    return [alert for alert in answer["alerts"] if alert["code"] == code]


@contextmanager
def stopped(system: System, process: str) -> Iterator[None]:
    """Hold a process still: it neither ends nor says anything."""
    pid = system.demo["processes"][process]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def without_delay(browser: Browser, place: str, code: str) -> None:
    path = f"/alerts/limits/{place}"
    browser.post(f"{path}/{code}", browser.get(path), enabled="on", hold="0")


def test_a_dead_station_is_said_on_the_page_and_its_return_too(system: System) -> None:
    browser = Browser(system)
    without_delay(browser, f"greenhouse/{HOUSE}", "node_silent")
    node = next(n for n in system.demo["processes"] if n.startswith("node-tb-01"))
    began = int(time.time())
    with system.held(node):  # frozen only, its watchdog would start it anew
        until("the silent station", lambda: alerts(system, "node_silent"), 150)
        page = browser.alerts().replace('<span class="whole">tb-01</span>', "tb-01")
        assert "trạm đo tb-01 mất tín hiệu từ" in page
        assert "Xin xem pin và sóng của trạm." in page
        (alert,) = alerts(system, "node_silent")
        heard = browser.post(f"/alerts/{alert['id']}/acknowledge", browser.get("/alerts"))
        assert "đã biết lúc" in heard
    until("the station's return", lambda: not alerts(system, "node_silent"), 150)
    (over,) = [a for a in alerts(system, "node_silent", "cleared") if a["raised_at"] >= began]
    assert over["acknowledged_by"]
    assert over["sentence"].startswith("Đã ổn")
    assert "Đã ổn: các trạm đo của" in browser.alerts()


def test_a_dead_gateway_is_one_alert_and_ends_when_it_speaks_again(system: System) -> None:
    browser = Browser(system)
    without_delay(browser, f"gateway/{GATEWAY}", "gateway_silent")
    with stopped(system, "gateway"):
        until("the silent gateway", lambda: alerts(system, "gateway_silent"), 150)
        assert "Không liên lạc được với" in browser.alerts()
        assert alerts(system, "node_silent") == []
    until("the gateway's return", lambda: not alerts(system, "gateway_silent"), 120)
    assert "lại liên lạc được" in browser.alerts()
