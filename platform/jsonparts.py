"""Takes JSON apart into its members or elements without reading what is inside them.

Decoders go down one call a bracket, so that a text of a hundred thousand brackets ends them.
This looks at brackets, strings and commas from left to right and does not mind. It only cuts:
whether the pieces are JSON is found out by whoever reads them.
"""

import re
from collections.abc import Iterator

# A string, or one of the marks that give JSON its shape. A lone quote is a string without an end.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:"]', re.DOTALL)


class NotParts(ValueError):
    """The text is not an object or a list; the text says why."""


def elements(text: bytes) -> list[bytes]:
    """Return the elements of a JSON list, as they stand."""
    return [text[begin:end].strip() for begin, end, _colon in _cut(text, b"[")]


def members(text: bytes) -> dict[bytes, bytes]:
    """Return the members of a JSON object: the raw key, quotes and all, and the raw value."""
    found = {}
    for begin, end, colon in _cut(text, b"{"):
        if colon is None:
            raise NotParts("a member of an object has no colon")
        found[text[begin:colon].strip()] = text[colon + 1 : end].strip()
    return found


def _cut(text: bytes, opening: bytes) -> Iterator[tuple[int, int, int | None]]:
    """Yield begin, end and first colon of every piece between the outer brackets."""
    depth, begin, colon = 0, 0, None
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if depth == 0 and (mark != opening or text[: token.start()].strip()):
            raise NotParts(f"expected {opening.decode()}")
        if mark in (b"[", b"{"):
            depth += 1
            if depth == 1:
                begin = token.end()
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                if text[token.end() :].strip():
                    raise NotParts("something stands behind the end")
                if text[begin : token.start()].strip():
                    yield begin, token.start(), colon
                return
        elif mark == b'"':
            raise NotParts("a string does not end")
        elif depth == 1 and mark == b",":
            yield begin, token.start(), colon
            begin, colon = token.end(), None
        elif depth == 1 and mark == b":" and colon is None:
            colon = token.start()
    raise NotParts("it ends too early")
