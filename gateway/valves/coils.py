"""What is known about the coils of one relay board, and which of them to write next. Decides only.

A coil is believed to be off only when off was written to it *and* read back since it was last in
doubt; until then it is *unsure* and off is written again. A pulse is believed in two ways: it is
*sure* when the board has echoed it, and it *may* have begun also when the echo was lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass

STUCK_AFTER_TRIES = 5  # written off and read back on so often: it does not close
PUMP_TRIES_FIRST = 3  # then the valve is closed under a running pump: flooding is worse
RETRY_SECONDS = 0.2
STUCK_RETRY_SECONDS = 1.0
LOOK_SECONDS = 1.0
_SHORTEST_PULSE = 0.05

Wanted = dict[int, float]  # coil: until when it is to be on, in the order of opening


@dataclass(frozen=True)
class Pulse:
    """Switch a coil on for some seconds."""

    coil: int
    seconds: float


@dataclass(frozen=True)
class Off:
    """Switch a coil off."""

    coil: int


@dataclass(frozen=True)
class Look:
    """Read all coils back."""


Action = Pulse | Off | Look


class Coils:
    """All coils of the board; at the start every one is unsure."""

    def __init__(
        self,
        count: int,
        pump: int,
        main: int,
        renew_seconds: float,
        now: float,
        siren: int | None = None,
    ) -> None:
        self._pump, self._main, self._renew_seconds = pump, main, renew_seconds
        self._siren = siren  # a horn or lamp: on or off, it moves no water
        self.seen: list[bool | None] = [None] * count
        self.stuck: set[int] = set()
        self.ready_at: float | None = None  # everything was first read back as off
        self.silent_since: float | None = now  # the bus does not answer since then
        self.last_on_at = now
        self.pump_since: float | None = None
        self.pump_off_at: float | None = None  # it was last found, or switched, off then
        self.sure_until = [0.0] * count
        self.maybe_until = [0.0] * count
        self._unsure = set(range(count))
        self._written: set[int] = set()  # written off since the last look
        self._tries = [0] * count
        self._retry_at = [0.0] * count
        self._pulsed_at: dict[int, float] = {}
        self._blind_offs = 0  # offs in a row that the bus did not confirm
        self._look_at = now

    # --- what is known ---------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether everything was read back as off once since the start."""
        return self.ready_at is not None

    def is_surely_off(self, coils: Iterable[int]) -> bool:
        """Whether these were written off and read back as off."""
        return all(c not in self._unsure and self.seen[c] is False for c in coils)

    def is_unsure(self, coil: int) -> bool:
        """Whether off must still be written or read back."""
        return coil in self._unsure

    def have_lapsed(self, now: float) -> bool:
        """Whether every pulse that may have been taken is over."""
        return now > max(self.maybe_until) + 0.5

    def quiet_seconds(self, now: float) -> float:
        """How long all have been off, by reading back; 0 when in doubt."""
        of_water = [on for coil, on in enumerate(self.seen) if coil != self._siren]
        if self.silent_since is not None or any(on is not False for on in of_water):
            return 0.0
        return now - self.last_on_at

    def doubt(self, *coils: int) -> None:
        """These are to be off: write it and read it back."""
        self._unsure |= set(coils)

    def pulse_again(self, coil: int) -> None:
        """The next pulse is due at once."""
        self._pulsed_at.pop(coil, None)

    # --- what to do next -------------------------------------------------------------------

    def next_action(self, wanted: Wanted, now: float) -> Action | None:
        """What to do on the bus now, or ``None``. Offs come first."""
        coil = self._next_off(wanted, now)
        if coil is not None:
            return Off(coil)
        if self.is_ready:
            for coil, until in wanted.items():
                last = self._pulsed_at.get(coil)
                due = last is None or now - last >= self._renew_seconds
                if due and until - now >= _SHORTEST_PULSE:
                    return Pulse(coil, until - now)
        return Look() if self._written or now >= self._look_at else None

    def can_wait(self, action: Action | None, now: float, seconds: float) -> bool:
        """Whether this, or nothing, may be done so much later: no off that is not read back yet,
        and no pulse that would lapse or has not begun."""
        if isinstance(action, Pulse):
            return self.sure_until[action.coil] - now > seconds
        return not isinstance(action, Off) and not self._written and not self._unsure

    def due(self, wanted: Wanted) -> list[float]:
        """The moments at which there may be something to do."""
        renewals = [
            self._pulsed_at[c] + self._renew_seconds for c in wanted if c in self._pulsed_at
        ]
        retries = [self._retry_at[c] for c in self._to_switch_off(wanted)]
        return [self._look_at, *renewals, *retries]

    def _to_switch_off(self, wanted: Wanted) -> list[int]:
        return [
            c
            for c, on in enumerate(self.seen)
            if c not in wanted and (c in self._unsure or on) and c not in self._written
        ]

    def _next_off(self, wanted: Wanted, now: float) -> int | None:
        pump, main = self._pump, self._main
        pump_is_on = pump not in wanted and (pump in self._unsure or bool(self.seen[pump]))
        others_wait = pump_is_on and self._tries[pump] < PUMP_TRIES_FIRST and not self._blind_offs
        for coil in sorted(self._to_switch_off(wanted), key=lambda c: (c != pump, c == main, c)):
            if coil != pump and others_wait:
                return None
            if now >= self._retry_at[coil]:
                return coil
        return None

    # --- what came of it -------------------------------------------------------------------

    def pulsed(self, pulse: Pulse, sent_at: float, now: float) -> None:
        """The board has echoed a pulse."""
        self._answered()
        self._pulsed_at[pulse.coil] = sent_at
        self.sure_until[pulse.coil] = sent_at + pulse.seconds
        self._may_be_on(pulse, now)
        self._unsure.discard(pulse.coil)
        if pulse.coil == self._pump and self.pump_since is None:
            self.pump_since = now
        if pulse.coil != self._siren:
            self.last_on_at = now

    def should_be_on(self, coil: int, now: float) -> bool:
        """Whether it was pulsed, not switched off since, and the board's own time still runs."""
        return coil in self._pulsed_at and now < self.sure_until[coil]

    def look_now(self, now: float) -> None:
        """The next look is due at once."""
        self._look_at = now

    def switched_off(self, off: Off, now: float) -> None:
        """The board has echoed an off; it counts once it is read back."""
        self._answered()
        self._written.add(off.coil)
        self._pulsed_at.pop(off.coil, None)
        if off.coil == self._pump:
            self._pump_is_off(now)

    def looked(self, coils: tuple[bool, ...], now: float) -> list[int]:
        """All coils were read. Returns those that are found not to close just now."""
        self._answered()
        self._look_at = now + min(LOOK_SECONDS, self._renew_seconds)
        written, self._written = self._written, set()
        newly_stuck = []
        for coil, on in enumerate(coils):
            self.seen[coil] = on
            if on:
                if coil != self._siren:
                    self.last_on_at = now
                if coil in written and self._did_not_go_off(coil, now):
                    newly_stuck.append(coil)
            elif coil in written or coil not in self._unsure:
                self._went_off(coil, now)
        if self.ready_at is None and not self._unsure:
            self.ready_at = now
        return newly_stuck

    def refused(self, pulse: Pulse, now: float) -> None:
        """The board answers that it does not switch this coil on; who knows how it is now."""
        self._answered()
        self._pulsed_at[pulse.coil] = now
        self._may_be_on(pulse, now)
        self._unsure.add(pulse.coil)
        self._look_at = now

    def failed(self, action: Action, now: float) -> None:
        """The bus did not do it, or did it and the answer was lost."""
        if self.silent_since is None:
            self.silent_since = now
        self._look_at = now
        self._written.clear()
        self.seen = [None] * len(self.seen)
        if isinstance(action, Off):  # the next try is another coil's, so that each has its turn
            self._retry_at[action.coil] = now + 2 * RETRY_SECONDS
            self._blind_offs += 1
        elif isinstance(action, Pulse):
            self._may_be_on(action, now)
            self._unsure.add(action.coil)

    def _answered(self) -> None:
        if self._blind_offs:  # what was tried in vain is tried again at once, the pump first
            self._retry_at = [0.0] * len(self.seen)
        self._blind_offs = 0
        self.silent_since = None

    def _may_be_on(self, pulse: Pulse, now: float) -> None:
        until = now + pulse.seconds
        self.maybe_until[pulse.coil] = max(self.maybe_until[pulse.coil], until)

    def _did_not_go_off(self, coil: int, now: float) -> bool:
        """Count a vain try; whether the coil counts as stuck from now on."""
        self._unsure.add(coil)
        self._tries[coil] += 1
        is_stuck = self._tries[coil] >= STUCK_AFTER_TRIES
        self._retry_at[coil] = now + (STUCK_RETRY_SECONDS if is_stuck else RETRY_SECONDS)
        if not is_stuck or coil in self.stuck or coil == self._siren:
            return False
        self.stuck.add(coil)
        return True

    def _pump_is_off(self, now: float) -> None:
        if self.pump_since is not None:
            self.pump_off_at = now
        self.pump_since = None

    def _went_off(self, coil: int, now: float) -> None:
        self._unsure.discard(coil)
        self.stuck.discard(coil)
        self._tries[coil] = 0
        self._retry_at[coil] = 0.0
        if coil == self._pump:
            self._pump_is_off(now)
