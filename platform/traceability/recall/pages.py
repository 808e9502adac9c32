"""The pages of recalls: what would be hit, one confirmation, who to call, how far it has come."""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.csvtable import Cell, csv_answer
from nongso.platform.forms import Form, kg
from nongso.platform.languages import _, date
from nongso.platform.people import Cooperative
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    desk,
    new_form,
    producers,
    settings,
    today,
)
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.moving.desk import done, page
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.recall import recalling as recall
from nongso.platform.traceability.recall import rehearsal as recall_rehearsal
from nongso.platform.traceability.recall.reach import Hit, Origin
from nongso.platform.traceability.recall.records import DESTROY, ORIGINS, OUTCOMES, Recall
from nongso.platform.traceability.records import Lot, Producer
from nongso.platform.traceability.tracing.trace import reach

Answer = str | tuple[str, int] | Response


def outcomes() -> dict[str, str]:
    """The four ways of the law, in words."""
    return {
        "correct": _("khắc phục lỗi rồi dùng lại"),
        "change_use": _("chuyển mục đích sử dụng"),
        "re_export": _("tái xuất"),
        "destroy": _("tiêu hủy"),
    }


def advice(session: Session, cooperative: str) -> str:
    """What to do with a pack, unless the clerk says something else; to call only who can be."""
    if any(one.contact for one in _makers(session, cooperative, ())):
        return _("Xin không ăn, giữ nguyên gói và gọi hợp tác xã theo số ghi bên dưới.")
    return _("Xin không ăn, giữ nguyên gói và mang trả hoặc báo cho nơi bán.")


@blueprint.get("/recalls")
@allow(*READERS)
def recalls() -> Answer:
    """Recalls, those that go on first; and whether it is time to rehearse."""
    session = records()
    wanted = scoped(select(Recall), Recall.cooperative)
    found = session.scalars(
        wanted.order_by(Recall.ended_at.is_not(None), Recall.at.desc()).limit(100)
    ).all()
    homes = {one.slug: one.name for one in session.scalars(select(Cooperative))}
    return page(
        "recalls.html",
        recalls=found,
        homes=homes,
        rehearsals=recall_rehearsal.listed(session),
        due=recall_rehearsal.is_due(session, somebody().cooperative or "", today()),
        form=None,
        id=str(uuid.uuid4()),
    )


def _origin(values: Any) -> Origin | None:
    """From what is to be recalled, as an address or a form names it."""
    kind, key = values.get("from", "lot"), values.get("key", "").strip()
    if kind not in ORIGINS or not key:
        return None
    if kind == "lot":
        return Origin(kind, key.upper()[:20])
    if kind == "household":
        return Origin(kind, key[:60], _day(values.get("since")), _day(values.get("until")))
    if kind == "day":
        day = _day(key)
        return None if day is None else Origin(kind, day.isoformat())
    return Origin(kind, key[:60])


def _day(text: str | None) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text or "")
    except ValueError:
        return None


@blueprint.get("/recalls/new")
@allow("clerk")
def recall_new() -> Answer:
    """Choose from what to recall; where that is said, show what would be hit."""
    home = somebody().cooperative or ""
    form = Form(new_form(advice=advice(records(), home), outcome=DESTROY))
    return _recall_new(form, _origin(request.args), bool(request.args.get("key")))


@blueprint.post("/recalls/new")
@allow("clerk")
def begin_recall() -> Answer:
    """Recall, as it was shown."""
    form = Form(request.form)
    origin = _origin(request.form)
    if origin is None:
        return _recall_new(form, None, True)
    why, said = form.text("why", 200), form.text("advice", 300)
    outcome = form.choice("outcome", OUTCOMES)
    wish = recall.Call(origin, why, said, outcome, form["sign"][:64])
    made = done(form, recall.begin, wish)
    if made is None:
        return _recall_new(form, origin, True)
    return redirect(url_for("records.recall", key=made.id), 303)  # type: ignore[return-value]


def _recall_new(form: Form, origin: Origin | None, asked: bool) -> Answer:
    home, hit = somebody().cooperative or "", None
    session = records()
    if origin is not None:
        try:
            hit = recall_reach.hit(session, home, origin, settings().label_url)
            form.values["sign"] = hit.sign
        except Refused as e:
            form.wrong("key", sentences.refusal(e))
    elif asked:
        form.wrong("key", _("Xin chọn thu hồi từ đâu."))
    values = request.values
    choosing = hit is None
    return page(
        "recall_new.html",
        form,
        origin=origin,
        hit=hit,
        told=_told(origin) if origin is not None else "",
        since=values.get("since", ""),
        until=values.get("until", ""),
        asked_from=values.get("from", "lot"),
        asked_key=values.get("key", ""),
        households=producers("household", "group") if choosing else (),
        sprayings=recall_reach.sprayings(session, home)[:50] if choosing else (),
        outcomes=list(outcomes().items()),
        sources=_sources(origin, hit),
    )


def _told(origin: Origin) -> str:
    """From what it is, as a sentence."""
    if origin.kind == "lot":
        return _("Thu hồi từ lô %(lot)s.", lot=origin.key)
    if origin.kind == "household":
        who = recall_reach.household_name(records(), origin.key)
        return _("Thu hồi từ hàng của %(who)s.", who=who)
    if origin.kind == "day":
        return _("Thu hồi mọi lô của ngày %(day)s.", day=date(_day(origin.key) or today()))
    return _("Thu hồi những gì thu hoạch sau lần phun thuốc này.")


def _sources(origin: Origin | None, hit: Hit | None) -> list[Lot]:
    """Where a lot comes from: the fault may lie there, and then more is to be recalled."""
    if origin is None or hit is None or origin.kind != "lot":
        return []
    session = records()
    lot = session.get(Lot, origin.key)
    if lot is None:
        return []
    found = reach(session, [lot.code], "back")
    codes = [node.code for node in found.standing if node.code != lot.code][:40]
    return list(session.scalars(select(Lot).where(Lot.code.in_(codes)).order_by(Lot.at, Lot.code)))


def _own(key: uuid.UUID) -> Recall:
    wanted = scoped(select(Recall), Recall.cooperative).where(Recall.id == str(key))
    found = records().scalar(wanted)
    if found is None:
        abort(404)
    return found


@blueprint.get("/recalls/<uuid:key>", endpoint="recall")
@allow(*READERS)
def one_recall(key: uuid.UUID) -> Answer:
    """A recall: how far it has come, who is to be called."""
    return _recall(_own(key), Form(new_form()))


def _recall(found: Recall, form: Form) -> Answer:
    session = records()
    codes = [one.lot for one in recall.lots_of(session, found.id)]
    return page(
        "recall.html",
        form,
        recall=found,
        now=recall_reach.of_lots(session, codes),
        progress=recall.progress(session, found.id),
        outcomes=list(outcomes().items()),
        outcome=outcomes()[found.outcome],
        ended=outcomes().get(found.ended_how or "", ""),
        told=_told(Origin(found.origin, found.origin_key)),
    )


@blueprint.post("/recalls/<uuid:key>/called")
@allow("clerk")
def called(key: uuid.UUID) -> Answer:
    """Note that a holder was called, and what was said."""
    found, form = _own(key), Form(request.form)
    said = form.text("said", 200)
    known = {one.holder.id for one in recall.progress(records(), found.id)}
    holder = form.choice("holder", known)
    if not form.ok:
        return _recall(found, form)
    with transaction() as session:
        recall.note_call(desk(session), found.id, holder, said)
    return redirect(url_for("records.recall", key=found.id) + "#calls", 303)  # type: ignore[return-value]


@blueprint.post("/recalls/<uuid:key>/end")
@allow("clerk")
def end_recall(key: uuid.UUID) -> Answer:
    """End a recall, with what became of the goods."""
    found, form = _own(key), Form(request.form)
    wish = recall.Ending(found.id, form.choice("ended_how", OUTCOMES), form.text("ended_why", 300))
    if done(form, recall.end, wish) is None:
        return _recall(found, form)
    return redirect(url_for("records.recall", key=found.id), 303)  # type: ignore[return-value]


@blueprint.get("/recalls/<uuid:key>/notice")
@allow(*READERS)
def recall_notice(key: uuid.UUID) -> Answer:
    """The draft of the public notice, to be printed."""
    found = _own(key)
    session = records()
    lots = recall.lots_of(session, found.id)
    codes = [one.lot for one in lots]
    packed = session.scalars(
        select(Lot).where(Lot.code.in_(codes), Lot.product_id.is_not(None)).order_by(Lot.code)
    ).all()
    now = recall_reach.of_lots(session, codes)
    return page(
        "recall_notice.html",
        recall=found,
        packed=packed,
        labels={one.code: one.labels for one in now.lots},
        home=session.get_one(Cooperative, found.cooperative),
        makers=_makers(session, found.cooperative, packed),
        outcome=found.ended_how or found.outcome,
        outcomes=outcomes(),
    )


def _makers(session: Session, cooperative: str, packed: Sequence[Lot]) -> list[Producer]:
    """Who made these packs, and is to be called about them; else the cooperative itself."""
    makers = {lot.product.producer_id: lot.product.producer for lot in packed if lot.product}
    if makers:
        return list(makers.values())
    wanted = select(Producer).where(Producer.cooperative == cooperative)
    return list(session.scalars(wanted.where(Producer.kind == "cooperative")))


@blueprint.get("/recalls/<uuid:key>/calls.csv")
@allow(*READERS)
def recall_calls(key: uuid.UUID) -> Answer:
    """Whom to call, as a table."""
    found = _own(key)
    codes = [one.lot for one in recall.lots_of(records(), found.id)]
    labels = {one.code: one.labels for one in recall_reach.of_lots(records(), codes).lots}
    rows: list[list[Cell]] = [
        [
            one.holder.name,
            one.holder.contact,
            one.holder.address,
            ", ".join(one.lots),
            _labels(one.lots, labels),
            one.packs,
            kg(one.grams) if one.grams else "",
            one.returned_packs,
            one.destroyed_packs,
            one.packs_there,
            one.said,
        ]
        for one in recall.progress(records(), found.id)
    ]
    head = (
        _("Nơi nhận"),
        _("Điện thoại"),
        _("Địa chỉ"),
        _("Các lô"),
        _("Tem số của các lô"),
        _("Số gói lúc thu hồi"),
        _("Hàng rời lúc thu hồi (kg)"),
        _("Đã trả lại (gói)"),
        _("Đã tiêu hủy (gói)"),
        _("Còn giữ (gói)"),
        _("Đã gọi, trả lời"),
    )
    return csv_answer(f"thu-hoi-{found.id[:8]}.csv", head, rows)


def _labels(lots: Sequence[str], labels: Mapping[str, tuple[tuple[int, int], ...]]) -> str:
    """The numbers of the labels that these lots were given: K7M4: 1–180."""
    return "; ".join(
        f"{lot}: " + ", ".join(f"{first}–{last}" for first, last in labels[lot])
        for lot in lots
        if labels.get(lot)
    )
