"""Which lines of the clerk's list are looked into first. Values in, values out.

Each rule has a chance of being right: at first what the played market showed (``bench/scans.py``),
then more and more what this cooperative's own clerks found out. Reasons add up: a line's chance
of being innocent is that of all its reasons together. The chance orders the list and is shown to
nobody: "80 % copied" would be read as a verdict.
"""

from collections.abc import Iterable, Mapping

from nongso.platform.traceability.scans import signs

# Lines of each rule that were copies and that were not, as if clerks had looked at these before.
_AT_FIRST = {
    signs.NEVER_ISSUED: (9.5, 0.5),
    signs.NOT_ACTIVATED: (9.0, 1.0),
    signs.AFTER_END: (9.0, 1.0),
    signs.MANY_DAYS: (9.0, 1.0),
    signs.OUTSIDE: (7.0, 3.0),
    signs.TRAVEL: (3.0, 1.0),
    signs.MANY_PHONES: (2.0, 8.0),
    signs.ONE_BROWSER: (0.5, 9.5),
}
_PLACES = (signs.TRAVEL, signs.ONE_BROWSER)
MOST_TIMES = 5  # that two provinces within a minute count as reasons of their own

Learnt = Mapping[str, tuple[int, int]]  # of each rule: lines that were copies, that were not


def chance(reasons: Iterable[tuple[str, int]], learnt: Learnt) -> float:
    """The chance that a line is a copy; ``reasons`` are its rules, and how often each struck."""
    innocent = 1.0
    for rule, times in reasons:
        copies, others = _AT_FIRST[rule]
        copied, explained = learnt.get(rule, (0, 0))
        right = (copies + copied) / (copies + others + copied + explained)
        innocent *= (1 - right) ** (min(times, MOST_TIMES) if rule in _PLACES else 1)
    return 1 - innocent
