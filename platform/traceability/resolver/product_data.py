"""A product, lot or pack as JSON-LD in the words of schema.org, for search engines and shops.

Of a lot the EPCIS events behind it stand in the same data, as an ``EPCISDocument`` with a context
of its own that the product is ``subjectOf``: what the log of proofs tells everybody, no more.
"""

from typing import Any

from sqlalchemy.orm import Session

from nongso.platform.traceability.epcis import answering, finding
from nongso.platform.traceability.making.net import GRAM
from nongso.platform.traceability.proof.lotfile import events_behind
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.resolver.names import Named
from nongso.platform.traceability.resolver.offers import Level
from nongso.platform.traceability.shaping import day_of
from nongso.platform.traceability.testing.records import FAILED

MOST_EVENTS = 200  # the newest; the rest can be asked for at the address of the events


def events_of(session: Session, lot: Lot) -> dict[str, Any] | None:
    """The events by which a lot came to be; ``None`` where the index has none of them yet."""
    numbers = events_behind(session, lot)[-MOST_EVENTS:]
    found = [one for one in finding.fetch(session, numbers) if not one.head.is_foreign]
    if not found:
        return None
    newest = max(one.head.recorded_ms for one in found)
    return answering.told(found, answering.Style(public=True), newest)


def product_data(
    named: Named, level: Level, epcis: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What the page says of the goods, and its events."""
    product, lot = named.product, named.lot
    maker = product.producer
    place = [maker.village, maker.commune, maker.province]
    found: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Product",
        "@id": level.address,
        "url": level.address,
        "name": product.name,
        "manufacturer": {
            "@type": "Organization",
            "name": maker.name,
            "address": {
                "@type": "PostalAddress",
                "addressLocality": ", ".join(filter(None, place[:2])),
                "addressRegion": maker.province,
                "addressCountry": "VN",
            },
        },
        "countryOfOrigin": {"@type": "Country", "name": "VN"},
    }
    if product.brand:
        found["brand"] = {"@type": "Brand", "name": product.brand}
    gtin = named.gtin or product.gtin
    if gtin:
        found["gtin14"] = gtin
    if level.same_as:
        found["sameAs"] = list(level.same_as)
    net = product.net
    more: list[dict[str, Any]] = []
    if lot is not None:
        found["name"] = lot.name
        found["productionDate"] = day_of(lot.at)
        net = lot.net if lot.pack_grams else net
        more.append({"name": "lot", "value": lot.code})
        if lot.best_before:
            more.append({"name": "bestBefore", "value": lot.best_before})
        if lot.demonstration:
            more.append({"name": "demonstration", "value": "true"})
        for name, at in (("recalled", lot.recalled_at), ("withdrawn", lot.withdrawn_at)):
            if at is not None:
                more.append({"name": name, "value": day_of(at)})
        if lot.tested == FAILED:
            more.append({"name": "failedTest", "value": "true"})
    if named.serial:
        found["serialNumber"] = named.serial
    found["weight"] = {"@type": "QuantitativeValue", "value": net.grams, "unitCode": GRAM}
    if net.ml is not None:
        found["size"] = {"@type": "QuantitativeValue", "value": net.size, "unitCode": net.uom}
    if more:
        found["additionalProperty"] = [{"@type": "PropertyValue", **one} for one in more]
    about: list[dict[str, Any]] = [
        {"@type": "Dataset", "name": offer.title, "url": offer.address}
        for offer in level.offers
        if offer.kind == "epcis"
    ]
    if epcis is not None:
        about.append(epcis)
    if about:
        found["subjectOf"] = about
    return found
