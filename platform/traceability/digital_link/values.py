"""Whether a value can be the value of an application identifier, part by part."""

from dataclasses import dataclass

from nongso.platform.traceability.digital_link import digits
from nongso.platform.traceability.digital_link.catalogue import Identifier, Part, known
from nongso.platform.traceability.digital_link.errors import (
    RuleBroken,
    WrongCheckDigit,
    WrongLength,
    WrongLetter,
)
from nongso.platform.traceability.digital_link.rules import RULES

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = "0123456789"
TEXT = _LETTERS + _LETTERS.lower() + _DIGITS + "!\"%&'()*+,-./:;<=>?_"
ALPHABETS = {
    "digits": frozenset(_DIGITS),
    "text": frozenset(TEXT),
    "parts": frozenset(_LETTERS + _DIGITS + "#-/"),
    "base64url": frozenset(_LETTERS + _LETTERS.lower() + _DIGITS + "-_="),
}
_SAID = {
    "digits": "the digits 0-9",
    "text": "A-Z a-z 0-9 and !\"%&'()*+,-./:;<=>?_",
    "parts": "A-Z 0-9 # - /",
    "base64url": "A-Z a-z 0-9 - _ =",
}
_SHOWN = 100  # letters of a wrong value that are repeated in an error


@dataclass(frozen=True)
class Element:
    """An application identifier with its value."""

    ai: str
    value: str


def check(ai: str, value: str, *, rules: bool = True) -> Element:
    """Return the element if the value can be. Raises ``UnknownIdentifier``, ``ValueRefused``.

    Without ``rules`` only letters and lengths are looked at.
    """
    identifier = known(ai)
    if not value:
        raise WrongLength(ai, value, "it is empty")
    if len(value) > identifier.longest:
        raise WrongLength(
            ai, value[:_SHOWN], f"it has {len(value)} letters, at most {identifier.longest} fit"
        )
    rest = value
    for part in identifier.parts:
        if not rest and part.optional:
            break
        piece, rest = rest[: part.most], rest[part.most :]
        _check_part(identifier, value, part, piece, part.rules if rules else ())
    return Element(ai, value)


def _check_part(
    identifier: Identifier, value: str, part: Part, piece: str, rules: tuple[str, ...]
) -> None:
    ai = identifier.ai
    for letter in piece:
        if letter not in ALPHABETS[part.letters]:
            raise WrongLetter(ai, value, letter, _SAID[part.letters])
    if len(piece) < part.least:
        many = f"{part.least}" if part.least == part.most else f"{part.least} to {part.most}"
        raise WrongLength(ai, value, f"{len(piece)} letters where {identifier.name} needs {many}")
    for rule in rules:
        holds, why = RULES[rule]
        if holds(piece):
            continue
        if rule == "check":
            raise WrongCheckDigit(ai, value, str(digits.check_digit(piece[:-1])))
        raise RuleBroken(ai, value, rule, why)
