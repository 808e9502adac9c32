"""Season records as files for inspectors, and the ear that traceability has at the diary."""

import datetime
import time

from flask import Blueprint, Flask, Response, abort

from nongso.labels.papers import Paper, Section, Signature, pdf
from nongso.platform.accounts import allow, owns, somebody
from nongso.platform.csvtable import csv_text
from nongso.platform.diary.pages import FOLLOWERS
from nongso.platform.diary.together import LOTS, Lots
from nongso.platform.forms import kg_typed
from nongso.platform.languages import _, date, day_of, language
from nongso.platform.settings import Settings
from nongso.platform.store import records, transaction
from nongso.platform.traceability.records import PLANTING, Lot
from nongso.platform.traceability.registry.plots import BOOK, Plot
from nongso.platform.traceability.seasons import field_events, field_lots, plot_diary
from nongso.platform.traceability.seasons.record import SeasonRecord, plot_record, season_record
from nongso.platform.traceability.seasons.record import Table as Part
from nongso.platform.traceability.spreadsheets.tables import XLSX, Table, to_xlsx

blueprint = Blueprint("season", __name__, url_prefix="/records")

READERS = ("farmer", "clerk", "officer", "admin")


@blueprint.get("/plantings/<code>/season.pdf")
@allow(*READERS)
def paper(code: str) -> Response:
    """The record on paper, with places to sign."""
    return _paper(_record(code))


@blueprint.get("/plots/<key>/season.pdf")
@allow(*READERS)
def plot_paper(key: str) -> Response:
    """The record of a plot on paper."""
    return _paper(_plot(key))


def _paper(found: SeasonRecord) -> Response:
    made = Paper(
        title=found.title,
        author=found.cooperative,
        language="vi-VN" if language() == "vi" else language(),
        sections=tuple(
            Section(one.title, one.lines, one.head, one.rows, one.widths) for one in found.tables
        ),
        signatures=(
            Signature("nguoi-trong", _("Người trồng ký, ghi rõ họ tên")),
            Signature("hop-tac-xa", _("Hợp tác xã ký, đóng dấu")),
            Signature("nguoi-kiem-tra", _("Người kiểm tra ký, ghi rõ họ tên")),
        ),
        foot=_("%(title)s. In ngày %(day)s.", title=found.title, day=date(_today())),
    )
    return _file(found, pdf(made), "pdf", "application/pdf")


@blueprint.get("/plantings/<code>/season.xlsx")
@allow(*READERS)
def workbook(code: str) -> Response:
    """The record as a workbook, a sheet for each part."""
    return _workbook(_record(code))


@blueprint.get("/plots/<key>/season.xlsx")
@allow(*READERS)
def plot_workbook(key: str) -> Response:
    """The record of a plot as a workbook."""
    return _workbook(_plot(key))


def _workbook(found: SeasonRecord) -> Response:
    return _file(found, to_xlsx([_sheet(one) for one in found.tables]), "xlsx", XLSX)


def _sheet(part: Part) -> Table:
    """Title and sentences over the table; the title row is as wide as the table."""
    title = (part.title, *[""] * (len(part.head) - 1))
    rows = (title, *((line,) for line in part.lines), part.head, *part.rows)
    return Table(part.title[:31], rows)


@blueprint.get("/plantings/<code>/season.csv")
@allow(*READERS)
def table(code: str) -> Response:
    """The record as one table, its parts below each other, for any program."""
    return _table(_record(code))


@blueprint.get("/plots/<key>/season.csv")
@allow(*READERS)
def plot_table(key: str) -> Response:
    """The record of a plot as one table."""
    return _table(_plot(key))


def _table(found: SeasonRecord) -> Response:
    rows: list[tuple[str, ...]] = []
    for one in found.tables:
        rows += [(), (one.title,), *((line,) for line in one.lines)]
        rows += [one.head, *one.rows] if one.rows else []
    text = csv_text([found.title], rows)
    return _file(found, text.encode(), "csv", "text/csv; charset=utf-8")


def _record(code: str) -> SeasonRecord:
    lot = records().get(Lot, code.upper())
    if lot is None or lot.kind != PLANTING or not owns(lot.cooperative):
        abort(404)
    found = season_record(records(), lot, int(time.time()))
    if found is None:
        abort(404)
    return found


def _plot(key: str) -> SeasonRecord:
    plot = records().get(Plot, key)
    if plot is None or not owns(plot.cooperative):
        abort(404)
    return plot_record(records(), plot, int(time.time()))


def _file(found: SeasonRecord, body: bytes, ending: str, kind: str) -> Response:
    answer = Response(body, content_type=kind)
    name = f"ho-so-vu-{found.code}-{found.until:%Y%m%d}.{ending}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _today() -> datetime.date:
    return day_of(time.time())


def _to_weigh() -> list[field_lots.ToWeigh]:
    """What the clerk's harvest form may be filled in with."""
    return field_lots.to_weigh(records(), somebody().cooperative or "", _today())


def _to_plant() -> list[field_lots.ToPlant]:
    """What the clerk's planting form may be filled in with."""
    return field_lots.to_plant(records(), somebody().cooperative or "")


def prepare(app: Flask) -> None:
    """Let diary and lots know of each other, so that nothing is typed twice."""
    settings: Settings = app.extensions["nongso.settings"]

    def follow(book: str) -> None:
        with transaction() as session:
            field_events.bring_up(session, settings.label_url, book, int(time.time()))

    def lots_of(book: str) -> Lots:
        plot = book.removeprefix(BOOK)
        if plot != book:
            return plot_diary.lots_of(records(), plot)
        return field_lots.lots_of(records(), book)

    app.extensions.setdefault(FOLLOWERS, []).append(follow)
    app.jinja_env.globals["diary_to_weigh"] = _to_weigh
    app.jinja_env.globals["diary_to_plant"] = _to_plant
    app.jinja_env.globals["kg_typed"] = kg_typed
    app.extensions[LOTS] = lots_of
