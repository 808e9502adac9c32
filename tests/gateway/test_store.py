"""The store: what it says is on the disk is there, whatever happens to process, file and disk."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from control_box import NODES, until

from nongso.gateway.errors import StoreBusy, StoreError
from nongso.gateway.intake import Sender, make_message, number_of
from nongso.gateway.latest import Latest
from nongso.gateway.ledger import Accepted, Message, Refusal
from nongso.gateway.store import PROTECTED, Store
from nongso.wire.payload import Reading

NODE = NODES["tb-01"]
SENDER = Sender(NODE, number_of(NODE), "tb-01", "")
NOW = int(time.time())


def told(seq: int, *, boot: int = 7, at: int = NOW, value: float = 42.0) -> Message:
    """Return a message with one reading."""
    readings = [Reading("soil_moisture", at, value, 16)]
    return make_message(SENDER, boot, seq, readings, False, "nongso/1/f/n/up", b"raw")


def accept(store: Store, *messages: Message, refused: tuple[Refusal, ...] = ()) -> Accepted:
    """Offer messages and wait for the commit."""
    answers: list[Accepted | None] = []
    store.offer(messages, refused, answers.append)
    until(lambda: answers, "the burst is committed")
    assert answers[0] is not None
    return answers[0]


def bodies(store: Store, protected: bool) -> list[dict[str, Any]]:
    return [json.loads(row.body) for row in store.rows(protected, 10_000, 1 << 30)[1]]


def seqs(store: Store) -> list[int]:
    return [body["seq"] for body in bodies(store, protected=False) if body["kind"] == "readings"]


def alarms(store: Store) -> list[dict[str, Any]]:
    return [b["alarm"] for b in bodies(store, protected=True) if b["kind"] == "alarm"]


Open = Callable[..., Store]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def open_store() -> Iterator[Open]:
    made: list[Store] = []

    def opened(path: Path, **options: Any) -> Store:
        made.append(Store(path, **options))
        return made[-1]

    yield opened
    for store in made:
        store.close(2.0)


def test_what_was_committed_is_there_after_a_restart(file: Path, open_store: Open) -> None:
    store = open_store(file)
    accept(store, told(1), told(2))
    store.record("zone", {"id": "tan-binh-1-k1"})
    store.set_state("stop", "1")
    assert store.seen_command("a") is False
    store.close(2.0)
    again = open_store(file)
    assert seqs(again) == [1, 2]
    assert bodies(again, protected=True) == [{"kind": "zone", "zone": {"id": "tan-binh-1-k1"}}]
    assert (again.state("stop"), again.state("other")) == ("1", None)
    assert again.seen_command("a") is True
    assert again.report()["sqlite"] >= "3.51.3"


def test_the_newest_readings_are_known_again_after_a_restart(file: Path, open_store: Open) -> None:
    """Also when the rows themselves have been sent and struck out."""
    store = open_store(file)
    accept(store, told(1, at=NOW - 20, value=41.0), told(2, at=NOW - 10, value=40.0))
    store_id, rows = store.rows(False, 10, 1 << 20)
    store.named(store_id, False, [row.id for row in rows], [])
    accept(store, told(3, at=NOW - 15, value=55.0))  # a late one
    store.close(2.0)
    latest = Latest()
    again = open_store(file, latest=latest)
    assert latest.get(NODE, "soil_moisture") == Reading("soil_moisture", NOW - 10, 40.0, 16)
    accept(again, told(4, at=NOW, value=39.0))
    assert latest.get(NODE, "soil_moisture") == Reading("soil_moisture", NOW, 39.0, 16)


_CRASH = """
import os, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from test_store import *
store = Store(Path({file!r}))
accept(store, told(1, at=NOW - 20), told(2, at=NOW - 10, value=40.0))
store_id, rows = store.rows(False, 10, 1 << 20)
store.named(store_id, False, [row.id for row in rows], [])
accept(store, told(3, at=NOW - 5, value=39.0))
store.record("run", {{"id": "r"}})
os._exit(9)
"""


def test_the_newest_readings_survive_a_crash(file: Path, open_store: Open) -> None:
    code = _CRASH.format(here=str(Path(__file__).parent), file=str(file))
    assert subprocess.run([sys.executable, "-c", code], timeout=20, check=False).returncode == 9
    store = open_store(file)
    newest = store.latest.get(NODE, "soil_moisture")
    assert newest is not None
    assert newest.value == 39.0
    assert seqs(store) == [3]
    assert bodies(store, protected=True) == [{"kind": "run", "run": {"id": "r"}}]


def test_a_message_is_stored_once_however_often_it_comes(file: Path, open_store: Open) -> None:
    store = open_store(file)
    assert len(accept(store, told(1), told(1), told(2)).new) == 2
    again = accept(store, told(2), told(1), told(3))
    assert ([m.key[2] for m in again.new], again.duplicates) == ([3], 2)
    store.close(2.0)
    store = open_store(file)
    assert accept(store, told(1)).duplicates == 1
    assert seqs(store) == [1, 2, 3]


def test_order_is_kept(file: Path, open_store: Open) -> None:
    store = open_store(file)
    for start in range(0, 1000, 100):
        store.offer([told(n) for n in range(start, start + 100)], [], lambda accepted: None)
    accept(store, told(1000))
    assert seqs(store) == list(range(1001))


def test_two_contents_under_one_number_are_both_kept_and_alarmed(
    file: Path, open_store: Open
) -> None:
    store = open_store(file)
    accept(store, told(1), told(2))
    answer = accept(store, told(1, value=99.0), told(2, value=98.0), told(2))
    assert (len(answer.new), answer.duplicates, len(answer.conflicts)) == (0, 1, 2)
    assert seqs(store) == [1, 2]
    assert [(a["code"], a["values"]) for a in alarms(store)] == [
        ("message_conflict", {"node": NODE, "boot": 7, "seq": 1})
    ]  # one for the board, not one a message
    with_raw = (
        apsw.Connection(str(file)).execute("SELECT node, seq, code, raw FROM refused").fetchall()
    )
    assert with_raw == [(NODE, 1, "conflict", b"raw"), (NODE, 2, "conflict", b"raw")]
    accept(store, told(5, boot=8), told(5, boot=8, value=1.0))
    assert len(alarms(store)) == 2


def test_refused_messages_are_kept_as_they_came_and_bounded(file: Path, open_store: Open) -> None:
    store = open_store(file)
    for start in range(0, 1200, 300):
        refusals = tuple(
            Refusal("t", "wrong_unit", "d", b"%d" % n, NODE, 7, n, told=n < 3)
            for n in range(start, start + 300)
        )
        accept(store, refused=refusals)
    accept(store, refused=(Refusal("t", "wrong_unit", "d", b"again", NODE, 7, 1199),))
    rows = apsw.Connection(str(file)).execute("SELECT raw FROM refused ORDER BY id").fetchall()
    assert len(rows) == 1000
    assert (rows[0], rows[-1]) == ((b"200",), (b"1199",))
    told_rows = [b["refused"] for b in bodies(store, protected=False)]
    assert [row["code"] for row in told_rows] == ["wrong_unit"] * 4


def test_a_row_leaves_only_when_it_was_named(file: Path, open_store: Open) -> None:
    store = open_store(file)
    accept(store, *(told(n) for n in range(5)))
    store_id, rows = store.rows(False, 3, 1 << 20)
    assert [json.loads(row.body)["seq"] for row in rows] == [0, 1, 2]
    store.named(store_id, False, [rows[0].id], [(rows[2].id, "broken_row", "no")])
    assert seqs(store) == [1, 3, 4]
    store.named("another store", False, [rows[1].id], [])
    assert seqs(store) == [1, 3, 4]
    assert store.report()["rows"] == {"telemetry": 3, "protected": 0, "set_aside": 1}
    kept = (
        apsw.Connection(str(file)).execute("SELECT kind, code, detail FROM set_aside").fetchall()
    )
    assert kept == [("readings", "broken_row", "no")]


def test_a_batch_is_bounded_in_rows_and_bytes(file: Path, open_store: Open) -> None:
    store = open_store(file)
    accept(store, *(told(n) for n in range(50)))
    size = len(store.rows(False, 1, 1)[1][0].body)
    assert len(store.rows(False, 1000, 10 * (size + 30))[1]) in range(8, 12)
    assert len(store.rows(False, 7, 1 << 20)[1]) == 7


def test_numbers_of_rows_are_never_used_again(file: Path, open_store: Open) -> None:
    store = open_store(file)
    accept(store, told(1), told(2))
    store_id, rows = store.rows(False, 10, 1 << 20)
    store.named(store_id, False, [row.id for row in rows], [])
    store.close(2.0)
    store = open_store(file)
    accept(store, told(3))
    assert store.rows(False, 10, 1 << 20)[1][0].id > max(row.id for row in rows)


def test_protected_rows_are_read_apart_from_telemetry(file: Path, open_store: Open) -> None:
    store = open_store(file)
    accept(store, *(told(n) for n in range(100)))
    store.record("alarm", {"id": "a"})
    assert [row.kind for row in store.rows(True, 10, 1 << 20)[1]] == ["alarm"]
    assert {row.kind for row in store.rows(False, 1000, 1 << 20)[1]} == {"readings"}


def test_an_unknown_kind_of_row_is_a_mistake_of_ours(file: Path, open_store: Open) -> None:
    store = open_store(file)
    with pytest.raises(ValueError, match="no outbox row"):
        store.record("diary", {})
    with pytest.raises(ValueError, match="JSON"):
        store.record("run", {"litres": float("nan")})


def test_many_callers_share_a_commit(file: Path, open_store: Open) -> None:
    """With 8 callers waiting for each commit there are fewer commits than rows."""
    store = open_store(file)
    before = store.commits
    threads = [
        threading.Thread(target=lambda: [store.record("zone", {"id": "z"}) for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.commits - before < 300
    assert store.report()["rows"]["protected"] == 400


def test_work_that_fails_by_itself_fails_alone(
    file: Path, open_store: Open, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(file)
    broken = told(1)._replace(key=("no number", 1, 1))  # type: ignore[arg-type]
    answers: list[Accepted | None] = []
    store.offer([broken._replace(digest=object())], [], answers.append)  # type: ignore[arg-type]
    assert len(accept(store, told(2)).new) == 1
    assert seqs(store) == [2]
    assert answers == [None]
    assert "a piece of work for the store failed" in caplog.text
    assert store.report()["waiting_messages"] == 0


def test_a_second_process_is_refused(file: Path, open_store: Open) -> None:
    open_store(file)
    code = "import sys; from pathlib import Path; from nongso.gateway.store import Store\n"
    code += "Store(Path(sys.argv[1]))"
    other = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False
    )
    assert other.returncode == 1
    assert "in use by another gateway process" in other.stderr
    with pytest.raises(StoreError, match="in use"):
        Store(file)


# damaged and foreign files


def damage_header(file: Path) -> None:
    with open(file, "r+b") as f:
        f.write(b"\0" * 100)


def damage_pages(file: Path) -> None:
    """Zero the pages of a table, as a failing card does, but not the first page."""
    with open(file, "r+b") as f:
        f.seek(4096)
        f.write(b"\xaa" * 8192)


def make_text(file: Path) -> None:
    file.write_text("not a database, but a letter\n" * 400)


def make_foreign(file: Path) -> None:
    file.unlink()
    with apsw.Connection(str(file)) as db:
        db.execute("CREATE TABLE photos (x)")
    db.close()


def make_newer(file: Path) -> None:
    db = apsw.Connection(str(file))
    db.pragma("user_version", 99)
    db.close()


def cut_off(file: Path) -> None:
    os.truncate(file, 4096)


@pytest.mark.parametrize(
    "harm", [damage_header, damage_pages, make_text, make_foreign, make_newer, cut_off]
)
def test_a_damaged_or_foreign_file_is_set_aside_and_work_goes_on(
    file: Path, open_store: Open, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(file)
    accept(store, *(told(n) for n in range(200)))
    store.close(2.0)
    harm(file)
    before = file.read_bytes()
    store = open_store(file)
    until(lambda: alarms(store), "the alarm is recorded")
    (alarm,) = alarms(store)
    assert alarm["code"] == "store_damaged"
    aside = file.with_name(alarm["values"]["file"])
    assert aside.read_bytes() == before
    assert "is kept as" in caplog.text
    accept(store, told(1000))
    store.close(2.0)
    assert 1000 in seqs(open_store(file))
    assert len(list(file.parent.glob("*.damaged-*Z"))) == 1


def test_a_damaged_store_gives_back_what_can_be_read(file: Path, open_store: Open) -> None:
    store = open_store(file)
    accept(store, *(told(n) for n in range(3000)))
    store.record("run", {"id": "r1"})
    store.set_state("mode", "off")
    store.seen_command("c1")
    first_id = store.report()["store"]
    store.close(2.0)
    size = file.stat().st_size
    with open(file, "r+b") as f:  # one bad page in the middle of the file
        f.seek(size // 2 // 4096 * 4096)
        f.write(b"\xaa" * 4096)
    store = open_store(file)
    until(lambda: alarms(store), "the alarm is recorded")
    assert store.report()["store"] != first_id
    assert len(seqs(store)) > 2000
    assert (store.state("mode"), store.seen_command("c1")) == ("off", True)


def test_a_log_without_its_file_never_meets_a_new_file(file: Path, open_store: Open) -> None:
    Path(f"{file}-wal").write_bytes(b"\x37\x7f\x06\x82" + b"old" * 5000)
    store = open_store(file)
    accept(store, told(1))
    assert seqs(store) == [1]
    assert list(file.parent.glob("*.damaged-*-wal"))


def test_a_disk_that_damages_everything_is_not_filled_with_copies(
    file: Path, open_store: Open, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(8):
        make_text(file)
        open_store(file).close(2.0)
    assert len(list(file.parent.glob("*.damaged-*"))) == 5
    assert "replace it" in caplog.text


def test_mutilated_files_never_stop_the_gateway(tmp_path: Path, open_store: Open) -> None:
    """Bit flips and cuts at many places: opens, sets aside or goes on, and takes new messages."""
    import random

    chance = random.Random(7)
    whole = tmp_path / "whole.sqlite"
    store = open_store(whole)
    accept(store, *(told(n) for n in range(500)))
    store.close(2.0)
    good = whole.read_bytes()
    written = {told(n).body for n in range(500)}
    for trial in range(30):
        file = tmp_path / f"{trial}" / "store.sqlite"
        file.parent.mkdir()
        bad = bytearray(good)
        for _ in range(chance.choice((1, 20, 300))):
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        file.write_bytes(bad[: chance.choice((len(bad), chance.randrange(len(bad))))])
        store = open_store(file)
        written.add(told(10_000 + trial).body)
        accept(store, told(10_000 + trial))
        sound = {row.body for row in store.rows(False, 10_000, 1 << 30)[1] if row.is_sound}
        assert sound <= written  # a flipped bit is never sent as a reading
        store.close(2.0)


# the disk takes nothing


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    """Mount a tmpfs where that is permitted, else skip."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with open(file, "wb", buffering=0) as f, suppress(OSError):
        while f.write(b"x" * 4096):
            pass


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def test_nothing_is_acknowledged_on_a_full_disk_and_all_of_it_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        store = Store(disk / "store.sqlite")
        filler = disk / "photos"
        fill(filler)
        answers: list[Accepted | None] = []
        number = 0
        while store.is_writable():  # the file may have some room of its own
            store.offer([told(number)], [], answers.append)
            number += 1
            until(lambda n=number: len(answers) == n or not store.is_writable(), "it is tried")
        assert len(answers) == number - 1
        started = time.monotonic()
        for n in range(20):
            store.record("run", {"id": str(n)})
        assert store.seen_command("c") is False
        assert time.monotonic() - started < 1.0  # watering is not held up
        assert store.report()["waiting_rows"] == 21
        assert caplog.text.count("the store cannot be written") == 1
        assert "no space left" in caplog.text
        filler.unlink()
        until(store.is_writable, "the store works again", 15)
        until(lambda: len(answers) == number, "everything is acknowledged")
        assert seqs(store) == list(range(number))
        assert [b["run"]["id"] for b in bodies(store, protected=True)] == [
            str(n) for n in range(20)
        ]
        assert caplog.text.count("can be written again") == 1
        assert store.report()["waiting_rows"] == 0
        store.close(2.0)


@pytest.mark.parametrize("leaves_shm", [True, False])
def test_what_people_set_holds_on_a_read_only_disk(tmp_path: Path, leaves_shm: bool) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        file = disk / "store.sqlite"
        code = "import os, sys; from pathlib import Path; from nongso.gateway.store import Store\n"
        code += "s = Store(Path(sys.argv[1])); s.set_state('stop', '1'); os._exit(9)"
        subprocess.run([sys.executable, "-c", code, str(file)], check=False)
        if not leaves_shm:
            Path(f"{file}-shm").unlink()
        remount(disk, "ro")
        store = Store(file)
        assert not store.is_writable()
        assert store.state("stop") == "1"
        store.record("run", {"id": "r"})
        answers: list[Accepted | None] = []
        store.offer([told(1)], [], answers.append)
        assert not answers
        remount(disk, "rw")
        until(lambda: answers, "the message is acknowledged", 15)
        assert [b["run"]["id"] for b in bodies(store, protected=True)] == ["r"]
        store.close(2.0)


def test_a_store_that_cannot_be_made_does_not_stop_the_process(
    tmp_path: Path, open_store: Open, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "store.sqlite"
    file.mkdir()  # whatever stands there, it is no file
    store = open_store(file)
    assert not store.is_writable()
    assert store.state("mode") is None
    store.record("run", {"id": "r"})
    assert store.rows(True, 10, 1000) == ("", [])
    assert "cannot be written" in caplog.text
    file.rmdir()
    until(store.is_writable, "the store works", 15)
    assert len(bodies(store, protected=True)) == 1


def test_memory_is_bounded_while_the_disk_takes_nothing(tmp_path: Path, open_store: Open) -> None:
    file = tmp_path / "store.sqlite"
    file.mkdir()
    store = open_store(file)
    for n in range(10_050):
        store.record("zone", {"id": str(n)})
    assert store.report()["waiting_rows"] == 10_000
    assert store.report()["rows_lost"] == 50
    burst = [told(n) for n in range(5000)]
    for _ in range(4):
        store.offer(burst, [], lambda accepted: None)
    with pytest.raises(StoreBusy):
        store.offer(burst, [], lambda accepted: None)


# keeping small


def test_the_oldest_telemetry_goes_first_and_is_declared(
    file: Path, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nongso.gateway.retention.SIZE_CHECK_SECONDS", 0.0)
    store = open_store(file, most_bytes=2 << 20)
    for kind in sorted(PROTECTED):
        store.record(kind, {"id": "first"})
    number = 0
    while store.report()["telemetry_dropped"] == 0:
        accept(store, *(told(n) for n in range(number, number + 500)))
        number += 500
        assert number < 100_000
    dropped = store.report()["telemetry_dropped"]
    assert seqs(store) == list(range(dropped, number))
    rows = bodies(store, protected=True)
    kept = [{"kind": kind, kind: {"id": "first"}} for kind in sorted(PROTECTED)]
    assert rows[: len(kept)] == kept
    assert [(a["code"], a["values"]) for a in alarms(store)[1:]] == [
        ("telemetry_dropped", {"count": dropped})
    ]
    for _ in range(20):
        accept(store, *(told(n) for n in range(number, number + 500)))
        number += 500
    assert file.stat().st_size < 4 << 20
    assert len(alarms(store)) == 2  # further drops are declared together, later
    assert bodies(store, protected=True)[: len(kept)] == kept
