"""Which sentences can be recorded: all that these modules can say, found in their source."""

import ast
import functools
import hashlib
import inspect
from collections.abc import Iterator
from importlib import import_module

ROOMS = (
    "nongso.platform.greenhouse.condition",
    "nongso.platform.greenhouse.sentences",
    "nongso.platform.alerts.sentences",
    "nongso.platform.greenhouse.stations",
)
FEWEST_WORDS = 4  # less is a word in a table, not a sentence


@functools.cache
def sentences() -> dict[str, str]:
    """Return every sentence by its key, in the order in which the modules say them."""
    return {key_of(text): text for room in ROOMS for text in _said_in(room)}


def key_of(text: str) -> str:
    """Return the name of a sentence in addresses and files."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _said_in(room: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(inspect.getsource(import_module(room)))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        text = node.args[0]
        if node.func.id == "_" and isinstance(text, ast.Constant) and _is_whole(text.value):
            yield str(text.value)


def _is_whole(text: object) -> bool:
    return isinstance(text, str) and text.endswith(".") and len(text.split()) >= FEWEST_WORDS
