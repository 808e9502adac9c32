"""The sheet of labels: tried out before anything is issued, drawn once, the same ever after.

Labels of a lot and labels of a roll are printed alike: the print shop is asked with one label
first; what the file is made of is committed (``records.Printed``); then the file is made of it,
read back, and kept. So a stop in between loses nothing.
"""

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from nongso.labels import layout as layouts
from nongso.labels import logos
from nongso.labels import sheet as sheets
from nongso.labels.errors import (
    BadLogo,
    BarsTooNarrow,
    LabelError,
    ModuleTooSmall,
    StartCellOutside,
    TextDoesNotFit,
    UnknownLayout,
)
from nongso.labels.layout import Layout
from nongso.labels.logos import Logo
from nongso.labels.operations import Sheet, print_sheet
from nongso.labels.sheet import Label
from nongso.platform.traceability.errors import AlreadyRecorded, LabelNotPrintable
from nongso.platform.traceability.labelling import layouts as labelling_layouts
from nongso.platform.traceability.labelling import logo as labelling_logo
from nongso.platform.traceability.labelling import marks as labelling_marks
from nongso.platform.traceability.labelling.errors import LogoNotPrintable, NoScratchPlace
from nongso.platform.traceability.labelling.records import CollectiveMark, LabelRoll
from nongso.platform.traceability.labelling.text import numbered, with_scratch
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.records import LabelIssue, Printed

WIDEST_SCRATCH = "WWWW-WWWW"

_Sheet = TypeVar("_Sheet", LabelIssue, LabelRoll)


def there(session: Session, table: type[_Sheet], id_: str, **asked: Any) -> _Sheet | None:
    """What the same form made before. Raises ``AlreadyRecorded`` if it asked for other things."""
    found = session.get(table, id_)
    if found is not None and any(getattr(found, name) != value for name, value in asked.items()):
        raise AlreadyRecorded
    return found


def tried(
    desk: Desk,
    layout: str,
    start_cell: int,
    address: str,
    texts: Mapping[str, str],
    gtin: str | None,
    last: int,
    photo: bytes | None = None,
    mark: CollectiveMark | None = None,
    scratch: bool = False,
) -> dict[str, Any]:
    """Ask the print shop: would such a label come out? Returns the columns of ``Printed``.

    ``address`` is as long as the longest, ``last`` the highest number that will stand on one;
    ``photo`` is printed where the layout has a place for a picture, ``mark`` named in the last
    line of the text. Raises ``LabelNotPrintable``, ``LogoNotPrintable``, and ``NoScratchPlace``
    where there shall be scratch codes.
    """
    if scratch:
        texts = with_scratch(texts)
    if mark is not None:
        texts = {**texts, "text": f"{texts['text']}\n{labelling_marks.line(mark)}"}

    def make(on: Layout) -> Logo | None:
        """Make one label; returns its picture. Raises ``LabelError``."""
        logo, code = logo_of(on, photo), WIDEST_SCRATCH if scratch else ""
        sheets.make([label(on, address, numbered(texts, last), gtin, logo, code)], on)
        return logo

    try:
        chosen = labelling_layouts.find(desk.session, desk.cooperative, layout)
        list(chosen.layout.places(1, start_cell))
        if scratch and chosen.layout.scratch is None:
            raise NoScratchPlace(layout)
        logo = make(chosen.layout)
    except (UnknownLayout, StartCellOutside) as e:
        field = "start_cell" if isinstance(e, StartCellOutside) else "layout"
        raise LabelNotPrintable(field) from e
    except LabelError as e:
        own = labelling_logo.of(desk.session, desk.cooperative)
        if isinstance(e, BadLogo) and photo == own:
            raise LogoNotPrintable from e
        fits = _smallest(chosen.layout, e, make, scratch)
        raise LabelNotPrintable(fits=fits) from e
    return {
        "layout": layout,
        "layout_file": chosen.file,
        "start_cell": start_cell,
        "base": desk.base,
        "gtin": gtin,
        "texts": dict(texts),
        "logo": None if logo is None else logos.kept(logo, chosen.layout.dpi),
        "mark": None if mark is None else mark.id,
    }


def _smallest(
    refused: Layout, why: LabelError, make: Callable[[Layout], object], scratch: bool
) -> Layout | None:
    """The smallest of our layouts on which the label comes out: of rolls before sheets for a roll.

    ``None`` where no larger one helps.
    """
    while isinstance(why.__cause__, LabelError):
        why = why.__cause__
    if not isinstance(why, (TextDoesNotFit, ModuleTooSmall, BarsTooNarrow)):
        return None
    on_roll = refused.kind != layouts.SHEET

    def first_seen(one: Layout) -> tuple[bool, float]:
        return (one.kind != layouts.SHEET) != on_roll, one.first.width_mm * one.first.height_mm

    for one in sorted(map(layouts.find, layouts.plain()), key=first_seen):
        if (one.scratch is not None) != scratch:
            continue
        try:
            make(one)
        except LabelError:
            continue
        return one
    return None


def columns(made: Printed) -> dict[str, Any]:
    """The columns of ``Printed``, for what is printed on the same paper."""
    names = ("layout", "layout_file", "start_cell", "base", "gtin", "texts", "logo", "mark")
    return {name: getattr(made, name) for name in names}


def layout_of(made: Printed) -> Layout:
    """The layout on which something was printed, as it was then. Raises ``LabelError``."""
    if made.layout_file is not None:
        return layouts.read(made.layout, made.layout_file)
    return layouts.find(made.layout)


def logo_of(layout: Layout, picture: bytes | None) -> Logo | None:
    """A picture as it is printed, where the layout has a place for it. Raises ``BadLogo``."""
    if picture is None or layout.logo is None:
        return None
    return logos.read(picture, layout.logo, layout.dpi)


def label(
    layout: Layout,
    address: str,
    texts: Mapping[str, str],
    gtin: str | None,
    logo: Logo | None = None,
    scratch: str = "",
) -> Label:
    """One label; it carries the bar code of its GTIN where the layout has a place for it."""
    return Label(address, texts, gtin if gtin and layout.bars is not None else "", logo, scratch)


def printed(
    made: LabelIssue | LabelRoll,
    addresses: Sequence[str],
    first: int,
    title: str,
    scratches: Sequence[str] = (),
) -> Sheet:
    """The checked sheet of what was committed, each label with its scratch code where it has one.

    Call it outside of a transaction: printing takes longer than writers should wait. Raises
    ``LabelError`` when the sheet does not read back.
    """
    layout = layout_of(made)
    logo = None if made.logo is None else logos.again(made.logo)
    each = zip_longest(addresses, scratches, fillvalue="")
    labels = [
        label(layout, address, numbered(made.texts, number), made.gtin, logo, code)
        for number, (address, code) in enumerate(each, first)
    ]
    return print_sheet(labels, layout, made.start_cell, title)


def file_of(
    made: LabelIssue | LabelRoll,
    addresses: Callable[[], Sequence[str]],
    first: int,
    title: str,
    files: Path,
) -> Path:
    """The checked PDF of what was committed; made at the first call, the same file afterwards.

    As ``printed``; when it raises there is no file. ``addresses`` are asked for to make it only.
    """
    file = files / "labels" / f"{made.id}.pdf"
    if file.exists():
        return file
    sheet = printed(made, addresses(), first, title)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as out:
            out.write(sheet.pdf)
            out.flush()
            os.fsync(out.fileno())  # a name without its bytes would be served for ever
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file
