"""What a shopper sees after scanning a label, and what a machine gets at the same address.

One light page without script, cookie or third party. A page of a lot may be kept by any cache
and is asked again with its ETag; a page of one pack is never kept, because it will be counted.
The page says who states what; it never says that the pack in the hand is the real one.
"""

import datetime
import json
import re
import unicodedata
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
from markupsafe import Markup
from sqlalchemy.orm import Session

from nongso.platform.accounts import public, public_without_cookies
from nongso.platform.errors import Problem
from nongso.platform.forms import mass
from nongso.platform.languages import LANGUAGES, date
from nongso.platform.settings import Settings
from nongso.platform.store import kept_records, records
from nongso.platform.traceability import growing, sentences
from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability.errors import BadGtin
from nongso.platform.traceability.records import PACKS, LabelCode, Lot
from nongso.platform.traceability.shelf import shelves
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
    """Everything that is packed and stands, newest lot first; of a name where one is asked."""
    session, asked = records(), request.args.get("name", "")[:60].strip()
    found = shelves(session, asked)
    homes = {product.cooperative for product, _lots in found}
    trial = {home for home in homes if growing.is_simulated(session, home)}
    return render_template("traceability/products.html", shelves=found, asked=asked, trial=trial)


@blueprint.get("/t", strict_slashes=False)
@public_without_cookies
def typed() -> Response:
    """Find what was typed instead of scanned: an address, a lot, a serial, or a name."""
    text = unicodedata.normalize("NFC", request.args.get("code", "")[:200]).strip()
    lot, serial = _read(text)
    if not lot:
        return redirect(url_for("consumer.products"), 303)  # type: ignore[return-value]
    session, code = records(), ids.as_typed(lot)
    known = session.get(Lot, code) or session.get(LabelCode, code)
    if serial is None and known is None and shelves(session, text):
        return redirect(url_for("consumer.products", name=text), 303)  # type: ignore[return-value]
    return _answer(lot, serial)


def _read(text: str) -> tuple[str, str | None]:
    """Lot and serial of what was typed; the lot is empty where nothing was.

    Whole addresses are read too, ours (…/T/LOT/SERIAL) and GS1's (…/10/LOT/21/SERIAL).
    """
    bare = re.sub(r"^(mã\s+)?lô[\s:]+", "", text.partition("?")[0], flags=re.IGNORECASE)
    parts = [part for part in bare.replace("\\", "/").split("/") if part.strip()]
    names = [part.strip().upper() for part in parts]
    for mark in ("10", "T"):
        if mark in names[:-1]:
            parts = parts[names.index(mark) + 1 :]
            break
    else:
        parts = parts[-2:]
    if len(parts) == 3 and parts[1] == "21":
        parts = [parts[0], parts[2]]
    return (parts[0] if parts else "", parts[1] if len(parts) > 1 else None)


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
    if lot is None and serial is None:  # a serial alone names its lot: no two are the same
        label = session.get(LabelCode, ids.as_typed(code))
        if label is not None:
            lot, serial = session.get(Lot, label.lot), label.serial
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
            mass=mass,
            telephone=_telephone,
            missing=_missing,
            months=_months,
            storage=sentences.storage,
            trial=growing.is_simulated(session, lot.cooperative),
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
    key = f"{kept_records().where}/{lot.code}"
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


def _telephone(contact: str) -> Markup:
    """The contact as it was written, with its first telephone number to be tapped."""
    found = re.search(r"\+?\d(?:[ .]?\d){7,13}", contact)
    if found is None:
        return Markup.escape(contact)
    number = re.sub("[ .]", "", found[0])
    link = Markup('<a href="tel:{}">{}</a>').format(number, found[0])
    return Markup("{}{}{}").format(contact[: found.start()], link, contact[found.end() :])


def _not_found(lot: str, serial: str | None) -> Response:
    """A code that nobody issued: said plainly, with what to do.

    Only what has the shape of our codes may be called a forged label; a slip is only a slip.
    """
    code = ids.as_typed(lot)
    known = records().get(Lot, code)
    page = render_template(
        "traceability/unknown.html",
        lot=lot[:40],
        serial=(serial or "")[:40],
        lot_known=known is not None and known.kind == PACKS,
        shaped=ids.is_shaped(code, ids.LOT_LETTERS) or ids.is_shaped(code, ids.SERIAL_LETTERS),
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
