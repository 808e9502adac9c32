"""Outdoors, where wind and sky are measured, the formula agrees with a foreign program."""

import gzip
from itertools import dropwhile
from pathlib import Path

import pytest

from nongso.agronomy import air, radiation, reference

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "usda-maricopa-cotton"
ELEVATION_M, LATITUDE, WIND_HEIGHT_M = 361.0, 33.069, 3.0


def test_a_season_in_the_desert() -> None:
    """USDA's own model wrote what it takes as the reference for each day, rounded to 0.01 mm.

    Of the season of 2013 the references come from elsewhere (days differ by up to 0.9 mm, whoever
    reckons), so it is no referee.
    """
    file = FOLDER / "2018" / "cotton2018.wth.gz"
    if not file.exists():
        pytest.skip("the measurements from Maricopa are not beside the project")
    with gzip.open(file, "rt") as lines:
        days = list(dropwhile(lambda line: not line.startswith("Year-DOY"), lines))[1:]
    off = []
    for line in days:
        sun, warmest, coldest, _vapour, dew, _max, _min, wind, _rain, theirs = map(
            float, line.split()[1:11]
        )
        day = int(line.split()[0].split("-")[1])
        clear = radiation.clear_sky(radiation.above_the_air_of_day(LATITUDE, day), ELEVATION_M)
        vapour = air.saturation_kpa(dew)
        long = radiation.net_long_of_day(coldest, warmest, vapour, min(1.0, max(0.3, sun / clear)))
        ours = reference.of_day_mm(
            coldest_c=coldest,
            warmest_c=warmest,
            vapour_kpa=vapour,
            wind_m_per_s=reference.wind_at_2_m(wind, WIND_HEIGHT_M),
            net_mj=radiation.net_short(sun) - long,
            elevation_m=ELEVATION_M,
        )
        off.append(abs(ours - theirs))
    assert len(off) > 150
    assert max(off) <= 0.007
