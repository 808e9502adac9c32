"""Old names of communes are found again, and none is made up."""

import datetime
from pathlib import Path

import pytest

from nongso.platform.traceability.registry import units

OLD, NEW = datetime.date(2025, 6, 30), datetime.date(2025, 7, 1)
UNIT = """[[unit]]
key = "a"
name = "xã A"
province = "tỉnh B"
until = 2025-06-30
into = "b"
status = "S"
source = "a page"
[[unit]]
key = "b"
name = "xã B"
province = "tỉnh B"
since = 2025-07-01
status = "S"
source = "a page"
"""


def test_a_commune_has_its_district_until_there_are_none() -> None:
    before = units.find("xã Bình Lư", "tỉnh Lai Châu", OLD)
    after = units.find("xã Bình Lư", "tỉnh Lai Châu", NEW)
    assert before is not None
    assert after is not None
    assert before.address == "xã Bình Lư, huyện Tam Đường, tỉnh Lai Châu"
    assert after.address == "xã Bình Lư, tỉnh Lai Châu"
    assert units.became(before, NEW) == after


@pytest.mark.parametrize("typed", ["Bình Lư", "binh lu", "xã  bình lư", "XA BINH LU"])
def test_a_name_is_found_as_people_type_it(typed: str) -> None:
    found = units.find(typed, "Lai Châu", NEW)
    assert found is not None
    assert found.key == "binh-lu-2025"


def test_a_commune_that_joined_twice_is_found_under_todays_name() -> None:
    old = units.find("Tà Chải", "Lào Cai", datetime.date(2024, 10, 31))
    assert old is not None
    later = {day: units.became(old, day) for day in (datetime.date(2024, 11, 1), OLD, NEW)}
    assert [one.name for one in later.values() if one] == [
        "thị trấn Bắc Hà",
        "thị trấn Bắc Hà",
        "xã Bắc Hà",
    ]


def test_a_town_is_not_the_commune_of_the_same_name() -> None:
    assert units.find("xã Bắc Hà", "tỉnh Lào Cai", OLD) is None
    assert units.find("thị trấn Bắc Hà", "tỉnh Lào Cai", NEW) is None


def test_an_address_of_before_is_told_under_its_name_of_today() -> None:
    moved = units.now_called("xã Na Hối", "tỉnh Lào Cai", NEW)
    assert moved is not None
    assert moved.address == "xã Bắc Hà, tỉnh Lào Cai"
    assert units.now_called("xã Na Hối", "tỉnh Lào Cai", OLD) is None, "it was right then"
    assert units.now_called("xã Bình Lư", "tỉnh Lai Châu", NEW) is None, "it still is"
    assert units.now_called("xã Không Có", "tỉnh Lào Cai", NEW) is None


def test_what_no_source_tells_is_not_known() -> None:
    assert units.find("xã Không Có", "tỉnh Lai Châu", NEW) is None
    assert units.find("xã Bình Lư", "tỉnh Khác", NEW) is None
    assert units.find("xã Hiệp Lực", "tỉnh Thái Nguyên", OLD) is None
    assert all(unit.source for unit in units.load().values())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('into = "b"', 'into = "c"', "does not come after it"),
        ('province = "tỉnh B"\nuntil', "until", "KeyError"),
        ("since = 2025-07-01", 'since = "2025-07-01"', "a day is written"),
        ("until = 2025-06-30", "since = 2025-07-01\nuntil = 2025-06-30", "ends before it begins"),
        ('key = "b"', 'key = "a"', "there twice"),
        ('source = "a page"', 'source = ""', "on whose word"),
    ],
)
def test_a_miswritten_unit_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in UNIT
    (tmp_path / "units.toml").write_text(UNIT.replace(old, new), "utf-8")
    with pytest.raises(units.UnitDataError, match=says):
        units.load(tmp_path)
