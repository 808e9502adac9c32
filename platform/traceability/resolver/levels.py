"""What is offered at each level of a pack, lot or product: our pages, and the clerk's links."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.languages import LANGUAGES, _
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.records import Product
from nongso.platform.traceability.resolver.names import Name, Named
from nongso.platform.traceability.resolver.offers import Level, Offer
from nongso.platform.traceability.resolver.records import ProductLink

DATA = "application/ld+json"


def levels_of(
    session: Session,
    base: str,
    named: Named,
    all_chains: Sequence[Sequence[Name]],
    events_address: str | None,
) -> list[Level]:
    """Levels under the name by which was asked, finest first, then those under other names.

    ``all_chains`` are the names as ``chains`` tells them, ``events_address`` is where EPCIS
    events can be asked for, ``None`` where nowhere.
    """
    added = tuple(_offer(link) for link in added_links(session, named.product))
    found = []
    for chain in all_chains:
        for depth, name in enumerate(chain):
            others = tuple(other[depth].address for other in all_chains if other is not chain)
            found.append(_level(base, named, name, others, added, events_address))
    return found


def added_links(session: Session, product: Product) -> Sequence[ProductLink]:
    """The links that a clerk added to a product and that still stand, oldest first."""
    wanted = select(ProductLink).where(
        ProductLink.product_id == product.id, ProductLink.ended_at.is_(None)
    )
    return session.scalars(wanted.order_by(ProductLink.added_at, ProductLink.id)).all()


def _offer(link: ProductLink) -> Offer:
    languages = (link.language,) if link.language else ()
    return Offer(link.kind, link.address, link.title, link.media, languages)


def _level(
    base: str,
    named: Named,
    name: Name,
    others: tuple[str, ...],
    added: tuple[Offer, ...],
    events_address: str | None,
) -> Level:
    title = _title(named, name.what)
    languages = tuple(LANGUAGES)
    page = Offer("pip", name.address, title, "text/html", languages)
    offers = [page, Offer("masterData", name.address, title, DATA)]
    if name.what == "product":
        offers += added
    elif named.lot is not None:
        told = _("Đường đi của lô %(lot)s", lot=named.lot.code)
        status = (
            _("Lô %(lot)s không bị thu hồi", lot=named.lot.code)
            if named.lot.recalled_at is None
            else _("Lô %(lot)s đang bị thu hồi", lot=named.lot.code)
        )
        offers += [
            Offer("traceability", name.address, told, "text/html", languages),
            Offer("recallStatus", name.address, status, "text/html", languages),
        ]
        if events_address is not None:
            asked = f"{events_address}?MATCH_anyEPCClass={lot_id(base, named.lot.code)}"
            events = _("Sự kiện EPCIS của lô %(lot)s", lot=named.lot.code)
            offers.append(Offer("epcis", asked, events, "application/ld+json", forwards=False))
    return Level(name.address, title, page, tuple(offers), others)


def _title(named: Named, what: str) -> str:
    product = named.product.name
    if what == "product" or named.lot is None:
        return product
    if what == "lot":
        return _("%(product)s, lô %(lot)s", product=named.lot.name, lot=named.lot.code)
    return _(
        "%(product)s, lô %(lot)s, gói %(serial)s",
        product=named.lot.name,
        lot=named.lot.code,
        serial=named.serial,
    )
