"""The rules of making, alone: values in, verdict out; and the recipes they read."""

import datetime
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.traceability.making import area as rules_area
from nongso.platform.traceability.making import recipe_book
from nongso.platform.traceability.making import use as rules_use
from nongso.platform.traceability.making import yields as rules_yield
from nongso.platform.traceability.making.recipe_book import (
    BadRecipe,
    Band,
    ComesIn,
    Moisture,
    Words,
)
from nongso.platform.traceability.making.use import Standing
from nongso.platform.traceability.making.yields import Weighed

DAY = datetime.date(2026, 11, 21)
WATER = Moisture(80, 600, 140, asked=True)
LAND = ComesIn("dong riềng", Words("", ""), 9, 40_000, 65_000, "")
grams = st.integers(1, 10**7)
permille = st.integers(0, 990)


@given(grams, permille, grams, permille)
def test_dry_matter_never_grows(taken: int, wet: int, made: int, dry: int) -> None:
    verdict = rules_yield.physics("dry", [Weighed(taken, wet, None)], Weighed(made, dry, None))
    assert verdict.ok == (made * (1000 - dry) <= taken * (1000 - wet))


@given(grams, grams)
def test_without_a_meter_the_clerk_has_the_benefit_of_the_doubt(taken: int, made: int) -> None:
    unknown = rules_yield.physics("dry", [Weighed(taken, None, WATER)], Weighed(made, None, WATER))
    for wet in (80, 140, 600):
        measured = rules_yield.physics(
            "dry", [Weighed(taken, wet, WATER)], Weighed(made, wet, WATER)
        )
        assert unknown.ok or not measured.ok, "what may be is never refused for want of a meter"


@given(grams, grams)
def test_what_is_only_sorted_or_strained_never_gains_weight(taken: int, made: int) -> None:
    verdict = rules_yield.physics(
        "weighed", [Weighed(taken, None, WATER)], Weighed(made, None, None)
    )
    assert verdict.ok == (made <= taken)


@given(st.lists(st.floats(0.5, 90), max_size=60))
def test_the_band_is_the_recipes_until_there_are_enough_batches(past: list[float]) -> None:
    band = rules_yield.usual(Band(12, 16), past)
    assert band is not None
    if len(past) < rules_yield.ENOUGH:
        assert (band.low_percent, band.high_percent, band.batches) == (12, 16, 0)
        assert rules_yield.usual(None, past) is None
        return
    newest = past[: rules_yield.MOST_PAST]
    middle = statistics.median(newest)
    assert band.low_percent <= middle * 0.9501
    assert band.high_percent >= middle * 1.0499
    half = sum(band.low_percent <= one <= band.high_percent for one in newest)
    assert half >= len(newest) / 2, "at least the middle half is never asked"


def test_one_wild_batch_does_not_open_the_band() -> None:
    past = [14.0, 13.8, 14.2, 14.1, 13.9, 14.0, 14.3, 13.7, 14.0, 60.0]
    band = rules_yield.usual(Band(12, 16), past)
    assert band is not None
    assert band.high_percent < 16
    assert rules_yield.judge(20, band).code == "unusual_yield"
    assert rules_yield.judge(14, band).ok


@given(st.dates(datetime.date(2024, 1, 1), datetime.date(2090, 1, 1)), st.integers(1, 12))
def test_every_day_is_in_one_season(day: datetime.date, begins: int) -> None:
    season = rules_area.season_of(day, begins)
    assert season.since <= day <= season.until
    assert season.since.month == begins
    assert rules_area.season_of(season.until, begins) == season
    following = season.until + datetime.timedelta(days=1)
    assert rules_area.season_of(following, begins).year == season.year + 1


@pytest.mark.parametrize(
    ("before", "now", "explained", "code"),
    [
        (0, 4_000_000, False, ""),
        (4_000_000, 1, False, "above_usual"),
        (4_000_000, 1, True, ""),
        (4_000_000, 2_500_000, True, ""),
        (4_000_000, 2_500_001, True, "beyond_land"),
    ],
)
def test_land_bounds_what_a_household_can_bring(
    before: int, now: int, explained: bool, code: str
) -> None:
    assert rules_area.judge(1000, LAND, before, now, explained).code == code


def test_where_no_land_is_known_nothing_is_asked() -> None:
    assert rules_area.judge(None, LAND, 10**9, 10**9, False).ok
    unmeasured = ComesIn("chè", Words("", ""), 1, None, None, "measure it")
    assert rules_area.judge(1000, unmeasured, 10**9, 10**9, False).ok


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, ""),
        ({"withdrawn": True}, "withdrawn"),
        ({"recalled": True}, "recalled"),
        ({"tested": "failed"}, "failed"),
        ({"tested": "passed"}, ""),
        ({"best_before": "2026-11-20"}, "expired"),
        ({"best_before": "2026-11-21"}, ""),
        ({"here": False}, "held_elsewhere"),
    ],
)
def test_what_stands_in_the_way_of_a_lot(changed: dict, code: str) -> None:
    well = {
        "withdrawn": False,
        "recalled": False,
        "tested": "",
        "best_before": None,
        "here": True,
    }
    assert rules_use.judge(Standing(**{**well, **changed}), DAY).code == code


RECIPE = """
order = 1
chain = "x"
vi = "x"
en = "x"
[[kind]]
key = "raw"
name = "Thô"
vi = "thô"
en = "raw"
[kind.moisture]
least = 10.0
most = 20.0
[kind.comes_in]
gathered_vi = "ngày"
gathered_en = "day"
season_begins = 1
source = "measure it"
[[step]]
key = "do"
from = ["raw"]
to = "raw"
vi = "làm"
en = "do"
short_vi = "làm"
short_en = "do"
hint_vi = "làm"
hint_en = "do"
out_vi = "ra"
out_en = "out"
[step.yield]
source = "measure it"
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('to = "raw"', 'to = "gold"', "gold, declared nowhere"),
        ("least = 10.0", "least = 30.0", "least is not below most"),
        ("season_begins = 1", "season_begins = 13", "a month"),
        ('[step.yield]\nsource = "measure it"', '[step.yield]\nsource = "x"', "no figure"),
        ("[step.yield]\n", "[step.yield]\nlow = 9.0\nhigh = 3.0\n", "low is not below high"),
        ('to = "raw"', 'to = "raw"\nbasis = "wishes"', "basis: wishes"),
        ('name = "Thô"', "", "'name'"),
        ("order = 1", "order = ", "TOMLDecodeError"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_named_with_what_is_wrong(
    old: str, new: str, says: str
) -> None:
    assert recipe_book.read({"x.toml": RECIPE}).steps["do"].gives == "raw"
    with pytest.raises(BadRecipe, match=r"recipes/x") as refused:
        recipe_book.read({"x.toml": RECIPE.replace(old, new)})
    assert says in str(refused.value)


def test_a_key_stands_in_one_recipe_only() -> None:
    with pytest.raises(BadRecipe, match="declared twice"):
        recipe_book.read({"x.toml": RECIPE, "y.toml": RECIPE.replace('"x"', '"y"')})


def test_every_shipped_figure_has_its_source() -> None:
    book = recipe_book.recipes()
    assert set(book.chains) == {"dong", "plum", "tea", "honey", "rice", "herbs", "cinnamon-oil"}
    for step in book.steps.values():
        assert (step.band is None) == (step.source == recipe_book.MEASURE_IT), step.key
    for kind in book.raw:
        assert kind.comes_in is not None
        assert kind.comes_in.source, kind.key
        assert book.steps_of(kind.key), f"nothing is made of {kind.key}"
