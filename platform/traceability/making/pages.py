"""The clerk's forms for what happens to one lot: portions, losses, milling, corrections.

Each deed is one line of a table: what it says, what it asks, and what it does. One template shows
all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, redirect, request, url_for

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form, kg_typed
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability import lots
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    new_form,
    own_lot,
    page,
    producers,
    stock,
    today,
)
from nongso.platform.traceability.making import book as making_book
from nongso.platform.traceability.making import correcting, leaving, regrouping
from nongso.platform.traceability.making.correcting import Correction
from nongso.platform.traceability.making.errors import percent
from nongso.platform.traceability.making.leaving import HandBack, HandOver, Loss, Undoing
from nongso.platform.traceability.making.operations import BOUGHT, Take, day_of
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.making.regrouping import FEE, Merge, Split, TakeOver
from nongso.platform.traceability.moving.desk import MOST_PACKS, done
from nongso.platform.traceability.records import PACKS, PLANTING, Lot
from nongso.platform.traceability.seasons import balance as season_balance
from nongso.platform.traceability.shopper import telling_making

Answer = str | tuple[str, int] | Response

_SHOWN = "of"  # hidden in the form: the event that it shows; nobody corrects what was not seen


@dataclass(frozen=True)
class Ask:
    """A field of a form. ``choices`` makes it a list to choose from."""

    name: str
    label: str
    type: str = "text"
    mode: str = ""
    hint: str = ""
    needed: bool = True
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Deed:
    """Something that is done with a lot."""

    title: Callable[[], str]
    says: Callable[[Lot], str]
    button: Callable[[], str]
    asks: Callable[[Lot], list[Ask]]
    proposed: Callable[[Lot], dict[str, str]]
    read: Callable[[Form, Lot], Any]
    does: Callable[..., Lot]
    fits: Callable[[Lot], bool]


def _stands(lot: Lot) -> bool:
    return lot.withdrawn_at is None and lot.kind not in (PLANTING, PACKS)


def _has(lot: Lot) -> bool:
    return _stands(lot) and bool(lot.left_grams)


def _is_foreign(lot: Lot) -> bool:
    return _has(lot) and lot.owner != lot.cooperative


def _grams_and_day(label: str) -> list[Ask]:
    return [
        Ask("output", label, mode="decimal"),
        Ask("day", _("Ngày"), type="date"),
    ]


def _all_of_it(lot: Lot) -> dict[str, str]:
    return {"output": kg_typed(lot.left_grams or 0)}


def _take(form: Form, lot: Lot) -> Take:
    return Take(lot.code, form.grams("output") or 0)


def _read_loss(form: Form, lot: Lot) -> Loss:
    grams, cause = form.grams("output") or 0, form.choice("cause", leaving.CAUSES)
    return Loss(lot.code, grams, cause, form.day("day", today()), form.text("note", 120, False))


def _mills(lot: Lot) -> list[tuple[str, str]]:
    here = [("", _("Về hợp tác xã"))] if lot.holder != lot.cooperative else []
    return [*here, *((one.id, one.name) for one in producers() if one.id != lot.holder)]


def _read_hand_over(form: Form, lot: Lot) -> HandOver:
    to = form.choice("to", {key for key, _name in _mills(lot)})
    return HandOver(lot.code, to, form.day("day", today()))


def _went_in(lot: Lot) -> tuple[Take, ...]:
    """What went into a lot, as it is recorded today."""
    return correcting.takes_of(correcting.made_by(records(), lot.code)[-1])


def _correction_asks(lot: Lot) -> list[Ask]:
    amount = (
        Ask("output", _("Số gói đúng"), mode="numeric")
        if lot.kind == PACKS
        else Ask("output", _("Số kg đúng"), mode="decimal")
    )
    asks = [amount, Ask("day", _("Ngày đúng"), type="date")]
    for take in _went_in(lot):
        label = _("Đã lấy vào từ lô %(lot)s (kg)", lot=take.lot)
        asks.append(Ask(f"take-{take.lot}", label, mode="decimal"))
    if _asks_moisture(lot):
        asks.append(moisture_ask(lot.kind))
    hint = _("Ví dụ: ghi nhầm số, cân lại. Người quét tem cũng đọc được dòng này.")
    return [*asks, Ask("why", _("Lý do sửa"), hint=hint)]


def _correction_proposed(lot: Lot) -> dict[str, str]:
    proposed = {f"take-{take.lot}": kg_typed(take.grams) for take in _went_in(lot)}
    proposed["output"] = str(lot.packs) if lot.kind == PACKS else kg_typed(lot.made_grams or 0)
    if lot.moisture_permille is not None:
        proposed["moisture"] = percent_typed(lot.moisture_permille)
    of = correcting.made_by(records(), lot.code)[-1].id
    return {**proposed, "day": day_of(lot).isoformat(), _SHOWN: of}


def _read_correction(form: Form, lot: Lot) -> Correction:
    amount = (
        form.count("output", 1, MOST_PACKS) if lot.kind == PACKS else form.grams("output") or 0
    )
    takes = tuple(Take(take.lot, form.grams(f"take-{take.lot}") or 0) for take in _went_in(lot))
    day, why = form.day("day", today()), form.text("why", 200)
    wet = moisture_typed(form) if _asks_moisture(lot) else lot.moisture_permille
    return Correction(lot.code, amount, day, why, wet, takes, form[_SHOWN])


def _asks_moisture(lot: Lot) -> bool:
    kind = recipes().kinds.get(lot.kind)
    return kind is not None and kind.moisture is not None and kind.moisture.asked


def moisture_ask(kind: str) -> Ask:
    """The field for a moisture."""
    hint = _("Nếu có máy đo. Bột ướt và bột khô khác nhau nhiều.")
    return Ask("moisture", _("Độ ẩm, phần trăm"), mode="decimal", needed=False, hint=hint)


def percent_typed(permille: int) -> str:
    """A moisture as somebody would type it."""
    return f"{permille / 10:g}".replace(".", ",")


def moisture_typed(form: Form) -> int | None:
    """A moisture in permille, ``None`` where nobody measured."""
    found = form.amount("moisture", 99, needed=False)
    return None if found is None else round(found * 10)


DEEDS: dict[str, Deed] = {
    "split": Deed(
        title=lambda: _("Tách lô"),
        says=lambda lot: _("Phần tách ra thành một lô riêng, phần còn lại giữ mã cũ."),
        button=lambda: _("Ghi tách lô"),
        asks=lambda lot: _grams_and_day(_("Tách ra (kg)")),
        proposed=lambda lot: {},
        read=lambda form, lot: Split(_take(form, lot), form.day("day", today())),
        does=regrouping.split,
        fits=_has,
    ),
    "take-over": Deed(
        title=lambda: _("Mua lại của hộ"),
        says=lambda lot: _("Phần mua thành một lô của hợp tác xã. Phần còn lại vẫn là của hộ."),
        button=lambda: _("Ghi mua lại"),
        asks=lambda lot: [
            *_grams_and_day(_("Mua (kg)")),
            Ask(
                "terms",
                _("Hình thức"),
                choices=((BOUGHT, _("mua bằng tiền")), (FEE, _("trừ vào công làm thuê"))),
            ),
        ],
        proposed=lambda lot: {**_all_of_it(lot), "terms": BOUGHT},
        read=lambda form, lot: TakeOver(
            _take(form, lot), form.day("day", today()), form.choice("terms", regrouping.TERMS)
        ),
        does=regrouping.take_over,
        fits=_is_foreign,
    ),
    "hand-back": Deed(
        title=lambda: _("Trả lại hộ"),
        says=lambda lot: _("Hộ đã nhận lại phần này và mang về."),
        button=lambda: _("Ghi đã trả"),
        asks=lambda lot: _grams_and_day(_("Trả lại (kg)")),
        proposed=_all_of_it,
        read=lambda form, lot: HandBack(
            lot.code, form.grams("output") or 0, form.day("day", today())
        ),
        does=leaving.hand_back,
        fits=_is_foreign,
    ),
    "hand-over": Deed(
        title=lambda: _("Gửi đi làm thuê, nhận về"),
        says=lambda lot: _("Lô vẫn của chủ cũ, chỉ đổi nơi giữ. Gửi một phần thì tách lô trước."),
        button=lambda: _("Ghi nơi giữ"),
        asks=lambda lot: [
            Ask("to", _("Nơi giữ mới"), choices=_mills(lot)),
            Ask("day", _("Ngày"), type="date"),
        ],
        proposed=lambda lot: {},
        read=_read_hand_over,
        does=leaving.hand_over,
        fits=_has,
    ),
    "loss": Deed(
        title=lambda: _("Ghi hao hụt"),
        says=lambda lot: _("Số này trừ khỏi kho và không dùng nữa."),
        button=lambda: _("Ghi hao hụt"),
        asks=lambda lot: [
            *_grams_and_day(_("Hao hụt (kg)")),
            Ask(
                "cause",
                _("Vì sao"),
                choices=[(key, telling_making.cause(key)) for key in leaving.CAUSES],
            ),
            Ask("note", _("Ghi thêm"), needed=False),
        ],
        proposed=lambda lot: {},
        read=_read_loss,
        does=leaving.lose,
        fits=_has,
    ),
    "correct": Deed(
        title=lambda: _("Sửa số đã ghi"),
        says=lambda lot: _(
            "Số cũ vẫn nằm trong sổ, bên cạnh số đúng và lý do. Nếu ghi nhầm hẳn, xin hủy bản ghi."
        ),
        button=lambda: _("Ghi số đúng"),
        asks=_correction_asks,
        proposed=_correction_proposed,
        read=_read_correction,
        does=correcting.correct,
        fits=lambda lot: lot.withdrawn_at is None and lot.kind != PLANTING,
    ),
}


def deeds_of(lot: Lot) -> list[tuple[str, str]]:
    """What can be done with a lot: the deed's key and title."""
    return [(key, deed.title()) for key, deed in DEEDS.items() if deed.fits(lot)]


def _deed(key: str, lot: Lot) -> Deed:
    if key not in DEEDS or not DEEDS[key].fits(lot):
        abort(404)
    return DEEDS[key]


@blueprint.get("/lots/<code>/do/<deed>")
@allow("clerk")
def lot_deed(code: str, deed: str) -> Answer:
    """Show the form of a deed."""
    lot = own_lot(code)
    found = _deed(deed, lot)
    return _shown(lot, found, Form(new_form(**found.proposed(lot))))


@blueprint.post("/lots/<code>/do/<deed>")
@allow("clerk")
def do_with_lot(code: str, deed: str) -> Answer:
    """Record a deed."""
    lot = own_lot(code)
    found, form = _deed(deed, lot), Form(request.form)
    made = done(form, found.does, found.read(form, lot))
    if made is not None:
        return _to(made.code)
    now = found.proposed(lot)
    form.values |= {name: now[name] for name in (_SHOWN,) if name in now}
    return _shown(lot, found, form)


def _to(code: str) -> Answer:
    return redirect(url_for("records.lot", code=code, recorded=1), 303)  # type: ignore[return-value]


def _shown(lot: Lot, deed: Deed, form: Form) -> Answer:
    asks = deed.asks(lot)
    known = {ask.name for ask in asks} | {""}
    other = [said for name, said in form.errors.items() if name not in known]
    return page("deed.html", form, lot=lot, deed=deed, asks=asks, other=other)


@blueprint.get("/lots/<code>/undo/<event>")
@allow("clerk")
def undoing(code: str, event: str) -> Answer:
    """Show the form for undoing a loss or a handing back."""
    return _undoing(own_lot(code), event, Form(new_form()))


@blueprint.post("/lots/<code>/undo/<event>")
@allow("clerk")
def undo(code: str, event: str) -> Answer:
    """Undo it; the stock is there again."""
    lot, form = own_lot(code), Form(request.form)
    wish = Undoing(event, form.text("why", 200))
    if done(form, leaving.undo, wish) is None:
        return _undoing(lot, event, form)
    return _to(lot.code)


def _undoing(lot: Lot, event: str, form: Form) -> Answer:
    wanted = (making_book.LOSS, making_book.HANDED_BACK)
    if event not in {one.id for one in lots.about(records(), lot.code, wanted)}:
        abort(404)
    return page("undo.html", form, lot=lot)


@blueprint.get("/merge")
@allow("clerk")
def merging() -> Answer:
    """Show the form for merging lots of one kind: all of what is there is proposed."""
    first = own_lot(request.args.get("lot", "")) if request.args.get("lot") else None
    found = _mergeable(first) if first is not None else []
    proposed = {f"take-{lot.code}": "" for lot in found}
    if first is not None:
        proposed[f"take-{first.code}"] = kg_typed(first.left_grams or 0)
    return page("merge.html", Form(new_form(**proposed)), first=first, stock=found)


@blueprint.post("/merge")
@allow("clerk")
def merge() -> Answer:
    """Merge lots into one."""
    first, form = own_lot(request.args.get("lot", "")), Form(request.form)
    form.id()  # a page that was open too long says only that
    found, takes = _mergeable(first), []
    for lot in found:
        grams = form.grams(f"take-{lot.code}", needed=False)
        if grams is not None:
            takes.append(Take(lot.code, grams))
    if len(takes) < 2 and form.ok:
        form.wrong("inputs", _("Xin ghi số ki-lô-gam của ít nhất hai lô."))
    made = done(form, regrouping.merge, Merge(tuple(takes), form.day("day", today())))
    if made is None:
        return page("merge.html", form, first=first, stock=found)
    return _to(made.code)


def _mergeable(first: Lot) -> Sequence[Lot]:
    alike = (first.name, first.owner, first.holder)
    return [lot for lot in stock(first.kind) if (lot.name, lot.owner, lot.holder) == alike]


@blueprint.get("/balance")
@allow(*READERS)
def balance() -> Answer:
    """The mass balance of a chain in a season."""
    chains = recipes().chains
    chain = chains.get(request.args.get("chain", "dong"))
    if chain is None:
        abort(404)
    now = season_balance.season_of(chain, today())
    asked = request.args.get("season", "")
    year = int(asked) if asked.isascii() and asked.isdigit() and len(asked) == 4 else now.year
    season = season_balance.season(chain, max(year, 2000))
    session, cooperative = records(), somebody().cooperative or ""
    return page(
        "balance.html",
        chain=chain,
        chains=chains.values(),
        season=season,
        newest=now.year,
        kinds=season_balance.kinds(session, cooperative, chain, season),
        steps=season_balance.steps(session, cooperative, chain, season),
        lands=season_balance.lands(session, producers(), chain, season),
        tell=telling_making,
        percent=percent,
    )


@blueprint.get("/chains/<chain>")
@allow(*READERS)
def chain_work(chain: str) -> Answer:
    """What can be recorded for one chain of products."""
    found = recipes().chains.get(chain)
    if found is None:
        abort(404)
    return page("chain.html", chain=found, words=telling_making.words)


@blueprint.get("/chains")
@allow(*READERS)
def chain_list() -> Answer:
    """All chains of products."""
    return page("chains.html", chains=recipes().chains.values(), words=telling_making.words)
