"""Canonical JSON (RFC 8785): the one door to the library that writes it.

Not everything that Python reads as JSON has a canonical form: whole numbers beyond 2^53, NaN and
half of a surrogate pair have none, and fly as ``NotCanonical``.
"""

from typing import Any

import rfc8785


class NotCanonical(ValueError):
    """The value has no canonical form; the text says why."""


def dumps(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value. Raises ``NotCanonical``."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError, ValueError) as error:
        raise NotCanonical(str(error)) from error
