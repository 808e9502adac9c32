"""The simulated chips themselves: registers, times, and the lines over which boards reach them."""

import socket

import pytest

from nongso.gateway.simulated.chips import BH1750, ChipBus, Nack, SHT4x


def truth() -> dict[str, float]:
    return {"air_temperature": 24.5, "air_humidity": 71.2, "light": 10000.0}


class Hand:
    """A clock turned by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_sht4x_precisions_take_their_time():
    for command, seconds in ((0xFD, 0.0083), (0xF6, 0.0045), (0xE0, 0.0016)):
        clock = Hand()
        chip = SHT4x(truth, clock)
        chip.write(bytes([command]))
        clock.seconds = seconds - 0.0001
        with pytest.raises(Nack):
            chip.read(6)
        with pytest.raises(Nack):
            chip.write(b"\xfd")  # busy
        clock.seconds = seconds
        assert len(chip.read(6)) == 6


def test_sht4x_knows_serial_number_and_reset():
    chip = SHT4x(truth, serial=0x12345678)
    chip.write(b"\x89")
    assert chip.read(6) == b"\x12\x34\x37\x56\x78\x7d"
    chip.write(b"\xfd")
    chip.write(b"\x94")
    with pytest.raises(Nack):
        chip.read(6)
    with pytest.raises(Nack):
        chip.write(b"\x42")


def test_bh1750_scale_follows_mode_and_measurement_time():
    for code, time_register, counts in (
        (0x20, 69, 12000),
        (0x21, 69, 24000),
        (0x23, 69, 12000),
        (0x20, 138, 24000),
        (0x20, 31, 5391),
    ):
        clock = Hand()
        chip = BH1750(truth, clock)
        for command in (0x01, 0x40 | time_register >> 5, 0x60 | time_register & 31, code):
            chip.write(bytes([command]))
        assert chip.read(2) == b"\0\0"
        clock.seconds = 1
        assert int.from_bytes(chip.read(2), "big") == counts


def test_bh1750_measures_on_in_continuous_mode_and_sleeps_after_one_time():
    light = {"light": 1000.0}
    for code, second in ((0x10, 1200), (0x20, 600)):
        clock = Hand()
        light["light"] = 500.0
        chip = BH1750(lambda: light, clock)
        chip.write(bytes([code]))
        clock.seconds = 0.2
        assert int.from_bytes(chip.read(2), "big") == 600
        light["light"] = 1000.0
        clock.seconds = 0.4
        chip.read(2)
        clock.seconds = 0.6
        assert int.from_bytes(chip.read(2), "big") == second


def ask(bus: ChipBus, lines: bytes) -> list[bytes]:
    with socket.create_connection(bus.address, 5) as line:
        try:
            line.sendall(lines)
            line.shutdown(socket.SHUT_WR)
            return line.makefile("rb").read().splitlines()
        except OSError:  # hung up in the middle of our words
            return []


def test_one_line_is_one_transaction(chip_bus: ChipBus):
    assert ask(chip_bus, b"tb-01 w 44 -\ntb-01 w 45 -\ntb-01 r 23 2\n") == [
        b"ok",
        b"nack",
        b"ok 0000",
    ]
    (counts,) = ask(chip_bus, b"tb-01 a 34\n")
    assert 2120 < int(counts.split()[1], 16) < 2170


def test_nodes_have_their_own_chips(chip_bus: ChipBus):
    chip_bus.chips("tb-02").sht4x.absent = True
    assert ask(chip_bus, b"tb-01 w 44 fd\ntb-02 w 44 fd\n") == [b"ok", b"nack"]


def test_lines_that_make_no_sense_get_a_sentence_and_stop_nothing(chip_bus: ChipBus):
    answers = ask(
        chip_bus,
        b"\nhello\ntb-01 x 44 00\ntb-01 w zz 00\ntb-01 w 44 0\ntb-01 r 44 many\n"
        b"\xff\xfe \x00 \x01\nnobody w 44 fd\ntb-01 w 44 fd\n",
    )
    assert len(answers) == 9
    assert all(a.startswith(b"error ") for a in answers[:8]), answers
    assert answers[8] == b"ok"
    assert ask(chip_bus, b"x" * 100_000) == []


def test_a_taken_port_is_an_error_at_once(chip_bus: ChipBus):
    with pytest.raises(OSError, match="in use"):
        ChipBus(*chip_bus.address, lambda _: {})


def test_the_port_is_free_again_after_stop():
    bus = ChipBus("127.0.0.1", 0, lambda _: {})
    address = bus.address
    bus.start()
    bus.stop()
    again = ChipBus(*address, lambda _: {})
    again.stop()
