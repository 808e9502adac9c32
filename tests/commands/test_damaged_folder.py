"""Whatever has become of a file of the data folder: a clean start with a word, or a clear refusal.

One test a file, six damages each, against the readers that ``nongso up`` calls. Whole systems
with damaged folders are in ``tests/walks/test_damaged_house.py``.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from nongso.commands import apart, inspection
from nongso.commands.errors import CommandError
from nongso.commands.house import NODES, House
from nongso.commands.ports import Ports
from nongso.commands.processes import Household
from nongso.commands.start import Start, Wishes, _broker_remedy, _platform_prepared
from nongso.gateway import broker
from nongso.gateway import settings as gateway_settings
from nongso.gateway.errors import GatewayError
from nongso.gateway.simulated import farm
from nongso.gateway.simulated import settings as farm_settings
from nongso.gateway.simulated.model import FarmModel
from nongso.gateway.simulated.relay import EdgeLog
from nongso.gateway.simulated.state import StateFile
from nongso.gateway.store import Store
from nongso.gateway.valves import socketfile
from nongso.node import frames, ring
from nongso.node import settings as node_settings
from nongso.node.clock import Origins
from nongso.platform import settings as platform_settings
from nongso.platform.telemetry import open_telemetry

PORTS = Ports(platform=18080, broker=11883, modbus=11502, chips=11503, status=11081)

ROOMS = ("platform", "broker", "farm", "gateway", "nodes")

Damage = Callable[[Path], object]
Rights = Callable[[], AbstractContextManager[None]]


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "note").write_text("somebody's note")


DAMAGES: dict[str, Damage] = {
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(b"\xff\xfe\x00\x07garbage\n" * 40),
    "brackets": lambda file: file.write_bytes(b"[]"),
    "deeply nested": lambda file: file.write_bytes(b'{"a":' * 50_000 + b"[" * 50_000),
    "folder": _folder,
    "unreadable": lambda file: file.chmod(0),
}

# Contents that are written anew at each start, or that nobody reads.
WRITTEN_ANEW = {
    "broker/acl",
    "broker/mosquitto.conf",
    "broker/passwords",
    "farm/farm.json",
    "gateway/gateway.json",
    "gateway/stations/new.json",
    "gateway/store.sqlite.lock",
    "gateway/valves.sock",
    "gateway/valves.sock.lock",
    "lock",
    "platform/platform.json",
    "up.sock",
    *(f"nodes/{node[0]}/config.json" for node in NODES),
}
# Their room reads past what is damaged in them, counts it, and goes on behind it.
READ_PAST = ("logs/", "nodes/")
# An empty log of edges may be a new one, and a torn last line is what a power cut leaves.
WITHOUT_WORD = {("farm/edges.jsonl", "empty"), ("farm/edges.jsonl", "brackets")}


class Quick:
    """What ``nongso up`` does with the files of a folder, without its processes."""

    def __init__(self, folder: Path, rooms: str = " ".join(ROOMS)) -> None:
        self.said: list[str] = []
        self.left_out: dict[str, str] = {}
        with House(folder, self.said.append) as house:
            wishes = Wishes(folder, PORTS.platform)
            household = Household(self.said.append)
            start = Start(house, PORTS, wishes, household, self.said.append, lambda: False)
            start.look_over()
            before = inspection.damaged_ones(folder)
            self.start = start
            for room in rooms.split():
                if room != "nodes":
                    start._try(room, getattr(self, "_" + room), house)
            for node in NODES if "nodes" in rooms else ():
                start._try(f"node-{node[0]}", self._node, house, node[0])
            self.left_out = start.left_out
            self.accounts = start.accounts
            start.write_demo()
            new = inspection.damaged_ones(folder) - before
            self.said += [f"set aside what was damaged: {file}" for file in new]

    def _platform(self, house: House) -> None:
        trouble = inspection.database_trouble(
            house.folder, lived_in=bool(house.identity["history_laid"])
        )
        if trouble:
            raise CommandError(trouble)
        file = self.start._platform_file()
        key = house.identity["gateway_key"]
        self.start.accounts = _platform_prepared(file, key, self.start.accounts or {})
        open_telemetry(platform_settings.load(file)).close()

    def _broker(self, house: House) -> None:
        users, nodes = house.identity["broker"], [*house.nodes(), house.bus_node()]
        broker.write_config(house.path("broker"), PORTS.broker, users, nodes)

    def _farm(self, house: House) -> None:
        settings = farm_settings.read(self.start._farm_file())
        farm.taken_up(settings, StateFile(settings.state, self.said.append), 1.8e9)
        log = EdgeLog(settings.edges)
        log.write(0, False, "write")
        log.close()

    def _gateway(self, house: House) -> None:
        settings = gateway_settings.load(self.start._gateway_file())
        with socketfile.hold(settings.valves_socket):
            socketfile.listen(settings.valves_socket).close()
        store = Store(settings.store_file)
        try:
            if not store.is_writable():
                raise GatewayError(f"{store.path}: {store.report()['trouble']}")
        finally:
            store.close()

    def _node(self, house: House, slug: str) -> None:
        folder = house.write_node(slug, PORTS)
        node_settings.parse((folder / "config.json").read_text())
        Origins(str(folder)).remember(1, 1)
        kept = ring.Ring(str(folder / "ring"))
        while kept.read() is not None:
            pass
        kept.append(b"heading", b"sample")


def fill(folder: Path) -> None:
    """Make a folder that holds every file of a house that was lived in."""
    Quick(folder)
    with House(folder) as house:
        settings = farm_settings.read(house.path("farm", "farm.json"))
        model = FarmModel(settings, 1.7e9)
        StateFile(settings.state).put(model=model.state(), history=None)
        house.remember("history_laid", True)
        (folder / "broker" / "mosquitto.db").write_bytes(inspection.MOSQUITTO + bytes(32))
        for name in ("broker", "farm", "valves", "gateway", "platform", "node-tb-01"):
            (folder / "logs").mkdir(exist_ok=True)
            (folder / "logs" / f"{name}.log").write_text("2026-11-22T02:11:29 INFO well\n")
        labels = folder / "platform" / "files" / "labels"
        labels.mkdir(parents=True, exist_ok=True)
        (labels / "6668c504.pdf").write_bytes(b"%PDF-1.4")
        for node in NODES:
            (folder / "nodes" / node[0] / "ring" / "cursor").write_bytes(bytes(64))
        for name in ("up.sock", "gateway/valves.sock"):
            (folder / name).unlink(missing_ok=True)
            (folder / name).touch()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "data"
    fill(folder)
    return folder


@pytest.fixture
def copies(filled: Path, tmp_path: Path) -> Iterator[Callable[[], Path]]:
    made: list[Path] = []

    def copy() -> Path:
        folder = tmp_path / f"d{len(made)}"
        shutil.copytree(filled, folder)
        made.append(folder)
        return folder

    yield copy
    for folder in made:  # what nobody may read cannot be cleaned away either
        for file in folder.rglob("*"):
            file.chmod(0o700)


# Every file that a lived-in folder holds; the walk compares this with a real one.
FILES = (
    "broker/acl",
    "broker/mosquitto.conf",
    "broker/mosquitto.db",
    "broker/passwords",
    "demo.json",
    "farm/edges.jsonl",
    "farm/farm.json",
    "farm/state.json",
    "gateway/gateway.json",
    "gateway/stations/new.json",
    "gateway/store.sqlite",
    "gateway/store.sqlite.lock",
    "gateway/valves.sock",
    "gateway/valves.sock.lock",
    "house.copy.json",
    "house.json",
    "lock",
    "logs/farm.log",
    "nodes/tb-01/config.json",
    "nodes/tb-01/origins",
    "nodes/tb-01/ring/00000001.seg",
    "nodes/tb-01/ring/cursor",
    "platform/files/labels/6668c504.pdf",
    "platform/platform.json",
    "platform/records.sqlite",
    "platform/sealing.keys",
    "platform/telemetry.sqlite",
    "up.sock",
)


def test_the_list_of_files_is_whole(filled: Path) -> None:
    there = {str(file.relative_to(filled)) for file in filled.rglob("*") if not file.is_dir()}
    alike = {"nodes/tb-02", "nodes/hb-01", "nodes/hb-02"}
    there = {name for name in there if not any(name.startswith(node) for node in alike)}
    there = {name for name in there if not name.startswith("logs/") or name == "logs/farm.log"}
    assert there == set(FILES)


def test_an_undamaged_folder_starts_without_a_warning(copies: Callable[[], Path]) -> None:
    start = Quick(copies())
    assert start.said == []
    assert start.left_out == {}


def _remains(folder: Path, name: str, content: bytes) -> bool:
    """Say whether what was damaged is still there, in place or aside."""
    place = folder / name
    found = [place, *place.parent.glob(f"{place.name}.damaged-*")]
    return any((file / "note").exists() for file in found if file.is_dir()) or any(
        file.read_bytes().startswith(content) for file in found if file.is_file()
    )


@pytest.mark.parametrize("name", FILES)
def test_no_damaged_file_stops_the_house_without_a_clear_word(
    name: str, copies: Callable[[], Path], rights_hold: Rights
) -> None:
    for damage, do in DAMAGES.items():
        folder = copies()
        file = folder / name
        whole = file.read_bytes()
        do(file)
        content = (
            b"" if damage == "folder" else whole if damage == "unreadable" else file.read_bytes()
        )
        said, refused = _start(folder, name, rights_hold)
        case = f"{name}, {damage}: {said or refused}"
        if refused is not None:
            assert str(file) in refused or str(folder) in refused, case
            assert name in ("lock", "house.json", "house.copy.json"), case
        assert "Error:" not in "\n".join(said) + (refused or ""), case  # a fault of ours
        file_kept = name in WRITTEN_ANEW and damage != "folder"
        if not file_kept and not name.startswith(READ_PAST) and "files/" not in name:
            told = refused or "\n".join(said)
            assert (name, damage) in WITHOUT_WORD or file.name in told, case
        if damage == "folder" or not (file_kept or name.startswith("nodes/")):
            for part in folder.rglob("*"):
                part.chmod(0o700)
            assert _remains(folder, name, content), case


def _start(folder: Path, name: str, rights_hold: Rights) -> tuple[list[str], str | None]:
    """Look the house over and start the room of a file; passwords concern the platform."""
    room = "platform" if name == "demo.json" else name.partition("/")[0]
    with rights_hold():
        try:
            quick = Quick(folder, room if room in ROOMS else "")
        except CommandError as e:
            return [], str(e)
    return [*quick.said, *quick.left_out.values()], None


def test_the_water_goes_on_when_the_platforms_files_are_damaged(
    copies: Callable[[], Path], rights_hold: Rights
) -> None:
    for name in ("platform/records.sqlite", "platform/telemetry.sqlite"):
        for damage in DAMAGES.values():
            folder = copies()
            damage(folder / name)
            with rights_hold():
                assert set(Quick(folder).left_out) <= {"platform"}


@pytest.mark.parametrize(
    "name", ["broker", "farm", "gateway", "logs", "nodes", "nodes/tb-01/ring"]
)
def test_a_file_where_a_folder_belongs_is_set_aside(name: str, copies: Callable[[], Path]) -> None:
    folder = copies()
    shutil.rmtree(folder / name)
    (folder / name).write_text("x")
    start = Quick(folder)
    assert start.left_out == {}
    assert any(f"{folder / name} was a file. It is kept as" in line for line in start.said)
    (aside,) = (folder / name).parent.glob(f"{Path(name).name}.damaged-*")
    assert aside.read_text() == "x"


def test_lost_passwords_of_the_demo_are_made_anew_and_said(copies: Callable[[], Path]) -> None:
    folder = copies()
    before = Quick(folder).accounts
    assert Quick(folder).accounts == before
    (folder / "demo.json").write_text('{"accounts": {"farmer": [1]}}')
    start = Quick(folder)
    assert start.accounts is not None
    assert start.accounts != before
    assert "get new passwords" in "\n".join(start.said)
    assert Quick(folder).accounts == start.accounts


def test_rings_are_read_past_damage(copies: Callable[[], Path]) -> None:
    folder = copies()
    segment = folder / "nodes" / "tb-01" / "ring" / "00000001.seg"
    whole = segment.read_bytes()
    segment.write_bytes(b"\xff" * 37 + whole)
    found = ring.Ring(str(segment.parent)).read()
    assert found is not None
    assert found.body == b"sample"
    with segment.open("rb") as file:
        kept = frames.read(file, 0)
    assert kept is not None
    assert kept[3]  # bytes were skipped


def test_a_fault_of_ours_is_told_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert apart.reason(ZeroDivisionError("division by zero")).startswith("ZeroDivisionError: ")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_rights_of_another_user_are_told_with_the_way_back(
    copies: Callable[[], Path], rights_hold: Rights
) -> None:
    folder = copies()
    (folder / "gateway" / "store.sqlite").chmod(0)
    with rights_hold():
        said = "\n".join(Quick(folder).said)
    assert f"sudo chown -R {os.geteuid()} {folder}" in said


def test_sessions_are_called_damaged_only_where_the_broker_says_so(tmp_path: Path) -> None:
    """Mosquitto 2.0.11 also falls while it reads the rights of a new station."""
    database, remedy = tmp_path / "mosquitto.db", _broker_remedy(tmp_path)
    for words, is_sure in (("Client 02bb disconnected.", False), ("Error in database.", True)):
        database.write_bytes(inspection.MOSQUITTO)
        said = remedy(-11, words)
        assert said is not None
        assert ("maybe" not in said) == is_sure
        assert not database.exists()
