"""What the API answers about greenhouses, as types: for the views and for the description."""

from typing import Any, TypedDict


class ZoneAnswer(TypedDict):
    """A zone. ``coil`` is zero-based."""

    id: str
    name: str
    mode: str
    state: str
    coil: int
    max_run_seconds: int


class ValueAnswer(TypedDict):
    """A newest reading. ``at`` is its own time; ``value`` is null when there was no number."""

    value: float | None
    unit: str
    at: int
    quality: str
    origin: str
    node: str
    zone: str | None


class HouseAnswer(TypedDict):
    """A greenhouse with its zones and newest values, by metric."""

    slug: str
    name: str
    farm: str | None
    area_m2: float | None
    simulated: bool
    zones: list[ZoneAnswer]
    latest: dict[str, ValueAnswer]


class HousesAnswer(TypedDict):
    """All greenhouses that the asker may see."""

    greenhouses: list[HouseAnswer]


PointAnswer = tuple[int, float | None, str]  # Unix seconds, value, quality


class SensorAnswer(TypedDict):
    """The readings of one sensor."""

    node: str
    eui64: str
    zone: str | None
    name: str
    origin: str | None
    points: list[PointAnswer]


class SeriesAnswer(TypedDict):
    """Readings of a metric: of all sensors in time order, and by sensor."""

    greenhouse: str
    metric: str
    unit: str
    points: list[PointAnswer]
    series: list[SensorAnswer]


class WaterAnswer(TypedDict):
    """What became of a wish for water."""

    id: str
    zone: str
    state: str
    seconds: int | None
    expires: int
    code: str | None
    values: dict[str, Any]
    detail: str


class RunAnswer(TypedDict):
    """A watering, or a wish that came to nothing. Unknown is null: litres without a meter."""

    id: str
    at: int
    state: str
    zone: str
    cause: str
    by: str | None
    code: str | None
    values: dict[str, Any]
    detail: str
    why: str
    ordered_seconds: int | None
    started_at: int | None
    ended_at: int | None
    seconds: float | None
    litres: float | None


class RunsAnswer(TypedDict):
    """Newest first; ``next`` is a value for ``until`` if there are more, else null."""

    runs: list[RunAnswer]
    next: int | None


class StoppedAnswer(TypedDict):
    """What became of a stop at one gateway."""

    id: str
    gateway: str
    state: str
    code: str | None
    values: dict[str, Any]
    detail: str


class StopAnswer(TypedDict):
    """What became of a stop; the worst of all gateways speaks for all."""

    state: str
    code: str | None
    detail: str
    commands: list[StoppedAnswer]
