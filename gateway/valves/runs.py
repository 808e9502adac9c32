"""A run: one zone open for N seconds, and the states it goes through.

The table below is the whole life of a run; ``Run.to`` refuses any other step.
"""

from dataclasses import dataclass, field
from typing import Any

OPENING = "opening"  # its valve has been pulsed, or is about to be; pump not yet for it
OPEN = "open"  # its coil was read back as on; main valve and pump follow
CLOSING = "closing"  # pump off first when it is the last, then the valve, each read back
CLOSED = "closed"  # its coil was read back as off; the meter is read once more
ENDED = "ended"  # told to the gateway until it says that it has heard

TRANSITIONS = (
    # from, what happens, to
    (OPENING, "the coil reads on", OPEN),
    (OPENING, "stopped, doubt, or the coil reads off twice", CLOSING),
    (OPEN, "the ordered end, stopped, or doubt", CLOSING),
    (
        CLOSING,
        "the coil reads off, or its pulse is over while the bus is away",
        CLOSED,
    ),
    (CLOSING, "the coil still reads on after five tries: the zone is locked", ENDED),
    (CLOSED, "the meter was read once more, or a second passed", ENDED),
)

_ALLOWED = {(a, b) for a, _, b in TRANSITIONS}


@dataclass
class Run:
    """One run. Times are seconds of the boot clock."""

    id: str
    zone: str
    coil: int
    ordered_seconds: float
    state: str = OPENING
    started_at: float | None = None  # when the board took the first pulse
    closed_at: float | None = None
    code: str = ""  # how it ended, a word of nongso.wire.reasons.ENDED
    values: dict[str, Any] = field(default_factory=dict)  # what belongs to the code
    litres: float | None = None  # unknown until a meter has counted
    metered_at: float | None = None
    opened_at: float | None = None  # when its coil was first read back as on
    pump_at: float | None = None  # when the pump was first switched on, or on again, for it
    usual_l_per_min: float | None = None  # what ought to flow, if anybody knows
    flow_l_per_min: float | None = (
        None  # what flowed, once it was steady and nothing else was open
    )
    fall_seconds: float = 0.0  # so long before its end the pump stops: of a wet test
    unopened_looks: int = 0  # read back as off in a row although pulsed
    refused: bool = False  # never really began: nobody is told of its end

    def to(self, state: str) -> None:
        """Take one of the steps in the table."""
        if (self.state, state) not in _ALLOWED:
            raise AssertionError(f"a run does not go from {self.state} to {state}")
        self.state = state

    def end(self, now: float) -> float:
        """When the run is to be over, by the order."""
        return (now if self.started_at is None else self.started_at) + self.ordered_seconds

    def left(self, now: float) -> float:
        """Seconds to go; 0 once it is closing."""
        return max(0.0, self.end(now) - now) if self.state in (OPENING, OPEN) else 0.0

    @property
    def pump_after_seconds(self) -> float | None:
        """Seconds from the open valve to the pump; ``None`` if it did not come so far."""
        known = self.opened_at is not None and self.pump_at is not None
        return self.pump_at - self.opened_at if known else None  # type: ignore[operator]

    def ran(self, now: float) -> float:
        """Seconds that water could flow so far."""
        if self.started_at is None:
            return 0.0
        return max(0.0, (now if self.closed_at is None else self.closed_at) - self.started_at)


class Refused(Exception):
    """A wish that comes to nothing; ``code`` is a word of nongso.wire.reasons.REFUSED."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.values = values
