"""From readings on disk to alerts and messages on disk: restarts, two processes, silence."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from office import BUS, NODE_1, NODE_2, Place
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from nongso.platform.alerts import operations
from nongso.platform.alerts.records import Alert, AlertEvent, AlertPlan, Notice, Way
from nongso.platform.alerts.rules import HOUR, MINUTE
from nongso.platform.alerts.watch import LEASE_SECONDS, Running, Watch
from nongso.platform.greenhouse.records import Gateway
from nongso.platform.people import Person


class Night:
    """A farm whose clock is turned by hand; its gateway is heard as long as it lives."""

    def __init__(self, farm: Place) -> None:
        self.farm = farm
        # A day in the past, so that every reading's time is possible; noon in Viet Nam.
        self.now = (int(time.time()) // 86400 - 2) * 86400 + 5 * HOUR
        self.watch = Watch(farm.app)
        self.gateway_lives = True
        self.degrees: float | None = 20.0
        self.moisture = 50.0
        self.wind: float | None = None
        self.nodes = [NODE_1, NODE_2]

    def measure(self) -> None:
        for node in self.nodes:
            readings = [["soil_moisture", self.now, self.moisture, 0]]
            if self.degrees is not None:
                readings.append(["air_temperature", self.now, self.degrees, 0])
            self.farm.bring(self.farm.readings(node, *readings))
        if self.wind is not None:
            self.farm.bring(self.farm.readings(BUS, ["wind_speed", self.now, self.wind, 0]))

    def hear(self) -> None:
        """The gateway was heard now, by the clock of this night."""
        with self.farm.records.transaction() as session:
            session.get_one(Gateway, "binh-lu").seen_at = self.now

    def wait(self, seconds: int, step: int = MINUTE, measure: bool = True) -> None:
        for _ in range(seconds // step):
            self.now += step
            if self.gateway_lives:
                if measure:
                    self.measure()
                self.hear()
            self.watch.tick(self.now)

    def alerts(self) -> list[Alert]:
        with self.farm.records.session() as session:
            return list(session.scalars(select(Alert).order_by(Alert.raised_at, Alert.code)))

    def open(self) -> list[str]:
        return [alert.code for alert in self.alerts() if alert.cleared_at is None]

    def events(self) -> list[str]:
        with self.farm.records.session() as session:
            return list(session.scalars(select(AlertEvent.what).order_by(AlertEvent.number)))

    def notices(self) -> list[Notice]:
        with self.farm.records.session() as session:
            return list(session.scalars(select(Notice).order_by(Notice.made_at, Notice.what)))

    def restart(self) -> None:
        """The process ends without a word, and another one begins."""
        self.watch = Watch(self.farm.app)
        self.now += LEASE_SECONDS + 1


@pytest.fixture
def night(farm: Place) -> Night:
    made = Night(farm)
    with farm.records.transaction() as session:
        people = {p.user: p for p in session.scalars(select(Person))}
        for user in ("farmer", "clerk", "farmer-bac-ha"):
            session.add(
                Way(
                    id=f"way-{user}",
                    person_id=people[user].id,
                    kind="mail",
                    target=f"{user}@example.org",
                    name=user,
                    language="vi" if user != "clerk" else "en",
                    least_level="warning",
                    created_at=made.now,
                )
            )
    return made


def ways(night: Night, what: str) -> list[str]:
    return [notice.way for notice in night.notices() if notice.what == what]


def test_a_cold_house_is_said_to_its_farmers_and_to_nobody_elses(night: Night) -> None:
    night.degrees = 7.0
    night.wait(20 * MINUTE)
    assert night.open() == ["cold"]
    (notice,) = night.notices()
    assert (notice.way, notice.state, notice.what) == ("way-farmer", "waiting", "said")
    assert notice.title == "Nhà màng Tân Bình 1"
    assert "Nhà màng Tân Bình 1 lạnh: trong nhà còn 7,0°C" in notice.text


def test_frost_is_one_message_and_silences_the_milder_cold(night: Night) -> None:
    night.degrees = 2.0
    night.wait(2 * HOUR)
    assert set(night.open()) == {"cold", "frost"}
    with night.farm.records.session() as session:
        frost = session.scalar(select(Alert.id).where(Alert.code == "frost"))
    assert {n.alert for n in night.notices()} == {frost}
    assert ways(night, "escalated") == ["way-clerk"]
    (clerk,) = [n for n in night.notices() if n.what == "escalated"]
    assert clerk.text.startswith("Urgent: Nhà màng Tân Bình 1 has only 2.0°C inside.")
    night.degrees = 20.0
    night.wait(HOUR)
    assert night.open() == []
    assert sorted(ways(night, "all_clear")) == ["way-clerk", "way-farmer"]


def test_what_is_on_its_way_back_is_not_called_wrong_any_more(night: Night) -> None:
    night.degrees = 2.0
    night.wait(2 * HOUR)
    night.degrees = 20.0
    night.wait(5 * MINUTE)
    assert "frost" in night.open()
    with night.farm.app.test_request_context(), night.farm.records.session() as session:
        found = session.scalar(select(Alert).where(Alert.code == "frost"))
        assert found is not None
        said = operations.sentence(found, night.now)
    assert "đang khá lên, nay 20,0°C" in said


def test_a_dead_gateway_is_one_alert_and_not_one_for_each_station(night: Night) -> None:
    night.wait(5 * MINUTE)
    night.gateway_lives = False
    night.wait(3 * HOUR)
    assert night.open() == ["gateway_silent"]
    assert ways(night, "said") == ["way-farmer"]
    night.gateway_lives = True
    night.wait(10 * MINUTE)
    assert night.open() == []
    assert night.events()[-3:] == ["cleared", "all_clear", "all_clear"]  # farmer, clerk
    assert {a.code for a in night.alerts()} == {"gateway_silent"}


def test_all_silent_stations_of_a_greenhouse_are_one_message(night: Night) -> None:
    night.wait(5 * MINUTE)
    night.nodes = []
    night.wait(HOUR)
    assert night.open() == ["node_silent"]
    (notice,) = [n for n in night.notices() if n.what == "said"]
    assert "cả 2 trạm đo mất tín hiệu" in notice.text.replace("\u00a0", " ")
    night.nodes = [NODE_1, NODE_2]
    night.wait(5 * MINUTE)
    assert night.open() == []


def test_a_station_that_its_broker_lost_is_silent_at_once(night: Night) -> None:
    night.wait(MINUTE)
    state = {"eui64": NODE_1, "state": "offline", "at": night.now}
    night.farm.bring(night.farm.row("node", node=state))
    night.nodes = [NODE_2]
    night.wait(7 * MINUTE)
    (notice,) = night.notices()
    assert "trạm đo tb-01 mất tín hiệu" in notice.text


def test_who_has_heard_of_one_station_has_not_heard_of_the_next(night: Night) -> None:
    """And the second one is one message, to its all-clear, which is said to everybody once."""
    night.wait(MINUTE)
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_1)))
    night.nodes = [NODE_2]
    night.wait(8 * MINUTE)
    (alert,) = night.alerts()
    with night.farm.records.transaction() as session:
        assert operations.acknowledge(session, alert.id, "a-person", night.now)
    night.wait(2 * MINUTE)
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_2)))
    night.nodes = [NODE_1]
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_1, "online")))
    night.wait(4 * MINUTE)
    assert night.events().count("joined") == 0  # a new alert would wait, too
    night.wait(4 * MINUTE)
    (alert,) = night.alerts()
    assert (alert.acknowledged_at, alert.acknowledged_person) == (None, None)
    assert night.events().count("joined") == 1
    told = [n.text for n in night.notices() if n.what == "said" and n.way == "way-farmer"]
    assert ["tb-01" in told[0], "tb-02" in told[1], len(told)] == [True, True, 2]
    night.wait(HOUR)
    assert night.events().count("escalated") >= 1
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_2, "online")))
    night.nodes = [NODE_1, NODE_2]
    night.wait(5 * MINUTE)
    clears = [n for n in night.notices() if n.what == "all_clear" and n.way == "way-farmer"]
    assert len(clears) == 1


def test_a_station_that_comes_and_goes_is_not_said_each_time(night: Night) -> None:
    night.wait(MINUTE)
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_1)))
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_2)))
    night.nodes = []
    night.wait(8 * MINUTE)
    (alert,) = night.alerts()
    with night.farm.records.transaction() as session:
        operations.acknowledge(session, alert.id, "a-person", night.now)
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_1, "online")))
    night.wait(3 * MINUTE)
    night.farm.bring(night.farm.row("node", node=_lost(night, NODE_1)))
    night.wait(7 * MINUTE)
    assert len(ways(night, "said")) == 1
    assert night.alerts()[0].acknowledged_at is None  # the page asks all the same


def _lost(night: Night, node: str, state: str = "offline") -> dict[str, object]:
    return {"eui64": node, "state": state, "at": night.now}


def alarm(night: Night, code: str, /, cleared: bool = False, **values: object) -> None:
    body = {
        "id": f"00000000-0000-4000-8000-{abs(hash(code)) % 10**12:012d}",
        "code": code,
        "values": values,
        "zone": None,
        "raised_at": night.now,
        "cleared_at": night.now + 1 if cleared else None,
    }
    answer = night.farm.bring(night.farm.row("alarm", alarm=body))
    assert answer.json["refused"] == []
    night.hear()


def test_a_stuck_valve_is_said_in_the_middle_of_the_night_and_so_is_its_end(night: Night) -> None:
    night.now += 12 * HOUR  # midnight
    alarm(night, "valve_not_closed", zone="tan-binh-1-k2")
    night.watch.tick(night.now)
    (said,) = night.notices()
    assert said.text == (
        "Khẩn cấp: van khu\u00a02 không đóng được. Đã tắt bơm và khóa van tổng. Xin ra xem ngay."
    )
    alarm(night, "valve_not_closed", cleared=True, zone="tan-binh-1-k2")
    night.watch.tick(night.now + 5)
    clear = night.notices()[-1]
    assert clear.what == "all_clear"
    assert clear.text.startswith("Đã ổn: van đã đóng lúc")
    assert said.text.startswith("Khẩn cấp")


def test_what_only_a_technician_can_mend_is_not_said_to_farmers(night: Night) -> None:
    alarm(night, "rows_refused", count=3, code="unknown_metric")
    night.watch.tick(night.now)
    assert [n.way for n in night.notices()] == ["way-clerk"]
    night.wait(26 * HOUR, HOUR)
    assert "rows_refused" not in night.open()


def test_a_press_on_heard_ends_the_repeats(night: Night) -> None:
    night.degrees = 7.0
    night.wait(20 * MINUTE)
    (alert,) = night.alerts()
    with night.farm.records.transaction() as session:
        assert operations.acknowledge(session, alert.id, "a-person", night.now)
        assert not operations.acknowledge(session, alert.id, "another", night.now + 1)
    night.wait(4 * HOUR, 5 * MINUTE)
    assert [n.what for n in night.notices()] == ["said"]
    night.degrees = 20.0
    night.wait(HOUR, 5 * MINUTE)
    assert [n.what for n in night.notices()] == ["said", "all_clear"]
    assert night.events() == ["raised", "said", "acknowledged", "cleared", "all_clear"]


def test_a_restart_at_any_moment_neither_forgets_nor_says_twice(night: Night) -> None:
    night.degrees = 7.0
    for _ in range(30):
        night.wait(2 * MINUTE)
        night.restart()
    night.degrees = 20.0
    for _ in range(30):
        night.wait(2 * MINUTE)
        night.restart()
    whats = night.events()
    assert whats.count("raised") == whats.count("said") == whats.count("cleared") == 1
    assert whats[-1] == "all_clear"
    assert len({n.id for n in night.notices()}) == len(night.notices())


def test_of_two_processes_one_does_the_work_and_the_other_takes_over(night: Night) -> None:
    other = Watch(night.farm.app)
    assert night.watch.tick(night.now)
    assert not other.tick(night.now + 1)
    night.degrees = 2.0
    night.wait(5 * MINUTE)
    assert not other.tick(night.now + 1)
    assert len(night.notices()) == 1
    # The first one dies: the other goes on where it stood.
    assert other.tick(night.now + LEASE_SECONDS + 1)
    assert not night.watch.tick(night.now + LEASE_SECONDS + 2)
    assert len(night.notices()) == 1
    other.let_go(night.now + LEASE_SECONDS + 3)
    assert night.watch.tick(night.now + LEASE_SECONDS + 4)


def test_a_lease_of_a_clock_that_ran_ahead_does_not_silence_everything(night: Night) -> None:
    ahead = Watch(night.farm.app)
    assert ahead.tick(night.now + 86400)
    assert night.watch.tick(night.now)


def test_nothing_is_written_while_nothing_happens(night: Night) -> None:
    night.measure()
    night.hear()
    night.watch.tick(night.now)
    before = night.farm.records.version()
    for second in range(1, 10):
        night.watch.tick(night.now + second)
    assert night.farm.records.version() == before


def test_what_happened_to_an_alert_is_never_changed(night: Night) -> None:
    night.degrees = 2.0
    night.wait(10 * MINUTE)
    for deed in ("UPDATE alert_event SET what = 'x'", "DELETE FROM alert_event"):
        with pytest.raises(DBAPIError), night.farm.records.transaction() as session:
            session.execute(text(deed))


def test_the_growers_own_limits_hold(night: Night) -> None:
    with night.farm.records.transaction() as session:
        session.add(
            AlertPlan(
                place="greenhouse:tan-binh-1",
                crop="melon",
                quiet_from=None,
                quiet_until=None,
                changes={"cold": {"on": 15.0, "off": 16.0, "hold_seconds": 0}},
            )
        )
    night.degrees = 14.0
    night.wait(MINUTE)
    assert night.open() == ["cold"]
    with night.farm.records.transaction() as session:
        plan = session.get_one(AlertPlan, "greenhouse:tan-binh-1")
        plan.changes = {"cold": {"enabled": False}}
    night.wait(2 * MINUTE)
    assert night.open() == []
    assert night.events()[-2:] == ["cleared", "all_clear"]


def test_dry_soil_follows_the_zones_own_band(night: Night) -> None:
    night.moisture = 38.0  # the zones' band begins at 40
    night.wait(40 * MINUTE)
    assert night.open() == ["soil_dry"]  # khu 1 is watered by hand, khu 2 waters itself
    (notice,) = night.notices()
    assert "đất khu 1 khô, còn 38%, cần ít nhất 40%" in notice.text.replace("\u00a0", " ")
    night.wait(2 * HOUR, 10 * MINUTE)
    assert night.open() == ["soil_dry", "soil_dry"]


def test_strong_wind_is_one_cause_for_all_houses_on_a_cabinet(night: Night) -> None:
    night.wind = 18.0
    night.wait(5 * MINUTE)
    assert set(night.open()) == {"gale", "wind"}
    assert len(night.notices()) == 1
    assert "18\u00a0m/s" in night.notices()[0].text


def test_a_faulty_sensor_raises_nothing(night: Night) -> None:
    night.degrees = None
    for _ in range(40):
        night.farm.bring(night.farm.readings(NODE_1, ["air_temperature", night.now, -15.0, 1]))
        night.wait(MINUTE)
    assert night.open() == []


def test_a_greenhouse_that_is_taken_away_ends_its_alerts_honestly(night: Night) -> None:
    night.degrees = 2.0
    night.wait(10 * MINUTE)
    empty = {"name": "x", "greenhouses": [], "nodes": []}
    night.farm.bring(night.farm.row("configuration", configuration=empty))
    night.wait(2 * MINUTE, measure=False)
    assert night.open() == []
    assert night.notices()[-1].text.startswith("Thôi báo")


def test_a_broken_store_of_readings_does_not_end_the_watch(
    night: Night, settings: object, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    running = Running(night.farm.app)
    working = running.watch.telemetry.series
    broken = [True]

    def series(**where: str) -> object:
        if broken[0]:
            raise OSError("disk on fire")
        return working(**where)

    running.watch.telemetry.series = series  # type: ignore[method-assign]
    running.start()
    wait_for("the failure to be noticed", lambda: "watching" in running.failing)
    broken[0] = False
    night.measure()
    wait_for("the watch to look again", lambda: "watching" not in running.failing)
    running.stop()
    assert not any(thread.is_alive() for thread in running._threads)


@pytest.fixture
def wait_for() -> Callable[..., None]:
    def wait(what: str, is_true: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_true():
            assert time.monotonic() < deadline, what
            time.sleep(0.02)

    return wait
