"""Lots as their events make them: one rule that reads an event and moves the stock.

``apply`` is used twice: on the tables, in the transaction that appends an event, and on an
empty book, to make everything again from the stream (``remake``). That both come to the same is
what a test holds, and what makes the tables trustworthy: the stream is the record, they are
its sum.

How to plug in a new type of event. In your own module, say what it is called and what it does:

    TESTED = "lot.tested"

    def _tested(book: Book, event: Event) -> None:
        lot = book.lot(lots.lot_in(event.body))
        lot.tested = event.body["nongso:result"]

    APPLIES = {TESTED: _tested}

and add the module's name to ``PLUGGED`` below. Then ``operations.append`` applies it when the
event is appended, and ``remake`` when everything is made again; nothing else here changes. Rules
for such a function: it reads the event and the book and nothing else (no clock, no query, no
settings), it writes through the book only, and it does the same every time. If it keeps derived
tables of its own, ``TABLES = (Carton, …)`` in the module lets ``differences`` compare them with
the stream; a record is added with ``book.add`` and found with ``book.find(Carton, key)``.

What leaves a lot is booked with ``take_off``: so much, and why. Something withdrawn or returned
is given back with a negative amount. The tables' own constraints refuse stock below zero.
"""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.store import Base
from nongso.platform.traceability import book as books
from nongso.platform.traceability import shaping
from nongso.platform.traceability.book import Book, Memory, Tables
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.making.net import MILLILITRE
from nongso.platform.traceability.records import (
    CROP,
    PACKS,
    PLANTING,
    ROOTS,
    Flow,
    LabelIssue,
    Lot,
)
from nongso.platform.traceability.shaping import Body

__all__ = ["Book", "Memory", "Tables"]

PLANTED = "lot.planted"
HARVESTED = "lot.harvested"
RECEIVED = "lot.received"
TRANSFORMED = "lot.transformed"
PACKED = "lot.packed"
LABELLED = "labels.issued"
SPOILED = "labels.spoiled"
WITHDRAWN = "lot.withdrawn"
TYPES = (PLANTED, HARVESTED, RECEIVED, TRANSFORMED, PACKED, LABELLED, SPOILED, WITHDRAWN)

# Modules with event types of their own, each with ``APPLIES`` and, if it wants, ``TABLES``.
# Named, not imported: they stand on this module.
PLUGGED: tuple[str, ...] = (
    "nongso.platform.traceability.labelling.book",
    "nongso.platform.traceability.making.book",
    "nongso.platform.traceability.moving.book",
    "nongso.platform.traceability.testing.book",
)

Apply = Callable[[Book, events.Event], None]

# Why something left a lot without becoming another one.
LOST, SAMPLED, AWAY, DESTROYED = "lost", "sampled", "away", "destroyed"


def take_off(lot: Lot, amount: int, why: str) -> None:
    """Book that so much left the lot: grams, or packs of a packed lot; a negative one came back.

    ``why`` is ``LOST``, ``SAMPLED``, ``AWAY`` (somebody else has it now) or ``DESTROYED``.
    """
    setattr(lot, why, getattr(lot, why) + amount)
    if lot.kind == PACKS:
        lot.packs_gone += amount
    else:
        lot.used_grams += amount


def born(event: events.Event, kind: str, quantity: Body) -> Lot:
    """A new lot from the event that brings it about."""
    body = event.body
    ilmd = body.get("ilmd", {})
    net = ilmd.get("nongso:netContent", {})
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
        pack_ml=net["quantity"] if net.get("uom") == MILLILITRE else None,
        grams_per_litre=ilmd.get("nongso:gramsPerLitre"),
        best_before=ilmd.get("nongso:bestBeforeDate"),
        labels=0,
        spoiled=0,
        demonstration=body.get("nongso:demonstration", False),
        owner=body.get("nongso:owner", event.cooperative),
        holder=body.get("nongso:holder", event.cooperative),
        bought="nongso:boughtFrom" in body,
        moisture_permille=ilmd.get("nongso:moisturePermille"),
        regrouped=False,
        lost=0,
        sampled=0,
        away=0,
        destroyed=0,
        packs_gone=0,
        tested="",
    )


def take(book: Book, event: events.Event, target: Lot) -> None:
    """Take what goes in. Whatever holds something bought in is bought in too."""
    target.in_grams = 0
    for quantity in event.body["inputQuantityList"]:
        source, grams = book.lot(lot_of(quantity["epcClass"])), shaping.grams_of(quantity)
        source.used_grams += grams or 0
        target.in_grams += grams or 0
        target.bought = target.bought or source.bought
        book.add(Flow(number=event.number, source=source.code, target=target.code, grams=grams))


def quantity_made(body: Body) -> Body:
    """The quantity of the lot that an event brought about or speaks of."""
    found: Body = (body.get("outputQuantityList") or body["quantityList"])[0]
    return found


def made_by(body: Body) -> str:
    """The code of the lot that an event brought about or speaks of."""
    return lot_of(quantity_made(body)["epcClass"])


def _withdraw(book: Book, event: events.Event) -> None:
    """Give back what went in. The flows stay: they are what was recorded."""
    lot = book.lot(made_by(event.body))
    lot.withdrawn_at = event.at
    lot.withdrawn_why = event.body["errorDeclaration"]["nongso:why"]
    for quantity in event.body.get("inputQuantityList", ()):
        source = book.lot(lot_of(quantity["epcClass"]))
        source.used_grams -= shaping.grams_of(quantity) or 0


def lot_in(body: Body) -> str:
    """The code of the one lot that an event of quantities speaks of."""
    return lot_of(body["quantityList"][0]["epcClass"])


def _planted(book: Book, event: events.Event) -> None:
    book.add(born(event, PLANTING, event.body["quantityList"][0]))


def _harvested(book: Book, event: events.Event) -> None:
    grown_from = event.body.get("nongso:grownFrom")
    kind = CROP if grown_from else event.body.get("nongso:kind", ROOTS)
    lot = born(event, kind, event.body["quantityList"][0])
    book.add(lot)
    if grown_from:
        source = lot_of(grown_from)
        book.add(Flow(number=event.number, source=source, target=lot.code, grams=None))


def _received(book: Book, event: events.Event) -> None:
    body = event.body
    lot = book.find(Lot, lot_in(body))
    if lot is None:  # bought in: nobody stated its harvest
        lot = born(event, body["nongso:kind"], body["quantityList"][0])
        book.add(lot)
    lot.made_grams, lot.at = shaping.grams_of(body["quantityList"][0]), event.at
    lot.moisture_permille = body.get("nongso:moisturePermille")


def _transformed(book: Book, event: events.Event) -> None:
    body = event.body
    lot = born(event, body["nongso:kind"], body["outputQuantityList"][0])
    if event.type == TRANSFORMED:  # the first events did not name their recipe
        lot.recipe = body.get("nongso:recipe", body["nongso:kind"])
    book.add(lot)
    take(book, event, lot)


_OWN: Mapping[str, Apply] = {
    PLANTED: _planted,
    HARVESTED: _harvested,
    RECEIVED: _received,
    TRANSFORMED: _transformed,
    PACKED: _transformed,
    WITHDRAWN: _withdraw,
}


@functools.cache
def applies() -> Mapping[str, Apply]:
    """Every type of event that moves the stock, and what it does."""
    found = dict(_OWN)
    for module in _plugged():
        for type_, apply_ in module.APPLIES.items():
            if type_ in found:
                raise ValueError(f"{module.__name__} plugs in {type_}, which is there already")
            found[type_] = apply_
    return found


@functools.cache
def derived() -> tuple[type[Base], ...]:
    """Every table that follows from the stream."""
    more = [table for module in _plugged() for table in getattr(module, "TABLES", ())]
    return (Lot, Flow, *more)


def _plugged() -> list[Any]:
    return [importlib.import_module(name) for name in PLUGGED]


def apply(book: Book, event: events.Event) -> None:
    """Move the stock as one event says. Other events leave it alone."""
    deed = applies().get(event.type)
    if deed is not None:
        deed(book, event)


def about(session: Session, code: str, types: Sequence[str]) -> list[events.Event]:
    """The events of these types about a lot, in the order of the stream."""
    wanted = (
        select(events.Event)
        .join(events.EventSubject, events.EventSubject.number == events.Event.number)
        .where(events.EventSubject.subject == f"lot:{code}", events.Event.type.in_(types))
        .order_by(events.Event.number)
    )
    return list(session.scalars(wanted))


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
    told = []
    for kind in derived():
        told += books.differences(kind, list(session.scalars(select(kind))), book)
    labels = {code: lot.labels for code, lot in book.lots.items()}
    # Counted, not by their last number: behind a backup that was put back numbers begin anew.
    issued = select(LabelIssue.lot, func.sum(LabelIssue.count)).group_by(LabelIssue.lot)
    for lot, count in session.execute(issued):
        if count > labels.get(lot, count):
            told.append(f"lot {lot}: {count} labels, the stream has fewer")
    return told
