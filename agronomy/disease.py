"""Weather that lets plant diseases spread: four published rules, as advice.

They count how favourable the weather was; they do not see a plant. None was made for a film
house, and only local experience tells whether their thresholds fit. Leaf wetness is hardly ever
measured: hours with at least 90 % humidity stand for it, as both programs of the University of
Wisconsin take them.

* Wallin: late blight of potato and tomato (Wallin 1962, American Potato Journal 39; classes as
  printed by Michigan State University).
* Blitecast: its spray matrix (Krause, Massie, Hyre 1975, Plant Disease Reporter 59; as printed by
  Pessl Instruments). Inside a greenhouse no rain falls; see ``blitecast``.
* Tomcast: early blight, Septoria, anthracnose of tomato (Pitblado 1992, on Madden, Pennypacker
  and MacNab 1978, Phytopathology 68).
* Gubler–Thomas: powdery mildew of grapes (Thomas, Gubler, Leavitt 1994).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

HUMID_PERCENT = 90.0
WALLIN_SPRAY = 18  # severity values until the first spray
TOMCAST_SPRAY = 20  # severity values between sprays

# From the first temperature (°C) on; then the hours from which severity is 1, 2, 3, 4.
_WALLIN = ((7.2, (16, 19, 22, 25)), (11.65, (13, 16, 19, 22)), (15.05, (10, 13, 16, 19)))
_WALLIN_WARMEST = 26.6
_TOMCAST = (
    (13.0, (7, 16, 21, 25)),
    (18.0, (4, 9, 16, 23)),
    (21.0, (3, 6, 13, 21)),
    (26.0, (4, 9, 16, 23)),
)
_TOMCAST_WARMEST = 29.0

_BLITECAST_DRY = (-1, -1, -1, -1, 0, 1, 1, 2)  # by severity of seven days; 7 stands for more
_BLITECAST_WET = (-1, -1, -1, 0, 1, 2, 2, 2)


@dataclass(frozen=True)
class Hour:
    """Means of one hour: °C and % humidity."""

    celsius: float
    humidity_percent: float


@dataclass(frozen=True)
class Mildew:
    """The index of Gubler and Thomas, 0 to 100; ``run`` counts favourable days before it began."""

    index: int = 0
    run: int = 0

    @property
    def has_begun(self) -> bool:
        """Whether three favourable days in a row have started the index."""
        return self.run >= 3


def wallin(mean_c: float, humid_hours: float) -> int:
    """Severity 0 to 4 of a humid spell: its mean temperature and its length."""
    return _severity(_WALLIN, _WALLIN_WARMEST, mean_c, humid_hours)


def tomcast(mean_c: float, wet_hours: float) -> int:
    """Severity 0 to 4 of a day: mean temperature while leaves were wet, and for how long."""
    return _severity(_TOMCAST, _TOMCAST_WARMEST, mean_c, wet_hours)


def _severity(
    table: tuple[tuple[float, tuple[int, ...]], ...], warmest: float, mean_c: float, hours: float
) -> int:
    if mean_c > warmest:
        return 0
    rows = [limits for begin, limits in table if mean_c >= begin]
    return sum(hours >= limit for limit in rows[-1]) if rows else 0


def blitecast(favourable_days: int, severity: int) -> int:
    """What to do against late blight after seven days: -1 nothing, 0 warning, 1 and 2 spray every
    seven or five days.

    ``favourable_days`` of the last seven: cool and rainy ones by Hyre's rule. Under a roof take 0
    where water runs to the roots, and the days with sprinkling where it falls on leaves.
    """
    row = _BLITECAST_WET if favourable_days >= 5 else _BLITECAST_DRY
    return row[min(severity, 7)]


def humid_spells(hours: Sequence[Hour]) -> list[tuple[float, int]]:
    """Mean temperature and length of each spell of humid hours, in order, for ``wallin``."""
    spells = []
    for humid, group in groupby(hours, lambda hour: hour.humidity_percent >= HUMID_PERCENT):
        spell = [hour.celsius for hour in group]
        if humid:
            spells.append((sum(spell) / len(spell), len(spell)))
    return spells


def is_mildew_weather(temperatures: Sequence[float]) -> bool:
    """Whether a day's hourly means hold six hours in a row between 21 and 30 °C."""
    runs = groupby(temperatures, lambda celsius: 21.0 <= celsius <= 30.0)
    return any(fits and len(list(run)) >= 6 for fits, run in runs)


def mildew(before: Mildew, temperatures: Sequence[float]) -> Mildew:
    """The index after one more day of hourly means.

    A day that is favourable and also hotter than 35 °C gains and loses: the sources leave open
    whether it may, and the more careful reading is taken.
    """
    fits = is_mildew_weather(temperatures)
    hot = max(temperatures, default=0.0) > 35.0
    if not before.has_begun:
        run = before.run + 1 if fits else 0
        return Mildew(60 if run == 3 else 0, run)
    change = (20 if fits else -10) - (10 if hot else 0)
    return Mildew(min(100, max(0, before.index + change)), before.run)
