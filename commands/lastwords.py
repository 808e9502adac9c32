"""What a process said last, for people: why it ended, in a line or two, and what to do about it.

The rooms' own sentences carry their advice. For what the machine itself says (a full disk, a
missing right) the advice is added here.
"""

import re
from pathlib import Path

MOST_BYTES = 8192
MOST_LETTERS = 300
MOST_LINES = 2
LATELY_LINES = 6  # among which a complaint counts more than what came after it

_STAMP = re.compile(r"^(\d{4}-\d\d-\d\d[T ][\d:,.]+Z?|\d{10}):?\s+")
_LEVEL = re.compile(r"^(INFO|DEBUG|WARNING|ERROR|CRITICAL) [\w.]+: ")
_BAD_NEWS = re.compile(
    r"error|cannot|can't|couldn't|unable|fail|refus|denied|missing|must|no such|invalid|damaged",
    re.IGNORECASE,
)
_NO_NEWS = re.compile(r"^(INFO|DEBUG) |^Warning: Mosquitto should not be run as root")
_ADVICE = (
    ("No space left on device|disk is full|disk full", "Free some space on the disk."),
    ("Permission denied|unable to open database file|readonly database", "Give the files of the "
     "data folder to the user who runs nongso (chown -R)."),
    ("Read-only file system", "The disk takes nothing: see 'dmesg', it may be failing."),
    ("Address already in use", "Another program uses the port: end it, and start nongso again."),
    ("Too many open files", "Raise the limit of open files (ulimit -n)."),
    (r"mosquitto\.conf|\b(config|farm|gateway|platform)\.json\b", "Settings files are written "
     "anew when nongso starts: end it, and start it again."),
    ("MemoryError|Cannot allocate memory", "The machine has too little free memory."),
)  # fmt: skip


def last_words(log: Path, start: int = 0) -> str:
    """Return the last lines of a log, from the byte ``start`` on, that tell something.

    Empty when there is nothing to read.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start if start <= size else 0, size - MOST_BYTES))
            text = file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return told(
        "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
    )


def told(text: str) -> str:
    """Return what the end of a text tells, on one line."""
    lines = []
    for raw in text.splitlines():
        if not raw or raw[0].isspace() or raw.startswith("Traceback (most recent"):
            continue  # the code lines of a traceback; its last line is what happened
        line = _STAMP.sub("", raw)
        if _NO_NEWS.match(line):
            continue
        lines.append(_LEVEL.sub("", line)[:MOST_LETTERS])
    lately = lines[-LATELY_LINES:]
    complaints = [line for line in lately if _BAD_NEWS.search(line)]
    words = " ".join((complaints or lately)[-MOST_LINES:])
    return f"{words} {advice(words)}".rstrip() if words else ""


def advice(words: str) -> str:
    """Say what to do about what the machine says; empty where nothing is known."""
    return next((to_do for found, to_do in _ADVICE if re.search(found, words)), "")
