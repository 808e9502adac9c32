"""The land of households, as people say it and as it is reckoned."""

import datetime
from fractions import Fraction

import pytest
from cooperative import COOP, TODAY, Farm, days_ago, new_id
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from nongso.platform.traceability.registry.plots import UNITS, BadArea, Plot, area_of, read_area


def plot(farm: Farm, producer: str, m2: int, crop: str = "dong riềng", **more: object) -> None:
    values = {"since": days_ago(400).isoformat(), "until": None, **more}
    with farm.records.transaction() as session:
        session.add(
            Plot(
                id=new_id(),
                cooperative=COOP,
                producer_id=producer,
                code=new_id()[:8],
                name="Nương",
                crop=crop,
                area=f"{m2} m²",
                area_m2=m2,
                growing_area_code="",
                **values,
            )
        )


def area(farm: Farm, producer: str, crop: str, day: datetime.date) -> int | None:
    with farm.records.session() as session:
        return area_of(session, producer, crop, day)


@pytest.mark.parametrize(
    ("said", "m2"),
    [
        ("3 sào", 1080),
        ("3 sào Bắc Bộ", 1080),
        ("2,5 sào", 900),
        ("0,25 ha", 2500),
        ("1.080 m²", 1080),
        ("1080 m2", 1080),
        ("1 mẫu", 3600),
        ("5 thước", 120),
        ("1 HA", 10_000),
    ],
)
def test_land_is_read_as_people_say_it(said: str, m2: int) -> None:
    assert read_area(said).m2 == m2


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("ba sào", "number"),
        ("", "number"),
        ("3", "unit"),
        ("3 công", "unit"),
        ("1.250 ha", "two_ways"),
        ("0 sào", "size"),
        ("9999999 ha", "size"),
        ("1,5 m²", "number"),
        ("-3 sào", "number"),
        ("3 sào" + " " * 80 + "x", "number"),
    ],
)
def test_land_that_can_be_read_in_no_way_or_in_two_is_asked_back(said: str, why: str) -> None:
    with pytest.raises(BadArea) as refused:
        read_area(said)
    assert refused.value.why == why


@given(st.integers(1, 9999), st.sampled_from(["ha", "sào", "mẫu", "thước"]))
def test_tenths_of_any_unit_come_out_exact(tenths: int, unit: str) -> None:
    names = {"ha": "ha", "sào": "sao", "mẫu": "mau", "thước": "thuoc"}
    exact = round(Fraction(tenths, 10) * UNITS[names[unit]])
    assert read_area(f"{tenths // 10},{tenths % 10} {unit}").m2 == exact
    assert read_area(read_area(f"{tenths // 10},{tenths % 10} {unit}").said).m2 == exact


@given(st.text(max_size=80))
def test_whatever_is_typed_as_land_is_an_area_or_a_reason(text: str) -> None:
    why = ""
    try:
        assert read_area(text, "sao").m2 > 0
    except BadArea as e:
        why = e.why
    assert why in ("", "number", "unit", "two_ways", "size")


def test_the_land_of_a_household_is_that_of_the_crop_on_the_day(farm: Farm) -> None:
    owner, other = farm.producer("H01"), farm.producer("H02")
    plot(farm, owner, 1080)
    plot(farm, owner, 720, crop="Củ dong")
    plot(farm, owner, 5000, crop="ngô")
    plot(farm, owner, 360, until=days_ago(30).isoformat())
    plot(farm, owner, 999, since=(TODAY + datetime.timedelta(days=1)).isoformat())
    plot(farm, other, 4444)
    assert area(farm, owner, "dong riềng", TODAY) == 1080 + 720
    assert area(farm, owner, "Dong", days_ago(30)) == 1080 + 720 + 360, "its last day counts"
    assert area(farm, owner, "ngô", TODAY) == 5000


def test_land_that_nobody_has_written_down_is_unknown_not_nothing(farm: Farm) -> None:
    owner = farm.producer()
    assert area(farm, owner, "dong riềng", TODAY) is None
    plot(farm, owner, 360, until=days_ago(1).isoformat())
    assert area(farm, owner, "dong riềng", TODAY) is None


def test_a_point_is_shown_only_where_the_household_agrees_and_not_to_the_metre(farm: Farm) -> None:
    owner = farm.producer()
    plot(farm, owner, 360, latitude=22.379123, longitude=103.590211)
    plot(farm, owner, 360, latitude=22.379123, longitude=103.590211, public_point=True)
    plot(farm, owner, 360, public_point=True)
    with farm.records.session() as session:
        shown = [one.shown_point for one in session.scalars(select(Plot).order_by(Plot.area))]
    assert sorted(map(str, shown)) == ["(22.379, 103.59)", "None", "None"]
