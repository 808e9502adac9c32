"""A linkset (RFC 9264) in the shape that GS1's schema asks for."""

from collections.abc import Iterable
from typing import Any

from nongso.platform.traceability.resolver.link_types import DEFAULT, VOCABULARY
from nongso.platform.traceability.resolver.offers import Level, Offer

LINKSET = "application/linkset+json"
# An address with a fragment (owl:sameAs) is no link type in GS1's schema; this one says the same.
SAME_AS = "https://schema.org/sameAs"


def _link(offer: Offer) -> dict[str, Any]:
    link: dict[str, Any] = {
        "href": offer.address,
        "title": offer.title,
        "type": offer.media,
    }
    if offer.languages:
        link["hreflang"] = list(offer.languages)
    if not offer.forwards:
        link["fwqs"] = False
    return link


def linkset_of(levels: Iterable[Level]) -> dict[str, Any]:
    """All levels as contexts: each with exactly one default link, which has a kind as well."""
    return {"linkset": [_context(level) for level in levels]}


def _context(level: Level) -> dict[str, Any]:
    context: dict[str, Any] = {
        "anchor": level.address,
        "itemDescription": level.described,
        VOCABULARY + DEFAULT: [{"href": level.default.address, "title": level.default.title}],
    }
    for offer in level.offers:
        context.setdefault(VOCABULARY + offer.kind, []).append(_link(offer))
    if level.same_as:
        context[SAME_AS] = [
            {"href": address, "title": level.described} for address in level.same_as
        ]
    return context


def some_of(level: Level, offers: Iterable[Offer]) -> dict[str, Any]:
    """A linkset of the few links among which an asker must choose."""
    context: dict[str, Any] = {"anchor": level.address, "itemDescription": level.described}
    for offer in offers:
        context.setdefault(VOCABULARY + offer.kind, []).append(_link(offer))
    return {"linkset": [context]}
