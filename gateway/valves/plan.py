"""What the relay board is to be told next. Decides only: no bus, no socket, no clock.

How this works. Every coil is off unless a run wants it on, and "on" is only ever a pulse: the
board itself switches off when the pulse is over. A pulse reaches at most to the run's ordered
end and at most one lease beyond the gateway's last line, so it is trimmed at the end, and it
lapses by itself when gateway, supervisor or cable fail. The caller asks ``next_action`` again and
again, does it on the bus and tells the outcome (``pulsed``, ``switched_off``, ``looked``,
``failed``). What has been told but not read back is not believed.

Order: valve, then main valve, then pump when opening; pump, then valve, then main valve when
closing. The pump's pulse is shorter than the valve's, so that the order also holds when
everything lapses.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from nongso.gateway.valves.alarms import Alarms
from nongso.gateway.valves.runs import CLOSED, CLOSING, ENDED, OPEN, OPENING, Refused, Run

STUCK_AFTER_TRIES = 5  # written off and read back on so often: it does not close
PUMP_TRIES_FIRST = 3  # then the valve is closed under a running pump: flooding is worse
RETRY_SECONDS = 0.2
STUCK_RETRY_SECONDS = 1.0
LOOK_SECONDS = 1.0
SHORTEST_RUN_SECONDS = 1.0
RELAY_ALARM_SECONDS = 5.0
LAST_METER_SECONDS = 1.0
_SHORTEST_PULSE = 0.05


@dataclass(frozen=True)
class Layout:
    """Which coil is what. ``zones`` maps a zone to its coil and longest run."""

    zones: dict[str, tuple[int, float]]
    pump: int
    main: int
    coils: int
    auto_off: bool = True


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


class Plan:
    """All runs and all coils of one relay board. Begins by switching everything off."""

    def __init__(self, layout: Layout, lease_seconds: float, alarms: Alarms, now: float) -> None:
        self.layout = layout
        self.lease_seconds = lease_seconds
        self.renew_seconds = lease_seconds / 4
        self.pump_lead = min(0.4, lease_seconds / 5)
        self.alarms = alarms
        self.runs: list[Run] = []
        self.ended: dict[str, Run] = {}
        self.locked: set[str] = set()
        self.stuck: set[int] = set()
        self.seen: list[bool | None] = [None] * layout.coils
        self.ready = False  # everything was read back as off once since the start
        self.bus_bad_since: float | None = now
        self.pump_since: float | None = None
        self.last_on_at = now
        self._unsure = set(range(layout.coils))  # to be written off and read back
        self._written: set[int] = set()  # written off since the last look
        self._tries = dict.fromkeys(range(layout.coils), 0)
        self._retry_at = dict.fromkeys(range(layout.coils), 0.0)
        self._pulsed_at: dict[int, float] = {}
        self._sure_until = dict.fromkeys(range(layout.coils), 0.0)  # a pulse the board echoed
        self._maybe_until = dict.fromkeys(range(layout.coils), 0.0)  # also if the echo was lost
        self._blind_offs = 0  # offs in a row that the bus did not confirm
        self._look_at = now
        self._heard_at: float | None = None
        self._ticked_at = now

    # --- what people and the gateway ask for -----------------------------------------------

    def open(self, zone: str, seconds: float, run_id: str, now: float) -> Run:
        """Take a zone's run on. Raises ``Refused``; the same id twice is the same run."""
        for run in self.runs:
            if run.id == run_id:
                return run
        if run_id in self.ended:
            raise Refused("interrupted")
        if zone not in self.layout.zones:
            raise Refused("zone_unknown")
        coil, longest = self.layout.zones[zone]
        if not SHORTEST_RUN_SECONDS <= seconds <= longest:
            raise Refused("seconds_out_of_range", seconds=seconds, max_seconds=longest)
        if not self.layout.auto_off:
            raise Refused("board_without_auto_off")
        if not self.ready or self.bus_bad_since is not None:
            raise Refused("bus_silent")
        if zone in self.locked:
            raise Refused("zone_locked")
        if self.stuck:
            raise Refused("another_valve_stuck", zone=self._zone_of(min(self.stuck)))
        if any(r.zone == zone and r.state != CLOSED for r in self.runs):
            raise Refused("zone_busy")
        run = Run(run_id, zone, coil, seconds)
        self._pulsed_at.pop(coil, None)
        self._heard_at = now
        self.runs.append(run)
        return run

    def stop(self, zone: str | None, code: str, now: float) -> list[str]:
        """Close one zone, or all. Returns the zones that were open."""
        closing = [r for r in self._live() if zone in (None, r.zone)]
        for run in closing:
            self._close(run, code, now)
        return [r.zone for r in closing]

    def abandon(self, run: Run, now: float) -> None:
        """The run did not begin as asked and was refused: close it and tell nobody of its end."""
        run.refused = True
        if run.state in (OPENING, OPEN):
            self._close(run, "bus_lost", now)

    def unlock(self, zone: str) -> bool:
        """A person has looked: take the lock off, unless the coil still reads on."""
        if zone in self.layout.zones and self.layout.zones[zone][0] in self.stuck:
            return False
        self.locked.discard(zone)
        return True

    def gateway_heard(self, now: float) -> None:
        """A line came from the gateway: the lease counts from here."""
        self._heard_at = now

    def gateway_lost(self, now: float) -> None:
        """The gateway's connection is closed."""
        self._heard_at = None
        self.stop(None, "gateway_lost", now)

    def is_gateway_silent(self, now: float) -> bool:
        """Whether nobody holds the lease now."""
        return self._heard_at is None or now - self._heard_at > self.lease_seconds

    def heard(self, ids: set[str]) -> None:
        """The gateway has these ended runs on its disk."""
        self.ended = {i: r for i, r in self.ended.items() if i not in ids}

    def credit(self, litres: float, now: float) -> None:
        """Share what the meter counted equally among the runs that were open."""
        sharing = [r for r in self.runs if r.started_at is not None]
        for run in sharing:
            run.litres += litres / len(sharing)
        for run in [r for r in self.runs if r.state == CLOSED]:
            self._end(run)

    # --- what is to be done ----------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let time pass: ends, lost leases, doubts."""
        frozen = now - self._ticked_at > self.lease_seconds
        self._ticked_at = now
        silent = self.is_gateway_silent(now)
        bus_bad = self.bus_bad_since is not None
        bus_lost = bus_bad and now - (self.bus_bad_since or now) >= self.lease_seconds / 2
        for run in self._live():
            lapsed = run.started_at is not None and now > self._sure_until[run.coil] + 0.1
            if now >= run.end(now) and self._sure_until[run.coil] >= run.end(now) - 0.1:
                self._close(run, "done", now)
            elif bus_lost or (lapsed and bus_bad):
                self._close(run, "bus_lost", now)
            elif frozen:
                self._close(run, "restarted", now)
            elif silent:
                self._close(run, "gateway_lost", now)
            elif now >= run.end(now):
                self._close(run, "done", now)
            elif lapsed:
                self._close(run, "restarted", now)
        for run in [r for r in self.runs if r.state == CLOSING]:
            if bus_bad and now > self._maybe_until[run.coil] + 0.5:
                # The last pulse that was echoed is the likely truth; the wait covers the others.
                self._closed(run, self._sure_until[run.coil])
        for run in [r for r in self.runs if r.state == CLOSED]:
            if now > (run.closed_at or 0.0) + LAST_METER_SECONDS:
                self._end(run)
        if bus_bad and now - (self.bus_bad_since or now) >= RELAY_ALARM_SECONDS:
            self.alarms.raise_("bus_silent", "relay", device="relay")

    def next_action(self, now: float) -> Action | None:
        """What to do on the bus now, or ``None``. Offs come first."""
        coil = self._next_off(now)
        if coil is not None:
            return Off(coil)
        if self.ready:
            for coil, reach in self._wanted(now):
                last = self._pulsed_at.get(coil)
                due = last is None or now - last >= self.renew_seconds
                if due and reach - now >= _SHORTEST_PULSE:
                    return Pulse(coil, reach - now)
        if self._written or now >= self._look_at:
            return Look()
        return None

    def due(self, now: float) -> float:
        """Seconds until there is something to do, when nothing is to be done now."""
        at = [self._look_at]
        wanted = dict(self._wanted(now))
        for run in self._live():
            at += [run.end(now), run.end(now) - self.pump_lead]
            at.append((self._heard_at or now) + self.lease_seconds)
        at += [self._pulsed_at[c] + self.renew_seconds for c in wanted if c in self._pulsed_at]
        at += [self._retry_at[c] for c in self._to_switch_off(wanted)]
        return min((t - now for t in at if t > now), default=RETRY_SECONDS)

    def is_all_closed(self, now: float) -> bool:
        """Whether every coil was read back as off, or has lapsed while nobody answers."""
        if not self._unsure and not self._live():
            return True
        return self.bus_bad_since is not None and now > max(self._maybe_until.values()) + 0.5

    def is_read_as_closed(self, zone: str | None) -> bool:
        """Whether a zone's coil, or every coil, was read back as off since it was told to be."""
        only = self.layout.zones.get(zone or "")
        coils = range(self.layout.coils) if only is None else (only[0],)
        return all(c not in self._unsure and self.seen[c] is False for c in coils)

    def quiet_seconds(self, now: float) -> float:
        """How long all coils have been off, by reading back; 0 when in doubt."""
        if self.runs or self.bus_bad_since is not None or any(s is not False for s in self.seen):
            return 0.0
        return now - self.last_on_at

    # --- what came of it -------------------------------------------------------------------

    def pulsed(self, pulse: Pulse, sent_at: float, now: float) -> None:
        """The board has echoed a pulse."""
        coil = pulse.coil
        self._bus_good(now)
        self._pulsed_at[coil] = sent_at
        self._sure_until[coil] = sent_at + pulse.seconds
        self._maybe_until[coil] = max(self._maybe_until[coil], now + pulse.seconds)
        self._unsure.discard(coil)
        for run in self._live():
            if run.coil == coil and run.started_at is None:
                run.started_at = sent_at
            if run.coil == coil and run.state == OPENING:
                self._look_at = now
        if coil == self.layout.pump and self.pump_since is None:
            self.pump_since = now
        self.last_on_at = now

    def switched_off(self, off: Off, now: float) -> None:
        """The board has echoed an off; it counts once it is read back."""
        self._bus_good(now)
        self._written.add(off.coil)
        self._pulsed_at.pop(off.coil, None)
        if off.coil == self.layout.pump:
            self.pump_since = None

    def looked(self, coils: tuple[bool, ...], now: float) -> None:
        """All coils were read."""
        self._bus_good(now)
        self._look_at = now + min(LOOK_SECONDS, self.renew_seconds)
        written, self._written = self._written, set()
        for coil, on in enumerate(coils):
            self.seen[coil] = on
            if on:
                self.last_on_at = now
                if coil in written:
                    self._not_off(coil, now)
            elif coil in written or coil not in self._unsure:
                self._is_off(coil)
        self.ready = self.ready or not self._unsure
        for run in self._live():
            self._judge(run, now)
        for run in [r for r in self.runs if r.state == CLOSING]:
            if run.coil not in self._unsure:
                lapsed_at = max(self._maybe_until[run.coil], run.started_at or now)
                self._closed(run, min(now, lapsed_at))

    def failed(self, action: Action, now: float) -> None:
        """The bus did not do it, or did it and the answer was lost."""
        if self.bus_bad_since is None:
            self.bus_bad_since = now
        self._look_at = now
        self._written.clear()
        self.seen = [None] * self.layout.coils
        if isinstance(action, Off):  # the next try is another coil's, so that each has its turn
            self._retry_at[action.coil] = now + 2 * RETRY_SECONDS
            self._blind_offs += 1
        if isinstance(action, Pulse):
            until = now + action.seconds
            self._maybe_until[action.coil] = max(self._maybe_until[action.coil], until)
            self._unsure.add(action.coil)

    # --- inside ----------------------------------------------------------------------------

    def _live(self) -> list[Run]:
        return [r for r in self.runs if r.state in (OPENING, OPEN)]

    def _zone_of(self, coil: int) -> str | None:
        return next((z for z, (c, _) in self.layout.zones.items() if c == coil), None)

    def _wanted(self, now: float) -> Iterator[tuple[int, float]]:
        """The coils that are to be on and until when, in the order of opening."""
        heard = -1.0 if self._heard_at is None else self._heard_at
        reaches = [(r, min(r.end(now), heard + self.lease_seconds)) for r in self._live()]
        for run, reach in reaches:
            if reach > now:
                yield run.coil, reach
        flowing = max((reach for run, reach in reaches if run.state == OPEN), default=0.0)
        if flowing > now:
            yield self.layout.main, flowing
        if flowing - self.pump_lead > now:
            yield self.layout.pump, flowing - self.pump_lead

    def _to_switch_off(self, wanted: dict[int, float]) -> list[int]:
        return [
            c
            for c in range(self.layout.coils)
            if c not in wanted and (c in self._unsure or self.seen[c]) and c not in self._written
        ]

    def _next_off(self, now: float) -> int | None:
        wanted = dict(self._wanted(now))
        pending = self._to_switch_off(wanted)
        pump, main = self.layout.pump, self.layout.main
        pump_is_on = pump not in wanted and (pump in self._unsure or bool(self.seen[pump]))
        for coil in sorted(pending, key=lambda c: (c != pump, c == main, c)):
            waits = self._tries[pump] < PUMP_TRIES_FIRST and not self._blind_offs
            if coil != pump and pump_is_on and waits:
                return None
            if now >= self._retry_at[coil]:
                return coil
        return None

    def _close(self, run: Run, code: str, now: float) -> None:
        run.to(CLOSING)
        run.code = code
        run.closing_since = now
        self._unsure.add(run.coil)
        if not self._live():
            self._unsure |= {self.layout.pump, self.layout.main}

    def _closed(self, run: Run, at: float) -> None:
        run.to(CLOSED)
        run.closed_at = at
        if run.refused:
            self.runs.remove(run)

    def _end(self, run: Run) -> None:
        run.to(ENDED)
        self.runs.remove(run)
        if not run.refused:
            self.ended[run.id] = run

    def _judge(self, run: Run, now: float) -> None:
        """Compare a run with what its coil was just read as."""
        if self.seen[run.coil]:
            run.unopened_looks = 0
            if run.state == OPENING:
                run.to(OPEN)
                self.alarms.clear("valve_not_opened", run.zone)
        elif run.started_at is not None and now < self._sure_until[run.coil]:
            run.unopened_looks += 1
            self._pulsed_at.pop(run.coil, None)  # once more: the board may have restarted
            if run.unopened_looks >= 2:
                self.alarms.raise_("valve_not_opened", run.zone, zone=run.zone)
                self._close(run, "valve_not_opened", now)

    def _not_off(self, coil: int, now: float) -> None:
        self._tries[coil] += 1
        is_stuck = self._tries[coil] >= STUCK_AFTER_TRIES
        self._retry_at[coil] = now + (STUCK_RETRY_SECONDS if is_stuck else RETRY_SECONDS)
        self._unsure.add(coil)
        if not is_stuck or coil in self.stuck:
            return
        self.stuck.add(coil)
        zone = self._zone_of(coil)
        if coil == self.layout.pump:
            self.alarms.raise_("pump_not_stopped")
        else:
            self.alarms.raise_("valve_not_closed", zone or f"coil {coil}", zone=zone)
        if zone is not None:
            self.locked.add(zone)
        for run in [r for r in self.runs if r.coil == coil and r.state == CLOSING]:
            run.code = "valve_not_closed"
            run.closed_at = now
            self._end(run)
        self.stop(None, "valve_not_closed", now)
        self._unsure |= {self.layout.pump, self.layout.main}

    def _is_off(self, coil: int) -> None:
        self._unsure.discard(coil)
        self._tries[coil] = 0
        self._retry_at[coil] = 0.0
        self.stuck.discard(coil)
        if coil == self.layout.pump:
            self.pump_since = None
            self.alarms.clear("pump_not_stopped")
        else:
            self.alarms.clear("valve_not_closed", self._zone_of(coil) or f"coil {coil}")

    def _bus_good(self, now: float) -> None:
        self._blind_offs = 0
        self.bus_bad_since = None
        self.alarms.clear("bus_silent", "relay")
