"""What stands beside the code on a label, always in Vietnamese: labels are for the shop."""

from nongso.platform.languages import NO_BREAK
from nongso.platform.traceability.operations import day_of
from nongso.platform.traceability.records import Lot


def _date(iso: str) -> str:
    year, month, day = iso.split("-")
    return f"{day}/{month}/{year}"


def _mass(grams: int) -> str:
    if grams % 1000:
        return f"{grams}{NO_BREAK}g"
    return f"{grams // 1000}{NO_BREAK}kg"


def texts_of(lot: Lot) -> dict[str, str]:
    """The lines of a packed lot: name, pack and lot, dates, who and where."""
    lines = [lot.name, f"Gói {_mass(lot.pack_grams or 0)} · Lô {lot.code}"]
    lines.append(f"Đóng gói {_date(day_of(lot).isoformat())}")
    if lot.best_before:
        lines.append(f"HSD {_date(lot.best_before)}")
    producer = lot.product.producer if lot.product is not None else lot.producer
    if producer is not None:
        lines.append(", ".join(filter(None, (producer.name, producer.commune, producer.province))))
    return {"text": "\n".join(lines)}
