"""The one address of a thing, from any of its names: what the CBV event hash compares.

An EPC URN (``urn:epc:id:…``, class or pattern) and a Digital Link of any host become the Digital
Link at GS1's host with the finest identification only: a serial makes lot and variant superfluous,
attributes go. Addresses with words (``/gtin/``) and short GTINs are understood here, because old
events have them. ``None`` means that the text is neither.
"""

import re
from collections.abc import Callable

from nongso.platform.traceability.digital_link.digits import are_digits, check_digit
from nongso.platform.traceability.digital_link.errors import LinkError
from nongso.platform.traceability.digital_link.escaping import escape_path, unescape_path
from nongso.platform.traceability.digital_link.link import CANONICAL_STEM, parse
from nongso.platform.traceability.digital_link.values import Element, check

Names = tuple[Element, ...]


def normal(text: str) -> str | None:
    """The canonical address of what an EPC URN or Digital Link names, else ``None``."""
    found = _of_urn(text) if text.startswith("urn:epc:") else _of_link(text)
    if found is None:
        return None
    return CANONICAL_STEM + "".join(f"/{one.ai}/{_written(one.value)}" for one in found)


def _written(value: str) -> str:
    # EPC URNs have ' ; = bare, and the reference hashes leave them so.
    return re.sub("%27|%3B|%3D", lambda found: unescape_path(found[0]), escape_path(value))


def _of_link(text: str) -> Names | None:
    """The key and its finest qualifier; check digits are not asked for, old events have others."""
    try:
        link = parse(text.removesuffix("/"), short_gtin=True, words=True, rules=False)
    except LinkError:
        return None
    finer = [one for one in link.qualifiers if one.ai != "22"]  # a variant identifies nothing
    return (link.key, *finer[-1:])


def _of_urn(text: str) -> Names | None:
    """What an EPC URN names; a pattern that ends in ``*`` names the class."""
    match = re.fullmatch(r"urn:epc:(id|class|idpat):([a-z]+):(.+)", text, re.DOTALL)
    maker = None if match is None else _MAKERS.get(match[2])
    if match is None or maker is None or (match[2] == "lgtin") != (match[1] == "class"):
        return None
    make, count = maker
    fields = match[3].split(".", count - 1)
    if len(fields) != count or (match[1] == "idpat") != (fields[-1] == "*"):
        return None
    if match[1] == "idpat":
        fields[-1] = ""
    elif not fields[-1] and match[2] not in ("sscc", "pgln"):
        return None
    try:
        made = make(*(unescape_path(field) for field in fields))
        return tuple(check(ai, value, rules=False) for ai, value in made if value)
    except (ValueError, LinkError):
        return None


def _number(company: str, reference: str, length: int) -> str:
    """Company prefix and reference as digits of that length together, and the check digit."""
    digits = company + reference
    if not are_digits(digits) or not 6 <= len(company) <= 12 or len(digits) != length:
        raise ValueError(digits)
    return digits + str(check_digit(digits))


def _moved(company: str, reference: str, length: int) -> str:
    """The same with the reference's first digit in front, as in GTIN and SSCC."""
    if not are_digits(company) or not 6 <= len(company) <= 12:
        raise ValueError(company)
    digits = reference[:1] + company + reference[1:]
    if not are_digits(digits) or len(digits) != length:
        raise ValueError(digits)
    return digits + str(check_digit(digits))


def _named(company: str, reference: str) -> str:
    if not are_digits(company) or not 6 <= len(company) <= 12:
        raise ValueError(company)
    return company + reference


Pairs = tuple[tuple[str, str], ...]

# For each kind: how its fields become identifiers, and how many fields it has.
_MAKERS: dict[str, tuple[Callable[..., Pairs], int]] = {
    "sgtin": (lambda c, i, s: (("01", _moved(c, i, 13)), ("21", s)), 3),
    "lgtin": (lambda c, i, lot: (("01", _moved(c, i, 13)), ("10", lot)), 3),
    "upui": (lambda c, i, s: (("01", _moved(c, i, 13)), ("235", s)), 3),
    "itip": (lambda c, i, p, t, s: (("8006", _moved(c, i, 13) + p + t), ("21", s)), 5),
    "sscc": (lambda c, r: (("00", _moved(c, r, 17)),), 2),
    "sgln": (lambda c, r, e: (("414", _number(c, r, 12)), ("254", "" if e == "0" else e)), 3),
    "pgln": (lambda c, r: (("417", _number(c, r, 12)),), 2),
    "grai": (lambda c, r, s: (("8003", "0" + _number(c, r, 12) + s),), 3),
    "giai": (lambda c, r: (("8004", _named(c, r)),), 2),
    "gsrn": (lambda c, r: (("8018", _number(c, r, 17)),), 2),
    "gsrnp": (lambda c, r: (("8017", _number(c, r, 17)),), 2),
    "gdti": (lambda c, r, s: (("253", _number(c, r, 12) + s),), 3),
    "sgcn": (lambda c, r, s: (("255", _number(c, r, 12) + s),), 3),
    "cpi": (lambda c, r, s: (("8010", _named(c, r)), ("8011", s)), 3),
    "ginc": (lambda c, r: (("401", _named(c, r)),), 2),
    "gsin": (lambda c, r: (("402", _number(c, r, 16)),), 2),
}
