"""New boards come in while the gateway runs, and one takes the place of a broken one.

Real parts: Mosquitto, the gateway as a process, and the stations' own program under MicroPython.
"""

import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from control_box import (
    BUS_NODE,
    FARM,
    NODES,
    PASSWORDS,
    Box,
    Mosquitto,
    Process,
    free_port,
    lets_in,
    message,
    until,
)
from small_office import Office
from tests.firmware.conftest import TRUTH, NodeProcess, in_ring
from tests.firmware.test_setup import Phone

from nongso.gateway import broker, enrolment
from nongso.gateway.enrolment import Place
from nongso.gateway.settings import load
from nongso.gateway.simulated import boards
from nongso.gateway.simulated.chips import ChipBus

HOUSE, ZONE = "tan-binh-1", "tan-binh-1-k1"
MAC, BOARD = "0211aa000001", "0211aafffe000001"


@pytest.fixture
def farm(tmp_path: Path, office: Office) -> Iterator[Box]:
    """A control box with a broker of its own, whose files change."""
    (tmp_path / "gateway").mkdir()
    mosquitto = Mosquitto(tmp_path / "broker")
    mosquitto.start()
    box = Box(tmp_path / "gateway", mosquitto, office.url)
    change(box, stations={"host": "127.0.0.1", "claim_port": 0, "broker_folder": "../broker"})
    yield box
    box.close()
    mosquitto.stop()


@pytest.fixture
def new_board(farm: Box, tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Boards without a name, each with its own address; their chips are those of a greenhouse."""
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    chips = ChipBus("127.0.0.1", 0, lambda _node: TRUTH)
    chips.start()
    host, port = chips.address
    first = {
        "interval_seconds": 1,
        "resend_seconds": 1,
        "samples_in_memory": 1,
        "sensors": [{"chip": "sht4x"}, {"chip": "soil", "pin": 34, "dry": 2900, "wet": 1200}],
        "board": {"simulated": f"{host}:{port}"},
    }
    folder = farm.settings.folder / "stations"
    folder.mkdir()
    (folder / "new.json").write_text(json.dumps(first))
    made: list[NodeProcess] = []

    def make(claim: dict[str, Any], mac: str = MAC) -> NodeProcess:
        wished = {
            "ssid": "Nông trại",
            "password": "mat khau rat dai",
            "code": claim["claim"].replace("-", ""),
            "gateway": claim["address"],
        }
        node = NodeProcess(tmp_path / f"node-{len(made)}", {"setup": wished}, True)
        node._plan.env.update(NONGSO_MAC=mac, NONGSO_SETUP_PORT=str(free_port()))
        made.append(node)
        return node

    yield make
    for node in made:
        node.kill()
    chips.stop()


def running(box: Box) -> Process:
    """The gateway as a process, once it hears its broker."""
    process = box.process()

    def is_up() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", box.settings.status_port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return bool(json.loads(connection.getresponse().read())["broker_connected"])
        except OSError:
            return False
        finally:
            connection.close()

    until(is_up, "the gateway hears its broker")
    return process


def change(box: Box, **what: Any) -> None:
    found = json.loads(box.settings_file.read_text()) | what
    box.settings_file.write_text(json.dumps(found))
    box.settings = load(box.settings_file)


def order(office: Office, **station: Any) -> str:
    """Somebody asks on the page for a code; returns the order's id."""
    number = str(uuid.uuid4())
    office.offer(
        {"id": number, "gateway": "binh-lu", "ttl": 60, "do": "enrol", "by": "Nhân viên"}
        | {"station": {"greenhouse": HOUSE, "zone": None} | station}
    )
    return number


def outcome(office: Office, number: str, *states: str) -> dict[str, Any]:
    """What the gateway says last of an order, once it is one of these."""

    def told() -> dict[str, Any] | None:
        words = [row["command"] for row in office.of_kind("command")]
        mine = [word for word in words if word["id"] == number and word["state"] in states]
        return mine[-1] if mine else None

    found: dict[str, Any] = until(told, f"the order is {' or '.join(states)}")
    return found


def calibrate(office: Office, **station: Any) -> str:
    """Somebody presses "Đang khô" or "Đang ướt"; returns the order's id."""
    number = str(uuid.uuid4())
    office.offer(
        {"id": number, "gateway": "binh-lu", "ttl": 60, "do": "calibrate", "by": "Người trồng"}
        | {"station": {"series": "soil_moisture"} | station}
    )
    return number


def heard_from(office: Office, board: str) -> bool:
    return any(row["node"] == board for row in office.of_kind("readings"))


def let_in(board: NodeProcess) -> None:
    """It asks with its code, keeps its configuration, and starts as a station."""
    board.start()
    assert board.wait() == 3, board.words()
    board.start()


def test_a_new_station_is_heard_without_a_restart(
    farm: Box, office: Office, new_board: Callable[..., NodeProcess]
) -> None:
    process = farm.process()
    number = order(office, node="tb-09", zone=ZONE)
    told = outcome(office, number, "running")
    assert (told["code"], told["values"]["node"]) == ("claim_open", "tb-09")
    assert 590 < told["values"]["until"] - time.time() <= 600
    board = new_board(told["values"])
    let_in(board)
    done = outcome(office, number, "done", "refused")
    assert done["code"] == "station_admitted"
    assert done["values"] == {"node": "tb-09", "board": BOARD, "broker_told": True}
    until(lambda: heard_from(office, BOARD), "its readings at the office")
    number = calibrate(office, node="tb-09", point="wet")
    told = outcome(office, number, "done", "refused")
    counts = told["values"].pop("counts")
    assert told["values"] == {
        "node": "tb-09",
        "board": BOARD,
        "series": "soil_moisture",
        "point": "wet",
    }
    kept = json.loads((board.folder / "calibration.json").read_text())
    assert kept == {"soil_moisture": [2900, counts]}
    number = calibrate(office, node="tb-09", series="air_humidity", point="wet")
    assert outcome(office, number, "refused")["code"] == "calibration_refused"
    number = calibrate(office, node="tb-99", point="wet")
    assert outcome(office, number, "refused")["code"] == "station_unknown"
    assert process.is_running()
    rows = sorted(office.rows.items(), key=lambda item: item[0][1])
    kinds = [row for _, row in rows if row["kind"] == "configuration"]
    named = [node["slug"] for node in kinds[-1]["configuration"]["nodes"]]
    assert named == ["tb-01", "tb-02", "tb-09", "binh-lu-bus"]
    arrived = [row for _, row in office.arrived]
    first = next(n for n, row in enumerate(arrived) if row.get("node") == BOARD)
    assert arrived.index(kinds[-1]) < first, "the office knows the station before its readings"


def test_a_board_takes_the_place_of_a_broken_one(
    farm: Box, office: Office, new_board: Callable[..., NodeProcess]
) -> None:
    change(farm, sources=[source(NODES["tb-01"])])
    running(farm)
    old = farm.speaker("tb-01")
    old.say(message(1, boot=7))
    until(lambda: (7, 1) in old.told, "the old board is heard")
    number = order(office, node="tb-01", replace=True)
    let_in(new_board(outcome(office, number, "running")["values"]))
    assert outcome(office, number, "done")["code"] == "station_admitted"
    until(lambda: heard_from(office, BOARD), "the new board at the office")
    settings = load(farm.settings_file)
    node = next(n for n in settings.nodes if n.slug == "tb-01")
    assert (node.eui64, node.greenhouse, node.zone) == (BOARD, HOUSE, ZONE)
    assert settings.sources[0].level_node == BOARD
    assert not lets_in(farm.mosquitto.port, "tb-01", PASSWORDS["tb-01"])
    until(lambda: not old._client.is_connected(), "the old board is thrown out")
    messages = office.messages()
    assert (NODES["tb-01"], 7, 1) in messages
    assert len([1 for node, _, _ in messages if node == NODES["tb-01"]]) == 1
    numbers = [(boot, seq) for node, boot, seq in messages if node == BOARD]
    assert len(numbers) == len(set(numbers)) > 0


def remove(office: Office, name: str, board: str) -> str:
    """Somebody presses "Gỡ trạm này"; returns the order's id."""
    number = str(uuid.uuid4())
    office.offer(
        {"id": number, "gateway": "binh-lu", "ttl": 60, "do": "remove", "by": "Người trồng"}
        | {"station": {"node": name, "greenhouse": HOUSE, "board": board}}
    )
    return number


def test_a_station_that_is_taken_out_is_refused_at_once_and_may_come_again(
    farm: Box, office: Office
) -> None:
    process = running(farm)
    old, other = farm.speaker("tb-01"), farm.speaker("tb-02")
    old.say(message(1, boot=7))
    until(lambda: (7, 1) in old.told, "the station is heard")
    settings_before = farm.settings_file.read_bytes()
    number = remove(office, "tb-01", "0200000000000099")
    assert outcome(office, number, "refused")["code"] == "station_unknown", "another board's name"
    assert outcome(office, remove(office, "binh-lu-bus", BUS_NODE), "refused")
    assert farm.settings_file.read_bytes() == settings_before
    told = outcome(office, remove(office, "tb-01", NODES["tb-01"]), "done", "refused")
    assert (told["state"], told["code"]) == ("done", "station_removed")
    assert told["values"] == {"node": "tb-01", "board": NODES["tb-01"], "broker_told": True}
    port = farm.mosquitto.port
    until(lambda: not lets_in(port, "tb-01", PASSWORDS["tb-01"]), "its password is refused")
    until(lambda: not old._client.is_connected(), "it is thrown out")
    assert PASSWORDS["tb-01"] not in farm.settings_file.read_text()
    assert [node.slug for node in load(farm.settings_file).nodes] == ["tb-02"]
    acl = (farm.mosquitto.folder / "acl").read_text()
    assert "user tb-02" in acl
    assert "tb-01" not in acl + (farm.mosquitto.folder / "passwords").read_text()
    rows = [row for _, row in sorted(office.rows.items(), key=lambda item: item[0][1])]
    told_last = [row["configuration"] for row in rows if row["kind"] == "configuration"][-1]
    assert [node["slug"] for node in told_last["nodes"]] == ["tb-02", "binh-lu-bus"]
    other.say(message(1, boot=8, node="tb-02"))
    until(lambda: (8, 1) in other.told, "its neighbour goes on")
    number = remove(office, "tb-01", NODES["tb-01"])
    assert outcome(office, number, "refused")["code"] == "station_unknown", "it is gone already"
    place = Place(FARM, "tb-01", HOUSE, ZONE)
    again = enrolment.admit(farm.settings_file, farm.mosquitto.folder, place, NODES["tb-01"])
    assert enrolment.tell_broker(farm.mosquitto.folder)
    until(lambda: lets_in(port, "tb-01", again.password), "its new password is taken")
    until(lambda: process.says("station tb-01 of tan-binh is known now"), "it is known again")


def test_a_station_that_was_taken_out_comes_in_again_by_its_own_page_without_a_cable(
    farm: Box, office: Office, new_board: Callable[..., NodeProcess]
) -> None:
    running(farm)
    number = order(office, node="tb-09", zone=ZONE)
    board = new_board(outcome(office, number, "running")["values"])
    config_file = board.folder / "config.json"
    lasting = {"own_password": "23456789", "refused_seconds": 1, "open_seconds": 60}
    first = json.loads(config_file.read_text())
    config_file.write_text(json.dumps({"setup": first["setup"] | lasting}))
    let_in(board)
    until(lambda: heard_from(office, BOARD), "its readings at the office")
    assert json.loads(config_file.read_text())["setup"] == lasting, "as on its sticker"
    told = outcome(office, remove(office, "tb-09", BOARD), "done", "refused")
    assert told["code"] == "station_removed"

    phone = Phone(int(board._plan.env["NONGSO_SETUP_PORT"]))
    page = until(phone.page, "its own Wi-Fi, because the broker refuses it")
    assert "số đo cũ chưa gửi sẽ bị bỏ" in page
    when_refused = until(lambda: in_ring(board), "what it goes on to measure")
    assert "tb-09 of tan-binh starts" in board.words()
    until(lambda: len(in_ring(board)) > len(when_refused), "more of it, while the page is open")

    number = order(office, node="tb-10", board=BOARD)
    claim = outcome(office, number, "running")["values"]
    typed = {"ssid": "Nông trại khác", "password": "mat khau rat dai"}
    typed |= {"code": claim["claim"], "gateway": claim["address"]}
    assert "Đã lưu" in phone.page(typed)
    assert board.wait() == 3, board.words()
    assert json.loads(config_file.read_text())["node"] == "tb-09", "until it is let in"
    unsent = set(in_ring(board)) - set(when_refused)  # measured after it was taken out
    let_in(board)
    assert outcome(office, number, "done", "refused")["code"] == "station_admitted"
    (old_boot,) = {boot for boot, _ in unsent}

    def of_new_boot() -> bool:
        return any(node == BOARD and boot != old_boot for node, boot, _ in office.messages())

    until(of_new_boot, "its readings under the new name")
    arrived = {(boot, seq) for node, boot, seq in office.messages() if node == BOARD}
    assert not arrived & unsent, "the ring goes oldest first: they would have come before"
    written = json.loads(config_file.read_text())
    assert (written["node"], written["setup"]) == ("tb-10", lasting)
    assert "23456789" not in board.words()


def test_a_station_that_measures_a_source_is_not_taken_out(farm: Box, office: Office) -> None:
    """Without its level water would start by itself from an empty source."""
    change(farm, sources=[source(NODES["tb-01"])])
    running(farm)
    told = outcome(office, remove(office, "tb-01", NODES["tb-01"]), "refused", "done")
    assert (told["code"], told["values"]["source"]) == ("station_measures_source", "Suối")
    assert lets_in(farm.mosquitto.port, "tb-01", PASSWORDS["tb-01"])


def test_a_station_stays_whole_where_the_brokers_files_cannot_be_read(
    farm: Box, office: Office
) -> None:
    running(farm)
    (farm.mosquitto.folder / "acl").rename(farm.mosquitto.folder / "away")
    told = outcome(office, remove(office, "tb-01", NODES["tb-01"]), "refused", "done")
    assert told["code"] == "station_not_removed"
    assert [node.slug for node in load(farm.settings_file).nodes] == ["tb-01", "tb-02"]
    assert lets_in(farm.mosquitto.port, "tb-01", PASSWORDS["tb-01"])


def source(board: str) -> dict[str, Any]:
    return {"id": "suoi", "name": "Suối", "kind": "stream", "level_node": board}


def test_a_new_boards_first_numbers_are_no_doubles_of_the_old_boards(farm: Box) -> None:
    """The same boot and seq of another board are other readings: both are kept."""
    store, numbers = farm.store(), []
    inbox = farm.inbox(store)
    node = farm.speaker("tb-01")
    node.say(message(1, boot=7))
    until(lambda: (7, 1) in node.told, "the old board's reading")
    enrolment.admit(
        farm.settings_file, farm.mosquitto.folder, Place(FARM, "tb-01"), "02000000000000aa"
    )
    inbox.renew(load(farm.settings_file))
    other = message(1, boot=7, warm=1100).replace(NODES["tb-01"].encode(), b"02000000000000aa")
    before = len(node.acks)
    node.say(other)
    until(lambda: len(node.acks) > before, "the new board's reading")
    _, rows = store.rows(False, 100, 1 << 20)
    for row in rows:
        found = json.loads(row.body)
        numbers.append((found["node"], found["boot"], found["seq"]))
    assert numbers == [(NODES["tb-01"], 7, 1), ("02000000000000aa", 7, 1)]
    node.say(message(2, boot=7))
    until(lambda: inbox.refused["wrong_topic"], "the old board under its old name is refused")


def test_what_cannot_be_is_refused_in_words(farm: Box, office: Office) -> None:
    farm.process()
    for station, code in (
        ({"node": "tb-01"}, "station_name_taken"),
        ({"node": "binh-lu-bus"}, "station_name_taken"),
        ({"node": "tb-09", "replace": True}, "station_unknown"),
        ({"node": "binh-lu-bus", "replace": True}, "station_unknown"),
        ({"node": "tb-09", "greenhouse": "elsewhere"}, "zone_unknown"),
        ({"node": "tb-09", "zone": "elsewhere"}, "zone_unknown"),
        ({"node": "tb-09", "board": NODES["tb-02"]}, "board_known"),
        ({"node": "tb-09", "board": "x"}, "not_understood"),
        ({"node": "Trạm 9"}, "not_understood"),
    ):
        assert outcome(office, order(office, **station), "refused")["code"] == code, station
    before = farm.settings_file.read_bytes()
    first = order(office, node="tb-09")
    outcome(office, first, "running")
    second = order(office, node="tb-10")
    outcome(office, second, "running")
    assert outcome(office, first, "refused")["code"] == "claim_withdrawn"
    assert farm.settings_file.read_bytes() == before


def test_a_code_for_one_board_lets_no_other_in(
    farm: Box, office: Office, new_board: Callable[..., NodeProcess]
) -> None:
    farm.process()
    number = order(office, node="tb-09", board="0211aafffe000002")
    board = new_board(outcome(office, number, "running")["values"])
    board.start()
    told = outcome(office, number, "refused")
    assert (told["code"], told["values"]["board"]) == ("other_board", BOARD)
    assert all(node.slug != "tb-09" for node in load(farm.settings_file).nodes)


def test_a_gateway_that_starts_anew_lets_nobody_in_by_an_old_code(
    farm: Box, office: Office
) -> None:
    process = farm.process()
    number = order(office, node="tb-09")
    outcome(office, number, "running")
    process.kill()
    farm.process()
    assert outcome(office, number, "refused")["code"] == "interrupted"


def test_without_an_address_in_the_farms_network_there_is_no_code(
    farm: Box, office: Office
) -> None:
    change(farm, stations=None)
    farm.process()
    number = order(office, node="tb-09")
    assert outcome(office, number, "refused")["code"] == "no_station_network"


def test_a_farm_that_is_new_gets_the_gateways_word(farm: Box) -> None:
    """The gateway may acknowledge readings of a farm that was not there at the beginning."""
    found = json.loads(farm.settings_file.read_text())
    found["farms"].append({"slug": "hung-binh", "name": "Hưng Bình"})
    found["greenhouses"].append(
        {"slug": "hung-binh-1", "name": "Nhà 2", "farm": "hung-binh", "area_m2": 100, "zones": []}
    )
    process = running(farm)
    farm.settings_file.write_text(json.dumps(found))
    folder = farm.mosquitto.folder
    place = Place("hung-binh", "hb-01", "hung-binh-1")
    admitted = enrolment.admit(farm.settings_file, folder, place, BOARD)
    assert enrolment.tell_broker(folder)
    until(lambda: process.says("station hb-01 of hung-binh is known now"), "the gateway knows it")
    NODES["hb-01"], PASSWORDS["hb-01"] = BOARD, admitted.password
    try:
        node = farm.speaker("hb-01", "hung-binh")
        node.say(message(1, node="hb-01"))
        until(lambda: (7, 1) in node.told, "the gateway's word reaches the new farm")
    finally:
        del NODES["hb-01"], PASSWORDS["hb-01"]


def test_what_a_person_wrote_into_the_brokers_rights_stays() -> None:
    acl = "topic read public/#\n\nuser guest\ntopic read nongso/#\n\nuser tb-01\ntopic read x\n"
    changed = broker.with_node(acl, FARM, "tb-01", "gateway", [FARM, "hung-binh"])
    assert "topic read public/#\n" in changed
    assert "user guest\ntopic read nongso/#\n" in changed
    assert "topic read x" not in changed
    assert "topic write nongso/1/hung-binh/+/ack\n" in changed
    again = broker.with_node(changed, FARM, "tb-01", "gateway", [FARM, "hung-binh"])
    assert again == changed
    assert BUS_NODE not in changed
