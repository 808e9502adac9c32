"""A node is let in: its password, rights and key are there at once, for it and nobody else."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from control_box import FARM, PASSWORDS, settings_file
from tests.authority import Authority

from nongso.gateway import broker, destinations, enrolment
from nongso.gateway.enrolment import EnrolmentError, Place
from nongso.gateway.errors import GatewayError
from nongso.gateway.settings import load

NUMBER = "02000000000000aa"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A gateway's settings and its broker's folder."""
    (tmp_path / "gateway").mkdir()
    file = settings_file(tmp_path / "gateway", 1883, "http://127.0.0.1:9")
    users = {"gateway": PASSWORDS["gateway"], "tb-01": PASSWORDS["tb-01"]}
    nodes = [{"farm": FARM, "slug": "tb-01"}]
    broker.write_config(tmp_path / "broker", 1883, users, nodes)
    return file, tmp_path / "broker"


def greenhouse(file: Path) -> str:
    return load(file).greenhouses[0].slug


def test_a_new_node_is_known_to_gateway_and_broker(files: tuple[Path, Path]) -> None:
    file, folder = files
    admitted = enrolment.admit(file, folder, Place(FARM, "tb-09", greenhouse(file)), NUMBER)
    node = next(n for n in load(file).nodes if n.slug == "tb-09")
    assert (node.eui64, node.key, node.zone) == (NUMBER, admitted.key, None)
    lines = (folder / "passwords").read_text().splitlines()
    line = next(one for one in lines if one.startswith("tb-09:"))
    assert admitted.password not in line
    acl = (folder / "acl").read_text()
    assert "user tb-09\ntopic write nongso/+/+/tb-09/up\n" in acl
    assert "user gateway\n" in acl
    assert (folder / "passwords").stat().st_mode & 0o077 == 0
    assert file.stat().st_mode & 0o077 == 0


def test_another_board_under_the_same_name_ends_the_old_ones_password(
    files: tuple[Path, Path],
) -> None:
    file, folder = files
    before = (folder / "passwords").read_text()
    enrolment.admit(file, folder, Place(FARM, "tb-01"), NUMBER)
    after = (folder / "passwords").read_text()
    assert after.count("tb-01:") == 1
    old = next(one for one in before.splitlines() if one.startswith("tb-01:"))
    assert old not in after
    assert (folder / "acl").read_text().count("user tb-01\n") == 1


@pytest.mark.parametrize("name", ["gateway", "demo"])
def test_no_station_takes_the_name_of_a_user_of_the_broker(
    name: str, files: tuple[Path, Path]
) -> None:
    file, folder = files
    with (folder / "passwords").open("a") as passwords:
        passwords.write(f"demo:{broker.hash_password('x', b'salt')}\n")
    before = (file.read_bytes(), (folder / "passwords").read_bytes())
    with pytest.raises(GatewayError, match=r"Choose another|gateway's own user"):
        enrolment.admit(file, folder, Place(FARM, name, greenhouse(file)), NUMBER)
    assert (file.read_bytes(), (folder / "passwords").read_bytes()) == before


@pytest.mark.parametrize("file_that_fails", ["acl.new", "passwords.new"])
def test_an_admission_that_cannot_be_written_leaves_the_station_that_works(
    file_that_fails: str, files: tuple[Path, Path]
) -> None:
    file, folder = files
    before = [(folder / "passwords").read_bytes(), (folder / "acl").read_bytes(), load(file).nodes]
    (folder / file_that_fails).mkdir()  # a disk that refuses
    with pytest.raises(EnrolmentError, match="not let in"):
        enrolment.admit(file, folder, Place(FARM, "tb-01"), NUMBER)
    after = [(folder / "passwords").read_bytes(), (folder / "acl").read_bytes(), load(file).nodes]
    assert after == before
    (folder / file_that_fails).rmdir()
    assert enrolment.admit(file, folder, Place(FARM, "tb-01"), NUMBER).eui64 == NUMBER


def test_an_admission_that_was_cut_off_is_begun_again_under_the_same_name(
    files: tuple[Path, Path],
) -> None:
    file, folder = files
    settings = file.read_bytes()
    place = Place(FARM, "tb-09", greenhouse(file))
    enrolment.admit(file, folder, place, NUMBER)
    file.write_bytes(settings)  # the settings come last: they were not reached
    assert enrolment.admit(file, folder, place, NUMBER).slug == "tb-09"
    assert (folder / "passwords").read_text().count("tb-09:") == 1


def test_boards_that_come_at_once_are_all_let_in(files: tuple[Path, Path]) -> None:
    file, folder = files
    house = greenhouse(file)

    def come(number: int) -> None:
        place = Place(FARM, f"tb-{number}", house)
        enrolment.admit(file, folder, place, f"02000000000001{number}")

    with ThreadPoolExecutor(8) as boards:
        list(boards.map(come, range(20, 40)))
    names = {f"tb-{number}" for number in range(20, 40)}
    assert names <= {node.slug for node in load(file).nodes}
    passwords, acl = (folder / "passwords").read_text(), (folder / "acl").read_text()
    assert all(passwords.count(f"{name}:") == 1 for name in names)
    assert all(acl.count(f"user {name}\n") == 1 for name in names)


def test_a_platform_that_is_added_while_boards_come_loses_none(files: tuple[Path, Path]) -> None:
    file, folder = files
    house = greenhouse(file)

    def come(number: int) -> None:
        if number == 25:
            destinations.add(file, platform_id="box", name="Box", url="http://127.0.0.1:8")
        else:
            place = Place(FARM, f"tb-{number}", house)
            enrolment.admit(file, folder, place, f"02000000000001{number}")

    with ThreadPoolExecutor(8) as boards:
        list(boards.map(come, range(20, 30)))
    settings = load(file)
    names = {f"tb-{number}" for number in range(20, 30)} - {"tb-25"}
    assert names <= {node.slug for node in settings.nodes}
    assert "box" in {platform.id for platform in settings.destinations}


def test_nothing_is_written_where_something_is_wrong(files: tuple[Path, Path]) -> None:
    file, folder = files
    known = load(file).nodes[1]
    before = (file.read_bytes(), (folder / "passwords").read_bytes())
    house = greenhouse(file)
    for place, number, words in (
        (Place(FARM, "tb-09"), NUMBER, "--greenhouse"),
        (Place(FARM, "tb-09", house), known.eui64, f"is the node {known.slug} already"),
        (Place("hung-binh-9", "tb-09", house), NUMBER, "not under farms"),
        (Place(FARM, "tb-09", "nowhere"), NUMBER, "not under greenhouses"),
        (Place(FARM, "tb-09", house, "nowhere"), NUMBER, "no zone of"),
    ):
        with pytest.raises(GatewayError, match=words):
            enrolment.admit(file, folder, place, number)
    with pytest.raises(EnrolmentError, match="--broker-folder"):
        enrolment.admit(file, folder / "nowhere", Place(FARM, "tb-01"), NUMBER)
    assert (file.read_bytes(), (folder / "passwords").read_bytes()) == before
    assert not json.loads(before[0])["nodes"][0].get("key")


def test_a_broker_that_is_not_there_cannot_be_told(files: tuple[Path, Path]) -> None:
    _, folder = files
    assert not enrolment.tell_broker(folder)
    (folder / "mosquitto.pid").write_text("1\n")  # of another program meanwhile
    assert not enrolment.tell_broker(folder)


def test_only_a_whole_certificate_is_brought_to_a_board(tmp_path: Path) -> None:
    Authority(tmp_path)
    good = (tmp_path / "farm.pem").read_text()
    assert enrolment.authority(tmp_path / "farm.pem") == good
    begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
    for text, why in (
        (begin + "QUFBQQ==\n" + end, "no whole certificate"),
        (begin + "?" * 64 + "\n" + end, "no whole certificate"),
        (good[: len(good) // 2], "no whole certificate"),
        (good + "#" * 5_000_000, "larger than 16 kB"),
        ("", "must hold the authority's certificate"),
    ):
        (tmp_path / "wrong.pem").write_text(text)
        with pytest.raises(EnrolmentError, match=why):
            enrolment.authority(tmp_path / "wrong.pem")
    with pytest.raises(EnrolmentError, match="cannot be read"):
        enrolment.authority(tmp_path / "missing.pem")


@pytest.mark.parametrize("users_farm", [FARM, "ban-bo"])
def test_a_station_of_another_farm_with_the_same_name_stays(
    files: tuple[Path, Path], users_farm: str
) -> None:
    file, folder = files
    found = json.loads(file.read_text())
    found["farms"].append({"slug": "ban-bo", "name": "Bản Bo"})
    house = {"slug": "ban-bo-1", "name": "Nhà 1", "farm": "ban-bo", "area_m2": 500, "zones": []}
    found["greenhouses"].append(house)
    theirs = {"farm": "ban-bo", "slug": "tb-01", "eui64": NUMBER, "greenhouse": "ban-bo-1"}
    found["nodes"].append(theirs)
    file.write_text(json.dumps(found))
    users = {"gateway": "-" * 20, "tb-01": "+" * 20}
    broker.write_config(folder, 1883, users, [{"farm": users_farm, "slug": "tb-01"}])
    enrolment.remove(file, folder, FARM, "tb-01")
    assert [n.farm for n in load(file).nodes if n.slug == "tb-01"] == ["ban-bo"]
    is_theirs = users_farm == "ban-bo"
    assert ("tb-01:" in (folder / "passwords").read_text()) == is_theirs
    assert ("user tb-01\n" in (folder / "acl").read_text()) == is_theirs
