"""What goes over the wire, byte for byte, and what an answer must be to count."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from raw_line import Line, Script

from nongso.gateway.devicefile import load_device
from nongso.gateway.fieldbus import AnswerUnfit, Bus, BusError, NoAnswer, UnitRefused

NewLine = Callable[..., Line]
BOARD = load_device("relay-waveshare-rtu-8ch")
assert BOARD.coils is not None
assert BOARD.pulse is not None
COILS, PULSE = BOARD.coils, BOARD.pulse


def always(pdu: str, unit: int = 1) -> Script:
    return lambda n, asked_unit, asked: [(0.0, unit, bytes.fromhex(pdu))]


def echo(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
    return [(0.0, unit, pdu)]


@pytest.mark.parametrize("coil", range(8))
def test_coil_n_is_bit_n(new_line: NewLine, coil: int) -> None:
    """pymodbus turned the bits round in 3.9, 3.10 and 3.11: that could open another valve."""
    line = new_line(always(f"01 01 {1 << coil:02x}"))
    bus = line.bus()
    assert bus.read_coils(1, COILS) == tuple(n == coil for n in range(8))
    assert line.asked[0][2:].hex(" ") == "00 00 00 06 01 01 00 00 00 08"
    bus.close()


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_off_and_pulse_are_these_bytes(new_line: NewLine, framing: str) -> None:
    line = new_line(echo, framing)
    bus = line.bus()
    bus.coil_off(1, COILS, 3)
    bus.coil_pulse(1, PULSE, 3, 4.0)
    bus.coil_pulse(1, PULSE, 0, 0.01)
    bus.coil_pulse(1, PULSE, 0, 1e6)
    cut = slice(6, None) if framing == "tcp" else slice(0, -2)
    assert [frame[cut].hex(" ") for frame in line.asked] == [
        "01 05 00 03 00 00",
        "01 05 02 03 00 28",
        "01 05 02 00 00 01",
        "01 05 02 00 7f ff",
    ]
    bus.close()


def test_the_makers_own_frames(new_line: NewLine) -> None:
    """Recorded frames of the board: relay 1 off, and reading 8 relays, CRC included."""
    line = new_line(lambda n, u, p: [(0.0, 1, p if p[0] == 5 else b"\x01\x01\x00")], "rtu")
    bus = line.bus()
    bus.coil_off(1, COILS, 0)
    bus.read_coils(1, COILS)
    assert [frame.hex(" ").upper() for frame in line.asked] == [
        "01 05 00 00 00 00 CD CA",
        "01 01 00 00 00 08 3D CC",
    ]
    bus.close()


@pytest.mark.parametrize("answer", ["05 00 03 ff 00", "05 00 02 00 00", "05 02 03 00 00"])
def test_an_echo_that_is_not_the_same_is_no_echo(new_line: NewLine, answer: str) -> None:
    bus = new_line(always(answer)).bus()
    with pytest.raises(AnswerUnfit, match="echo"):
        bus.coil_off(1, COILS, 3)
    bus.close()


@pytest.mark.parametrize(
    "answer",
    [
        "01 02 00 00",  # two bytes where one was asked for
        "01 01",  # says one byte, brings none
        "01 02 00",  # says two, brings one
        "02 01 00",  # another function
        "03 02 00 00",
        "05 00 00 00 00",
    ],
)
def test_an_answer_of_another_shape_is_thrown_away(new_line: NewLine, answer: str) -> None:
    line = new_line(lambda n, u, p: [(0.0, 1, bytes.fromhex(answer if n == 0 else "01 01 05"))])
    bus = line.bus()
    with pytest.raises((AnswerUnfit, NoAnswer)):
        bus.read_coils(1, COILS)
    assert bus.read_coils(1, COILS)[:3] == (True, False, True)
    assert line.connections == 2, "the line is opened anew after an answer that does not fit"
    bus.close()


def test_another_units_answer_does_not_count(new_line: NewLine) -> None:
    bus = new_line(always("01 01 ff", unit=2)).bus()
    with pytest.raises(BusError):
        bus.read_coils(1, COILS)
    bus.close()


@pytest.mark.parametrize(
    ("exception", "advice"), [(1, "device"), (2, "device"), (3, "pulse"), (11, "unit number")]
)
def test_a_refusal_says_what_to_look_at(new_line: NewLine, exception: int, advice: str) -> None:
    bus = new_line(always(f"81 {exception:02x}")).bus()
    with pytest.raises(UnitRefused, match=advice) as caught:
        bus.read_coils(1, COILS)
    assert caught.value.exception == exception
    bus.close()


def test_nobody_at_the_address() -> None:
    bus = Bus("127.0.0.1", 1, timeout_seconds=0.2)
    with pytest.raises(BusError, match=r"Cannot connect to the bus at 127\.0\.0\.1:1\. Check"):
        bus.read_coils(1, COILS)


def test_an_unknown_framing_is_named() -> None:
    with pytest.raises(BusError, match="tcp"):
        Bus("127.0.0.1", 502, framing="ascii")


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(answer=st.binary(min_size=1, max_size=12))
@example(answer=b"\x01\x01")
@example(answer=b"\x81")
@example(answer=b"\x05\x00\x00")
def test_garbage_is_never_a_value(new_line: NewLine, framing: str, answer: bytes) -> None:
    """Whatever comes, it is the one right answer or an error with a name."""
    line = new_line(lambda n, u, p: [(0.0, 1, answer)], framing)
    bus = line.bus(timeout_seconds=0.02)
    try:
        coils = bus.read_coils(1, COILS)
    except BusError:
        pass
    else:
        assert answer[:2] == b"\x01\x01"
        assert len(answer) == 3 or framing == "rtu"
        assert coils == tuple(bool(answer[2] >> n & 1) for n in range(8))
    finally:
        bus.close()
        line.close()
