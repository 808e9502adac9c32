"""Records that a bad disk has changed: never used, never replaced, and said in one sentence."""

import os
import random
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import migrated
import pytest
from office import NODE_1, Place, configuration, open_place
from test_pages import fresh
from test_server import fails, running, write

from nongso.commands.__main__ import main
from nongso.platform import app as app_of
from nongso.platform import demo, installation, migrations, store
from nongso.platform import settings as settings_of
from nongso.platform.greenhouse import commands
from nongso.platform.installation import InstallationError
from nongso.platform.migrations import SchemaError
from nongso.platform.settings import Settings
from nongso.platform.storage import Trouble, trouble_of
from nongso.platform.telemetry import SqliteTelemetry

PAGE_SIZE = 4096
QUICK, THOROUGH = range(6), range(6, 40)  # seeds; up to 120 they were run by hand
RUNS = ("/greenhouses/tan-binh-1", "/api/v1/zones/tan-binh-1-k1/runs")
SECRET = "0123456789abcdef" * 4
LOOKS = (
    *("farmer /greenhouses", "farmer /greenhouses/tan-binh-1?days=30", "clerk /records/"),
    *("admin /api/v1/greenhouses", "farmer /api/v1/zones/tan-binh-1-k1/runs", "admin /metrics"),
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Place]:
    """Records of some size: a farm, 600 runs, alarms, orders, log-ins."""
    settings = Settings(folder=tmp_path_factory.mktemp("filled"), secret=SECRET)
    migrated.lay_down(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "ANSWER_SECONDS", 0.0)
        return settings, _fill(open_place(settings))


def _fill(made: Place) -> Place:
    made.configure()
    made.poll()
    fresh(made)
    now = int(time.time())
    made.bring(*(made.row("run", run=run(now - n * 600)) for n in range(600)))
    alarm = {"code": "leak", "values": {"flow": 4.0}, "raised_at": now}
    made.bring(*(made.row("alarm", alarm=alarm | {"id": new_id()}) for _ in range(50)))
    for _ in range(20):
        made.ask("/api/v1/zones/tan-binh-1-k1/water", {"seconds": 20, "id": new_id()})
    made.close()
    return made


def new_id() -> str:
    return str(uuid.uuid4())


def run(started_at: int) -> dict[str, object]:
    return {
        "id": new_id(),
        "zone": "tan-binh-1-k1",
        "cause": "wished",
        "by": "Lò Thị Mẩy",
        "state": "done",
        "code": "done",
        "values": {"seconds": 600, "litres": 58.2},
        "ordered_seconds": 600,
        "started_at": started_at,
        "ended_at": started_at + 300,
        "seconds": 300,
        "litres": 58.2,
    }


@pytest.fixture
def damaged(filled: tuple[Settings, Place], tmp_path: Path) -> Settings:
    """A copy of the filled platform, for a test to spoil."""
    settings = Settings(folder=tmp_path / "platform", secret=SECRET)
    shutil.copytree(filled[0].folder, settings.folder)
    return settings


# --- ways in which a disk spoils a file ---------------------------------------------------------


def flipped_bits(raw: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 3, 30))):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)


def zeroed_pages(raw: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 2, 5))):
        at = chance.randrange(len(raw) // PAGE_SIZE) * PAGE_SIZE
        raw[at : at + PAGE_SIZE] = bytes(PAGE_SIZE)


def swapped_pages(raw: bytearray, chance: random.Random) -> None:
    one, two = (chance.randrange(1, len(raw) // PAGE_SIZE) * PAGE_SIZE for _ in "ab")
    kept = raw[one : one + PAGE_SIZE]
    raw[one : one + PAGE_SIZE] = raw[two : two + PAGE_SIZE]
    raw[two : two + PAGE_SIZE] = kept


def cut_off(raw: bytearray, chance: random.Random) -> None:
    del raw[chance.randrange(len(raw)) :]


def rubbish(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw))
    raw[at : at + 600] = chance.randbytes(min(600, len(raw) - at))


Way = Callable[[bytearray, random.Random], None]
WAYS: tuple[Way, ...] = (flipped_bits, zeroed_pages, swapped_pages, cut_off, rubbish)


def spoil(settings: Settings, way: Way, seed: int) -> bytes:
    raw = bytearray(settings.records_file.read_bytes())
    way(raw, random.Random(seed))
    settings.records_file.write_bytes(raw)
    return bytes(raw)


def statuses(place: Place) -> Iterator[tuple[str, int]]:
    for look in LOOKS:
        user, path = look.split()
        yield look, place.ask(path, user=user).status_code
    yield (
        "wish",
        place.ask(
            "/api/v1/zones/tan-binh-1-k1/water", {"seconds": 20, "id": new_id()}
        ).status_code,
    )
    yield "stop", place.ask("/api/v1/stop", {}).status_code
    yield (
        "batch",
        place.bring(
            place.row("configuration", configuration=configuration()),
            place.readings(NODE_1, ["light", int(time.time()), 1.0, 16]),
        ).status_code,
    )
    yield "login", place.app.test_client().get("/login").status_code


def check_spoilt(
    filled: Place, settings: Settings, sound: bytes, way: Way, seed: int, log: list[str]
) -> str:
    """Spoil the records, start, look and press; say whether it was named, seen, or neither."""
    settings.records_file.write_bytes(sound)
    spoilt = spoil(settings, way, seed)
    place = None
    why = ""
    try:
        place = Place(settings, app_of.create_app(settings), filled.rows, filled.tokens)
    except SchemaError as error:
        why = str(error)
    if place is None:
        assert str(settings.records_file) in why, seed
        assert settings.records_file.read_bytes() == spoilt, seed
        return "named"
    try:
        found = dict(statuses(place))
    finally:
        place.close()
    bad = {what: status for what, status in found.items() if status >= 500 and status != 503}
    assert not bad, (seed, log)
    return "seen" if 503 in found.values() else "unseen"


def spoil_often(
    filled: tuple[Settings, Place],
    settings: Settings,
    way: Way,
    seeds: range,
    caplog: pytest.LogCaptureFixture,
) -> dict[str, int]:
    sound = settings.records_file.read_bytes()
    counts = dict.fromkeys(("named", "seen", "unseen"), 0)
    for seed in seeds:
        caplog.clear()
        counts[check_spoilt(filled[1], settings, sound, way, seed, caplog.messages)] += 1
    print(way.__name__, counts)
    return counts


@pytest.mark.parametrize("way", WAYS)
def test_spoilt_records_are_named_or_pages_say_what_is_wrong(
    filled: tuple[Settings, Place],
    damaged: Settings,
    way: Way,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never a mistake of ours (500), whatever is in the file; never a file that was replaced."""
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 0.0)
    counts = spoil_often(filled, damaged, way, QUICK, caplog)
    assert counts["named"] > 0 or way is flipped_bits


@pytest.mark.walk
@pytest.mark.parametrize("way", WAYS)
def test_records_spoilt_in_very_many_ways_are_never_a_mistake_of_ours(
    filled: tuple[Settings, Place],
    damaged: Settings,
    way: Way,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 0.0)
    spoil_often(filled, damaged, way, THOROUGH, caplog)


def test_damage_that_shows_while_running_closes_the_records(
    filled: tuple[Settings, Place], damaged: Settings
) -> None:
    place = Place(damaged, app_of.create_app(damaged), filled[1].rows, filled[1].tokens)
    size = damaged.records_file.stat().st_size
    place.records.engine.dispose()
    with damaged.records_file.open("r+b") as file:  # all but the schema
        file.seek(PAGE_SIZE * 30)
        file.write(b"\x5a" * (size - PAGE_SIZE * 30))
    answers = [place.ask(path) for path in RUNS for _ in "ab"]
    assert 503 in {answer.status_code for answer in answers}
    assert {answer.status_code for answer in answers} <= {200, 503}
    found = place.app.test_client().get("/healthz")
    assert (found.status_code, found.json["status"]) == (503, "database_damaged")
    assert "put the last backup in its place" in found.json["troubles"]["records.sqlite"]
    before = damaged.records_file.read_bytes()
    assert place.bring(place.row("run", run=run(int(time.time())))).status_code == 503
    wish = {"seconds": 20, "id": new_id()}
    assert place.ask("/api/v1/zones/tan-binh-1-k1/water", wish).status_code == 503
    assert damaged.records_file.read_bytes() == before  # nothing is written into a damaged file
    place.close()


# --- at the start ------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Path:
    file = write(tmp_path)
    settings = settings_of.load(file)
    migrations.upgrade(settings)
    demo.prepare(settings, "binh-lu", "k" * 40)
    SqliteTelemetry(settings.telemetry_file).close()
    return file


def garble_the_middle(file: Path) -> bytes:
    raw = bytearray(file.read_bytes())
    raw[PAGE_SIZE * 8 : PAGE_SIZE * 20] = os.urandom(PAGE_SIZE * 12)
    file.write_bytes(raw)
    return bytes(raw)


def test_a_server_with_garbled_records_ends_with_a_sentence(
    server: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of.load(server)
    spoilt = garble_the_middle(settings.records_file)
    said = fails(server)
    assert str(settings.records_file) in said
    assert "are damaged" in said
    assert "put the last backup in its place" in said
    assert main(["platform", "upgrade", "--settings", str(server)]) == 1
    assert "are damaged" in capsys.readouterr().err
    assert settings.records_file.read_bytes() == spoilt


def test_a_spoilt_name_in_the_complaint_itself_is_damage(damaged: Settings) -> None:
    """SQLite names the table whose description it cannot read, in whatever letters are there."""
    raw = damaged.records_file.read_bytes()
    records = store.Records(damaged.records_file)
    damaged.records_file.write_bytes(raw.replace(b"tablerunrun", b"tabler\xe1nr\xe1n", 1))
    assert damaged.records_file.read_bytes() != raw
    with pytest.raises(SchemaError, match="are damaged"):
        migrations.check_file(damaged)
    with pytest.raises(UnicodeDecodeError) as found, records.engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM run")
    records.close()
    assert trouble_of(found.value) is Trouble.DAMAGED


def test_lost_records_are_not_silently_begun_anew(
    server: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of.load(server)
    for loss in (settings.records_file.unlink, settings.records_file.touch):
        loss()
        assert main(["platform", "upgrade", "--settings", str(server)]) == 1
        assert "--new-records" in capsys.readouterr().err
        assert not settings.records_file.exists() or settings.records_file.stat().st_size == 0
    settings.records_file.unlink()
    assert "nongso platform upgrade" in fails(server)
    assert not settings.records_file.exists()
    assert main(["platform", "upgrade", "--settings", str(server), "--new-records"]) == 0
    with running(server):
        pass


def test_a_first_start_that_was_killed_is_simply_repeated(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "platform", secret=SECRET)
    settings.folder.mkdir()
    settings.records_file.touch()
    migrations.upgrade(settings)


def test_a_journal_without_its_records_is_a_loss(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path, secret=SECRET)
    Path(f"{settings.records_file}-journal").write_bytes(b"x" * 600)
    with pytest.raises(SchemaError, match="only its journal"):
        migrations.upgrade(settings)


def test_what_a_crash_left_half_done_is_no_damage(damaged: Settings) -> None:
    """A hot journal: SQLite takes the half-done change back before anything is checked."""
    with closing(sqlite3.connect(damaged.records_file, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE run SET by = 'half' || by")
        half = damaged.records_file.read_bytes()
        journal = Path(f"{damaged.records_file}-journal").read_bytes()
        writer.execute("ROLLBACK")
    damaged.records_file.write_bytes(half)
    Path(f"{damaged.records_file}-journal").write_bytes(journal)
    migrations.check_file(damaged)
    with closing(sqlite3.connect(damaged.records_file)) as reader:
        assert reader.execute("SELECT count(*) FROM run WHERE by LIKE 'half%'").fetchone() == (0,)


def test_a_cooperative_is_renamed_only_on_purpose(
    server: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of.load(server)
    installation.add_cooperative(settings, "bac-ha", "HTX Bắc Hà")
    installation.add_cooperative(settings, "bac-ha", "HTX Bắc Hà")  # again is no change
    with pytest.raises(InstallationError, match="is called 'HTX Bắc Hà'"):
        installation.add_cooperative(settings, "bac-ha", "HTX Hưng Bình")
    command = ["platform", "cooperative", "bac-ha", "HTX Hưng Bình", "--settings", str(server)]
    assert main(command) == 1
    assert "add --rename" in capsys.readouterr().err
    assert main([*command, "--rename"]) == 0
    with pytest.raises(InstallationError, match="is called 'HTX Hưng Bình'"):
        installation.add_cooperative(settings, "bac-ha", "HTX Bắc Hà")
    with pytest.raises(InstallationError, match="no cooperative 'bac-ho' to rename"):
        installation.add_cooperative(settings, "bac-ho", "HTX Bắc Hà", rename=True)
    with pytest.raises(InstallationError, match="1 to 200"):
        installation.add_cooperative(settings, "bac-me", " ")
