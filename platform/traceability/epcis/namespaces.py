"""Short names in JSON-LD: which prefix stands for what, in a document and in one of its events.

Only prefixes are read from a context. Its addresses are never fetched, and terms that a context
defines in other ways (type coercion, keyword aliases) are not followed: EPCIS does not use them.
"""

from collections.abc import Mapping
from typing import Any

from nongso.platform.traceability.epcis.vocabulary import STANDARD_PREFIXES

Prefixes = dict[str, str]


def prefixes_of(context: Any) -> Prefixes:
    """Return the prefixes that a ``@context`` declares itself, later ones winning."""
    found: Prefixes = {}
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, Mapping):
            for name, meant in part.items():
                whole = meant.get("@id") if isinstance(meant, Mapping) else meant
                if isinstance(whole, str) and not name.startswith("@"):
                    found[name] = whole
    return found


def expand(text: str, prefixes: Mapping[str, str]) -> str:
    """Write a short name in full where its prefix is known: ``vn:giong`` to its whole URI."""
    name, colon, rest = text.partition(":")
    if not colon or rest.startswith("//"):
        return text
    known = prefixes.get(name)
    return text if known is None else known + rest


def with_standard(own: Mapping[str, str]) -> Prefixes:
    """Return the prefixes with those that the standard's own context gives everybody."""
    return {**own, **STANDARD_PREFIXES}
