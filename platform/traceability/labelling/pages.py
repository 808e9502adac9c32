"""The clerk's pages for labels: print them, say what became of them, fetch a sheet again."""

import logging

from flask import Response, abort, make_response, redirect, request, url_for
from sqlalchemy import select

from nongso.labels.errors import LabelError
from nongso.platform.accounts import allow, scoped
from nongso.platform.forms import Form
from nongso.platform.languages import _, number
from nongso.platform.store import records
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    held_by_spraying,
    new_form,
    own_lot,
    page,
    settings,
    today,
)
from nongso.platform.traceability.errors import NotPacked, Refused, TooManyLabels, Withdrawn
from nongso.platform.traceability.identifiers import opens_only_here, printed_address
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import scratch as scratch_codes
from nongso.platform.traceability.labelling.account import MOST_NAMES, Told
from nongso.platform.traceability.labelling.desk import (
    mark_choices,
    offered,
    picture_of,
    read_mark,
    read_sheet,
)
from nongso.platform.traceability.labelling.errors import SheetGiven
from nongso.platform.traceability.labelling.layouts import DEFAULT_LAYOUT
from nongso.platform.traceability.labelling.text import texts_of
from nongso.platform.traceability.legal import facts as legal_facts
from nongso.platform.traceability.making.errors import Unusable
from nongso.platform.traceability.moving.desk import done
from nongso.platform.traceability.moving.errors import Held
from nongso.platform.traceability.records import LOT, SCRATCH, LabelIssue, Lot
from nongso.platform.traceability.testing import holding

log = logging.getLogger(__name__)

Answer = str | tuple[str, int] | Response
DEEDS = {
    "applied": labelling_account.apply,
    "spoiled": labelling_account.spoil,
    "returned": labelling_account.give_back,
}


@blueprint.get("/lots/<code>/labels")
@allow("clerk")
def labels(code: str) -> Answer:
    """Show the form for printing: as many labels as packs are left without one."""
    found = own_lot(code)
    return _labels(_proposed(found), found)


def _proposed(lot: Lot) -> Form:
    """As many labels as packs are left without one, as far as one issue goes."""
    count = str(min(lot.labels_left, labelling.MOST_AT_ONCE))
    proposed = {"layout": DEFAULT_LAYOUT, "start_cell": "1", "codes": LOT}
    return Form(new_form(count=count, **proposed))


@blueprint.post("/lots/<code>/labels")
@allow("clerk")
def print_labels(code: str) -> Answer:
    """Issue labels, then go to the page where the sheet is fetched."""
    found = own_lot(code)
    form = Form(request.form)
    most = min(max(found.labels_left, 1), labelling.MOST_AT_ONCE)
    count = form.count("count", 1, 10**6, told=most)
    codes = form.choice("codes", labelling.CODES)
    wish = labelling.Wish(found.code, count, *read_sheet(form), codes, read_mark(form))
    picture = picture_of(found.cooperative, found.product)
    made = done(form, labelling.issue, wish, texts_of(found), picture)
    if made is None:
        return _labels(form, found)
    return redirect(url_for("records.issue", key=made.id), 303)  # type: ignore[return-value]


def _labels(form: Form, lot: Lot, told: Form | None = None, deed: str = "") -> Answer:
    """The page of a lot's labels; ``told`` is a form of the account that came back."""
    base = settings().label_url
    in_hand = labelling_account.numbers_in_hand(records(), lot).replace(",", ", ")
    accounts = {one: Form(new_form(names=in_hand if one == "applied" else "")) for one in DEEDS}
    if told is not None:
        accounts[deed] = told
    return page(
        "labels.html",
        form,
        accounts=accounts,
        lot=lot,
        account=labelling_account.account_of(records(), lot),
        layouts=[(one.key, one) for one in offered()],
        marks=mark_choices(),
        code_choices=(
            ("lot", _("mã chung của lô")),
            ("unit", _("mỗi gói một số riêng")),
            ("scratch", _("mỗi gói một số riêng và một mã cào")),
        ),
        address=printed_address(base, lot.code, None, lot.product.gtin if lot.product else None),
        only_here=opens_only_here(base),
        legal=legal_facts.check_lot(records(), lot),
        may_print=not (unprintable := _no_label(lot)),
        sentence=unprintable,
    )


def _no_label(lot: Lot) -> str:
    """Why no label can be printed; empty if it can."""
    if lot.withdrawn_at is not None:
        return _("Không in tem: bản ghi của lô này đã bị hủy.")
    if lot.packs == 0:
        return sentences.refusal(NotPacked(lot.code))
    if (held := holding.kind_of(lot)) != "":
        return sentences.refusal(Held(lot.code, held))
    if lot.best_before is not None and lot.best_before < today().isoformat():
        return sentences.refusal(Unusable(lot.code, "expired"))
    if (early := held_by_spraying(lot)) != "":
        return early
    if lot.labels_left > 0:
        return ""
    return sentences.refusal(TooManyLabels(lot.packs, lot.labels - lot.spoiled, 0, 1))


@blueprint.post("/lots/<code>/labels/<deed>")
@allow("clerk")
def tell_labels(code: str, deed: str) -> Answer:
    """Record what became of labels: stuck on packs, spoiled, returned."""
    found = own_lot(code)
    if deed not in DEEDS:
        abort(404)
    form = Form(request.form)
    names = labelling_account.split_names(form["names"])
    if len(names) > MOST_NAMES:
        most = number(MOST_NAMES)
        form.wrong(
            "names", _("Mỗi lần ghi nhiều nhất %(most)s dòng. Xin ghi nhiều lần.", most=most)
        )
    if done(form, DEEDS[deed], Told(found.code, names)) is not None:
        there = url_for("records.labels", code=found.code, recorded=deed)
        return redirect(there, 303)  # type: ignore[return-value]
    answer = make_response(_labels(_proposed(found), found, form, deed))
    answer.status_code = 422
    return answer


def own_issue(key: str) -> LabelIssue:
    """An issue that the asker may see, else 404."""
    found = records().scalar(
        scoped(select(LabelIssue), LabelIssue.cooperative).where(LabelIssue.id == key)
    )
    if found is None:
        abort(404)
    return found


def file_answer(made: LabelIssue) -> Response:
    """The checked sheet as a download, the same bytes each time. Raises ``Withdrawn``."""
    if made.roll is not None:  # its labels are on paper since long before
        abort(404)
    refuse_worthless(made)
    if made.codes == SCRATCH:  # given out once, and by a form
        abort(404)
    file = labelling.file_of(records(), made, settings().files_folder)
    return pdf_answer(file.read_bytes(), f"tem-{made.lot}-{made.first}-{made.last}.pdf")


def refuse_worthless(made: LabelIssue) -> None:
    """Raise ``Withdrawn`` or ``Held`` where labels of this lot are worth nothing."""
    lot = own_lot(made.lot)
    if lot.withdrawn_at is not None:
        raise Withdrawn(made.lot)
    holding.check(lot)


def pdf_answer(pdf: bytes, name: str) -> Response:
    """A PDF to be saved under that name."""
    answer = Response(pdf, content_type="application/pdf")
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer


@blueprint.get("/labels/<key>")
@allow(*READERS)
def issue(key: str) -> Answer:
    """What was issued, and the sheet."""
    made = own_issue(key)
    if made.roll is not None:
        abort(404)
    try:
        refuse_worthless(made)
        if made.codes != SCRATCH:
            labelling.file_of(records(), made, settings().files_folder)
    except (LabelError, Refused) as e:
        return issue_page(made, e)
    return issue_page(made)


def issue_page(made: LabelIssue, error: LabelError | Refused | None = None) -> Answer:
    """The page of an issue, or why there is no sheet of it."""
    given: SheetGiven | None = None
    if made.codes == SCRATCH:
        try:
            scratch_codes.refuse_sheet(records(), made)
        except SheetGiven as e:
            given = e
    trouble = "" if error is None or isinstance(error, SheetGiven) else _trouble(made, error)
    text = page(
        "issue.html",
        made=made,
        lot=own_lot(made.lot),
        trouble=trouble,
        is_scratch=made.codes == SCRATCH,
        given=given,
        given_words=_words_of(error if isinstance(error, SheetGiven) else given),
    )
    if isinstance(error, SheetGiven):
        return str(text), 409
    return text


def _words_of(given: SheetGiven | None) -> str:
    return "" if given is None else sentences.refusal(given)


def _trouble(made: LabelIssue, error: LabelError | Refused) -> str:
    match error:
        case Withdrawn():
            return _("Bản ghi của lô này đã bị hủy, nên các tem này không còn giá trị.")
        case Refused():
            return sentences.refusal(error)
    log.error("the sheet of issue %s is not released: %s", made.id, error)
    return _(
        "Tem đã được cấp nhưng máy chưa đọc lại được đủ mã trên tờ in, nên chưa cho tải về. "
        "Xin tải lại trang này. Nếu vẫn thế, xin báo người phụ trách máy."
    )


@blueprint.get("/labels/<key>.pdf")
@allow(*READERS)
def sheet(key: str) -> Answer:
    """The sheet itself."""
    made = own_issue(key)
    try:
        return file_answer(made)
    except (LabelError, Refused):
        return redirect(url_for("records.issue", key=made.id), 303)  # type: ignore[return-value]
