"""What a shopper sees after scanning a label, and what a machine gets at the same address.

One light page without script, cookie or third party. A page of a lot may be kept by any cache
and is asked again with its ETag; a page of one pack is never kept, because it will be counted.
The page says who states what; it never says that the pack in the hand is the real one.
"""

import datetime
import json
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import public, public_without_cookies
from nongso.platform.errors import Problem
from nongso.platform.languages import LANGUAGES, date
from nongso.platform.settings import Settings
from nongso.platform.store import kept_records, records
from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability.errors import BadGtin
from nongso.platform.traceability.forms import kg
from nongso.platform.traceability.records import PACKS, LabelCode, Lot, Product
from nongso.platform.traceability.story import Story, tell

blueprint = Blueprint("consumer", __name__)

LOT_SECONDS = 300  # a cache may show a lot's page so long without asking; a recall is then seen
LINKSET = "application/linkset+json"
VOCABULARY = "https://ref.gs1.org/voc/"


def _settings() -> Settings:
    settings: Settings = current_app.extensions["nongso.settings"]
    return settings


@blueprint.get("/")
@public
def products() -> str:
    """Everything that is packed and labelled, newest lot first."""
    session = records()
    found = session.scalars(
        select(Lot).where(Lot.kind == PACKS).order_by(Lot.at.desc(), Lot.code).limit(200)
    )
    shelves: dict[str, tuple[Product, list[Lot]]] = {}
    for lot in found:
        if lot.product is not None:
            _product, kept = shelves.setdefault(lot.product.id, (lot.product, []))
            kept.append(lot)
    return render_template("traceability/products.html", shelves=list(shelves.values()))


@blueprint.get("/t", strict_slashes=False)
@public_without_cookies
def typed() -> Response:
    """Find a code that was typed instead of scanned."""
    code = ids.as_typed(request.args.get("code", ""))
    parts = [part for part in code.replace("\\", "/").split("/") if part]
    if not parts:
        return redirect(url_for("consumer.products"), 303)  # type: ignore[return-value]
    return _answer(
        parts[-2] if len(parts) > 1 else parts[0], parts[-1] if len(parts) > 1 else None
    )


@blueprint.get("/t/<lot>", strict_slashes=False)
@blueprint.get("/T/<lot>", strict_slashes=False)
@public_without_cookies
def lot_page(lot: str) -> Response:
    """The page of a lot."""
    return _answer(lot, None)


@blueprint.get("/t/<lot>/<serial>", strict_slashes=False)
@blueprint.get("/T/<lot>/<serial>", strict_slashes=False)
@public_without_cookies
def pack_page(lot: str, serial: str) -> Response:
    """The page of one pack."""
    return _answer(lot, serial)


@blueprint.get("/01/<gtin>/10/<lot>", strict_slashes=False)
@blueprint.get("/01/<gtin>/10/<lot>/21/<serial>", strict_slashes=False)
@public_without_cookies
def digital_link(gtin: str, lot: str, serial: str | None = None) -> Response:
    """The same pages under their GS1 Digital Link."""
    try:
        whole = ids.gtin14(gtin)
    except BadGtin as e:
        raise Problem(400, "bad_gtin", f"{gtin}: not a GTIN") from e
    found = records().get(Lot, lot.upper())
    if found is None or found.product is None or found.product.gtin != whole:
        return _not_found(lot, serial)
    return _answer(lot, serial)


def _answer(code: str, serial: str | None) -> Response:
    session = records()
    lot = session.get(Lot, ids.as_typed(code))
    story = _story(session, lot) if lot is not None else None
    label = _label(session, lot, serial) if lot is not None and serial is not None else None
    if lot is None or story is None or (serial is not None and label is None):
        return _not_found(code, serial)
    if request.accept_mimetypes.best_match(["text/html", LINKSET]) == LINKSET:
        answer = Response(json.dumps(_linkset(lot, serial), ensure_ascii=False))
        answer.content_type = LINKSET
        answer.headers["Access-Control-Allow-Origin"] = "*"
    else:
        page = render_template(
            "traceability/lot.html",
            story=story,
            lot=lot,
            label=label,
            address=_address(lot, serial),
            kg=kg,
            missing=_missing,
            months=_months,
        )
        answer = make_response(page)
    answer.headers["Link"] = f'<{_address(lot, serial)}>; rel="linkset"; type="{LINKSET}"'
    answer.headers["Vary"] = "Accept, Cookie"
    if serial is not None:
        answer.headers["Cache-Control"] = "no-store"
        return answer
    answer.headers["Cache-Control"] = f"public, max-age={LOT_SECONDS}"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


_told: dict[str, tuple[tuple[int, int], Story | None]] = {}
_MOST_TOLD = 1000


def _story(session: Session, lot: Lot) -> Story | None:
    """The story of a lot; kept in memory only while nothing at all has been written."""
    version = kept_records().lately()
    key = f"{kept_records().file}/{lot.code}"
    kept = _told.get(key)
    if kept is not None and kept[0] == version:
        return kept[1]
    story = tell(session, lot)
    if len(_told) >= _MOST_TOLD:
        _told.clear()
    _told[key] = (version, story)
    return story


def _label(session: Session, lot: Lot, serial: str) -> LabelCode | None:
    label = session.get(LabelCode, ids.as_typed(serial))
    return label if label is not None and label.lot == lot.code else None


def _address(lot: Lot, serial: str | None) -> str:
    return ids.lot_id(_settings().label_url, lot.code) + (f"/{serial}" if serial else "")


def _months(span: tuple[datetime.date, datetime.date]) -> str:
    """The month or months of a span: 11/2026, 11/2026–01/2027."""
    first, last = (f"{day:%m/%Y}" for day in span)
    return first if first == last else f"{first}–{last}"


def _missing(days: list[str]) -> str:
    """Days without readings, neighbours drawn together: 03/11/2026, 05/11/2026–09/11/2026."""
    spans: list[list[datetime.date]] = []
    for day in sorted(map(datetime.date.fromisoformat, days)):
        if spans and day - spans[-1][1] == datetime.timedelta(days=1):
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return ", ".join(
        date(first) if first == last else f"{date(first)}–{date(last)}" for first, last in spans
    )


def _not_found(lot: str, serial: str | None) -> Response:
    """A code that nobody issued: said plainly, with what to do."""
    known = records().get(Lot, ids.as_typed(lot))
    page = render_template(
        "traceability/unknown.html",
        lot=lot[:40],
        serial=(serial or "")[:40],
        lot_known=known is not None and known.kind == PACKS,
    )
    answer = make_response(page, 404)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _linkset(lot: Lot, serial: str | None) -> dict[str, Any]:
    """The links of a lot or pack (RFC 9264), with GS1's link types.

    Goods with a GTIN are found under both of their addresses.
    """
    anchors = [_address(lot, serial)]
    if lot.product is not None and lot.product.gtin:
        base = _settings().label_url
        end = f"/21/{serial}" if serial else ""
        anchors.append(f"{base}/01/{lot.product.gtin}/10/{lot.code}{end}")
    page = {
        "href": anchors[0],
        "type": "text/html",
        "title": f"{lot.name}, {lot.code}",
        "hreflang": list(LANGUAGES),
    }
    kinds = ("defaultLink", "pip", "traceability")
    return {
        "linkset": [
            {
                "anchor": anchor,
                "itemDescription": lot.name,
                **{f"{VOCABULARY}{kind}": [page] for kind in kinds},
            }
            for anchor in anchors
        ]
    }
