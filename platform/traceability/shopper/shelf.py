"""What is packed and public, by product, and finding it by a name as people type names."""

import unicodedata

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.records import PACKS, Lot, Product
from nongso.platform.traceability.testing.records import FAILED

MOST_LOTS = 200
ON_THE_SHELF = (  # what is shown to buyers; a lot's own page says what is wrong with others
    Lot.kind == PACKS,
    Lot.withdrawn_at.is_(None),
    Lot.recalled_at.is_(None),
    Lot.tested != FAILED,
)

Shelf = tuple[Product, list[Lot]]


def folded(text: str) -> str:
    """Lower case without marks: "mien dong" finds "Miến dong" (NFD leaves đ as it is)."""
    parts = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    bare = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return " ".join(bare.split())


def shelves(session: Session, name: str = "") -> list[Shelf]:
    """Products with their newest standing lots; only those whose name or brand has ``name``."""
    wanted = select(Lot).where(*ON_THE_SHELF).order_by(Lot.at.desc(), Lot.code)
    if name:
        fits = [
            one.id
            for one in session.scalars(select(Product))
            if folded(name) in folded(f"{one.name} {one.brand}")
        ]
        wanted = wanted.where(Lot.product_id.in_(fits[:500]))
    found: dict[str, Shelf] = {}
    for lot in session.scalars(wanted.limit(MOST_LOTS)):
        if lot.product is not None:
            found.setdefault(lot.product.id, (lot.product, []))[1].append(lot)
    return list(found.values())
