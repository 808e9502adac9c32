"""The diary on the phone: a line in two taps, with or without script, with or without network.

The same pages serve a greenhouse and, under the name ``books.PLOTS``, a plot on the hill; the
address says which (``_book``).

Tap one chooses what was done; the form comes back filled in as the last time. Tap two writes it.
Without network ``phone.js`` keeps the filled-in form on the phone and sends it later under the
number that it carries, so that no line is written twice.
"""

import datetime
import logging
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import select

from nongso.platform import photos, typed_numbers
from nongso.platform.accounts import allow, owns, somebody
from nongso.platform.csvtable import csv_answer
from nongso.platform.diary import (
    books,
    procedures,
    remedies,
    season,
    sentences,
    together,
    watering,
)
from nongso.platform.diary import entries as diary
from nongso.platform.diary.books import Book
from nongso.platform.diary.entries import KINDS, UNITS_OF, Entry, Line
from nongso.platform.diary.together import LOTS, Lots
from nongso.platform.events import EventConflict
from nongso.platform.forms import Form
from nongso.platform.greenhouse.period import PLANTINGS
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import _, date, day_of
from nongso.platform.people import Person
from nongso.platform.settings import Settings
from nongso.platform.store import records, transaction
from nongso.platform.wholefile import NotKept

log = logging.getLogger(__name__)

blueprint = Blueprint("diary", __name__, url_prefix="/greenhouses/<slug>/diary")

READERS = ("farmer", "clerk", "helper", "officer", "admin")
WRITERS = ("farmer", "clerk", "admin")
FIRST_LINES = 45
LONGEST_SHOWN_DAYS = 400  # of watering by the gateway
MOST_AMOUNT = 1_000_000
MOST_MINUTES = 7 * 24 * 60
MOST_COST = 10_000_000_000
MOST_PHOTO_BYTES = 7_500_000
FOLLOWERS = "nongso.diary.followers"  # functions of other rooms, called with the diary's key
PROPOSED = ("product", "ingredient", "dose", "unit", "interval_days", "crop", "who", "to")
RULES = {  # what the numbers of a line may be, as its form says it before it is sent
    "amount": typed_numbers.FIELD,
    "most": MOST_AMOUNT,
    "whole": typed_numbers.WHOLE_FIELD,
    "interval": diary.LONGEST_INTERVAL_DAYS,
    "minutes": MOST_MINUTES,
    "cost": MOST_COST,
}

Answer = str | Response | tuple[str, int]


def prepare(app: Flask) -> None:
    """Tell the greenhouse's curves when seasons began, and give plots the same pages."""
    app.extensions[PLANTINGS] = _plantings
    app.register_blueprint(blueprint, name=books.PLOTS, url_prefix="/plots/<slug>/diary")


def _plantings(slug: str) -> list[datetime.date]:
    """The days of planting in a greenhouse, as the diary and the books have them."""
    standing = diary.standing(diary.lines(records(), slug))
    found = together.entries(standing, _lots(slug))
    return sorted({datetime.date.fromisoformat(e.day) for e in found if e.kind == "planted"})


@blueprint.get("")
@allow(*READERS)
def book(slug: str) -> Answer:
    """The diary: what is to be done, what was done, what the season gave."""
    house = _book(slug)
    found = diary.lines(records(), house.key)
    today = day_of(time.time())
    lots = _lots(house.key)
    now_standing = together.entries(diary.standing(found), lots)
    planted = diary.planting(now_standing)
    begun = datetime.date.fromisoformat(planted.day) if planted else today
    first = max(begun, today - datetime.timedelta(days=LONGEST_SHOWN_DAYS))
    watered = watering.by_day(records(), house.key, begun, today)
    rows = together.rows(found, lots, [one for one in watered if one.day >= first])
    everything = request.args.get("all") == "1"
    safe = diary.safe_from(now_standing)
    return render_template(
        "diary/book.html",
        house=house,
        rows=rows if everything else rows[:FIRST_LINES],
        count=len(rows),
        planting=lots.planted[-1] if lots.planted else None,
        names=_names(found),
        due=procedures.due(_procedures(), now_standing, today),
        season=season.season(house.area_m2, now_standing, watered, today),
        before=season.before_of(records(), house.key),
        planted=planted,
        safe=safe if safe is not None and safe[0] > today else None,
        today=today,
        kinds=KINDS,
        units={one: sentences.unit_name(one) for one in diary.UNITS},
        words=sentences,
        iso_day=datetime.date.fromisoformat,
        one_day=datetime.timedelta(days=1),
        may_write=somebody().may(*WRITERS, scope="records"),
        written=request.args.get("written", ""),
    )


@blueprint.get("/new")
@allow(*WRITERS, scope="records")
def new(slug: str) -> Answer:
    """The form of a line, filled in as the last line of its kind was."""
    house = _book(slug)
    kind = request.args.get("kind", "")
    if kind and kind not in KINDS:
        abort(404)
    return _form(house, Form(_proposed(house.key, kind)))


def _proposed(key: str, kind: str) -> dict[str, str]:
    standing = diary.standing(diary.lines(records(), key))
    return _proposed_from(standing, _lots(key), kind)


def _proposed_from(standing: list[Entry], lots: Lots, kind: str) -> dict[str, str]:
    proposed = {
        "id": str(uuid.uuid4()),
        "day": day_of(time.time()).isoformat(),
        "kind": kind,
        "task": request.args.get("task", "")[:120],
    }
    last = diary.last_of(standing, kind)
    booked = together.unwritten(standing, lots)
    if kind == "planted" and booked:
        proposed |= {"crop": booked[-1].crop, "day": booked[-1].day.isoformat()}
    elif last is not None:
        proposed |= {n: str(v) for n in PROPOSED if (v := getattr(last, n)) not in ("", None)}
    return proposed


@blueprint.post("")
@allow(*WRITERS, scope="records")
def write(slug: str) -> Answer:
    """Take a line."""
    house = _book(slug)
    form = Form(request.form)
    id_ = form.id()
    entry = _entry(form)
    if entry is not None:
        _ask_again(form, house, entry)
    if not form.ok or entry is None:
        return _form(house, form)
    try:
        with transaction() as session:
            diary.write(session, id_, house.key, house.cooperative, somebody().id, entry)
    except EventConflict:
        form.values["id"] = str(uuid.uuid4())
        form.wrong("", _("Dòng này đã ghi rồi. Nếu đây là dòng khác, xin bấm ghi lần nữa."))
        return _form(house, form)
    _tell(house.key)
    return _back(slug, id_)


@blueprint.get("/<uuid:line>/correct")
@allow(*WRITERS, scope="records")
def correction(slug: str, line: uuid.UUID) -> Answer:
    """The form of a correction, filled in with what stands there."""
    house, wrong = _line(slug, str(line))
    said = {n: str(v) for n, v in wrong.entry.body().items()}
    said["amount"] = _typed(wrong.entry.amount)
    return _form(house, Form({**said, "id": str(uuid.uuid4())}), wrong)


@blueprint.post("/<uuid:line>/correct")
@allow(*WRITERS, scope="records")
def correct(slug: str, line: uuid.UUID) -> Answer:
    """Take a correction, or take the line back."""
    house, wrong = _line(slug, str(line))
    form = Form({**request.form, "kind": wrong.entry.kind, "task": wrong.entry.task})
    id_ = form.id()
    reason = form.text("reason", 200)
    taken_back = request.form.get("do") == "withdraw"
    entry = None if taken_back else _entry(form, wrong.entry.photo)
    if entry is not None:
        _ask_again(form, house, entry, wrong)
    if not form.ok:
        return _form(house, form, wrong)
    try:
        with transaction() as session:
            diary.correct(
                session, id_, wrong, house.key, house.cooperative, somebody().id, entry, reason
            )
    except EventConflict:
        form.values["id"] = str(uuid.uuid4())
        form.wrong("", _("Dòng sửa này đã ghi rồi. Xin bấm ghi lần nữa nếu vẫn muốn sửa."))
        return _form(house, form, wrong)
    _tell(house.key)
    return _back(slug, wrong.id)


@blueprint.get("/photo/<name>")
@allow(*READERS)
def photo(slug: str, name: str) -> Answer:
    """A picture of this diary."""
    key = _book(slug).key
    known = {one.photo for a in diary.lines(records(), key) for one in (a.entry, *a.before)}
    if name not in known:
        abort(404)
    file = photos.path_of(_photo_folder(), name)
    if not file.is_file():
        abort(404)
    answer = Response(file.read_bytes(), mimetype="image/jpeg")
    answer.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return answer


@blueprint.get("/before")
@allow(*WRITERS, scope="records")
def before(slug: str) -> Answer:
    """The form of how it was before."""
    house = _book(slug)
    found = season.before_of(records(), house.key) or season.Before()
    said = {
        "litres_week": _typed(found.litres_week),
        "hours_week": "" if found.minutes_week is None else _typed(found.minutes_week / 60),
        "cost_season": "" if found.cost_season is None else str(found.cost_season),
        "yield_kg_m2": _typed(found.yield_kg_m2),
        "note": found.note,
    }
    return _before(house, Form({**said, "id": str(uuid.uuid4())}))


@blueprint.post("/before")
@allow(*WRITERS, scope="records")
def state_before(slug: str) -> Answer:
    """Take how it was before."""
    house = _book(slug)
    form = Form(request.form)
    id_ = form.id()
    hours = form.amount("hours_week", 200, needed=False)
    stated = season.Before(
        litres_week=form.amount("litres_week", MOST_AMOUNT, needed=False),
        minutes_week=None if hours is None else round(hours * 60),
        cost_season=_money(form, "cost_season"),
        yield_kg_m2=form.amount("yield_kg_m2", 200, needed=False),
        note=form.text("note", 200, needed=False),
    )
    if form.ok and stated == season.Before(note=stated.note):
        form.wrong("", _("Xin ghi ít nhất một số."))
    if not form.ok:
        return _before(house, form)
    try:
        with transaction() as session:
            season.state_before(
                session,
                id_,
                house.key,
                house.cooperative,
                somebody().id,
                stated,
                int(time.time()),
            )
    except EventConflict:
        form.values["id"] = str(uuid.uuid4())
        form.wrong("", _("Dòng này đã ghi rồi. Nếu đây là dòng khác, xin bấm ghi lần nữa."))
        return _before(house, form)
    return redirect(url_for(".book", slug=slug) + "#season", 303)  # type: ignore[return-value]


@blueprint.get("/table.csv")
@allow(*READERS)
def table(slug: str) -> Response:
    """The whole diary as a table for a spreadsheet."""
    house = _book(slug)
    found = diary.lines(records(), house.key)
    names = _names(found)
    head = [
        _("Ngày"),
        _("Việc"),
        _("Cây trồng"),
        _("Phân, thuốc"),
        _("Hoạt chất"),
        _("Số lượng"),
        _("Đơn vị"),
        _("Cách ly (ngày)"),
        _("Công (phút)"),
        _("Tiền (đồng)"),
        _("Ghi chú"),
        _("Người ghi"),
        _("Lý do sửa"),
    ]
    rows = [
        [
            date(datetime.date.fromisoformat(one.entry.day)),
            _("Đã bỏ: %(what)s", what=sentences.kind_word(one.entry.kind))
            if one.withdrawn
            else sentences.kind_word(one.entry.kind),
            one.entry.crop,
            one.entry.product,
            one.entry.ingredient,
            one.entry.amount,
            sentences.unit_name(one.entry.unit),
            one.entry.interval_days,
            one.entry.minutes,
            one.entry.cost,
            one.entry.note,
            names.get(one.actor, ""),
            one.reason,
        ]
        for one in found
    ]
    return csv_answer(f"nhat-ky-{house.slug}.csv", head, rows)


def _form(house: Book, form: Form, wrong: Line | None = None) -> Answer:
    kind = form["kind"] if form["kind"] in KINDS else ""
    lots = _lots(house.key)
    forms = {}
    if not kind:
        standing = diary.standing(diary.lines(records(), house.key))
        forms = {one: Form(_proposed_from(standing, lots, one)) for one in KINDS}
    page = render_template(
        "diary/line.html",
        house=house,
        form=form,
        wrong=wrong,
        kind=kind,
        weighed=[one for one in lots.weighed if kind == "harvested"][-3:],
        choices=[(one, sentences.kind_word(one)) for one in KINDS],
        forms=forms,
        units=UNITS_OF,
        rules=RULES,
        words=sentences,
        today=day_of(time.time()),
    )
    return page if form.ok else (page, 422)


def _before(house: Book, form: Form) -> Answer:
    page = render_template("diary/before.html", house=house, form=form)
    return page if form.ok else (page, 422)


def _entry(form: Form, kept_photo: str = "") -> Entry | None:
    """Read what was typed; only the fields of the kind, so that a hidden one says nothing."""
    kind = form.choice("kind", KINDS)
    if not kind:
        return None
    today = day_of(time.time())
    units = UNITS_OF.get(kind, ())
    amount = None
    unit = ""
    if units:
        amount = form.amount("amount", MOST_AMOUNT, needed=kind in ("harvested", "weighed"))
        if amount is not None:
            unit = form.choice("unit", units) if len(units) > 1 or form["unit"] else units[0]
    sprayed = kind == "sprayed"
    fed = kind in ("fertilised", "sprayed")
    return Entry(
        kind=kind,
        day=form.day("day", latest=today).isoformat(),
        crop=form.text("crop", 60) if kind == "planted" else "",
        product=form.text("product", 80, needed=sprayed) if fed or kind == "planted" else "",
        ingredient=form.text("ingredient", 80, needed=False) if sprayed else "",
        amount=amount,
        unit=unit,
        interval_days=_interval(form) if sprayed else None,
        minutes=_minutes(form),
        cost=_money(form, "cost"),
        note=form.text("note", 500, needed=kind in ("problem", "note")),
        photo=_photo(form) or kept_photo,
        task=form.text("task", 120, needed=False),
        who=form.text("who", 60, needed=False) if fed else "",
        dose=form.text("dose", 60, needed=False) if fed else "",
        to=form.text("to", 80) if kind == "moved" else "",
    )


def _ask_again(form: Form, house: Book, entry: Entry, wrong: Line | None = None) -> None:
    """Ask a spraying back that says less than the label is known to say, or what cannot be."""
    if entry.kind != "sprayed" or not form.ok:
        return
    before = [
        one.entry
        for one in diary.of_cooperative(records(), house.cooperative)
        if not one.withdrawn and (wrong is None or one.id != wrong.id)
    ]
    found = remedies.doubt(entry, _remedies(), before)
    if found is None:
        return
    if found.code in remedies.REFUSED:
        field = "product" if found.code == remedies.FORBIDDEN else "interval_days"
        form.wrong(field, sentences.doubt(found, entry))
    elif form["sure"] != "1":
        form.wrong("sure", sentences.doubt(found, entry))


def _remedies() -> tuple[remedies.Remedy, ...]:
    """The cooperative's labels; a file that cannot be read must not keep a line from the diary."""
    try:
        return remedies.load(_settings().folder)
    except remedies.RemedyError as error:
        log.error("labels of products are not compared: %s", error)
        return ()


def _interval(form: Form) -> int | None:
    if not form["interval_days"].strip():
        form.wrong(
            "interval_days", _("Xin ghi số ngày cách ly in trên nhãn thuốc; không có thì ghi 0.")
        )
        return None
    return form.count("interval_days", 0, diary.LONGEST_INTERVAL_DAYS)


def _minutes(form: Form) -> int | None:
    if not form["minutes"].strip():
        return None
    return form.count("minutes", 0, MOST_MINUTES)


def _money(form: Form, name: str) -> int | None:
    """Đồng, whole: 60.000 is sixty thousand, because nobody counts parts of a đồng."""
    return form.count(name, 0, MOST_COST) if form[name].strip() else None


def _photo(form: Form) -> str:
    sent = request.files.get("photo")
    if sent is None or not sent.filename:
        return ""
    try:
        return photos.keep_sent(_photo_folder(), sent.stream, MOST_PHOTO_BYTES)
    except NotKept:
        form.wrong(
            "photo",
            _("Máy chủ không giữ được ảnh. Xin ghi không có ảnh và báo người phụ trách máy."),
        )
        return ""
    except photos.BadPhoto as error:
        form.wrong(
            "photo",
            _("Ảnh này lớn quá. Xin chụp lại cỡ nhỏ hơn.")
            if error.code == "huge"
            else _("Không đọc được ảnh này. Xin chọn ảnh chụp bằng điện thoại (JPG, PNG)."),
        )
        return ""


def _tell(key: str) -> None:
    """Tell other rooms that something was written here; the line itself is kept already."""
    for follow in current_app.extensions.get(FOLLOWERS, ()):
        follow(key)


def _book(slug: str) -> Book:
    """The diary that stands at this address."""
    finders = current_app.extensions.get(books.FINDERS, {})
    find: books.Finder = finders.get(request.blueprint, _of_greenhouse)
    found = find(slug)
    if found is None or not owns(found.cooperative):
        abort(404)
    return found


def _of_greenhouse(slug: str) -> Book | None:
    house = records().get(Greenhouse, slug)
    if house is None:
        return None
    return books.of_greenhouse(house, url_for("greenhouse.house", slug=slug))


def _line(slug: str, id_: str) -> tuple[Book, Line]:
    house = _book(slug)
    try:
        found = diary.line(records(), house.key, id_)
    except diary.NoSuchLine:
        abort(404)
    if found.withdrawn:
        abort(404)
    return house, found


def _names(found: list[Line]) -> Mapping[str, str]:
    ids = {one.actor for one in found} | {one.corrected_by for one in found}
    people = records().execute(select(Person.id, Person.name).where(Person.id.in_(ids)))
    return {id_: name for id_, name in people}  # noqa: C416  (rows, not pairs)


def _lots(key: str) -> Lots:
    """What the cooperative's books have of this greenhouse or plot."""
    found: Lots = current_app.extensions.get(LOTS, lambda _key: Lots())(key)
    return found


def _procedures() -> tuple[procedures.Procedure, ...]:
    return procedures.load(_settings().folder / "procedures")


def _photo_folder() -> Path:
    return _settings().folder / "photos"


def _settings() -> Settings:
    found: Settings = current_app.extensions["nongso.settings"]
    return found


def _typed(value: float | None) -> str:
    """Write a number as somebody here would type it."""
    if value is None:
        return ""
    text = f"{value:.3f}".rstrip("0").rstrip(".").replace(".", ",")
    whole, _comma, part = text.partition(",")
    return text + "0" if len(part) == 3 and len(whole) <= 3 else text


def _back(slug: str, id_: str) -> Response:
    target = url_for(".book", slug=slug, written=id_) + "#written"
    return redirect(target, 303)  # type: ignore[return-value]
