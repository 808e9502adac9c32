"""The clerk's first page, the page of a lot, and printing its labels."""

import logging
from collections.abc import Iterable

from flask import Response, abort, make_response, redirect, request, url_for
from sqlalchemy import select

from nongso.labels import layout as layouts
from nongso.labels.errors import LabelError
from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _, number
from nongso.platform.store import records
from nongso.platform.traceability import (
    certificates,
    holding,
    labelling,
    legal_facts,
    recall_rehearsal,
    sentences,
    telling_making,
)
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    new_form,
    own_lot,
    page,
    settings,
    today,
)
from nongso.platform.traceability.errors import NotPacked, Refused, TooManyLabels, Withdrawn
from nongso.platform.traceability.identifiers import as_typed, opens_only_here, printed_address
from nongso.platform.traceability.labeltext import texts_of
from nongso.platform.traceability.making_errors import Unusable
from nongso.platform.traceability.making_pages import deeds_of
from nongso.platform.traceability.moving_desk import done
from nongso.platform.traceability.moving_errors import Held
from nongso.platform.traceability.recipe_book import recipes
from nongso.platform.traceability.records import (
    CROP,
    PACKS,
    LabelCode,
    LabelIssue,
    Lot,
    lot_kinds,
    product_kinds,
)
from nongso.platform.traceability.trace import trace
from nongso.platform.traceability.withdrawal import made_of, withdraw

log = logging.getLogger(__name__)

Answer = str | tuple[str, int] | Response
MOST_SPOILED = 1000  # reported at once; a whole issue that failed is reported in parts


@blueprint.get("/")
@allow(*READERS)
def home() -> Answer:
    """What can be done, what is in stock, what is packed."""
    return _home()


def _home(missing: str = "") -> Answer:
    found = records().scalars(
        scoped(select(Lot), Lot.cooperative).order_by(Lot.at.desc(), Lot.born_number.desc())
    )
    kinds = (PACKS, *reversed(lot_kinds()[:-1]))  # what is finished comes first
    shelves: dict[str, list[Lot]] = {kind: [] for kind in kinds}
    withdrawn: list[Lot] = []
    for lot in found:
        if lot.withdrawn_at is not None:
            withdrawn.append(lot)
        elif (lot.left_grams != 0 or lot.packs) and len(shelves[lot.kind]) < 50:
            shelves[lot.kind].append(lot)
    return page(
        "records.html",
        shelves={kind: lots for kind, lots in shelves.items() if lots},
        withdrawn=withdrawn[:20],
        late_papers=certificates.expiring(records(), somebody().cooperative or "", today()),
        missing=missing,
        chains=recipes().chains.values(),
        words=telling_making.words,
        rehearse=_rehearse(),
    )


def _rehearse() -> bool:
    """Whether it is time for the yearly rehearsal of a recall, and the asker could do it."""
    asker = somebody()
    home = asker.cooperative or ""
    return asker.may("clerk") and recall_rehearsal.is_due(records(), home, today())


@blueprint.get("/lots")
@allow(*READERS)
def find() -> Answer:
    """Go to the lot of a code: typed, or scanned from a label with the address around it."""
    asked = request.args.get("code", "")[:80]
    for part in reversed(asked.replace("\\", "/").split("/")):
        code = as_typed(part)
        label = records().get(LabelCode, code)
        wanted = scoped(select(Lot), Lot.cooperative)
        lot = records().scalar(wanted.where(Lot.code == (label.lot if label else code)))
        if lot is not None:
            return redirect(url_for("records.lot", code=lot.code), 303)  # type: ignore[return-value]
    answer = make_response(_home(asked.strip()))
    answer.status_code = 404
    return answer


@blueprint.get("/lots/<code>")
@allow(*READERS)
def lot(code: str) -> Answer:
    """A lot: quantities, where it comes from, what was made of it, its labels."""
    found = own_lot(code)
    session = records()
    back, forward = trace(session, found, "back"), trace(session, found, "forward")
    issues = session.scalars(
        select(LabelIssue).where(LabelIssue.lot == found.code).order_by(LabelIssue.first.desc())
    ).all()
    return page(
        "lot_page.html",
        lot=found,
        lots={one.lot.code: one.lot for one in (*back.lots, *forward.lots)},
        sources=_edges((flow.target, flow.source, flow.grams) for flow in back.flows),
        uses=_edges((flow.source, flow.target, flow.grams) for flow in forward.flows),
        issues=issues,
        legal=legal_facts.check_lot(session, found),
        may_withdraw=found.withdrawn_at is None and not made_of(session, found.code),
        yielded=telling_making.yield_of(session, found),
        balance=telling_making.balance_of(found),
        left=telling_making.left(session, found),
        corrections=telling_making.corrections(session, found),
        reasons=telling_making.reasons(session, found),
        owner=telling_making.party_name(session, found, found.owner),
        holder=telling_making.party_name(session, found, found.holder),
        deeds=deeds_of(found),
        steps=recipes().steps_of(found.kind),
        packable=found.kind == CROP or found.kind in product_kinds(),
        moisture=telling_making.moisture(found.moisture_permille),
        words=telling_making.words,
    )


@blueprint.get("/lots/<code>/withdraw")
@allow("clerk")
def withdrawal(code: str) -> Answer:
    """Show the form for withdrawing a record that was wrong."""
    return page("withdraw.html", Form(new_form()), lot=own_lot(code))


@blueprint.post("/lots/<code>/withdraw")
@allow("clerk")
def withdraw_lot(code: str) -> Answer:
    """Withdraw a record; the reason is public."""
    found = own_lot(code)
    form = Form(request.form)
    if done(form, withdraw, found.code, form.text("why", 200)) is None:
        return page("withdraw.html", form, lot=found)
    return redirect(url_for("records.lot", code=found.code), 303)  # type: ignore[return-value]


def _edges(
    flows: Iterable[tuple[str, str, int | None]],
) -> dict[str, list[tuple[str, int | None]]]:
    found: dict[str, list[tuple[str, int | None]]] = {}
    for one, other, grams in flows:
        found.setdefault(one, []).append((other, grams))
    return found


@blueprint.get("/lots/<code>/labels")
@allow("clerk")
def labels(code: str) -> Answer:
    """Show the form for printing: as many labels as packs are left without one."""
    found = own_lot(code)
    return _labels(_proposed(found), Form(new_form()), found)


def _proposed(lot: Lot) -> Form:
    """As many labels as packs are left without one, as far as one issue goes."""
    count = str(min(lot.labels_left, labelling.MOST_AT_ONCE))
    return Form(new_form(layout=labelling.DEFAULT_LAYOUT, start_cell="1", count=count))


@blueprint.post("/lots/<code>/labels")
@allow("clerk")
def print_labels(code: str) -> Answer:
    """Issue labels, then go to the page where the sheet is fetched."""
    found = own_lot(code)
    form = Form(request.form)
    most = min(max(found.labels_left, 1), labelling.MOST_AT_ONCE)
    count = form.count("count", 1, 10**6, told=most)
    layout = form.choice("layout", layouts.names())
    cells = layouts.find(layout).cells if layout else 1
    wish = labelling.Wish(found.code, count, layout, form.count("start_cell", 1, 1000, told=cells))
    made = done(form, labelling.issue, wish, texts_of(found))
    if made is None:
        return _labels(form, Form(new_form()), found)
    return redirect(url_for("records.issue", key=made.id), 303)  # type: ignore[return-value]


def _labels(form: Form, spoiled: Form, lot: Lot) -> Answer:
    found = [(name, layouts.find(name)) for name in layouts.names()]
    base = settings().label_url
    return page(
        "labels.html",
        form,
        spoiled=spoiled,
        lot=lot,
        layouts=found,
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
    if lot.labels_left > 0:
        return ""
    return sentences.refusal(TooManyLabels(lot.packs, lot.labels - lot.spoiled, 0, 1))


@blueprint.post("/lots/<code>/spoiled", endpoint="spoiled")
@allow("clerk")
def report_spoiled(code: str) -> Answer:
    """Report labels that came out badly; as many may be printed again."""
    found = own_lot(code)
    form = Form(request.form)
    serials = [
        as_typed(one.rsplit("/", 1)[-1]) for one in form["serials"].replace(",", " ").split()
    ]
    if len(serials) > MOST_SPOILED:
        form.wrong(
            "serials",
            _(
                "Mỗi lần ghi nhiều nhất %(most)s tem hỏng. Xin ghi làm nhiều lần.",
                most=number(MOST_SPOILED),
            ),
        )
    if done(form, labelling.spoil, found.code, serials) is not None:
        return redirect(url_for("records.labels", code=found.code), 303)  # type: ignore[return-value]
    answer = make_response(_labels(_proposed(found), form, found))
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
    lot = own_lot(made.lot)
    if lot.withdrawn_at is not None:
        raise Withdrawn(made.lot)
    holding.check(lot)
    file = labelling.file_of(records(), made, settings().files_folder)
    answer = Response(file.read_bytes(), content_type="application/pdf")
    name = f"tem-{made.lot}-{made.first}-{made.last}.pdf"
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer


@blueprint.get("/labels/<key>")
@allow(*READERS)
def issue(key: str) -> Answer:
    """What was issued, and the sheet."""
    made, trouble = own_issue(key), ""
    lot = own_lot(made.lot)
    try:
        if lot.withdrawn_at is not None:
            trouble = _("Bản ghi của lô này đã bị hủy, nên các tem này không còn giá trị.")
        else:
            holding.check(lot)
            labelling.file_of(records(), made, settings().files_folder)
    except Held as e:
        trouble = sentences.refusal(e)
    except LabelError as e:
        log.error("the sheet of issue %s is not released: %s", made.id, e)
        trouble = _(
            "Tem đã được cấp nhưng máy chưa đọc lại được đủ mã trên tờ in, nên chưa cho tải về. "
            "Xin tải lại trang này. Nếu vẫn thế, xin báo người phụ trách máy."
        )
    return page("issue.html", made=made, lot=lot, layout=_layout(made), trouble=trouble)


def _layout(made: LabelIssue) -> layouts.Layout | None:
    return layouts.find(made.layout) if made.layout in layouts.names() else None


@blueprint.get("/labels/<key>.pdf")
@allow(*READERS)
def sheet(key: str) -> Answer:
    """The sheet itself."""
    made = own_issue(key)
    try:
        return file_answer(made)
    except (LabelError, Refused):
        return redirect(url_for("records.issue", key=made.id), 303)  # type: ignore[return-value]
