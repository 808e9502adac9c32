"""The clerk's first page, the page of a lot, and withdrawing its record."""

from collections.abc import Iterable

from flask import Response, make_response, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.events import Event
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    held_by_spraying,
    new_form,
    own_lot,
    page,
    today,
)
from nongso.platform.traceability.identifiers import as_typed
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.legal import facts as legal_facts
from nongso.platform.traceability.making.pages import deeds_of
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.moving.desk import done
from nongso.platform.traceability.recall import rehearsal as recall_rehearsal
from nongso.platform.traceability.records import (
    CROP,
    PACKS,
    LabelCode,
    LabelIssue,
    Lot,
    lot_kinds,
    product_kinds,
)
from nongso.platform.traceability.registry import certificates
from nongso.platform.traceability.shopper import telling, telling_making
from nongso.platform.traceability.tracing.trace import trace
from nongso.platform.traceability.withdrawal import made_of, withdraw

Answer = str | tuple[str, int] | Response


@blueprint.get("/")
@allow(*READERS)
def home() -> Answer:
    """What can be done, what is in stock, what is packed."""
    return _home()


def _home(missing: str = "") -> Answer:
    found = records().scalars(
        scoped(select(Lot), Lot.cooperative).order_by(Lot.at.desc(), Lot.born_number.desc())
    )
    kinds = (PACKS, *reversed(lot_kinds()[:-1]))  # what is finished comes first
    shelves: dict[str, list[Lot]] = {kind: [] for kind in kinds}
    withdrawn: list[Lot] = []
    for lot in found:
        if lot.withdrawn_at is not None:
            withdrawn.append(lot)
        elif (lot.left_grams != 0 or lot.packs) and len(shelves[lot.kind]) < 50:
            shelves[lot.kind].append(lot)
    return page(
        "records.html",
        shelves={kind: lots for kind, lots in shelves.items() if lots},
        withdrawn=withdrawn[:20],
        late_papers=certificates.expiring(records(), somebody().cooperative or "", today()),
        missing=missing,
        chains=recipes().chains.values(),
        words=telling_making.words,
        rehearse=_rehearse(),
    )


def _rehearse() -> bool:
    """Whether it is time for the yearly rehearsal of a recall, and the asker could do it."""
    asker = somebody()
    home = asker.cooperative or ""
    return asker.may("clerk") and recall_rehearsal.is_due(records(), home, today())


@blueprint.get("/lots")
@allow(*READERS)
def find() -> Answer:
    """Go to the lot of a code: typed, or scanned from a label with the address around it.

    An identifier that is none of ours is looked for among what others recorded.
    """
    asked = request.args.get("code", "")[:400]
    for part in reversed(asked.replace("\\", "/").split("/")):
        code = as_typed(part)
        label = records().get(LabelCode, code)
        wanted = scoped(select(Lot), Lot.cooperative)
        lot = records().scalar(wanted.where(Lot.code == (label.lot if label else code)))
        if lot is not None:
            return redirect(url_for("records.lot", code=lot.code), 303)  # type: ignore[return-value]
    if ":" in asked:
        return redirect(url_for("records.goods_of_others", of=asked), 303)  # type: ignore[return-value]
    answer = make_response(_home(asked.strip()[:80]))
    answer.status_code = 404
    return answer


@blueprint.get("/lots/<code>")
@allow(*READERS)
def lot(code: str) -> Answer:
    """A lot: quantities, where it comes from, what was made of it, its labels."""
    found = own_lot(code)
    session = records()
    back, forward = trace(session, found, "back"), trace(session, found, "forward")
    issues = session.scalars(
        select(LabelIssue).where(LabelIssue.lot == found.code).order_by(LabelIssue.first.desc())
    ).all()
    return page(
        "lot_page.html",
        lot=found,
        lots={one.lot.code: one.lot for one in (*back.lots, *forward.lots)},
        sources=_edges((flow.target, flow.source, flow.grams) for flow in back.flows),
        uses=_edges((flow.source, flow.target, flow.grams) for flow in forward.flows),
        issues=issues,
        account=labelling_account.account_of(session, found),
        legal=legal_facts.check_lot(session, found),
        may_withdraw=found.withdrawn_at is None and not made_of(session, found.code),
        yielded=telling_making.yield_of(session, found),
        balance=telling_making.balance_of(found),
        left=telling_making.left(session, found),
        corrections=telling_making.corrections(session, found),
        reasons=telling_making.reasons(session, found),
        held=held_by_spraying(found),
        measured=_measured(session, found),
        owner=telling_making.party_name(session, found, found.owner),
        holder=telling_making.party_name(session, found, found.holder),
        deeds=deeds_of(found),
        steps=recipes().steps_of(found.kind),
        packable=found.kind == CROP or found.kind in product_kinds(),
        moisture=telling_making.moisture(found.moisture_permille),
        words=telling_making.words,
    )


def _measured(session: Session, lot: Lot) -> list[str]:
    """What the sensors measured until this harvest, as it was sealed."""
    if lot.kind != CROP or lot.regrouped:
        return []
    born = session.get(Event, lot.born_number)
    record = born.body.get("nongso:growingRecord") if born is not None else None
    return (
        [_("Không có số đo nào từ ngày trồng đến ngày thu hoạch.")]
        if record is None
        else (telling.measured(record))
    )


@blueprint.get("/lots/<code>/withdraw")
@allow("clerk")
def withdrawal(code: str) -> Answer:
    """Show the form for withdrawing a record that was wrong."""
    return page("withdraw.html", Form(new_form()), lot=own_lot(code))


@blueprint.post("/lots/<code>/withdraw")
@allow("clerk")
def withdraw_lot(code: str) -> Answer:
    """Withdraw a record; the reason is public."""
    found = own_lot(code)
    form = Form(request.form)
    if done(form, withdraw, found.code, form.text("why", 200)) is None:
        return page("withdraw.html", form, lot=found)
    return redirect(url_for("records.lot", code=found.code), 303)  # type: ignore[return-value]


def _edges(
    flows: Iterable[tuple[str, str, int | None]],
) -> dict[str, list[tuple[str, int | None]]]:
    found: dict[str, list[tuple[str, int | None]]] = {}
    for one, other, grams in flows:
        found.setdefault(one, []).append((other, grams))
    return found
