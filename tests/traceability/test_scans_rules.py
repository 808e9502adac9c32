"""The rules about copies: what is odd about a scan, and what is usual for a product."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.languages import day_of
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.scans import keeping, learning, networks, ranking, signs
from nongso.platform.traceability.scans.signs import Seen, Usual

AT = 1_790_000_000
HOME = frozenset({"tỉnh Lai Châu", "thành phố Hà Nội"})


def scan(phone: str = "a", province: str = "tỉnh Lai Châu", after: int = 0) -> Seen:
    return Seen(AT + after, province, phone)


def struck(
    now: Seen, *before: Seen, state: str = labelling_state.ACTIVE, usual: Usual | None = None
) -> list[str]:
    return [one.rule for one in signs.signs(state, now, before, usual or Usual(4, 4, HOME))]


def test_a_family_that_looks_at_its_noodles_is_nothing_odd() -> None:
    assert struck(scan(), scan("b", after=-60), scan("c", after=-90_000)) == []


def test_two_provinces_within_a_minute_are_odd_in_whatever_order_they_arrive() -> None:
    far = scan("b", "thành phố Hà Nội", after=60)
    assert struck(far, scan()) == ["travel"]
    assert struck(scan(), far) == ["travel"]
    (sign,) = signs.signs(labelling_state.ACTIVE, scan(), [far], Usual(4, 4, HOME))
    assert sign.values == {"from": "tỉnh Lai Châu", "to": "thành phố Hà Nội", "seconds": 60}


def test_a_pack_may_travel_for_longer_than_a_minute() -> None:
    assert struck(scan("b", "thành phố Hà Nội", after=61), scan()) == []


def test_two_provinces_by_one_browser_may_be_a_phone_that_changes_its_network() -> None:
    asked = [("10.0.0.1", "Chrome"), ("10.9.0.1", "Chrome"), ("10.9.0.1", "Safari")]
    home, away, other = (keeping.mark(bytes(32), *one) for one in asked)
    assert len({home, away, other}) == 3, "each is a phone of its own"
    at_home, at_once = scan(home), scan(away, "tỉnh Cà Mau", after=2)
    assert struck(at_once, at_home) == ["travel_one_browser"]
    assert struck(scan(other, "tỉnh Cà Mau", after=10), at_home) == ["travel"]
    both = struck(scan(home, after=12), at_once, scan(other, "tỉnh Cà Mau", after=40))
    assert both == ["travel"], "two browsers say more"


def test_an_unknown_province_is_no_place() -> None:
    assert struck(scan("b", ""), scan()) == []
    assert struck(scan("b", "", after=5), scan("c", "tỉnh Cà Mau")) == []


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (labelling_state.UNKNOWN, "never_issued"),
        (labelling_state.NOT_ACTIVATED, "not_activated"),
        (labelling_state.SPOILED, "not_activated"),
        (labelling_state.RETURNED, "not_activated"),
        (labelling_state.RECALLED, "after_end"),
        (labelling_state.WITHDRAWN, "after_end"),
        (signs.DESTROYED, "after_end"),
    ],
)
def test_the_books_say_that_nobody_should_have_this_label(state: str, rule: str) -> None:
    assert struck(scan(), state=state) == [rule]


def test_who_bought_before_a_spraying_was_told_is_no_counterfeiter() -> None:
    assert struck(scan(), state=labelling_state.HELD_BACK) == []


def test_more_phones_than_at_a_fair_are_odd_and_the_same_phone_counts_once() -> None:
    before = [scan(phone, after=-i) for i, phone in enumerate("bcdefghijkl")]
    assert struck(scan("b"), *before) == []
    assert struck(scan("m"), *before) == []
    assert struck(scan("m"), *before, scan("n")) == ["many_phones"]


def test_a_pack_is_eaten_but_a_copy_is_sold_week_after_week() -> None:
    days = [scan(after=-n * 86_400) for n in range(1, 5)]
    assert struck(scan(), *days[:3]) == []
    assert struck(scan(), *days[:3], scan("b", after=-100)) == []
    (sign,) = signs.signs(labelling_state.ACTIVE, scan(), days, Usual(4, 4, HOME))
    assert (sign.rule, sign.values) == ("many_days", {"days": 5, "usual": 4})


@given(st.integers(1_500_000_000, 2_500_000_000))
def test_a_day_begins_at_midnight_in_viet_nam(at: int) -> None:
    day = (at + signs.EAST_SECONDS) // signs.DAY_SECONDS
    assert day == (day_of(at) - datetime.date(1970, 1, 1)).days


def test_reasons_add_up_and_what_clerks_found_out_counts() -> None:
    def chance(*reasons: tuple[str, int], **learnt: tuple[int, int]) -> float:
        return ranking.chance(reasons, learnt)

    once, often = chance(("travel", 1)), chance(("travel", 3))
    assert once < often < chance(("travel", 3), ("outside", 1))
    assert chance(("never_issued", 1)) > chance(("many_phones", 30))
    assert chance(("travel", 1), travel=(20, 0)) > chance(("many_days", 1)) - 0.3
    assert chance(("many_days", 1), many_days=(0, 40)) < chance(("travel", 3))
    assert chance(("travel", 10**6)) < 1


def test_a_family_far_away_has_taken_a_pack_home_more_phones_are_odd() -> None:
    far = [scan(phone, "tỉnh Cà Mau", -i * 500) for i, phone in enumerate("abc", 1)]
    assert struck(far[0], scan("b", after=-9000)) == []
    assert struck(far[0], far[1]) == []
    assert struck(far[0], *far[1:]) == ["outside"]
    assert struck(scan("d"), *far) == []


def test_a_pack_is_in_one_far_province_not_in_two() -> None:
    assert struck(scan("a", "tỉnh Cà Mau"), scan("b", "tỉnh Gia Lai", -9000)) == ["outside"]


def test_nothing_is_outside_until_the_sales_area_is_known() -> None:
    before = scan("b", "tỉnh Gia Lai", -500)
    assert struck(scan("a", "tỉnh Cà Mau"), before, usual=Usual(4, 4)) == []


def test_twice_what_nineteen_of_twenty_packs_stay_within_is_usual() -> None:
    assert learning.usual_phones([3] * 95 + [40] * 5) == 6
    assert learning.usual_phones([3] * 94 + [40] * 6) == 80
    assert learning.usual_phones([12] * 100) == 24


def test_the_days_of_a_pack_are_learnt_like_its_phones() -> None:
    assert learning.usual_days([3] * 95 + [40] * 5) == 6
    assert learning.usual_days([1] * 100) == learning.LEAST_DAYS
    assert learning.usual_days([9] * 29) == learning.DAYS_AT_FIRST


def test_a_family_may_always_look() -> None:
    assert learning.usual_phones([1] * 100) == learning.LEAST_PHONES


def test_too_few_packs_teach_nothing() -> None:
    assert learning.usual_phones([1] * 29) == learning.PHONES_AT_FIRST
    assert learning.usual_phones([5] * 30) == 10


def test_two_copied_packs_in_forty_do_not_move_what_is_usual() -> None:
    for phones in ([1, 2] * 20, [3] * 40, [*range(1, 41)]):
        ordinary = learning.usual_phones(phones)
        assert learning.usual_phones([*phones, 10_000, 10_000]) <= ordinary + 4


def test_the_sales_area_is_where_packs_are_and_what_the_clerk_says() -> None:
    seen = {"tỉnh Lai Châu": 150, "tỉnh Lào Cai": 6, "tỉnh Sơn La": 5, "tỉnh Cà Mau": 4, "": 90}
    area = learning.sales_area(seen, 200, ["tỉnh Phú Thọ"])
    assert area == {"tỉnh Lai Châu", "tỉnh Lào Cai", "tỉnh Phú Thọ"}  # 5 of 200 is too few
    assert "tỉnh Cà Mau" not in learning.sales_area({"tỉnh Cà Mau": 4}, 30, [])


@pytest.fixture
def table(tmp_path):
    def load(text: str) -> networks.Networks:
        (tmp_path / "networks.csv").write_text(text, "utf-8")
        return networks.load(tmp_path / "networks.csv")

    return load


def test_the_narrowest_network_tells_the_province(table) -> None:
    known = table(
        "network,province\n# office\n10.0.0.0/8,tỉnh Lai Châu\n\n10.1.0.0/16,tỉnh Lào Cai\n"
        "2001:db8::/32,tỉnh Sơn La\n"
    )
    assert known.count == 3
    assert known.province("10.2.3.4") == "tỉnh Lai Châu"
    assert known.province("10.1.3.4") == "tỉnh Lào Cai"
    assert known.province("::ffff:10.1.3.4") == "tỉnh Lào Cai"
    assert known.province("2001:db8::7") == "tỉnh Sơn La"
    assert known.province("192.0.2.1") == ""
    assert known.province("fe80::1%eth0") == ""


@given(st.text(max_size=50))
def test_whatever_stands_for_an_address_gets_an_answer(address: str) -> None:
    assert networks.Networks([("0.0.0.0/0", "x")]).province(address) in ("", "x")


def test_without_the_file_and_with_the_example_no_province_is_known(tmp_path) -> None:
    assert networks.load(tmp_path / "networks.csv").count == 0
    from nongso.platform.traceability import scans

    example = networks.Path(scans.__file__).parent / "networks.example.csv"
    assert networks.load(example).count == 0


def test_a_file_that_is_no_table_at_all_is_said(table) -> None:
    # Which of both depends on how long a cell may be in this process (``csv.field_size_limit``).
    with pytest.raises(networks.NetworksError, match=r"as a table|line 1: a line is"):
        table('"' + "x" * 200_000)


@pytest.mark.parametrize("line", ["10.0.0.1/8,x", "10.0.0.0/8", "10.0.0.0/8,", "ten,x", "a,b,c"])
def test_a_line_that_cannot_be_read_is_named(table, line: str) -> None:
    with pytest.raises(networks.NetworksError, match="line 2"):
        table(f"10.0.0.0/8,tỉnh Lai Châu\n{line}\n")
