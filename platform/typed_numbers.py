"""Numbers as people type them into forms: the one reader of them.

Decimal comma and thousands dot as written here (1.234,5), dot and comma as on a keyboard set to
English (1,234.5), spaces between thousands (1 234,5). What can be read in two ways is asked
back, never guessed: 1.250 kg is a thousand and a quarter here, and one and a quarter elsewhere.
Where only a whole number makes sense (packs, days) there is one way to read it.

Only the digits 0 to 9 count, and a text longer than any number that a form asks for is none:
neither powers (1e9), nor ``nan``, nor the digits of other scripts, nor a page of zeros. What a
field can hold is the field's own business; here nothing is too large but too long.
"""

import re
from decimal import Decimal

LONGEST = 24  # letters; a thousand tonnes in grams has 13 with its dots
MOST_DECIMALS = 3

_SPACES = re.compile("[ \u00a0\u2007\u2009\u202f]")
_PLAIN = re.compile(r"[0-9]+")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?P<mark>[., ])[0-9]{3}(?:(?P=mark)[0-9]{3})*")
_DECIMAL = re.compile(r"(?P<whole>[0-9]+)[.,](?P<rest>[0-9]{1,3})0*")  # 0,2500 is 0,25
_BOTH = re.compile(
    r"(?P<whole>[1-9][0-9]{0,2}(?P<mark>[., ])[0-9]{3}(?:(?P=mark)[0-9]{3})*)"
    r"(?!(?P=mark))[.,](?P<rest>[0-9]{1,3})0*"
)

# The same for the fields of a page: what they do not match would be refused or asked back.
_GROUPS = "[1-9][0-9]{0,2}(?:(?: [0-9]{3})+|(?:[.][0-9]{3}){2,}|(?:,[0-9]{3}){2,})"
_PARTS = "[1-9][0-9]{0,2}(?:(?:[ ,][0-9]{3})+[.]|(?:[ .][0-9]{3})+,)[0-9]{1,3}0*"
_SHORT = "(?:0[0-9]*[.,][0-9]{1,3}|[0-9]+[.,][0-9]{1,2}|[0-9]{4,}[.,][0-9]{3})"
FIELD = f" *(?:[0-9]+|{_GROUPS}|{_PARTS}|{_SHORT}|[0-9]+[.,][0-9]{{3}}0+) *"
WHOLE_FIELD = f" *(?:[0-9]+|{_GROUPS}|[1-9][0-9]{{0,2}}[.,][0-9]{{3}}) *"


class Unreadable(ValueError):
    """Not a number that can be used."""


class HasDecimals(Unreadable):
    """A number, but with a fraction where only a whole one makes sense."""


class TwoWays(ValueError):
    """A number that can be read in two ways."""

    def __init__(self, large: Decimal, small: Decimal) -> None:
        super().__init__(f"{large} or {small}")
        self.large, self.small = large, small


def read(text: str, unit: str = "") -> Decimal:
    """Read a number with up to three decimals, its unit behind it or not.

    Raises ``Unreadable`` or ``TwoWays``.
    """
    bare = _bare(text, unit)
    if _PLAIN.fullmatch(bare):
        return Decimal(bare)
    if grouped := _GROUPED.fullmatch(bare):
        whole = Decimal(_digits(bare))
        if grouped["mark"] != " " and bare.count(grouped["mark"]) == 1:
            raise TwoWays(whole, whole / 1000)
        return whole
    if found := _DECIMAL.fullmatch(bare) or _BOTH.fullmatch(bare):
        return Decimal(f"{_digits(found['whole'])}.{found['rest']}")
    raise Unreadable(text)


def read_whole(text: str) -> int:
    """Read a whole number; 1.250 is a thousand and more. Raises ``Unreadable``."""
    bare = _bare(text, "")
    if _PLAIN.fullmatch(bare) or _GROUPED.fullmatch(bare):
        return int(_digits(bare))
    if _DECIMAL.fullmatch(bare) or _BOTH.fullmatch(bare):
        raise HasDecimals(text)
    raise Unreadable(text)


def _bare(text: str, unit: str) -> str:
    bare = _SPACES.sub(" ", text[: 4 * LONGEST].strip().lower()).removesuffix(unit).rstrip()
    if len(text) > 4 * LONGEST or len(bare) > LONGEST:
        raise Unreadable("too long for a number")
    return bare


def _digits(text: str) -> str:
    return re.sub("[., ]", "", text)
