"""What the pages of labels share: the sheet that is chosen, and what a label looks like."""

from dataclasses import dataclass, replace

from markupsafe import Markup
from sqlalchemy import select

from nongso.labels import sheet as sheets
from nongso.labels import svg
from nongso.labels.layout import SHEET, Box, Layout
from nongso.labels.sheet import Label
from nongso.platform import photos
from nongso.platform.accounts import scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability.desk import products, settings
from nongso.platform.traceability.identifiers import ALPHABET, printed_address
from nongso.platform.traceability.labelling import layouts as labelling_layouts
from nongso.platform.traceability.labelling import logo as labelling_logo
from nongso.platform.traceability.labelling import marks as labelling_marks
from nongso.platform.traceability.labelling import sheets as labelling_sheets
from nongso.platform.traceability.labelling.layouts import Offered
from nongso.platform.traceability.labelling.text import numbered, texts_of, texts_of_roll
from nongso.platform.traceability.records import PACKS, Lot, Product
from nongso.platform.traceability.registry.photos import photo_folder

# GS1's own example: a bar code is shown where it will stand before any product has a number.
EXAMPLE_GTIN = "09524000059109"
EXAMPLE_SCRATCH = "2345-6789"
_LOT, _SERIAL = ALPHABET[10:16], ALPHABET[:9]


def offered() -> list[Offered]:
    """The layouts that the asker may choose from."""
    return labelling_layouts.offered(records(), somebody().cooperative)


def read_sheet(form: Form) -> tuple[str, int]:
    """The layout that was chosen, and the cell to begin at."""
    there = {one.key: one.layout for one in offered()}
    layout = form.choice("layout", there)
    cells = there[layout].cells if layout else 1
    return layout, form.count("start_cell", 1, 1000, told=cells)


def mark_choices() -> list[tuple[str, str]]:
    """The collective marks that labels may carry; empty where none is written down."""
    found = labelling_marks.marks(records(), somebody().cooperative)
    return [("", _("không in")), *((one.id, one.name) for one in found)] if found else []


def read_mark(form: Form) -> str:
    """The collective mark that was chosen; empty for none."""
    return form.choice("mark", dict(mark_choices())) if form["mark"] else ""


def picture_of(cooperative: str | None, product: Product | None) -> bytes | None:
    """What stands in the place for a picture: the cooperative's logo, else the product's picture.

    ``None`` where there is neither, or the picture's file is gone.
    """
    logo = labelling_logo.of(records(), cooperative)
    if logo is not None:
        return logo
    if product is None or not product.photo:
        return None
    file = photos.path_of(photo_folder(), product.photo)
    return file.read_bytes() if file.is_file() else None


@dataclass(frozen=True)
class Shown:
    """A layout to look at: one label, and where the labels lie on the page."""

    label: Markup
    layout: Layout
    cells: tuple[Box, ...]
    example_gtin: bool  # the bar code is an example
    no_photo: bool  # there is a place for a picture, and nothing to put there


def sample(layout: Layout, number: int = 180) -> tuple[Label, bool]:
    """A label as the cooperative prints it: of its newest packed lot, else of a product of its.

    Also says whether its GTIN is an example.
    """
    newest = scoped(select(Lot), Lot.cooperative).where(Lot.kind == PACKS).order_by(Lot.at.desc())
    lot = records().scalars(newest.limit(1)).first()
    product = lot.product if lot is not None else next(iter(products()), None)
    logo = labelling_sheets.logo_of(layout, picture_of(somebody().cooperative, product))
    if lot is not None:
        texts = texts_of(lot)
    elif product is not None:
        texts = texts_of_roll(product)
    else:
        texts = {"text": "\n".join((_("Tên sản phẩm"), _("Nơi sản xuất, xã, tỉnh")))}
    gtin = product.gtin if product is not None else None
    address = printed_address(settings().label_url, _LOT, _SERIAL, gtin)
    shown = gtin or (EXAMPLE_GTIN if layout.bars is not None else None)
    code = EXAMPLE_SCRATCH if layout.scratch is not None else ""
    made = labelling_sheets.label(layout, address, numbered(texts, number), shown, logo, code)
    return made, gtin is None and shown is not None


def shown(layout: Layout, among: str = "") -> Shown:
    """Draw a layout. Raises ``LabelError`` where no label comes out on it.

    ``among`` others on the same page it needs a word of its own, before the names of its parts.
    """
    label, example = sample(layout)
    sheets.make([label], layout)
    first = layout.first
    alone = replace(
        layout,
        kind=SHEET,
        page_width_mm=first.width_mm,
        page_height_mm=first.height_mm,
        columns=1,
        rows=1,
        first=Box(0, 0, first.width_mm, first.height_mm),
    )
    drawn = next(svg.pages([label], alone)).decode()
    for name in ('id="', 'href="#'):
        drawn = drawn.replace(name, name + among)
    cells = tuple(layout.cell(number) for number in range(1, layout.cells + 1))
    no_photo = layout.logo is not None and label.logo is None
    return Shown(Markup(drawn), layout, cells, example, no_photo)
