"""What can be told of a product in one size of pack, as texts for a market's table.

The words are Vietnamese in every language, like those of the registry's sheets: markets here ask
for them so. A fact that nobody has written down is an empty text; nothing is made up. The SKU of
the usual pack is the product's id; of another size it has the size behind it.
"""

import datetime
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.records import Lot, Product
from nongso.platform.traceability.registry import certificates
from nongso.platform.traceability.registry.records import (
    LOT,
    OCOP,
    PRODUCER,
    PRODUCT,
    Certificate,
)
from nongso.platform.traceability.resolver.names import product_id
from nongso.platform.traceability.shopper.shelf import ON_THE_SHELF
from nongso.platform.traceability.spreadsheets.sheets import CERTIFICATE_WORDS, product_words


@dataclass(frozen=True)
class Addresses:
    """Where a product is shown, and its newest lot that stands; empty where there is none."""

    page: str
    picture: str
    lot: str
    lot_page: str
    proof: str


def newest_lot(session: Session, product: str) -> Lot | None:
    """The newest packed lot that may be sold; those of the demonstration are none."""
    wanted = select(Lot).where(
        *ON_THE_SHELF, Lot.product_id == product, Lot.demonstration.is_(False)
    )
    return session.scalars(wanted.order_by(Lot.at.desc(), Lot.code).limit(1)).first()


def addresses(base: str, product: Product, lot: Lot | None) -> Addresses:
    """Where a product and a lot of it are shown."""
    page = product_id(base, product.id)
    picture = f"{page}/photo" if product.photo else ""
    if lot is None:
        return Addresses(page, picture, "", "", "")
    proof = f"{base.rstrip('/')}/log/proof/{lot.code}"
    return Addresses(page, picture, lot.code, lot_id(base, lot.code), proof)


def papers(
    session: Session, product: Product, lot: Lot | None, day: datetime.date
) -> list[Certificate]:
    """Every paper in force of the product, its maker and its newest lot, of whatever sort.

    A report that says "failed" is not among them.
    """
    found = [
        *certificates.of_subject(session, PRODUCT, product.id),
        *certificates.of_subject(session, PRODUCER, product.producer_id),
    ]
    if lot is not None:
        found += certificates.of_subject(session, LOT, lot.code)
    stand = (one for one in found if one.is_in_force(day) and one.passed is not False)
    return list({one.id: one for one in stand}.values())


def paper_words(one: Certificate) -> str:
    """A paper in one line: ``OCOP 12/QĐ, 4 sao, đến ngày 01/02/2027``."""
    stars = f", {one.stars} sao" if one.stars else ""
    until = f", đến ngày {one.last_day:%d/%m/%Y}" if one.last_day else ""
    return f"{sort_of_paper(one)} {one.number}{stars}{until}"


def sort_of_paper(one: Certificate) -> str:
    """What sort of paper it is."""
    return next(word for word, kind in CERTIFICATE_WORDS.items() if kind == one.kind)


def sort_of_goods(product: Product) -> str:
    """What sort of goods it is; of vegetables which."""
    if product.crop:
        return product.crop
    return next((word for word, kind in product_words().items() if kind == product.kind), "")


def content(net: Net) -> str:
    """What a pack holds: ``500 g``, ``1 lít``."""
    small, large = ("g", "kg") if net.ml is None else ("ml", "lít")
    return f"{net.size} {small}" if net.size % 1000 else f"{net.size // 1000} {large}"


def price(product: Product, net: Net) -> str:
    """What a pack of that size costs in dong; empty where nobody has said."""
    return str(product.prices.get(str(net.size), ""))


def sku(product: Product, net: Net) -> str:
    """The number of the goods in that size."""
    return product.id if net.size == product.net.size else f"{product.id}-{net.size}"


def description(product: Product) -> str:
    """What is told of it, and then what the registry says of it, line by line."""
    said = (
        ("", product.about),
        ("Thành phần: ", product.ingredients),
        ("Hướng dẫn sử dụng: ", product.directions),
        ("Bảo quản: ", product.storage),
        ("Lưu ý: ", product.warnings),
        ("Xuất xứ: ", product.origin),
    )
    return "\n".join(head + text for head, text in said if text)


def of_packs(
    session: Session, base: str, product: Product, day: datetime.date
) -> list[dict[str, str]]:
    """One line for each size of pack: every meaning of ``meanings.MEANINGS`` with its text."""
    lot = newest_lot(session, product.id)
    where, maker = addresses(base, product, lot), product.producer
    found = papers(session, product, lot, day)
    stars = [one.stars for one in found if one.kind == OCOP and one.stars]
    same = {
        "name": product.name,
        "brand": product.brand,
        "kind": sort_of_goods(product),
        "description": description(product),
        "about_en": product.about_en,
        "ingredients": product.ingredients,
        "directions": product.directions,
        "storage": product.storage,
        "warnings": product.warnings,
        "origin": product.origin,
        "shelf_life": str(product.shelf_life_days),
        "standard": product.standard,
        "model": product.model,
        "certificates": "; ".join(map(paper_words, found)),
        "stars": str(max(stars)) if stars else "",
        "maker": maker.name,
        "address": ", ".join(filter(None, (maker.village, maker.commune, maker.province))),
        "contact": maker.contact,
        "picture": where.picture,
        "page": where.page,
        "lot": where.lot,
        "proof": where.proof,
    }
    return [
        same
        | {
            "sku": sku(product, net),
            "gtin": (product.gtin or "") if net.size == product.net.size else "",
            "content": content(net),
            "grams": str(net.grams),
            "kilograms": f"{net.grams // 1000}.{net.grams % 1000:03d}".rstrip("0").rstrip("."),
            "price": price(product, net),
        }
        for net in product.packs
    ]
