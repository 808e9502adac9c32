"""A probe whose numbers look good and are not: found by what water and day and night demand."""

from collections.abc import Callable, Iterator
from math import pi, sin

import pytest

from nongso.gateway.irrigation import trust
from nongso.gateway.irrigation.trust import Around, Trace

HOUR = 3600.0
BED_M2 = 48.0
MINUTE = 60.0


def watched(
    value_at: Callable[[float], float],
    hours: float,
    metric: str = "soil_moisture",
    litres_at: Callable[[float], float] = lambda at: 0.0,
    trace: Trace | None = None,
) -> Iterator[tuple[float, Trace]]:
    """Watch a sensor for so long: hours and trace, each ten minutes."""
    began = 0.0 if trace is None else trace.at
    for n in range(int(hours * 6) + 1):
        at = began + n * 600.0
        around = Around(litres_at(at / HOUR), BED_M2, False, 40.0)
        value = value_at(at / HOUR)
        if trace is None:
            trace = trust.begun(metric, at, value, around, None)
        trace = trust.seen(trace, at, value, around)
        yield at / HOUR, trace


def doubted(*args: object, **more: object) -> tuple[float, str] | None:
    """When it is doubted first, and why."""
    for at, trace in watched(*args, **more):  # type: ignore[arg-type]
        if trace.doubt is not None:
            return at, trace.doubt.code
    return None


def flutters(value: float) -> Callable[[float], float]:
    return lambda at: value + (0.1 if int(at * 6) % 2 else -0.1)


def dries(at: float) -> float:
    """As plants drink: by day, two percent a day."""
    return 50.0 - at / 24.0 * 2.0 - 0.3 * sin(at / 24.0 * 2.0 * pi)


def test_a_probe_that_does_not_feel_the_water_is_found_half_an_hour_later() -> None:
    at = doubted(flutters(45.0), 6, litres_at=lambda at: 240.0 if at >= 2 else 0.0)
    assert at == (2.5, "probe_frozen")


@pytest.mark.parametrize("speed", [1, 10, 60, 600])
@pytest.mark.parametrize("l_per_min", [80.0, 8.0])
def test_also_on_a_farm_that_hurries_it_is_found_half_an_hour_of_the_farm_later(
    speed: float, l_per_min: float
) -> None:
    """A reading each ten seconds of the wall clock, and the water as fast as the farm."""
    bed_m2, sample = 96.0, 10.0 * speed
    enough = trust.ENOUGH_MM * bed_m2
    trace = trust.begun("soil_moisture", 0.0, 42.0, Around(0.0, bed_m2), None)
    at = 0.0
    while trace.doubt is None:
        at += sample
        litres = min(at / 60.0 * l_per_min, enough)
        trace = trust.seen(trace, at, 42.0, Around(litres, bed_m2, litres < enough))
        assert at <= enough / l_per_min * 60.0 + trust.SETTLE_SECONDS + 2.0 * sample
    assert trace.doubt.code == "probe_frozen"
    assert trace.doubt.values["litres"] == enough


def test_a_little_water_proves_nothing() -> None:
    assert doubted(flutters(45.0), 24, litres_at=lambda at: 230.0 if at >= 2 else 0.0) is None


def test_a_probe_that_feels_the_water_is_believed() -> None:
    def value(at: float) -> float:
        return 45.0 + (2.0 if at >= 2.2 else 0.0)

    assert doubted(value, 6, litres_at=lambda at: 300.0 if at >= 2 else 0.0) is None


def test_two_days_without_any_drink_are_found_where_soil_is_moist() -> None:
    assert doubted(flutters(45.0), 60) == (48.0, "probe_frozen")
    assert doubted(flutters(30.0), 200) is None, "dry soil may hold still"
    assert doubted(dries, 100) is None


def test_soil_that_gets_wetter_by_itself_is_not_believed() -> None:
    found = doubted(lambda at: 45.0 + 4.0 * at, 6)
    assert found is not None
    assert found[1] == "probe_drifting"
    assert found[0] <= 3.0


def test_soil_that_gets_wetter_by_water_is_believed() -> None:
    def litres(at: float) -> float:
        return 800.0 if at >= 2 else 0.0

    def value(at: float) -> float:
        return 35.0 if at < 2 else 35.0 + min(15.0, (at - 2) * 20.0)

    assert doubted(value, 30, litres_at=litres) is None


@pytest.mark.parametrize(
    ("metric", "value", "is_found"),
    [
        ("air_temperature", 24.1, True),
        ("air_humidity", 80.0, True),
        ("air_humidity", 99.0, False),
        ("light", 300.0, True),
    ],
)
def test_air_and_light_have_a_day_and_a_night(metric: str, value: float, is_found: bool) -> None:
    assert doubted(lambda at: value, 30, metric) == ((24.0, "probe_frozen") if is_found else None)
    assert doubted(lambda at: value * (1 + 0.2 * sin(at / 24 * 2 * pi)), 72, metric) is None


def test_a_probe_that_moves_again_is_believed_again() -> None:
    *_, (_, trace) = watched(flutters(45.0), 49)
    assert trace.doubt is not None
    *_, (_, trace) = watched(lambda at: 45.0 - (at - 49.0), 2, trace=trace)
    assert trace.doubt is None


def test_a_drift_is_over_only_when_the_number_is_back() -> None:
    *_, (_, trace) = watched(lambda at: 45.0 + 4.0 * at, 4)
    assert trace.doubt is not None
    *_, (_, trace) = watched(lambda at: 57.0, 8, trace=trace)
    assert trace.doubt is not None
    *_, (_, trace) = watched(lambda at: 46.0, 2, trace=trace)
    assert trace.doubt is None


def test_the_memory_of_a_drift_outlives_a_restart() -> None:
    *_, (_, before) = watched(lambda at: 45.0 + 4.0 * at, 4)
    anew = trust.begun("soil_moisture", before.at, 61.0, Around(), before.doubt)
    assert trust.seen(anew, before.at + MINUTE, 61.0, Around()).doubt == before.doubt
