"""The signer signs what continues what it signed before, and nothing else."""

import os
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cooperative import COOP, NOW, Farm
from sqlalchemy import text

from nongso.platform import events
from nongso.platform.store import Records
from nongso.platform.traceability.proof import (
    checkpoints,
    keeping,
    lotfile,
    notes,
    reading,
    rotation,
    standing,
)
from nongso.platform.traceability.proof.custody import Custody, CustodyError
from nongso.platform.traceability.proof.lotproof import Refused, judge
from nongso.platform.traceability.proof.records import LogCheckpoint, LogSigner
from nongso.platform.traceability.proof.signing import LOG_KEY, Signer

ORIGIN = "127.0.0.1:8080/log"


@pytest.fixture
def custody(farm: Farm) -> Iterator[Custody]:
    made = Custody(farm.settings.folder)
    assert made.take()
    yield made
    made.let_go()


@pytest.fixture
def signer(farm: Farm, custody: Custody) -> Signer:
    return Signer(farm.records, custody, ORIGIN)


def record(farm: Farm, type_: str = "lot.packed", count: int = 1) -> None:
    with farm.records.transaction() as session:
        for _ in range(count):
            one = {"id": str(uuid.uuid4()), "type": type_, "at": NOW, "actor": "a"}
            events.append(session, **one, cooperative=COOP, body={})


def trouble_of(farm: Farm) -> str:
    with farm.records.session() as session:
        found = session.get(LogSigner, 1)
        assert found is not None
        return found.trouble


def signed(farm: Farm) -> int:
    with farm.records.session() as session:
        found = reading.newest(session)
        return 0 if found is None else found.size


def rewind(farm: Farm) -> None:
    """Take the guards of the log away, as whoever has the machine can."""
    with farm.records.transaction() as session:
        if farm.records.is_file:
            for table in ("event", "log_entry", "log_checkpoint"):
                for deed in ("update", "delete"):
                    session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{deed}"))
        else:
            for table in ("event", "log_entry", "log_checkpoint"):
                session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_change"))


def test_the_keys_are_made_once_and_for_nobody_else_to_read(
    farm: Farm, signer: Signer, custody: Custody
) -> None:
    record(farm)
    signer.look(NOW)
    assert stat.S_IMODE(custody.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(custody.folder.stat().st_mode) == 0o700
    before = custody.file.read_text()
    again = Signer(farm.records, custody, ORIGIN)
    record(farm)
    assert again.sign_now(NOW + 9) is not None
    assert custody.file.read_text() == before
    assert before.split("+")[-1].strip() not in "".join(map(repr, vars(again).values()))
    custody.file.chmod(0o640)
    Signer(farm.records, custody, ORIGIN).look(NOW + 70)
    assert "can be read by others" in trouble_of(farm)


def test_labels_are_signed_at_once_other_things_a_little_later_and_time_every_day(
    farm: Farm, signer: Signer
) -> None:
    record(farm)
    assert signer.look(NOW) is None
    assert signer.look(NOW + 4) is None
    made = signer.look(NOW + 5)
    assert made is not None
    assert made.size == 2  # the key's own entry, and the event
    record(farm, "labels.issued")
    assert signer.look(NOW + 10) is None
    assert signer.look(NOW + 11) is not None
    for later, times in ((86000, 1), (87000, 2), (88000, 2)):
        assert signer.look(NOW + later) is None
        with farm.records.session() as session:
            newest = reading.newest(session)
            assert newest is not None
            (clock,) = reading.cosignatures(session, newest.size)
            note = notes.parse(reading.note_of(session, newest))
            assert len(note.signatures) == 1 + times
    assert (clock.first_at, clock.at) == (NOW + 11, NOW + 87000)


def test_a_checkpoint_is_read_by_the_log_s_public_key(farm: Farm, signer: Signer) -> None:
    record(farm, count=300)
    signer.sign_now(NOW)
    with farm.records.session() as session:
        newest = reading.newest(session)
        assert newest is not None
        opened = checkpoints.open_note(newest.note, reading.keys(session, LOG_KEY), [])
        assert opened.checkpoint.size == keeping.size_of(session) == 301


def test_a_log_that_was_changed_is_not_signed_any_more(farm: Farm, signer: Signer) -> None:
    record(farm, count=3)
    signer.sign_now(NOW)
    rewind(farm)
    record(farm)
    with farm.records.transaction() as session:
        session.execute(text("UPDATE log_entry SET kind = kind, entry = :new WHERE number = 4"),
                        {"new": b"{}"})  # fmt: skip
    signer.look(NOW + 100)
    signer.look(NOW + 110)
    assert "are not those that were entered" in trouble_of(farm)
    assert signed(farm) == 4


def test_a_second_history_is_not_signed(farm: Farm, signer: Signer) -> None:
    """Entries, tiles and checkpoints made anew, as if what was signed had never been."""
    record(farm, count=3)
    signer.sign_now(NOW)
    rewind(farm)
    with farm.records.transaction() as session:
        for table in ("log_entry", "log_tile", "log_checkpoint", "log_salt", "log_cosignature"):
            session.execute(text(f"DELETE FROM {table}"))
    record(farm, count=2)
    for later in (100, 110):
        signer.look(NOW + later)
        Signer(farm.records, signer.custody, ORIGIN).look(NOW + later)
    assert "its first 4 entries are not those that were signed" in trouble_of(farm)
    assert signed(farm) == 0


def test_an_old_backup_is_not_signed_as_if_nothing_had_been(farm: Farm, signer: Signer) -> None:
    record(farm, count=3)
    signer.sign_now(NOW)
    rewind(farm)
    with farm.records.transaction() as session:
        for table in ("log_entry", "log_checkpoint", "event"):
            session.execute(text(f"DELETE FROM {table}"))
        session.execute(text("DELETE FROM log_tile"))
    record(farm)
    signer.look(NOW + 100)
    signer.look(NOW + 110)
    assert "entries, but 4 were signed. Was an old backup put back?" in trouble_of(farm)


def test_lost_keys_are_not_silently_replaced(farm: Farm, signer: Signer, custody: Custody) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    with farm.records.session() as session:
        (old,) = reading.keys(session, LOG_KEY)
    custody.file.unlink()
    record(farm)
    again = Signer(farm.records, custody, ORIGIN)
    again.look(NOW + 60)
    assert "are gone" in trouble_of(farm)
    with pytest.raises(CustodyError, match="--lost"):
        rotation.prepare(farm.records, custody, lost=False)
    rotation.prepare(farm.records, custody, lost=True)
    again.look(NOW + 120)
    assert trouble_of(farm) == ""
    with farm.records.session() as session:
        data = lotfile.text_of(lotfile.make(session, packed, "")).encode()
    assert judge(data).lot == packed.code
    with pytest.raises(Refused) as error:  # nobody confirmed the new key
        judge(data, kept=[old])
    assert error.value.code == "other_key"


def test_a_replaced_key_is_confirmed_by_the_old_one(
    farm: Farm, signer: Signer, custody: Custody
) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    with farm.records.session() as session:
        (old,) = reading.keys(session, LOG_KEY)
    for later in (10, 20):
        rotation.prepare(farm.records, custody, lost=False)
        with pytest.raises(CustodyError, match="waiting already"):
            rotation.prepare(farm.records, custody, lost=False)
        made = signer.look(NOW + later)
        assert made is not None
        assert len(notes.parse(made.note).signatures) == 2  # the old key and the new one
    record(farm)
    signer.sign_now(NOW + 30)
    with farm.records.session() as session:
        new = reading.keys(session, LOG_KEY)[0]
        data = lotfile.text_of(lotfile.make(session, packed, "")).encode()
        assert standing.of_lot(session, packed).state == "unchanged"
    verdict = judge(data, kept=[old])
    assert verdict.key == new != old
    assert verdict.key_was_kept
    assert verdict.since == NOW


def test_a_signer_killed_while_keys_are_replaced_goes_on(
    farm: Farm, signer: Signer, custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(farm)
    signer.sign_now(NOW)
    rotation.prepare(farm.records, custody, lost=False)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for broken in ("remember", "take_up_next"):
        with monkeypatch.context() as patch:
            patch.setattr(Custody, broken, killed)
            with pytest.raises(KeyboardInterrupt):
                Signer(farm.records, custody, ORIGIN).look(NOW + 10)
    Signer(farm.records, custody, ORIGIN).look(NOW + 20)
    record(farm)
    again = Signer(farm.records, custody, ORIGIN)
    assert again.sign_now(NOW + 30) is not None
    with farm.records.session() as session:
        assert len(reading.keys(session, LOG_KEY)) == 2
    assert not custody.next_file.exists()


def test_only_one_signer_works(farm: Farm, custody: Custody) -> None:
    second = Custody(farm.settings.folder)
    assert not second.take()
    custody.let_go()
    assert second.take()
    second.let_go()


KILLED = """
import os, signal, sys, uuid
from pathlib import Path
from nongso.platform import events
from nongso.platform.store import Records
records = Records(Path(sys.argv[1]))
with records.transaction() as session:
    for _ in range(7):
        events.append(session, id=str(uuid.uuid4()), type="lot.packed", at=1, actor="a",
                      cooperative=None, body={})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_between_event_and_checkpoint_nothing_is_lost(farm: Farm, signer: Signer) -> None:
    if not farm.records.is_file:
        pytest.skip("the killed process writes to SQLite's file")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(farm.settings.records_file)],
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ},
    )
    assert done.returncode == -signal.SIGKILL
    made = signer.sign_now(NOW)
    assert made is not None
    assert made.size == 8
    with farm.records.session() as session:
        assert standing.of_events(session, list(range(1, 8))).state == "unchanged"


def test_a_log_of_an_older_installation_is_caught_up(farm: Farm, signer: Signer) -> None:
    with farm.records.transaction() as session:
        session.add_all(
            events.Event(
                id=str(n), type="lot.planted", at=NOW, recorded_at=NOW, actor="x",
                cooperative=COOP, body={"n": n},
            )
            for n in range(1200)
        )  # fmt: skip
    made = signer.look(NOW) or signer.look(NOW + 6)
    assert made is not None
    assert made.size == 1201


def test_two_servers_share_one_log(farm: Farm, signer: Signer) -> None:
    other = Records.of(farm.settings)
    for records in (farm.records, other) * 3:
        with records.transaction() as session:
            one = {"id": str(uuid.uuid4()), "type": "lot.packed", "at": NOW, "actor": "a"}
            events.append(session, **one, cooperative=COOP, body={})
    other.close()
    made = signer.sign_now(NOW)
    assert made is not None
    assert made.size == 7


def test_a_checkpoint_is_never_changed(farm: Farm, signer: Signer) -> None:
    record(farm)
    signer.sign_now(NOW)
    with pytest.raises(Exception, match="append-only"), farm.records.transaction() as session:
        session.query(LogCheckpoint).update({"note": "x"})
