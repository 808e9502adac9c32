"""A board on a cable: deployed, deployed again, cut off in the middle, calibrated, hung."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.firmware.conftest import EUI64, FARM, NODE, Broker, Gateway, on_boards, until
from tests.firmware.tls_broker import Guarded, make_certificates
from tests.firmware.vboard import VirtualBoard

from nongso.commands import node_board, node_calibration, node_deploy
from nongso.commands.errors import CommandError
from nongso.gateway import broker as broker_files
from nongso.gateway import run
from nongso.gateway.enrolment import EnrolmentError, Place
from nongso.gateway.simulated import boards
from nongso.gateway.simulated.chips import ChipBus

pytestmark = on_boards


@pytest.fixture
def vboard(tmp_path: Path) -> Iterator[VirtualBoard]:
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    made = VirtualBoard(tmp_path / "board")
    yield made
    made.close()


class Cable:
    """The technician with the cable: deploys and hears what is said."""

    def __init__(self, vboard: VirtualBoard, config: dict[str, Any], broker: Broker) -> None:
        self.board = vboard
        self.said: list[str] = []
        self.config = config
        self.firmware = boards.firmware_folder()

    def deploy(self, **more: Any) -> node_deploy.Done:
        wishes = node_deploy.Wishes(
            port=self.board.port,
            firmware=self.firmware,
            place=Place(FARM, NODE),
            config=self.config,
            wait_seconds=60,
            **more,
        )
        return node_deploy.run(wishes, self.said.append)

    def set_up(self) -> None:
        """Give the board a configuration with its keys, as a first deploy leaves it."""
        with node_board.stopped(self.board.port) as board:
            board.replace("config.json", json.dumps(self.config).encode())
            board.restart()


@pytest.fixture
def cable(vboard: VirtualBoard, config: dict[str, Any], broker: Broker) -> Cable:
    made = Cable(vboard, config, broker)
    made.set_up()
    return made


def test_a_board_is_deployed_and_heard_and_a_second_time_nothing_is_copied(
    cable: Cable, gateway: Gateway
) -> None:
    first = cable.deploy()
    assert first.was_heard, cable.board.words()[-3000:]
    assert first.copied > 30
    assert gateway.heard
    again = cable.deploy()
    assert (again.copied, again.config_changed, again.was_heard) == (0, False, True)
    assert "Nothing has changed; nothing was copied." in cable.said


def test_only_what_changed_comes_over_the_cable(
    cable: Cable, gateway: Gateway, tmp_path: Path
) -> None:
    cable.deploy()
    cable.firmware = tmp_path / "changed"
    shutil.copytree(boards.firmware_folder(), cable.firmware)
    with (cable.firmware / "run.py").open("a") as file:
        file.write("\nX = 1\n")
    done = cable.deploy()
    assert (done.copied, done.slot, done.was_heard) == (1, "b", True)


def test_a_cable_that_is_pulled_out_in_the_middle_leaves_the_old_version_running(
    cable: Cable, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable.deploy()
    cable.firmware = tmp_path / "changed"
    shutil.copytree(boards.firmware_folder(), cable.firmware)
    for module in ("run.py", "board.py", "lib/nongso/node/ring.py"):
        with (cable.firmware / module).open("a") as file:
            file.write("\nX = 1\n")
    write = node_board.Board.write
    for last in ("b/board.mpy", "b/run.mpy", "b/version.json.new", "slots.json.new"):

        def until_then(
            board: node_board.Board, path: str, content: bytes, end: str = last
        ) -> None:
            if path == end:
                write(board, path, content[: len(content) // 2])
                cable.board.pull_the_plug()
            else:
                write(board, path, content)

        heard = len({boot for boot, _, _ in gateway.heard})
        monkeypatch.setattr(node_board.Board, "write", until_then)
        with pytest.raises(CommandError, match="stopped answering"):
            cable.deploy()
        until(lambda h=heard: len({b for b, _, _ in list(gateway.heard)}) > h, "the node", 30)
    monkeypatch.undo()
    done = cable.deploy()
    assert done.was_heard


def test_a_board_that_hangs_while_nobody_looks_is_started_anew_by_its_watchdog(
    cable: Cable, gateway: Gateway, tmp_path: Path
) -> None:
    cable.firmware = tmp_path / "changed"
    shutil.copytree(boards.firmware_folder(), cable.firmware)
    run = cable.firmware / "run.py"
    hang = "        while board.read_config().find('hangs') > 0:\n            pass\n"
    begin = "        starts_anew = asyncio"
    assert begin in run.read_text()
    run.write_text(run.read_text().replace(begin, hang + begin))
    cable.deploy()
    cable.board.speed = 10.0
    with node_board.stopped(cable.board.port) as board:
        board.replace("config.json", json.dumps(cable.config | {"hangs": True}).encode())
        board.restart()
    until(lambda: "watchdog" in cable.board.starts, "the watchdog", 30)


def test_a_soil_probe_is_taught_dry_and_wet(
    cable: Cable, gateway: Gateway, chip_bus: ChipBus
) -> None:
    cable.deploy()
    chips = chip_bus.chips(NODE)

    shown = iter((0.0, 100.0))

    def hand(text: str) -> str:
        moisture = next(shown)
        chips.soil._truth = lambda: {"dry": 2950, "wet": 1150, "soil_moisture": moisture}
        return ""

    node_calibration.run(cable.board.port, 1, hand, cable.said.append)
    with node_board.stopped(cable.board.port) as board:
        config = json.loads(board.read("config.json") or "")
        board.restart()
    soil = next(s for s in config["sensors"] if s["chip"] == "soil")
    assert abs(soil["dry"] - 2950) < 10
    assert abs(soil["wet"] - 1150) < 10


def test_a_board_says_who_it_is(cable: Cable, gateway: Gateway) -> None:
    with node_board.stopped(cable.board.port) as board:
        board.run("os.remove('config.json')")
        assert "not set up yet" in node_board.describe(board)
        board.restart()
    cable.set_up()
    cable.deploy()
    with node_board.stopped(cable.board.port) as board:
        assert f"{NODE} of {FARM} ({EUI64}), version" in node_board.describe(board)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def guarded(tmp_path: Path, certificates: Path) -> Iterator[Guarded]:
    (tmp_path / "guarded").mkdir()
    made = Guarded(tmp_path / "guarded", certificates, "good")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def behind_tls(guarded: Guarded) -> Iterator[Gateway]:
    made = Gateway(guarded.port)
    yield made
    made.close()


def settings_of(folder: Path, guarded: Guarded, certificates: Path) -> Path:
    """Settings of a gateway whose stations speak TLS, and know the board already."""
    file = folder / "gateway.json"
    run.init(file, gateway="binh-lu", name="Tủ", platform_url="http://127.0.0.1:1", farm=FARM)
    good = {"certificate": "good.pem", "certificate_key": "good.key", "ca_file": "farm.pem"}
    stations = {key: str(certificates / name) for key, name in good.items()}
    stations |= {"host": "127.0.0.1", "broker_port": guarded.secure_port, "name": "localhost"}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"stations": stations}))
    return file


def test_a_station_is_brought_the_authority_that_its_broker_has_got_meanwhile(
    cable: Cable, behind_tls: Gateway, guarded: Guarded, certificates: Path, tmp_path: Path
) -> None:
    file = settings_of(tmp_path, guarded, certificates)
    done = cable.deploy(settings_file=file, broker_folder=tmp_path)
    assert done.was_heard, cable.board.words()[-3000:]
    assert behind_tls.heard
    with node_board.stopped(cable.board.port) as board:
        assert board.read("broker-ca.pem") == (certificates / "farm.pem").read_text()
        kept = json.loads(board.read("config.json") or "")
        board.restart()
    assert "ca" not in kept
    words = {"port": guarded.secure_port, "ca_file": "broker-ca.pem", "name": "localhost"}
    assert kept["broker"] == cable.config["broker"] | words
    again = cable.deploy(settings_file=file, broker_folder=tmp_path)
    assert (again.copied, again.config_changed, again.was_heard) == (0, False, True)


def test_an_authority_named_by_hand_is_brought_and_a_key_in_its_place_is_not(
    cable: Cable, behind_tls: Gateway, guarded: Guarded, certificates: Path
) -> None:
    at = f"localhost:{guarded.secure_port}"
    with pytest.raises(EnrolmentError, match="and no key"):
        cable.deploy(ca_file=certificates / "farm.key", broker_host=at)
    done = cable.deploy(ca_file=certificates / "farm.pem", broker_host=at)
    assert done.was_heard, cable.board.words()[-3000:]
    assert behind_tls.heard


def test_a_wrong_word_leaves_a_station_that_works_its_key_and_password(
    cable: Cable, guarded: Guarded, certificates: Path, tmp_path: Path
) -> None:
    file = settings_of(tmp_path, guarded, certificates)
    house = {"slug": "nha-1", "name": "Nhà 1", "farm": FARM, "area_m2": 500, "zones": []}
    node = {"farm": FARM, "slug": NODE, "eui64": EUI64, "greenhouse": "nha-1"}
    found = json.loads(file.read_text()) | {"greenhouses": [house], "nodes": [node]}
    file.write_text(json.dumps(found))
    folder = tmp_path / "broker"
    users = {"gateway": "-" * 20, NODE: "+" * 20}
    broker_files.write_config(folder, 1883, users, [{"farm": FARM, "slug": NODE}])
    before = file.read_text(), (folder / "passwords").read_text()
    for wrong, why in (
        ({"ca_file": tmp_path / "missing.pem"}, "missing.pem cannot be read"),
        ({"broker_host": "h:abc"}, "--broker h:abc is no address"),
        ({"broker_host": "h:"}, "is no address"),
        ({"broker_host": "h:65536"}, "is no address"),
        ({"broker_host": ":1883"}, "is no address"),
    ):
        with pytest.raises((CommandError, EnrolmentError), match=why):
            cable.deploy(new_keys=True, settings_file=file, broker_folder=folder, **wrong)
        assert (file.read_text(), (folder / "passwords").read_text()) == before, wrong
