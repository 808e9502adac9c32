"""What is usual for each product: learnt once a day from the scans that are kept.

``learning`` has the rule; here is where its figures come from and where its answers stand. A
product that was hardly scanned lately keeps what it has learnt before.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.scans import learning, signs
from nongso.platform.traceability.scans.records import Scan, ScanArea, ScanCase, ScanUsual
from nongso.platform.traceability.scans.signs import Usual

COPIED, EXPLAINED, UNCLEAR = "copied", "explained", "unclear"
OUTCOMES = (COPIED, EXPLAINED, UNCLEAR)  # what came of looking into a case


def of_products(session: Session, products: Collection[str | None]) -> Mapping[str | None, Usual]:
    """What is usual for these products; for one that has taught nothing yet, what is at first."""
    known = {one for one in products if one is not None}
    said = _said(session, known)
    at_first = Usual(learning.PHONES_AT_FIRST, learning.DAYS_AT_FIRST)
    found: dict[str | None, Usual] = dict.fromkeys(products, at_first)
    for row in session.scalars(select(ScanUsual).where(ScanUsual.product.in_(known))):
        provinces = frozenset(row.provinces) | said[row.product]
        found[row.product] = Usual(row.phones, row.days, provinces)
    return found


def _said(session: Session, products: Iterable[str]) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for row in session.scalars(select(ScanArea).where(ScanArea.product.in_(products))):
        found[row.product] |= {row.province}
    return found


def learn(session: Session, now: int) -> None:
    """Learn what is usual anew. In a transaction."""
    copied = select(ScanCase.serial).where(ScanCase.outcome == COPIED)
    of_ours = (
        select(Lot.product_id, Scan.serial)
        .join(Lot, Lot.code == Scan.lot)
        .where(Lot.product_id.is_not(None), Scan.serial.not_in(copied))
    )
    phones: dict[str, list[int]] = defaultdict(list)
    days: dict[str, list[int]] = defaultdict(list)
    day = (Scan.at + signs.EAST_SECONDS) // signs.DAY_SECONDS
    rows = session.execute(
        of_ours.add_columns(func.count(distinct(Scan.device)), func.count(distinct(day))).group_by(
            Lot.product_id, Scan.serial
        )
    )
    for product, _serial, count, on in rows:
        phones[product or ""].append(count)
        days[product or ""].append(on)
    places: dict[str, Counter[str]] = defaultdict(Counter)
    for product, _serial, province in session.execute(
        of_ours.add_columns(Scan.province).distinct()
    ):
        places[product or ""][province] += 1
    for product, counts in phones.items():
        if len(counts) < learning.ENOUGH_PACKS:
            continue
        row = session.get(ScanUsual, product) or ScanUsual(product=product)
        row.at, row.packs = now, len(counts)
        row.phones = learning.usual_phones(counts)
        row.days = learning.usual_days(days[product])
        row.provinces = sorted(learning.sales_area(places[product], len(counts), ()))
        session.add(row)
