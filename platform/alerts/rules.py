"""What is an alert: limits, delays, owners and repeats, as data; with defaults for each crop.

A rule is about one number. ``on`` and ``off`` are its two limits: with ``on`` above ``off`` the
rule watches for too much, else for too little; between the two nothing changes, so that a value
that trembles at a limit says nothing new. States (a silent station, an open valve) are numbers
too: 1 while it is so, 0 when it is over.

The limits of the crops are starting values for film houses in the northern mountains, on the
careful side, to be set right by the growers on the page of limits; they are no recommendation
of an institute. 5,000 ppm of CO2 is the usual limit for people at work for eight hours.
Strong wind is force 5 to 6 (10 m/s), a gale force 8 (17 m/s) on the Beaufort scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

LEVELS = ("alarm", "warning", "info")  # worst first
MINUTE, HOUR, DAY = 60, 3600, 86400
REPEAT = (15 * MINUTE, HOUR, 4 * HOUR, DAY)
STATE = (1.0, 0.0)  # limits of a rule about a state
NIGHT = (21 * 60, 5 * 60)  # minutes of the day: nobody is called for what can wait

FARM = ("farmer",)
OFFICE = ("clerk",)
TECHNICAL = ("clerk", "admin")


@dataclass(frozen=True)
class Rule:
    """One rule. ``first`` are the roles that are told, ``second`` those told after them.

    ``hold_seconds``: so long it must be so before it is said; ``clear_seconds``: so long it must
    be over. ``urgent`` comes at night too. ``repeat``: gaps between messages, the last one again
    and again. ``escalate_seconds`` after the first message unheard the second ones are told;
    ``None`` for never. ``over``: rules at the same place that are silent while this one stands.
    A level ``info`` stands on the page and is sent to nobody.
    """

    code: str
    level: str
    on: float
    off: float
    hold_seconds: int = 0
    clear_seconds: int = 0
    urgent: bool = False
    repeat: tuple[int, ...] = REPEAT
    escalate_seconds: int | None = HOUR
    first: tuple[str, ...] = FARM
    second: tuple[str, ...] = OFFICE
    over: tuple[str, ...] = ()
    enabled: bool = True

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"{self.code}: no level {self.level!r}")
        if self.on == self.off:
            raise ValueError(f"{self.code}: the two limits are the same")
        if min(self.hold_seconds, self.clear_seconds) < 0:
            raise ValueError(f"{self.code}: a delay is below zero")
        if (
            not self.repeat
            or min(self.repeat) < MINUTE
            or list(self.repeat) != sorted(self.repeat)
        ):
            raise ValueError(f"{self.code}: gaps between messages grow, from a minute upwards")

    @property
    def is_about_too_much(self) -> bool:
        """It watches for values that are too high."""
        return self.on > self.off

    def is_on(self, value: float) -> bool:
        """Say whether a value is beyond the limit."""
        return value >= self.on if self.is_about_too_much else value <= self.on

    def is_off(self, value: float) -> bool:
        """Say whether a value is all right again."""
        return value <= self.off if self.is_about_too_much else value >= self.off


def _state(code: str, level: str = "warning", **more: Any) -> Rule:
    return Rule(code, level, *STATE, **more)


def _urgent(code: str) -> Rule:
    """Water runs where it should not: at once, also at night, and soon to a second person."""
    gaps = (5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR)
    return _state(code, "alarm", urgent=True, repeat=gaps, escalate_seconds=15 * MINUTE)


def _technical(code: str) -> Rule:
    return _state(
        code, first=TECHNICAL, second=(), repeat=(DAY,), escalate_seconds=None, hold_seconds=0
    )


# What does not depend on the crop. The water alarms are the gateway's own codes
# (``nongso.wire.reasons.ALARMS``); ``node_silent`` gathers all silent stations of a greenhouse.
_COMMON = (
    Rule("wind", "warning", 10.0, 7.0, 2 * MINUTE, 30 * MINUTE, urgent=True),
    Rule("gale", "alarm", 17.0, 13.0, 0, 30 * MINUTE, urgent=True, over=("wind",),
         escalate_seconds=15 * MINUTE),
    Rule("soil_wet", "warning", 90.0, 85.0, 6 * HOUR, 30 * MINUTE),
    Rule("co2_low", "info", 250.0, 320.0, 30 * MINUTE, 30 * MINUTE),
    Rule("co2_high", "alarm", 5000.0, 3000.0, 2 * MINUTE, 5 * MINUTE, urgent=True),
    Rule("battery_low", "warning", 0.0, 0.2, 30 * MINUTE, HOUR, repeat=(DAY,),
         escalate_seconds=None),
    Rule("tank_low", "warning", 25.0, 35.0, 10 * MINUTE, 10 * MINUTE),
    Rule("tank_empty", "alarm", 10.0, 15.0, 5 * MINUTE, 5 * MINUTE, over=("tank_low",)),
    _state("node_silent", hold_seconds=5 * MINUTE, clear_seconds=MINUTE),
    _state("gateway_silent", hold_seconds=10 * MINUTE, clear_seconds=MINUTE, second=TECHNICAL),
    _urgent("valve_not_closed"),
    _urgent("main_not_closed"),
    _urgent("leak"),
    _urgent("pump_not_stopped"),
    _urgent("high_flow"),
    _state("valve_not_opened"),
    _state("no_flow"),
    _state("low_flow"),
    _state("pump_not_started"),
    _state("coil_not_closed"),
    _state("tank_ran_low"),
    _state("mains_bad"),
    _state("mains_uneven"),
    _state("mains_gone"),
    _state("emergency_stop"),
    _state("stop_button_silent"),
    _state("water_test_due", repeat=(7 * DAY,), escalate_seconds=None),
    _state("probe_frozen", repeat=(DAY,), escalate_seconds=None),
    _state("probe_drifting", repeat=(DAY,), escalate_seconds=None),
    _state("bus_silent", hold_seconds=MINUTE, clear_seconds=MINUTE),
    _state("supervisor_gone", hold_seconds=MINUTE, clear_seconds=MINUTE, second=TECHNICAL),
    _technical("message_conflict"),
    _technical("store_damaged"),
    _state("taken_up", hold_seconds=0, repeat=(DAY,), escalate_seconds=None),
    _technical("telemetry_dropped"),
    _technical("rows_refused"),
    _state("gateway_alarm"),  # a code of a newer gateway
)  # fmt: skip

CROPS = ("general", "greens", "tomato", "melon", "strawberry")


@dataclass(frozen=True)
class _Likes:
    """°C at which a crop suffers: harmed, cold, hot, burnt; and the driest soil, in percent."""

    frost: float
    cold: float
    hot: float
    burnt: float
    dry: float


_LIKES = {
    "general": _Likes(5.0, 8.0, 40.0, 45.0, 25.0),
    "greens": _Likes(3.0, 6.0, 35.0, 40.0, 35.0),
    "tomato": _Likes(5.0, 9.0, 37.0, 42.0, 30.0),
    "melon": _Likes(8.0, 12.0, 40.0, 45.0, 30.0),
    "strawberry": _Likes(1.0, 4.0, 33.0, 38.0, 35.0),
}


def _of_crop(crop: str) -> tuple[Rule, ...]:
    likes = _LIKES[crop]
    return (
        Rule("cold", "warning", likes.cold, likes.cold + 2, 15 * MINUTE, 30 * MINUTE),
        Rule("frost", "alarm", likes.frost, likes.frost + 1.5, 2 * MINUTE, 15 * MINUTE,
             urgent=True, over=("cold",), escalate_seconds=30 * MINUTE),
        Rule("heat", "warning", likes.hot, likes.hot - 3, 15 * MINUTE, 15 * MINUTE),
        Rule("scorch", "alarm", likes.burnt, likes.burnt - 3, 5 * MINUTE, 10 * MINUTE,
             over=("heat",), escalate_seconds=30 * MINUTE),
        Rule("soil_dry", "warning", likes.dry, likes.dry + 3, 30 * MINUTE, 10 * MINUTE),
    )  # fmt: skip


def defaults(crop: str) -> dict[str, Rule]:
    """Return the rules of a crop that nobody has changed, by code."""
    found = _of_crop(crop if crop in CROPS else "general")
    return {rule.code: rule for rule in (*found, *_COMMON)}


# What people may change of a rule, with the least and the greatest value.
CHANGEABLE: dict[str, tuple[float, float]] = {
    "on": (-50.0, 20_000.0),
    "off": (-50.0, 20_000.0),
    "hold_seconds": (0, DAY),
    "clear_seconds": (0, DAY),
    "escalate_seconds": (MINUTE, DAY),
}
SWITCHES = ("enabled", "urgent")


def changed(rule: Rule, change: Mapping[str, Any]) -> Rule:
    """Return the rule with what people changed. Raises ``ValueError`` for what cannot be."""
    taken: dict[str, Any] = {}
    for name, value in change.items():
        if name in SWITCHES and isinstance(value, bool):
            taken[name] = value
        elif name == "escalate_seconds" and value is None:
            taken[name] = None
        elif name in CHANGEABLE and isinstance(value, (int, float)):
            low, high = CHANGEABLE[name]
            if isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{rule.code}: {name} must be from {low:g} to {high:g}")
            taken[name] = value
        else:
            raise ValueError(f"{rule.code}: {name} cannot be changed to {value!r}")
    made = replace(rule, **taken)
    if made.is_about_too_much != rule.is_about_too_much:
        raise ValueError(f"{rule.code}: the limits are the wrong way round")
    return made


def is_quiet(hours: tuple[int, int] | None, now: int, offset_seconds: int = 7 * HOUR) -> bool:
    """Say whether it is quiet time. ``hours`` are minutes of the local day, ``None`` for never.

    There is no daylight saving in Viet Nam, so the clock is seven hours ahead all year.
    """
    if hours is None or hours[0] == hours[1]:
        return False
    minute = (now + offset_seconds) % DAY // 60
    begin, end = hours
    return begin <= minute < end if begin < end else minute >= begin or minute < end
