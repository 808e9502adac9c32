"""Where the clerk is given a sheet with scratch codes: once, by a form, and nothing is kept."""

import re

from flask import Response, request

from nongso.labels.errors import LabelError
from nongso.platform.accounts import allow
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import blueprint, desk, settings
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.labelling import scratch
from nongso.platform.traceability.labelling.pages import (
    Answer,
    issue_page,
    own_issue,
    pdf_answer,
    refuse_worthless,
)
from nongso.platform.traceability.records import LabelIssue


@blueprint.post("/labels/<key>/sheet")
@allow("clerk")
def scratch_sheet(key: str) -> Answer:
    """Give the sheet out; anew where nobody has used it and the clerk says so."""
    made = own_issue(key)
    try:
        return sheet_answer(made, _sheet_named(request.form.get("anew", "")))
    except (LabelError, Refused) as e:
        return issue_page(made, e)


def _sheet_named(typed: str) -> int:
    """Which sheet the page showed as the last one: only that one is replaced."""
    return int(typed) if re.fullmatch("[0-9]{1,6}", typed) else 0


def sheet_answer(made: LabelIssue, replaces: int) -> Response:
    """A sheet with new codes as a download. Raises ``Refused`` or ``LabelError``."""
    refuse_worthless(made)
    scratch.refuse_sheet(records(), made, replaces)
    pdf, codes = scratch.draw(records(), made)
    with transaction() as session:
        scratch.keep(desk(session), made, codes, scratch.key_of(settings().secret), replaces)
    return pdf_answer(pdf, f"tem-{made.lot}-{made.first}-{made.last}.pdf")
