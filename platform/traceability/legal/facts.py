"""Which facts that the law asks for are written down about a product or a packed lot.

Reading only. What is decided from the facts stands in ``legal``; what blocks printing is asked
by ``labelling`` through ``blocking``.
"""

import datetime

from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.languages import _
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.legal import asked as legal
from nongso.platform.traceability.making.operations import day_of
from nongso.platform.traceability.records import PACKS, Lot, Product
from nongso.platform.traceability.registry.certificates import of_subject
from nongso.platform.traceability.registry.records import PRODUCT, STANDARD
from nongso.platform.traceability.tracing.trace import trace


class LegallyMissing(Refused):
    """Labels are not printed without what the law asks to be told."""

    code = "legally_missing"
    field = "count"

    def __init__(self, lot: str, items: tuple[legal.Item, ...]) -> None:
        super().__init__(f"lot {lot}: {', '.join(item.key for item in items)}")
        self.lot, self.items = lot, items

    def sentence(self) -> str:
        """Say what is missing, and where it is written down."""
        return _(
            "Chưa in được tem: theo luật còn thiếu %(names)s. Xin ghi thêm ở trang sản phẩm.",
            names=", ".join(item.name for item in self.items),
        )


def check_product(session: Session, product: Product, day: datetime.date) -> list[legal.Check]:
    """Hold a product against the lists of that day; what comes with a lot is left open."""
    facts = _of_product(session, product, day)
    return [legal.check(one, facts, product.compulsory) for one in legal.in_force(day)]


def check_lot(session: Session, lot: Lot) -> list[legal.Check]:
    """Hold a packed lot against the lists of the day on which it was packed.

    Empty for a lot that is not packed: the law asks about goods.
    """
    if lot.kind != PACKS or lot.product is None:
        return []
    day = day_of(lot)
    facts = {**_of_product(session, lot.product, day), **_of_lot(session, lot)}
    return [legal.check(one, facts, lot.product.compulsory) for one in legal.in_force(day)]


def blocking(session: Session, lot: Lot) -> tuple[legal.Item, ...]:
    """What the law asks for and is missing, so that no label of the lot may be printed."""
    found: dict[str, legal.Item] = {}
    for one in check_lot(session, lot):
        for item in one.blocking:
            found.setdefault(item.fact, item)
    return tuple(found.values())


def refuse_printing(session: Session, lot: Lot) -> None:
    """Raise ``LegallyMissing`` where something blocks."""
    missing = blocking(session, lot)
    if missing:
        raise LegallyMissing(lot.code, missing)


def _of_product(session: Session, product: Product, day: datetime.date) -> dict[str, bool | None]:
    producer = product.producer
    papers = of_subject(session, PRODUCT, product.id)
    declared = any(one.kind == STANDARD and one.is_in_force(day) for one in papers)
    return {
        "product_name": bool(product.name.strip()),
        "photo": bool(product.photo),
        "producer_name": bool(producer.name.strip()),
        "producer_address": bool(producer.commune.strip() and producer.province.strip()),
        "stages": None,
        "production_day": None,
        "trace_code": None,
        "brand": bool(product.brand.strip() or product.model.strip()),
        "best_before": product.shelf_life_days > 0,
        "standard": declared or bool(product.standard.strip()),
        "origin": bool(product.origin.strip()),
        "quantity": product.pack_grams > 0,
        "ingredients": bool(product.ingredients.strip()),
        "warnings": bool(product.warnings.strip()),
        "directions": bool(product.directions.strip()),
        "storage": bool(product.storage.strip()),
    }


def _of_lot(session: Session, lot: Lot) -> dict[str, bool | None]:
    return {
        "product_name": bool(lot.name.strip()),
        "stages": _stages_are_told(session, lot),
        "production_day": True,
        "trace_code": bool(lot.code),
        "best_before": bool(lot.best_before),
        "quantity": bool(lot.pack_grams),
    }


def _stages_are_told(session: Session, lot: Lot) -> bool:
    """Say whether each step behind the lot has its code, its time, and where it happened.

    Code and time are part of every event. The place is the event's, or that of the household
    or workshop whose lot it is, or of who holds it.
    """
    for found in trace(session, lot, "back").lots:
        one = found.lot
        if one.place_id or one.producer_id or one.holder or one is lot:
            continue
        event = session.get(Event, one.born_number)
        if event is None or not {"bizLocation", "readPoint"} & event.body.keys():
            return False
    return True
