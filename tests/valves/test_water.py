"""What the meter's counter means for runs and leaks."""

from nongso.gateway.valves.water import WaterWatch


def test_a_counter_counts_from_where_it_is_first_seen() -> None:
    watch = WaterWatch()
    assert watch.metered(5000.0, 0, None, 0).litres == 0
    assert watch.metered(5002.5, 1, None, 0).litres == 2.5


def test_an_exchanged_meter_begins_anew() -> None:
    watch = WaterWatch()
    watch.metered(5000.0, 0, None, 0)
    assert watch.metered(3.0, 1, None, 0).litres == 0
    assert watch.metered(4.0, 2, None, 0).litres == 1


def test_a_meter_that_comes_back_gets_its_time_before_no_flow() -> None:
    watch = WaterWatch()
    watch.metered(10.0, 0, None, 0)
    assert not watch.metered(10.0, 60, 1, 0).no_flow, "it was silent for a minute"
    assert not watch.metered(10.0, 70, 1, 0).no_flow
    assert watch.metered(10.0, 76, 1, 0).no_flow


def test_flow_that_stops_in_the_middle_of_a_run() -> None:
    watch = WaterWatch()
    for second in range(30):
        assert not watch.metered(float(second), second, 0, 0).no_flow
    verdicts = [watch.metered(29.0, 30 + second, 0, 0).no_flow for second in range(20)]
    assert verdicts.index(True) == 14


def test_one_drop_after_closing_is_no_leak_and_a_steady_flow_is() -> None:
    watch = WaterWatch()
    total, found = 100.0, []
    for second in range(0, 60):
        total += 1.0 if second == 12 else 0.0  # a pulse of a coarse counter
        found.append(watch.metered(total, second, None, second).leak_l_per_min)
    assert found == [None] * 60
    found = []
    for second in range(60, 100):
        total += 0.05
        found.append(watch.metered(total, second, None, second).leak_l_per_min)
    assert {flow for flow in found if flow} == {3.0}
    assert 9 < found.index(3.0) <= 29, "more than one window, and less than half a minute"


def test_a_leak_is_over_after_two_quiet_windows() -> None:
    watch = WaterWatch()
    overs = [watch.metered(100.0, second, None, second).leak_over for second in range(40)]
    assert overs.index(True) == 28
