"""Where the water is from: level, quotas, water test, and the hours in which panels give power."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nongso.gateway.irrigation.facts import (
    Drawn,
    Known,
    Limits,
    Reason,
    Schedule,
    Slot,
    Source,
    SunHours,
    Zone,
)
from nongso.gateway.irrigation.gate import Wish, refusal
from nongso.gateway.irrigation.sources import (
    Account,
    check,
    day_at,
    is_test_old,
    season_first_day,
)
from nongso.gateway.irrigation.zone import look
from nongso.gateway.proposals import proposed
from nongso.wire import marks, reasons
from nongso.wire.payload import Reading

PLACE = (22.4, 103.6)
NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC).timestamp()  # noon in Viet Nam
DAY = 86400.0
ZONE = Zone("tan-binh-1-k1", Limits(1800, 7200), "manual")
STREAM = Source(
    *("suoi-1", "Suối Nậm Pé", "stream"),
    level_node="aaaaaaaaaaaaaaaa",
    lowest_percent=20.0,
    litres_per_day=1000.0,
    litres_per_season=50_000.0,
    season_begins=("02-01", "08-15"),
    tested_on="2026-01-10",
)
FULL = Reading("tank_level", NOON - 5, 80.0, marks.SIMULATED)
DRAWN = Drawn(STREAM, FULL, 0.0, 0.0, 40.0)
KNOWN = Known(NOON, tank=FULL, drawn=DRAWN)
BY_ITSELF = Wish(600, is_automatic=True)


def drawn(now: float = NOON, source: Source = STREAM, **changes: Any) -> Known:
    level = Reading("tank_level", now - 5, 80.0, marks.SIMULATED)
    return replace(
        KNOWN,
        now=now,
        tank=level,
        drawn=replace(DRAWN, source=source, level=level, **changes),
    )


def at(hour: int, minute: int = 0) -> float:
    return NOON + (hour - 12) * 3600 + minute * 60


def test_a_source_with_water_holds_nobody_back() -> None:
    assert refusal(Wish(600), ZONE, KNOWN) is None
    assert refusal(BY_ITSELF, ZONE, KNOWN) is None


def test_a_zone_that_names_no_source_waters_as_before() -> None:
    assert refusal(BY_ITSELF, ZONE, replace(KNOWN, drawn=None)) is None


@pytest.mark.parametrize("wish", [Wish(600), BY_ITSELF])
def test_a_source_that_stands_too_low_gives_nothing_to_anybody(wish: Wish) -> None:
    low = replace(KNOWN, drawn=replace(DRAWN, level=Reading("tank_level", NOON - 5, 19.5, 0)))
    reason = refusal(wish, ZONE, low)
    told = {"source": "Suối Nậm Pé", "level_percent": 19.5, "lowest_percent": 20.0}
    assert reason == Reason("source_low", told)
    assert tuple(told) == reasons.REFUSED["source_low"]


def test_a_person_can_look_into_the_stream_whose_sensor_is_silent() -> None:
    for level in (
        None,
        Reading("tank_level", NOON - 121, 80.0, 0),
        Reading("tank_level", NOON - 5, None, marks.FAILED),
    ):
        unknown = replace(KNOWN, drawn=replace(DRAWN, level=level))
        assert refusal(Wish(600), ZONE, unknown) is None
        reason = refusal(BY_ITSELF, ZONE, unknown)
        assert reason == Reason("source_level_unknown", {"source": "Suối Nậm Pé"})


@pytest.mark.parametrize("wish", [Wish(600), BY_ITSELF])
@pytest.mark.parametrize(
    ("code", "today", "season", "used", "most"),
    [
        ("source_day_quota", 601.0, 601.0, 601, 1000.0),
        ("source_season_quota", 0.0, 49_601.0, 49_601, 50_000.0),
    ],
)
def test_no_run_takes_more_than_the_quota_has_left(
    wish: Wish, code: str, today: float, season: float, used: int, most: float
) -> None:
    """Ten minutes at 40 l/min are 400 litres: 600 used of 1,000 is the last that may start."""
    told = {"source": "Suối Nậm Pé", "litres_used": used, "litres_most": most}
    over = drawn(litres_today=today, litres_season=season)
    assert refusal(wish, ZONE, over) == Reason(code, told)
    assert tuple(told) == reasons.REFUSED[code]
    exact = drawn(litres_today=min(today, 600.0), litres_season=min(season, 49_600.0))
    assert refusal(wish, ZONE, exact) is None


def test_an_old_water_test_is_a_warning_unless_the_farm_wants_a_stop() -> None:
    last_good = day_at(STREAM, datetime(2027, 1, 10, 5, tzinfo=UTC).timestamp())
    assert not is_test_old(STREAM, last_good)
    assert is_test_old(STREAM, last_good + 1)
    later = (last_good + 1) * DAY + 5 * 3600
    assert refusal(BY_ITSELF, ZONE, drawn(later)) is None
    strict = drawn(later, replace(STREAM, needs_test=True))
    for wish in (Wish(600), BY_ITSELF):
        found = refusal(wish, ZONE, strict)
        assert found == Reason("source_not_tested", {"source": "Suối Nậm Pé"})
    assert not is_test_old(replace(STREAM, tested_on=None), last_good + 5000)


@pytest.mark.parametrize("hours", [SunHours("08:00", "16:00"), None])
def test_a_pump_on_panels_starts_by_itself_in_the_suns_hours_only(hours: SunHours | None) -> None:
    source = replace(STREAM, sun_hours=hours)
    for hour, minute, next_hour in ((5, 30, 8), (7, 59, 8), (16, 0, 32), (23, 0, 32)):
        found = refusal(BY_ITSELF, ZONE, drawn(at(hour, minute), source))
        told = {"source": "Suối Nậm Pé", "at": int(at(next_hour))}
        assert found == (Reason("outside_sun_hours", told) if hours else None)
        assert refusal(Wish(600), ZONE, drawn(at(hour, minute), source)) is None, "a person may"
    for hour, minute in ((8, 0), (12, 0), (15, 59)):
        assert refusal(BY_ITSELF, ZONE, drawn(at(hour, minute), source)) is None


def test_the_suns_hours_follow_the_sun_at_the_farm() -> None:
    """On 22 November the sun is up there from about 6:28 to 17:28, local time."""
    source = replace(STREAM, sun_hours=SunHours("sunrise+90", "sunset-90", PLACE))
    allowed = [
        minute
        for minute in range(0, 1440, 5)
        if refusal(BY_ITSELF, ZONE, drawn(at(0, minute), source)) is None
    ]
    assert allowed == list(range(allowed[0], allowed[-1] + 1, 5))
    assert 7 * 60 + 45 <= allowed[0] <= 8 * 60 + 10
    assert 15 * 60 + 45 <= allowed[-1] <= 16 * 60 + 5


def test_a_slot_before_the_panels_wake_waits_and_says_why() -> None:
    source = replace(STREAM, sun_hours=SunHours("08:00", "16:00"))
    week = Schedule((Slot(tuple(range(7)), "07:50", 600),))
    zone = replace(ZONE, mode="schedule", schedule=week, slots_until=int(at(7)))
    slots = proposed(week, at(8))
    early = look(zone, replace(drawn(at(7, 55), source), slots=slots))
    assert (early.run_seconds, early.reason.code) == (None, "outside_sun_hours")
    then = replace(drawn(at(8, 1), source), slots=slots)
    assert look(early.zone, then).run_seconds == 600


@pytest.mark.parametrize(
    ("today", "first"),
    [
        ("2026-01-31", "2025-08-15"),
        ("2026-02-01", "2026-02-01"),
        ("2026-08-14", "2026-02-01"),
        ("2026-12-31", "2026-08-15"),
    ],
)
def test_a_season_begins_on_its_first_day_every_year(today: str, first: str) -> None:
    days = [int(datetime.fromisoformat(d + "T00:00Z").timestamp() // DAY) for d in (today, first)]
    assert season_first_day(STREAM, days[0]) == days[1]


def test_the_end_of_a_run_that_is_told_twice_counts_once() -> None:
    account = Account().credited("a", 20_000, 120.0).credited("b", 20_000, 30.0)
    again = account.credited("a", 20_000, 120.0).credited("b", 20_001, 30.0)
    assert again == account
    assert account.litres(20_000, 20_000) == 150.0


def test_a_clock_that_is_set_back_opens_no_second_account() -> None:
    account = Account().credited("a", 20_000, 900.0)
    assert account.litres(19_997, 19_997) == 900.0
    assert account.litres(20_001, 20_001) == 0.0
    assert account.litres(19_000, 19_000) == 0.0, "a clock that was years ahead blocks nothing"


def test_an_account_forgets_days_no_season_reaches_back_to() -> None:
    account = Account()
    for day in range(500):
        account = account.credited(f"run {day}", day, 1.0)
    assert account.litres(0, 499) == 400.0
    assert account.litres(499 - 366, 499) == 367.0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"kind": "sea"}, "kind"),
        ({"lowest_percent": 101.0}, "lowest_percent"),
        ({"litres_per_day": 0.0}, "litres_per_day"),
        ({"litres_per_season": -1.0}, "litres_per_season"),
        ({"season_begins": ()}, "season_begins"),
        ({"season_begins": ("02-29",)}, "season_begins"),
        ({"season_begins": ("W01-1",)}, "season_begins"),
        ({"tested_on": "yesterday"}, "tested_on"),
        ({"tested_on": None, "needs_test": True}, "needs_test"),
        ({"test_good_days": 0}, "test_good_days"),
        ({"utc_offset_minutes": 900}, "utc_offset_minutes"),
        ({"sun_hours": SunHours("16:00", "08:00")}, "begin"),
        ({"sun_hours": SunHours("sunrise", "16:00")}, "place"),
        ({"sun_hours": SunHours("8 o'clock", "16:00")}, "05:30"),
        ({"sun_hours": SunHours("sunrise+400", "sunset-400", PLACE)}, "begin"),
        ({"sun_hours": SunHours("08:00", "16:00", (90.0, 0.0))}, "place"),
    ],
)
def test_a_source_that_cannot_be_kept_to_is_refused(changes: dict[str, Any], word: str) -> None:
    check(STREAM)
    with pytest.raises(ValueError, match=word):
        check(replace(STREAM, **changes))


class Stream(RuleBasedStateMachine):
    """Three zones at one stream, with ends told late, twice, and after restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.account = Account()
        self.running: dict[str, tuple[float, float]] = {}  # id: begun at, seconds
        self.flowed: list[tuple[float, float]] = []  # ended at, litres: what the meter truly saw
        self.number = 0
        self.told: list[tuple[str, int, float]] = []

    def known(self) -> Known:
        today = day_at(STREAM, self.now)
        promised = sum(40.0 * seconds / 60 for _, seconds in self.running.values())
        season = self.account.litres(season_first_day(STREAM, today), today)
        return drawn(
            self.now,
            litres_today=self.account.litres(today, today) + promised,
            litres_season=season + promised,
        )

    @rule(seconds=st.integers(1, 1800), is_automatic=st.booleans())
    def somebody_wants_water(self, seconds: int, is_automatic: bool) -> None:
        if refusal(Wish(seconds, is_automatic), ZONE, self.known()) is None:
            self.number += 1
            self.running[str(self.number)] = (self.now, seconds)

    @precondition(lambda self: self.running)
    @rule(share=st.floats(0, 1), late=st.integers(0, 100_000))
    def a_run_ends_and_is_heard_of(self, share: float, late: int) -> None:
        run_id, (begun, seconds) = next(iter(self.running.items()))
        lasted = seconds * share
        self.now = max(self.now, begun + lasted) + late
        self.flowed.append((begun + lasted, 40.0 * lasted / 60))
        self.told.append((run_id, day_at(STREAM, begun + lasted), 40.0 * lasted / 60))
        self.account = self.account.credited(*self.told[-1])
        del self.running[run_id]

    @precondition(lambda self: self.told)
    @rule()
    def the_last_end_is_told_again_after_a_restart(self) -> None:
        self.account = self.account.credited(*self.told[-1])

    @rule(hours=st.integers(1, 40))
    def time_goes_by(self, hours: int) -> None:
        if not self.running:
            self.now += hours * 3600

    @invariant()
    def no_day_takes_more_than_its_quota(self) -> None:
        days: dict[int, float] = {}
        for ended, litres in self.flowed:
            days[day_at(STREAM, ended)] = days.get(day_at(STREAM, ended), 0.0) + litres
        assert all(litres <= 1000.0 + 1e-6 for litres in days.values()), days
        assert sum(days.values()) == pytest.approx(sum(self.account.days.values()))


Stream.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestStream = Stream.TestCase
