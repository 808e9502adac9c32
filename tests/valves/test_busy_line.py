"""However busy the line of valves and meter: the meter is read while water runs."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_board import LEASE, PUMP, Rig

from nongso.gateway.probes import Probes
from nongso.gateway.valves.bus import LATE_SECONDS
from nongso.gateway.valves.supervisor import METER_SECONDS, Supervisor

BUTTON_AND_OPENING = 1.0  # other questions that go before it, on the slowest line
BOUND = METER_SECONDS + LATE_SECONDS + BUTTON_AND_OPENING


class Loop(Rig):
    """The supervisor's own loop, on a line that takes its time."""

    _work, _listen_to_a_sensor = Supervisor._work, Supervisor._listen_to_a_sensor

    def start(self) -> None:
        super().start()
        self.probes = Probes(self.cable, (), self.clock)  # type: ignore[arg-type]

    def go_on(self, seconds: float, slowness: float = 0.0) -> None:
        """Let time pass; ``slowness`` is what each turn of a loaded machine takes beside."""
        until = self.clock() + seconds
        while self.clock() < until:
            self.ask(do="renew")  # what has come since the last turn is heard in each
            pause = self._work()  # type: ignore[misc]
            self.board.turn(pause + slowness)


def longest_gap(loop: Loop, since: float) -> float:
    at = [since, *(t for t in loop.cable.metered_at if t >= since), loop.clock()]
    return max(b - a for a, b in itertools.pairwise(at))


@settings(max_examples=120, deadline=None)
@given(
    lease=st.sampled_from([1.5, 2.5, LEASE, 8.0]),
    share=st.floats(0.02, 0.98),
    apart=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=3),
    slow=st.floats(0.0, 0.5),
)
def test_the_meter_is_read_within_three_seconds_whatever_the_relay_needs(
    lease: float, share: float, apart: list[float], slow: float
) -> None:
    """As long as the line can carry the relay's own renewals, of each coil in a quarter lease."""
    turn, questions = lease / 4.0, len(apart) + 3
    slowness = slow * turn
    latency = min(0.29, share * (turn - slowness) / questions)
    loop = Loop(lease=lease)
    loop.go_on(3)
    loop.cable.latency = latency
    for number, seconds in enumerate(apart, 1):
        answer = loop.ask(do="open", zone=f"k{number}", seconds=30, id=str(number))
        assert answer["state"] == "running"
        loop.go_on(0.05 + seconds, slowness)
    began = loop.clock()
    loop.go_on(20, slowness)
    assert loop.board.on[PUMP], "nothing lapses because the meter was asked"
    assert longest_gap(loop, began) <= BOUND


@pytest.mark.parametrize("lease", [1.5, LEASE])
def test_a_dry_pump_is_cut_also_on_a_busy_line(lease: float) -> None:
    loop = Loop(lease=lease)
    loop.go_on(3)
    loop.cable.latency = 0.09
    loop.board.has_water = False
    loop.ask(do="open", zone="k1", seconds=300, id="a")
    loop.go_on(0.13)
    loop.ask(do="open", zone="k2", seconds=300, id="b")
    loop.go_on(25)
    assert {r["code"] for r in loop.ask(do="renew")["ended"]} == {"no_flow"}  # type: ignore[union-attr]


def test_a_meter_that_does_not_answer_lets_no_valve_lapse() -> None:
    loop = Loop(lease=1.5)
    loop.go_on(3)
    loop.cable.meter_is_dead = True
    loop.ask(do="open", zone="k1", seconds=60, id="a")
    loop.go_on(40)
    assert [on for _, coil, on in loop.board.edges if coil == 0] == [True]
