"""Newest readings for a Home Assistant in the same house, where the settings ask for it.

A client of Home Assistant's own broker: it tells which sensors there are (MQTT discovery,
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery) and their newest good values.
Output only: nothing that comes from there is listened to, and no valve is shown as a switch. It
keeps nothing: while that broker is away its values are missing there, and nobody else notices.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from nongso.gateway.latest import Latest
from nongso.gateway.settings import GatewaySettings, HomeAssistant
from nongso.wire import marks
from nongso.wire.metrics import metric_of
from nongso.wire.payload import Reading

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
EXPIRES_SECONDS = 1800  # then Home Assistant calls a value unavailable
# What Home Assistant knows: its class of device and its unit, where it is another than ours.
_KINDS = {
    "air_temperature": ("temperature", "°C"),
    "air_humidity": ("humidity", "%"),
    "light": ("illuminance", "lx"),
    "soil_moisture": ("moisture", "%"),
    "soil_temperature": ("temperature", "°C"),
    "soil_ec": ("conductivity", "mS/cm"),
    "co2": ("carbon_dioxide", "ppm"),
    "solar_radiation": ("irradiance", "W/m²"),
    "air_pressure": ("atmospheric_pressure", "hPa"),
    "wind_speed": ("wind_speed", "m/s"),
    "rain_total": ("precipitation", "mm"),
    "dew_point": ("temperature", "°C"),
    "water_flow": ("volume_flow_rate", "L/min"),
    "water_total": ("water", "L"),
    "battery": ("voltage", "V"),
    "voltage": ("voltage", "V"),
    "current": ("current", "A"),
    "power": ("power", "W"),
    "energy_total": ("energy", "kWh"),
    "frequency": ("frequency", "Hz"),
}
_TOTALS = frozenset({"rain_total", "water_total", "energy_total"})


class Station(NamedTuple):
    """A station as it is shown there."""

    slug: str
    eui64: str
    place: str


class Said(NamedTuple):
    """What is published, retained."""

    topic: str
    text: str


def availability(gateway: str) -> str:
    """The topic that says whether this gateway is there."""
    return f"nongso-out/{gateway}/status"


def state_topic(gateway: str, station: Station, series: str) -> str:
    """Where the values of a series are."""
    return f"nongso-out/{gateway}/{station.slug}/{series}"


def description(gateway: str, station: Station, series: str, prefix: str) -> Said:
    """Describe a series of a station as Home Assistant wants it."""
    base, _, channel = series.partition(".")
    metric = metric_of(series)
    kind, unit = _KINDS.get(base, ("", metric.unit if metric else ""))
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", f"{station.eui64}_{series}")
    told: dict[str, object] = {
        "name": base.replace("_", " ").capitalize() + (f" {channel}" if channel else ""),
        "unique_id": f"nongso_{name}",
        "state_topic": state_topic(gateway, station, series),
        "state_class": "total_increasing" if base in _TOTALS else "measurement",
        "expire_after": EXPIRES_SECONDS,
        "availability_topic": availability(gateway),
        "device": {
            "identifiers": [f"nongso_{station.eui64}"],
            "name": f"{station.place} {station.slug}",
            "manufacturer": "nongso",
        },
        "origin": {"name": "nongso"},
    }
    if kind:
        told["device_class"] = kind
    if unit:
        told["unit_of_measurement"] = unit
    if metric:
        told["suggested_display_precision"] = metric.decimals
    return Said(f"{prefix}/sensor/nongso_{name}/config", json.dumps(told, ensure_ascii=False))


def stations(settings: GatewaySettings) -> list[Station]:
    """Every station that has readings, with the house that it stands in."""
    houses = {house.slug: house.name for house in settings.greenhouses}
    found = [Station(n.slug, n.eui64, houses.get(n.greenhouse, "")) for n in settings.nodes]
    return [*found, Station(settings.bus_node.slug, settings.bus_node.eui64, settings.name)]


class News:
    """What has not been told yet. No clock, no broker."""

    def __init__(self, gateway: str, prefix: str) -> None:
        self._gateway, self._prefix = gateway, prefix
        self._described: set[tuple[str, str]] = set()
        self._told: dict[tuple[str, str], int] = {}

    def forget(self) -> None:
        """The other side may be new: tell everything again."""
        self._described.clear()
        self._told.clear()

    def of(self, station: Station, readings: Iterable[Reading], now: float) -> Iterator[Said]:
        """Return what is new of a station: descriptions first, then good and fresh values."""
        for reading in readings:
            key = (station.eui64, reading.name)
            is_fresh = now - EXPIRES_SECONDS < reading.at <= now + LOOK_SECONDS
            if reading.value is None or not marks.is_good(reading.mark) or not is_fresh:
                continue
            if key not in self._described:
                self._described.add(key)
                yield description(self._gateway, station, reading.name, self._prefix)
            if self._told.get(key) != reading.at:
                self._told[key] = reading.at
                yield Said(
                    state_topic(self._gateway, station, reading.name), f"{reading.value:.10g}"
                )


class Output:
    """Tells Home Assistant's broker what is new, in a thread of its own."""

    def __init__(self, settings: GatewaySettings, wanted: HomeAssistant, latest: Latest) -> None:
        self._wanted, self._latest = wanted, latest
        self._gateway = settings.gateway
        self._stations = stations(settings)
        self._news = News(settings.gateway, wanted.prefix)
        self._is_new = threading.Event()  # connected, and nothing told yet
        self._stopping = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"nongso-out-{settings.gateway}"
        )
        if wanted.user:
            self._client.username_pw_set(wanted.user, wanted.password)
        self._client.will_set(availability(self._gateway), "offline", 1, retain=True)
        self._client.reconnect_delay_set(1, 120)
        self._client.max_queued_messages_set(1000)
        self._client.on_connect = self._connected
        self._thread = threading.Thread(target=self._run, name="home assistant", daemon=True)

    def renew(self, settings: GatewaySettings) -> None:
        """Tell of these stations from now on."""
        self._stations = stations(settings)

    def start(self) -> None:
        """Begin; a broker that is away is tried again for ever."""
        self._client.connect_async(self._wanted.host, self._wanted.port, keepalive=60)
        self._client.loop_start()
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End, and say so there."""
        self._stopping.set()
        self._thread.join(seconds)
        if not self._client.is_connected():
            self._client.disconnect()  # its thread may wait for a host that is away: not for it
            return
        self._client.publish(availability(self._gateway), "offline", 1, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self, client: mqtt.Client, _data: object, _flags: object, reason: object, _more: object
    ) -> None:
        if getattr(reason, "is_failure", False):
            log.warning(
                "Home Assistant's broker does not let us in (%s): correct home_assistant in "
                "gateway.json",
                reason,
            )
            return
        log.info("Home Assistant's broker at %s gets the newest readings", self._wanted.host)
        client.publish(availability(self._gateway), "online", 1, retain=True)
        self._is_new.set()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS if not self._is_new.is_set() else 0.0):
            if self._is_new.is_set():
                self._is_new.clear()
                self._news.forget()
            if not self._client.is_connected():
                continue
            for station in self._stations:
                readings = self._latest.of_node(station.eui64)
                for said in self._news.of(station, readings, time.time()):
                    self._client.publish(said.topic, said.text, 0, retain=True)
