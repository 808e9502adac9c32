"""The board's own auto-off, with the clock turned by hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.gateway.simulated.relay import EdgeLog, Relays


class Board:
    def __init__(self) -> None:
        self.now = 100.0
        self.edges: list[tuple[int, bool, str]] = []
        self.relays = Relays(lambda *edge: self.edges.append(edge), lambda: self.now)

    def at(self, now: float) -> None:
        self.now = now
        self.relays.lapse()


def test_a_pulse_ends_by_itself() -> None:
    board = Board()
    board.relays.pulse(2, 40)
    board.at(103.9)
    assert board.relays.coils[2]
    board.at(104.0)
    assert board.edges == [(2, True, "pulse"), (2, False, "lapse")]


def test_a_renewed_pulse_goes_on_without_an_edge() -> None:
    board = Board()
    for second in range(10):
        board.at(100.0 + second)
        board.relays.pulse(0, 40)
    board.at(112.9)
    assert board.edges == [(0, True, "pulse")]
    board.at(113.0)
    assert board.edges[-1] == (0, False, "lapse")


def test_a_shorter_pulse_replaces_a_longer_one() -> None:
    board = Board()
    board.relays.pulse(0, 100)
    board.relays.pulse(0, 10)
    board.at(101.0)
    assert not board.relays.coils[0]


def test_a_plain_write_ends_the_auto_off() -> None:
    board = Board()
    board.relays.pulse(0, 10)
    board.relays.write(0, True)
    board.at(10000.0)
    assert board.relays.coils[0], "the real board has no watchdog either"
    board.relays.pulse(1, 10)
    board.relays.write(1, False)
    board.at(20000.0)
    assert board.edges[-1] == (1, False, "write")


def test_power_off_drops_every_relay() -> None:
    board = Board()
    board.relays.write(3, True)
    board.relays.pulse(4, 100)
    board.relays.power_off()
    assert not any(board.relays.coils)
    assert board.relays.lapse() is None
    assert [edge for edge in board.edges if not edge[1]] == [
        (3, False, "power"),
        (4, False, "power"),
    ]


ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["on", "off", "pulse", "wait"]), st.integers(0, 7), st.integers(1, 50)
    )
)


@given(ORDERS)
def test_edges_alternate_and_no_pulse_outlives_its_time(
    orders: list[tuple[str, int, int]],
) -> None:
    board = Board()
    ends: dict[int, float] = {}
    for what, coil, number in orders:
        if what == "wait":
            board.at(board.now + number / 10)
        elif what == "pulse":
            ends[coil] = board.now + number / 10
            board.relays.pulse(coil, number)
        else:
            ends.pop(coil, None)
            board.relays.write(coil, what == "on")
        assert not any(
            board.relays.coils[coil] for coil, end in ends.items() if end + 1e-6 < board.now
        )
    for coil in range(8):
        mine = [on for number, on, _ in board.edges if number == coil]
        assert mine == [index % 2 == 0 for index in range(len(mine))]


def test_the_log_notes_that_a_killed_board_lost_its_power(tmp_path: Path) -> None:
    file = tmp_path / "edges.jsonl"
    log = EdgeLog(file)
    log.write(0, True, "write")
    log.write(1, True, "pulse")
    log.write(1, False, "lapse")
    log.close()
    with file.open("a") as out:
        out.write('{"mono": 1.0, "co')  # torn by the kill
    EdgeLog(file).close()
    lines = file.read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["coil"], last["on"], last["why"]) == (0, False, "power")
    assert len(lines) == 5


def test_a_log_that_cannot_be_written_stops_no_relay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this machine")
    log = EdgeLog(tmp_path / "edges.jsonl")
    log.close()
    log._out = full.open("w")
    relays = Relays(log.write)
    relays.write(0, True)
    relays.write(0, False)
    assert log.lost == 2
    assert capsys.readouterr().err.count("cannot be logged") == 1
    with pytest.raises(OSError, match="No space"):
        log.close()
