"""One file holds everything, made while all goes on; put back elsewhere, nothing is missing."""

import itertools
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from office import KEY, NODE_1, Place
from postgresql_server import Server
from test_moving_records import contents, filled  # noqa: F401

from nongso.commands import backup, restore
from nongso.commands.archive import Archive, DamagedBackup
from nongso.commands.errors import CommandError
from nongso.gateway import run as gateway_run
from nongso.gateway.settings import load as gateway_settings
from nongso.gateway.store import Store
from nongso.platform import events, moving_records
from nongso.platform.settings import Settings
from nongso.platform.settings import load as platform_settings

AT = 1_790_000_000


def written(settings: Settings) -> Path:
    """The platform's settings as a file."""
    file = settings.folder / "platform.json"
    told = {"folder": str(settings.folder), "secret": settings.secret, "port": 8080}
    if not settings.records_in_file:
        told["records"] = settings.records
    file.write_text(json.dumps(told))
    file.chmod(0o600)
    return file


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    file = tmp_path / "gateway" / "gateway.json"
    gateway_run.init(file, gateway="binh-lu", name="Tủ", platform_url="http://127.0.0.1:9")
    return file


@pytest.fixture
def store(gateway: Path) -> Iterator[Store]:
    made = Store(gateway_settings(gateway).store_file)
    yield made
    made.close()


def made(tmp_path: Path, **wanted: Any) -> Path:
    return backup.run(backup.Wanted(tmp_path / "copy.zip", **wanted), lambda _text: None)


def put_back(file: Path, to: Path) -> list[str]:
    said: list[str] = []
    restore.run(file, to, said.append)
    return said


def test_everything_is_there_again_and_only_its_owner_reads_it(
    farm: Place, gateway: Path, store: Store, tmp_path: Path
) -> None:
    farm.bring(farm.readings(NODE_1, ["air_temperature", AT, 24.5, 0]))
    picture = farm.settings.folder / "photos" / "ab" / "abcd.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    (farm.settings.folder / "pages").mkdir()
    (farm.settings.folder / "pages" / "lot.html").write_text("made anew")
    store.record("alarm", {"id": "a-1"})
    store.set_state("water.zone.k1", "{}")
    before = store.report()["store"]
    file = made(tmp_path, platform=written(farm.settings), gateway=gateway)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    to = tmp_path / "new"
    put_back(file, to)
    there = platform_settings(to / "platform" / "platform.json")
    assert there.folder == to / "platform"
    assert (to / "platform" / "photos" / "ab" / "abcd.jpg").read_bytes() == b"a picture"
    assert not (to / "platform" / "pages").exists()
    found, kept = contents(there), contents(farm.settings)
    assert {e["type"] for e in found["event"]} - {e["type"] for e in kept["event"]} == {
        "records.restored"
    }
    for table in ("person", "api_token", "gateway", "greenhouse", "zone", "node"):
        assert found[table] == kept[table]
    with closing(sqlite3.connect(there.telemetry_file)) as readings:
        assert readings.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for path in to.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path

    again = Store(to / "gateway" / "store.sqlite")
    try:
        assert again.report()["store"] != before, "the platform must tell its rows from the old"
        assert again.state("water.zone.k1") == "{}"
        assert again.state("water.taken_up")
        assert len(again.rows(True, 100, 1 << 20)[1]) == 1
    finally:
        again.close()


def test_keys_that_are_kept_elsewhere_are_left_out_and_named(farm: Place, tmp_path: Path) -> None:
    farm.settings.keys_file.write_text("the key\n")
    (farm.settings.folder / "log").mkdir()
    (farm.settings.folder / "log" / "keys").write_text("the log's")
    (farm.settings.folder / "log" / "last").write_text("what was signed")
    settings_file = written(farm.settings)
    whole = backup.run(
        backup.Wanted(tmp_path / "whole.zip", platform=settings_file), lambda _text: None
    )
    said: list[str] = []
    less = backup.run(
        backup.Wanted(tmp_path / "less.zip", platform=settings_file, keys=False), said.append
    )
    keys = {"platform/sealing.keys", "platform/log/keys"}
    with Archive(whole) as one, Archive(less) as other:
        assert set(one.files) - set(other.files) == keys
        assert other.has("platform/log/last")
    for key in keys:
        assert any("NOT IN IT" in line and key in line for line in said)


def test_a_copy_made_while_gateway_and_clerks_write_is_of_one_moment(
    farm: Place, gateway: Path, store: Store, tmp_path: Path
) -> None:
    """What was told as kept before the copy began is in it, on one side or on both."""
    numbers, ending, raised = itertools.count(1), threading.Event(), []
    wrong: list[BaseException] = []

    def watched(work: Callable[[], None]) -> threading.Thread:
        def on_and_on() -> None:
            try:
                while not ending.is_set():
                    work()
            except BaseException as error:
                wrong.append(error)

        thread = threading.Thread(target=on_and_on, daemon=True)
        thread.start()
        return thread

    def farm_works() -> None:
        id_ = f"a-{next(numbers)}"
        store.record("alarm", {"id": id_, "code": "leak", "values": {}, "raised_at": AT})
        raised.append(id_)

    def uplink_works() -> None:
        where, rows = store.rows(True, 50, 1 << 20)
        answer = farm.bring(*({"id": row.id, **json.loads(row.body)} for row in rows), store=where)
        assert answer.json is not None
        store.named(where, True, answer.json["stored"], [])

    def clerk_works() -> None:
        with farm.records.transaction() as session:
            number = next(numbers)
            for half in ("first", "second"):
                events.append(
                    session,
                    id=f"{half}-{number}",
                    type="planted",
                    at=AT,
                    actor="clerk",
                    cooperative="binh-lu",
                    body={},
                )

    threads = [watched(work) for work in (farm_works, uplink_works, clerk_works)]
    settings_file = written(farm.settings)
    while len(raised) < 20:
        assert not wrong, wrong
    surely = set(raised)
    file = made(tmp_path, platform=settings_file, gateway=gateway)
    ending.set()
    for thread in threads:
        thread.join(20)
    assert not wrong, wrong

    to = tmp_path / "new"
    put_back(file, to)
    found = contents(platform_settings(to / "platform" / "platform.json"))
    waiting = apsw.Connection(str(to / "gateway" / "store.sqlite"))
    bodies = [json.loads(body) for (body,) in waiting.execute("SELECT body FROM outbox")]
    waiting.close()
    there = {row["id"] for row in found["alarm"]}
    there |= {body["alarm"]["id"] for body in bodies if body["kind"] == "alarm"}
    assert surely <= there
    halves = [e["id"] for e in found["event"] if e["type"] == "planted"]
    assert len({h for h in halves if h.startswith("first")}) * 2 == len(halves)
    entered = {entry["event_number"] for entry in found["log_entry"]}
    assert {e["number"] for e in found["event"]} <= entered, "each is in the public log"


def test_records_in_postgresql_are_copied_without_the_server_and_go_back_into_one(
    filled: Settings,  # noqa: F811
    postgresql: Server,
    tmp_path: Path,
) -> None:
    first, second = (postgresql.url(postgresql.empty()) for _ in range(2))
    moving_records.move(filled, first, lambda _word: None)
    filled.records_file.unlink()
    on_server = replace(filled, records=first)
    postgresql.ask(
        "SELECT setval(pg_get_serial_sequence('event', 'number'), 4711)",
        database=first.rpartition("/")[2].partition("?")[0],
    )
    file = made(tmp_path, platform=written(on_server))
    said = put_back(file, tmp_path / "new")
    assert any("move-records" in line for line in said)
    there = platform_settings(tmp_path / "new" / "platform" / "platform.json")
    assert there.records_in_file
    before, after = contents(on_server), contents(there)
    added = {"event", "event_subject", "log_entry", "log_salt", "log_tile"}  # that it was put back
    for table in set(before) - added - {"epcis_reached"}:
        assert after[table] == before[table], table
    assert [e for e in after["event"] if e["type"] != "records.restored"] == before["event"]
    put_back_as = next(e for e in after["event"] if e["type"] == "records.restored")
    assert put_back_as["number"] == 4712, "a number that was given once is not given again"
    moving_records.move(there, second, lambda _word: None)
    assert contents(replace(there, records=second)) == after


@pytest.fixture
def copy(farm: Place, gateway: Path, store: Store, tmp_path: Path) -> Path:
    return made(tmp_path, platform=written(farm.settings), gateway=gateway)


def test_a_byte_that_changes_in_any_file_is_found_and_nothing_is_put_back(
    copy: Path, tmp_path: Path
) -> None:
    whole = copy.read_bytes()
    restore.check(copy, lambda _text: None)
    found = 0
    places = range(40, len(whole) - 40, len(whole) // 40)
    for place in places:
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with suppress(DamagedBackup):
            restore.check(copy, lambda _text: None)
            continue  # a byte of the zip's own, such as a date: each file is as it was
        found += 1
        with pytest.raises(DamagedBackup, match=r"copy\.zip"):
            restore.run(copy, tmp_path / "new", lambda _text: None)
        assert not (tmp_path / "new" / "platform").exists()
    assert found > 0.8 * len(places)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_copy_that_was_cut_short_is_not_taken_for_whole(copy: Path, share: float) -> None:
    whole = copy.read_bytes()
    copy.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DamagedBackup, match="cut short"):
        restore.check(copy, lambda _text: None)


def test_nothing_that_is_there_is_overwritten(
    copy: Path, farm: Place, gateway: Path, tmp_path: Path
) -> None:
    before = copy.read_bytes()
    with pytest.raises(CommandError, match="not overwritten"):
        made(tmp_path, gateway=gateway)
    assert copy.read_bytes() == before
    (tmp_path / "full" / "gateway").mkdir(parents=True)  # empty, as an installer makes it
    (tmp_path / "full" / "other.txt").write_text("mine")
    with pytest.raises(CommandError, match="is not empty"):
        put_back(copy, tmp_path / "full")
    assert sorted(os.listdir(tmp_path / "full")) == ["gateway", "other.txt"]
    (tmp_path / "full" / "other.txt").unlink()
    put_back(copy, tmp_path / "full")
    assert (tmp_path / "full" / "gateway" / "gateway.json").exists()
    with pytest.raises(CommandError, match="Choose another place"):
        backup.run(
            backup.Wanted(farm.settings.folder / "b.zip", platform=written(farm.settings)),
            lambda _text: None,
        )


def test_damaged_records_are_said_and_no_backup_is_left(farm: Place, tmp_path: Path) -> None:
    settings_file = written(farm.settings)
    farm.close()
    with farm.settings.records_file.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 20_000)
    with pytest.raises(CommandError, match=r"records\.sqlite"):
        made(tmp_path, platform=settings_file)
    assert [p.name for p in tmp_path.iterdir() if "copy" in p.name or "backup" in p.name] == []


def test_the_old_gateway_of_the_copy_is_known_to_the_platform_as_a_new_disk(
    farm: Place, copy: Path, tmp_path: Path
) -> None:
    put_back(copy, tmp_path / "new")
    again = Store(tmp_path / "new" / "gateway" / "store.sqlite")
    where = again.report()["store"]
    again.close()
    assert (
        farm.bring(farm.row("alarm", alarm={"id": "z"}), store=where, key=KEY).status_code == 200
    )
