"""A new zone's wet test on real processes: pressed on the page, measured, answered, armed or not.

The relay board's own log of edges and the farm's faults are the oracle, not what a room says.
"""

import html
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator

import pytest
from water_way import K1, K2, LEASE_SECONDS, ZONES, WaterWay, now, wait_for

from nongso.gateway.simulated.faults import Fault, write

pytestmark = pytest.mark.walk

HOUSE = "/greenhouses/tan-binh-1"
PAGE = f"{HOUSE}/wet-test"
COIL = ZONES[K2]
L_PER_MIN = 40.0  # of 120 m² under drip, on the simulated farm


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WaterWay]:
    made = WaterWay(tmp_path_factory.mktemp("way"), new=(K2,))
    wait_for(lambda: "Khu này chưa thử nước" in seen(made, HOUSE), "the zone to be new", 20)
    yield made
    made.end()


@pytest.fixture(autouse=True)
def _sound(way: WaterWay) -> Iterator[None]:
    """Each test begins with a farm without faults, at rest, and the zone not locked."""
    wait_for(way.is_quiet, "all valves to be closed", 20)
    wait_for(lambda: "Bước 1" in seen(way), "no test to go on", 120)
    yield
    write(way.folder / "faults.json", [])


def seen(way: WaterWay, path: str = f"{PAGE}?zone={K2}", **form: str) -> str:
    """What a page says, as words; pressed where a form is given."""
    form = {"zone": K2, "wish": str(uuid.uuid4()), **form} if form else {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{way.port}{path}",
        data=urllib.parse.urlencode(form).encode() or None,
        headers={"Authorization": f"Bearer {way.token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        text = error.read().decode()
    words = re.sub(r"<[^>]+>", " ", re.sub(r'name="test" value="([^"]+)"', r">test=\1<", text))
    return " ".join(html.unescape(words).replace("\u00a0", " ").split())


def begin(way: WaterWay) -> float:
    """Press; the moment at which the valve was opened, by the relay's clock."""
    pressed_at = now()
    assert "Van đang mở." in seen(way, PAGE, zone=K2)
    wait_for(lambda: way.openings(COIL, pressed_at), "the valve to open")
    return next(
        e["mono"] for e in way.house.edges() if e["coil"] == COIL and e["mono"] > pressed_at
    )


def see(way: WaterWay, saw: str) -> str:
    wait_for(lambda: "Bước 5" in seen(way), "the question", 120)
    (test,) = re.findall(r"test=([0-9a-f-]{36})", seen(way))
    return seen(way, PAGE + "/seen", saw=saw, test=test)


def unlock(way: WaterWay) -> None:
    seen(way, f"{HOUSE}/mode", mode="off", unlock="1")


def test_a_dry_pump_fails_the_test_and_the_page_says_where_to_look(way: WaterWay) -> None:
    write(way.folder / "faults.json", [Fault("dry_pump")])
    begin(way)
    wait_for(lambda: "Van đã mở nhưng không có nước." in seen(way), "the verdict", 60)
    wait_for(way.is_quiet, "the valve to close")
    assert "Khu này đang khóa vì có sự cố." in seen(way)
    assert "không có nước" in seen(way, HOUSE)
    unlock(way)
    wait_for(lambda: "Bước 1: ra đứng cạnh van" in seen(way), "the lock to be off")


def test_a_gateway_killed_in_the_middle_closes_the_valve_and_arms_nothing(way: WaterWay) -> None:
    opened_at = begin(way)
    way.kill("gateway")
    killed_at = now()
    closed_at = way.house.closed_at(LEASE_SECONDS + 10)
    assert closed_at - killed_at <= LEASE_SECONDS + 1
    assert closed_at - opened_at < 60
    way.start("gateway")
    wait_for(lambda: "bị ngắt giữa chừng" in seen(way), "the gateway to tell", 40)
    assert "Khu này chưa thử nước" in seen(way, HOUSE)


def test_a_stop_breaks_the_test_off(way: WaterWay) -> None:
    begin(way)
    way.stop()
    wait_for(way.is_quiet, "the valve to close")
    wait_for(lambda: "có người bấm dừng" in seen(way), "the page to say so", 20)


def test_crossed_valves_stay_off_because_a_person_saw_the_water_elsewhere(way: WaterWay) -> None:
    """The stuck valve of khu 1 stands for the crossed one: its relay is off and water runs."""
    write(way.folder / "faults.json", [Fault("stuck_closed", K2), Fault("stuck_open", K1)])
    begin(way)
    said = see(way, "elsewhere")
    assert "dây van trong tủ hoặc ống có thể bị nối nhầm" in said
    assert "dây van trong tủ hoặc ống có thể bị nối nhầm" in seen(way, HOUSE)
    status, answer = way.ask(f"/api/v1/zones/{K2}/water", {"seconds": 5, "id": str(uuid.uuid4())})
    assert (status, answer["code"]) == (409, "zone_not_tested")


def test_measured_and_seen_the_zone_waters_and_stays_armed_over_a_restart(way: WaterWay) -> None:
    opened_at = begin(way)
    second = seen(way, PAGE, zone=K2)  # another phone at once
    assert "Van đang mở." in second
    said = see(way, "shut")
    closed_at = next(
        e["mono"]
        for e in way.house.edges()
        if e["coil"] == COIL and not e["on"] and e["mono"] > opened_at
    )
    assert abs(closed_at - opened_at - 60) <= 1
    assert way.openings(COIL, opened_at) == 1
    assert "Thử nước xong" in said
    (told,) = re.findall(r"lượng nước của khu này là (\d+)", said)
    assert abs(float(told) - L_PER_MIN) <= 3
    way.kill("gateway")
    way.start("gateway")
    wait_for(
        lambda: (
            way.ask(f"/api/v1/zones/{K2}/water", {"seconds": 3, "id": str(uuid.uuid4())})[1].get(
                "state"
            )
            == "running"
        ),
        "the zone to water after the restart",
        40,
    )
