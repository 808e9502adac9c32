"""The litres of a run that goes on are its own, not those of the run before it."""

import time
from typing import Any

import pytest
from office import BUS, Place

from nongso.platform.greenhouse import now as present
from nongso.platform.greenhouse.records import Greenhouse

K1, K2 = "tan-binh-1-k1", "tan-binh-1-k2"


def run(id: str, zone: str, begun: int, ended: int | None = None) -> dict[str, Any]:  # noqa: A002
    return {
        "id": id,
        "zone": zone,
        "cause": "wished",
        "by": "Lan",
        "state": "running" if ended is None else "done",
        "code": "wished" if ended is None else "stopped",
        "values": {},
        "ordered_seconds": 300,
        "started_at": begun,
        "ended_at": ended,
        "seconds": 0 if ended is None else ended - begun,
        "litres": 0.0 if ended is None else 36.0,
    }


def litres(farm: Place, zone: str, now: int) -> float:
    with farm.records.session() as session:
        house = session.get_one(Greenhouse, "tan-binh-1")
        (found,) = present.gather(session, farm.telemetry, [house], now)
    return next(z.litres for z in found.zones if z.zone.id == zone)


def meter(farm: Place, *counted: tuple[int, float]) -> dict[str, Any]:
    return farm.readings(BUS, *(["water_total", at, total, 16] for at, total in counted))


@pytest.mark.parametrize("pause", [0, 1, 8])
def test_water_of_the_run_before_is_not_counted_again(farm: Place, pause: int) -> None:
    """Stopped in one zone, begun in another: after five seconds, five litres and not 37."""
    now = int(time.time())
    begun = now - 5
    ended = begun - pause
    farm.bring(
        farm.row("run", run=run("r-1", K1, ended - 36)),
        farm.row("run", run=run("r-1", K1, ended - 36, ended)),
        farm.row("run", run=run("r-2", K2, begun)),
        meter(farm, (ended - 40, 1000.0), (ended - 20, 1016.0), (ended - 1, 1035.0)),
        meter(farm, (begun, 1036.0), (now, 1041.0)),
    )
    assert litres(farm, K2, now) == pytest.approx(5.0)


def test_a_meter_that_was_read_before_a_lonely_run_counts_from_there(farm: Place) -> None:
    now = int(time.time())
    farm.bring(
        farm.row("run", run=run("r-1", K1, now - 300 - 600, now - 600)),
        farm.row("run", run=run("r-2", K2, now - 30)),
        meter(farm, (now - 700, 900.0), (now - 38, 1000.0), (now - 1, 1029.0)),
    )
    assert litres(farm, K2, now) == pytest.approx(29.0)


@pytest.mark.parametrize("ended_ago", [None, 10])
def test_a_shared_meter_tells_nothing_of_a_run_that_was_not_alone(
    farm: Place, ended_ago: int | None
) -> None:
    now = int(time.time())
    ended = None if ended_ago is None else now - ended_ago
    farm.bring(
        farm.row("run", run=run("r-1", K1, now - 60, ended)),
        farm.row("run", run=run("r-2", K2, now - 30)),
        meter(farm, (now - 29, 1000.0), (now - 1, 1029.0)),
    )
    assert litres(farm, K2, now) == 0.0
