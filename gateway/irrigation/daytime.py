"""When a time of day comes: one of the clock, or some minutes from sunrise or sunset."""

from functools import lru_cache

from nongso.agronomy.radiation import sunrise_and_sunset
from nongso.wire.slots import read_time


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
