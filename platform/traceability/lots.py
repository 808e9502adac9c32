"""Lots as their events make them: one rule that reads an event and moves the stock.

``apply`` is used twice: on the tables, in the transaction that appends an event, and on an
empty book, to make everything again from the stream (``remake``). That both come to the same is
what a test holds, and what makes the tables trustworthy: the stream is the record, they are
its sum.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.traceability.epcis import shaping
from nongso.platform.traceability.epcis.shaping import Body
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.records import (
    CROP,
    PACKS,
    PLANTING,
    ROOTS,
    Flow,
    LabelIssue,
    Lot,
)

PLANTED = "lot.planted"
HARVESTED = "lot.harvested"
RECEIVED = "lot.received"
TRANSFORMED = "lot.transformed"
PACKED = "lot.packed"
LABELLED = "labels.issued"
SPOILED = "labels.spoiled"
WITHDRAWN = "lot.withdrawn"
TYPES = (PLANTED, HARVESTED, RECEIVED, TRANSFORMED, PACKED, LABELLED, SPOILED, WITHDRAWN)


class Book(Protocol):
    """Where lots are written: the tables, or memory."""

    def lot(self, code: str) -> Lot:
        """The lot that an event speaks of."""

    def add_lot(self, lot: Lot) -> None:
        """A lot came to be."""

    def add_flow(self, flow: Flow) -> None:
        """Something went from lot to lot."""


@dataclass(frozen=True)
class Tables:
    """The book of the database; inside ``transaction()``."""

    session: Session

    def lot(self, code: str) -> Lot:
        """The lot, which must be there: events are appended in order."""
        return self.session.get_one(Lot, code)

    def add_lot(self, lot: Lot) -> None:
        """Insert a lot."""
        self.session.add(lot)
        self.session.flush()

    def add_flow(self, flow: Flow) -> None:
        """Insert a flow."""
        self.session.add(flow)


@dataclass
class Memory:
    """A book on paper that is thrown away."""

    lots: dict[str, Lot] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)

    def lot(self, code: str) -> Lot:
        """The lot. Raises ``KeyError``."""
        return self.lots[code]

    def add_lot(self, lot: Lot) -> None:
        """Note a lot."""
        self.lots[lot.code] = lot

    def add_flow(self, flow: Flow) -> None:
        """Note a flow."""
        self.flows.append(flow)


def _born(event: events.Event, kind: str, quantity: Body) -> Lot:
    """A new lot from the event that brings it about."""
    body = event.body
    ilmd = body.get("ilmd", {})
    return Lot(
        code=lot_of(quantity["epcClass"]),
        cooperative=event.cooperative,
        kind=kind,
        name=body["nongso:name"],
        at=event.at,
        born_number=event.number,
        product_id=body.get("nongso:product"),
        producer_id=body.get("nongso:producer"),
        place_id=body.get("nongso:place"),
        made_grams=shaping.grams_of(quantity),
        used_grams=0,
        packs=quantity["quantity"] if kind == PACKS else 0,
        pack_grams=ilmd.get("nongso:packGrams"),
        best_before=ilmd.get("nongso:bestBeforeDate"),
        labels=0,
        spoiled=0,
        demonstration=body.get("nongso:demonstration", False),
    )


def _take(book: Book, event: events.Event, target: str) -> None:
    for quantity in event.body["inputQuantityList"]:
        source, grams = book.lot(lot_of(quantity["epcClass"])), shaping.grams_of(quantity)
        source.used_grams += grams or 0
        book.add_flow(Flow(number=event.number, source=source.code, target=target, grams=grams))


def made_by(body: Body) -> str:
    """The code of the lot that an event brought about or speaks of."""
    return lot_of((body.get("outputQuantityList") or body["quantityList"])[0]["epcClass"])


def _withdraw(book: Book, event: events.Event) -> None:
    """Give back what went in. The flows stay: they are what was recorded."""
    lot = book.lot(made_by(event.body))
    lot.withdrawn_at = event.at
    lot.withdrawn_why = event.body["errorDeclaration"]["nongso:why"]
    for quantity in event.body.get("inputQuantityList", ()):
        source = book.lot(lot_of(quantity["epcClass"]))
        source.used_grams -= shaping.grams_of(quantity) or 0


def apply(book: Book, event: events.Event) -> None:
    """Move the stock as one event says. Other events leave it alone."""
    body: dict[str, Any] = event.body
    if event.type == PLANTED:
        book.add_lot(_born(event, PLANTING, body["quantityList"][0]))
    elif event.type == HARVESTED:
        grown_from = body.get("nongso:grownFrom")
        lot = _born(event, CROP if grown_from else ROOTS, body["quantityList"][0])
        book.add_lot(lot)
        if grown_from:
            source = lot_of(grown_from)
            book.add_flow(Flow(number=event.number, source=source, target=lot.code, grams=None))
    elif event.type == RECEIVED:
        quantity = body["quantityList"][0]
        lot = book.lot(lot_of(quantity["epcClass"]))
        lot.made_grams, lot.at = shaping.grams_of(quantity), event.at
    elif event.type in (TRANSFORMED, PACKED):
        lot = _born(event, body["nongso:kind"], body["outputQuantityList"][0])
        book.add_lot(lot)
        _take(book, event, lot.code)
    elif event.type == LABELLED:
        book.lot(lot_of(body["quantityList"][0]["epcClass"])).labels += body["nongso:labels"]
    elif event.type == SPOILED:
        book.lot(lot_of(body["quantityList"][0]["epcClass"])).spoiled += body["nongso:labels"]
    elif event.type == WITHDRAWN:
        _withdraw(book, event)


def remake(session: Session, batch: int = 1000) -> Memory:
    """Make all lots and flows again from the stream, without writing anything."""
    book, after = Memory(), 0
    while found := events.read(session, after=after, limit=batch):
        for event in found:
            apply(book, event)
        after = found[-1].number
    return book


def differences(session: Session) -> list[str]:
    """Say where the tables and the stream disagree; empty when all is well."""
    book = remake(session)
    kept = {lot.code: lot for lot in session.scalars(select(Lot))}
    told = [
        f"lot {code}: in the stream, not in the table" for code in book.lots if code not in kept
    ]
    columns = [column.key for column in Lot.__table__.columns]
    for code, lot in kept.items():
        if code not in book.lots:
            told.append(f"lot {code}: in the table, not in the stream")
            continue
        for column in columns:
            is_, should = getattr(lot, column), getattr(book.lots[code], column)
            if is_ != should:
                told.append(f"lot {code}: {column} is {is_!r}, the stream says {should!r}")
    flows = {(f.number, f.source, f.target): f.grams for f in session.scalars(select(Flow))}
    if flows != {(f.number, f.source, f.target): f.grams for f in book.flows}:
        told.append("what flowed from lot to lot differs from the stream")
    for issue in session.scalars(select(LabelIssue)):
        if issue.lot in book.lots and issue.last > book.lots[issue.lot].labels:
            told.append(f"lot {issue.lot}: labels up to {issue.last}, the stream has fewer")
    return told
