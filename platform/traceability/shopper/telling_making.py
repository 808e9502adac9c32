"""What the clerk's pages say of a lot's making, as values and whole sentences."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.forms import mass
from nongso.platform.languages import _, date, day_of, language, number, quantity
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.making import book as making_book
from nongso.platform.traceability.making import correcting, leaving, reckoning
from nongso.platform.traceability.making import yields as rules_yield
from nongso.platform.traceability.making.errors import percent
from nongso.platform.traceability.making.recipe_book import Words, recipes
from nongso.platform.traceability.making.yields import ENOUGH, Usual
from nongso.platform.traceability.records import PACKS, Lot, Producer


@dataclass(frozen=True)
class Row:
    """A line of a balance: what, and how much."""

    what: str
    amount: str


@dataclass(frozen=True)
class Left:
    """Something that left the lot: when, how much, why; ``event`` can be undone."""

    event: str
    day: datetime.date
    amount: str
    why: str
    undone: bool


@dataclass(frozen=True)
class Corrected:
    """A correction: when, from what to what, why."""

    at: int
    change: str
    why: str


def usually(band: Usual | None, past: Sequence[float]) -> str:
    """Say what usually comes out, and who says so; before that is known, what was seen so far."""
    if band is None and not past:
        return _("chưa biết thường là bao nhiêu: chưa có mẻ nào để so")
    if band is None:
        return _(
            "chưa biết thường là bao nhiêu: mới có %(count)s mẻ, từ %(low)s đến %(high)s; "
            "đủ %(enough)s mẻ thì máy tự so",
            count=number(len(past)),
            low=percent(min(past)),
            high=percent(max(past)),
            enough=number(ENOUGH),
        )
    low, high = percent(band.low_percent), percent(band.high_percent)
    if band.batches:
        return _(
            "thường %(low)s–%(high)s theo %(count)s mẻ gần đây",
            low=low.removesuffix("%"),
            high=high,
            count=number(band.batches),
        )
    return _("thường %(low)s–%(high)s", low=low.removesuffix("%"), high=high)


def yield_of(session: Session, lot: Lot) -> str:
    """Say what went in, what came out, and what usually does; empty where nothing was made."""
    if lot.kind == PACKS and lot.in_grams:
        made = lot.net.mass(lot.packs)
        return _(
            "Vào %(taken)s, ra %(packs)s gói là %(made)s: %(percent)s.",
            taken=mass(lot.in_grams),
            packs=number(lot.packs),
            made=mass(made),
            percent=percent(made / lot.in_grams * 100),
        )
    if lot.recipe is None:
        return ""
    step = recipes().steps[lot.recipe]
    run = reckoning.runs(session, [lot])[0]
    past = reckoning.past_of(session, lot.cooperative, step, before=lot.born_number)
    return _(
        "Vào %(taken)s, ra %(made)s: %(percent)s, %(usually)s.",
        taken=mass(run.in_grams),
        made=mass(run.out_grams),
        percent=percent(run.percent),
        usually=usually(rules_yield.usual(step.band, past), past),
    )


def balance_of(lot: Lot) -> list[Row]:
    """The lines of a lot's balance; only those that say something."""
    found = reckoning.balance_of(lot)
    if found is None:
        return []
    return balance_rows(found, is_packs=lot.kind == PACKS)


def balance_rows(found: reckoning.Balance, is_packs: bool = False) -> list[Row]:
    """The lines of a balance."""

    def said(amount: int) -> str:
        return _("%(count)s gói", count=number(amount)) if is_packs else mass(amount)

    rows = [
        (_("Làm tiếp, tách, đóng gói"), found.passed_on),
        (_("Hao hụt"), found.lost),
        (_("Lấy mẫu"), found.sampled),
        (_("Xuất đi, đã bán") if is_packs else _("Xuất đi, trả lại hộ"), found.away),
        (_("Tiêu hủy"), found.destroyed),
    ]
    return [
        Row(_("Có từ đầu"), said(found.made)),
        *(Row(what, said(amount)) for what, amount in rows if amount),
        Row(_("Còn lại"), said(found.left)),
    ]


def cause(key: str) -> str:
    """Why something was lost."""
    return {
        leaving.DRIED: _("khô hao"),
        leaving.SPOILT: _("hỏng, mốc"),
        leaving.SPILT: _("rơi vãi"),
        leaving.PESTS: _("chuột, mọt"),
        leaving.COUNTED: _("cân lại thấy thiếu"),
    }[key]


def left(session: Session, lot: Lot) -> list[Left]:
    """Losses and what was handed back."""
    undone = leaving.undone(session, lot.code)
    found = []
    for event in lots.about(session, lot.code, (making_book.LOSS, making_book.HANDED_BACK)):
        why = (
            cause(event.body["nongso:cause"])
            if event.type == making_book.LOSS
            else _("trả lại hộ")
        )
        note = event.body.get("nongso:note", "")
        found.append(
            Left(
                event.id,
                _day(event),
                mass(shaping.grams_of(event.body["quantityList"][0]) or 0),
                f"{why} ({note})" if note else why,
                event.id in undone,
            )
        )
    return found


def corrections(session: Session, lot: Lot) -> list[Corrected]:
    """What was corrected, oldest first."""
    events = [
        event
        for event in lots.about(session, lot.code, (*correcting.MAKING, making_book.CORRECTED))
        if lots.made_by(event.body) == lot.code
    ]
    by_id = {event.body["eventID"]: event for event in events}
    found = []
    for event in events:
        before = by_id.get(event.body.get("nongso:corrects", ""))
        if before is not None:
            why = event.body["nongso:why"]
            found.append(Corrected(event.body["nongso:correctedAt"], _change(before, event), why))
    return found


def _day(event: Event) -> datetime.date:
    return day_of(event.at)


def _change(before: Event, after: Event) -> str:
    parts = []
    old, new = _amount(before), _amount(after)
    if old != new:
        parts.append(_("%(old)s thành %(new)s", old=old, new=new))
    if _day(before) != _day(after):
        days = {"old": date(_day(before)), "new": date(_day(after))}
        parts.append(_("ngày %(old)s thành ngày %(new)s", **days))
    taken = [
        sum(shaping.grams_of(one) or 0 for one in event.body.get("inputQuantityList", ()))
        for event in (before, after)
    ]
    if taken[0] != taken[1]:
        amounts = {"old": mass(taken[0]), "new": mass(taken[1])}
        parts.append(_("đưa vào %(old)s thành %(new)s", **amounts))
    return "; ".join(parts) or _("độ ẩm")


def _amount(event: Event) -> str:
    body = event.body
    one = (body.get("outputQuantityList") or body["quantityList"])[0]
    grams = shaping.grams_of(one)
    if grams is not None:
        return mass(grams)
    return _("%(count)s gói", count=number(one.get("quantity", 0)))


def party_name(session: Session, lot: Lot, key: str) -> str:
    """Who that is: a producer by name, the cooperative as such."""
    if key == lot.cooperative:
        return _("hợp tác xã")
    found = session.get(Producer, key)
    return found.name if found is not None else key


def reasons(session: Session, lot: Lot) -> list[str]:
    """Reasons that were given when the lot was recorded, and from whom it was bought in."""
    found = []
    for event in correcting.made_by(session, lot.code):
        if reason := event.body.get("nongso:reason"):
            found.append(_("Lý do đã ghi: %(reason)s", reason=reason))
        if source := event.body.get("nongso:boughtFrom"):
            found.append(_("Mua ngoài, từ: %(source)s", source=source))
    return found


def moisture(permille: int | None) -> str:
    """A moisture as it is said."""
    return "" if permille is None else percent(permille / 10)


def area(m2: int) -> str:
    """An area in hectares."""
    return quantity(m2 / 10_000, "ha", 2)


def words(of: Words) -> str:
    """Words of a recipe in the reader's language."""
    return of.said(language())
