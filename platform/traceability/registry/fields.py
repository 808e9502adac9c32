"""What is written down in the registry, as the fields of its forms: the way back of reading them.

One way for page and sheet. What only one of them has (a plot's unit, a paper's subjects) it adds.
"""

from nongso.platform.traceability.moving.records import Holder
from nongso.platform.traceability.records import Producer, Product
from nongso.platform.traceability.registry.forms import PRODUCT_ABOUT, PRODUCT_TEXTS
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.registry.records import Certificate

_PRODUCER = ("code", "kind", "name", "village", "commune", "province", "contact")
_HOLDER = ("name", "kind", "address", "contact")
_PRODUCT = ("name", "kind", "crop", "producer_id", "brand", "storage")


def producer_fields(one: Producer) -> dict[str, str]:
    """Who makes."""
    return {name: getattr(one, name) for name in _PRODUCER}


def holder_fields(one: Holder) -> dict[str, str]:
    """Who gets goods."""
    return {name: getattr(one, name) for name in _HOLDER}


def plot_fields(one: Plot) -> dict[str, str]:
    """A plot. ``amount`` names its unit."""
    return {
        "producer_id": one.producer_id,
        "code": one.code,
        "name": one.name,
        "crop": one.crop,
        "amount": one.area,
        "point": "" if one.latitude is None else f"{one.latitude}, {one.longitude}",
        "public_point": "1" if one.public_point else "",
        "growing_area_code": one.growing_area_code,
        "since": one.since,
        "until": one.until or "",
    }


def product_fields(one: Product) -> dict[str, str]:
    """A product, without its picture."""
    texts = (*_PRODUCT, *PRODUCT_TEXTS, *PRODUCT_ABOUT)
    return {name: getattr(one, name) for name in texts} | {
        "pack_grams": str(one.pack_grams),
        "pack_ml": "" if one.pack_ml is None else str(one.pack_ml),
        "grams_per_litre": "" if one.grams_per_litre is None else str(one.grams_per_litre),
        "pack_sizes": " ".join(str(grams) for grams in one.pack_sizes),
        "prices": "; ".join(f"{size}: {dong}" for size, dong in one.prices.items()),
        "shelf_life_days": str(one.shelf_life_days),
        "gtin": one.gtin or "",
        "compulsory": "1" if one.compulsory else "",
    }


def certificate_fields(one: Certificate) -> dict[str, str]:
    """A paper, without what it is for and without its file."""
    return {
        "kind": one.kind,
        "number": one.number,
        "issuer": one.issuer,
        "since": one.since,
        "until": one.until or "",
        "stars": "" if one.stars is None else str(one.stars),
        "passed": {True: "yes", False: "no", None: ""}[one.passed],
        "public_file": "1" if one.public_file else "",
        "note": one.note,
    }
