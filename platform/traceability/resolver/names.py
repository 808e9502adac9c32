"""The names of a product, a lot, a pack: our own addresses and the ones that GS1's numbers give.

A producer without a number of GS1's has our own addresses: ``/t/LOT/SERIAL``, ``/t/LOT``,
``/p/PRODUCT``. A GTIN that comes later adds names and takes none away: whatever was once
recorded or printed for a product stays a name of it, and no event is written again. The day on
which a number became a second name stands in the stream as an event of its own.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.records import LabelIssue, Lot, Product

SAME_AS = "product.same_as"


@dataclass(frozen=True)
class Named:
    """What an address is about: a product, a lot of it, a pack of the lot.

    ``gtin`` is the number by which it was asked, ``None`` for our own address.
    """

    product: Product
    lot: Lot | None = None
    serial: str | None = None
    gtin: str | None = None


@dataclass(frozen=True)
class Name:
    """One level of what is named, under one of its names."""

    what: str  # pack, lot, product
    address: str


def product_id(base: str, product: str) -> str:
    """Our own address of a product."""
    return f"{base.rstrip('/')}/p/{product}"


def gs1_id(base: str, gtin: str) -> str:
    """The address of a product under a GTIN."""
    return f"{base.rstrip('/')}/01/{gtin}"


def own_names(base: str, named: Named) -> list[Name]:
    """Our own addresses, the finest first."""
    names = [Name("product", product_id(base, named.product.id))]
    if named.lot is not None:
        names.insert(0, Name("lot", lot_id(base, named.lot.code)))
        if named.serial:
            names.insert(0, Name("pack", f"{lot_id(base, named.lot.code)}/{named.serial}"))
    return names


def gs1_names(base: str, named: Named, gtin: str) -> list[Name]:
    """The addresses under a GTIN, the finest first."""
    address = gs1_id(base, gtin)
    names = [Name("product", address)]
    if named.lot is not None:
        address += f"/10/{named.lot.code}"
        names.insert(0, Name("lot", address))
        if named.serial:
            names.insert(0, Name("pack", f"{address}/21/{named.serial}"))
    return names


def chains(base: str, named: Named, gtins: Sequence[str]) -> list[list[Name]]:
    """All names, level by level: first those by which it was asked, then the others.

    ``gtins`` are all of the product's (``gtins_of``).
    """
    own = own_names(base, named)
    others = [gs1_names(base, named, gtin) for gtin in gtins]
    if named.gtin is None:
        return [own, *others]
    mine = gs1_names(base, named, named.gtin)
    return [mine, own, *(chain for chain in others if chain != mine)]


def gtins_of(session: Session, product: Product) -> list[str]:
    """Every GTIN that the product has, or had on a label or in the records; today's first."""
    printed = session.scalars(
        select(LabelIssue.gtin)
        .join(Lot, Lot.code == LabelIssue.lot)
        .where(Lot.product_id == product.id, LabelIssue.gtin.is_not(None))
        .distinct()
        .order_by(LabelIssue.gtin)
    )
    recorded = (event.body["gtin"] for event in _told(session, f"product:{product.id}"))
    return list(dict.fromkeys(filter(None, (product.gtin, *recorded, *printed))))


def product_of(session: Session, gtin: str) -> Product | None:
    """The product that has this GTIN, or had it once; ``None`` for a number of somebody else."""
    found = session.scalars(
        select(Product).where(Product.gtin == gtin).order_by(Product.id).limit(1)
    ).first()
    if found is not None:
        return found
    for event in _told(session, f"gtin:{gtin}"):
        return session.get(Product, event.body["product"])
    return session.scalars(
        select(Product)
        .join(Lot, Lot.product_id == Product.id)
        .join(LabelIssue, LabelIssue.lot == Lot.code)
        .where(LabelIssue.gtin == gtin)
        .order_by(Product.id)
        .limit(1)
    ).first()


def _told(session: Session, subject: str) -> Iterator[Event]:
    yield from session.scalars(
        select(Event)
        .join(EventSubject, EventSubject.number == Event.number)
        .where(EventSubject.subject == subject, Event.type == SAME_AS)
        .order_by(Event.number)
    )


def note_gtin(session: Session, product: Product, actor: str, now: int, base: str) -> None:
    """Write into the stream that the product's GTIN is another name of it; once for each number.

    Call it inside ``transaction()`` whenever a product was kept.
    """
    if not product.gtin:
        return
    id_ = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{product.id}/{SAME_AS}/{product.gtin}"))
    if session.scalar(select(Event.number).where(Event.id == id_)) is not None:
        return
    events.append(
        session,
        id=id_,
        type=SAME_AS,
        at=now,
        actor=actor,
        cooperative=product.cooperative,
        body={
            "product": product.id,
            "gtin": product.gtin,
            "address": product_id(base, product.id),
            "sameAs": gs1_id(base, product.gtin),
        },
        subjects=[f"product:{product.id}", f"gtin:{product.gtin}"],
        told_at=False,
    )
