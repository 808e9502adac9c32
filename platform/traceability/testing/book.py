"""How samples, tests and recalls follow from events. Plugged into ``lots.PLUGGED``.

An event that holds lots back names all of them, and an event that lets go names those that no
other cause holds, so that each rule reads its event only.
"""

from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.book import Book
from nongso.platform.traceability.moving.book import account, quantities, shift
from nongso.platform.traceability.recall.records import Recall, RecallHolder, RecallLot
from nongso.platform.traceability.shaping import Body
from nongso.platform.traceability.testing import holding
from nongso.platform.traceability.testing.records import (
    FAILED,
    PASSED,
    RECALLED,
    LabTest,
    LotHold,
    Sample,
)

SAMPLED = "lot.sampled"
SAMPLE_USED = "lot.sample_used"
TESTED = "lot.tested"
TEST_WRONG = "lot.test_declared_wrong"  # the first half of a correction: what it corrects
TEST_CORRECTED = "lot.test_corrected"  # the second half: what the laboratory did find
RECALL_BEGUN = "lot.recalled"
RECALL_ENDED = "lot.recall_ended"


def _sampled(book: Book, event: Event) -> None:
    for code, packs, grams in quantities(event.body):
        lot = book.lot(code)
        if packs:
            shift(account(book, lot), "loose", "sampled", packs)
        lots.take_off(lot, packs or grams, lots.SAMPLED)
        book.add(
            Sample(
                id=event.id,
                lot=code,
                cooperative=event.cooperative,
                at=event.at,
                packs=packs,
                grams=grams,
                laboratory=event.body["nongso:laboratory"],
            )
        )


def _nothing(book: Book, event: Event) -> None:
    """The sample left the stock when it was taken."""


def _tested(book: Book, event: Event) -> None:
    body = event.body
    code = lots.lot_in(body)
    conformant = body["disposition"] == "conformant"
    report = body.get("nongso:report", {})
    book.add(
        LabTest(
            id=event.id,
            lot=code,
            cooperative=event.cooperative,
            at=event.at,
            laboratory=body["nongso:laboratory"],
            report_number=body["nongso:reportNumber"],
            what=body["nongso:what"],
            value=body["nongso:value"],
            unit=body["nongso:unit"],
            limit=body["nongso:limit"],
            conformant=conformant,
            file_sha256=report.get("sha256"),
            file_name=report.get("name"),
            wrong_at=None,
            wrong_why=None,
        )
    )
    for held in body.get("nongso:holds", ()):
        holding.hold(book, held, event.id, FAILED, event.at)
        book.lot(held).tested = FAILED
    for cause, held in body.get("nongso:lifts", ()):
        holding.let_go(book, held, cause, event.at)
    for freed in body.get("nongso:freed", ()):
        book.lot(freed).tested = ""
    lot = book.lot(code)
    if conformant and lot.tested != FAILED:
        lot.tested = PASSED


def _test_wrong(book: Book, event: Event) -> None:
    """Let go what the wrong test held, and hold again what it had let go."""
    body, said = event.body, event.body["errorDeclaration"]
    test = book.find(LabTest, test_in(body))
    assert test is not None, "events are in order"
    test.wrong_at, test.wrong_why = event.at, said["nongso:why"]
    for cause, held in said["nongso:lifts"]:
        holding.let_go(book, held, cause, event.at)
    for cause, held in said["nongso:holdsAgain"]:
        holding.hold_again(book, held, cause, event.at)
    for code, stands in said["nongso:tested"]:
        book.lot(code).tested = stands


def test_in(body: Body) -> str:
    """The test that an event brought about or declares wrong."""
    event_id: str = body["eventID"]
    return event_id.removeprefix("urn:uuid:")


def _recalled(book: Book, event: Event) -> None:
    body = event.body
    book.add(
        Recall(
            id=event.id,
            cooperative=event.cooperative,
            at=event.at,
            origin=body["nongso:origin"],
            origin_key=body["nongso:originKey"],
            why=body["nongso:why"],
            advice=body["nongso:advice"],
            outcome=body["nongso:outcome"],
            ended_at=None,
            ended_how=None,
            ended_why=None,
        )
    )
    for code, in_store, out, gone, grams in body["nongso:lots"]:
        book.add(
            RecallLot(
                recall=event.id,
                lot=code,
                packs_in_store=in_store,
                packs_out=out,
                packs_gone=gone,
                grams_in_store=grams,
            )
        )
        holding.hold(book, code, event.id, RECALLED, event.at)
        lot = book.lot(code)
        lot.recalled_at, lot.recalled_why = event.at, body["nongso:why"]
    for code, holder, packs, grams in body["nongso:holders"]:
        book.add(
            RecallHolder(
                recall=event.id,
                lot=code,
                holder=holder,
                packs=packs,
                grams=grams,
                returned_packs=0,
                returned_grams=0,
                destroyed_packs=0,
                destroyed_grams=0,
            )
        )


def _recall_ended(book: Book, event: Event) -> None:
    body = event.body
    recall = book.find(Recall, body["nongso:recall"])
    assert recall is not None, "events are in order"
    recall.ended_at, recall.ended_how = event.at, body["nongso:outcome"]
    recall.ended_why = body["nongso:why"]
    for code in body["nongso:letGo"]:
        holding.let_go(book, code, recall.id, event.at)
    for code in body["nongso:freed"]:
        lot = book.lot(code)
        lot.recalled_at, lot.recalled_why = None, None


APPLIES = {
    SAMPLED: _sampled,
    SAMPLE_USED: _nothing,
    TESTED: _tested,
    TEST_WRONG: _test_wrong,
    TEST_CORRECTED: _tested,
    RECALL_BEGUN: _recalled,
    RECALL_ENDED: _recall_ended,
}
TABLES = (Sample, LabTest, LotHold, Recall, RecallLot, RecallHolder)
