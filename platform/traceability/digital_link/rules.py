"""The rules that values obey beyond letters and length: days, countries, check digits, …

Each rule is a name from the data file, a question and what to say when the answer is no. Values
in, verdicts out. ``coupon`` and ``coupon-offer`` (North American coupons) and ``package`` (a list
that changes several times a year) are looked at for their shape only.
"""

import calendar
import datetime
import re
from collections.abc import Callable

from nongso.platform.traceability.digital_link.catalogue import codes
from nongso.platform.traceability.digital_link.digits import has_check_pair, is_checked

SHORTEST_PREFIX = 4  # digits of the shortest company prefix


def year_of(two: int, today: datetime.date) -> int:
    """The year that two digits mean: the nearest one, 49 years back to 50 ahead (GS1's rule)."""
    century = today.year - today.year % 100
    apart = two - today.year % 100
    if apart >= 51:
        return century - 100 + two
    return century + 100 + two if apart <= -50 else century + two


def read_day(yymmdd: str, today: datetime.date) -> datetime.date:
    """The day of six digits; day 00 is the last of its month. Raises ``ValueError``."""
    year, month, day = year_of(int(yymmdd[:2]), today), int(yymmdd[2:4]), int(yymmdd[4:6])
    if day == 0 and 1 <= month <= 12:
        day = calendar.monthrange(year, month)[1]
    return datetime.date(year, month, day)


def _is_day(value: str) -> bool:
    # Whether there is a 29 February does not depend on the century that the digits are read in:
    # 2000 is a leap year, and no other year ending in 00 is within reach.
    try:
        datetime.date(2000 + int(value[:2]), int(value[2:4]), int(value[4:6]))
    except ValueError:
        return False
    return True


def _is_day_or_month(value: str) -> bool:
    return _is_day(value[:4] + "01" if value.endswith("00") else value)


def _is_full_day(value: str) -> bool:
    try:
        datetime.date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    except ValueError:
        return False
    return True


def _is_time(value: str) -> bool:
    return value[:2] < "24" and value[2:] < "60"


def _is_account(value: str) -> bool:
    if re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}", value) is None:
        return False
    turned = "".join(str(int(letter, 36)) for letter in value[4:] + value[:4])
    return value[:2] in codes("country_letters") and int(turned) % 97 == 1


def _is_place_in_order(value: str) -> bool:
    found = re.fullmatch(r"([1-9][0-9]*)/([1-9][0-9]*)", value)
    return found is not None and int(found[1]) <= int(found[2])


def _is_piece_of_total(value: str) -> bool:
    half = len(value) // 2
    return 0 < int(value[:half]) <= int(value[half:])


def _has_prefix(value: str) -> bool:
    return re.match(rf"[0-9]{{{SHORTEST_PREFIX}}}", value) is not None


RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "check": (is_checked, "the check digit is wrong"),
    "check-pair": (has_check_pair, "the last two letters do not fit the ones before"),
    "prefix": (_has_prefix, "it does not begin with a company prefix (four digits or more)"),
    "prefix-after-one": (lambda v: _has_prefix(v[1:]), "no company prefix behind the first digit"),
    "day": (_is_day, "there is no such day (yymmdd)"),
    "day-or-month": (_is_day_or_month, "there is no such day (yymmdd; day 00 is the month's end)"),
    "full-day": (_is_full_day, "there is no such day (yyyymmdd)"),
    "time": (_is_time, "there is no such time (hhmm)"),
    "hour": (lambda v: v < "24", "there is no such hour"),
    "minute": (lambda v: v < "60", "there is no such minute"),
    "second": (lambda v: v < "60", "there is no such second"),
    "country": (lambda v: v in codes("countries"), "no country has this number (ISO 3166-1)"),
    "country-or-many": (
        lambda v: v == "999" or v in codes("countries"),
        "no country has this number (ISO 3166-1, or 999 for several)",
    ),
    "country-letters": (
        lambda v: v in codes("country_letters"),
        "no country has these two letters (ISO 3166-1)",
    ),
    "currency": (lambda v: v in codes("currencies"), "no currency has this number (ISO 4217)"),
    "percent-escapes": (
        lambda v: re.search(r"%(?![0-9A-Fa-f]{2})|%00", v) is None,
        "a per cent sign must be followed by two hexadecimal digits",
    ),
    "latitude": (lambda v: int(v) <= 1_800_000_000, "the latitude is beyond the pole"),
    "longitude": (lambda v: int(v) <= 3_600_000_000, "the longitude is beyond 360 degrees"),
    "yes-no": (lambda v: v in "01", "it is 0 for no or 1 for yes"),
    "minus": (lambda v: v == "-", "only a minus sign may stand here"),
    "importer": (
        lambda v: re.fullmatch("[A-Za-z0-9_-]", v) is not None,
        "the importer's index is a letter, a digit, - or _",
    ),
    "package": (
        lambda v: re.fullmatch("[A-Z0-9]{1,3}", v) is not None,
        "a kind of package has one to three capitals or digits",
    ),
    "carrier": (
        lambda v: "01" <= v <= "10" or "80" <= v <= "99",
        "no kind of data carrier has this number",
    ),
    "sex": (lambda v: v in "0129", "it is 0, 1, 2 or 9 (ISO 5218)"),
    "place-in-order": (_is_place_in_order, "it is a place and an end, as in 1/3"),
    "not-zero": (lambda v: int(v) > 0, "it may not be zero"),
    "winding": (lambda v: v in "019", "it is 0, 1 or 9"),
    "zero": (lambda v: v == "0", "it must be zero"),
    "piece-of-total": (_is_piece_of_total, "it is a piece and how many there are, as in 0102"),
    "account": (_is_account, "it is no bank account (IBAN)"),
    "no-leading-zero": (lambda v: v == "0" or v[0] != "0", "it may not begin with zero"),
    "a-letter": (
        lambda v: re.fullmatch("[0-9]+", v) is None,
        "it must have something besides digits",
    ),
    "coupon": (lambda _v: True, ""),
    "coupon-offer": (lambda _v: True, ""),
}
