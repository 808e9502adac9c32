"""Labels for programs: issue them, say what became of them, ask where they all are."""

import uuid

import msgspec
from flask import Blueprint, Response, jsonify, url_for
from sqlalchemy import select

from nongso.labels.errors import LabelError
from nongso.platform.accounts import allow, somebody
from nongso.platform.errors import Problem
from nongso.platform.languages import _
from nongso.platform.openapi import WholeNumber, operation
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.api import body_of, own_lot
from nongso.platform.traceability.desk import READERS, desk, settings
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import rolls as labelling_rolls
from nongso.platform.traceability.labelling import scratch
from nongso.platform.traceability.labelling.account import Told
from nongso.platform.traceability.labelling.desk import picture_of
from nongso.platform.traceability.labelling.layouts import DEFAULT_LAYOUT
from nongso.platform.traceability.labelling.pages import DEEDS, file_answer, own_issue, pdf_answer
from nongso.platform.traceability.labelling.roll_pages import own_roll
from nongso.platform.traceability.labelling.rolls import Binding, RollWish
from nongso.platform.traceability.labelling.scratch_pages import sheet_answer
from nongso.platform.traceability.labelling.shapes import (
    AccountAnswer,
    IssueAnswer,
    LabelsAnswer,
    LabelsOfLotAnswer,
    RollAnswer,
)
from nongso.platform.traceability.labelling.text import texts_of, texts_of_roll
from nongso.platform.traceability.records import LOT, SCRATCH, LabelIssue, Lot, Product

blueprint = Blueprint("labels_api", __name__, url_prefix="/api/v1")

REFUSED = {409: "refused, with the reason's code and a sentence"}


class Labels(msgspec.Struct, forbid_unknown_fields=True):
    """A wish for labels. The same ``id`` twice is one issue; give it to be able to send again.

    ``codes``: ``lot`` (every code says which lot), ``unit`` (each pack has its own serial) or
    ``scratch`` (and a scratch code, on a layout with a place for it).
    ``mark``: the id of a collective mark that shall stand on them, as its page's address has it.
    """

    count: WholeNumber
    layout: str = DEFAULT_LAYOUT
    start_cell: WholeNumber = 1
    codes: str = LOT
    mark: str = ""
    id: uuid.UUID | None = None


class Sheet(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the sheet shall be given out in place of one whose labels nobody has used."""

    anew: bool = False


class Names(msgspec.Struct, forbid_unknown_fields=True):
    """Labels by number in the lot (17, 20-24), by serial or by printed address."""

    labels: list[str]
    id: uuid.UUID | None = None


class Stretch(msgspec.Struct, forbid_unknown_fields=True):
    """Labels of a roll, by the serial or the printed address of the first and the last."""

    first: str
    last: str
    id: uuid.UUID | None = None


class Roll(msgspec.Struct, forbid_unknown_fields=True):
    """A wish for labels without a lot."""

    product: str
    count: WholeNumber
    layout: str = DEFAULT_LAYOUT
    start_cell: WholeNumber = 1
    mark: str = ""
    id: uuid.UUID | None = None


_ACCOUNTED = {200: "the account", 404: "no such lot", **REFUSED}


@blueprint.get("/lots/<code>/labels")
@allow(*READERS, scope="read")
@operation(
    answers={200: "where all labels of the lot are, and its issues", 404: "no such lot"},
    answer=LabelsOfLotAnswer,
)
def labels_of_lot(code: str) -> Response:
    """The account of a lot's labels: issued = applied + spoiled + returned + left."""
    lot = own_lot(code)
    wanted = select(LabelIssue).where(LabelIssue.lot == lot.code).order_by(LabelIssue.first)
    return jsonify(
        {
            "lot": lot.code,
            "account": _account(lot),
            "issues": [_issue(made) for made in records().scalars(wanted)],
        }
    )


@blueprint.post("/lots/<code>/labels")
@allow("clerk", scope="labels")
@operation(
    body=Labels,
    answer=LabelsAnswer,
    answers={
        201: "range, codes and the address of the PDF",
        400: "the wish cannot be read",
        404: "no such lot",
        **REFUSED,
    },
)
def issue_labels(code: str) -> tuple[Response, int]:
    """Issue labels and print them; the same ``id`` again is the same issue."""
    found = own_lot(code)
    asked = body_of(Labels)
    if asked.codes not in labelling.CODES:
        known = ", ".join(labelling.CODES)
        raise Problem(400, "bad_codes", _("codes phải là một trong: %(known)s.", known=known))
    wish = labelling.Wish(
        found.code,
        int(asked.count),
        asked.layout,
        int(asked.start_cell),
        asked.codes,
        asked.mark,
    )
    id_ = str(asked.id or uuid.uuid4())
    try:
        with transaction() as session:
            photo = picture_of(found.cooperative, found.product)
            made = labelling.issue(desk(session), id_, wish, texts_of(found), photo)
        if made.codes != SCRATCH:
            labelling.file_of(records(), made, settings().files_folder)
        codes = labelling.addresses_of(records(), made)
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e
    except LabelError as e:
        raise Problem(500, "sheet_not_readable", str(e), issue=made.id) from e
    answer = jsonify({**_issue(made), "codes": codes})
    answer.headers["Location"] = _sheet_of(made)
    return answer, 201


def _sheet_of(made: LabelIssue) -> str:
    """Where the sheet is: to be fetched, or with scratch codes to be asked for by POST."""
    name = "scratch_sheet" if made.codes == SCRATCH else "labels_pdf"
    return url_for(f"labels_api.{name}", key=made.id)


def _issue(made: LabelIssue) -> IssueAnswer:
    return {
        "id": made.id,
        "lot": made.lot,
        "at": made.at,
        "range": {"first": made.first, "last": made.last},
        "pdf": _sheet_of(made),
    }


def _account(lot: Lot) -> AccountAnswer:
    found = labelling_account.account_of(records(), lot)
    return {
        "issued": found.issued,
        "applied": found.applied,
        "spoiled": found.spoiled,
        "returned": found.returned,
        "left": found.left,
        "may_be_issued": lot.labels_left,
    }


@blueprint.post("/lots/<code>/labels/applied")
@allow("clerk", scope="labels")
@operation(body=Names, answer=AccountAnswer, answers=_ACCOUNTED)
def labels_applied(code: str) -> Response:
    """Confirm labels as stuck on packs; none named: all that are left."""
    return _tell(code, "applied")


@blueprint.post("/lots/<code>/labels/spoiled")
@allow("clerk", scope="labels")
@operation(body=Names, answer=AccountAnswer, answers=_ACCOUNTED)
def labels_spoiled(code: str) -> Response:
    """Report labels spoiled; as many may be issued again."""
    return _tell(code, "spoiled")


@blueprint.post("/lots/<code>/labels/returned")
@allow("clerk", scope="labels")
@operation(body=Names, answer=AccountAnswer, answers=_ACCOUNTED)
def labels_returned(code: str) -> Response:
    """Take labels back that nobody used; as many may be issued again."""
    return _tell(code, "returned")


@blueprint.post("/lots/<code>/labels/bound")
@allow("clerk", scope="labels")
@operation(body=Stretch, answer=AccountAnswer, answers=_ACCOUNTED)
def labels_bound(code: str) -> Response:
    """Bind labels of a roll, from the first to the last, to a lot: they are on its packs."""
    lot, asked = own_lot(code), body_of(Stretch)
    try:
        with transaction() as session:
            wish = Binding(lot.code, asked.first[:200], asked.last[:200])
            labelling_rolls.bind(desk(session), str(asked.id or uuid.uuid4()), wish)
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e
    records().expire_all()
    return jsonify(_account(own_lot(code)))


@blueprint.post("/label-rolls")
@allow("clerk", scope="labels")
@operation(
    body=Roll,
    answer=RollAnswer,
    answers={201: "the roll, its codes and the address of the PDF", 400: "unreadable", **REFUSED},
)
def make_roll() -> tuple[Response, int]:
    """Print labels of a product without a lot; the same ``id`` again is the same roll."""
    asked = body_of(Roll)
    wish = RollWish(
        asked.product, int(asked.count), asked.layout, int(asked.start_cell), asked.mark
    )
    product = records().get(Product, asked.product)
    texts = texts_of_roll(product) if product is not None else {}
    try:
        with transaction() as session:
            id_ = str(asked.id or uuid.uuid4())
            photo = picture_of(somebody().cooperative, product)
            made = labelling_rolls.make_roll(desk(session), id_, wish, texts, photo)
        labelling_rolls.file_of_roll(records(), made, settings().files_folder)
        codes = labelling_rolls.addresses_of_roll(records(), made)
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e
    except LabelError as e:
        raise Problem(500, "sheet_not_readable", str(e)) from e
    told: RollAnswer = {
        "id": made.id,
        "product": made.product_id,
        "count": made.count,
        "pdf": url_for("labels_api.roll_pdf", key=made.id),
        "codes": codes,
    }
    return jsonify(told), 201


@blueprint.get("/label-rolls/<key>.pdf")
@allow(*READERS, scope="read")
@operation(
    answers={200: "the checked labels as PDF", 404: "no such roll"}, media="application/pdf"
)
def roll_pdf(key: str) -> Response:
    """The checked file of a roll."""
    made = own_roll(key)
    try:
        file = labelling_rolls.file_of_roll(records(), made, settings().files_folder)
    except LabelError as e:
        raise Problem(500, "sheet_not_readable", str(e)) from e
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e
    return pdf_answer(file.read_bytes(), f"tem-in-san-{made.id[:8]}.pdf")


def _tell(code: str, deed: str) -> Response:
    lot, asked = own_lot(code), body_of(Names)
    names = tuple(name for text in asked.labels for name in labelling_account.split_names(text))
    if len(names) > labelling_account.MOST_NAMES:
        most = labelling_account.MOST_NAMES
        raise Problem(400, "too_many_names", f"at most {most} names at once")
    try:
        with transaction() as session:
            DEEDS[deed](desk(session), str(asked.id or uuid.uuid4()), Told(lot.code, names))
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e
    records().expire_all()
    return jsonify(_account(own_lot(code)))


@blueprint.get("/labels/<key>.pdf")
@allow(*READERS, scope="read")
@operation(
    answers={
        200: "a checked sheet as PDF",
        404: "no such sheet, or one with scratch codes: see POST",
        409: "the lot was withdrawn",
    },
    media="application/pdf",
)
def labels_pdf(key: str) -> Response:
    """A checked sheet."""
    try:
        return file_answer(own_issue(key))
    except LabelError as e:
        raise Problem(500, "sheet_not_readable", str(e)) from e
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e


@blueprint.post("/labels/<key>/sheet")
@allow("clerk", scope="labels")
@operation(
    body=Sheet,
    answers={
        200: "the checked sheet as PDF, with the scratch codes that are kept nowhere else",
        404: "no such sheet",
        409: "given out already, labels without scratch codes, or the lot was withdrawn",
    },
    media="application/pdf",
)
def scratch_sheet(key: str) -> Response:
    """Give out a sheet with scratch codes, once; ``anew`` draws other codes in their place."""
    made, asked = own_issue(key), body_of(Sheet)
    try:
        return sheet_answer(made, scratch.sheets_given(records(), made) if asked.anew else 0)
    except LabelError as e:
        raise Problem(500, "sheet_not_readable", str(e)) from e
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e
