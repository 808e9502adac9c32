"""Reporting a problem without an account, and where cooperative and commune read and answer it.

The form sets no cookie, so there is no token in it; what another site's page sends is refused by
``Sec-Fetch-Site``. Whoever reported finds the answer at an address that nobody can guess.
"""

import time
import uuid
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
)
from flask import url_for as address_of
from flask_babel import force_locale  # type: ignore[import-untyped]  # has none
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import allow, public_without_cookies, scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import LANGUAGES, _, day_of
from nongso.platform.store import kept_records, records, transaction
from nongso.platform.traceability import desk
from nongso.platform.traceability.desk import READERS, settings
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.registry.history import producer_on
from nongso.platform.traceability.shopper import reports as shopper_reports
from nongso.platform.traceability.shopper.reports import KINDS, ShopperReport, TooMany, Wish

blueprint = Blueprint("reports", __name__)

MOST_SHOWN = 100

Answer = str | tuple[str, int] | Response


def prepare(app: Flask) -> None:
    """Let the first pages of clerks and officers tell how many reports wait."""
    app.jinja_env.globals["reports_waiting"] = _waiting


def _waiting() -> tuple[int, int]:
    asker = somebody()
    home = None if asker.sees_all else asker.cooperative or ""
    return shopper_reports.waiting(records(), home, int(time.time()))


def kinds() -> dict[str, str]:
    """What can be reported, in words."""
    return {
        "spoiled": _("Hàng hỏng, mốc, có vật lạ"),
        "illness": _("Ăn vào thấy người không khỏe"),
        "label": _("Nghi tem giả hoặc tem bị chép lại"),
        "record": _("Trang truy xuất ghi không đúng"),
        "other": _("Việc khác"),
    }


@blueprint.get("/report")
@public_without_cookies
def form_page() -> Answer:
    """The form, for the lot or pack whose page led here."""
    asked = {name: request.args.get(name, "")[:40] for name in ("lot", "serial")}
    return _form(Form({"id": str(uuid.uuid4()), **asked}))


@blueprint.post("/report")
@public_without_cookies
def send() -> Answer:
    """Take a report; the answer's address is shown then."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        abort(400, "another page sent this form")
    form = Form(request.form)
    id_ = form.id()
    wish = Wish(
        form.text("lot", 40, needed=False),
        form.text("serial", 40, needed=False),
        form.choice("kind", KINDS),
        form.text("text", 1000),
        form.text("bought", 120, needed=False),
        form.text("contact", 80, needed=False),
    )
    if not form.ok:
        return _form(form, 422)
    now = int(time.time())
    sender = shopper_reports.sender_of(settings().secret, request.remote_addr or "", now)
    try:
        with transaction() as session:
            kept_records().aside(session)
            made = shopper_reports.report(session, id_, wish, sender, now)
            if made.at == now:
                page = address_of("records.shopper_report", key=made.id)
                shopper_reports.notify(session, made, _messages(made), page, now)
            number = made.number
    except TooMany:
        form.wrong("", _("Hôm nay đã nhận quá nhiều phản ánh. Xin gọi điện, hoặc gửi lại sau."))
        return _form(form, 429)
    return redirect(address_of("reports.sent", number=number, new=1), 303)  # type: ignore[return-value]


def _messages(made: ShopperReport) -> dict[str, tuple[str, str]]:
    """The message to clerks and officers, in each language."""
    said = {}
    for language in LANGUAGES:
        with force_locale(language):
            text = _(
                "Lô %(lot)s: %(kind)s. Xin trả lời trong Sổ sản xuất, mục Phản ánh.",
                lot=made.lot or "–",
                kind=kinds()[made.kind],
            )
            said[language] = _("Phản ánh của người mua"), text
    return said


def _form(form: Form, status: int = 200) -> Answer:
    session = records()
    lot = shopper_reports.about(session, form["lot"], form["serial"])
    page = render_template(
        "traceability/report.html",
        form=form,
        lot=lot,
        maker=_maker(session, lot),
        kinds=list(kinds().items()),
    )
    return _unkept(page, status)


def _maker(session: Session, lot: Lot | None) -> Any:
    if lot is None or lot.product is None:
        return None
    return producer_on(session, lot.product.producer, day_of(lot.at))


@blueprint.get("/report/<number>")
@public_without_cookies
def sent(number: str) -> Answer:
    """What was reported, until when it is answered, and the answer."""
    session = records()
    found = session.scalar(select(ShopperReport).where(ShopperReport.number == number.upper()))
    if found is None:
        abort(404)
    lot = shopper_reports.about(session, found.lot, found.serial)
    page = render_template(
        "traceability/report_sent.html",
        report=found,
        words=shopper_reports.words_of(session, found),
        kind=kinds()[found.kind],
        lot=lot,
        maker=_maker(session, lot),
        address=settings().label_url.rstrip("/") + f"/report/{found.number}",
        new="new" in request.args,
        late=found.is_late(int(time.time())),
    )
    return _unkept(page)


def _unkept(page: str, status: int = 200) -> Response:
    made = make_response(page, status)
    made.headers["Cache-Control"] = "no-store"
    made.headers["X-Robots-Tag"] = "noindex"
    return made


# --- for the cooperative and the commune ---------------------------------------------------------


@desk.blueprint.get("/shopper-reports", endpoint="shopper_reports")
@allow(*READERS)
def reports_list() -> Answer:
    """Reports: those that wait first, the one that is due first on top."""
    wanted = scoped(select(ShopperReport), ShopperReport.cooperative)
    found = records().scalars(
        wanted.order_by(
            ShopperReport.answered_at.is_not(None),
            ShopperReport.answered_at.desc(),
            ShopperReport.due_at,
        ).limit(MOST_SHOWN)
    )
    return desk.page("reports.html", reports=found.all(), kinds=kinds(), now=int(time.time()))


@desk.blueprint.get("/shopper-reports/<uuid:key>", endpoint="shopper_report")
@allow(*READERS)
def report(key: uuid.UUID) -> Answer:
    """One report, with its answers."""
    return _report(_own(key), Form(desk.new_form()))


@desk.blueprint.post("/shopper-reports/<uuid:key>", endpoint="answer_shopper")
@allow("clerk", "officer", scope="records")
def answer(key: uuid.UUID) -> Answer:
    """Answer; the shopper reads it. Officers answer what is no cooperative's."""
    found = _own(key)
    if not _may_answer(found):
        abort(403)
    form = Form(request.form)
    id_, text = form.id(), form.text("text", 1000)
    if not form.ok:
        return _report(found, form)
    with transaction() as session:
        kept_records().aside(session)
        report = session.get_one(ShopperReport, found.id)
        shopper_reports.answer(session, report, id_, somebody().id, text, int(time.time()))
    return redirect(address_of("records.shopper_report", key=key), 303)  # type: ignore[return-value]


def _may_answer(found: ShopperReport) -> bool:
    asker = somebody()
    return found.cooperative == asker.cooperative and asker.may(
        "officer" if found.cooperative is None else "clerk", scope="records"
    )


def _own(key: uuid.UUID) -> ShopperReport:
    wanted = scoped(select(ShopperReport), ShopperReport.cooperative)
    found = records().scalar(wanted.where(ShopperReport.id == str(key)))
    if found is None:
        abort(404)
    return found


def _report(found: ShopperReport, form: Form) -> Answer:
    session = records()
    return desk.page(
        "report_desk.html",
        form,
        report=found,
        kind=kinds()[found.kind],
        words=shopper_reports.words_of(session, found),
        is_lot=shopper_reports.about(session, found.lot, found.serial) is not None,
        may_answer=_may_answer(found),
        now=int(time.time()),
    )
