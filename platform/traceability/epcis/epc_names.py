"""Identifiers of GS1 in their one form: the EPC URNs of old, and Digital Links of any host.

``urn:epc:id:sgtin:4012345.011111.9876`` and ``https://shop.example/01/04012345111118/21/9876``
name the same pack. ``canonical`` writes both as ``https://id.gs1.org/01/04012345111118/21/9876``,
the way CBV 2.0 (section 8.9) wants it for the event hash: the finest level only, nothing of the
query, no consumer product variant. ``None`` means: no identifier of GS1, compare it as it is.

Check digits of a Digital Link are not looked at here, and neither does the other way exist: a
Digital Link does not say where the company's prefix ends, which a URN must know. Parsing and
refusing what somebody prints is the Digital Link room's work.
"""

import re
from collections.abc import Callable

from nongso.platform.traceability.identifiers import check_digit

CANONICAL = "https://id.gs1.org/"

# What an EPC URI may have in a serial: GS1's 82 characters, some only as %XX.
_SERIAL = r"(?:%2[125-9A-Fa-f]|%3[0-9A-Fa-f]|%4[1-9A-Fa-f]|%5[0-9AaFf]|%6[1-9A-Fa-f]|%7[0-9Aa]|[!'()*+,.0-9:;=A-Za-z_-])"
_PART = r"(?:%2[3dfDF]|%3[0-9]|%4[1-9A-Fa-f]|%5[0-9Aa]|[0-9A-Z-])"

_ENCODED = str.maketrans({c: f"%{ord(c):02X}" for c in "!()*+,:"})


def _gtin(company: str, item: str) -> str:
    raw = item[:1] + company + item[1:]
    return f"{raw}{check_digit(raw)}"


def _checked(digits: str) -> str:
    return f"{digits}{check_digit(digits)}"


def _place(company: str, place: str, extension: str) -> str:
    key = "414/" + _checked(company + place)
    return key if extension == "0" else f"{key}/254/{extension}"


def _sscc(company: str, serial: str) -> str:
    return "00/" + _checked(serial[:1] + company + serial[1:])


# How many digits company and reference have together, what follows, and the Digital Link of it.
_Rule = tuple[int, str, Callable[..., str]]
_ANY = 0  # the reference is no number of fixed length
_URNS: dict[str, _Rule] = {
    "id:sgtin": (13, rf"\.({_SERIAL}{{1,20}})", lambda c, r, s: f"01/{_gtin(c, r)}/21/{s}"),
    "id:sscc": (17, "", _sscc),
    "id:sgln": (12, rf"\.({_SERIAL}{{1,20}})", _place),
    "id:grai": (
        12,
        rf"\.({_SERIAL}{{1,16}})",
        lambda c, r, s: f"8003/0{_checked(c + r)}{s}",
    ),
    "id:giai": (_ANY, "", lambda c, r: f"8004/{c}{r}"),
    "id:gsrn": (17, "", lambda c, r: f"8018/{_checked(c + r)}"),
    "id:gsrnp": (17, "", lambda c, r: f"8017/{_checked(c + r)}"),
    "id:gdti": (12, rf"\.({_SERIAL}{{1,20}})", lambda c, r, s: f"253/{_checked(c + r)}{s}"),
    "id:cpi": (_ANY, r"\.([0-9]{1,12})", lambda c, r, s: f"8010/{c}{r}/8011/{s}"),
    "id:sgcn": (12, r"\.([0-9]{1,12})", lambda c, r, s: f"255/{_checked(c + r)}{s}"),
    "id:ginc": (_ANY, "", lambda c, r: f"401/{c}{r}"),
    "id:gsin": (16, "", lambda c, r: f"402/{_checked(c + r)}"),
    "id:itip": (
        13,
        rf"\.([0-9]{{2}})\.([0-9]{{2}})\.({_SERIAL}{{1,20}})",
        lambda c, r, p, t, s: f"8006/{_gtin(c, r)}{p}{t}/21/{s}",
    ),
    "id:upui": (13, rf"\.({_SERIAL}{{1,28}})", lambda c, r, s: f"01/{_gtin(c, r)}/235/{s}"),
    "id:pgln": (12, "", lambda c, r: f"417/{_checked(c + r)}"),
    "class:lgtin": (13, rf"\.({_SERIAL}{{1,20}})", lambda c, r, s: f"01/{_gtin(c, r)}/10/{s}"),
    "idpat:sgtin": (13, r"\.\*", lambda c, r: f"01/{_gtin(c, r)}"),
    "idpat:grai": (12, r"\.\*", lambda c, r: f"8003/0{_checked(c + r)}"),
    "idpat:gdti": (12, r"\.\*", lambda c, r: f"253/{_checked(c + r)}"),
    "idpat:sgcn": (12, r"\.\*", lambda c, r: f"255/{_checked(c + r)}"),
    "idpat:cpi": (_ANY, r"\.\*", lambda c, r: f"8010/{c}{r}"),
    "idpat:itip": (
        13,
        r"\.([0-9]{2})\.([0-9]{2})\.\*",
        lambda c, r, p, t: f"8006/{_gtin(c, r)}{p}{t}",
    ),
    "idpat:upui": (13, r"\.\*", lambda c, r: f"01/{_gtin(c, r)}"),
}
_MOST_ANY = {"giai": 30, "cpi": 30, "ginc": 30}


def _pattern(scheme: str, digits: int, rest: str) -> re.Pattern[str]:
    if digits:
        return re.compile(rf"([0-9]{{6,12}})\.([0-9]{{0,{digits - 6}}}){rest}")
    letters = _PART if scheme.endswith("cpi") else _SERIAL
    return re.compile(rf"([0-9]{{6,12}})\.({letters}{{1,24}}){rest}")


_PATTERNS = {scheme: _pattern(scheme, of[0], of[1]) for scheme, of in _URNS.items()}
_URN = re.compile(r"urn:epc:((?:id|class|idpat):[a-z]+):(.+)")


def _of_urn(text: str) -> str | None:
    split = _URN.fullmatch(text)
    if split is None or split[1] not in _URNS:
        return None
    digits, _rest, made = _URNS[split[1]]
    found = _PATTERNS[split[1]].fullmatch(split[2])
    if found is None:
        return None
    company, reference, *more = found.groups()
    if digits and len(company) + len(reference) != digits:
        return None
    if not digits and len(re.sub("%..", "x", company + reference)) > 30:
        return None
    return CANONICAL + made(company, reference, *more).translate(_ENCODED)


# The words that older Digital Links had for the numbers. New ones may not use them; old events do.
_NUMBERS = {
    "gtin": "01",
    "itip": "8006",
    "cpid": "8010",
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
}
_KEYS = (
    "00",
    "01",
    "253",
    "255",
    "401",
    "402",
    "414",
    "417",
    "8003",
    "8004",
    "8006",
    "8010",
    "8017",
    "8018",
)
_FREE = r"[\"'.0-9;<=>?A-Z_a-z-]"
_SHAPES = re.compile(
    "|".join(
        (
            r"00/\d{18}",
            rf"01/\d{{14}}(?:/(?:10|21)/{_FREE}{{0,20}}|/235/{_FREE}{{0,28}})?",
            rf"253/\d{{13}}{_FREE}{{0,17}}",
            r"255/\d{13}\d{0,12}",
            rf"401/{_FREE}{{0,30}}",
            r"402/\d{17}",
            rf"414/\d{{13}}(?:/254/{_FREE}{{0,20}})?",
            r"417/\d{13}",
            rf"8003/\d{{14}}{_FREE}{{0,16}}",
            rf"8004/{_FREE}{{0,30}}",
            rf"8006/\d{{18}}(?:/(?:10|21)/{_FREE}{{0,20}})?",
            r"8010/[#0-9A-Z/-]{0,30}(?:/8011/\d{0,12})?",
            r"801[78]/\d{18}",
        )
    ),
    re.ASCII,
)
_GTIN_LENGTHS = (8, 12, 13)


def _of_link(text: str) -> str | None:
    path = text.split("?", 1)[0].split("/")
    path = path[:3] + [_NUMBERS.get(part, part) for part in path[3:]]
    for key in _KEYS:
        if key in path[3:-1]:
            found = path[path.index(key, 3) :]
            break
    else:
        return None
    if len(found) < 2 or not re.match(r"\d{4}[^/]", found[1], re.ASCII):
        return None
    if key == "01" and found[1].isdigit() and len(found[1]) in _GTIN_LENGTHS:
        found[1] = found[1].zfill(14)
    if key in ("01", "8006"):
        pairs = list(zip(found[2::2], found[3::2], strict=False))
        qualifiers = dict(pairs)
        if len(qualifiers) * 2 != len(found) - 2:
            return None
        qualifiers.pop("22", None)
        if "21" in qualifiers:
            qualifiers.pop("10", None)
        found = [*found[:2], *(part for pair in qualifiers.items() for part in pair)]
    canonical = "/".join(found)
    return CANONICAL + canonical if _SHAPES.fullmatch(canonical) else None


def canonical(text: str) -> str | None:
    """Write an identifier of GS1 in its one form, or return ``None`` where it is none."""
    if text.startswith("urn:epc:"):
        return _of_urn(text)
    if text.startswith(("https://", "http://")):
        return _of_link(text)
    return None


def same_form(text: str) -> str:
    """Return the form by which identifiers are compared: the canonical one, or the text itself."""
    return canonical(text) or text
