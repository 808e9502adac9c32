"""Every label on paper is accounted for: on a pack, spoiled, returned, or still in hand."""

import os
import signal
import subprocess
import sys

import pypdfium2  # type: ignore[import-untyped]
import pytest
from alembic import command
from cooperative import NOW, Farm, new_id
from platform_site import Site
from sqlalchemy import select, text

from nongso.labels import check, layout
from nongso.platform import migrations
from nongso.platform.events import Event
from nongso.platform.migrations import _config
from nongso.platform.traceability import lots
from nongso.platform.traceability.errors import AlreadyRecorded, SerialUnknown, TooManyLabels
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.labelling.account import (
    Told,
    account_of,
    apply,
    give_back,
    numbers_in_hand,
    split_names,
    spoil,
)
from nongso.platform.traceability.labelling.errors import LabelsTwice, NothingInHand, NotInHand
from nongso.platform.traceability.labelling.text import texts_of
from nongso.platform.traceability.proof.records import LogEntry
from nongso.platform.traceability.records import LOT, LabelCode, LabelIssue


def issue(farm: Farm, lot: str, count: int, id: str | None = None, **more) -> LabelIssue:  # noqa: A002
    return farm.do(
        labelling.issue, labelling.Wish(lot, count, **more), texts_of(farm.lot(lot)), id=id
    )


def account(farm: Farm, lot: str) -> tuple[int, int, int, int, int]:
    """Issued, applied, spoiled, returned and left; the tables and the stream agree on them."""
    with farm.records.session() as session:
        assert lots.differences(session) == []
        found = account_of(session, farm.lot(lot))
        assert found.issued == found.applied + found.spoiled + found.returned + found.left
        return found.issued, found.applied, found.spoiled, found.returned, found.left


def state(farm: Farm, serial: str) -> str:
    with farm.records.session() as session:
        return labelling_state.standing(session, serial, NOW).state


def serials_of(farm: Farm, made: LabelIssue) -> list[str]:
    with farm.records.session() as session:
        return labelling.codes_of(session, made.id)


def test_issued_is_applied_and_spoiled_and_returned_and_left(farm: Farm) -> None:
    lot = farm.packed(30).code
    made = issue(farm, lot, 30)
    assert account(farm, lot) == (30, 0, 0, 0, 30)
    assert farm.do(apply, Told(lot, ("1-20", "22"))) == 21
    assert farm.do(spoil, Told(lot, ("21", serials_of(farm, made)[0]))) == 2
    assert farm.do(give_back, Told(lot, ("29-30",))) == 2
    assert account(farm, lot) == (30, 20, 2, 2, 6)
    with farm.records.session() as session:
        assert numbers_in_hand(session, farm.lot(lot)) == "23-28"
    assert farm.do(apply, Told(lot, ())) == 6, "no names: all that are in hand"
    again = issue(farm, lot, 4)
    assert (again.first, again.last) == (31, 34), "for two spoiled and two returned"
    with pytest.raises(TooManyLabels):
        issue(farm, lot, 1)
    assert account(farm, lot) == (34, 26, 2, 2, 4)


def test_a_label_is_told_of_once_and_only_of_its_own_lot(farm: Farm) -> None:
    lot, other = farm.packed(5).code, farm.packed(5).code
    made, theirs = issue(farm, lot, 5), issue(farm, other, 5)
    farm.do(apply, Told(lot, ("1-3",)))
    for deed, names in ((apply, ("3-4",)), (give_back, ("1",)), (apply, ("6",)), (apply, ("0",))):
        with pytest.raises(NotInHand):
            farm.do(deed, Told(lot, names))
    with pytest.raises(SerialUnknown):
        farm.do(spoil, Told(lot, (serials_of(farm, theirs)[0],)))
    with pytest.raises(SerialUnknown):
        farm.do(spoil, Told(lot, ("1-99999999999",)))
    with pytest.raises(LabelsTwice):
        farm.do(spoil, Told(lot, ("1", serials_of(farm, made)[0])))
    farm.do(apply, Told(lot, ()))
    with pytest.raises(NothingInHand):
        farm.do(apply, Told(lot, ()))
    assert account(farm, lot) == (5, 5, 0, 0, 0)


def test_the_same_form_again_is_one_deed_and_another_one_is_refused(farm: Farm) -> None:
    lot, id_ = farm.packed(5).code, new_id()
    issue(farm, lot, 5)
    for _again in range(2):
        assert farm.do(apply, Told(lot, ("1-2",)), id=id_) == 2
    with pytest.raises(AlreadyRecorded):
        farm.do(apply, Told(lot, ("3",)), id=id_)
    assert account(farm, lot) == (5, 2, 0, 0, 3)


def test_codes_of_the_lot_are_told_by_the_number_that_is_printed(farm: Farm) -> None:
    lot = farm.packed(6).code
    made = issue(farm, lot, 6, codes=LOT)
    with farm.records.session() as session:
        assert set(labelling.addresses_of(session, made)) == {f"HTTP://127.0.0.1:8080/T/{lot}"}
        file = labelling.file_of(session, made, farm.settings.files_folder)
    document = pypdfium2.PdfDocument(file)
    words = document[0].get_textpage().get_text_bounded().replace("\xa0", " ")
    document.close()
    assert [f"Tem số {number}" in words for number in range(1, 8)] == [True] * 6 + [False]
    hidden = serials_of(farm, made)[0]
    with pytest.raises(SerialUnknown):  # such a serial stands on no paper
        farm.do(spoil, Told(lot, (hidden,)))
    assert farm.do(spoil, Told(lot, ("6",))) == 1
    assert state(farm, hidden) == labelling_state.UNKNOWN


def test_a_serial_says_what_it_is_worth(farm: Farm) -> None:
    lot = farm.packed(4).code
    first, second, third, fourth = serials_of(farm, issue(farm, lot, 4))
    assert state(farm, first) == labelling_state.NOT_ACTIVATED
    farm.do(apply, Told(lot, (first, second)))
    farm.do(spoil, Told(lot, (second,)))
    farm.do(give_back, Told(lot, (third,)))
    assert state(farm, f" {first[:3]}-{first[3:].lower()}") == labelling_state.ACTIVE
    assert state(farm, second) == labelling_state.SPOILED
    assert state(farm, third) == labelling_state.RETURNED
    assert state(farm, fourth) == labelling_state.NOT_ACTIVATED
    assert state(farm, "K7M4PQRST") == labelling_state.UNKNOWN
    with farm.records.transaction() as session:
        session.get_one(type(farm.lot(lot)), lot).recalled_at = NOW
    assert state(farm, second) == labelling_state.RECALLED, "the lot comes before its label"


def test_numbers_are_read_as_people_and_scanners_write_them() -> None:
    assert split_names("1 - 24, 30;31\nHTTPS://TEM.VN/T/K7M4PQ/ABCDEFGHJ\n") == (
        "1-24",
        "30",
        "31",
        "ABCDEFGHJ",
    )
    assert split_names(" \n ") == ()


def test_a_range_is_in_the_log_before_its_sheet_can_be_fetched(farm: Farm) -> None:
    made = issue(farm, farm.packed(3).code, 3)
    assert not (farm.settings.files_folder / "labels").exists()
    with farm.records.session() as session:
        event = session.scalar(select(Event).where(Event.type == lots.LABELLED))
        assert event is not None
        entry = session.scalar(select(LogEntry).where(LogEntry.event_number == event.number))
    assert entry is not None
    assert f'"nongso:last":{made.last}'.encode() in entry.entry


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[1].split(os.pathsep)
from pathlib import Path
from cooperative import COOP, BASE, NOW
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling.text import texts_of
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot

folder, lot, id_, when = Path(sys.argv[2]), *sys.argv[3:]
settings = Settings(folder=folder, secret="k7m4pqrstvwx" * 4, records="")
records = Records.of(settings)
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
with records.transaction() as session:
    desk = ops.Desk(session, COOP, "clerk", BASE, NOW)
    wish = labelling.Wish(lot, 10)
    made = labelling.issue(desk, id_, wish, texts_of(session.get_one(Lot, lot)))
    session.flush()
    if when == "before the commit":
        die()
if when == "while the sheet is written":
    os.fsync = die
with records.session() as session:
    labelling.file_of(session, made, settings.files_folder)
"""


@pytest.mark.walk
@pytest.mark.parametrize("when", ["before the commit", "while the sheet is written"])
def test_a_batch_whose_process_is_killed_is_neither_lost_nor_issued_twice(
    farm: Farm, when: str
) -> None:
    if farm.settings.records:
        pytest.skip("the process that dies opens the file itself")
    lot, id_ = farm.packed(10).code, new_id()
    tests = os.pathsep.join(path for path in sys.path if "tests" in path)
    order = [sys.executable, "-c", KILLED, tests, str(farm.settings.folder), lot, id_, when]
    assert subprocess.run(order, check=False, timeout=120).returncode == -signal.SIGKILL
    with farm.records.session() as session:
        before = list(session.scalars(select(LabelCode.serial).order_by(LabelCode.running)))
    assert len(before) == (0 if when == "before the commit" else 10)
    again = issue(farm, lot, 10, id=id_)
    assert before in ([], serials_of(farm, again)), "the same labels, not ten others"
    with farm.records.session() as session:
        file = labelling.file_of(session, again, farm.settings.files_folder)
        wanted = labelling.addresses_of(session, again)
    assert check.check(file.read_bytes(), wanted, layout.find("a4-3x8"), 1) == 1
    assert account(farm, lot) == (10, 0, 0, 0, 10)
    with pytest.raises(TooManyLabels):
        issue(farm, lot, 1)


def test_accounts_go_and_come_back_with_all_that_was_told(farm: Farm) -> None:
    lot = farm.packed(10).code
    made = issue(farm, lot, 10)
    farm.do(apply, Told(lot, ("1-4", "6")))
    farm.do(spoil, Told(lot, ("4", "7")))
    farm.do(give_back, Told(lot, ("10",)))
    states = [state(farm, serial) for serial in serials_of(farm, made)]
    before = account(farm, lot)
    with farm.records.engine.begin() as connection:  # as an upgrade does it, in one go
        command.downgrade(_config(connection), "labelling_1-1")
        columns = connection.execute(text("SELECT * FROM label_code")).keys()
        assert not {"applied_at", "returned_at"} & set(columns)
    migrations.upgrade(farm.settings)
    assert account(farm, lot) == before
    assert [state(farm, serial) for serial in serials_of(farm, made)] == states


def test_what_was_printed_before_anybody_was_asked_counts_as_on_packs(farm: Farm) -> None:
    lot = farm.packed(10).code
    made = issue(farm, lot, 10)
    farm.do(spoil, Told(lot, ("7",)))
    with farm.records.engine.begin() as connection:
        command.downgrade(_config(connection), "labelling_1-1")
        for trigger in ("event_no_update", "event_no_change"):
            if connection.dialect.name == "sqlite":
                connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            else:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger} ON event"))
        event = Event.__table__
        for number, body in connection.execute(
            select(event.c.number, event.c.body).where(event.c.type.like("labels.%"))
        ).all():
            for new in ("nongso:awaits", "nongso:ofApplied", "nongso:numbers", "nongso:form"):
                body.pop(new, None)
            connection.execute(event.update().where(event.c.number == number).values(body=body))
    migrations.upgrade(farm.settings)
    assert account(farm, lot) == (10, 9, 1, 0, 0)
    assert state(farm, serials_of(farm, made)[0]) == labelling_state.ACTIVE


def test_a_shopper_reads_whether_a_label_was_ever_stuck_on_a_pack(site: Site, farm: Farm) -> None:
    lot = farm.packed(3).code
    waiting, on, back = serials_of(farm, issue(farm, lot, 3))
    farm.do(apply, Told(lot, (on,)))
    farm.do(give_back, Told(lot, (back,)))
    said = {one: site.stranger.get(f"/t/{lot}/{one}").text for one in (waiting, on, back)}
    assert "chưa ghi là đã dán lên gói nào" in said[waiting]
    assert "không nằm trên gói nào của lô" in said[back]
    assert 'role="alert"' not in said[on]
