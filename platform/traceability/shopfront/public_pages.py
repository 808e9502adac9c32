"""What a visitor sees after scanning the label of a place, and what a machine gets there."""

import json
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, make_response, render_template, request
from sqlalchemy import select

from nongso.platform import photos
from nongso.platform.accounts import public_without_cookies
from nongso.platform.settings import Settings
from nongso.platform.store import records
from nongso.platform.traceability import sentences
from nongso.platform.traceability.identifiers import as_typed
from nongso.platform.traceability.resolver.answers import for_caches
from nongso.platform.traceability.shopfront import showing
from nongso.platform.traceability.shopfront.records import OpenPlace
from nongso.platform.traceability.shopfront.sketch import draw
from nongso.platform.traceability.shopfront.words import SCHEMA, kind_of_place, telephone

blueprint = Blueprint("visits", __name__)

KEPT_SECONDS, PHOTO_SECONDS, PHOTO_PIXELS = 300, 86400, 320
DATA = "application/ld+json"


def _settings() -> Settings:
    settings: Settings = current_app.extensions["nongso.settings"]
    return settings


def _known(code: str) -> OpenPlace:
    found = records().scalar(select(OpenPlace).where(OpenPlace.code == as_typed(code)[:40]))
    if found is None:
        abort(404)
    return found


@blueprint.get("/v/<code>", strict_slashes=False)
@blueprint.get("/V/<code>", strict_slashes=False)
@public_without_cookies
def place(code: str) -> Response:
    """The page of a place, or its data for machines."""
    found = _known(code)
    address = f"{_settings().label_url.rstrip('/')}/v/{found.code}"
    if request.accept_mimetypes.best_match(["text/html", DATA], "text/html") == DATA:
        made = Response(json.dumps(_data(found, address), ensure_ascii=False), content_type=DATA)
    else:
        session = records()
        points = showing.near(found, showing.open_points(session, found.cooperative))
        page = render_template(
            "traceability/open_place_page.html",
            place=found,
            kind=kind_of_place(found.kind),
            photo_size=found.photo and photos.size(_photos(), found.photo, PHOTO_PIXELS),
            sketch=draw(points),
            goods=showing.goods_near(session, found),
            content=sentences.content,
            telephone=telephone,
            address=address,
        )
        made = make_response(page)
    made.headers["Vary"] = "Accept, Cookie"
    return for_caches(made, KEPT_SECONDS)


@blueprint.get("/v/<code>/photo")
@public_without_cookies
def place_photo(code: str) -> Response:
    """The picture of a place, small enough for a slow line."""
    found = _known(code)
    picture = photos.shown(_photos(), found.photo, PHOTO_PIXELS) if found.photo else None
    if picture is None:
        abort(404)
    made = Response(picture, mimetype="image/jpeg")
    return for_caches(made, PHOTO_SECONDS)  # its address has its name


def _photos() -> Path:
    return _settings().folder / "photos"


def _data(place: OpenPlace, address: str) -> dict[str, object]:
    found: dict[str, object] = {
        "@context": "https://schema.org/",
        "@type": SCHEMA[place.kind],
        "@id": address,
        "url": address,
        "name": place.name,
        "address": {
            "@type": "PostalAddress",
            "addressLocality": ", ".join(filter(None, (place.village, place.commune))),
            "addressRegion": place.province,
            "addressCountry": "VN",
        },
    }
    if place.story:
        found["description"] = place.story
    if place.contact:
        found["telephone"] = place.contact
    if place.point is not None:
        latitude, longitude = place.point
        found["geo"] = {"@type": "GeoCoordinates", "latitude": latitude, "longitude": longitude}
    if place.photo:
        found["image"] = f"{address}/photo?v={place.photo[:8]}"
    if place.closed:
        found["additionalProperty"] = {
            "@type": "PropertyValue",
            "name": "closed",
            "value": "true",
        }
    return found
