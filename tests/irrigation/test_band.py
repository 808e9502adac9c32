"""The moisture band: pulse and soak between low and high, and only on readings that hold."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.band import Decision, decide
from nongso.gateway.irrigation.facts import (
    Band,
    FarmClock,
    Known,
    Limits,
    Ran,
    Reason,
    Schedule,
    Slot,
    Zone,
)
from nongso.gateway.proposals import proposed
from nongso.wire import marks, reasons
from nongso.wire.payload import Reading

NOW = 1_790_000_000.0
BAND = Band(40.0, 55.0, 120, 900)
TWICE_A_DAY = Schedule(tuple(Slot(tuple(range(7)), at, 600) for at in ("06:00", "16:00")))
ZONE = Zone("tan-binh-1-k1", Limits(1800, 7200), "band", BAND)
WETTING = replace(ZONE, is_wetting=True)


def seen(moisture: float | None, age: float = 60, mark: int = marks.SIMULATED, *ran: Ran) -> Known:
    tank = Reading("tank_level", NOW - 5, 85.0, 0)
    reading = Reading("soil_moisture", NOW - age, moisture, mark)
    return Known(NOW, (reading,), tank, tuple(ran))


def says(zone: Zone, known: Known) -> tuple[str, int | None, bool]:
    decision = decide(zone, known)
    return decision.reason.code, decision.run_seconds, decision.zone.is_wetting


LEAST = replace(ZONE, band=replace(BAND, fallback="minimum"))
FROZEN = {"soil_moisture": Reason("probe_frozen", {"node": "0200000000000001"})}


@pytest.mark.parametrize(
    ("zone", "known", "expected"),
    [
        (ZONE, replace(seen(None), moisture=(), doubts=FROZEN), ("probe_frozen", None, False)),
        (LEAST, replace(seen(None), moisture=(), doubts=FROZEN), ("least_of_day", 120, False)),
        (LEAST, replace(seen(None, 60, 0, Ran(90_000, 120)), doubts=FROZEN, moisture=()),
         ("least_of_day", 120, False)),
        (LEAST, replace(seen(None, 60, 0, Ran(80_000, 120)), doubts=FROZEN, moisture=()),
         ("probe_frozen", None, False)),
        (LEAST, seen(30.0, 1801), ("least_of_day", 120, False)),
        (LEAST, seen(None), ("no_reading", None, False)),  # only just started
        (LEAST, replace(seen(None), moisture=(), doubts=FROZEN, tank=None),
         ("tank_unknown", None, False)),
    ],
)  # fmt: skip
def test_without_a_probe_to_believe_the_farmers_choice_counts(
    zone: Zone, known: Known, expected: tuple[str, int | None, bool]
) -> None:
    assert says(zone, known) == expected


def test_on_a_farm_that_hurries_water_soaks_in_by_its_own_clock() -> None:
    hurried = replace(seen(30.0, 1, 0, Ran(16, 120)), farm_clock=FarmClock(NOW - 60, 60.0))
    assert says(ZONE, hurried) == ("soil_dry", 120, True)
    assert says(ZONE, replace(hurried, ran=(Ran(14, 120),)))[0] == "soaking"


@pytest.mark.parametrize(
    ("zone", "known", "expected"),
    [
        (ZONE, seen(39.9), ("soil_dry", 120, True)),
        (ZONE, seen(40.0), ("soil_moist", None, False)),
        (ZONE, seen(50.0), ("soil_moist", None, False)),
        (WETTING, seen(50.0), ("soil_filling", 120, True)),
        (WETTING, seen(55.0), ("soil_moist", None, False)),
        (WETTING, seen(39.0), ("soil_dry", 120, True)),
        (WETTING, seen(45.0, 10, 0, Ran(300, 120)), ("soaking", None, True)),
        (ZONE, seen(30.0, 10, 0, Ran(899, 5)), ("soaking", None, False)),
        (ZONE, seen(30.0, 10, 0, Ran(901, 120)), ("soil_dry", 120, True)),
        (ZONE, seen(30.0, 1000, 0, Ran(901, 120)), ("soaking", None, False)),
        (WETTING, seen(60.0, 10, 0, Ran(30, 120)), ("soil_moist", None, False)),
        (ZONE, seen(None, 10, marks.FAILED), ("no_reading", None, False)),
        (ZONE, seen(5.0, 10, marks.IMPOSSIBLE), ("no_reading", None, False)),
        (ZONE, seen(5.0, 10, marks.UNTIMED), ("no_reading", None, False)),
        (ZONE, seen(5.0, 10, marks.IMPORTED), ("no_reading", None, False)),
        (ZONE, seen(5.0, 1801), ("no_reading", None, False)),
        (ZONE, seen(5.0, -121), ("no_reading", None, False)),
        (WETTING, seen(5.0, 1801), ("no_reading", None, True)),
        (replace(ZONE, is_stopped=True), seen(5.0), ("stopped_by_person", None, False)),
        (replace(ZONE, is_locked=True), seen(5.0), ("zone_locked", None, False)),
        (ZONE, replace(seen(5.0), tank=None), ("tank_unknown", None, False)),
        (ZONE, replace(seen(5.0), has_bus=False), ("bus_silent", None, False)),
        (ZONE, seen(5.0, 10, 0, Ran(5000, 7100)), ("daily_limit", None, False)),
    ],
)
def test_what_the_band_decides(
    zone: Zone, known: Known, expected: tuple[str, int | None, bool]
) -> None:
    assert says(zone, known) == expected


def test_the_newest_good_probe_counts() -> None:
    probes = (
        Reading("soil_moisture", NOW - 10, None, marks.FAILED),
        Reading("soil_moisture", NOW - 60, 30.0, 0),
        Reading("soil_moisture", NOW - 600, 60.0, 0),
    )
    assert says(ZONE, replace(seen(0), moisture=probes))[0] == "soil_dry"


def test_a_zone_without_any_probe_never_waters_by_itself() -> None:
    decision = decide(ZONE, replace(seen(0), moisture=()))
    assert (decision.reason.code, decision.reason.values) == ("no_reading", {"age_seconds": None})


@pytest.mark.parametrize(
    ("mode", "band", "says"),
    [
        ("always", None, "mode must be"),
        ("band", Band(50, 40, 120, 900), "low < high"),
        ("band", Band(-1, 40, 120, 900), "low < high"),
        ("band", Band(40, 55, 1801, 900), "run_seconds"),
        ("band", Band(40, 55, 0, 900), "run_seconds"),
        ("band", Band(40, 55, 120, -1), "soak_seconds"),
        ("band", Band(float("nan"), 55, 120, 0), "low < high"),
    ],
)
def test_a_mode_that_cannot_be_is_refused(mode: str, band: Band | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        zones.set_mode(ZONE, mode, band)


def test_mode_band_needs_a_band() -> None:
    with pytest.raises(ValueError, match="needs a band"):
        zones.set_mode(replace(ZONE, band=None), "band", None)


def test_a_person_sets_the_mode_and_clears_stop_and_lock() -> None:
    held = zones.locked(zones.stopped(WETTING))
    assert says(held, seen(5.0))[0] == "stopped_by_person"
    assert zones.look(held, seen(5.0)).reason.code == "zone_locked"
    assert zones.state(held, is_running=False) == "locked"
    free = zones.set_mode(held, "band", None)
    assert says(free, seen(5.0)) == ("soil_dry", 120, True)


def test_a_person_waters_and_the_stop_is_over() -> None:
    assert says(zones.wished(zones.stopped(ZONE)), seen(5.0))[0] == "soil_dry"


@pytest.mark.parametrize(("mode", "code"), [("manual", "mode_manual"), ("off", "zone_off")])
def test_other_modes_never_start_anything(mode: str, code: str) -> None:
    decision = zones.look(replace(ZONE, mode=mode, is_armed=True), seen(1.0))
    assert (decision.reason.code, decision.run_seconds) == (code, None)


def test_a_zone_that_was_never_tested_says_so() -> None:
    decision = zones.look(replace(ZONE, mode="off"), seen(1.0))
    assert (decision.reason.code, decision.run_seconds) == ("zone_not_tested", None)


class Bed(RuleBasedStateMachine):
    """Soil under band or schedule for days, a probe that fails, people who interfere."""

    @initialize(moisture=st.floats(10, 70))
    def begin(self, moisture: float) -> None:
        self.now = NOW
        self.moisture = moisture
        self.zone = ZONE
        self.ran: list[tuple[float, float]] = []  # ended at, seconds
        self.wished: list[tuple[float, float]] = []  # those of them that a person wanted
        self.reading: Reading | None = None
        self.probe_lives = True
        self.decided_on: set[float] = set()

    def known(self) -> Known:
        ran = tuple(Ran(self.now - at, seconds) for at, seconds in self.ran)
        tank = Reading("tank_level", self.now, 50.0, 0)
        slots = proposed(self.zone.schedule, self.now) if self.zone.schedule else ()
        return Known(self.now, (self.reading,) if self.reading else (), tank, ran, slots=slots)

    @rule()
    def probe_fails(self) -> None:
        self.probe_lives = False

    @rule()
    def probe_works(self) -> None:
        self.probe_lives = True

    @rule()
    def person_stops(self) -> None:
        self.zone = zones.stopped(self.zone)

    @rule(mode=st.sampled_from(["off", "manual", "band", "schedule"]))
    def person_sets_mode(self, mode: str) -> None:
        self.zone = zones.set_mode(self.zone, mode, None, TWICE_A_DAY)

    @rule(minutes=st.integers(1, 240), dries=st.floats(0, 0.1))
    def time_passes(self, minutes: int, dries: float) -> None:
        for _ in range(minutes):
            self.now += 60
            self.moisture = max(0.0, self.moisture - dries)
            if self.probe_lives:
                self.reading = Reading("soil_moisture", self.now, round(self.moisture, 1), 0)
            self.decide_once()

    @rule(seconds=st.integers(1, 300))
    @precondition(lambda self: self.zone.mode != "off")
    def person_waters(self, seconds: int) -> None:
        self.zone = zones.wished(self.zone)
        self.water(seconds)
        self.wished.append(self.ran[-1])

    def decide_once(self) -> None:
        decision: Decision = zones.look(self.zone, self.known())
        codes = reasons.WAITED.keys() | reasons.REFUSED.keys() | reasons.STARTED.keys()
        assert decision.reason.code in codes
        self.zone = decision.zone
        if decision.run_seconds is None:
            return
        assert not self.zone.is_stopped
        assert decision.reason.code in reasons.STARTED
        if self.zone.mode == "band":
            self.check_start_by_moisture()
        else:
            assert (self.zone.mode, decision.reason.code) == ("schedule", "slot_due")
        self.water(decision.run_seconds)
        wished = sum(s for at, s in self.wished if self.now - at < 86400)
        assert sum(s for at, s in self.ran if self.now - at < 86400) <= 7200 + wished

    def check_start_by_moisture(self) -> None:
        assert self.reading is not None
        assert self.now - self.reading.at <= 1800, "an old reading started water"
        assert self.reading.value < BAND.high
        assert self.reading.at not in self.decided_on, "one reading watered twice"
        self.decided_on.add(self.reading.at)
        if self.ran:
            assert self.now - max(at for at, _ in self.ran) >= BAND.soak_seconds

    def water(self, seconds: float) -> None:
        self.now += seconds
        self.moisture = min(100.0, self.moisture + seconds / 60)
        self.ran.append((self.now, seconds))


Bed.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestBed = Bed.TestCase
