"""Links as values, and the choice among them. No database, no request.

``choose`` is the whole rule: of the links of the wanted kind at the finest level that has any,
those that fit the asker's languages and media types best. One is an answer, several are said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Wish = tuple[str, float]  # a language or media type, and how much it is wished


@dataclass(frozen=True)
class Offer:
    """One link. ``languages`` is empty where the target has none or nobody knows.

    ``forwards`` is false where the target would not understand what was asked here.
    """

    kind: str
    address: str
    title: str
    media: str = "text/html"
    languages: tuple[str, ...] = ()
    forwards: bool = True


@dataclass(frozen=True)
class Level:
    """What is offered at one level under one of its names; ``default`` is among ``offers``."""

    address: str
    described: str
    default: Offer
    offers: tuple[Offer, ...]
    same_as: tuple[str, ...] = ()


def language_fit(offer: Offer, wishes: Sequence[Wish]) -> float:
    """How well a link's languages fit: vi for vi-VN is nearly as good as the same."""
    best = 0.0
    for wish, quality in wishes:
        for tag in offer.languages:
            if tag.casefold() == wish.casefold():
                best = max(best, quality)
            elif tag.partition("-")[0].casefold() == wish.partition("-")[0].casefold():
                best = max(best, quality * 0.9)
        if wish == "*" or not offer.languages:
            best = max(best, quality * 0.01)
    return best


def media_fit(offer: Offer, wishes: Sequence[Wish]) -> float:
    """How well a link's media type fits; a wish for anything counts least."""
    best = 0.0
    for wish, quality in wishes:
        if wish == offer.media:
            best = max(best, quality)
        elif wish.endswith("/*") and offer.media.startswith(wish.removesuffix("*")):
            best = max(best, quality * 0.9)
        elif wish == "*/*":
            best = max(best, quality * 0.01)
    return best


def choose(
    levels: Iterable[Level], kind: str, languages: Sequence[Wish], media: Sequence[Wish]
) -> list[Offer]:
    """The links of a kind that fit best; none where no level has one, several if equally good."""
    for level in levels:
        found = [offer for offer in level.offers if offer.kind == kind]
        if found:
            fits = {
                offer: (language_fit(offer, languages), media_fit(offer, media)) for offer in found
            }
            best = max(fits.values())
            return [offer for offer in found if fits[offer] == best]
    return []
