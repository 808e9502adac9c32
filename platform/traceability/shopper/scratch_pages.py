"""Where a shopper checks the scratch code of a pack.

The form sets no cookie, so there is no token in it; what another site's page sends is refused by
``Sec-Fetch-Site``. The answer is the pack's own page, where a recall stands first.
"""

import time

from flask import Blueprint, Response, abort, redirect, request, url_for

from nongso.platform.accounts import public_without_cookies
from nongso.platform.store import kept_records, transaction
from nongso.platform.traceability.desk import settings
from nongso.platform.traceability.labelling import scratch
from nongso.platform.traceability.shopper import page
from nongso.platform.traceability.shopper.told import told_of

blueprint = Blueprint("scratch", __name__)

MOST_TYPED = 40
_STATUS = {
    scratch.FIRST: 200,
    scratch.AGAIN: 200,
    scratch.WAIT: 429,
    scratch.WAIT_HERE: 429,
    scratch.AWAY: 503,
}


@blueprint.get("/t/<lot>/<serial>/scratch")
@public_without_cookies
def form_page(lot: str, serial: str) -> Response:
    """Lead whoever comes here without the form to the pack's page."""
    return redirect(url_for("consumer.pack_page", lot=lot, serial=serial), 303)  # type: ignore[return-value]


@blueprint.post("/t/<lot>/<serial>/scratch")
@public_without_cookies
def check(lot: str, serial: str) -> Response:
    """Check a code; the answer stands on the pack's page."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        abort(400, "another page sent this form")
    told = told_of(lot)
    label = page.find_label(told, serial)
    if told is None or label is None:
        return page.not_found(lot, serial, told)
    outcome = None
    if label.scratch is not None and label.is_usable and told.story.lot.withdrawn_at is None:
        with transaction() as session:
            kept_records().aside(session)
            outcome = scratch.check(
                session,
                label.serial,
                request.form.get("code", "")[:MOST_TYPED],
                scratch.key_of(settings().secret),
                request.remote_addr or "",
                int(time.time()),
            )
    answer = page.pack_answer(told, label, outcome)  # where nothing can be checked it says why
    answer.status_code = 422 if outcome is None else _STATUS.get(outcome.kind, 422)
    if outcome is not None and outcome.wait_seconds:
        answer.headers["Retry-After"] = str(outcome.wait_seconds)
    return answer
