"""The clerk's pages for spreadsheets: take everything out, look at a file, take it in.

A file is looked at before anything is written: it is kept for a day under the digest of its
bytes, and what the clerk then agrees to is that very file, read again, because the registry may
have changed in between.
"""

import hashlib
import time
from contextlib import closing, suppress
from pathlib import Path

from flask import Response, abort, redirect, request, url_for

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import blueprint, page, settings, today
from nongso.platform.traceability.registry.forms import read_changed_on
from nongso.platform.traceability.shopper.shelf import folded
from nongso.platform.traceability.spreadsheets import plan as spreadsheets_plan
from nongso.platform.traceability.spreadsheets import tables as spreadsheets
from nongso.platform.traceability.spreadsheets.guard import MOST_FILE_BYTES, BadFile
from nongso.platform.traceability.spreadsheets.plan import Plan
from nongso.platform.traceability.spreadsheets.sheets import SHEETS
from nongso.platform.traceability.spreadsheets.tables import XLSX, Table
from nongso.platform.wholefile import NotKept, write_whole

Answer = str | tuple[str, int] | Response
KEPT_SECONDS = 86_400
MOST_SHOWN = 200


@blueprint.get("/spreadsheets")
@allow("clerk")
def tables() -> Answer:
    """What can be taken out, and where a file is taken in."""
    return _tables(Form({}))


def _tables(form: Form) -> Answer:
    slugs = [(folded(sheet.name).replace(" ", "-"), sheet.name) for sheet in SHEETS]
    return page("spreadsheets.html", form, slugs=slugs)


@blueprint.get("/spreadsheets/registry.xlsx")
@allow("clerk")
def tables_xlsx() -> Answer:
    """The whole registry as one workbook."""
    data = spreadsheets.to_xlsx(_export())
    return _file(data, XLSX, f"so-dang-ky-{today().isoformat()}.xlsx")


@blueprint.get("/spreadsheets/<name>.csv")
@allow("clerk")
def table_csv(name: str) -> Answer:
    """One sheet of the registry as CSV."""
    for table in _export():
        if folded(table.name).replace(" ", "-") == name:
            return _file(spreadsheets.to_csv(table), "text/csv", f"{name}-{today()}.csv")
    abort(404)


def _export() -> list[Table]:
    cooperative = somebody().cooperative
    if cooperative is None:
        abort(403)
    return spreadsheets_plan.export(records(), cooperative)


def _file(data: bytes, type_: str, name: str) -> Response:
    answer = Response(data, mimetype=type_)
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer


@blueprint.post("/spreadsheets")
@allow("clerk")
def look_at_table() -> Answer:
    """Look at a file: what it would do, cell by cell what is wrong."""
    form = Form({})
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        form.wrong("file", _("Xin chọn tệp."))
        return _tables(form)
    with closing(sent):
        data = sent.stream.read(MOST_FILE_BYTES + 1)
    try:
        spreadsheets.read(data)
        digest = _keep(data)
    except BadFile as error:
        form.wrong("file", refusal(error))
        return _tables(form)
    except NotKept:
        form.wrong("file", _("Máy chủ không giữ được tệp này. Xin báo người phụ trách máy."))
        return _tables(form)
    return redirect(url_for("records.table_plan", digest=digest), 303)  # type: ignore[return-value]


def refusal(error: BadFile) -> str:
    """Say why a file is not read."""
    return {
        "large": _("Tệp lớn quá, nhiều nhất 2 MB. Xin chia làm nhiều tệp."),
        "bomb": _("Không mở được tệp này an toàn. Xin lưu lại thành tệp mới rồi gửi."),
        "damaged": _("Tệp hỏng hoặc có mật khẩu. Xin lưu lại không có mật khẩu rồi gửi."),
        "unknown": _("Chỉ đọc được tệp .xlsx hoặc .csv. Xin lưu lại theo dạng đó rồi gửi."),
    }[error.code]


@blueprint.get("/spreadsheets/<digest>")
@allow("clerk")
def table_plan(digest: str) -> Answer:
    """What a file that was sent would do."""
    found, cooperative = _kept(digest), somebody().cooperative
    if cooperative is None:
        abort(403)
    made = spreadsheets_plan.plan(records(), cooperative, found, today())
    return _plan_page(Form({"changed_on": today().isoformat()}), digest, made)


@blueprint.post("/spreadsheets/<digest>")
@allow("clerk")
def take_in_table(digest: str) -> Answer:
    """Take a file in that was looked at: all of it or nothing."""
    found, asker = _kept(digest), somebody()
    if asker.cooperative is None:
        abort(403)
    form = Form(request.form)
    with transaction() as session:
        made = spreadsheets_plan.plan(session, asker.cooperative, found, today())
        changed_on = read_changed_on(form, today()) if made.is_dated else None
        if made.ok and form.ok:
            spreadsheets_plan.carry_out(
                session, asker.cooperative, made, asker.id, int(time.time()), changed_on
            )
    if not made.ok or not form.ok:
        return _plan_page(form, digest, made)
    with suppress(FileNotFoundError):
        _path(digest).unlink()
    done = made.count("new") + made.count("changed")
    return redirect(url_for("records.tables", done=done), 303)  # type: ignore[return-value]


def _plan_page(form: Form, digest: str, made: Plan) -> Answer:
    moving = [change for change in made.changes if change.state != "same"]
    answer = page(
        "spreadsheet_plan.html",
        form,
        plan=made,
        digest=digest,
        shown=moving[:MOST_SHOWN],
        more=max(0, len(moving) - MOST_SHOWN),
    )
    text = answer if isinstance(answer, str) else answer[0]
    return (text, 422) if not made.ok or not form.ok else text


def _folder() -> Path:
    cooperative = somebody().cooperative
    if cooperative is None:
        abort(403)
    return settings().folder / "imports" / cooperative


def _path(digest: str) -> Path:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        abort(404)
    return _folder() / digest


def _keep(data: bytes) -> str:
    """Keep a file for a day, and let go of those that are older."""
    digest = hashlib.sha256(data).hexdigest()
    write_whole(_path(digest), data)
    for old in _folder().iterdir():
        with suppress(FileNotFoundError):
            if old.stat().st_mtime < time.time() - KEPT_SECONDS:
                old.unlink()
    return digest


def _kept(digest: str) -> list[Table]:
    try:
        return spreadsheets.read(_path(digest).read_bytes())
    except (FileNotFoundError, BadFile):
        abort(404)
