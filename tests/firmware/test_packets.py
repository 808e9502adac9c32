"""MQTT packets, byte by byte against the standard. On both interpreters."""

from nongso.node import packets


def test_connect_asks_for_a_lasting_session_with_a_retained_will():
    assert packets.connect("abc", "u", "pw", 30, "t/s", b"off") == (
        b"\x10\x20\x00\x04MQTT\x04\xec\x00\x1e\x00\x03abc\x00\x03t/s\x00\x03off\x00\x01u\x00\x02pw"
    )
    assert packets.connect("abc", None, None, 30, "t/s", b"off")[9] == 0x2C


def test_publish_has_a_number_at_qos_1_and_none_at_qos_0():
    assert packets.publish("a/b", b"hi", 10) == b"\x32\x09\x00\x03a/b\x00\x0ahi"
    assert packets.publish("a/b", b"hi", 0, retain=True) == b"\x31\x07\x00\x03a/bhi"
    again = packets.publish("a/b", b"hi", 10)
    packets.mark_again(again)
    packets.mark_again(again)
    assert again[0] == 0x3A


def test_long_packets_have_long_lengths():
    assert packets.publish("a", b"x" * 124, 0)[:2] == b"\x30\x7f"
    assert packets.publish("a", b"x" * 125, 0)[:3] == b"\x30\x80\x01"
    assert packets.publish("a", b"x" * 16381, 0)[:4] == b"\x30\x80\x80\x01"


def test_subscribe_asks_at_qos_1():
    assert packets.subscribe(["a/b", "c"], 10) == b"\x82\x0c\x00\x0a\x00\x03a/b\x01\x00\x01c\x01"


def test_a_message_that_came_is_read_or_refused():
    assert packets.read_publish(2, b"\x00\x03a/b\x00\x0ahi") == (b"a/b", b"hi", 10)
    assert packets.read_publish(0, b"\x00\x03a/b") == (b"a/b", b"", 0)
    for flags, body in ((0, b""), (0, b"\x00"), (0, b"\x00\x05a/b"), (2, b"\x00\x03a/b\x00")):
        try:
            packets.read_publish(flags, body)
        except ValueError:
            continue
        raise AssertionError((flags, body))
