"""The words of the standard: which there are, and the several ways to write one.

``shipping``, ``https://ref.gs1.org/cbv/BizStep-shipping``, ``cbv:BizStep-shipping`` and
``urn:epcglobal:cbv:bizstep:shipping`` are the same business step. ``Words.whole`` gives the one
form by which events are hashed, kept in the index and looked for. The words themselves are data
(``standard/cbv.toml``). Anybody's own word is a URI and stays as it is.
"""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent / "standard" / "cbv.toml"

# What the context of the standard calls by a short name, for everybody.
STANDARD_PREFIXES = {
    "epcis": "https://ref.gs1.org/epcis/",
    "cbv": "https://ref.gs1.org/cbv/",
    "cbvmda": "urn:epcglobal:cbv:mda:",
    "gs1": "https://gs1.org/voc/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
}


@dataclass(frozen=True)
class Words:
    """One list of words: what stands before them in full, and before them in the older form."""

    web: str
    urn: str
    words: frozenset[str]

    def whole(self, text: str) -> str:
        """Write a word in full; what is no word of this list stays as it is."""
        if text in self.words:
            return self.web + text
        if self.urn and text.startswith(self.urn):
            return self.web + text[len(self.urn) :]
        return text

    def is_misused(self, whole: str) -> bool:
        """Say whether a URI claims to be one of these words and is none.

        Not asked of ``https://gs1.org/voc/``, where GS1 keeps much more than measurements.
        """
        if not whole.startswith(self.web) or not self.urn:
            return False
        return whole[len(self.web) :] not in self.words

    def bare(self, whole: str) -> str:
        """Write a word of the standard as JSON-LD likes it: bare. Others stay as they are."""
        word = whole.removeprefix(self.web)
        return word if word in self.words else whole


@functools.cache
def _all() -> dict[str, Words]:
    read = tomllib.loads(_FILE.read_text("utf-8"))
    return {
        name: Words(of["web"], of.get("urn", ""), frozenset(of["words"]))
        for name, of in read.items()
    }


def words(name: str) -> Words:
    """Return a list of words: ``business_steps``, ``dispositions``, …"""
    return _all()[name]


# Which field of an event takes its values from which list.
OF_FIELD = {
    "bizStep": "business_steps",
    "disposition": "dispositions",
    "set": "dispositions",
    "unset": "dispositions",
    "reason": "error_reasons",
    "component": "components",
    "exception": "alerts",
}
