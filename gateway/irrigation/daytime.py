"""Times of day as a farmer says them: ``05:30``, ``sunrise+20``, ``sunset-60``."""

from functools import lru_cache

from nongso.agronomy.radiation import sunrise_and_sunset


def read_time(text: str) -> tuple[str, int]:
    """Read ``05:30``, ``sunrise+20`` or ``sunset-60``: a word, and minutes from it.

    Raises ``ValueError`` with a sentence.
    """
    for word in ("sunrise", "sunset"):
        if text.startswith(word):
            rest = text.removeprefix(word) or "+0"
            if rest[0] in "+-" and rest[1:].isascii() and rest[1:].isdigit() and len(rest) <= 4:
                return word, int(rest)
    hour, colon, minute = text.partition(":")
    digits = (hour + minute).isascii() and hour.isdigit() and minute.isdigit()
    if not (colon and digits and len(hour) <= 2 and len(minute) == 2):
        raise ValueError(f"a time is like 05:30, sunrise+20 or sunset-60, not {text!r}")
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"a day has no {text!r}")
    return "clock", int(hour) * 60 + int(minute)


@lru_cache(maxsize=256)  # asked each second, and the same all day
def second_of_day(
    text: str, day: int, utc_offset_minutes: int, place: tuple[float, ...] | None
) -> int:
    """Second of a local day (days since 1970) at which a time of day comes."""
    word, minutes = read_time(text)
    if word == "clock":
        return minutes * 60
    if place is None:  # refused when it was set
        raise ValueError(f"{text} needs a place")
    latitude, longitude = place
    rises, sets = sunrise_and_sunset(
        latitude, longitude, utc_offset_minutes / 4, day % 365.2425 + 1
    )
    hour = rises if word == "sunrise" else sets
    return min(max(round(hour * 60) + minutes, 0), 1439) * 60


def check_place(place: tuple[float, ...]) -> None:
    """See that the sun rises and sets there. Raises ``ValueError`` with a sentence."""
    if len(place) != 2 or not (-66 <= place[0] <= 66 and -180 <= place[1] <= 180):
        raise ValueError("place is latitude (-66 to 66) and longitude (-180 to 180)")
