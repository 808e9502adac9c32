"""Reading what was typed about producers, plots, products and papers: one way for form and sheet.

Each function reads the fields of one thing, tells every trouble beside its field, and returns
the values for its table. Whether it may be written is the caller's business.
"""

import datetime
import math
from collections.abc import Collection
from typing import Any

from nongso.platform.forms import Form
from nongso.platform.languages import _, number
from nongso.platform.traceability import sentences
from nongso.platform.traceability.errors import BadGtin
from nongso.platform.traceability.identifiers import gtin14
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.moving.records import HOLDER_KINDS
from nongso.platform.traceability.records import (
    HEAVIEST_LITRE_GRAMS,
    LIGHTEST_LITRE_GRAMS,
    LONGEST_SHELF_DAYS,
    MOST_PACK_GRAMS,
    MOST_PACK_ML,
    PRODUCER_KINDS,
    product_kinds,
)
from nongso.platform.traceability.registry.plots import UNITS, Area, BadArea, read_area
from nongso.platform.traceability.registry.records import CERTIFICATE_KINDS, OCOP, TEST_REPORT
from nongso.platform.typed_numbers import Unreadable, read_whole

MOST_SIZES = 10
MOST_YEARS_AHEAD = 20
FIRST_PLOT_DAY = datetime.date(1950, 1, 1)
FIRST_PAPER_DAY = datetime.date(2000, 1, 1)
# Viet Nam with its islands; a point outside of it has its numbers the wrong way round.
SOUTH, NORTH, WEST, EAST = 6.0, 24.0, 102.0, 118.0
MOST_DONG = 100_000_000  # a pack's price
LONGEST_ABOUT = 1000
PRODUCT_TEXTS = ("standard", "origin", "ingredients", "directions", "warnings", "model")
PRODUCT_ABOUT = ("about", "about_en")


def read_producer(form: Form) -> dict[str, Any]:
    """Who makes."""
    return {
        "kind": form.choice("kind", PRODUCER_KINDS),
        "code": form.text("code", 20).upper(),
        "name": form.text("name"),
        "village": form.text("village", needed=False),
        "commune": form.text("commune"),
        "province": form.text("province"),
        "contact": form.text("contact", needed=False),
    }


def read_changed_on(form: Form, today: datetime.date) -> datetime.date | None:
    """From which day a new name or address holds; ``None`` where the old one was a mistake."""
    if form["change"] not in ("mistake", "changed"):
        form.wrong("change", _("Xin chọn: trước đây ghi sai, hay nay đã đổi."))
        return None
    return form.day("changed_on", latest=today) if form["change"] == "changed" else None


def read_holder(form: Form) -> dict[str, Any]:
    """Who gets goods."""
    return {
        "kind": form.choice("kind", HOLDER_KINDS),
        "name": form.text("name", 80),
        "address": form.text("address", 160, needed=False),
        "contact": form.text("contact", 80, needed=False),
    }


def read_plot(form: Form, owners: Collection[str]) -> dict[str, Any]:
    """A plot of one of these producers. ``amount`` may name its unit, else ``unit`` does."""
    area = _area(form)
    latitude, longitude = _point(form)
    since = form.day("since", earliest=FIRST_PLOT_DAY)
    until = form.day("until", earliest=FIRST_PLOT_DAY) if form["until"].strip() else None
    if until is not None and until < since:
        form.wrong("until", _("Ngày cuối phải sau ngày đầu."))
    return {
        "producer_id": form.choice("producer_id", owners),
        "code": form.text("code", 20).upper(),
        "name": form.text("name", 60, needed=False),
        "crop": form.text("crop", 60),
        "area": area.said,
        "area_m2": area.m2,
        "latitude": latitude,
        "longitude": longitude,
        "public_point": form["public_point"] == "1",
        "growing_area_code": form.text("growing_area_code", 60, needed=False),
        "since": since.isoformat(),
        "until": None if until is None else until.isoformat(),
    }


def _area(form: Form) -> Area:
    """The area in the unit that was chosen or written; a bare number is asked, not guessed."""
    unit = form["unit"] if form["unit"] in UNITS else ""
    try:
        return read_area(form["amount"], unit)
    except BadArea as error:
        form.wrong("amount", area_refusal(error))
        return Area("", 1)


def area_refusal(error: BadArea) -> str:
    """Say why an area is not taken."""
    return {
        "number": _("Không đọc được diện tích này. Xin ghi số, ví dụ 2,5."),
        "unit": _("Xin ghi đơn vị: m², ha, sào, mẫu hoặc thước."),
        "two_ways": _("Số này đọc được hai cách. Xin gõ lại, ví dụ 1250 hoặc 1,25."),
        "size": _("Diện tích này không thể có. Xin xem lại số và đơn vị."),
    }[error.why]


def read_point(text: str) -> tuple[float, float] | None:
    """Read a point as map programs copy it: ``22.3791, 103.5902``. ``None`` if it is none here."""
    parts = text.replace(";", ",").split(",")
    if len(text) > 60 or len(parts) != 2:
        return None
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        return None
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    if not (SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST):
        return None
    return round(latitude, 6), round(longitude, 6)


def _point(form: Form) -> tuple[float | None, float | None]:
    if not form["point"].strip():
        return None, None
    found = read_point(form["point"])
    if found is None:
        form.wrong(
            "point", _("Không đọc được điểm này. Xin chép từ bản đồ, ví dụ 22.3791, 103.5902.")
        )
        return None, None
    return found


def read_product(form: Form, makers: Collection[str]) -> dict[str, Any]:
    """A product of one of these producers."""
    values: dict[str, Any] = {
        "kind": form.choice("kind", product_kinds()),
        "producer_id": form.choice("producer_id", makers),
        "name": form.text("name", 60),
        "brand": form.text("brand", 60, needed=False),
        **_net(form),
        "pack_sizes": _sizes(form),
        "shelf_life_days": form.count("shelf_life_days", 1, LONGEST_SHELF_DAYS),
        "storage": form.text("storage", 200, needed=False),
        "crop": form.text("crop", 60, needed=form["kind"] == "vegetables"),
        "gtin": _gtin(form),
        "compulsory": form["compulsory"] == "1",
    }
    usual = values["pack_grams"] if values["pack_ml"] is None else values["pack_ml"]
    values["prices"] = _prices(form, usual, values["pack_sizes"])
    values |= {name: form.text(name, LONGEST_ABOUT, needed=False) for name in PRODUCT_ABOUT}
    return values | {name: form.text(name, 200, needed=False) for name in PRODUCT_TEXTS}


def _net(form: Form) -> dict[str, int | None]:
    """What a pack holds: grams, or millilitres with what a litre weighs."""
    if not form["pack_ml"].strip() and not form["grams_per_litre"].strip():
        grams = form.count("pack_grams", 1, MOST_PACK_GRAMS)
        return {"pack_grams": grams, "pack_ml": None, "grams_per_litre": None}
    ml = form.count("pack_ml", 1, MOST_PACK_ML)
    density = form.count("grams_per_litre", LIGHTEST_LITRE_GRAMS, HEAVIEST_LITRE_GRAMS)
    grams = Net.volume(ml, density).grams
    return {"pack_grams": grams, "pack_ml": ml, "grams_per_litre": density}


def _sizes(form: Form) -> list[int]:
    """Other sizes of packs, in grams or of liquids in millilitres, smallest first."""
    found: set[int] = set()
    try:
        for part in form["pack_sizes"].replace(";", " ").replace(", ", " ").split():
            found.add(read_whole(part))
    except Unreadable:
        found = {0}
    if not all(1 <= grams <= MOST_PACK_GRAMS for grams in found) or len(found) > MOST_SIZES:
        form.wrong("pack_sizes", _("Xin ghi số gam của mỗi cỡ gói, cách nhau, ví dụ 250 1000."))
        return []
    return sorted(found)


def _prices(form: Form, usual: int, others: list[int]) -> dict[str, int]:
    """What a pack costs in dong, by its size; a price alone is that of the usual size."""
    found: dict[int, int] = {}
    for part in filter(None, map(str.strip, form["prices"][:400].split(";"))):
        size, _sep, price = part.replace("=", ":").rpartition(":")
        try:
            of, dong = read_whole(size) if size else usual, read_whole(_bare_dong(price))
        except Unreadable:
            of, dong = 0, 0
        if not 1 <= dong <= MOST_DONG or of in found:
            form.wrong(
                "prices", _("Xin ghi cỡ gói, dấu hai chấm, giá: 500: 60.000; 1000: 115.000.")
            )
            return {}
        if of != usual and of not in others:
            form.wrong("prices", _("Sản phẩm không có cỡ gói %(size)s.", size=number(of)))
            return {}
        found[of] = dong
    return {str(size): found[size] for size in sorted(found)}


def _bare_dong(text: str) -> str:
    bare = text.strip().lower()
    return bare.removesuffix("đồng").removesuffix("đ").strip()


def _gtin(form: Form) -> str | None:
    """The GTIN that GS1 gave, or none: it is never made up."""
    if not form["gtin"].strip():
        return None
    try:
        return gtin14(form["gtin"])
    except BadGtin as error:
        form.wrong("gtin", sentences.refusal(error))
        return None


def read_certificate(form: Form, today: datetime.date) -> dict[str, Any]:
    """A paper, without what it is for and without its file."""
    kind = form.choice("kind", CERTIFICATE_KINDS)
    latest = today.replace(year=today.year + MOST_YEARS_AHEAD, day=1)
    since = form.day("since", latest=today, earliest=FIRST_PAPER_DAY)
    until = form.day("until", earliest=FIRST_PAPER_DAY) if form["until"].strip() else None
    if until is not None and until > latest:
        form.wrong("until", _("Ngày này xa quá. Xin xem lại năm."))
    if until is not None and until < since:
        form.wrong("until", _("Ngày hết hạn phải sau ngày cấp."))
    return {
        "kind": kind,
        "number": form.text("number", 60),
        "issuer": form.text("issuer"),
        "since": since.isoformat(),
        "until": None if until is None else until.isoformat(),
        "stars": form.count("stars", 1, 5) if kind == OCOP else None,
        "passed": form.choice("passed", ("yes", "no")) == "yes" if kind == TEST_REPORT else None,
        "note": form.text("note", 200, needed=False),
        "public_file": form["public_file"] == "1",
    }
