"""The clerk's page of the links of a product: add one, end one."""

import re
import time
import uuid
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Response, abort, redirect, request, url_for

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import LANGUAGES, _
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import blueprint, page, settings
from nongso.platform.traceability.records import Product
from nongso.platform.traceability.resolver.levels import added_links
from nongso.platform.traceability.resolver.link_types import NAMES
from nongso.platform.traceability.resolver.names import gs1_id, gtins_of, product_id
from nongso.platform.traceability.resolver.records import ProductLink

Answer = str | tuple[str, int] | Response

LONGEST_ADDRESS = 500
MOST_LINKS = 60
MEDIA = {".pdf": "application/pdf", ".jpg": "image/jpeg", ".png": "image/png", ".mp4": "video/mp4"}
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


@blueprint.get("/products/<key>/links")
@allow("clerk")
def links(key: str) -> Answer:
    """Show the links of a product, and the form for another one."""
    return _shown(_own(key), Form({"kind": "", "language": "vi"}))


@blueprint.post("/products/<key>/links")
@allow("clerk")
def add_link(key: str) -> Answer:
    """Add a link; the same kind, language and address twice is one link."""
    product, form = _own(key), Form(request.form)
    kind = form.choice("kind", NAMES)
    title = form.text("title", 80)
    address = _address(form)
    language = form.choice("language", ("", *LANGUAGES))
    there = added_links(records(), product)
    if len(there) >= MOST_LINKS:
        form.wrong("", _("Sản phẩm này đã có nhiều đường dẫn. Xin bỏ bớt trước khi thêm."))
    if not form.ok:
        return _shown(product, form)
    if (kind, language, address) not in {(one.kind, one.language, one.address) for one in there}:
        id_ = form.id()
        with transaction() as session:
            if session.get(ProductLink, id_) is None:
                session.add(
                    ProductLink(
                        id=id_,
                        cooperative=product.cooperative,
                        product_id=product.id,
                        kind=kind,
                        title=title,
                        address=address,
                        language=language,
                        media=_media(address),
                        added_at=int(time.time()),
                        added_by=somebody().id,
                        ended_at=None,
                        ended_by=None,
                    )
                )
    return redirect(url_for("records.links", key=key), 303)  # type: ignore[return-value]


@blueprint.post("/products/<key>/links/<link>/end")
@allow("clerk")
def end_link(key: str, link: str) -> Answer:
    """End a link. It stays in the records, but no page and no program is told of it."""
    product = _own(key)
    with transaction() as session:
        found = session.get(ProductLink, link)
        if found is None or found.product_id != product.id:
            abort(404)
        if found.ended_at is None:
            found.ended_at, found.ended_by = int(time.time()), somebody().id
    return redirect(url_for("records.links", key=key), 303)  # type: ignore[return-value]


def _own(key: str) -> Product:
    found = records().get(Product, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _shown(product: Product, form: Form) -> Answer:
    if "id" not in form.values:
        form.values["id"] = str(uuid.uuid4())
    base = settings().label_url
    more: dict[str, Any] = {
        "product": product,
        "added": added_links(records(), product),
        "kinds": list(NAMES.items()),
        "names": NAMES,
        "languages_of_links": [*LANGUAGES.items(), ("", _("Không có chữ, hoặc nhiều thứ tiếng"))],
        "addresses": [
            product_id(base, product.id),
            *(gs1_id(base, gtin) for gtin in gtins_of(records(), product)),
        ],
    }
    return page("links.html", form, **more)


def _address(form: Form) -> str:
    """An address that a shopper's phone can open safely: https, with a real host, no password."""
    typed = form.text("link", LONGEST_ADDRESS)
    if not form.ok and "link" in form.errors:
        return ""
    try:
        parts = urlsplit(typed)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (ValueError, UnicodeError):
        host, port, parts = "", None, urlsplit("")
    if parts.scheme != "https" or _HOST.fullmatch(host) is None or "@" in parts.netloc:
        form.wrong(
            "link",
            _("Xin ghi địa chỉ bắt đầu bằng https://, ví dụ https://htx.vn/cach-nau-mien."),
        )
        return ""
    place = host + (f":{port}" if port else "")
    rest = quote(typed.partition(parts.netloc)[2], safe="/?#[]@!$&'()*+,;=:%-._~")
    return f"https://{place}{rest}"


def _media(address: str) -> str:
    """The media type that the end of an address tells, else a page."""
    end = re.search(r"\.[a-z0-9]{3,4}$", urlsplit(address).path.casefold())
    return MEDIA.get(end[0], "text/html") if end else "text/html"
