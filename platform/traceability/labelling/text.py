"""What stands beside the code on a label, always in Vietnamese: labels are for the shop."""

from collections.abc import Mapping

from nongso.platform.languages import NO_BREAK
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.making.operations import day_of
from nongso.platform.traceability.records import Lot, Product

# Where a label's own number goes; nobody can type this letter into a form.
NUMBER = "\ue000"


def _date(iso: str) -> str:
    year, month, day = iso.split("-")
    return f"{day}/{month}/{year}"


def _content(net: Net) -> str:
    small, large = ("g", "kg") if net.ml is None else ("ml", "lít")
    if net.size % 1000:
        return f"{net.size}{NO_BREAK}{small}"
    return f"{net.size // 1000}{NO_BREAK}{large}"


def texts_of(lot: Lot) -> dict[str, str]:
    """The lines of a packed lot: name, pack and lot, number and dates, who and where."""
    lines = [lot.name, f"Gói {_content(lot.net)} · Lô {lot.code}"]
    lines.append(f"Đóng gói {_date(day_of(lot).isoformat())}")
    dates = [f"HSD {_date(lot.best_before)}"] if lot.best_before else []
    lines.append(" · ".join([*dates, f"Tem số{NO_BREAK}{NUMBER}"]))
    producer = lot.product.producer if lot.product is not None else lot.producer
    if producer is not None:
        lines.append(", ".join(filter(None, (producer.name, producer.commune, producer.province))))
    return {"text": "\n".join(lines)}


def with_scratch(texts: Mapping[str, str]) -> dict[str, str]:
    """The same texts with a line that says what the frame is for."""
    return {**texts, "text": f"{texts['text']}\nMua rồi mới cào ô này, gõ mã vào trang của tem"}


def texts_of_roll(product: Product) -> dict[str, str]:
    """The lines of a label without a lot: what and who; the rest is behind the code.

    No number stands on it: only the serial names a label whose lot comes later.
    """
    who = product.producer
    lines = [
        product.name,
        "Lô, ngày đóng gói: quét mã",
        ", ".join(filter(None, (who.name, who.commune, who.province))),
    ]
    return {"text": "\n".join(lines)}


def numbered(texts: Mapping[str, str], number: int) -> dict[str, str]:
    """The same texts with the label's own number where they have a place for it."""
    return {block: text.replace(NUMBER, str(number)) for block, text in texts.items()}
