"""Watering by what the plants have used: the reckoning holds, and water only comes when it may."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nongso.gateway.irrigation import balance as plants
from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import (
    Balance,
    Bed,
    FarmClock,
    Known,
    Limits,
    Ran,
    Reason,
    Zone,
)
from nongso.gateway.irrigation.planting import day_of, read_balance, store_on
from nongso.wire import marks, reasons
from nongso.wire.payload import Reading

NOW = 1_790_000_000.0
TOMATOES = Balance("ca-chua", "2026-06-01", "nhieu-mun", 80.0)
AREA = 240.0
LIMITS = Limits(1800, 7200)
DAY = day_of(TOMATOES, NOW)
STORE = store_on(TOMATOES, DAY, None)
ALLOWED = plants.allowed_mm(STORE)


def bed(missing_mm: float, **more: Any) -> Bed:
    return replace(Bed(int(NOW), 0.0, missing_mm, day=DAY), **more)


ZONE = Zone("k1", LIMITS, "balance", balance=TOMATOES, area_m2=AREA, bed=bed(0.0))
THIRSTY = replace(ZONE, bed=bed(ALLOWED + 0.1))


def seen(
    celsius: float | None = 28.0, lux: float = 40_000.0, now: float = NOW, **more: Any
) -> Known:
    """A bright hour; ``celsius`` None is a probe that died."""
    return Known(
        now,
        celsius=() if celsius is None else (Reading("air_temperature", now - 60, celsius, 0),),
        humidity=(Reading("air_humidity", now - 60, 60.0, 0),),
        light=(Reading("light", now - 60, lux, 0),),
        tank=Reading("tank_level", now - 5, 85.0, 0),
        **more,
    )


def says(zone: Zone, known: Known) -> tuple[str, int | None]:
    decision = zones.look(zone, known)
    assert decision.reason.code in {**reasons.WAITED, **reasons.REFUSED, **reasons.STARTED}
    return decision.reason.code, decision.run_seconds


def minimum(zone: Zone) -> Zone:
    return replace(zone, balance=replace(TOMATOES, fallback="minimum"))


NEEDED = int((ALLOWED + 0.1) * AREA / 80.0 * 60)


@pytest.mark.parametrize(
    ("zone", "known", "expected"),
    [
        (ZONE, seen(), ("soil_has_water", None)),
        (replace(ZONE, bed=bed(ALLOWED - 0.01)), seen(), ("soil_has_water", None)),
        (THIRSTY, seen(), ("plants_used", NEEDED)),
        (replace(ZONE, bed=bed(STORE.total_mm)), seen(), ("plants_used", 1800)),
        (replace(THIRSTY, mode="advice"), seen(), ("should_water", None)),
        (replace(THIRSTY, is_stopped=True), seen(), ("stopped_by_person", None)),
        (replace(THIRSTY, mode="advice", is_stopped=True), seen(), ("should_water", None)),
        (replace(THIRSTY, is_locked=True), seen(), ("zone_locked", None)),
        (replace(THIRSTY, mode="manual"), seen(), ("mode_manual", None)),
        (THIRSTY, seen(None), ("no_climate", None)),
        (minimum(THIRSTY), seen(None), ("plants_used_at_least", NEEDED)),
        (minimum(ZONE), seen(None), ("soil_has_water", None)),
        (THIRSTY, replace(seen(), light=()), ("no_climate", None)),
        (THIRSTY, replace(seen(None), doubts={"air_temperature": Reason("probe_frozen")}),
         ("probe_frozen", None)),
        (minimum(THIRSTY), replace(seen(None), doubts={"air_temperature": Reason("probe_frozen")}),
         ("plants_used_at_least", NEEDED)),
        (THIRSTY, replace(seen(), tank=None), ("tank_unknown", None)),
        (THIRSTY, seen(has_bus=False), ("bus_silent", None)),
        (THIRSTY, seen(ran=(Ran(1799, 60),)), ("soaking", None)),
        (THIRSTY, seen(ran=(Ran(7000, 7150),)), ("daily_limit", None)),
        (THIRSTY, seen(ran=(Ran(7000, 7100),)), ("plants_used", 100)),
    ],
)  # fmt: skip
def test_what_the_balance_decides(
    zone: Zone, known: Known, expected: tuple[str, int | None]
) -> None:
    assert says(zone, known) == expected


@pytest.mark.parametrize("mark", [marks.FAILED, marks.IMPOSSIBLE, marks.UNTIMED, marks.IMPORTED])
def test_a_reading_that_does_not_hold_is_a_lost_sensor(mark: int) -> None:
    known = replace(seen(), humidity=(Reading("air_humidity", NOW - 60, 60.0, mark),))
    decision = zones.look(THIRSTY, known)
    assert (decision.reason.code, decision.reason.values) == (
        "no_climate",
        {"metric": "air_humidity"},
    )


def test_an_hour_of_sun_is_taken_from_the_soil_and_a_run_is_put_back() -> None:
    later = zones.look(ZONE, seen(now=NOW + 3600)).zone
    assert later.bed is not None
    # 40,000 lux for an hour are 1.2 MJ/m2; some 70 % of what it could evaporate at best.
    assert 0.2 < later.bed.used_mm < 0.408 * 1.2 * 1.15
    assert later.bed.missing_mm == later.bed.used_mm
    litres = later.bed.missing_mm * AREA
    known = seen(now=NOW + 3600, delivered_litres=litres + 24.0)
    watered = zones.look(later, known).zone.bed
    assert watered is not None
    assert (watered.missing_mm, round(watered.drained_mm, 6)) == (0.0, 0.1)
    assert watered.watered_mm == pytest.approx((litres + 24.0) / AREA)


def test_between_steps_nothing_changes_and_the_disk_rests() -> None:
    assert zones.look(ZONE, seen(now=NOW + 299)).zone is ZONE
    assert zones.look(ZONE, seen(now=NOW + 300)).zone.bed != ZONE.bed


def test_at_the_start_the_probe_says_how_much_is_missing() -> None:
    new = replace(ZONE, bed=None)
    wet = Reading("soil_moisture", NOW - 60, 42.0, 0)
    begun = zones.look(new, seen(moisture=(wet,))).zone.bed
    # A tenth of the volume, 0.3 m deep, under 0.4 of the zone.
    assert begun is not None
    assert begun.missing_mm == pytest.approx(0.1 * 300 * 0.4)
    without = zones.look(new, seen()).zone.bed
    assert without is not None
    assert without.missing_mm == 0.0
    # A station that wakes a minute after the gateway still has its say; later it only checks.
    late = Reading("soil_moisture", NOW + 60, 42.0, 0)
    heard = zones.look(replace(new, bed=without), seen(now=NOW + 60, moisture=(late,))).zone
    assert heard.bed is not None
    assert heard.bed.missing_mm == begun.missing_mm
    assert zones.look(heard, seen(now=NOW + 90, moisture=(late,))).zone is heard


def test_a_probe_that_reads_the_soil_as_full_overrules_the_reckoning() -> None:
    full = Reading("soil_moisture", NOW + 240, 52.0, 0)
    assert says(THIRSTY, seen(now=NOW + 300, moisture=(full,))) == ("soil_has_water", None)


def test_time_without_sensors_counts_with_half_of_a_usual_day() -> None:
    used = []
    for usual in (2.0, 4.0):
        zone = replace(ZONE, bed=bed(0.0, usual_mm=usual))
        later = zones.look(zone, seen(None, now=NOW + 43200)).zone.bed
        assert later is not None
        used.append(later.reference_mm)
    assert used == [pytest.approx(0.5), pytest.approx(1.0)]


@pytest.mark.parametrize("jump", [-(10**9), -3600, 10**8, 2 * 86400 + 1])
def test_a_clock_that_jumps_moves_the_soil_by_two_minimal_days_at_most(jump: int) -> None:
    # A day far ahead makes the crop older, not thirstier than its highest coefficient.
    later = zones.look(ZONE, seen(None, now=NOW + jump)).zone.bed
    assert later is not None
    assert 0 <= later.missing_mm <= 2 * 1.0 * 1.15 + 1e-9
    assert later.at == NOW + jump


def test_the_soil_goes_on_while_a_person_stops_and_while_the_zone_is_locked() -> None:
    for zone in (zones.stopped(ZONE), zones.locked(ZONE)):
        later = zones.look(zone, seen(now=NOW + 3600)).zone.bed
        assert later is not None
        assert later.used_mm > 0


def test_what_is_known_of_the_soil_stays_between_advice_and_watering_and_after_a_stop() -> None:
    advice = zones.set_mode(THIRSTY, "advice")
    assert advice.bed == THIRSTY.bed
    again = zones.set_mode(zones.stopped(advice), "balance")
    assert says(again, seen()) == ("plants_used", NEEDED)
    by_hand = zones.set_mode(again, "manual")
    assert by_hand.bed is None
    assert by_hand.balance == TOMATOES


@pytest.mark.parametrize("mode", ["balance", "advice"])
def test_these_modes_need_plants(mode: str) -> None:
    with pytest.raises(ValueError, match="needs a balance"):
        zones.set_mode(replace(ZONE, mode="off", balance=None), mode)


GOOD = {"crop": "ca-chua", "planted": "2026-08-01", "soil": "thit", "flow_l_per_min": 80}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([], "a balance has"),
        ({"crop": "ca-chua"}, "needs crop, planted"),
        (GOOD | {"crop": "lan"}, "crop must be one of"),
        (GOOD | {"crop": 7}, "crop must be a text"),
        (GOOD | {"soil": "da"}, "soil must be one of"),
        (GOOD | {"planted": "hom qua"}, "must be a date"),
        (GOOD | {"flow_l_per_min": 0}, "flow_l_per_min"),
        (GOOD | {"flow_l_per_min": float("nan")}, "must be a number"),
        (GOOD | {"flow_l_per_min": True}, "must be a number"),
        (GOOD | {"wetted_share": 1.5}, "wetted_share"),
        (GOOD | {"fallback": "all"}, "fallback"),
        (GOOD | {"utc_offset_minutes": 1000}, "utc_offset"),
        (GOOD | {"elevation_m": 9000}, "elevation_m"),
        (GOOD | {"colour": "red"}, "a balance has"),
    ],
)
def test_plants_that_cannot_be_reckoned_with_are_refused(found: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_balance(found)
    assert read_balance(GOOD).flow_l_per_min == 80.0


class Beds(RuleBasedStateMachine):
    """Days of weather, dead sensors, people, wrong clocks, lost litres; what must always hold."""

    @initialize(soil=st.sampled_from(["cat", "nhieu-mun"]), mode=st.sampled_from(plants.MODES))
    def begin(self, soil: str, mode: str) -> None:
        self.clock = self.now = NOW  # what the gateway believes, and what is true
        self.zone = replace(
            ZONE, mode=mode, bed=None, balance=replace(TOMATOES, soil=soil, fallback="minimum")
        )
        self.ran: list[tuple[float, float, bool]] = []  # ended at (true time), seconds, by us
        self.delivered = 0.0
        self.has_sensors = True
        self.celsius, self.lux = 25.0, 20_000.0
        self.meter_counts = 1.0

    def known(self) -> Known:
        ran = tuple(Ran(self.now - at, seconds) for at, seconds, _own in self.ran)
        celsius = self.celsius if self.has_sensors else None
        return replace(
            seen(celsius, self.lux, self.clock), ran=ran, delivered_litres=self.delivered
        )

    @rule(celsius=st.floats(-5, 48), lux=st.floats(0, 120_000), has=st.booleans())
    def weather(self, celsius: float, lux: float, has: bool) -> None:
        self.celsius, self.lux, self.has_sensors = celsius, lux, has

    @rule(counts=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    def meter_is_wrong(self, counts: float) -> None:
        self.meter_counts = counts

    @rule(jump=st.sampled_from([-86400, -61, 30, 7200, 86400 * 3, 86400 * 4000]))
    def clock_jumps(self, jump: int) -> None:
        self.clock += jump
        self.look()

    @rule()
    def book_is_lost(self) -> None:
        self.delivered = 0.0

    @rule()
    def person_stops(self) -> None:
        self.zone = zones.stopped(self.zone)

    @rule(mode=st.sampled_from(["balance", "advice", "manual", "off"]))
    def person_sets_mode(self, mode: str) -> None:
        self.zone = zones.set_mode(self.zone, mode)

    @rule(seconds=st.integers(1, 1800))
    @precondition(lambda self: self.zone.mode != "off")
    def person_waters(self, seconds: int) -> None:
        self.zone = zones.wished(self.zone)
        self.water(seconds, own=False)

    @rule(hours=st.integers(1, 48))
    def time_passes(self, hours: int) -> None:
        for _ in range(hours * 4):
            self.pass_seconds(900)
            self.look()

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds
        self.clock += seconds

    def look(self) -> None:
        before = self.zone
        decision = zones.look(before, self.known())
        self.zone = decision.zone
        codes = reasons.WAITED.keys() | reasons.REFUSED.keys() | reasons.STARTED.keys()
        assert decision.reason.code in codes
        assert zones.look(self.zone, self.known()) == decision, "a second look finds another soil"
        if self.zone.bed is not None:
            total = store_on(TOMATOES, 0, 0.0).total_mm * 10
            assert 0 <= self.zone.bed.missing_mm <= total
            assert min(self.zone.bed.used_mm, self.zone.bed.drained_mm) >= 0
        if decision.run_seconds is None:
            return
        assert self.zone.mode == "balance", "only this mode opens; advice never does"
        assert not self.zone.is_stopped
        assert not self.zone.is_locked
        assert 1 <= decision.run_seconds <= LIMITS.max_run_seconds
        assert not self.ran or self.now - self.ran[-1][0] >= plants.SOAK_SECONDS
        own = [s for at, s, is_own in self.ran if is_own and self.now - at < 86400]
        assert sum(own) + decision.run_seconds <= LIMITS.max_day_seconds
        # Never more than what is missing, whatever was missed before.
        bed_now = self.zone.bed
        assert bed_now is not None
        assert decision.run_seconds * 80.0 / 60.0 <= bed_now.missing_mm * AREA + 1e-6
        self.water(decision.run_seconds, own=True)

    def water(self, seconds: int, own: bool) -> None:
        self.pass_seconds(seconds)
        self.ran.append((self.now, seconds, own))
        self.delivered += 80.0 * seconds / 60.0 * self.meter_counts


Beds.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestBeds = Beds.TestCase


def test_on_a_farm_that_hurries_plants_drink_by_its_own_clock() -> None:
    """Ten minutes at sixty times the speed are ten hours, in steps that readings can speak for."""
    slow = fast = ZONE
    clock = FarmClock(NOW, 60.0)
    for n in range(1, 121):
        slow = zones.look(slow, seen(now=NOW + n * 300.0)).zone
        fast = zones.look(fast, replace(seen(now=NOW + n * 5.0), farm_clock=clock)).zone
    assert slow.bed is not None
    assert fast.bed == slow.bed
    assert plants.told(fast, 60.0) == (plants.told(slow) or {}) | {"speed": 60.0}
