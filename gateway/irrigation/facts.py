"""What the rules look at: settings of a zone, its remembered state, and what is known now."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nongso.wire import marks
from nongso.wire.payload import Reading

OLDEST_MOISTURE_SECONDS = 1800.0
OLDEST_CLIMATE_SECONDS = 1800.0
OLDEST_TANK_SECONDS = 120.0
CLOCK_SLACK_SECONDS = 120.0  # a node's clock may be a little ahead of ours
NEEDED_TANK_PERCENT = 10.0
DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Band:
    """Below ``low`` % water in pulses of ``run_seconds``, with ``soak_seconds`` between, up to
    ``high`` %. Without a probe that can be believed: ``nothing``, or the ``minimum``, one pulse
    a day."""

    low: float
    high: float
    run_seconds: int
    soak_seconds: int
    fallback: str = "nothing"

    def told(self) -> dict[str, Any]:
        """As it is told and kept: the fallback only where somebody has chosen one, as platforms
        and files from before know none."""
        found = asdict(self)
        if self.fallback == "nothing":
            del found["fallback"]
        return found


@dataclass(frozen=True)
class Slot:
    """On these days (0 is Monday) at this time (``05:30``, ``sunrise+20``) so many seconds."""

    days: tuple[int, ...]
    at: str
    run_seconds: int


@dataclass(frozen=True)
class Schedule:
    """A week of slots in the farm's local time; ``place`` (latitude, longitude) is for the sun."""

    slots: tuple[Slot, ...]
    utc_offset_minutes: int = 420
    place: tuple[float, float] | None = None


@dataclass(frozen=True)
class Planned:
    """A slot on one day, at its Unix time."""

    at: int
    run_seconds: int


@dataclass(frozen=True)
class Balance:
    """What a person says of plants and soil: for watering by what the plants have used.

    ``crop`` and ``soil`` are words of ``nongso.agronomy.crops``, ``planted`` is a date;
    ``flow_l_per_min`` is what runs into the zone while its valve is open.
    """

    crop: str
    planted: str
    soil: str
    flow_l_per_min: float
    wetted_share: float = 0.4  # of the zone, under drip (FAO-56, table 20: 0.3 to 0.4)
    fallback: str = "nothing"  # or "minimum": what is watered while sensors are lost
    utc_offset_minutes: int = 420
    elevation_m: float = 800.0


@dataclass(frozen=True)
class Bed:
    """The soil of a zone as it is reckoned: mm over the whole zone, up to the Unix time ``at``."""

    at: int
    credited_litres: float  # of all that was ever delivered, so much is in the reckoning
    missing_mm: float = 0.0  # below field capacity
    is_guess: bool = False  # no probe has said yet how wet it was at the beginning
    day: int = 0  # the farm's day that the sums below belong to
    reference_mm: float = 0.0
    used_mm: float = 0.0
    watered_mm: float = 0.0
    drained_mm: float = 0.0
    thirsty_seconds: int = 0
    measured_seconds: int = 0
    usual_mm: float | None = None  # reference of a day, mean of late; None until one was measured


@dataclass(frozen=True)
class Window:
    """In any so many hours at most so many seconds."""

    hours: float
    seconds: float


@dataclass(frozen=True)
class Limits:
    """What no start may exceed. A day is any 24 hours, so that midnight opens no new account.

    ``windows`` are the same for longer times.
    """

    max_run_seconds: float
    max_day_seconds: float
    rest_seconds: float = 0.0
    needed_tank_percent: float = NEEDED_TANK_PERCENT
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class WetTest:
    """A wet test of a zone as far as it has come; the states stand in ``wettest.py``.

    Litres and flows are ``None`` where no meter has told them. ``by`` has pressed, ``seen_by`` has
    said what came of it (``saw``) by the command ``seen_id``; times are Unix times.
    """

    id: str  # of the command that began it, and of its run
    by: str | None
    at: int
    state: str
    code: str | None = None  # why it failed or was broken off
    seconds: float = 0.0  # that the valve was open
    litres: float | None = None
    water_after_seconds: float | None = None  # from the open valve to the first water counted
    pump_after_seconds: float | None = None  # from the open valve to the pump
    flow_l_per_min: float | None = None  # while it was steady
    closed_l_per_min: float | None = None  # with everything closed again
    fall_l_per_min: float | None = None  # by itself: the pump off, the valve still open
    shut_l_per_min: float | None = None  # the same with the valve closed, the main valve open
    is_shut: bool | None = None  # whether these two tell that the valve closes; ``None``: not
    known_l_per_min: float | None = None  # what was usual of the zone before this test
    saw: str | None = None
    seen_id: str | None = None
    seen_by: str | None = None
    seen_at: int | None = None


@dataclass(frozen=True)
class Zone:
    """A khu tưới as it is remembered between two looks.

    ``is_armed``: a person has seen in a wet test that its water comes where it should, or its
    settings had a mode before there were such tests; without it a zone is ``off``. ``passed`` is
    the last test that went well, ``tested`` the last of all.
    """

    id: str
    limits: Limits
    mode: str = "off"  # a new zone arrives switched off
    band: Band | None = None
    schedule: Schedule | None = None
    balance: Balance | None = None
    area_m2: float = 1.0
    bed: Bed | None = None
    slots_until: int | None = None  # Unix time up to which slots are over, done or given up
    slot_waits: int | None = None  # Unix time of the slot that waits for the pump
    returns_to: str | None = None  # the way that goes on when watering by hand is over
    by_hand_seconds: int = 0  # how long it lasts then
    by_hand_since: int | None = None  # Unix time
    is_wetting: bool = False  # the band has begun to water and has not reached ``high``
    is_stopped: bool = False  # a person pressed stop; automatic watering waits for a person
    is_locked: bool = False  # its valve did not close; a person must look
    is_armed: bool = False
    passed: WetTest | None = None
    tested: WetTest | None = None


@dataclass(frozen=True)
class SunHours:
    """When the panels give enough for the pump: from ``begin`` to before ``end``.

    Times as a slot has them (``08:00``, ``sunrise+90``); ``place`` (latitude, longitude) where
    they go by the sun.
    """

    begin: str
    end: str
    place: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Source:
    """Where zones have their water from: a stream, a well, a tank, the network.

    ``level_node`` is the station whose ``tank_level`` is this source's. Quotas count days and
    seasons of the farm's time; each of ``season_begins`` (``10-01``: 1 October) opens a new
    season, every year. ``tested_on`` is the day of the last test of the water: once it is older
    than ``test_good_days``, people are told, and with ``needs_test`` nothing is watered.
    """

    id: str
    name: str
    kind: str
    level_node: str | None = None
    lowest_percent: float = NEEDED_TANK_PERCENT
    litres_per_day: float | None = None
    litres_per_season: float | None = None
    season_begins: tuple[str, ...] = ("01-01",)
    tested_on: str | None = None
    test_good_days: int = 365
    needs_test: bool = False
    sun_hours: SunHours | None = None
    utc_offset_minutes: int = 420


@dataclass(frozen=True)
class Drawn:
    """The source of a zone as it is now.

    Litres are what was delivered, and all that the open runs may still bring: two zones that
    start together do not share what is left. ``l_per_min`` is what flows into this zone.
    """

    source: Source
    level: Reading | None
    litres_today: float
    litres_season: float
    l_per_min: float


@dataclass(frozen=True)
class Ran:
    """A past run of the zone. Ages instead of times: they hold when the wall clock jumps."""

    ended_seconds_ago: float
    seconds: float
    went_wrong: bool = False


@dataclass(frozen=True)
class FarmClock:
    """How fast plants and soil live: as the wall clock goes, but on a simulated farm that was told
    to hurry. ``since`` is the Unix time at which both clocks agree."""

    since: float = 0.0
    speed: float = 1.0

    def at(self, now: float) -> float:
        """The farm's time at a time of the wall clock."""
        return now if self.speed == 1.0 else self.since + (now - self.since) * self.speed


REAL_TIME = FarmClock()


@dataclass(frozen=True)
class Known:
    """What is known at this moment about one zone and the waterworks.

    Readings that cannot be believed are not among them; ``doubts`` says why, by metric.
    """

    now: float
    moisture: tuple[Reading, ...] = ()  # the newest of each probe of the zone
    tank: Reading | None = None
    ran: tuple[Ran, ...] = ()
    is_running: bool = False
    has_supervisor: bool = True
    has_bus: bool = True
    has_auto_off: bool = True
    celsius: tuple[Reading, ...] = ()  # of the zone's greenhouse, like the next two
    humidity: tuple[Reading, ...] = ()
    light: tuple[Reading, ...] = ()
    delivered_litres: float = 0.0  # into the zone, since the book began
    drawn: Drawn | None = None  # None where the zone names no source
    ahead: str | None = None  # the zone that has the pump now, or has it before this one
    doubts: Mapping[str, "Reason"] = field(default_factory=dict)
    farm_clock: FarmClock = REAL_TIME
    slots: tuple[Planned, ...] = ()  # of the zone's schedule, around now, in the order of time

    @property
    def farm_now(self) -> float:
        """The time by which plants drink and soil dries."""
        return self.farm_clock.at(self.now)

    def soaking_left(self, soak_seconds: float) -> float:
        """Seconds of the wall clock until the last run has soaked in; 0 or less when it has."""
        last = self.last_run()
        if last is None:
            return 0.0
        return soak_seconds / self.farm_clock.speed - last.ended_seconds_ago

    def age(self, reading: Reading) -> float:
        """Seconds since a reading was taken."""
        return float(self.now - reading.at)

    def seconds_within(self, seconds: float) -> float:
        """Seconds of water in the last so many seconds."""
        return sum(r.seconds for r in self.ran if r.ended_seconds_ago < seconds)

    def seconds_today(self) -> float:
        """Seconds of water in the last 24 hours."""
        return self.seconds_within(DAY_SECONDS)

    def last_run(self) -> Ran | None:
        """The run that ended last."""
        return min(self.ran, key=lambda r: r.ended_seconds_ago, default=None)


@dataclass(frozen=True)
class Reason:
    """A word of ``nongso.wire.reasons`` and the values that belong to it."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)


def is_usable(reading: Reading, now: float, oldest_seconds: float) -> bool:
    """Whether rules may decide on a reading: good, measured or simulated, and fresh.

    Imported history and readings from the future are not: their time is not ours.
    """
    return (
        reading.value is not None
        and marks.is_good(reading.mark)
        and marks.origin(reading.mark) != "imported"
        and -CLOCK_SLACK_SECONDS <= now - reading.at <= oldest_seconds
    )


def newest_usable(
    readings: Iterable[Reading], now: float, oldest_seconds: float
) -> Reading | None:
    """The newest reading that rules may decide on; ``None`` means: do not decide."""
    usable = [r for r in readings if is_usable(r, now, oldest_seconds)]
    return max(usable, key=lambda r: r.at, default=None)
