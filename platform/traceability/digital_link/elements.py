"""Element strings: what scanners send and what stands in brackets under a bar code.

``(01)09524000059109(10)K7M4PQ`` is for eyes, ``^010952400005910910K7M4PQ`` for machines, where
``^`` marks FNC1 (scanners send the control character 29 instead). Neither says which identifiers
may go together: that is ``company.py``.
"""

import re
from collections.abc import Iterable

from nongso.platform.traceability.digital_link.catalogue import catalogue, known
from nongso.platform.traceability.digital_link.errors import NotElements
from nongso.platform.traceability.digital_link.values import Element, check

FNC1 = "^"
_SENT = "\x1d"
_BRACKETED = re.compile(r"\(([0-9]{2,4})\)((?:\\\(|[^(])*)")


def bracketed(elements: Iterable[Element]) -> str:
    """Write for eyes; a bracket inside a value gets a backslash."""
    return "".join(f"({one.ai})" + one.value.replace("(", "\\(") for one in elements)


def plain(elements: Iterable[Element]) -> str:
    """Write for machines: separators only where the next value could not be told apart."""
    text, open_end = "", True
    for one in elements:
        text += (FNC1 if open_end else "") + one.ai + one.value
        open_end = known(one.ai).ends_open
    return text


def read_bracketed(text: str) -> list[Element]:
    """Read what stands in brackets. Raises ``LinkError``."""
    found, at = [], 0
    while at < len(text):
        match = _BRACKETED.match(text, at)
        if match is None:
            raise NotElements(text[:200], at)
        found.append(check(match[1], match[2].replace("\\(", "(")))
        at = match.end()
    if not found:
        raise NotElements(text, 0)
    return found


def read_plain(text: str) -> list[Element]:
    """Read what a scanner sent: it begins with FNC1, as ``^`` or control character 29."""
    text = text.replace(_SENT, FNC1)
    if not text.startswith(FNC1):
        raise NotElements(text[:200], 0)
    found, at = [], 1
    while at < len(text):
        ai = next((text[at : at + n] for n in (2, 3, 4) if text[at : at + n] in catalogue()), None)
        if ai is None:
            raise NotElements(text[:200], at)
        begin = at + len(ai)
        stop = text.find(FNC1, begin)
        end = len(text) if stop < 0 else stop
        if not known(ai).ends_open:
            end = min(end, begin + known(ai).longest)
        found.append(check(ai, text[begin:end]))
        at = end + text[end:].startswith(FNC1)
    if not found:
        raise NotElements(text, 0)
    return found
