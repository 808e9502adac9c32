"""The clerk's pages about possible copies: the list with reasons, and what came of each."""

import time
import uuid

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select

from nongso.platform.accounts import allow, scoped
from nongso.platform.forms import Form
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import READERS, blueprint, new_form, page, settings
from nongso.platform.traceability.records import Product
from nongso.platform.traceability.scans import cases, learning, usual
from nongso.platform.traceability.scans.cases import Line
from nongso.platform.traceability.scans.recorder import recorder
from nongso.platform.traceability.scans.records import ScanCase, ScanUsual
from nongso.platform.traceability.scans.sentences import outcomes, reason

MOST_LINES = 100
LONGEST_NOTE = 500

Answer = str | tuple[str, int] | Response


@blueprint.get("/scans")
@allow(*READERS)
def scans() -> Answer:
    """Numbers that may have been copied, those to look into first, and what is usual."""
    session = records()
    mine = scoped(select(ScanCase), ScanCase.cooperative)
    waiting = cases.to_look_into(session, mine)
    past = mine.where(~cases.is_open()).order_by(ScanCase.last_at.desc())
    done = session.scalars(past.limit(MOST_LINES)).all()
    return page(
        "scans.html",
        waiting=waiting[:MOST_LINES],
        more=len(waiting) > MOST_LINES,
        done=cases.with_reasons(session, done),
        reason=reason,
        outcomes=outcomes(),
        taught=_taught(),
        at_first=learning,
        recorder=recorder(),
        scan_days=settings().scan_days,
    )


def _taught() -> list[tuple[Product, ScanUsual, list[str]]]:
    session = records()
    wanted = scoped(select(Product, ScanUsual), Product.cooperative).join(
        ScanUsual, ScanUsual.product == Product.id
    )
    found = session.execute(wanted.order_by(Product.name)).all()
    known = usual.of_products(session, {product.id for product, _row in found})
    return [(product, row, sorted(known[product.id].provinces or ())) for product, row in found]


def _own(key: uuid.UUID) -> Line:
    session = records()
    wanted = scoped(select(ScanCase), ScanCase.cooperative).where(ScanCase.id == str(key))
    found = session.scalar(wanted)
    if found is None:
        abort(404)
    return cases.with_reasons(session, [found])[0]


@blueprint.get("/scans/<uuid:key>")
@allow(*READERS)
def scan_case(key: uuid.UUID) -> Answer:
    """One number: why it is on the list, what to do, what came of it."""
    line = _own(key)
    form = Form(new_form(outcome=line.case.outcome or "", note=line.case.note))
    return _case(line, form)


def _case(line: Line, form: Form) -> Answer:
    return page(
        "scan_case.html", form, line=line, reason=reason, outcomes=list(outcomes().items())
    )


@blueprint.post("/scans/<uuid:key>")
@allow("clerk")
def note_scan_case(key: uuid.UUID) -> Answer:
    """Write down what came of looking into a number."""
    line, form = _own(key), Form(request.form)
    outcome = form.choice("outcome", usual.OUTCOMES)
    said = form.text("note", LONGEST_NOTE, needed=False)
    if not form.ok:
        return _case(line, form)
    with transaction() as session:
        cases.note(session, line, outcome, said, int(time.time()))
    return redirect(url_for("records.scans"), 303)  # type: ignore[return-value]
