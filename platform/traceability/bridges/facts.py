"""What the files tell of a lot or a product, as values. Days are written 2026-11-21.

No telephone number and no name of a household goes into a file: who makes the product stands on
its label; who gave the roots is a code.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.bridges.lineage import lineage, sources
from nongso.platform.traceability.identifiers import lot_id, lot_of
from nongso.platform.traceability.records import CROP, PLANTING, ROOTS, Lot, Product
from nongso.platform.traceability.registry import certificates
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.resolver.names import product_id
from nongso.platform.traceability.shaping import day_of

_GROWN = (PLANTING, CROP, ROOTS)


def of_product(
    session: Session, base: str, product: Product, day: datetime.date
) -> dict[str, Any]:
    """What is known of a product before any lot."""
    maker = product.producer
    claims = certificates.claims(session, product, day)
    return {
        "sku": product.id,
        "product_name": product.name,
        "brand": product.brand,
        "gtin": product.gtin or "",
        "pack_grams": product.pack_grams,
        "pack_ml": "" if product.pack_ml is None else product.pack_ml,
        "photo_sha256": product.photo,
        "producer_code": maker.code,
        "producer_name": maker.name,
        "producer_address": ", ".join(
            filter(None, (maker.village, maker.commune, maker.province))
        ),
        "origin": product.origin,
        "ingredients": product.ingredients,
        "directions": product.directions,
        "storage": product.storage,
        "warnings": product.warnings,
        "shelf_life_days": product.shelf_life_days,
        "standards": product.standard,
        "certificates": [f"{one.kind} {one.number}" for one in claims],
        "page": product_id(base, product.id),
    }


def of_lot(session: Session, base: str, lot: Lot, product: Product) -> dict[str, Any]:
    """What is known of a packed lot: its product's facts on the day of packing, and its own."""
    packed = datetime.date.fromisoformat(day_of(lot.at))
    behind = sources(session, lot)
    grown = [one for one in behind if one.place_id is not None or one.kind in _GROWN]
    stages = stages_of(session, lot, behind)
    return of_product(session, base, product, packed) | {
        "product_name": lot.name,
        "stages": stages,
        "produced_on": day_of(lot.at),
        "trace_code": lot_id(base, lot.code),
        "brand_model_serial": ", ".join(
            filter(None, (product.brand, product.model, f"lô {lot.code}"))
        ),
        "best_before": lot.best_before or "",
        "growing_area_codes": _growing_areas(session, grown),
        "crops": list(dict.fromkeys(one.name for one in grown if one.name)),
        "harvested": sorted({day_of(one.at) for one in grown if one.kind != PLANTING}),
        "packs": lot.packs,
        "net_kilograms": lot.net.mass(lot.packs) / 1000,
        "one_step_back": _one_step_back(stages, lot.code),
        "recalled": "" if lot.recalled_at is None else day_of(lot.recalled_at),
    }


def stages_of(session: Session, lot: Lot, behind: Sequence[Lot]) -> list[dict[str, Any]]:
    """Each step on the way: product code, place code, time (item 5 of Circular 02/2024)."""
    return [
        {
            "step": str(body.get("bizStep", "")).rpartition(":")[2],
            "products": _codes(body, "outputQuantityList", "quantityList"),
            "made_of": _codes(body, "inputQuantityList"),
            "place": _place(body),
            "time": str(body["eventTime"]),
        }
        for _event, body in lineage(session, lot, behind)
    ]


def _codes(body: Mapping[str, Any], *lists: str) -> list[str]:
    return [
        lot_of(one["epcClass"])
        for name in lists
        for one in body.get(name, ())
        if "epcClass" in one
    ]


def _place(body: Mapping[str, Any]) -> str:
    for name in ("bizLocation", "readPoint"):
        if name in body:
            return str(body[name]["id"])
    for end in body.get("destinationList", ()):
        return str(end["destination"])
    return ""


def _one_step_back(stages: list[dict[str, Any]], code: str) -> list[str]:
    return [source for one in stages if code in one["products"] for source in one["made_of"]]


def _growing_areas(session: Session, grown: list[Lot]) -> list[str]:
    """Growing-area codes of the plots of those who grew it, on the days on which they did."""
    found: dict[str, None] = {}
    for lot in grown:
        if lot.producer_id is None:
            continue
        day = datetime.date.fromisoformat(day_of(lot.at))
        plots = session.scalars(
            select(Plot)
            .where(Plot.producer_id == lot.producer_id, Plot.growing_area_code != "")
            .order_by(Plot.code)
        )
        found |= dict.fromkeys(
            plot.growing_area_code
            for plot in plots
            if plot.is_worked(day) and plot.grows(lot.name)
        )
    return list(found)
