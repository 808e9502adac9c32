"""A house with damaged files and impatient people: the water goes on, and nothing stays behind."""

import json
import os
import pty
import random
import select
import shutil
import signal
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from nongso.commands import identity, inspection
from running import System, end, free_port, start, until

pytestmark = pytest.mark.walk


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def works_in(folder: Path) -> list[int]:
    """Processes whose command line or folder lies in this folder."""
    found = []
    for about in Path("/proc").iterdir():
        try:
            words = (about / "cmdline").read_bytes()
            at = os.readlink(about / "cwd")
        except OSError:
            continue
        if os.fsencode(folder) + b"/" in words or f"{at}/".startswith(f"{folder}/"):
            found.append(int(about.name))
    return found


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a house that was lived in and has ended."""
    folder = tmp_path_factory.mktemp("lived") / "data"
    end(start(folder, free_port()))
    return folder


@pytest.fixture
def folder(lived_in: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(lived_in, tmp_path / "data")
    yield tmp_path / "data"
    for pid in works_in(tmp_path / "data"):
        os.kill(pid, signal.SIGKILL)


def test_every_file_of_a_real_folder_is_known_to_the_inspection(lived_in: Path) -> None:
    known = {lived_in / name for name in (*identity.NAMES, "lock")}
    patterns = (*inspection.FOLDERS, *inspection.FILES, *inspection.PRECIOUS)
    for pattern in (*patterns, "platform/files/labels/*.pdf"):
        known |= set(lived_in.glob(pattern))
    for name in inspection.DATABASES:
        known |= {lived_in / (name + ending) for ending in ("", "-journal", "-wal", "-shm")}
    assert set(lived_in.rglob("*")) <= known


def test_the_farm_goes_on_with_all_that_can_be_damaged_damaged(folder: Path) -> None:
    rubbish = random.Random(7).randbytes(5000)
    for name in ("platform/records.sqlite", "gateway/store.sqlite", "broker/mosquitto.db"):
        (folder / name).write_bytes(rubbish)
    with (folder / "farm" / "edges.jsonl").open("ab") as edges:
        edges.write(b"\xff\xfe\n")
    (folder / "farm" / "state.json").write_text('{"model": NaN}')
    (folder / "house.json").write_text("[]")
    (folder / "demo.json").write_text("[1]")
    shutil.rmtree(folder / "nodes" / "tb-01" / "ring")
    (folder / "nodes" / "tb-01" / "ring").write_text("a file")
    (folder / "up.sock").mkdir()
    (folder / "logs" / "farm.log").unlink()
    (folder / "logs" / "farm.log").mkdir()

    house = start(folder, free_port())
    try:
        said = "".join(house.said)
        for name in ("mosquitto.db", "edges.jsonl", "state.json", "house.json", "demo.json"):
            assert f"{name} " in said, name
        assert "NOT COMPLETE" in said
        assert "records.sqlite" in said
        assert "Traceback" not in said
        processes = house.demo["processes"]
        assert set(processes) >= {"broker", "gateway", "farm", "valves", "node-tb-01"}
        assert "platform" not in processes
        until("readings of a node", lambda: _hears(house, "tb-01"))
        until("the watering to be alive", lambda: house.gateway_status().get("zones"))
    finally:
        end(house)
    assert house.process.returncode == 0
    assert (folder / "platform" / "records.sqlite").read_bytes() == rubbish
    for name in ("gateway/store.sqlite", "broker/mosquitto.db"):
        (aside,) = (folder / name).parent.glob(Path(name).name + ".damaged-*Z")
        assert aside.read_bytes() == rubbish
    assert works_in(folder) == []


def _hears(house: System, node: str) -> bool:
    found = house.gateway_status().get("nodes", {}).get(node, {})
    return found.get("state") == "online" and "soil_moisture" in found.get("latest", {})


def test_sessions_of_the_broker_that_break_it_later_are_set_aside_too(folder: Path) -> None:
    database = folder / "broker" / "mosquitto.db"
    torn = database.read_bytes()[:40]  # sound at its beginning
    database.write_bytes(torn)
    house = start(folder, free_port())
    try:
        said = "".join(house.said)
        assert "mosquitto.db was damaged" in said
        assert "Ready after" in said
    finally:
        end(house)
    (aside,) = database.parent.glob("mosquitto.db.damaged-*")
    assert aside.read_bytes() == torn


def test_a_platform_whose_file_is_mended_is_taken_in_again(folder: Path) -> None:
    records = folder / "platform" / "records.sqlite"
    backup = folder / "backup.sqlite"
    records.rename(backup)
    house = start(folder, free_port())
    try:
        assert any("records.sqlite is missing" in line for line in house.said)
        assert not records.exists()
        shutil.copy(backup, records)
        until("the platform", lambda: "platform" in house.demo["processes"], 100)
        until("an answer", lambda: _serves(house))
    finally:
        end(house)
    with sqlite3.connect(records) as kept:
        assert kept.execute("SELECT count(*) FROM lot").fetchone()[0] > 0
    kept.close()


def _serves(house: System) -> bool:
    try:
        return bool(house.ask("/api/v1/greenhouses")[0] == 200)
    except OSError:
        return False


class Terminal:
    """A terminal in which ``nongso up`` runs in the foreground."""

    def __init__(self, folder: Path) -> None:
        self.said = b""
        self.status: int | None = None
        words = ["up", "--data", str(folder), "--port", str(free_port())]
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
            os.execv(sys.executable, [sys.executable, "-m", "nongso.commands", *words])

    def read_until(self, word: bytes, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while word not in self.said and not self.is_over():
            assert time.monotonic() < deadline, self.said.decode()
            if select.select([self._screen], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self._screen, 4096)
                except OSError:  # nobody holds the other end any more
                    return

    def press_ctrl_c(self) -> None:
        os.write(self._screen, b"\x03")

    def close(self) -> None:
        os.close(self._screen)

    def is_over(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None


@pytest.mark.parametrize("moment", [b"Preparing", b"Laying down 30", b"Laying down one lot"])
def test_ctrl_c_twice_at_any_moment_of_a_first_start_ends_everything(
    moment: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    terminal = Terminal(folder)
    terminal.read_until(moment)
    terminal.press_ctrl_c()
    terminal.press_ctrl_c()
    terminal.read_until(b"Ended.")
    until("the end", terminal.is_over)
    assert terminal.status == 0
    assert b"Traceback" not in terminal.said
    assert b"Error" not in terminal.said
    assert works_in(folder) == []


def test_a_first_start_that_was_cut_off_is_completed_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    terminal = Terminal(folder)
    terminal.read_until(b"% (")
    terminal.press_ctrl_c()
    terminal.read_until(b"Ended.")
    until("the end", terminal.is_over)
    house = start(folder, free_port())
    try:
        assert any("past days" in line for line in house.said)
        assert any("Ready after" in line for line in house.said)
        assert json.loads((folder / "house.json").read_text())["history_laid"] is True
    finally:
        end(house)


def water(house: System) -> None:
    wish = {"seconds": 300, "id": str(uuid.uuid4())}
    assert house.ask("/api/v1/zones/tan-binh-1-k1/water", wish)[0] == 202
    until("the valve to open", lambda: house.is_open(0))


def test_a_closed_terminal_closes_every_valve_and_ends_every_process(folder: Path) -> None:
    terminal = Terminal(folder)
    terminal.read_until(b"Stop with")
    house = System(folder, None, [])  # type: ignore[arg-type]  # it runs in the terminal
    water(house)
    terminal.close()
    until("the end", terminal.is_over)
    assert terminal.status == 0
    assert not any(house.is_open(coil) for coil in range(8))
    assert works_in(folder) == []


def test_after_a_kill_the_next_start_waits_and_runs(folder: Path) -> None:
    port = free_port()
    first = start(folder, port)
    water(first)
    deaf = first.demo["processes"]["node-tb-01"]
    os.kill(deaf, signal.SIGSTOP)
    first.process.kill()
    first.process.communicate()
    second = start(folder, port)
    try:
        assert any("of a nongso that was killed" in line for line in second.said)
        assert any("Ready after" in line for line in second.said)
        assert not is_alive(deaf)
        assert not second.is_open(0)
    finally:
        end(second)


def test_a_second_start_on_the_same_folder_changes_nothing(system: System) -> None:
    before = system.demo
    done = system.nongso("up", "--data", str(system.folder), "--port", str(free_port()))
    assert done.returncode == 1
    assert "Another nongso runs on" in done.stderr
    assert system.demo == before
