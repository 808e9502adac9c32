"""How every process of nongso writes its log: one line an event, and no secret in it.

``NONGSO_LOG=json`` writes objects (``at``, ``level``, ``logger``, ``message``, ``error``) for
programs that gather logs; without it lines for people. Both pass through the same mask: what
looks like a token, a password or a key is replaced, whoever wrote it, in tracebacks too. The mask
is the last net; code still writes no secrets.
"""

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime

VARIABLE = "NONGSO_LOG"
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
STARS = "***"
_SECRET_NAMES = (
    r"[\w-]*(?:password|passwd|mat_khau|secret|token|private_key|api_key|authorization|cookie)"
    r"|gateway_key|key"
)
_MASKS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {STARS}"),
    (re.compile(r"\bnst_[\w-]+"), f"nst_{STARS}"),  # tokens of the API
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@"), rf"\1:{STARS}@"),  # in addresses
    (
        re.compile(
            rf"""(?ix)(["']?\b(?:{_SECRET_NAMES})\b["']?\s*[:=]\s*)  # a name and what follows
            (?!\*\*\*)(?:"(?:[^"\\]|\\.)+"|'(?:[^'\\]|\\.)+'|[^\s"',;&}})]{{4,}})"""
        ),
        rf"\1{STARS}",
    ),
)


def masked(text: str) -> str:
    """Return a text without what looks like a secret."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text


class ForPeople(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        return masked(super().format(record))


class ForPrograms(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
        }
        if record.exc_info:
            told["error"] = masked(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


def set_up() -> None:
    """Let this process write its log to stderr."""
    is_json = os.environ.get(VARIABLE, "").lower() == "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ForPrograms() if is_json else ForPeople(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
