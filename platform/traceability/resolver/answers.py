"""Answers at the address of a product, lot or pack: page, linkset, data, redirect, refusal.

How it decides. A wish for the list (``linkType=linkset`` or ``all``, or its media type) gets the
linkset, here and now. A wish for one kind of link gets a redirect (307) to the link that fits the
asker's language and media type best; 300 with the few when several fit equally, 404 when there is
none. No wish gets the default, which is the page at this very address: never a redirect away,
because a recall must be seen first. What was asked behind the question mark goes along.

No cookie, readable from any origin; nothing here changes anything.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Response, current_app, make_response, render_template, request

from nongso.platform.errors import problem
from nongso.platform.kept_pages import same_for_everybody
from nongso.platform.languages import _
from nongso.platform.settings import Settings
from nongso.platform.store import records
from nongso.platform.traceability.digital_link import Link, LinkError
from nongso.platform.traceability.epcis import front as epcis
from nongso.platform.traceability.resolver import link_types, sentences
from nongso.platform.traceability.resolver.levels import DATA, levels_of
from nongso.platform.traceability.resolver.linkset import LINKSET, linkset_of, some_of
from nongso.platform.traceability.resolver.names import Name, Named, chains
from nongso.platform.traceability.resolver.offers import Level, Offer, choose
from nongso.platform.traceability.resolver.product_data import events_of, product_data

KEPT_SECONDS = 300  # a cache may keep a linkset so long without asking
CONTEXT = "https://ref.gs1.org/standards/resolver/linkset-context"
_HTML, _JSON = "text/html", "application/json"
OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Link, Location",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def answer(named: Named, gtins: Sequence[str], page: Callable[[], Response]) -> Response:
    """Answer for something that is ours, whose product has these GTINs.

    ``page`` makes the page of this address.
    """
    settings: Settings = current_app.extensions["nongso.settings"]
    known = chains(settings.label_url, named, gtins)
    made = _made(named, known, page)
    first, *others = (chain[0].address for chain in known)
    _add_links(
        made,
        f'<{first}?linkType=linkset>; rel="linkset"; type="{LINKSET}"',
        *(f'<{address}>; rel="owl:sameAs"' for address in others),
    )
    return made


def _made(named: Named, known: list[list[Name]], page: Callable[[], Response]) -> Response:
    wanted = link_types.asked(request.args.get("linkType", ""))
    if wanted in link_types.LINKSET_WORDS:
        return _linkset(named, _levels(named, known), LINKSET)
    if wanted not in ("", link_types.DEFAULT):
        return _kind(wanted, named, known, page)
    media = request.accept_mimetypes.best_match([_HTML, LINKSET, DATA, _JSON], _HTML)
    if media in (LINKSET, _JSON):
        return _linkset(named, _levels(named, known), media)
    if media == DATA:
        return _data(named, _levels(named, known)[0])
    return page()


def _levels(named: Named, known: list[list[Name]]) -> list[Level]:
    """What is offered at each level; a page is shown without asking for it."""
    settings: Settings = current_app.extensions["nongso.settings"]
    return levels_of(records(), settings.label_url, named, known, _events_address(settings))


def _kind(
    kind: str, named: Named, known: list[list[Name]], page: Callable[[], Response]
) -> Response:
    levels = _levels(named, known)
    chain = levels[: len(known[0])]  # those under the name by which was asked
    found = choose(chain, kind, list(request.accept_languages), list(request.accept_mimetypes))
    if not found:
        title = _("Chưa có đường dẫn loại này")
        text = _("Sản phẩm này chưa có đường dẫn loại %(kind)s.", kind=kind[:40])
        return refuse(404, "no_such_link", title, text, page=levels[0].address)
    if len(found) > 1:
        return _several(levels[0], found)
    (offer,) = found
    if offer.address == levels[0].address:
        here = _data(named, levels[0]) if offer.media == DATA else page()
        here.vary.update(("Accept", "Accept-Language"))  # by them it was chosen
        return here
    return _redirect(offer)


def _redirect(offer: Offer) -> Response:
    made = Response("", 307, content_type="text/plain; charset=utf-8")
    asked = request.query_string.decode("latin-1") if offer.forwards else ""
    made.headers["Location"] = with_query(offer.address, asked)
    made.headers["Vary"] = "Accept, Accept-Language"
    return made


def with_query(address: str, query: str) -> str:
    """The address with what was asked behind its own question mark, before its fragment."""
    asked = quote(query, safe="!$&'()*+,;=:@/?%-._~")
    if not asked:
        return address
    bare, mark, fragment = address.partition("#")
    joint = "&" if urlsplit(bare).query else "" if bare.endswith("?") else "?"
    return bare + joint + asked + mark + fragment


def _several(level: Level, found: list[Offer]) -> Response:
    if wants_page():
        page = render_template("traceability/choose.html", offers=found, level=level)
        made = make_response(page, 300)
    else:
        made = _json(some_of(level, found), LINKSET)
        made.status_code = 300
    made.headers["Vary"] = "Accept, Accept-Language"
    return made


def _linkset(named: Named, levels: list[Level], media: str) -> Response:
    made = _kept(_json(linkset_of(levels), media), named)
    _add_links(made, f'<{CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"; type="{DATA}"')
    return made


def _data(named: Named, level: Level) -> Response:
    session = epcis.session_now()
    events = None if named.lot is None else events_of(session, named.lot)
    return _kept(_json(product_data(named, level, events), DATA), named)


def _kept(made: Response, named: Named) -> Response:
    """Let caches keep what is about a lot; what is about one pack is not kept."""
    made.headers["Vary"] = "Accept"
    if named.serial:
        made.headers["Cache-Control"] = "no-store"
        return made
    return for_caches(made, KEPT_SECONDS)


def for_caches(made: Response, seconds: int) -> Response:
    """Let any cache keep what everybody gets alike, and ask again by its ETag."""
    same_for_everybody()
    made.headers["Cache-Control"] = f"public, max-age={seconds}"
    made.add_etag()
    made.make_conditional(request)
    return made


def _json(body: dict[str, Any], media: str) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type=media)


def _add_links(made: Response, *links: str) -> None:
    there = made.headers.get("Link")
    made.headers["Link"] = ", ".join(filter(None, (there, *links)))


def wants_page() -> bool:
    """Say whether a browser asks, and no program."""
    media = [_HTML, _JSON, LINKSET, DATA]
    return request.accept_mimetypes.best_match(media, _HTML) == _HTML


def uncompressed(link: Link, made: Response) -> Response:
    """Name the uncompressed address of what was asked by a compressed one."""
    _add_links(made, f'<{link.address}>; rel="owl:sameAs"')
    return made


def refuse(status: int, code: str, title: str, text: str, **more: Any) -> Response:
    """A refusal as page, or as problem details for a program; never 200."""
    if wants_page():
        shown = render_template("traceability/link_trouble.html", title=title, text=text, **more)
        made = make_response(shown, status)
    else:
        made = problem(status, code, f"{title}. {text}")
    made.headers["Cache-Control"] = "no-store"
    made.headers["Vary"] = "Accept, Cookie"
    return made


def malformed(error: LinkError) -> Response:
    """400 for an address that is no GS1 Digital Link, naming the part that is wrong."""
    title = _("Mã này viết không đúng")
    return refuse(400, error.code, title, sentences.wrong_part(error))


def unknown() -> Response:
    """404 for a well-formed address of something that was never recorded here."""
    title = _("Chưa tìm thấy")
    text = _("Mã này viết đúng nhưng không có sản phẩm nào ở đây mang mã này.")
    return refuse(404, "not_ours", title, text)


def open_to_all(made: Response) -> None:
    """Let pages of other origins read an answer, and ask beforehand whether they may."""
    for name, value in OPEN.items():
        made.headers[name] = value
    if request.method == "OPTIONS":
        made.headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
        made.headers["Access-Control-Allow-Headers"] = "Accept, Accept-Language"
        made.headers["Access-Control-Max-Age"] = "86400"


def _events_address(settings: Settings) -> str | None:
    if "epcis.events_home" not in current_app.view_functions:
        return None
    return f"{settings.label_url.rstrip('/')}/epcis/events"
