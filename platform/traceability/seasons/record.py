"""The record of a season (hồ sơ vụ): everything that is known of one planting, as tables.

In the order in which a VietGAP inspection asks: who and where, what was planted and where the
seed came from, what was spread and sprayed with dose, interval and who did it, water, harvests
and yield, tests, what was corrected. Nothing is typed for it: it is read from the diary, the
gateway's waterings, the lots and the laboratory's results.

It holds names of people and is for the cooperative and its inspectors, never public. The forms of
TCVN 11892-1 are a paid text that we have not seen; a cooperative compares before it relies on it.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.diary import entries as diary
from nongso.platform.diary import sentences as diary_words
from nongso.platform.diary import watering
from nongso.platform.diary.entries import Entry, Line
from nongso.platform.events import Event
from nongso.platform.forms import kg
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import _, date, day_of, number
from nongso.platform.people import Cooperative, Person
from nongso.platform.traceability.records import CROP, Flow, Lot
from nongso.platform.traceability.registry.plots import BOOK, Plot
from nongso.platform.traceability.registry.plots import title as plot_title
from nongso.platform.traceability.registry.plots import weighed as weighed_from
from nongso.platform.traceability.shopper import telling
from nongso.platform.traceability.testing.records import LabTest
from nongso.platform.traceability.tracing.trace import trace


@dataclass(frozen=True)
class Table:
    """A part of the record. ``widths`` are shares of a page's width."""

    title: str
    lines: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    widths: tuple[float, ...] = ()


@dataclass(frozen=True)
class Grown:
    """What grew and where: a planting in a greenhouse, or a crop on a plot. ``book`` is its diary.

    ``code`` is that of the planting or of the plot; ``until`` is the last day that is told.
    """

    book: str
    code: str
    crop: str
    where: str
    grower: str
    cooperative: str
    area_m2: float | None
    growing_area_code: str
    since: datetime.date
    until: datetime.date
    harvests: Sequence[Lot]


@dataclass(frozen=True)
class SeasonRecord:
    """All of it. ``until`` is the last day that is told: of the last harvest, or today."""

    code: str  # of the planting, or of the plot
    cooperative: str
    title: str
    since: datetime.date
    until: datetime.date
    tables: tuple[Table, ...]


def season_record(session: Session, planting: Lot, now: int) -> SeasonRecord | None:
    """Gather the record of a planting; ``None`` where it grows in no greenhouse."""
    place = planting.place
    house = session.get(Greenhouse, place.greenhouse) if place and place.greenhouse else None
    if house is None:
        return None
    harvests = _harvests(session, planting)
    parts = (house.name, place.village, place.commune, place.province) if place else ()
    grown = Grown(
        book=house.slug,
        code=planting.code,
        crop=planting.name,
        where=", ".join(part for part in parts if part),
        grower=planting.producer.name if planting.producer is not None else "",
        cooperative=planting.cooperative,
        area_m2=house.area_m2,
        growing_area_code="",
        since=day_of(planting.at),
        until=max((day_of(one.at) for one in harvests), default=day_of(now)),
        harvests=harvests,
    )
    title = _("Hồ sơ vụ: %(crop)s, %(house)s", crop=planting.name, house=house.name)
    return _record(session, grown, title)


def plot_record(session: Session, plot: Plot, now: int) -> SeasonRecord:
    """Gather the record of the season that goes on, on a plot, or of the last one.

    It begins with the diary's last planting, or where nobody wrote that, with the plot.
    """
    planted = diary.planting(diary.standing(diary.lines(session, BOOK + plot.id)))
    since = datetime.date.fromisoformat(planted.day if planted is not None else plot.since)
    weighed = [(lot, day_of(at)) for lot, at in weighed_from(session, plot.id)]
    weighed = [(lot, lifted) for lot, lifted in weighed if lifted >= since]
    until = datetime.date.fromisoformat(plot.until) if plot.until else day_of(now)
    name = plot_title(plot)
    owner = plot.producer
    parts = (name, owner.village, owner.commune, owner.province)
    grown = Grown(
        book=BOOK + plot.id,
        code=plot.code,
        crop=plot.crop,
        where=", ".join(part for part in parts if part),
        grower=owner.name,
        cooperative=plot.cooperative,
        area_m2=plot.area_m2,
        growing_area_code=plot.growing_area_code,
        since=since,
        until=max([min(until, day_of(now)), *(lifted for _lot, lifted in weighed)]),
        harvests=[lot for lot, _lifted in weighed],
    )
    return _record(session, grown, _("Hồ sơ vụ: %(crop)s, %(house)s", crop=plot.crop, house=name))


def _record(session: Session, grown: Grown, title: str) -> SeasonRecord:
    lines = [
        one
        for one in reversed(diary.lines(session, grown.book))
        if grown.since <= datetime.date.fromisoformat(one.entry.day) <= grown.until
    ]
    standing = [one for one in lines if not one.withdrawn]
    names = _names(session, lines)
    home = session.get(Cooperative, grown.cooperative)
    return SeasonRecord(
        code=grown.code,
        cooperative=home.name if home is not None else "",
        title=title,
        since=grown.since,
        until=grown.until,
        tables=(
            _who_and_where(grown, home, standing),
            _inputs(_("Phân bón"), _of(standing, "fertilised"), names),
            _sprayings(_of(standing, "sprayed"), names),
            _water(session, grown, _of(standing, "watered")),
            _other_work(standing, names),
            _gathered(session, grown),
            _tests(session, grown.harvests),
            _corrected(lines, names),
        ),
    )


def _harvests(session: Session, planting: Lot) -> list[Lot]:
    return list(
        session.scalars(
            select(Lot)
            .join(Flow, Flow.target == Lot.code)
            .where(Flow.source == planting.code, Lot.kind == CROP, Lot.withdrawn_at.is_(None))
            .order_by(Lot.at, Lot.born_number)
        )
    )


def _names(session: Session, lines: Sequence[Line]) -> Mapping[str, str]:
    ids = {one.actor for one in lines} | {one.corrected_by for one in lines}
    people = session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))
    return {row.id: row.name for row in people}


def _of(lines: Sequence[Line], kind: str) -> list[Line]:
    return [one for one in lines if one.entry.kind == kind]


def _who_and_where(grown: Grown, home: Cooperative | None, lines: Sequence[Line]) -> Table:
    seed = next((one.entry.product for one in lines if one.entry.kind == "planted"), "")
    unknown = _("chưa ghi")
    area = f"{number(grown.area_m2)} m²" if grown.area_m2 is not None else unknown
    rows = [
        (_("Hợp tác xã"), home.name if home is not None else unknown),
        (_("Người trồng"), grown.grower or unknown),
        (_("Nơi trồng"), grown.where or unknown),
        (_("Diện tích"), area),
        (_("Cây trồng"), grown.crop),
        (_("Giống, mua ở đâu"), seed or unknown),
        (_("Mã thửa") if grown.book.startswith(BOOK) else _("Mã lứa"), grown.code),
        (_("Ngày trồng"), date(grown.since)),
        (_("Ghi đến ngày"), date(grown.until)),
    ]
    if grown.growing_area_code:
        rows.insert(3, (_("Mã số vùng trồng"), grown.growing_area_code))
    return Table(
        _("Nơi trồng và giống"),
        head=(_("Mục"), _("Nội dung")),
        rows=tuple(rows),
        widths=(1, 3),
    )


def _who(line: Line, names: Mapping[str, str]) -> tuple[str, str]:
    """Who did it and who wrote it down."""
    writer = names.get(line.actor, "")
    return line.entry.who or writer, writer


def _day(entry: Entry) -> str:
    return date(datetime.date.fromisoformat(entry.day))


def _inputs(title: str, lines: Sequence[Line], names: Mapping[str, str]) -> Table:
    return Table(
        title,
        lines=() if lines else (_("Không có dòng nào."),),
        head=(
            _("Ngày"),
            _("Tên phân"),
            _("Lượng dùng"),
            _("Cách pha, liều lượng"),
            _("Người làm"),
            _("Người ghi"),
        ),
        rows=tuple(
            (
                _day(one.entry),
                one.entry.product,
                diary_words.amount(one.entry),
                one.entry.dose,
                *_who(one, names),
            )
            for one in lines
        ),
        widths=(1.2, 2.5, 1.2, 2, 1.6, 1.6),
    )


def _sprayings(lines: Sequence[Line], names: Mapping[str, str]) -> Table:
    rows = []
    for one in lines:
        entry = one.entry
        until = datetime.date.fromisoformat(entry.day) + datetime.timedelta(
            entry.interval_days or 0
        )
        rows.append(
            (
                _day(entry),
                entry.product,
                entry.ingredient,
                diary_words.amount(entry),
                entry.dose,
                "" if entry.interval_days is None else number(entry.interval_days),
                date(until) if entry.interval_days else "",
                *_who(one, names),
            )
        )
    return Table(
        _("Thuốc bảo vệ thực vật"),
        lines=() if rows else (_("Không có dòng nào."),),
        head=(
            _("Ngày"),
            _("Tên thuốc"),
            _("Hoạt chất"),
            _("Lượng dùng"),
            _("Cách pha, liều lượng"),
            _("Cách ly (ngày)"),
            _("Cách ly đến hết ngày"),
            _("Người làm"),
            _("Người ghi"),
        ),
        rows=tuple(rows),
        widths=(1.2, 1.8, 1.6, 1, 1.6, 0.9, 1.3, 1.4, 1.4),
    )


def _water(session: Session, grown: Grown, by_hand: Sequence[Line]) -> Table:
    on_plot = grown.book.startswith(BOOK)  # no gateway waters a hill
    days = [] if on_plot else watering.by_day(session, grown.book, grown.since, grown.until)
    metered = sum(one.litres or 0 for one in days)
    unmetered = sum(one.unmetered for one in days)
    hand = sum(one.entry.amount or 0 for one in by_hand)
    said = (
        []
        if on_plot
        else [
            _(
                "Tủ điều khiển tưới %(times)s lần trong %(days)s ngày, đo được %(litres)s lít.",
                times=number(sum(one.times for one in days)),
                days=number(len(days)),
                litres=number(metered),
            )
        ]
    )
    if unmetered:
        said.append(_("%(times)s lần tưới không đo được nước.", times=number(unmetered)))
    if by_hand:
        said.append(
            _(
                "Tưới tay %(times)s lần, %(litres)s lít theo lời người trồng.",
                times=number(len(by_hand)),
                litres=number(hand),
            )
        )
    return Table(
        _("Nước tưới"),
        lines=tuple(said) or (_("Không có dòng nào."),),
        head=(_("Ngày"), _("Số lần"), _("Số phút"), _("Số lít đo được"), _("Lần không đo được")),
        rows=tuple(
            (
                date(one.day),
                number(one.times),
                number(one.seconds / 60),
                "" if one.litres is None else number(one.litres, 1),
                number(one.unmetered),
            )
            for one in days
        ),
    )


def _other_work(lines: Sequence[Line], names: Mapping[str, str]) -> Table:
    kinds = ("pruned", "weighed", "moved", "problem", "note")
    found = [one for one in lines if one.entry.kind in kinds]
    return Table(
        _("Việc khác và sâu bệnh"),
        lines=() if found else (_("Không có dòng nào."),),
        head=(_("Ngày"), _("Việc"), _("Ghi chú"), _("Người ghi")),
        rows=tuple(
            (
                _day(one.entry),
                ", ".join(
                    part
                    for part in (
                        diary_words.kind_word(one.entry.kind),
                        diary_words.amount(one.entry),
                        one.entry.to,
                    )
                    if part
                ),
                one.entry.note,
                names.get(one.actor, ""),
            )
            for one in found
        ),
        widths=(1.2, 2, 5, 1.6),
    )


def _gathered(session: Session, grown: Grown) -> Table:
    harvests = grown.harvests
    total = sum(one.made_grams or 0 for one in harvests)
    said = [_("Tổng cộng %(kg)s kg.", kg=kg(total))]
    if grown.area_m2 and total:
        mean = number(total / 1000 / grown.area_m2, 2)
        said.append(_("Năng suất %(kg)s kg mỗi m².", kg=mean))
    if harvests:
        event = session.get(Event, harvests[-1].born_number)
        record = event.body.get("nongso:growingRecord") if event is not None else None
        if record is not None:
            said += [*telling.in_band(record), *telling.how_much(record)]
            if record["missing_days"]:
                count = number(len(record["missing_days"]))
                said.append(_("%(count)s ngày thiếu số đo của cảm biến.", count=count))
            if record["simulated"]:
                said.append(_("Số đo mô phỏng, không phải của cảm biến thật."))
    return Table(
        _("Thu hoạch"),
        lines=tuple(said),
        head=(_("Ngày"), _("Mã lô"), _("Cân được (kg)")),
        rows=tuple((date(day_of(one.at)), one.code, kg(one.made_grams or 0)) for one in harvests),
    )


def _tests(session: Session, harvests: Sequence[Lot]) -> Table:
    codes: dict[str, None] = {}
    for lot in harvests:
        codes |= dict.fromkeys(one.lot.code for one in trace(session, lot, "forward").lots)
    found = session.scalars(
        select(LabTest).where(LabTest.lot.in_(list(codes)[:5000])).order_by(LabTest.at)
    ).all()
    return Table(
        _("Kiểm nghiệm"),
        lines=() if found else (_("Chưa có kết quả nào."),),
        head=(
            _("Ngày"),
            _("Mã lô"),
            _("Phòng kiểm nghiệm"),
            _("Số phiếu"),
            _("Tìm gì"),
            _("Kết quả"),
            _("Mức cho phép"),
            _("Kết luận"),
        ),
        rows=tuple(
            (
                date(day_of(one.at)),
                one.lot,
                one.laboratory,
                one.report_number,
                one.what,
                f"{one.value} {one.unit}".strip(),
                one.limit,
                _verdict(one),
            )
            for one in found
        ),
    )


def _verdict(test: LabTest) -> str:
    said = _("đạt") if test.conformant else _("không đạt")
    if test.wrong_at is None:
        return said
    return _("%(said)s (ghi sai: %(why)s)", said=said, why=test.wrong_why)


def _corrected(lines: Sequence[Line], names: Mapping[str, str]) -> Table:
    """What was written and then corrected or taken back; both stay."""
    found = [one for one in lines if one.corrected_at is not None]
    return Table(
        _("Dòng đã sửa"),
        lines=() if found else (_("Không có dòng nào."),),
        head=(_("Ngày"), _("Việc"), _("Trước khi sửa"), _("Lý do"), _("Người sửa"), _("Sửa ngày")),
        rows=tuple(
            (
                _day(one.entry),
                diary_words.kind_word(one.entry.kind),
                "; ".join(", ".join(diary_words.facts(old)) for old in one.before),
                _("đã bỏ: %(reason)s", reason=one.reason) if one.withdrawn else one.reason,
                names.get(one.corrected_by, ""),
                date(day_of(one.corrected_at or 0)),
            )
            for one in found
        ),
        widths=(1.2, 1.4, 4, 2.5, 1.5, 1.2),
    )
