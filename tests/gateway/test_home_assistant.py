"""Home Assistant is told of sensors and newest values, where the settings ask for it; no more."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from control_box import NODES, Box, free_port, message, until
from paho.mqtt.enums import CallbackAPIVersion

from nongso.gateway import broker, homeassistant
from nongso.gateway.errors import SettingsError
from nongso.gateway.homeassistant import News, Station, description
from nongso.gateway.run import Gateway
from nongso.gateway.settings import load
from nongso.wire import marks
from nongso.wire.payload import Reading

NOW = 1_790_000_000
STATION = Station("tb-01", NODES["tb-01"], "Nhà màng Tân Bình 1")


def told(*readings: Reading, news: News | None = None) -> dict[str, str]:
    news = news or News("binh-lu", "homeassistant")
    return dict(news.of(STATION, readings, NOW))


def test_a_good_value_is_described_once_and_told_when_it_changes() -> None:
    news = News("binh-lu", "homeassistant")
    first = told(Reading("air_temperature", NOW - 10, 24.5, 0), news=news)
    (config, text), (topic, value) = first.items()
    assert config == f"homeassistant/sensor/nongso_{NODES['tb-01']}_air_temperature/config"
    found = json.loads(text)
    assert (found["device_class"], found["unit_of_measurement"]) == ("temperature", "°C")
    assert found["state_topic"] == topic
    assert value == "24.5"
    assert told(Reading("air_temperature", NOW - 10, 24.5, 0), news=news) == {}
    again = told(Reading("air_temperature", NOW, 25.0, 0), news=news)
    assert list(again.values()) == ["25"]
    news.forget()
    assert len(told(Reading("air_temperature", NOW, 25.0, 0), news=news)) == 2


@pytest.mark.parametrize(
    "reading",
    [
        Reading("air_temperature", NOW, None, 0),
        Reading("air_temperature", NOW, 180.0, marks.IMPOSSIBLE),
        Reading("air_temperature", NOW - 7200, 24.5, 0),
        Reading("air_temperature", NOW + 7200, 24.5, 0),
    ],
)
def test_what_nobody_may_decide_on_is_not_told(reading: Reading) -> None:
    assert told(reading) == {}


def test_names_are_made_of_what_home_assistant_takes() -> None:
    said = description("binh-lu", STATION, "soil_moisture.2", "homeassistant")
    assert said.topic.count("/") == 3
    assert "." not in said.topic
    found = json.loads(said.text)
    assert found["name"] == "Soil moisture 2"
    assert "command_topic" not in found


def with_output(box: Box, **output: Any) -> None:
    changed = json.loads(box.settings_file.read_text()) | {"home_assistant": output}
    box.settings_file.write_text(json.dumps(changed))
    box.settings = load(box.settings_file)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[int]:
    """Home Assistant's own broker; returns its port."""
    found = broker.find_mosquitto()
    if found is None:
        pytest.skip("Mosquitto is not installed (apt install mosquitto)")
    port = free_port()
    file = tmp_path / "home.conf"
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(
        [found, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: broker.answers(port), "the broker answers")
    yield port
    process.terminate()
    process.wait(5)


def test_over_a_real_broker_sensors_appear_and_go_with_the_gateway(
    box: Box, home: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homeassistant, "LOOK_SECONDS", 0.05)
    with_output(box, host="127.0.0.1", port=home)
    heard: dict[str, str] = {}
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda c, u, m: heard.update({m.topic: m.payload.decode()})
    client.on_connect = lambda c, *_: c.subscribe("#")
    client.connect("127.0.0.1", home)
    client.loop_start()
    gateway = Gateway(box.settings)
    gateway.start()
    try:
        until(gateway.inbox.is_ready, "the inbox listens")
        node = box.speaker()
        node.say(message(1, at=int(time.time()) - 2))
        until(lambda: (7, 1) in node.told, "the node is told")
        value = "nongso-out/binh-lu/tb-01/air_temperature"
        until(lambda: heard.get(value) == "24.5", "the value arrives")
        until(lambda: sum(topic.endswith("/config") for topic in heard) == 3, "three sensors")
        assert heard["nongso-out/binh-lu/status"] == "online"
    finally:
        gateway.stop()
    until(lambda: heard["nongso-out/binh-lu/status"] == "offline", "it says that it ended")
    client.disconnect()
    client.loop_stop()


def test_it_is_off_unless_it_is_asked_for_and_a_wrong_prefix_is_named(box: Box) -> None:
    assert box.settings.home_assistant is None
    with pytest.raises(SettingsError, match=r"home_assistant\.prefix"):
        with_output(box, host="127.0.0.1", prefix="home/#")
