"""MQTT packets, byte by byte against the standard. On both interpreters."""

from nongso.node import packets


def test_connect_asks_for_a_lasting_session_with_a_retained_will():
    assert packets.connect("abc", "u", "pw", 30, "t/s", b"off") == (
        b"\x10\x20\x00\x04MQTT\x04\xec\x00\x1e\x00\x03abc\x00\x03t/s\x00\x03off\x00\x01u\x00\x02pw"
    )
    assert packets.connect("abc", None, None, 30, "t/s", b"off")[9] == 0x2C


def test_subscribe_asks_at_qos_1():
    assert packets.subscribe(["a/b", "c"], 10) == b"\x82\x0c\x00\x0a\x00\x03a/b\x01\x00\x01c\x01"


def test_a_message_that_came_is_read_or_refused():
    assert packets.read_publish(0x32, b"\x00\x03a/b\x00\x0ahi--", 9) == (b"a/b", b"hi", 10)
    assert packets.read_publish(0x30, b"\x00\x03a/b", 5) == (b"a/b", b"", 0)
    cut = ((0x30, b""), (0x30, b"\x00"), (0x30, b"\x00\x05a/b"), (0x32, b"\x00\x03a/b\x00"))
    for first, body in cut:
        try:
            packets.read_publish(first, body, len(body))
        except ValueError:
            continue
        raise AssertionError((first, body))
