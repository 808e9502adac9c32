"""The newest reading of a series, whatever the order of arrival."""

from hypothesis import given
from hypothesis import strategies as st

from nongso.gateway.latest import Latest
from nongso.wire import marks
from nongso.wire.payload import EARLIEST, LATEST_AHEAD, Reading

NOW = 1_790_000_000
NODE = "0200000000000001"


def taken(*readings: Reading) -> Reading | None:
    latest = Latest()
    for reading in readings:
        latest.take(NODE, [reading], NOW)
    return latest.get(NODE, "soil_moisture")


def soil(at: int, mark: int = marks.GOOD, value: float = 40.0) -> Reading:
    return Reading("soil_moisture", at, value, mark)


def test_there_is_no_reading_before_the_first() -> None:
    assert taken() is None


def test_late_readings_do_not_hide_newer_ones() -> None:
    assert taken(soil(NOW), soil(NOW - 60)) == soil(NOW)


def test_a_time_that_cannot_be_does_not_hide_a_true_one() -> None:
    wrong = soil(NOW + 10 * 86400, marks.UNTIMED)
    assert taken(soil(NOW), wrong) == soil(NOW)
    assert taken(wrong, soil(NOW)) == soil(NOW)
    failed = Reading("soil_moisture", NOW + 10 * 86400, None, marks.FAILED)
    assert taken(failed, soil(NOW)) == soil(NOW)


def test_a_failed_sensor_is_the_newest_word() -> None:
    failed = Reading("soil_moisture", NOW, None, marks.FAILED)
    assert taken(soil(NOW - 10), failed) == failed


@given(st.permutations(range(8)))
def test_arrival_order_does_not_matter(order: list[int]) -> None:
    readings = [soil(NOW - 10 * n, value=float(n)) for n in range(8)]
    assert taken(*(readings[n] for n in order)) == readings[0]


@given(st.lists(st.integers(0, 1 << 40), min_size=1))
def test_any_times_give_the_newest_that_can_be_true(times: list[int]) -> None:
    marked = [
        soil(at, marks.GOOD if EARLIEST <= at <= NOW + LATEST_AHEAD else marks.UNTIMED)
        for at in times
    ]
    true = [reading for reading in marked if marks.is_good(reading.mark)]
    newest = taken(*marked)
    assert newest == (max(true, key=lambda r: r.at) if true else marked[-1])


def test_nodes_are_kept_apart() -> None:
    latest = Latest()
    latest.take("0200000000000001", [soil(NOW)], NOW)
    latest.take("0200000000000002", [soil(NOW - 5)], NOW)
    assert latest.of_node("0200000000000002") == [soil(NOW - 5)]
