"""Each station is heard or said to be silent, and a fault is named with what to do."""

import time

from office import NODE_1, NODE_2, Place

from nongso.wire import marks

PAGE = "/greenhouses/tan-binh-1/stations"


def test_silent_stations_come_first_and_a_sensor_at_fault_is_named(farm: Place) -> None:
    now = int(time.time())
    farm.bring(
        farm.readings(NODE_1, ["soil_moisture", now - 60, 45.0, 0]),
        farm.readings(NODE_2, ["soil_moisture", now - 7200, 45.0, 0]),
    )
    page = farm.client("farmer").get(PAGE).text
    assert "Trạm đo tb-02 mất tín hiệu, số cuối cách đây 2 giờ." in page
    assert "Trạm đo bus chưa gửi số nào." in page
    assert page.index("tb-02 mất") < page.index("Trạm đo tb-01 bình thường")


def test_a_sensor_at_fault_is_named_with_what_to_do(farm: Place) -> None:
    now = int(time.time())
    mark = marks.IMPOSSIBLE
    farm.bring(farm.readings(NODE_1, ["soil_moisture", now - 60, 250.0, mark]))
    page = farm.client("farmer").get(PAGE).text
    assert "tb-01: cảm biến độ ẩm đất báo số không đúng" in page


def test_a_low_battery_is_told_before_the_station_falls_silent(farm: Place) -> None:
    now = int(time.time())
    farm.bring(farm.readings(NODE_1, ["battery", now - 60, 3.4, 0]))
    assert "Trạm đo tb-01 sắp hết pin" in farm.client("farmer").get(PAGE).text


def test_stations_of_another_cooperative_are_not_there(farm: Place) -> None:
    assert farm.client("farmer-bac-ha").get(PAGE).status_code == 404
