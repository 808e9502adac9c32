"""Whether a laboratory found more than is allowed, as both stand on its paper.

Papers write numbers with their unit behind them or not, as powers of ten, with "at most" before
them and an uncertainty behind. What is no number, or has another unit, is not compared: then
the clerk's word stands alone. A number that can be read in two ways is above if it may be.
"""

import re
import unicodedata
from decimal import Decimal

from nongso.platform import typed_numbers

LONGEST = 100  # letters
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED = re.compile(r"([0-9])([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_AT_MOST = re.compile(r"(?:≤|<=?|=|tối đa|không quá|không lớn hơn|max\.?)\s*")
_WRITTEN = re.compile(
    r"(?P<number>[0-9](?:[0-9., ]*[0-9])?)\s*"
    r"(?:(?:[x×*·]\s*10\s*\^\s*|e)(?P<power>[+-]?[0-9]{1,2})(?![0-9]))?\s*"
    r"(?:(?:±|\+/-)\s*[0-9][0-9., ]*)?(?P<unit>.*)"
)
_RANGE = ("-", "–", "÷", "~", "đến")  # between two numbers
_PLAIN = re.compile(r"(?P<whole>[0-9]+)(?:[.,](?P<rest>[0-9]+))?")


def is_above(value: str, limit: str) -> bool:
    """Say whether what was found is, or may be, more than what is allowed."""
    found, allowed = _measured(value), _measured(limit)
    if found is None or allowed is None:
        return False
    (small, large, unit), (least, most, of) = found, allowed
    if unit and of and unit != of:
        return False
    if small != large and least != most:  # written in one way on one paper
        return large > most
    return large > least


def _measured(text: str) -> tuple[Decimal, Decimal, str] | None:
    """The least and the greatest that the text may mean, and its unit."""
    told = _RAISED.sub(lambda m: f"{m[1]}^{m[2].translate(_POWERS)}", text[:LONGEST])
    told = unicodedata.normalize("NFKC", told).strip().casefold()
    written = _WRITTEN.fullmatch(_AT_MOST.sub("", told, count=1))
    if written is None or written["unit"].startswith(_RANGE):
        return None
    readings = _readings(written["number"])
    if readings is None:
        return None
    power = Decimal(10) ** int(written["power"] or 0)
    return readings[0] * power, readings[1] * power, "".join(written["unit"].split())


def _readings(number: str) -> tuple[Decimal, Decimal] | None:
    try:
        one = typed_numbers.read(number)
        return one, one
    except typed_numbers.TwoWays as two:
        return two.small, two.large
    except typed_numbers.Unreadable:  # more decimals or digits than anybody weighs
        plain = _PLAIN.fullmatch(number)
        if plain is None:
            return None
        one = Decimal(f"{plain['whole']}.{plain['rest'] or 0}")
        return one, one
