"""The clerk's pages for samples and laboratory tests."""

import uuid
from dataclasses import asdict

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select

from nongso.platform.accounts import allow, scoped
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability import shaping
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    new_form,
    own_lot,
    settings,
    today,
)
from nongso.platform.traceability.moving import desk as moving_desk
from nongso.platform.traceability.moving.desk import done, page
from nongso.platform.traceability.records import PACKS, Lot
from nongso.platform.traceability.registry import certificate_files as certificates_files
from nongso.platform.traceability.registry.certificate_files import BadPaper
from nongso.platform.traceability.registry.certificate_pages import refusal
from nongso.platform.traceability.testing import correcting
from nongso.platform.traceability.testing import laboratory as testing
from nongso.platform.traceability.testing.records import LabTest, Sample

Answer = str | tuple[str, int] | Response


@blueprint.get("/tests")
@allow(*READERS)
def tests() -> Answer:
    """The newest tests, of all lots."""
    wanted = scoped(select(LabTest, Lot), LabTest.cooperative).join(Lot, Lot.code == LabTest.lot)
    rows = records().execute(wanted.order_by(LabTest.at.desc(), LabTest.id).limit(200))
    return page("tests.html", tests=[(test, lot) for test, lot in rows])


@blueprint.get("/lots/<code>/tests")
@allow(*READERS)
def lot_tests(code: str) -> Answer:
    """Samples and tests of a lot."""
    lot = own_lot(code)
    session = records()
    taken = select(Sample).where(Sample.lot == lot.code).order_by(Sample.at, Sample.id)
    found = select(LabTest).where(LabTest.lot == lot.code).order_by(LabTest.at, LabTest.id)
    return page(
        "lot_tests.html",
        lot=lot,
        samples=session.scalars(taken).all(),
        tests=session.scalars(found).all(),
    )


@blueprint.get("/lots/<code>/sample")
@allow("clerk")
def sample(code: str) -> Answer:
    """Show the form for a sample."""
    return _sample(own_lot(code), Form(new_form()))


@blueprint.post("/lots/<code>/sample")
@allow("clerk")
def take_sample(code: str) -> Answer:
    """Record a sample; it does not come back."""
    lot, form = own_lot(code), Form(request.form)
    packs = form.count("amount", 1, moving_desk.MOST_PACKS) if lot.kind == PACKS else 0
    grams = 0 if lot.kind == PACKS else form.grams("amount") or 0
    laboratory, day = form.text("laboratory", 80), form.day("day", today())
    wish = testing.Taking(lot.code, packs, grams, laboratory, day)
    if done(form, testing.sample, wish) is None:
        return _sample(lot, form)
    return redirect(url_for("records.lot_tests", code=lot.code), 303)  # type: ignore[return-value]


def _sample(lot: Lot, form: Form) -> Answer:
    account = moving_desk.account_of(lot) if lot.kind == PACKS else None
    return page("sample.html", form, lot=lot, account=account)


@blueprint.get("/lots/<code>/test")
@allow("clerk")
def test(code: str) -> Answer:
    """Show the form for a laboratory's result, with the laboratory that has the last sample."""
    lot = own_lot(code)
    wanted = select(Sample.laboratory).where(Sample.lot == lot.code)
    asked = records().scalar(wanted.order_by(Sample.at.desc(), Sample.id).limit(1))
    return _test(lot, Form(new_form(laboratory=asked or "")))


@blueprint.post("/lots/<code>/test")
@allow("clerk")
def record_test(code: str) -> Answer:
    """Record a laboratory's result; one that failed holds the lot back."""
    lot, form = own_lot(code), Form(request.form)
    wish = _result(form, lot)
    if done(form, testing.record, wish) is None:
        return _test(lot, form)
    return redirect(url_for("records.lot_tests", code=lot.code), 303)  # type: ignore[return-value]


@blueprint.get("/tests/<uuid:test>/correct")
@allow("clerk")
def correct_test(test: uuid.UUID) -> Answer:
    """Show the form of a correction, filled in with what was recorded."""
    wrong = _own_test(test)
    said = asdict(correcting.said_of(records(), wrong))
    words = {name: str(value) for name, value in said.items() if isinstance(value, str)}
    result = "conformant" if wrong.conformant else "non_conformant"
    more = {"result": result, "day": said["day"].isoformat()}
    return _test(own_lot(wrong.lot), Form(new_form(**words | more)), wrong)


@blueprint.post("/tests/<uuid:test>/correct")
@allow("clerk")
def record_correction(test: uuid.UUID) -> Answer:
    """Record what the laboratory did find, or that the result is not this lot's."""
    wrong, form = _own_test(test), Form(request.form)
    lot = own_lot(wrong.lot)
    taken_back = request.form.get("do") == "withdraw"
    right = None if taken_back else _result(form, lot)
    wish = correcting.Correction(wrong.id, form.text("why", 200), right)
    if done(form, correcting.correct, wish) is None:
        return _test(lot, form, wrong)
    return redirect(url_for("records.lot_tests", code=lot.code), 303)  # type: ignore[return-value]


def _own_test(key: uuid.UUID) -> LabTest:
    wanted = scoped(select(LabTest), LabTest.cooperative).where(LabTest.id == str(key))
    found = records().scalar(wanted)
    if found is None:
        abort(404)
    return found


def _result(form: Form, lot: Lot) -> testing.Result:
    result = form.choice("result", ("conformant", "non_conformant"))
    sha256, name = _report(form)
    return testing.Result(
        lot=lot.code,
        laboratory=form.text("laboratory", 80),
        report_number=form.text("report_number", 60, needed=False),
        what=form.text("what", 80),
        value=form.text("value", 40),
        unit=form.text("unit", 20, needed=False),
        limit=form.text("limit", 40, needed=False),
        conformant=result == "conformant",
        day=form.day("day", today()),
        file_sha256=sha256,
        file_name=name,
        lifted_why=form.text("lifted_why", 200, needed=False),
        above_why=form.text("above_why", 200, needed=False),
    )


def _report(form: Form) -> tuple[str, str]:
    """Keep the file that came along; a form that comes back carries its digest."""
    kept, name = form["file_sha256"][:64], form.text("file_name", 80, needed=False)
    sent = request.files.get("report")
    if sent is None or not sent.filename:
        known = len(kept) == 64 and set(kept) <= set("0123456789abcdef")
        there = known and testing.report_file(settings().files_folder, kept).exists()
        return (kept, name) if there else ("", "")
    try:
        data = sent.stream.read(certificates_files.MOST_BYTES + 1)
        kept = testing.keep_report(settings().files_folder, data)
    except BadPaper as e:
        form.wrong("report", refusal(e))
        return "", ""
    name = " ".join(sent.filename.replace("\\", "/").rsplit("/", 1)[-1].split())[-80:]
    form.values |= {"file_sha256": kept, "file_name": name}
    return kept, name


def _test(lot: Lot, form: Form, wrong: LabTest | None = None) -> Answer:
    choices = [("conformant", _("Đạt")), ("non_conformant", _("Không đạt"))]
    failed = testing.failed_before(records(), lot.code)
    failed = [one for one in failed if wrong is None or one.id != wrong.id]
    return page("test.html", form, lot=lot, choices=choices, failed=failed, wrong=wrong)


@blueprint.get("/tests/<uuid:test>/report")
@allow(*READERS)
def report(test: uuid.UUID) -> Answer:
    """The laboratory's file."""
    found = _own_test(test)
    if not found.file_sha256:
        abort(404)
    file = testing.report_file(settings().files_folder, found.file_sha256)
    if not file.exists():
        abort(404)
    data = file.read_bytes()
    media = testing.media_type(data)
    answer = Response(data, content_type=media)
    day = shaping.day_of(found.at)
    ending = next(end for end, kind in testing.TYPES.items() if kind == media)
    answer.headers["Content-Disposition"] = (
        f"attachment; filename=kiem-nghiem-{found.lot}-{day}.{ending}"
    )
    return answer
