"""The node's ``config.json``, checked once at the start. Every error is one clear sentence."""

import json
from collections import namedtuple

from nongso.node.interpreter import TYPE_CHECKING
from nongso.wire import topics

if TYPE_CHECKING:
    from typing import Any

# ca_file: empty without TLS; name: that in the broker's certificate
Broker = namedtuple("Broker", ("host", "port", "user", "password", "ca_file", "name"))
Settings = namedtuple(
    "Settings",
    (
        "farm",
        "node",
        "eui64",
        "broker",
        "interval_seconds",
        "resend_seconds",
        "ring_bytes",
        "samples_in_memory",  # at most so many wait for the flash: what a power cut may take
        "sleep_every",  # samples between two connections of a node that sleeps; 0: it never does
        "awake_seconds",  # at most, whatever happens
        "sensors",  # as written: each chip's own keys are checked by board and driver
        "board",
        "wifi",
        "key",  # 64 hex digits shared with the gateway; empty: no updates
        "trial_seconds",
        "own_password",  # of the board's own Wi-Fi, on its sticker; empty: it has no sticker
        "refused_seconds",  # so long the broker refuses the node before that Wi-Fi opens by itself
        "open_seconds",  # and so long it is open
    ),
)


class SettingsError(ValueError):
    """The configuration cannot be used; the text says what is wrong and where."""


def _get(
    where: str, found: "dict[str, Any]", key: str, kind: type, default: object = None
) -> "Any":
    value = found.get(key, default)
    if value is None:
        raise SettingsError("config.json: %s%s is missing" % (where, key))
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = {str: "a text", int: "a whole number", dict: "an object", list: "a list"}[kind]
        raise SettingsError("config.json: %s%s must be %s" % (where, key, wanted))
    return value


def _number(
    where: str,
    found: "dict[str, Any]",
    key: str,
    low: int,
    high: int,
    default: "int | None" = None,
) -> int:
    value: int = _get(where, found, key, int, default)
    if not low <= value <= high:
        raise SettingsError("config.json: %s%s must be from %d to %d" % (where, key, low, high))
    return value


def number(
    found: "dict[str, Any]", key: str, low: int, high: int, default: "int | None" = None
) -> int:
    """Read a whole number of a sensor's or board's own keys. Raises ``SettingsError``."""
    where = "sensor %s: " % found["chip"] if "chip" in found else ""
    return _number(where, found, key, low, high, default)


def _key(found: "dict[str, Any]") -> str:
    key: str = _get("", found, "key", str, "")
    if key and (len(key) != 64 or any(c not in "0123456789abcdef" for c in key)):
        raise SettingsError("config.json: key must be 64 hex digits 0-9 a-f")
    return key


def parse(text: str) -> Settings:
    """Read the settings. Raises ``SettingsError``."""
    try:
        found = json.loads(text)
    except (ValueError, RuntimeError, MemoryError) as e:  # the others: nested without end
        raise SettingsError("config.json is not JSON: %s" % e)
    if not isinstance(found, dict):
        raise SettingsError("config.json must be an object")
    farm, node = _get("", found, "farm", str), _get("", found, "node", str)
    try:
        topics.check_slug(farm)
        topics.check_slug(node)
    except topics.TopicError as e:
        raise SettingsError("config.json: %s" % e)
    eui64 = _get("", found, "eui64", str)
    if len(eui64) != 16 or any(c not in "0123456789abcdef" for c in eui64):
        raise SettingsError("config.json: eui64 must be 16 hex digits 0-9 a-f")
    broker = _get("", found, "broker", dict)
    for key in ("user", "password"):
        if broker.get(key) is not None:
            _get("broker.", broker, key, str)
    ca_file = _get("broker.", broker, "ca_file", str, "")
    setup = _get("", found, "setup", dict, {})
    sensors = _get("", found, "sensors", list)
    if not 1 <= len(sensors) <= 20:
        raise SettingsError("config.json: sensors must name 1 to 20 chips")
    for sensor in sensors:
        if not isinstance(sensor, dict):
            raise SettingsError("config.json: each of sensors must be an object")
        _get("sensors: ", sensor, "chip", str)
    return Settings(
        farm,
        node,
        eui64,
        Broker(
            _get("broker.", broker, "host", str),
            _number("broker.", broker, "port", 1, 65535, 8883 if ca_file else 1883),
            broker.get("user"),
            broker.get("password"),
            ca_file,
            _get("broker.", broker, "name", str, broker.get("host")),
        ),
        _number("", found, "interval_seconds", 1, 86400, 300),
        _number("", found, "resend_seconds", 1, 3600, 15),
        _number("", found, "ring_bytes", 16384, 1 << 30, 262144),
        _number("", found, "samples_in_memory", 1, 20, 10),
        _number("", found, "sleep_every", 0, 60, 0),
        _number("", found, "awake_seconds", 10, 600, 60),
        sensors,
        _get("", found, "board", dict, {}),
        _get("", found, "wifi", dict, {}),
        _key(found),
        _number("", found, "trial_seconds", 5, 86400, 600),
        _get("setup.", setup, "own_password", str, ""),
        _number("setup.", setup, "refused_seconds", 1, 86400, 3600),
        _number("setup.", setup, "open_seconds", 1, 3600, 600),
    )
