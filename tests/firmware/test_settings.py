"""The node's configuration: every mistake is one clear sentence. On both interpreters."""

import json

from nongso.node import settings


def good():
    """A configuration as nongso writes it."""
    return {
        "farm": "tan-binh",
        "node": "tb-01",
        "eui64": "02a1b2c3d4e5f601",
        "broker": {"host": "127.0.0.1", "port": 1884, "user": "tb-01", "password": "secret"},
        "interval_seconds": 10,
        "sensors": [
            {"chip": "sht4x", "address": 68},
            {"chip": "bh1750", "address": 35},
            {"chip": "soil", "pin": 34, "dry": 2900, "wet": 1200},
        ],
        "board": {"simulated": "127.0.0.1:5021"},
    }


def sentence(text):
    """The sentence with which a configuration is refused."""
    try:
        settings.parse(text)
    except settings.SettingsError as e:
        found = str(e)
    else:
        raise AssertionError("was accepted: " + text)
    assert found.startswith("config.json")
    assert "secret" not in found
    return found


def changed(key, value):
    """The configuration with one value changed; ``None`` takes it out."""
    found = good()
    if value is None:
        del found[key]
    else:
        found[key] = value
    return json.dumps(found)


def test_a_good_configuration_is_read():
    found = settings.parse(json.dumps(good()))
    assert (found.farm, found.node, found.interval_seconds) == ("tan-binh", "tb-01", 10)
    assert found.broker == ("127.0.0.1", 1884, "tb-01", "secret", "", "127.0.0.1")
    assert len(found.sensors) == 3


def test_what_is_missing_or_wrong_is_named():
    for key in ("farm", "node", "eui64", "broker", "sensors"):
        assert key in sentence(changed(key, None))
    for key, value, words in (
        ("farm", "Tân Bình", "slug"),
        ("node", "", "slug"),
        ("node", 7, "a text"),
        ("eui64", "02A1B2C3D4E5F601", "16 hex digits"),
        ("eui64", "02a1", "16 hex digits"),
        ("broker", "127.0.0.1", "an object"),
        ("broker", {"port": 1883}, "broker.host is missing"),
        ("broker", {"host": "h", "port": 70000}, "broker.port"),
        ("broker", {"host": "h", "port": "1883"}, "a whole number"),
        ("broker", {"host": "h", "user": 5}, "broker.user"),
        ("interval_seconds", 0, "from 1 to 86400"),
        ("interval_seconds", 1.5, "a whole number"),
        ("interval_seconds", True, "a whole number"),
        ("sensors", [], "1 to 20"),
        ("sensors", {}, "a list"),
        ("sensors", ["sht4x"], "an object"),
        ("sensors", [{"address": 68}], "chip is missing"),
        ("ring_bytes", 5, "ring_bytes"),
        ("board", "simulated", "an object"),
    ):
        assert words in sentence(changed(key, value)), (key, value)


def test_what_is_no_json_object_is_refused():
    for text in ("", "{", "[]", "7", '"x"', "null", "\x00", "[" * 100000):
        sentence(text)
