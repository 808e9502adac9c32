"""What a shopper sees after scanning a label, and what a machine gets at the same address.

One light page without script, cookie or third party. A page of a lot may be kept by any cache
and is asked again with its ETag; a page of one pack is never kept, because it will be counted.
The page says who states what; it never says that the pack in the hand is the real one.
"""

import datetime
import re
import time
import unicodedata
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import Client

from nongso.platform import photos
from nongso.platform.accounts import public, public_without_cookies
from nongso.platform.afterwards import afterwards
from nongso.platform.errors import answer_trouble
from nongso.platform.forms import mass
from nongso.platform.kept_pages import same_for_everybody
from nongso.platform.languages import _, clock, date, day_of, language
from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError
from nongso.platform.store import kept_records, records
from nongso.platform.telemetry import telemetry
from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability import scans, sentences
from nongso.platform.traceability.digital_link import Link, LinkError
from nongso.platform.traceability.digital_link.catalogue import KEYS
from nongso.platform.traceability.digital_link.compressed import decompress
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.labelling.scratch import Outcome
from nongso.platform.traceability.recall import recalling as recall
from nongso.platform.traceability.records import PACKS, LabelCode, Lot, Product
from nongso.platform.traceability.resolver import answers, link_types
from nongso.platform.traceability.resolver.asked_address import asked_link
from nongso.platform.traceability.resolver.levels import added_links
from nongso.platform.traceability.resolver.names import (
    Named,
    gtins_of,
    product_id,
    product_of,
)
from nongso.platform.traceability.resolver.records import ProductLink
from nongso.platform.traceability.seasons import growing
from nongso.platform.traceability.seasons.lateness import late_of
from nongso.platform.traceability.shopfront import showing
from nongso.platform.traceability.shopfront.sketch import Sketch, draw
from nongso.platform.traceability.shopfront.words import telephone
from nongso.platform.traceability.shopper import pack_pages, telling, unknown_pages
from nongso.platform.traceability.shopper.copies import Copies
from nongso.platform.traceability.shopper.shelf import ON_THE_SHELF, shelves
from nongso.platform.traceability.shopper.story import Story
from nongso.platform.traceability.shopper.told import Told, told_of
from nongso.platform.traceability.testing.records import FAILED

blueprint = Blueprint("consumer", __name__)

LOT_SECONDS = 300  # a cache may show a lot's page so long without asking; a recall is then seen
PHOTO_PIXELS, PHOTO_SECONDS = 320, 86400  # about 15 kB
MAKER_PIXELS = 240  # about 9 kB
MAIN = '<main id="main" class="product">'  # in plain.html; a copy's date stands first in it
MOST_LOTS = 50  # that a product's page lists
KEY = "<any({}):key>".format(", ".join(f'"{key}"' for key in KEYS))


def prepare(app: Flask) -> None:
    """Keep copies of pages beside the database, and the pages of packs in memory."""
    settings: Settings = app.extensions["nongso.settings"]
    app.extensions["nongso.copies"] = Copies(settings.folder)
    pack_pages.prepare(app)
    unknown_pages.prepare(app)


def make_ready(app: Flask) -> None:
    """Make the pages once that most will ask for: the first shopper waits for no template."""
    with app.app_context():
        newest = select(Lot.code).where(Lot.kind == PACKS).order_by(Lot.at.desc()).limit(1)
        code = records().scalar(newest)
    client = Client(app)
    for address in ("/", f"/t/{code}"):
        client.get(address).close()


def _settings() -> Settings:
    settings: Settings = current_app.extensions["nongso.settings"]
    return settings


@blueprint.get("/")
@public
def products() -> str:
    """Everything that is packed and stands, newest lot first; of a name where one is asked."""
    same_for_everybody()
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


@blueprint.get("/p/<key>", strict_slashes=False)
@public_without_cookies
def product_page(key: str) -> Response:
    """The page of a product under our own address."""
    product = records().get(Product, key)
    return answers.unknown() if product is None else _product(Named(product))


@blueprint.get("/p/<key>/photo")
@public_without_cookies
def product_photo(key: str) -> Response:
    """The picture of a product, small enough for a slow line."""
    product = records().get(Product, key)
    name = "" if product is None else product.photo
    file = photos.shown(_settings().folder / "photos", name, PHOTO_PIXELS) if name else None
    if file is None:
        abort(404)
    answer = Response(file, mimetype="image/jpeg")
    return answers.for_caches(answer, PHOTO_SECONDS)  # its address has its name


@blueprint.get("/p/<key>/maker")
@public_without_cookies
def maker_photo(key: str) -> Response:
    """The picture of who makes a product, while they agree; a cache keeps it for minutes only."""
    session = records()
    product = session.get(Product, key)
    shown = showing.photo_of(session, product.producer_id) if product is not None else None
    folder = _settings().folder / showing.MAKERS
    file = None if shown is None else photos.shown(folder, shown.photo, MAKER_PIXELS)
    if file is None:
        abort(404)
    return answers.for_caches(Response(file, mimetype="image/jpeg"), LOT_SECONDS)


@blueprint.get(f"/{KEY}", strict_slashes=False)
@blueprint.get(f"/{KEY}/<path:rest>")
@public_without_cookies
def digital_link(key: str, rest: str = "") -> Response:
    """The same pages under their GS1 Digital Link; of other keys there is nothing here yet."""
    try:
        link = asked_link(_settings().label_url)
    except LinkError as error:
        return answers.malformed(error)
    made = _of_link(link)
    return answers.uncompressed(link, made) if len(rest.strip("/").split("/")) == 2 else made


@blueprint.get("/<string(minlength=10):packed>")
@public_without_cookies
def compressed_link(packed: str) -> Response:
    """The same pages under a compressed address; any other text leads nowhere."""
    try:
        link = decompress(packed, _settings().label_url)
    except LinkError:
        abort(404)
    return answers.uncompressed(link, _of_link(link))


def _of_link(link: Link) -> Response:
    if link.key.ai != "01" or link.value("235") is not None:
        return answers.unknown()
    gtin, code, serial = link.key.value, link.value("10"), link.value("21")
    session = records()
    if code is None and serial is None:
        product = product_of(session, gtin)
        return answers.unknown() if product is None else _product(Named(product, gtin=gtin))
    if code is None:  # a serial alone names its lot: no two are the same
        label = session.get(LabelCode, ids.as_typed(serial or ""))
        code = label.lot if label is not None else ""
    told = told_of(code)
    if told is None or gtin not in told.gtins:
        return not_found(code or serial or "", serial if code else None, told)
    return _told(code, serial, told, gtin)


@blueprint.after_request
def open_to_other_origins(answer: Response) -> Response:
    """Pages of other origins may read what stands at a code's address (resolver standard)."""
    if request.endpoint not in ("consumer.products", "consumer.typed"):
        answers.open_to_all(answer)
    return answer


def _answer(code: str, serial: str | None) -> Response:
    told = told_of(code)
    if told is None and serial is None:  # a serial alone names its lot: no two are the same
        alone = records().get(LabelCode, ids.as_typed(code))
        if alone is not None:
            told, serial = told_of(alone.lot), alone.serial
    return _told(code, serial, told)


def _told(code: str, serial: str | None, told: Told | None, gtin: str | None = None) -> Response:
    label = None if serial is None else find_label(told, serial)
    if told is None or (serial is not None and label is None):
        return not_found(code, serial, told)
    known, story = told, told.story  # not None from here on
    named = Named(story.product, story.lot, None if label is None else label.serial, gtin)

    def page() -> Response:
        return _lot_page(story) if label is None else pack_answer(known, label)

    return answers.answer(named, known.gtins, page)


def find_label(told: Told | None, serial: str) -> pack_pages.Label | None:
    """The label of a lot that has this serial; ``None`` for one that was never issued."""
    if told is None:
        return None
    return pack_pages.find(records(), told.story.lot.code, ids.as_typed(serial))


def _lot_page(story: Story) -> Response:
    page = _made_page(story, None, Markup())
    copies: Copies = current_app.extensions["nongso.copies"]
    code, words = story.lot.code, language()
    afterwards(lambda: copies.keep(code, words, page.encode()))
    return _kept(make_response(page), False)


def pack_answer(told: Told, label: pack_pages.Label, outcome: Outcome | None = None) -> Response:
    """The page of a pack; ``outcome`` is what came of checking its scratch code just now."""
    story, code = told.story, told.story.lot.code
    seen = pack_pages.seen_note(scans.seen(label.serial))
    lot = story.lot
    is_warned = lot.recalled_at is not None or lot.tested == FAILED or bool(story.too_early)
    seen += pack_pages.scratch_note(code, label, outcome, is_warned)
    _note_scan(code, label.serial)
    key = (code, language(), told.as_of)
    page = pack_pages.page(key, label, seen, lambda *alike: _made_page(story, *alike))
    return _kept(make_response(page), True)


def _made_page(story: Story, label: pack_pages.Label | None, seen: Markup) -> str:
    """The page of a lot, or of a pack with this label, which says this of its scans."""
    lot = story.lot
    return render_template(
        "traceability/lot.html",
        **_pictures(story.product),
        story=story,
        lot=lot,
        label=label,
        seen=seen,
        address=_address(lot, label.serial if label is not None else None),
        mass=mass,
        content=sentences.content,
        telephone=telephone,
        missing=_missing,
        months=_months,
        storage=sentences.storage,
        words=telling,
        late=late_of(records(), telemetry(), kept_records().where, story.grown),
        trial=growing.is_simulated(records(), lot.cooperative),
        links=_links(records(), story.product),
        is_past=day_of(time.time()) > story.best_before,
        recall=recall.of_lot(records(), lot.code),
        sketch=_sketch(records(), lot, story),
    )


def _pictures(product: Product) -> dict[str, Any]:
    """What a page says of its pictures: whose face is shown, and how large each is."""
    maker, folder = showing.photo_of(records(), product.producer_id), _settings().folder
    photo = product.photo and photos.size(folder / "photos", product.photo, PHOTO_PIXELS)
    face = maker and photos.size(folder / showing.MAKERS, maker.photo, MAKER_PIXELS)
    return {"maker": maker, "photo_size": photo, "maker_size": face}


def _sketch(session: Session, lot: Lot, story: Story) -> Sketch | None:
    """Where it grew, as far as households agreed to show it, and where visitors may come."""
    grown = showing.grown_points(session, story.growers, _("Nơi trồng (gần đúng)"))
    return draw([*grown, *showing.open_points(session, lot.cooperative)][: showing.MOST_POINTS])


def _note_scan(lot: str, serial: str) -> None:
    """Take note that somebody looks at a pack. A program that asks only for the head does not."""
    if request.method == "GET":
        address, phone = request.remote_addr or "", request.user_agent.string
        scans.note(serial, address, phone, time.time(), lot)


@blueprint.errorhandler(StorageError)
def from_copy(error: StorageError) -> Response:
    """While the database cannot be read: the copy of the lot's page, saying from when it is."""
    copies: Copies = current_app.extensions["nongso.copies"]
    found = copies.find(_asked_lot(), language()) if answers.wants_page() else None
    if found is None:
        return answer_trouble(error.trouble)
    page, at = found
    said = _(
        "Máy chủ đang gặp sự cố. Đây là trang đã lưu lúc %(clock)s ngày %(day)s. Từ đó đến nay có "
        "thể đã có tin mới, kể cả tin thu hồi: xin xem lại sau, hoặc gọi số ghi ở cuối trang.",
        clock=clock(at),
        day=date(at),
    )
    note = Markup('<p class="note attention" role="alert">{}</p>').format(said)
    answer = make_response(page.decode().replace(MAIN, f"{MAIN}\n{note}", 1))
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Accept, Cookie"
    return answer


def _asked_lot() -> str:
    """The lot that the address names, as far as it can be read without the database."""
    asked = request.view_args or {}
    if "lot" in asked:
        return ids.as_typed(asked["lot"])
    try:
        if "key" in asked:
            return asked_link(_settings().label_url).value("10") or ""
    except LinkError:
        pass
    return ""


def _links(session: Session, product: Product) -> list[tuple[str, ProductLink]]:
    """Where more is told of a product: cooking, where to buy, certificates."""
    return [
        (link_types.NAMES.get(link.kind, link.kind), link)
        for link in added_links(session, product)
    ]


def _product(named: Named) -> Response:
    gtins = gtins_of(records(), named.product)
    return answers.answer(named, gtins, lambda: _product_page(named.product))


def _product_page(product: Product) -> Response:
    """The page of a product: who makes it, what was packed, where more is told."""
    session = records()
    lots = session.scalars(
        select(Lot)
        .where(Lot.product_id == product.id, *ON_THE_SHELF)
        .order_by(Lot.at.desc(), Lot.code)
        .limit(MOST_LOTS)
    ).all()
    page = render_template(
        "traceability/product_page.html",
        **_pictures(product),
        content=sentences.content,
        product=product,
        lots=lots,
        links=_links(session, product),
        address=product_id(_settings().label_url, product.id),
        storage=sentences.storage,
        trial=growing.is_simulated(session, product.cooperative),
    )
    return _kept(make_response(page), False)


def _kept(answer: Response, is_pack: bool) -> Response:
    """A page that any cache may keep for a while; that of one pack is never kept."""
    answer.headers["Vary"] = "Accept, Cookie"
    if is_pack:
        answer.headers["Cache-Control"] = "no-store"
        return answer
    return answers.for_caches(answer, LOT_SECONDS)


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


def not_found(lot: str, serial: str | None, told: Told | None) -> Response:
    """A code that nobody issued: said plainly, with what to do.

    ``told`` is what is known of its lot. Only what has the shape of our codes may be called a
    forged label; a slip is only a slip.
    """
    unbound = labelling_state.not_bound(records(), serial or lot)
    if unbound is not None:
        return _not_bound(unbound)
    if told is not None and serial:
        _note_scan(told.story.lot.code, serial)
    answer = make_response(unknown_pages.page(lot, serial or "", told is not None), 404)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _not_bound(told: labelling_state.Standing) -> Response:
    """A label that was printed before its lot was: nobody has said yet what it is on."""
    product = records().get(Product, told.product or "")
    page = render_template("traceability/unbound.html", serial=told.serial, product=product)
    answer = make_response(page, 404)
    answer.headers["Cache-Control"] = "no-store"
    return answer
