"""By which form identifiers are compared: GS1's canonical address, or the text itself.

A lot is the same lot whether a buyer writes ``urn:epc:class:lgtin:…`` or a Digital Link at its own
host; anybody's own identifier is only ever itself. The rule is the Digital Link room's; what was
asked lately is remembered, because events name the same lots and places again and again.
"""

import functools

from nongso.platform.traceability.digital_link.normal import normal

_REMEMBERED = 16_384
_LONGEST = 512  # longer texts are no identifier of GS1; do not spend time on them


@functools.lru_cache(maxsize=_REMEMBERED)
def _remembered(text: str) -> str | None:
    return normal(text)


def canonical(text: str) -> str | None:
    """Return GS1's canonical address of what a URN or Digital Link names, else ``None``."""
    if len(text) > _LONGEST or not text.startswith(("urn:epc:", "http://", "https://")):
        return None
    return _remembered(text)


def same_form(text: str) -> str:
    """Return the form by which an identifier is compared and kept in the index."""
    return canonical(text) or text
