"""Which zones are open, for how long, and why not. Decides only: no bus, no socket, no clock.

How this works. Every coil is off unless a run wants it on, and "on" is only ever a pulse: the
board itself switches off when the pulse is over. A pulse reaches at most to the run's ordered
end and at most one lease beyond the gateway's last line, so it is trimmed at the end, and it
lapses by itself when gateway, supervisor or cable fail. The caller asks ``next_action`` again and
again, does it on the bus and tells the outcome (``pulsed``, ``switched_off``, ``looked``,
``failed``). What has been told but not read back is not believed: ``coils.py``.

Order: valve, then main valve, then pump when opening; pump, then valve, then main valve when
closing. The pump's pulse is shorter than the valve's and the main valve's a little longer, so
that the order also holds when everything lapses. In a wet test the pump stops some seconds before
the valve, and the main valve may stay open a while after it, without the pump: ``fall.py``.
"""

import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from nongso.gateway.valves.alarms import Alarms
from nongso.gateway.valves.coils import RETRY_SECONDS, Action, Coils, Off, Pulse, Wanted
from nongso.gateway.valves.fall import FALL_SECONDS, HELD_SECONDS, Fall
from nongso.gateway.valves.flow import LEARNT_FROM_SECONDS, STEADY_AFTER_SECONDS, Usual
from nongso.gateway.valves.hand import LONGEST_SECONDS, Hand
from nongso.gateway.valves.runs import CLOSED, CLOSING, ENDED, OPEN, OPENING, Refused, Run
from nongso.gateway.valves.siren import Siren
from nongso.gateway.valves.supply import Lack
from nongso.wire.reasons import LOOKED_AFTER

SHORTEST_RUN_SECONDS = 1.0
PUMP_LEAD_SECONDS = 0.4
MAIN_LAG_SECONDS = 0.2  # boards round pulses to tenths: the main valve must not lapse first
RELAY_ALARM_SECONDS = 5.0
LAST_METER_SECONDS = 1.0
METER_GAP_SECONDS = 3.0  # counted so long before a run began: other water than the run's
METER_SILENT_SECONDS = 15.0  # a run that ends so long after the meter's last word: litres unknown
BUTTON_SILENT_SECONDS = 10.0  # nobody knows so long whether the red button is in: it counts so
DAY_SECONDS = 86400.0
UNOPENED_LOOKS = 2  # read back as off, or refused, so often in a row although pulsed
BUTTON_SILENT = Lack("stop_button_silent", {})


@dataclass(frozen=True)
class Care:
    """What pump and valves need between two starts, and what is usual."""

    pump_delay_seconds: float = 0.0  # from the open valve to the pump: the valve travels first
    pump_rest_seconds: float = 0.0  # a motor that was just switched off is not started at once
    valve_rest_seconds: float = 0.0  # so long at least a valve stays closed
    day_seconds: dict[str, float] = field(default_factory=dict)  # of each zone, in any 24 hours
    flow_l_per_min: dict[str, float] = field(default_factory=dict)  # usual, of each zone
    pump_l_per_min: float | None = None  # more the pump never gives
    zones_at_once: int | None = None  # for more open zones pump and pipe are not enough
    windows: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    """Of each zone: in any so many seconds at most so many seconds of water."""


@dataclass(frozen=True)
class Switches:
    """Which input of the cabinet is the red button, and which the hand-auto switch of a zone.

    A button that is closed at rest stops the water also when its wire breaks.
    """

    stop: int | None = None
    stop_is_closed_at_rest: bool = True
    hands: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Which coil is what. ``zones`` maps a zone to its coil and longest run."""

    zones: dict[str, tuple[int, float]]
    pump: int
    main: int
    coils: int
    auto_off: bool = True
    siren: int | None = None
    switches: Switches = field(default_factory=Switches)
    care: Care = Care()
    has_meter: bool = True

    def zone_of(self, coil: int) -> str | None:
        """The zone whose valve a coil is."""
        return next((z for z, (c, _) in self.zones.items() if c == coil), None)


class Plan:
    """All runs on one relay board. Begins by switching everything off."""

    def __init__(self, layout: Layout, lease_seconds: float, alarms: Alarms, now: float) -> None:
        self.layout = layout
        self.lease_seconds = lease_seconds
        self.renew_seconds = lease_seconds / 4
        self.alarms = alarms
        self.coils = Coils(
            layout.coils, layout.pump, layout.main, self.renew_seconds, now, layout.siren
        )
        self.siren = Siren()
        self.lacks: dict[str, Lack] = {}  # of water, power or button: why nothing may run
        self.is_emergency = False  # somebody has pressed the red button and not pulled it out
        self._button_at = now  # when its unit answered last; before that, when this began
        self._is_button_known = False
        self.runs: list[Run] = []
        self.hands: dict[str, Hand] = {}  # zone: who waters it by hand now
        self.ended: dict[str, Run | Hand] = {}
        self.fall: Fall | None = None  # of the last wet test: whether its valve closes
        self.locked: set[str] = set()
        self.unlocked: dict[str, str] = {}  # id: zone that a person has looked after
        self._ran: dict[str, list[tuple[float, float]]] = {}  # zone: ended at, seconds; of a day
        self._pump_lead = min(PUMP_LEAD_SECONDS, lease_seconds / 5)
        self._off_looks: dict[int, int] = {}  # of pump and main valve: read back as off in a row
        self._heard_at: float | None = None
        self._ticked_at = now
        self._shut_at: float | None = None  # when the valve of the last wet test was closed

    # --- what people and the gateway ask for -----------------------------------------------

    def open(
        self,
        zone: str,
        seconds: float,
        run_id: str,
        now: float,
        usual: float | None = None,
        is_test: bool = False,
    ) -> Run:
        """Take a zone's run on. Raises ``Refused``; the same id twice is the same run.

        ``usual`` is what ought to flow, in l/min; left out, as the settings say. In a wet test
        nobody knows it: the test is to find it out.
        """
        known = next((run for run in self.runs if run.id == run_id), None)
        if known is not None and known.zone == zone:
            return known
        self._check_id(run_id)
        self._check_zone(zone)
        coil, longest = self.layout.zones[zone]
        if not SHORTEST_RUN_SECONDS <= seconds <= longest:
            raise Refused("seconds_out_of_range", seconds=seconds, max_seconds=longest)
        if not self.layout.auto_off:
            raise Refused("board_without_auto_off")
        if self.is_emergency:
            raise Refused("emergency_stop")
        if zone in self.locked:
            raise Refused("zone_locked")
        if self.coils.stuck:
            stuck = min(self.coils.stuck)
            raise Refused("another_valve_stuck", zone=self.layout.zone_of(stuck))
        if not self.has_bus():
            raise Refused("bus_silent")
        if self._is_button_silent(now):
            raise Refused(BUTTON_SILENT.code)
        for lack in self.lacks.values():
            raise Refused(lack.code, **lack.values)
        if zone in self.hands or any(r.zone == zone and r.state != CLOSED for r in self.runs):
            raise Refused("zone_busy")
        self._check_account(zone, seconds, now)
        others = [r.zone for r in self.runs if r.state != CLOSED]
        if len(others) >= (self.layout.care.zones_at_once or math.inf):
            raise Refused("waits_for_pump", zone=others[0])
        run = Run(run_id, zone, coil, seconds)
        self._end_fall()
        if is_test:
            self._prepare_fall(run)
        else:
            run.usual_l_per_min = usual or self.layout.care.flow_l_per_min.get(zone)
        self.coils.pulse_again(coil)
        self._heard_at = now
        self.runs.append(run)
        return run

    def begin_hand(self, zone: str, seconds: float, hand_id: str, now: float) -> Hand:
        """A person waters this zone now. Raises ``Refused``; the same id twice is the same."""
        known = self.hands.get(zone)
        if known is not None and known.id == hand_id:
            return known
        self._check_id(hand_id)
        self._check_zone(zone)
        if not SHORTEST_RUN_SECONDS <= seconds <= LONGEST_SECONDS:
            raise Refused("seconds_out_of_range", seconds=seconds, max_seconds=LONGEST_SECONDS)
        if known is not None or any(r.zone == zone for r in self._live()):
            raise Refused("zone_busy")
        self.hands[zone] = Hand(hand_id, zone, seconds, now)
        self._end_fall()
        return self.hands[zone]

    def _check_zone(self, zone: str) -> None:
        if zone not in self.layout.zones:
            raise Refused("zone_unknown")

    def _check_id(self, new: str) -> None:
        """See that an id is not that of something that runs elsewhere, or of what is over."""
        if new in self.ended:
            raise Refused("interrupted")
        elsewhere = [run.zone for run in self.runs if run.id == new]
        elsewhere += [zone for zone, hand in self.hands.items() if hand.id == new]
        if elsewhere:
            raise Refused("not_understood", detail=f"this id is of a run in {elsewhere[0]}")

    def emergency(self, is_pressed: bool, now: float) -> None:
        """The red button at the cabinet: everything closes, and nothing opens while it is in."""
        if is_pressed and not self.is_emergency:
            self.stop(None, "emergency_stop", now)
            self.siren.silence(self.alarms)
            self.alarms.raise_("emergency_stop")
        elif not is_pressed:
            self.alarms.clear("emergency_stop")
        self.is_emergency = is_pressed
        self._button_at, self._is_button_known = now, True
        self.supply("button", None, now)

    def watch_button(self, now: float) -> None:
        """Close everything when the red button's unit has been silent for long."""
        silent_seconds = now - self._button_at
        if self.layout.switches.stop is not None and silent_seconds >= BUTTON_SILENT_SECONDS:
            self.supply("button", BUTTON_SILENT, now)

    def _is_button_silent(self, now: float) -> bool:
        """Whether it may be in and nobody knows: silent for long, or since the start."""
        silent_seconds = now - self._button_at
        return self.layout.switches.stop is not None and (
            not self._is_button_known or silent_seconds >= BUTTON_SILENT_SECONDS
        )

    def supply(self, role: str, lack: Lack | None, now: float) -> None:
        """How tank, mains or button (``role``) are now; while they lack, everything is closed."""
        before = self.lacks.pop(role, None)
        if before is not None and (lack is None or lack.code != before.code):
            self.alarms.clear(before.code)
        if lack is None:
            return
        self.lacks[role] = lack
        self.stop(None, lack.code, now, **lack.values)
        self.alarms.raise_(lack.code, **lack.values)

    def hand_switch(self, zone: str, is_on: bool, now: float) -> None:
        """The hand-auto switch of a zone, as it was just read."""
        by_switch = zone in self.hands and self.hands[zone].by_switch
        if is_on and zone not in self.hands:
            self.hands[zone] = Hand(str(uuid.uuid4()), zone, LONGEST_SECONDS, now, by_switch=True)
        elif by_switch and not is_on:
            self._end_hand(zone, "done", now)

    def _end_hand(self, zone: str, code: str, now: float) -> None:
        hand = self.hands.pop(zone, None)
        if hand is not None:
            hand.code, hand.ended_at = code, now
            self.ended[hand.id] = hand

    def _check_account(self, zone: str, seconds: float, now: float) -> None:
        """See that the valve has rested, and that the day's water is not used up.

        The gateway keeps the same account over restarts; this one does not depend on it.
        """
        care = self.layout.care
        windows = care.windows.get(zone, ())
        longest = max([DAY_SECONDS, *(window for window, _ in windows)])
        ran = [r for r in self._ran.get(zone, []) if now - r[0] < longest]
        if ran:
            self._ran[zone] = ran
            left = care.valve_rest_seconds - (now - ran[-1][0])
            if left > 0:
                raise Refused("resting", seconds_left=math.ceil(left))
        most = care.day_seconds.get(zone, math.inf)
        today = _within(ran, DAY_SECONDS, now)
        if today + seconds > most:
            raise Refused("daily_limit", seconds_today=round(today), max_seconds=most)
        for window, most in windows:
            had = _within(ran, window, now)
            if had + seconds > most:
                told = {"hours": window / 3600.0, "seconds_ran": round(had), "max_seconds": most}
                raise Refused("window_limit", **told)

    def lock(self, zones: Iterable[str]) -> None:
        """Nothing opens these until a person has looked."""
        self.locked |= set(zones)

    def stop(self, zone: str | None, code: str, now: float, **values: object) -> list[str]:
        """Close one zone, or all. Returns the zones that were open. Raises ``Refused``."""
        if zone is not None:  # who stops everything does not mean the person with the hose
            self._check_zone(zone)
            self._end_hand(zone, code, now)
        self._end_fall()
        closing = [r for r in self._live() if zone in (None, r.zone)]
        for run in closing:
            run.values = values
            self._close(run, code)
        return [r.zone for r in closing]

    def cut(self, code: str, now: float) -> list[str]:
        """Water does not flow as it should: close everything and lock what was open."""
        zones = self.stop(None, code, now)
        self.lock(zones)
        return zones

    def abandon(self, run: Run) -> None:
        """The run did not begin as asked and was refused: close it and tell nobody of its end."""
        run.refused = True
        if run.state in (OPENING, OPEN):
            self._close(run, "bus_lost")

    def unlock(self, zone: str) -> None:
        """A person has looked: take the lock off. Raises ``Refused`` while its coil reads on."""
        self._check_zone(zone)
        if self.layout.zones[zone][0] in self.coils.stuck:
            raise Refused("still_open", zone=zone)
        self.locked.discard(zone)
        self.unlocked[str(uuid.uuid4())] = zone
        self.siren.silence(self.alarms)
        for code in LOOKED_AFTER:
            self.alarms.clear(code, zone)

    def gateway_heard(self, now: float) -> None:
        """A line came from the gateway: the lease counts from here."""
        self._heard_at = now

    def gateway_lost(self, now: float) -> None:
        """The gateway's connection is closed."""
        self._heard_at = None
        self.stop(None, "gateway_lost", now)

    def heard(self, ids: set[str]) -> None:
        """The gateway has these ended runs, and what was unlocked, on its disk."""
        self.unlocked = {i: zone for i, zone in self.unlocked.items() if i not in ids}
        self.ended = {i: r for i, r in self.ended.items() if i not in ids}

    def credit(self, litres: float, since: float, now: float) -> None:
        """Share what the meter counted since ``since`` equally among the runs that were open,
        and among those who water by hand.

        A meter that was away and comes back in a run counts for those that ran all the time.
        """
        begun = [(r, r.started_at) for r in self.runs if r.started_at is not None]
        sharing = len(begun) + len(self.hands)
        for run, started_at in begun:
            if started_at - since <= METER_GAP_SECONDS:
                run.litres = (run.litres or 0.0) + litres / sharing
                run.metered_at = now
        for hand in self.hands.values():
            if hand.started_at - since <= METER_GAP_SECONDS:
                hand.litres = (hand.litres or 0.0) + litres / sharing
        self.end_closed()

    def end_closed(self) -> None:
        """What is closed is over: the meter has had its last word, or has none."""
        for run in self._in(CLOSED):
            self._end(run)

    # --- questions -------------------------------------------------------------------------

    def has_bus(self) -> bool:
        """Whether the board answers and everything was closed once."""
        return self.coils.is_ready and self.coils.silent_since is None

    def is_gateway_silent(self, now: float) -> bool:
        """Whether nobody holds the lease now."""
        return self._heard_at is None or now - self._heard_at > self.lease_seconds

    def is_all_closed(self, now: float) -> bool:
        """Whether every coil was read back as off, or has lapsed while nobody answers."""
        if self._live():
            return False
        is_silent = self.coils.silent_since is not None
        return self.is_read_as_closed(None) or (is_silent and self.coils.have_lapsed(now))

    def is_read_as_closed(self, zone: str | None) -> bool:
        """Whether a zone's coil, or every coil, was read back as off since it was told to be."""
        only = self.layout.zones.get(zone or "")
        every = (coil for coil in range(self.layout.coils) if coil != self.layout.siren)
        return self.coils.is_surely_off(every if only is None else only[:1])

    def quiet_seconds(self, now: float) -> float:
        """How long no run has been and all coils off; 0 when in doubt."""
        return 0.0 if self.runs else self.coils.quiet_seconds(now)

    def usual(self) -> Usual:
        """What ought to flow now, through the zones that are open."""
        runs = [r for r in self.runs if r.state == OPEN]
        known = [r.usual_l_per_min for r in runs if r.usual_l_per_min is not None]
        zones = tuple(sorted(r.zone for r in runs))
        if not runs or len(known) < len(runs):
            return Usual(zones)
        # Several zones may be more than the pump gives; then only the greatest is sure to be seen.
        pump = self.layout.care.pump_l_per_min
        least = max(known) if len(known) > 1 else sum(known)
        if pump is not None:
            least = min(sum(known), pump)
        return Usual(zones, least, sum(known))

    def metered(self, total: float, step: float, now: float) -> None:
        """The meter's counter, for what only a wet test asks."""
        fall = self.fall
        if fall is None or fall.is_over:
            return
        run = next((r for r in self.runs if r.id == fall.id), None)
        shut_at = self._shut_at
        is_pumped = self.coils.pump_since is not None or run is None or run.pump_at is None
        off_at = None if is_pumped else self.coils.pump_off_at
        fall.look(total, now, step, off_at, shut_at)

    def flowed(self, l_per_min: float) -> None:
        """So much flows steadily: what is usual for a zone that is open alone."""
        runs = [r for r in self.runs if r.started_at is not None]
        if len(runs) == 1 and runs[0].state == OPEN:
            runs[0].flow_l_per_min = l_per_min

    # --- what is to be done ----------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let time pass: ends, lost leases, doubts."""
        was_frozen = now - self._ticked_at > self.lease_seconds
        self._ticked_at = now
        silent_since = self.coils.silent_since
        silent_seconds = 0.0 if silent_since is None else now - silent_since
        for run in self._live():
            code = self._over(run, now, silent_seconds, was_frozen)
            if code is not None:
                self._close(run, code)
        for run in self._in(CLOSING):
            if silent_since is not None and now > self.coils.maybe_until[run.coil] + 0.5:
                # The last pulse that was echoed is the likely truth; the wait covers the others.
                self._closed(run, self.coils.sure_until[run.coil])
        for hand in list(self.hands.values()):
            if now >= hand.end(now):
                self._end_hand(hand.zone, "done", now)
        for run in self._in(CLOSED):
            if now > (run.closed_at or 0.0) + LAST_METER_SECONDS:
                self._end(run)
        if silent_seconds >= RELAY_ALARM_SECONDS:
            self.alarms.raise_("bus_silent", "relay", device="relay")
        held_until = None if self.fall is None else self.fall.held_until
        if held_until is not None and (
            now >= held_until
            or was_frozen
            or silent_since is not None
            or self.is_gateway_silent(now)
            or self.hands
        ):
            self._end_fall()
        self.siren.tick(self.alarms, now)

    def _over(self, run: Run, now: float, silent_seconds: float, was_frozen: bool) -> str | None:
        """Why an open run must close now, or ``None`` when it may go on."""
        sure_until, end = self.coils.sure_until[run.coil], run.end(now)
        has_lapsed = run.started_at is not None and now > sure_until + 0.1
        if now >= end and sure_until >= end - 0.1:
            return "done"  # the board itself has closed at the ordered end, whatever else happened
        if silent_seconds >= self.lease_seconds / 2 or (silent_seconds and has_lapsed):
            return "bus_lost"
        if was_frozen:
            return "restarted"
        if self.is_gateway_silent(now):
            return "gateway_lost"
        if now >= end:
            return "done"
        return "restarted" if has_lapsed else None

    def next_action(self, now: float) -> Action | None:
        """What to do on the bus now, or ``None``."""
        return self.coils.next_action(self._wanted(now), now)

    def due(self, now: float) -> float:
        """Seconds until there is something to do, when nothing is to be done now."""
        at = [*self.coils.due(self._wanted(now)), *(h.end(now) for h in self.hands.values())]
        for run in self._live():
            at += [run.end(now), run.end(now) - self._pump_lead, self._pump_from()]
            at += [run.end(now) - run.fall_seconds - self._pump_lead]
            at.append((self._heard_at or now) + self.lease_seconds)
        if self.fall is not None and self.fall.held_until is not None:
            at += [self.fall.held_until, (self._heard_at or now) + self.lease_seconds]
        return min((t - now for t in at if t > now), default=RETRY_SECONDS)

    def _wanted(self, now: float) -> Wanted:
        """The coils that are to be on and until when, in the order of opening."""
        heard = -1.0 if self._heard_at is None else self._heard_at
        reaches = [(r, min(r.end(now), heard + self.lease_seconds)) for r in self._live()]
        wanted = {run.coil: reach for run, reach in reaches if reach > now}
        opened = [(run, reach) for run, reach in reaches if run.state == OPEN]
        flowing = max((reach for _, reach in opened), default=0.0)
        if flowing > now:
            wanted[self.layout.main] = flowing + MAIN_LAG_SECONDS
        elif self.fall is not None and self.fall.held_until is not None:
            held_until = min(self.fall.held_until, heard + self.lease_seconds)
            if held_until > now:
                wanted[self.layout.main] = held_until
        ends = [min(reach, run.end(now) - run.fall_seconds) for run, reach in opened]
        pumped = max(ends, default=0.0)
        if pumped - self._pump_lead > now and now >= self._pump_from():
            wanted[self.layout.pump] = pumped - self._pump_lead
        if self.layout.siren is not None and self.siren.sounds(now):
            wanted[self.layout.siren] = now + self.lease_seconds
        return wanted

    def _pump_from(self) -> float:
        """When the pump may start: after the valve has travelled, and after its own rest."""
        if self.coils.pump_since is not None:
            return self.coils.pump_since
        care = self.layout.care
        opened = [r.opened_at for r in self._live() if r.opened_at is not None]
        rested = self.coils.pump_off_at
        return max(
            min(opened, default=0.0) + care.pump_delay_seconds,
            -math.inf if rested is None else rested + care.pump_rest_seconds,
        )

    # --- what came of it -------------------------------------------------------------------

    def pulsed(self, pulse: Pulse, sent_at: float, now: float) -> None:
        """The board has echoed a pulse."""
        self.coils.pulsed(pulse, sent_at, now)
        for run in self._live():
            if pulse.coil == self.layout.pump and run.opened_at is not None:
                run.pump_at = run.pump_at or now
            if run.coil == pulse.coil and run.started_at is None:
                run.started_at = sent_at
            if run.coil == pulse.coil and run.state == OPENING:
                self.coils.look_now(now)
        self._bus_answered()

    def switched_off(self, off: Off, now: float) -> None:
        """The board has echoed an off; it counts once it is read back."""
        self.coils.switched_off(off, now)
        self._bus_answered()

    def looked(self, coils: tuple[bool, ...], now: float) -> None:
        """All coils were read."""
        for coil in self.coils.looked(coils, now):
            self._does_not_close(coil, now)
        for coil, on in enumerate(coils):
            if not on:
                self._clear_alarm(coil)
        for run in self._live():
            self._judge(run, now)
        for coil in (self.layout.main, self.layout.pump):
            self._judge_shared(coil, now)
        for run in self._in(CLOSING):
            if not self.coils.is_unsure(run.coil):
                lapsed_at = max(self.coils.maybe_until[run.coil], run.started_at or now)
                self._closed(run, min(now, lapsed_at))
        self._bus_answered()

    def refused(self, pulse: Pulse, now: float) -> None:
        """The board answers, and says that it does not switch this coil on."""
        self.coils.refused(pulse, now)
        for run in self._live():
            if run.coil == pulse.coil:
                self._not_opened(run, now)
        if pulse.coil in (self.layout.main, self.layout.pump):
            self._not_started(pulse.coil, now)
        self._bus_answered()

    def failed(self, action: Action, now: float) -> None:
        """The bus did not do it, or did it and the answer was lost."""
        self.coils.failed(action, now)

    # --- inside ----------------------------------------------------------------------------

    def _live(self) -> list[Run]:
        return [r for r in self.runs if r.state in (OPENING, OPEN)]

    def _in(self, state: str) -> list[Run]:
        return [r for r in self.runs if r.state == state]

    def _close(self, run: Run, code: str) -> None:
        run.to(CLOSING)
        run.code = code
        self.coils.doubt(run.coil)
        if not self._live():
            self.coils.doubt(self.layout.pump, self.layout.main)
        if self.fall is not None and self.fall.id == run.id:
            self._watch_shut(run, code)

    def _prepare_fall(self, run: Run) -> None:
        """Let the pump stop early in a test that is long enough to measure its flow before."""
        steady = self.layout.care.pump_delay_seconds + STEADY_AFTER_SECONDS + LEARNT_FROM_SECONDS
        if self.layout.has_meter and run.ordered_seconds >= steady + FALL_SECONDS:
            run.fall_seconds = FALL_SECONDS
            self.fall, self._shut_at = Fall(run.id), None

    def _watch_shut(self, run: Run, code: str) -> None:
        """A test's valve is switched off: hold the main valve open if water flows by itself."""
        fall = self.fall
        if fall is None:
            return
        alone = not self._live() and not self.hands
        if code == "done" and alone and run.started_at is not None and fall.falls():
            fall.held_until = run.end(0.0) + HELD_SECONDS
        else:
            fall.end()

    def _end_fall(self) -> None:
        """Nothing more is measured of a test's valve; the main valve is held open no more."""
        if self.fall is not None and not self.fall.is_over:
            if self.fall.held_until is not None:
                self.coils.doubt(self.layout.main)
            self.fall.end()

    def _closed(self, run: Run, at: float) -> None:
        run.to(CLOSED)
        run.closed_at = at
        if self.fall is not None and self.fall.id == run.id:
            self._shut_at = at
        if run.started_at is not None:
            self._ran.setdefault(run.zone, []).append((at, run.ran(at)))
        if run.refused:
            self.runs.remove(run)

    def _end(self, run: Run) -> None:
        run.to(ENDED)
        self.runs.remove(run)
        silent = (run.closed_at or 0.0) - (run.metered_at or 0.0)
        if silent > METER_SILENT_SECONDS:
            run.litres = None
        if not run.refused:
            self.ended[run.id] = run

    def _judge(self, run: Run, now: float) -> None:
        """Compare an open run with what its coil was just read as."""
        if self.coils.seen[run.coil]:
            run.unopened_looks = 0
            if run.state == OPENING:
                run.to(OPEN)
                run.opened_at = now
                self.alarms.clear("valve_not_opened", run.zone)
        elif run.started_at is not None and now < self.coils.sure_until[run.coil]:
            self._not_opened(run, now)

    def _not_opened(self, run: Run, now: float) -> None:
        """Its relay did not switch: tried again once, as the board may have restarted."""
        run.unopened_looks += 1
        self.coils.pulse_again(run.coil)
        if run.unopened_looks >= UNOPENED_LOOKS:
            self.alarms.raise_("valve_not_opened", run.zone, zone=run.zone)
            self._close(run, "valve_not_opened")
            self.lock([run.zone])

    def _judge_shared(self, coil: int, now: float) -> None:
        """Compare pump or main valve with what it was just read as."""
        if self.coils.seen[coil] or not self.coils.should_be_on(coil, now):
            self._off_looks[coil] = 0
        elif any(r.state == OPEN for r in self.runs):
            self._not_started(coil, now)

    def _not_started(self, coil: int, now: float) -> None:
        """The relay of pump or main valve did not switch: no zone gets water by it."""
        self._off_looks[coil] = self._off_looks.get(coil, 0) + 1
        self.coils.pulse_again(coil)
        if self._off_looks[coil] >= UNOPENED_LOOKS:
            self._off_looks[coil] = 0
            for zone in self.cut("pump_not_started", now):
                self.alarms.raise_("pump_not_started", zone, zone=zone)

    def _does_not_close(self, coil: int, now: float) -> None:
        """Cut pump and main valve, end every run, lock the zone, raise the alarm."""
        zone = self.layout.zone_of(coil)
        if coil == self.layout.pump:
            self.alarms.raise_("pump_not_stopped")
        elif coil == self.layout.main:
            self.alarms.raise_("main_not_closed")
        elif zone is not None:
            self.alarms.raise_("valve_not_closed", zone, zone=zone)
        else:
            self.alarms.raise_("coil_not_closed", f"coil {coil}", coil=coil)
        self.lock(self.layout.zones if zone is None else [zone])
        for run in [r for r in self._in(CLOSING) if r.coil == coil]:
            run.code = "valve_not_closed"
            run.closed_at = now
            self._end(run)
        self.stop(None, "valve_not_closed", now)
        self.coils.doubt(self.layout.pump, self.layout.main)

    def _clear_alarm(self, coil: int) -> None:
        zone = self.layout.zone_of(coil)
        if coil == self.layout.pump:
            self.alarms.clear("pump_not_stopped")
        elif coil == self.layout.main:
            self.alarms.clear("main_not_closed")
        elif zone is not None:
            self.alarms.clear("valve_not_closed", zone)
        else:
            self.alarms.clear("coil_not_closed", f"coil {coil}")

    def _bus_answered(self) -> None:
        self.alarms.clear("bus_silent", "relay")


def _within(ran: list[tuple[float, float]], window: float, now: float) -> float:
    """Seconds of water that ended in the last ``window`` seconds."""
    return sum(seconds for ended, seconds in ran if now - ended < window)
