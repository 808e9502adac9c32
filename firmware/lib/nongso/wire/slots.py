"""Slots of watering by the clock: what gateway and platform both take, and refuse, as one.

A slot is days of the week (0 is Monday), a time of day as a farmer says it (``05:30``,
``sunrise+20``, ``sunset-60``), and seconds of water.
"""

MOST_SLOTS = 28
SHORTEST_SECONDS = 1
WORDS = ("sunrise", "sunset")
_DIGITS = frozenset("0123456789")


class SlotError(ValueError):
    """Slots that cannot be kept. ``what`` is the part, ``slot`` its number from 0 or ``None``."""

    def __init__(self, what: str, slot: int | None, sentence: str) -> None:
        super().__init__(sentence)
        self.what = what
        self.slot = slot


def read_time(text: str) -> tuple[str, int]:
    """Read ``05:30``, ``sunrise+20`` or ``sunset-60``: a word, and minutes from it.

    The word of a time of the clock is ``clock``. Raises ``ValueError`` with a sentence.
    """
    for word in WORDS:
        if text.startswith(word):
            rest = text[len(word) :] or "+0"
            if rest[0] in "+-" and _is_number(rest[1:], 3):
                return word, int(rest)
    hour, colon, minute = text.partition(":")
    if not (colon and _is_number(hour, 2) and len(minute) == 2 and _is_number(minute, 2)):
        raise ValueError("a time is like 05:30, sunrise+20 or sunset-60, not %r" % text)
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError("a day has no %r" % text)
    return "clock", int(hour) * 60 + int(minute)


def _is_number(text: str, most_digits: int) -> bool:
    return 1 <= len(text) <= most_digits and not set(text) - _DIGITS


def check_place(place: tuple[float, ...]) -> None:
    """See that the sun rises and sets there. Raises ``ValueError`` with a sentence."""
    if len(place) != 2 or not (-66 <= place[0] <= 66 and -180 <= place[1] <= 180):
        raise ValueError("place is latitude (-66 to 66) and longitude (-180 to 180)")


def check(
    slots: list[tuple[tuple[int, ...], str, int]],
    utc_offset_minutes: int,
    place: tuple[float, ...] | None,
    longest_seconds: float,
) -> None:
    """See that slots can be kept. Raises ``SlotError`` with a sentence.

    A slot is days, time and seconds; ``place`` latitude and longitude, or ``None`` where none goes
    by the sun; ``longest_seconds`` the zone's own limit.
    """
    if len(slots) > MOST_SLOTS:
        raise SlotError("slots", None, "a schedule has at most %d slots" % MOST_SLOTS)
    if not -720 <= utc_offset_minutes <= 840:
        raise SlotError("offset", None, "utc_offset_minutes must lie between -720 and 840")
    if place is not None:
        try:
            check_place(place)
        except ValueError as error:
            raise SlotError("place", None, str(error)) from None
    for number, (days, at, run_seconds) in enumerate(slots):
        try:
            word, _minutes = read_time(at)
        except ValueError as error:
            raise SlotError("at", number, str(error)) from None
        if word != "clock" and place is None:
            sentence = "%s needs the schedule's place: latitude and longitude" % at
            raise SlotError("at", number, sentence)
        if not days or set(days) - set(range(7)):
            sentence = "days are numbers from 0 (Monday) to 6 (Sunday), at least one"
            raise SlotError("days", number, sentence)
        if not SHORTEST_SECONDS <= run_seconds <= longest_seconds:
            sentence = "run_seconds must be %d to %g" % (SHORTEST_SECONDS, longest_seconds)
            raise SlotError("run_seconds", number, sentence)
