"""By which form identifiers are compared: GS1's canonical address, or the text itself.

A lot is the same lot whether a buyer writes ``urn:epc:class:lgtin:…`` or a Digital Link at its own
host; anybody's own identifier is only ever itself, but for the capitals of scheme and host and a
port that goes without saying (RFC 3986, 6.2: a QR code is smaller in capitals). The rule is the
Digital Link room's; what was asked lately is remembered, because events name the same lots and
places again and again.
"""

import functools
import re

from nongso.platform.traceability.digital_link.link import CANONICAL_STEM
from nongso.platform.traceability.digital_link.normal import normal

_REMEMBERED = 16_384
_LONGEST = 512  # longer texts are no identifier of GS1; do not spend time on them

# What most events are full of, and what the whole rule would write the same way: a Digital Link
# without a stem, with plain letters only. A test holds the two against each other.
_PLAIN = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?"
    r"(/(?:01/[0-9]{14}(?:/(?:10|21)/[A-Za-z0-9-]{1,20})?|00/[0-9]{18}"
    r"|414/[0-9]{13}(?:/254/[A-Za-z0-9-]{1,20})?|417/[0-9]{13}))"
)
# An address without one of GS1's keys followed by digits is somebody's own.
_MAYBE = re.compile(r"/[A-Za-z0-9]{2,5}/[0-9]{4}")
# Scheme and host as nearly everybody writes them, and as they stand on a code of capitals.
_USUAL = re.compile(r"https?://[a-z0-9.-]+(?:[/?#]|$)")
_ANY = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE)
_SILENT = {"http": ":80", "https": ":443"}


@functools.lru_cache(maxsize=_REMEMBERED)
def _remembered(text: str) -> str | None:
    return normal(text)


def canonical(text: str) -> str | None:
    """Return GS1's canonical address of what a URN or Digital Link names, else ``None``."""
    if len(text) > _LONGEST or not text.startswith(("urn:epc:", "http://", "https://")):
        return None
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return CANONICAL_STEM + plain[1]
    if text[0] == "h" and _MAYBE.search(text) is None:
        return None
    return _remembered(text)


def same_form(text: str) -> str:
    """Return the form by which an identifier is compared and kept in the index."""
    return _formed(text) if len(text) <= _LONGEST else with_plain_host(text)


@functools.lru_cache(maxsize=_REMEMBERED)
def _formed(text: str) -> str:
    plain = with_plain_host(text)
    return canonical(plain) or plain


def with_plain_host(text: str) -> str:
    """Return an address with scheme and host in small letters; any other text as it is."""
    if _USUAL.match(text) is not None:
        return text
    found = _ANY.match(text)
    if found is None:
        return text
    scheme, place = found[1].lower(), found[2]
    user, at, host = place.rpartition("@")
    host = host.lower().removesuffix(_SILENT[scheme]).removesuffix(".")
    return f"{scheme}://{user}{at}{host}{text[found.end() :]}"
