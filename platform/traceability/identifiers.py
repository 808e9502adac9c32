"""Codes of lots and packs, the addresses that are printed, and GTINs.

Letters that are mistaken for one another (I, O, U, 0, 1) are left out. A serial is 9 letters of
31: 44 random bits, so that nobody finds the next one by counting. Everything stands in the
path: a printed address has no query, so that it stays in the small mode of the QR code.

A GTIN is checked, never made up: a cooperative without one has its own addresses under ``/t/``,
and a GTIN that comes later adds an address and replaces none.
"""

import ipaddress
import secrets
from urllib.parse import urlsplit

from nongso.platform.traceability.digital_link.digits import (
    GTIN_LENGTHS,
    are_digits,
    is_checked,
    is_restricted,
    whole_gtin,
)
from nongso.platform.traceability.errors import BadGtin

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
LOT_LETTERS = 6
SERIAL_LETTERS = 9  # 9 * log2(31) = 44.6 bits


def new_lot_code() -> str:
    """A lot's code; the caller sees to it that it is new."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LOT_LETTERS))


def new_serial() -> str:
    """A pack's own number, which cannot be guessed."""
    return "".join(secrets.choice(ALPHABET) for _ in range(SERIAL_LETTERS))


def as_typed(text: str) -> str:
    """What somebody typed as a code: upper case, spaces and hyphens dropped."""
    return text.strip().upper().replace(" ", "").replace("-", "")


def is_shaped(text: str, letters: int) -> bool:
    """Say whether a code could be one of ours, of that many letters."""
    return len(text) == letters and set(text) <= set(ALPHABET)


def _upper_host(base: str) -> str:
    """The base with scheme and host in capitals; a path of its own stays as it is."""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}".upper() + parts.path.rstrip("/")


def printed_address_of_roll(base: str, serial: str, gtin: str | None) -> str:
    """The address in the code of a label without a lot: its serial alone finds the lot later."""
    return _upper_host(base) + (f"/01/{gtin}/21/{serial}" if gtin else f"/T/{serial}")


def printed_address(base: str, lot: str, serial: str | None, gtin: str | None) -> str:
    """The address in the code: ``HTTPS://HOST/T/LOT/SERIAL``, or a GS1 Digital Link.

    ``base`` is the setting ``label_url``.
    """
    if gtin:
        end = f"/21/{serial}" if serial else ""
        return f"{_upper_host(base)}/01/{gtin}/10/{lot}{end}"
    return f"{_upper_host(base)}/T/{lot}" + (f"/{serial}" if serial else "")


def printed_address_of_place(base: str, code: str) -> str:
    """The address in the code of a place that visitors may come to."""
    return f"{_upper_host(base)}/V/{code}"


def opens_only_here(base: str) -> bool:
    """Say whether an address is of this machine or a private network: no shopper opens it."""
    host = urlsplit(base).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.rsplit(".", 1)[-1] in ("local", "localhost", "internal")


def lot_id(base: str, lot: str) -> str:
    """The lot's identifier in events."""
    return f"{base.rstrip('/')}/t/{lot}"


def lot_of(identifier: str) -> str:
    """The code of a lot from its identifier in an event."""
    return identifier.rsplit("/", 1)[-1]


def gtin14(text: str) -> str:
    """Read a GTIN-8, -12, -13 or -14 and write it with 14 digits. Raises ``BadGtin``.

    A number for use inside one shop only (prefixes 02, 04, 20-29) is refused too: it says nothing
    outside of it.
    """
    digits = text.strip().replace(" ", "").replace("-", "")
    if not are_digits(digits) or len(digits) not in GTIN_LENGTHS:
        raise BadGtin(text, "length")
    if not is_checked(digits):
        raise BadGtin(text, "check_digit")
    if is_restricted(digits):
        raise BadGtin(text, "restricted")
    return whole_gtin(digits)
