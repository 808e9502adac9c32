"""GS1 Digital Link addresses: read, written, brought to the one canonical form (syntax 1.6.0).

An address is ``scheme://host[:port][/stem]/KEY/VALUE[/QUALIFIER/VALUE …][?AI=VALUE&…][#…]``. How
reading works: the path is searched from its end, two segments at a time, for the last key; what
stands before it is the stem, what follows must be qualifiers of the key in their order. Names in
the query that are not all digits (``linkType``, ``utm_…``) are none of GS1's and are kept aside.

Nothing here asks who owns a number or whether anything was made under it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nongso.platform.traceability.digital_link.catalogue import catalogue, is_key, known, sequences
from nongso.platform.traceability.digital_link.digits import are_digits, whole_gtin
from nongso.platform.traceability.digital_link.errors import (
    NoKey,
    NotAnAddress,
    NotInQuery,
    Repeated,
    UnknownIdentifier,
    WordForm,
    WrongOrder,
)
from nongso.platform.traceability.digital_link.escaping import (
    escape_path,
    escape_query,
    unescape_path,
    unescape_query,
)
from nongso.platform.traceability.digital_link.values import Element, check

CANONICAL_STEM = "https://id.gs1.org"
MOST_LETTERS = 8000
_BARE = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

# Words of the standard before 1.3; read only where somebody says so.
WORDS = {
    "gtin": "01",
    "itip": "8006",
    "cpid": "8010",
    "gmn": "8013",
    "gln": "414",
    "party": "417",
    "gsrnp": "8017",
    "gsrn": "8018",
    "gcn": "255",
    "sscc": "00",
    "gdti": "253",
    "ginc": "401",
    "gsin": "402",
    "grai": "8003",
    "giai": "8004",
    "cpv": "22",
    "lot": "10",
    "ser": "21",
    "cpsn": "8011",
    "glnx": "254",
    "refno": "8020",
    "srin": "8019",
}


@dataclass(frozen=True)
class Link:
    """An address taken apart. ``others`` are names and values in the query that are not GS1's."""

    stem: str
    key: Element
    qualifiers: tuple[Element, ...] = ()
    attributes: tuple[Element, ...] = ()
    others: tuple[tuple[str, str], ...] = ()

    @property
    def elements(self) -> tuple[Element, ...]:
        """All identifiers with their values, the key first."""
        return (self.key, *self.qualifiers, *self.attributes)

    def value(self, ai: str) -> str | None:
        """The value of an identifier, ``None`` where the address has none."""
        return next((one.value for one in self.elements if one.ai == ai), None)

    @property
    def path(self) -> str:
        """Key and qualifiers as they stand in the path."""
        return "".join(
            f"/{one.ai}/{escape_path(one.value)}" for one in (self.key, *self.qualifiers)
        )

    @property
    def address(self) -> str:
        """The address, without what is not GS1's."""
        query = "&".join(f"{one.ai}={escape_query(one.value)}" for one in self.attributes)
        return f"{self.stem}{self.path}" + (f"?{query}" if query else "")

    @property
    def canonical(self) -> str:
        """The same at GS1's own host: the form in which two addresses can be compared."""
        return replace(self, stem=CANONICAL_STEM).address

    def levels(self) -> tuple["Link", ...]:
        """This address and the ones above it, down to the key alone; attributes left out."""
        return tuple(
            Link(self.stem, self.key, self.qualifiers[:count])
            for count in range(len(self.qualifiers), -1, -1)
        )


def parse(text: str, *, short_gtin: bool = False, words: bool = False, rules: bool = True) -> Link:
    """Take an address apart. Raises a ``LinkError`` that names the part that is wrong.

    ``short_gtin`` also takes GTINs written with 8, 12 or 13 digits, ``words`` also ``/gtin/`` and
    its like; both were once allowed. Without ``rules`` only letters and lengths are looked at.
    """
    stem, path, query = _split(text)
    at, pairs = _pairs(path, words)
    if at is None:
        _refuse_path(path, words)
    found = [_element(ai, unescape_path(raw), short_gtin, rules) for ai, raw in pairs]
    key, *qualifiers = found
    order = tuple(one.ai for one in qualifiers)
    if (key.ai, *order) not in sequences(key.ai):
        raise WrongOrder(key.ai, order)
    attributes, others = _query(query, short_gtin, rules)
    for one in attributes:
        if one.ai == key.ai or one.ai in order:
            raise Repeated(one.ai)
    _check_query(key.ai, attributes)
    stem += "/".join(path.split("/")[:at])
    return Link(stem, key, tuple(qualifiers), tuple(attributes), tuple(others))


def _split(text: str) -> tuple[str, str, str]:
    """Scheme with host, path, query. Raises ``NotAnAddress``."""
    if len(text) > MOST_LETTERS:
        raise NotAnAddress("length", f"{len(text)}")
    whole = _BARE.match(text)
    if whole is None or whole.end() < len(text):
        raise NotAnAddress("letter", text[whole.end() if whole else 0])
    scheme = re.match("https?://|HTTPS?://", text)
    if scheme is None:
        raise NotAnAddress("scheme", text[:10])
    rest = text[scheme.end() :].partition("#")[0]
    place, _, query = rest.partition("?")
    host, slash, path = place.partition("/")
    if _HOST.fullmatch(host) is None:
        raise NotAnAddress("host", host[:100])
    return scheme[0] + host, slash + path, query


def _pairs(path: str, words: bool) -> tuple[int | None, list[tuple[str, str]]]:
    """Where the last key stands among the segments, and what comes from there, two by two."""
    segments = path.split("/")
    names = [WORDS.get(one, one) if words else one for one in segments]
    for at in range(len(segments) - 2, 0, -2):
        if is_key(names[at]):
            return at, list(zip(names[at::2], segments[at + 1 :: 2], strict=True))
        if not _could_be(names[at]):
            break
    return None, []


def _could_be(name: str) -> bool:
    """Say whether a segment may stand where a qualifier stands."""
    return name in catalogue()


def _refuse_path(path: str, words: bool) -> None:
    segments = path.split("/")
    for name, value in zip(segments[-2::-2], segments[-1::-2], strict=False):
        if not words and name in WORDS and value:
            raise WordForm(name, WORDS[name])
        if are_digits(name) and 2 <= len(name) <= 4 and name not in catalogue() and value:
            raise UnknownIdentifier(name)
    raise NoKey(path[:200])


def _element(ai: str, value: str, short_gtin: bool, rules: bool) -> Element:
    whole = whole_gtin(value) if short_gtin and ai in ("01", "02") else value
    return check(ai, whole, rules=rules)


def _query(
    query: str, short_gtin: bool, rules: bool
) -> tuple[list[Element], list[tuple[str, str]]]:
    attributes: list[Element] = []
    others: list[tuple[str, str]] = []
    for pair in filter(None, query.split("&")):
        name, sign, raw = pair.partition("=")
        if not are_digits(name):
            others.append((unescape_query(name), unescape_query(raw)))
            continue
        if not sign:
            continue
        known(name)
        if any(one.ai == name for one in attributes):
            raise Repeated(name)
        attributes.append(_element(name, unescape_query(raw), short_gtin, rules))
    return attributes, others


def _check_query(key: str, attributes: Iterable[Element]) -> None:
    for one in attributes:
        if not known(one.ai).in_query or one.ai in known(key).qualifiers:
            raise NotInQuery(one.ai, key)


def compose(elements: Sequence[Element], stem: str = CANONICAL_STEM) -> Link:
    """Make a link of identifiers in any order: the first that can be a key is the key.

    The same identifier twice with the same value counts once. Raises ``NoKey``, ``Repeated``,
    ``NotInQuery`` and what ``check`` raises.
    """
    once: dict[str, Element] = {}
    for one in elements:
        if once.setdefault(one.ai, check(one.ai, one.value)) != one:
            raise Repeated(one.ai)
    key = next((one for one in once.values() if is_key(one.ai)), None)
    if key is None:
        raise NoKey("".join(f"({one.ai}){one.value}" for one in elements)[:200])
    orders = known(key.ai).orders or ()
    order = max(orders, key=lambda names: sum(name in once for name in names), default=())
    qualifiers = tuple(once[name] for name in order if name in once)
    # As in a bar code: what has a fixed length first, else as given.
    attributes = sorted(
        (one for one in once.values() if one != key and one not in qualifiers),
        key=lambda one: known(one.ai).ends_open,
    )
    _check_query(key.ai, attributes)
    base = stem.rstrip("/")
    _split(base)
    return Link(base, key, qualifiers, tuple(attributes))


def build(elements: Sequence[Element], stem: str = CANONICAL_STEM) -> str:
    """Write the address of these identifiers. Raises as ``compose`` does."""
    return compose(elements, stem).address
