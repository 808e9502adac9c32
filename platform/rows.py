"""What a row of a gateway's batch looks like, by kind (contract section 4).

Each field has the bounds of what the platform can keep and show: whole numbers that fit into the
database, times that are a date, slugs that can stand in an address. A row that breaks them is
refused by its number. How a batch is taken apart stands in ``nongso.platform.batches``, what
becomes of the rows in ``nongso.platform.ingest``.

No type here has a ``pattern``: msgspec 0.22 counts the references of a pattern inside a union
wrongly, and Python ends in a segmentation fault.
"""

import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nongso.wire.topics import check_slug

_LAST_TIME = 7_258_118_400  # 2200-01-01: what pages can still write as a date
_BIGGEST = (1 << 63) - 1  # what SQLite and PostgreSQL keep as a whole number

Whole = Annotated[int, Meta(ge=-_BIGGEST - 1, le=_BIGGEST)]
Time = Annotated[int, Meta(ge=0, lt=_LAST_TIME)]
Number = Annotated[float, Meta(ge=-1e15, le=1e15)]
Seconds = Annotated[int, Meta(ge=0, le=10**9)]
Id = Annotated[str, Meta(min_length=1, max_length=100)]
Code = Annotated[str, Meta(max_length=60)]
Text = Annotated[str, Meta(max_length=500)]
Slug = Annotated[str, Meta(min_length=1, max_length=40)]  # checked by _check_slugs
Eui64 = Annotated[str, Meta(min_length=16, max_length=16)]  # checked by _check_eui64

_One = None | bool | Whole | Number | Text
_Few = Annotated[list[_One], Meta(max_length=100)]
Values = Annotated[dict[Code, _One | _Few], Meta(max_length=50)]
Band = Annotated[dict[Code, Whole | Number | Code], Meta(max_length=50)]
Minutes = Annotated[int, Meta(ge=-1000, le=1000)]
Day = Annotated[int, Meta(ge=0, le=6)]
Degrees = Annotated[float, Meta(ge=-180, le=180)]


class Slot(msgspec.Struct):
    """On these days (0 is Monday) at this time, so many seconds of water."""

    days: Annotated[list[Day], Meta(min_length=1, max_length=7)]
    at: Annotated[str, Meta(max_length=12)]
    run_seconds: Seconds


class Schedule(msgspec.Struct):
    """A week of slots in the farm's local time."""

    slots: Annotated[list[Slot], Meta(max_length=28)]
    utc_offset_minutes: Minutes = 420
    place: tuple[Degrees, Degrees] | None = None


class Balance(msgspec.Struct):
    """What a person said of plants and soil; the words are the gateway's."""

    crop: Code
    planted: Code
    soil: Code
    flow_l_per_min: Number
    wetted_share: Number = 0.4
    fallback: Code = "nothing"
    utc_offset_minutes: Minutes = 420
    elevation_m: Number = 800.0

    def __post_init__(self) -> None:
        datetime.date.fromisoformat(self.planted)


class Bed(msgspec.Struct):
    """A zone's soil as the gateway reckons it, in mm over the zone; sums are of the ``day``.

    ``speed`` is more than 1 on a simulated farm that hurries; ``at`` and ``day`` are its own then.
    """

    at: Time
    missing_mm: Number
    reference_mm: Number
    used_mm: Number
    watered_mm: Number
    drained_mm: Number
    thirsty_seconds: Seconds
    measured_seconds: Seconds
    total_mm: Number
    allowed_mm: Number
    day: Whole
    usual_mm: Number | None = None
    speed: Annotated[float, Meta(ge=1, le=3600)] = 1.0


def _check_slugs(*slugs: str | None) -> None:
    for slug in slugs:
        if slug is not None:
            check_slug(slug)


def _check_eui64(text: str) -> None:
    if set(text) - set("0123456789abcdef"):
        raise ValueError("an EUI-64 is 16 hex digits in lower case")


def _check_band(band: Band | None) -> None:
    if band is not None and not {"low", "high"} <= band.keys():
        raise ValueError("a band has low and high")


class Readings(msgspec.Struct):
    """Readings of one node. What each one is worth is judged when it is taken."""

    node: Eui64
    readings: list[tuple[str, Whole, float | None, Whole]]

    def __post_init__(self) -> None:
        _check_eui64(self.node)


class RunBody(msgspec.Struct):
    id: Id
    zone: Id
    cause: Code
    state: Code
    code: Code
    ordered_seconds: Seconds
    started_at: Time
    by: Text | None = None
    values: Values = {}
    ended_at: Time | None = None
    seconds: Number = 0
    litres: Number | None = 0


class RunRow(msgspec.Struct):
    run: RunBody


class Outcome(msgspec.Struct):
    id: Id
    state: Literal["running", "queued", "refused", "done"]
    at: Time
    code: Code | None = None
    values: Values = {}


class OutcomeRow(msgspec.Struct):
    command: Outcome


class AlarmBody(msgspec.Struct):
    id: Id
    code: Code
    raised_at: Time
    values: Values = {}
    zone: Id | None = None
    cleared_at: Time | None = None


class AlarmRow(msgspec.Struct):
    alarm: AlarmBody


class FarmWords(msgspec.Struct):
    slug: Slug
    name: Text

    def __post_init__(self) -> None:
        _check_slugs(self.slug)


class ZoneWords(msgspec.Struct):
    id: Slug
    name: Text
    coil: Seconds
    mode: Code
    max_run_seconds: Seconds
    max_day_seconds: Seconds
    area_m2: Number | None = None
    band: Band | None = None
    schedule: Schedule | None = None
    balance: Balance | None = None

    def __post_init__(self) -> None:
        _check_slugs(self.id)
        _check_band(self.band)


class HouseWords(msgspec.Struct):
    slug: Slug
    name: Text
    farm: Slug
    area_m2: Number | None = None
    zones: list[ZoneWords] = []

    def __post_init__(self) -> None:
        _check_slugs(self.slug, self.farm)


class NodeWords(msgspec.Struct):
    slug: Slug
    eui64: Eui64
    farm: Slug
    greenhouse: Slug | None = None
    zone: Slug | None = None

    def __post_init__(self) -> None:
        _check_slugs(self.slug, self.farm, self.greenhouse, self.zone)
        _check_eui64(self.eui64)


class Configuration(msgspec.Struct):
    """``sources`` is ``None`` where an older gateway says nothing of them."""

    name: Text
    greenhouses: list[HouseWords]
    nodes: list[NodeWords]
    simulated: bool = False
    farms: list[FarmWords] = []
    sources: Annotated[list[Slug], Meta(max_length=100)] | None = None


class ConfigurationRow(msgspec.Struct):
    configuration: Configuration


class NodeState(msgspec.Struct):
    eui64: Eui64
    state: Literal["online", "offline"]
    at: Time

    def __post_init__(self) -> None:
        _check_eui64(self.eui64)


class NodeRow(msgspec.Struct):
    node: NodeState


class ProgramState(msgspec.Struct):
    """Which version of its program a node runs, and what became of the one that is wanted."""

    eui64: Eui64
    number: Time  # a version's number is the second of its making, 0 for what was there first
    version: Code
    state: Code
    at: Time
    wanted: Time = 0
    why: Code = ""

    def __post_init__(self) -> None:
        _check_eui64(self.eui64)


class ProgramRow(msgspec.Struct):
    program: ProgramState


class RefusedMessage(msgspec.Struct):
    """A message that the gateway refused: its texts come from anybody, so they are cut short."""

    topic: str
    code: str
    detail: str
    at: Time
    node: str | None = None


class RefusedRow(msgspec.Struct):
    refused: RefusedMessage


class WetTest(msgspec.Struct):
    """A zone's wet test as far as its gateway has come with it."""

    id: Id
    state: Code
    at: Time
    by: Text | None = None
    code: Code | None = None
    seconds: Number = 0
    litres: Number | None = None
    water_after_seconds: Number | None = None
    pump_after_seconds: Number | None = None
    flow_l_per_min: Number | None = None
    closed_l_per_min: Number | None = None
    fall_l_per_min: Number | None = None
    shut_l_per_min: Number | None = None
    is_shut: bool | None = None
    known_l_per_min: Number | None = None
    saw: Code | None = None
    seen_id: Id | None = None
    seen_by: Text | None = None
    seen_at: Time | None = None


class WetTests(msgspec.Struct):
    """Whether a zone is armed, by which test, and the last test of all."""

    is_armed: bool
    has_meter: bool = True
    passed: WetTest | None = None
    last: WetTest | None = None


class ZoneState(msgspec.Struct):
    """``wet_test`` is ``None`` where an older gateway knows no such tests."""

    id: Id
    state: Code
    at: Time
    mode: Code | None = None
    band: Band | None = None
    schedule: Schedule | None = None
    balance: Balance | None = None
    bed: Bed | None = None
    wet_test: WetTests | None = None
    code: Code | None = None
    values: Values = {}

    def __post_init__(self) -> None:
        _check_band(self.band)


class ZoneRow(msgspec.Struct):
    zone: ZoneState


class SunHours(msgspec.Struct):
    """When the panels give enough for the pump: clock times, or some minutes from the sun's."""

    begin: Annotated[str, Meta(max_length=12)]
    end: Annotated[str, Meta(max_length=12)]


class SourceState(msgspec.Struct):
    """Where zones have their water from, and why nothing may be taken now."""

    id: Slug
    name: Text
    kind: Code
    at: Time
    litres_today: Number
    litres_season: Number
    lowest_percent: Number = 0.0
    level_node: Eui64 | None = None
    litres_per_day: Number | None = None
    litres_per_season: Number | None = None
    tested_on: Code | None = None
    test_good_days: Seconds = 365
    needs_test: bool = False
    sun_hours: SunHours | None = None
    zones: Annotated[list[Id], Meta(max_length=1000)] = []
    code: Code | None = None
    values: Values = {}

    def __post_init__(self) -> None:
        _check_slugs(self.id)
        if self.level_node is not None:
            _check_eui64(self.level_node)
        if self.tested_on is not None:
            datetime.date.fromisoformat(self.tested_on)


class SourceRow(msgspec.Struct):
    source: SourceState


KINDS: dict[str, type[msgspec.Struct]] = {
    "readings": Readings,
    "run": RunRow,
    "command": OutcomeRow,
    "alarm": AlarmRow,
    "configuration": ConfigurationRow,
    "node": NodeRow,
    "program": ProgramRow,
    "refused": RefusedRow,
    "zone": ZoneRow,
    "source": SourceRow,
}
