"""What single values of an EPCIS document must look like, each refusal with its field and reason.

A check takes a value, the place where it stands, and a list to which it tells what is wrong.
What JSON Schema only notes as a format (URI, date-time) is asserted here: two thirds of the
wrong documents that are known would pass otherwise.

``beyond`` marks what the published schema lets pass and the text of the standard does not.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nongso.platform.traceability.epcis.namespaces import expand
from nongso.platform.traceability.epcis.vocabulary import STANDARD_PREFIXES, words

LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Refusal:
    """One thing that is wrong, and where."""

    field: str
    reason: str
    beyond: bool = False

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


Told = list[Refusal]
Check = Callable[[Any, str, Told], None]


def shown(value: Any) -> str:
    """Write a value as a sentence may name it: short, and never a whole document."""
    text = repr(value) if isinstance(value, str | int | float | bool) else type(value).__name__
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…'"


# RFC 3986, section 3 and appendix A; a URI has a scheme.
_CHAR = r"[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2}"
_IPV6 = r"\[(?:[0-9A-Fa-f:.]{2,45}|v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]"
_URI = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.\-]*:"
    rf"(?://(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{{2}})*@)?"
    rf"(?:{_IPV6}|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{{2}})*)(?::[0-9]*)?"
    rf"(?:/(?:{_CHAR})*)*"
    rf"|(?!//)(?:{_CHAR}|/)*)"
    rf"(?:\?(?:{_CHAR}|[/?])*)?(?:#(?:{_CHAR}|[/?])*)?"
)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_OFFSET = re.compile(r"[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_uri(text: str) -> bool:
    """Say whether a text is a URI: with a scheme, nothing that must be escaped standing bare."""
    if not text.isascii() or _URI.fullmatch(text) is None:
        return False
    return "[" not in text or _has_good_address(text)


def _has_good_address(text: str) -> bool:
    inside = text[text.index("[") + 1 : text.index("]")]
    if inside[:1] in "vV":
        return True
    try:
        ipaddress.IPv6Address(inside)
    except ValueError:
        return False
    return True


def is_time(text: str) -> bool:
    """Say whether a text is a date-time of RFC 3339, leap second included."""
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second <= 60):
        return False
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS[month - 1] + leap:
        return False
    ahead = 0
    if found[7]:
        hours, minutes = int(found[8]), int(found[9])
        if hours > 23 or minutes > 59:
            return False
        ahead = (hours * 60 + minutes) * (1 if found[7] == "+" else -1)
    # A leap second comes at the end of a day of UTC, and at no other moment.
    return second < 60 or (hour * 60 + minute - ahead) % 1440 == 1439


def can_be_written(text: str) -> bool:
    """Say whether a database can keep a text: no zero byte, no half of a surrogate pair."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def uri(value: Any, at: str, told: Told) -> None:
    """A URI, or a short name with a prefix, which reads like one."""
    if not isinstance(value, str) or not is_uri(value):
        told.append(Refusal(at, f"{shown(value)} is no URI"))


def time(value: Any, at: str, told: Told) -> None:
    """A moment with its zone."""
    if not isinstance(value, str) or not is_time(value):
        told.append(Refusal(at, f"{shown(value)} is no date-time with a time zone (RFC 3339)"))


def text(value: Any, at: str, told: Told) -> None:
    """Any text."""
    if not isinstance(value, str):
        told.append(Refusal(at, f"{shown(value)} is no text"))


def number(value: Any, at: str, told: Told) -> None:
    """A number; ``true`` is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        told.append(Refusal(at, f"{shown(value)} is no number"))
    elif isinstance(value, float) and not math.isfinite(value):
        told.append(Refusal(at, "the number is larger than can be kept", beyond=True))


def truth(value: Any, at: str, told: Told) -> None:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        told.append(Refusal(at, f"{shown(value)} is neither true nor false"))


def like(pattern: str, what: str) -> Check:
    """Return a check for a text of a certain form."""
    form = re.compile(pattern, re.ASCII)

    def check(value: Any, at: str, told: Told) -> None:
        if not isinstance(value, str) or form.fullmatch(value) is None:
            told.append(Refusal(at, f"{shown(value)} is no {what}"))

    return check


def offset(value: Any, at: str, told: Told) -> None:
    """The offset of a time zone."""
    if not isinstance(value, str) or _OFFSET.fullmatch(value) is None:
        told.append(Refusal(at, f"{shown(value)} is no offset of a time zone like +07:00"))


def one_of(*allowed: str) -> Check:
    """Return a check for one of a few words."""

    def check(value: Any, at: str, told: Told) -> None:
        if not isinstance(value, str) or value not in allowed:
            told.append(Refusal(at, f"{shown(value)} is none of {', '.join(allowed)}"))

    return check


_OLD_WORDS = re.compile(r"urn:epcglobal:cbv|https?://ns\.gs1\.org/cbv/")
_WEB_VOCABULARY = re.compile(r"https?://(?:www\.)?gs1\.org/voc/")


def word(name: str, what: str) -> Check:
    """Return a check for a bare word of the standard, or anybody's own as a URI.

    The older forms of standard words are refused in JSON, and a URI that claims to be a word of
    the standard must be one.
    """
    refused = _WEB_VOCABULARY if name in ("measurements", "alerts") else _OLD_WORDS

    def check(value: Any, at: str, told: Told) -> None:
        known = words(name)
        if isinstance(value, str) and value in known.words:
            return
        if not isinstance(value, str) or not is_uri(value):
            told.append(Refusal(at, f"{shown(value)} is neither a standard {what} nor a URI"))
        elif refused.match(value):
            told.append(Refusal(at, f"{shown(value)}: write a standard {what} as the bare word"))
        elif known.is_misused(expand(value, STANDARD_PREFIXES)):
            reason = f"{shown(value)} claims to be a standard {what} and is none"
            told.append(Refusal(at, reason, beyond=True))

    return check


def each(check: Check, least: int = 0, unique: bool = False) -> Check:
    """Return a check for a list."""

    def check_all(value: Any, at: str, told: Told) -> None:
        if not isinstance(value, list):
            told.append(Refusal(at, f"{shown(value)} is no list"))
            return
        if len(value) < least:
            told.append(Refusal(at, "the list is empty"))
        for i, one in enumerate(value):
            check(one, f"{at}[{i}]", told)
        if unique and _has_twins(value):
            told.append(Refusal(at, "something stands in the list twice"))

    return check_all


def _has_twins(value: list[Any]) -> bool:
    try:
        return len(set(value)) < len(value)
    except TypeError:  # objects; there are few of them
        return any(one in value[:i] for i, one in enumerate(value))


def either(*checks: Check) -> Check:
    """Return a check content with any one of these; else the one that got furthest tells."""

    def check(value: Any, at: str, told: Told) -> None:
        furthest: Told = []
        for one in checks:
            own: Told = []
            one(value, at, own)
            if not any(not refusal.beyond for refusal in own):
                told += own
                return
            if not furthest or len(own[0].field) > len(furthest[0].field):
                furthest = own
        told += furthest

    return check


def anything(value: Any, at: str, told: Told) -> None:
    """Whatever there is."""


def thing(
    fields: Mapping[str, Check],
    needed: tuple[str, ...] = (),
    own_names: str = "uri",
) -> Check:
    """Return a check for an object with these fields.

    ``own_names`` says what else may stand in it: ``uri`` names with a namespace, ``none``
    nothing, ``any`` whatever somebody likes.
    """

    def check(value: Any, at: str, told: Told) -> None:
        if not isinstance(value, dict):
            told.append(Refusal(at, f"{shown(value)} is no object"))
            return
        for name in needed:
            if name not in value:
                told.append(Refusal(_in(at, name), "is missing"))
        for name, inner in value.items():
            if name in fields:
                fields[name](inner, _in(at, name), told)
            elif own_names != "any" and (own_names == "none" or not is_uri(name)):
                told.append(Refusal(_in(at, name), _foreign(name, own_names)))

    return check


def _in(at: str, name: str) -> str:
    short = name if len(name) <= LONGEST_SHOWN else name[:LONGEST_SHOWN] + "…"
    return f"{at}.{short}" if at else short


def _foreign(name: str, own_names: str) -> str:
    if own_names == "none":
        return "no such field may stand here"
    return "is no field of the standard; a field of one's own needs a namespace, like my:field"
