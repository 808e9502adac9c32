"""The page behind a code that nobody issued: made once of each sort, and filled in.

How this works. What the page says depends on the language, on whether the lot is ours, and on
whether what was asked has the shape of our codes; it is made once for each of these, with marks
where the code itself belongs. So whoever invents codes by the million costs little. Nothing that
is written changes such a page.

Not here: which code is nobody's, and who counts the scans.
"""

import re
import secrets

from flask import Flask, current_app, render_template, url_for
from markupsafe import escape

from nongso.platform.greenhouse.fragments import Fragments
from nongso.platform.languages import language
from nongso.platform.traceability import identifiers as ids

MOST_LETTERS = 40  # of what was asked; more is shown of no code
# In texts and in addresses alike; nobody can guess them, and none is ever shown.
_LOT, _SERIAL, _REPORT = (f"{name}-{secrets.token_hex(8)}" for name in ("lot", "serial", "report"))
_MARKS = re.compile("|".join((_LOT, _SERIAL, _REPORT)))


def prepare(app: Flask) -> None:
    """Keep pages with marks; one memory for the application."""
    app.extensions["nongso.unknown_pages"] = Fragments()


def page(lot: str, serial: str, lot_known: bool) -> str:
    """The page for this code. ``lot_known``: such packs there are, but none with this serial."""
    kept: Fragments = current_app.extensions["nongso.unknown_pages"]
    code = ids.as_typed(lot)
    shaped = ids.is_shaped(code, ids.LOT_LETTERS) or ids.is_shaped(code, ids.SERIAL_LETTERS)
    key = (language(), bool(lot), bool(serial), lot_known, shaped)

    def make() -> str:
        return render_template(
            "traceability/unknown.html",
            lot=lot and _LOT,
            serial=serial and _SERIAL,
            report=_REPORT,
            lot_known=lot_known,
            shaped=shaped,
        )

    lot, serial = lot[:MOST_LETTERS], serial[:MOST_LETTERS]
    report = url_for("reports.form_page", lot=lot, serial=serial or None)
    marks = {_LOT: lot, _SERIAL: serial, _REPORT: report}
    return _MARKS.sub(lambda found: escape(marks[found[0]]), kept.get(key, make))
