"""When the store's file is replaced by a new one: at any moment the power may go."""

import json
import os
import random
import shutil
import subprocess
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from control_box import NODES, until

from nongso.gateway import storeopening
from nongso.gateway.salvage import RESERVE_BYTES
from nongso.gateway.store import Store
from nongso.gateway.storefile import StoreFile

NODE = NODES["tb-01"]


def filled(path: Path, rows: int = 200) -> None:
    """A store with readings, a run and a mode that somebody has set."""
    file = StoreFile(path)
    file.begin()
    ledger = [(1, 7, n, n, n, 1_790_000_000) for n in range(rows)]
    body = b'{"kind":"readings","node":"%s","seq":%d,"readings":[]}'
    file.add_messages(ledger, [body % (NODE.encode(), n) for n in range(rows)])
    file.put("run", b'{"kind":"run","run":{"id":"r"}}', True)
    file.set_state("stop", "1")
    file.commit()
    file.close()


def seqs(file: StoreFile) -> list[int]:
    return [json.loads(row.body)["seq"] for row in file.rows(False, 9999, 1 << 30)]


def harm(path: Path) -> None:
    """Zero a page of readings."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = "SELECT pageno FROM dbstat WHERE name = 'outbox' AND pagetype = 'leaf' ORDER BY path"
    pages = [row[0] for row in db.execute(found)]
    db.close()
    with open(path, "r+b") as f:
        f.seek((pages[len(pages) // 2] - 1) * 4096)
        f.write(bytes(4096))


class PowerCut(Exception):
    """The process ends here."""


@pytest.mark.parametrize("cut_at", range(1, 12))
def test_the_power_may_go_at_any_moment_of_the_replacing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    """Each renaming, removing and syncing is a moment at which it may go, before and after."""
    path = tmp_path / "store.sqlite"
    filled(path)
    harm(path)
    before = path.read_bytes()
    moments = 0

    def cutting(work: Any) -> Any:
        def step(*arguments: Any) -> Any:
            nonlocal moments
            moments += 1
            if moments == cut_at:
                raise PowerCut
            return work(*arguments)

        return step

    with monkeypatch.context() as patched:
        for name in ("rename", "fsync"):
            patched.setattr(storeopening.os, name, cutting(getattr(os, name)))
        try:
            StoreFile(path).close()
            was_cut = False
        except PowerCut:
            was_cut = True
    file = StoreFile(path)
    try:
        assert len(seqs(file)) > 100
        assert file.all_state() == {"stop": "1"}
        assert [row.kind for row in file.rows(True, 9, 1 << 20)] == ["run"]
    finally:
        file.close()
    asides = [p for p in tmp_path.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm"))]
    assert [p.read_bytes() for p in asides] == [before]
    assert was_cut or cut_at > 4
    assert not list(tmp_path.glob("*.new*"))


def test_a_file_cut_to_nothing_does_not_take_its_log_along(tmp_path: Path) -> None:
    """SQLite deletes the log of an empty file; here it is set aside, and its rows are taken."""
    path = tmp_path / "store.sqlite"
    filled(path)
    file = StoreFile(path)
    file.begin()
    file.put("alarm", b'{"kind":"alarm"}', True)
    file.commit()
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", tmp_path / f"copy{end}")
    file.close()
    shutil.move(tmp_path / "copy-wal", f"{path}-wal")
    os.truncate(path, 0)
    again = StoreFile(path)
    assert again.replaced is not None
    assert (tmp_path / f"{again.replaced.name}-wal").stat().st_size > 4096
    again.close()


def test_a_full_disk_keeps_state_and_commands_and_says_what_stayed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        path = disk / "store.sqlite"
        filled(path, 9000)
        harm(path)
        with open(disk / "photos", "wb", buffering=0) as photos, suppress(OSError):
            while photos.write(bytes(4096)):
                pass
        os.truncate(disk / "photos", os.path.getsize(disk / "photos") - RESERVE_BYTES - 900_000)
        file = StoreFile(path)
        assert file.replaced is not None
        assert file.replaced.salvage.stayed > 1000
        assert "stayed there because the disk is full" in str(file.replaced.salvage)
        assert file.all_state() == {"stop": "1"}
        assert 1000 < len(seqs(file)) < 8900
        file.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_page_that_goes_bad_while_the_gateway_runs_is_noticed_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    filled(path, 3000)
    store = Store(path)
    try:
        harm(path)
        store.rows(False, 9999, 1 << 30)  # the courier reads
        until(lambda: store.report()["damage"], "the file is replaced")
        until(lambda: store.report()["rows"].get("protected") == 2, "the alarm is recorded")
        damage = store.report()["damage"]
        assert damage["unreadable"]["outbox"] > 0
        assert "to" in damage["names"][0]  # which rows
        bodies = [json.loads(row.body) for row in store.rows(True, 99, 1 << 20)[1]]
        alarms = [b["alarm"] for b in bodies if b["kind"] == "alarm"]
        assert [(a["code"], a["values"]["file"]) for a in alarms] == [
            ("store_damaged", damage["file"])
        ]
        assert len(store.rows(False, 9999, 1 << 30)[1]) > 2800
    finally:
        store.close(2.0)


_VERSION_1 = """
CREATE TABLE messages (
    node INTEGER, boot INTEGER, seq INTEGER, digest INTEGER NOT NULL, base INTEGER,
    at INTEGER NOT NULL, PRIMARY KEY (node, boot, seq)
) WITHOUT ROWID;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, protected INTEGER NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL, sum INTEGER NOT NULL
);
CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL,
    detail TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE commands (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE latest (
    node TEXT, name TEXT, at INTEGER NOT NULL, value REAL, mark INTEGER NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY (node, name)
) WITHOUT ROWID;
"""


def test_a_store_of_the_version_before_is_taken_over_without_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.sqlite"
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    db.execute(_VERSION_1)
    db.pragma("application_id", 0x6E6F6E67)
    db.pragma("user_version", 1)
    run = b'{"kind":"run","run":{"id":"r"}}'
    db.execute("INSERT INTO outbox VALUES (41, 1, 'run', ?, ?)", (run, zlib.crc32(run)))
    db.execute("INSERT INTO commands VALUES ('c1', ?)", (int(time.time()),))
    for key, value in (("store_id", "0" * 16), ("stop", "1")):
        check = zlib.crc32(repr((key, value)).encode())
        db.execute("INSERT INTO state VALUES (?, ?, ?)", (key, value, check))
    db.close()
    store = Store(path)
    try:
        assert store.state("stop") == "1"
        assert store.knows_command("c1")
        assert [(row.id, row.body, row.is_sound) for row in store.rows(True, 9, 9999)[1]] == [
            (41, run, True)
        ]
        assert store.report()["damage"] is None
        assert store.report()["store"] != "0" * 16
        assert "is of version 1" in caplog.text
        assert len(list(tmp_path.glob("store.sqlite.version-1-*Z"))) == 1
    finally:
        store.close(2.0)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """File and log of a store whose power went: 30 transactions lie in the log alone."""
    path = tmp_path_factory.mktemp("cut") / "store.sqlite"
    StoreFile(path).close()
    file = StoreFile(path)
    for n in range(30):
        file.begin()
        body = b'{"kind":"readings","node":"x","readings":[],"seq":%d}' % n
        file.add_messages([(1, 7, n, n, n, n)], [body])
        file.set_state("mode", str(n))
        file.put("run", b'{"kind":"run","n":%d}' % n, True)
        file.commit()
    found = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    file.close()
    return found


def test_a_flipped_bit_in_the_log_costs_no_later_transaction(
    tmp_path: Path, cut: tuple[bytes, bytes]
) -> None:
    """SQLite by itself ends its reading there, and all that was acknowledged since is gone."""
    last_commit = len(cut[1]) - 8 * 4120  # some pages of the last transaction lie behind it
    for trial in range(60):
        chance = random.Random(trial)
        log, place = bytearray(cut[1]), chance.randrange(last_commit)
        log[place] ^= 1 << chance.randrange(8)
        path = tmp_path / str(trial) / "store.sqlite"
        path.parent.mkdir()
        path.write_bytes(cut[0])
        Path(f"{path}-wal").write_bytes(log)
        file = StoreFile(path)
        assert seqs(file) == list(range(30)), f"trial {trial}"
        assert file.all_state() == {"mode": "29"}, f"trial {trial}"
        assert len(file.rows(True, 99, 1 << 20)) == 30, f"trial {trial}"
        if file.replaced is not None:
            aside = path.parent / file.replaced.name
            assert aside.read_bytes() == cut[0]
            assert Path(f"{aside}-wal").read_bytes() == log
        file.close()


def test_a_log_that_ends_within_a_transaction_is_no_damage(
    tmp_path: Path, cut: tuple[bytes, bytes]
) -> None:
    for trial in range(20):
        path = tmp_path / str(trial) / "store.sqlite"
        path.parent.mkdir()
        path.write_bytes(cut[0])
        length = random.Random(trial).randrange(4200, len(cut[1]))
        Path(f"{path}-wal").write_bytes(cut[1][:length])
        file = StoreFile(path)
        found = seqs(file)
        assert found == list(range(len(found)))
        assert file.replaced is None
        assert file.all_state() == ({"mode": str(found[-1])} if found else {})
        file.close()
