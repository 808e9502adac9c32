"""Each station is heard or said to be silent, and a fault is named with what to do."""

import datetime
import time

from office import NODE_1, NODE_2, Place, read_aloud

from nongso.platform.languages import ZONE
from nongso.wire import marks

PAGE = "/greenhouses/tan-binh-1/stations"


def test_silent_stations_come_first_and_a_sensor_at_fault_is_named(farm: Place) -> None:
    now = int(time.time())
    farm.bring(
        farm.readings(NODE_1, ["soil_moisture", now - 60, 45.0, 0]),
        farm.readings(NODE_2, ["soil_moisture", now - 7200, 45.0, 0]),
    )
    page = read_aloud(farm.client("farmer").get(PAGE))
    since = datetime.datetime.fromtimestamp(now - 7200, ZONE)
    assert "Trạm đo tb-02 mất tín hiệu từ " in page
    assert f"{since.hour}\u00a0giờ" in page
    assert "Trạm đo bus chưa gửi số nào." in page
    assert page.index("tb-02 mất") < page.index("Trạm đo tb-01 bình thường")


def test_a_station_that_has_just_gone_is_not_said_to_be_heard_just_now(farm: Place) -> None:
    now = int(time.time())
    farm.bring(
        farm.readings(NODE_2, ["soil_moisture", now, 45.0, 0]),
        farm.row("node", node={"eui64": NODE_2, "state": "offline", "at": now}),
    )
    page = read_aloud(farm.client("farmer").get(PAGE))
    said = page.split("Trạm đo tb-02 mất tín hiệu", 1)[1].split("</p>", 1)[0]
    assert said.startswith(" từ ")
    assert "vừa xong" not in said


def test_a_sensor_at_fault_is_named_with_what_to_do(farm: Place) -> None:
    now = int(time.time())
    mark = marks.IMPOSSIBLE
    farm.bring(farm.readings(NODE_1, ["soil_moisture", now - 60, 250.0, mark]))
    page = read_aloud(farm.client("farmer").get(PAGE))
    assert "tb-01: cảm biến độ ẩm đất báo số không đúng" in page


def test_a_low_battery_is_told_before_the_station_falls_silent(farm: Place) -> None:
    now = int(time.time())
    farm.bring(farm.readings(NODE_1, ["battery", now - 60, 3.4, 0]))
    assert "Trạm đo tb-01 sắp hết pin" in read_aloud(farm.client("farmer").get(PAGE))


def test_stations_of_another_cooperative_are_not_there(farm: Place) -> None:
    assert farm.client("farmer-bac-ha").get(PAGE).status_code == 404


def tell(farm: Place, number: int, state: str, why: str = "", age: int = 0) -> None:
    program = {"eui64": NODE_1, "number": number, "version": "0.2.0", "state": state, "why": why}
    told = program | {"wanted": 0, "at": int(time.time()) - age}
    answer = farm.bring(farm.row("program", program=told)).json
    assert answer is not None
    assert len(answer["stored"]) == 1


def test_the_version_of_a_stations_program_is_told(farm: Place) -> None:
    tell(farm, 0, "running")
    assert "Phần mềm trạm đo: bản 0.2.0." in read_aloud(farm.client("farmer").get(PAGE))
    tell(farm, 1795369772, "running")
    page = read_aloud(farm.client("farmer").get(PAGE))
    assert "bản 0.2.0, làm ngày 23/11/2026 lúc" in page


def test_a_station_that_went_back_to_its_old_program_is_told_with_the_reason(farm: Place) -> None:
    tell(farm, 0, "rolled_back", "hung")
    page = read_aloud(farm.client("farmer").get(PAGE))
    assert "Phần mềm mới bị treo nên trạm đo tb-01 đã tự quay lại bản cũ." in page
    tell(farm, 0, "trial", age=60)
    page = read_aloud(farm.client("farmer").get(PAGE))
    assert page.count("đã tự quay lại bản cũ") == 1, "older news"


def test_every_reason_not_to_take_a_program_is_a_sentence(farm: Place) -> None:
    for why in ("crashed", "unheard", "stopped", "of tomorrow"):
        tell(farm, 0, "rolled_back", why)
        assert "quay lại bản cũ" in read_aloud(farm.client("farmer").get(PAGE))
    for why in ("signature", "older", "no_space", "damaged"):
        tell(farm, 0, "refused", why)
        assert "tb-01 không" in read_aloud(farm.client("farmer").get(PAGE))
    for state in ("offered", "fetching", "trial"):
        tell(farm, 0, state)
        assert "phần mềm mới" in read_aloud(farm.client("farmer").get(PAGE))
