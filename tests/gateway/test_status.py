"""The gateway's own page: it tells how things are, also when they are bad."""

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from control_box import NODES, Box, message, until

from nongso.gateway.run import Gateway
from nongso.gateway.settings import load
from nongso.gateway.storeopening import sqlite_version


@pytest.fixture
def gateway(box: Box) -> Iterator[Gateway]:
    made = Gateway(box.settings)
    made.start()
    yield made
    made.stop()


def get(box: Box, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", box.settings.status_port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:1"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def health(box: Box) -> tuple[int, dict[str, Any]]:
    status, text = get(box, "/healthz")
    found: dict[str, Any] = json.loads(text)
    return status, found


def test_health_tells_store_broker_platform_and_values(box: Box, gateway: Gateway) -> None:
    until(gateway.inbox.is_ready, "the inbox listens")
    node = box.speaker()
    node.say(b"x")
    node.say(message(1))
    until(lambda: (7, 1) in node.told, "the node is told")
    until(lambda: health(box)[1]["platform"]["reachable_since"], "the platform answers")
    until(lambda: sum(health(box)[1]["outbox"].values()) == 0, "the outbox is empty")
    status, found = health(box)
    assert (status, found["ok"], found["broker_connected"]) == (200, True, True)
    assert found["refused"] == {"not_json": 1}
    assert found["store"]["sqlite"] >= "3.51.3"
    latest = found["nodes"]["tb-01"]["latest"]["air_temperature"]
    assert (latest["value"], latest["unit"], latest["quality"]) == (24.5, "°C", "good")
    assert abs(latest["at"] - time.time()) < 60
    assert found["nodes"]["tb-01"]["eui64"] == NODES["tb-01"]
    assert found["zones"]["tan-binh-1-k1"]["state"] == "idle"


def test_health_is_bad_when_the_disk_takes_nothing(box: Box) -> None:
    box.settings.store_file.mkdir()
    gateway = Gateway(box.settings)
    gateway.start()
    try:
        status, found = health(box)
        assert (status, found["ok"], found["store"]["ok"]) == (503, False, False)
        assert "cannot be written" in found["store"]["trouble"]
        assert "Chưa ghi được vào bộ nhớ" in get(box, "/")[1]
    finally:
        gateway.stop()


def test_metrics_are_prometheus_text(box: Box, gateway: Gateway) -> None:
    until(gateway.inbox.is_ready, "the inbox listens")
    node = box.speaker()
    node.say(message(1))
    until(lambda: (7, 1) in node.told, "the node is told")
    status, text = get(box, "/metrics")
    assert status == 200
    sample = re.compile(r'nongso_\w+(\{(\w+="[^"]*",?)*\})? -?[0-9.e+-]+')
    for line in text.splitlines():
        assert line.startswith("# TYPE nongso_") or sample.fullmatch(line), line
    assert "nongso_broker_connected 1" in text
    assert f'sqlite="{sqlite_version()}"' in text
    held, free = (
        float(re.search(rf"^nongso_{name} (.+)$", text, re.M)[1])  # type: ignore[index]
        for name in ("resident_bytes", "disk_free_bytes")
    )
    assert 10e6 < held < 1e9
    assert free > 0
    assert 'nongso_reading{node="tb-01",series="air_temperature"} 24.5' in text
    assert f"{int(time.time())}"[:6] in text  # times are not shortened to six digits


def test_the_page_speaks_vietnamese_and_escapes_names(box: Box) -> None:
    found = json.loads(box.settings_file.read_text())
    found["name"] = "Tủ <b>&"
    box.settings_file.write_text(json.dumps(found))
    gateway = Gateway(load(box.settings_file))
    gateway.start()
    try:
        until(gateway.inbox.is_ready, "the inbox listens")
        node = box.speaker()
        node.say(message(1).replace(b"80.1", b"180.1"))
        until(lambda: (7, 1) in node.told, "the node is told")
        _, text = get(box, "/")
        assert "Tủ &lt;b&gt;&amp;" in text
        assert "<b>&" not in text
        assert "Nhiệt độ không khí</td><td>24,50°C" in text
        assert "180,1% (số không đúng)" in text
        assert "Nhà màng mô phỏng" in text
        assert "Khu 1: <b>đang đóng</b>, tưới tay" in text
    finally:
        gateway.stop()


def test_the_page_says_what_was_given_up_for_want_of_room(box: Box) -> None:
    gateway = Gateway(box.settings)
    gateway.start()
    try:
        assert "Hết chỗ chứa" not in get(box, "/")[1]
        gateway.store._retention.dropped = 1234
        assert "Hết chỗ chứa: 1.234 bản ghi số đo cũ nhất" in get(box, "/")[1]
    finally:
        gateway.stop()


def test_other_pages_cannot_look_in_by_a_name_of_theirs(box: Box, gateway: Gateway) -> None:
    assert get(box, "/healthz", host="evil.example")[0] == 403
    assert get(box, "/elsewhere")[0] == 404


def test_a_taken_port_is_said_and_the_gateway_goes_on(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", box.settings.status_port))
        other.listen()
        gateway = Gateway(box.settings)
        gateway.start()
        try:
            assert f"cannot listen on port {box.settings.status_port}" in caplog.text
            until(gateway.inbox.is_ready, "the inbox listens")
        finally:
            gateway.stop()
