"""Per cent escapes in the path and the query of an address.

In the query a plus is a space, in the path it is a plus. A per cent sign that is not followed by
two hexadecimal digits is itself: nothing here refuses anything.
"""

import re

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def escape_path(text: str) -> str:
    """Write a value so that it can stand between two slashes."""
    return "".join(letter if letter in _PLAIN else _escaped(letter) for letter in text)


def escape_query(text: str) -> str:
    """Write a value so that it can stand behind an equals sign."""
    return escape_path(text).replace("%20", "+")


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))


def unescape_path(text: str) -> str:
    """Read what stands between two slashes. Bytes that are no UTF-8 become U+FFFD."""
    raw = text.encode("utf-8", "surrogatepass")
    read = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw)
    return read.decode("utf-8", "replace")


def unescape_query(text: str) -> str:
    """Read what stands behind an equals sign."""
    return unescape_path(text.replace("+", " "))
