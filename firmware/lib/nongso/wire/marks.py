"""The mark of a reading: its quality and its origin in one small integer.

``mark = quality + origin``. Quality words and codes:

=========== ==== ==========================================================
good          0  possible value, trusted time
impossible    1  value outside what the metric can be; kept, never used
untimed       2  time outside what can be true; kept, never used
failed        3  the sensor gave no number; the value is ``None``
=========== ==== ==========================================================

Origin: measured (0), simulated (16), imported (32).
"""

GOOD = 0
IMPOSSIBLE = 1
UNTIMED = 2
FAILED = 3
SIMULATED = 16
IMPORTED = 32

QUALITIES = ("good", "impossible", "untimed", "failed")


def quality(mark: int) -> str:
    """Return the quality word of a mark."""
    return QUALITIES[mark & 15]


def origin(mark: int) -> str:
    """Return ``measured``, ``simulated`` or ``imported``."""
    return "simulated" if mark & SIMULATED else "imported" if mark & IMPORTED else "measured"


def is_good(mark: int) -> bool:
    """Say whether decisions, charts and summaries may use the reading."""
    return mark & 15 == GOOD
