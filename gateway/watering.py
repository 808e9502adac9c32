"""Watering: does what the irrigation rules decide and what people wish.

Deciding is in ``irrigation/``, opening in the supervisor's process (``supervised.py`` talks to
it), writing down in ``waterrecords.py``; here they meet, once a second in ``tick`` and whenever
a command comes in ``order``.

A command has been verified and is fresh when it comes here (the uplink's work). The id of a wish
is on the disk before anything opens, so one wish waters once, whatever happens in between; while
the disk takes nothing, and when it was lost since the wish was made (``remembering.py``), the
wish is refused. A stop needs no disk and is done each time it arrives; what was wished before it
opens nothing any more (``stops.py``).
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from nongso.gateway.doubts import Doubts, LatestLike
from nongso.gateway.irrigation import balance, wettest
from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import Band, Drawn, Known, Reason, Source, Zone
from nongso.gateway.irrigation.gate import Wish, refusal
from nongso.gateway.irrigation.planting import read_balance
from nongso.gateway.irrigation.schedule import read_schedule
from nongso.gateway.irrigation.sources import day_at, is_test_old, standing
from nongso.gateway.proposals import proposed
from nongso.gateway.remembering import Remembering, age_of
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.stops import ONE, Given, Stops, number_of
from nongso.gateway.storecopy import TAKEN_UP
from nongso.gateway.supervised import BY_HAND, Supervised, ValvesLike
from nongso.gateway.teaching import Teaching
from nongso.gateway.turns import NOT_YET, Turns, is_too_old
from nongso.gateway.valves.clock import boot_id, boottime
from nongso.gateway.waterbook import Body, Held, Moment, WaterBook
from nongso.gateway.waterrecords import WaterRecords
from nongso.gateway.wettests import WetTests
from nongso.wire.payload import Reading
from nongso.wire.reasons import SAW_WELL

LAST_SECONDS = 1.0  # for the ends of runs, when the gateway is asked to end
_BAD_STARTS = ("valve_not_opened", "bus_silent", "supervisor_gone")


class Watering:
    """All zones of one gateway. ``order`` may come from another thread than ``tick``."""

    def __init__(
        self,
        settings: GatewaySettings,
        valves: ValvesLike,
        latest: LatestLike,
        store: Any,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = boottime,
    ) -> None:
        self.teaching = Teaching(store, clock)
        self._bus_node = settings.bus_node.eui64
        self._know(settings)
        self._latest, self._clock, self._steady, self._boot = latest, clock, steady, boot_id()
        self._supervised = Supervised(valves, steady, settings.bus.lease_seconds)
        self._store = Held(store, self._supervised.hold)
        self._book = WaterBook(settings, self._store)
        self._stops = Stops(self._store, steady, self._boot)
        self._turns = Turns(self._book, settings.bus.zones_at_once)
        self._remembering = Remembering(self._store, store.report()["store"], self._moment)
        self._records = WaterRecords(self._book, self._store, self._moment)
        self._tests = WetTests(self._book, steady, settings.bus.meter is not None)
        self._doubts = Doubts(settings, latest, self._book, self._records, clock, self.teaching)
        self._farm_clock = settings.farm_clock
        self._heed_taking_up(store)
        # Outcomes of an earlier life, which may have ended before their rows were written.
        self._maybe_untold = set(self._book.outcomes)
        self._reasons: dict[str, Reason] = {}  # why each closed zone is closed
        self._lock = threading.RLock()
        self._is_ending = False

    def _know(self, settings: GatewaySettings) -> None:
        """Note which stations measure each zone's soil, and the air around it."""
        self._probes = {
            zone: tuple(n.eui64 for n in settings.nodes if n.zone == zone)
            for zone in settings.zones()
        }
        self._inside = {
            zone.id: tuple(n.eui64 for n in settings.nodes if n.greenhouse == house.slug)
            for house in settings.greenhouses
            for zone in house.zones
        }

    def _heed_taking_up(self, store: Any) -> None:
        """After a backup or another machine was taken up, zones wait for a person.

        What people have switched off or stopped since the copy was made is not known here.
        """
        if not store.state(TAKEN_UP):
            return
        for zone in list(self._book.zones.values()):
            self._book.keep_zone(zones.stopped(zone))
        store.alarm_soon("taken_up", {}, {TAKEN_UP: ""})

    def renew(self, settings: GatewaySettings) -> None:
        """Take up new stations; the zones stay as they are."""
        with self._lock:
            self._know(settings)
            self._doubts.renew(settings)
            self._book.sources = {source.id: source for source in settings.sources}

    # --- from outside ----------------------------------------------------------------------

    def order(self, command: Body, given: Given = ONE) -> Body:
        """Carry out a command of a platform and return its outcome, which is recorded too."""
        with self._lock:
            command_id = str(command["id"])
            known = self._book.outcomes.get(command_id)
            if known is not None:
                if command_id in self._maybe_untold:
                    self._maybe_untold.discard(command_id)
                    self._records.tell_again(known)
                return known
            if command_id in self._book.waiting:  # this process died before it could say so
                return self._records.outcome(command_id, "queued", self._waiting(command_id))
            is_stop = command.get("do") == "stop"  # to do it twice harms nobody
            if not is_stop and self._store.seen_command(command_id):
                done = self._tests.answered_by(command_id)
                state, reason = done or ("refused", Reason("interrupted"))
                return self._records.outcome(command_id, state, reason)
            try:
                state, reason = self._carry_out(command_id, command, given)
            except (KeyError, TypeError, ValueError) as error:
                state, reason = "refused", Reason("not_understood", {"detail": str(error)})
            if is_stop:
                self._store.seen_command(command_id)
            if state != "refused":  # the facts first, so that no answer contradicts them
                self._look_and_tell()
            return self._records.outcome(command_id, state, reason)

    def tick(self) -> None:
        """Once a second: hold the lease, hear what ended, decide, and write down changes."""
        with self._lock:
            if self._is_ending:
                return
            self._supervised.hear(self._records)
            self._tests.tick(self._clock(), self._supervised.total_litres, self._supervised.shut)
            for zone_id in self._tests.left_open():
                self._supervised.stop(zone_id)
            self._doubts.tick()
            self._look_and_tell()

    def end(self) -> None:
        """The gateway is about to end: close what runs and write down how it ended, in a second.

        It holds no zone's band back, as a person's stop does: after the start it goes on.
        """
        if not self._lock.acquire(timeout=LAST_SECONDS):
            return  # a command waits for the supervisor: what runs closes with the lease
        try:
            self._is_ending = True
            if not self._book.runs:
                return
            if self._supervised.stop(None):
                until = time.monotonic() + LAST_SECONDS
                self._supervised.hear(self._records)
                while self._book.runs and time.monotonic() < until:
                    time.sleep(0.1)  # a valve that does not close at the first try
                    self._supervised.hear(self._records)
            self._book.keep_runs()  # of what is left, how far it was known to be
            for zone in self._book.zones.values():
                self._tell(zone)
        finally:
            self._lock.release()

    def running(self) -> frozenset[str]:
        """The ids of the runs that go on."""
        with self._lock:
            return frozenset(self._book.runs)

    def states(self) -> dict[str, Body]:
        """Each zone as it was last recorded, and what runs: for the local status page."""
        with self._lock:
            found = self._records.zones()
            for run in self._book.runs.values():
                if run["zone"] in found:
                    found[run["zone"]]["run"] = dict(run)
            return found

    # --- commands --------------------------------------------------------------------------

    def _carry_out(self, command_id: str, command: Body, given: Given) -> tuple[str, Reason]:
        """Return the command's state and reason."""
        do, zone_id = command["do"], command.get("zone")
        if do == "stop" and zone_id is None:
            return self._stop(None, command, given)
        if self._is_ending:
            return "refused", Reason("interrupted")
        if zone_id not in self._book.zones:
            return "refused", Reason("zone_unknown")
        if do == "stop":
            return self._stop(zone_id, command, given)
        number = number_of(command)
        brings_water = do in ("water", "wet_test")
        brings_water |= do == "mode" and command["mode"] in zones.AUTOMATIC
        if brings_water and self._stops.came_after(zone_id, number, given):
            return "refused", Reason("stopped_meanwhile")
        if do == "mode":
            done = self._set_mode(zone_id, command)
            if command["mode"] == "off":
                self._stops.note(zone_id, number, given)
            return done
        by = command.get("by")
        if do in ("water", "hand", "wet_test"):
            seconds = _seconds(command)
            if seconds is None:
                raise ValueError(f"{do} needs seconds")
            if do == "hand":
                return self._by_hand(command_id, zone_id, seconds, by)
            if not self._supervised.is_there:
                self._supervised.hear(self._records)  # it may have come back this second
            begin = self._water if do == "water" else self._test
            return begin(command_id, zone_id, seconds, by, age_of(command))
        if do == "wet_test_seen":
            return self._seen(command_id, zone_id, command, given)
        raise ValueError(f"do is {do!r}; it can be water, hand, stop, mode or wet_test")

    def _water(
        self, command_id: str, zone_id: str, seconds: int, by: str | None, age: float | None
    ) -> tuple[str, Reason]:
        if self._turns.wish_of(zone_id) is not None:
            return "refused", Reason("already_waiting")
        zone = self._book.zones[zone_id]
        refused = refusal(Wish(seconds), zone, self._known(zone_id, command_id))
        if refused is None or refused.code == "waits_for_pump":
            refused = self._forgotten(command_id, age) or refused
        if refused is None:
            refused = self._open(command_id, zone_id, seconds, "wished", Reason("wished"), by)
        if refused is not None and refused.code == "waits_for_pump":
            since = asdict(self._moment())
            wish = {"id": command_id, "zone": zone_id, "seconds": seconds, "by": by}
            self._book.keep_waiting(wish | {"since": since})
        elif refused is not None:
            return "refused", refused
        self._book.keep_zone(zones.wished(zone))
        return ("running", Reason("wished")) if refused is None else ("queued", refused)

    def _forgotten(self, command_id: str, age: float | None) -> Reason | None:
        """Why nothing may open for a wish that the disk could not keep from coming again."""
        if not self._store.has_on_disk(command_id):
            return Reason("cannot_record")
        return None if self._remembering.reaches(age) else Reason("interrupted")

    def _test(
        self, command_id: str, zone_id: str, seconds: int, by: str | None, age: float | None
    ) -> tuple[str, Reason]:
        """Begin a wet test: a short run that finds out what flows."""
        if not wettest.SHORTEST_SECONDS <= seconds <= wettest.LONGEST_SECONDS:
            most = {"seconds": seconds, "max_seconds": wettest.LONGEST_SECONDS}
            return "refused", Reason("seconds_out_of_range", most)
        zone, reason = self._book.zones[zone_id], Reason(wettest.CAUSE)
        refused = (
            self._tests.in_the_way(zone_id)
            or refusal(Wish(seconds, is_test=True), zone, self._known(zone_id, command_id))
            or self._forgotten(command_id, age)
        )
        if refused is not None:
            return "refused", refused
        self._tests.begin(zone, command_id, by, self._clock())
        refused = self._open(command_id, zone_id, seconds, wettest.CAUSE, reason, by)
        if refused is not None:
            self._tests.did_not_begin(zone, refused.code)
            self._supervised.hear(self._records)  # it may have locked the zone
            return "refused", refused
        return "running", reason

    def _seen(
        self, command_id: str, zone_id: str, command: Body, given: Given
    ) -> tuple[str, Reason]:
        """A person says what a wet test has shown.

        That it was right arms the zone, and so is refused like a start. That it was wrong is
        always heard, and closes the zone, whoever has opened it meanwhile.
        """
        test, number = command["test"], number_of(command)
        if test["saw"] in SAW_WELL:
            self._supervised.hear(self._records)  # what is locked, and the red button
            if not self._supervised.is_there:
                return "refused", Reason("supervisor_gone")
            if self._supervised.has_emergency:
                return "refused", Reason("emergency_stop")
            if self._stops.came_after(zone_id, number, given):
                return "refused", Reason("stopped_meanwhile")
        zone = self._book.zones[zone_id]
        done = self._tests.answer(zone, command_id, test, command.get("by"), self._clock())
        if done[0] != "done" or self._book.zones[zone_id].is_armed:
            return done
        is_closed = self._supervised.stop(zone_id)
        self._stops.note(zone_id, number, given)
        self._give_up_waiting(zone_id)
        self._supervised.hear(self._records)
        # The zone is off whatever happens; but nobody knows of its valve what was not told.
        return done if is_closed else ("done", Reason("failed_not_closed"))

    def _serve_the_waiting(self) -> None:
        """Open for the wishes whose turn it is; say of others why they wait no more."""
        for wish in list(self._book.waiting.values()):
            refused = self._next(wish)
            if refused is not None and refused.code in NOT_YET:
                continue
            self._book.give_up_waiting(wish["id"])
            if refused is None:
                self._records.outcome(wish["id"], "running", Reason("wished"))
            else:
                self._records.outcome(wish["id"], "refused", refused)

    def _next(self, wish: Body) -> Reason | None:
        """Open for a wish that has waited. Returns why not."""
        moment = self._moment()
        if self._supervised.has_emergency:
            return Reason("emergency_stop")
        if is_too_old(wish, moment):
            return Reason("waited_too_long")
        if not self._store.has_on_disk(wish["id"]):
            return Reason("cannot_record")
        known = self._known(wish["zone"], wish["id"])
        refused = refusal(Wish(wish["seconds"]), self._book.zones[wish["zone"]], known)
        if refused is not None:
            return refused
        refused = self._open(
            *(wish["id"], wish["zone"], wish["seconds"], "wished", Reason("wished"), wish["by"])
        )
        if refused is not None and refused.code in NOT_YET:
            self._book.keep_waiting(wish)  # what was closed just now still counts there
        return refused

    def _give_up_waiting(self, zone_id: str | None) -> None:
        """Somebody has stopped a zone, or all: what waits there is not wanted any more."""
        for wish in list(self._book.waiting.values()):
            if zone_id in (None, wish["zone"]):
                self._book.give_up_waiting(wish["id"])
                self._records.outcome(wish["id"], "refused", Reason("stopped_meanwhile"))

    def _waiting(self, wish_id: str) -> Reason:
        """Why a wish waits."""
        zone = self._book.waiting[wish_id]["zone"]
        ahead = self._tests.ahead() or self._turns.ahead(zone, wish_id)
        return Reason("waits_for_pump", {"zone": ahead or zone})

    def _by_hand(
        self, command_id: str, zone_id: str, seconds: int, by: str | None
    ) -> tuple[str, Reason]:
        """A person waters this zone: nothing is in the way of that, and nothing is opened."""
        if self._run_in(zone_id) is not None:
            return "refused", Reason("zone_busy")
        reason = Reason("by_hand")
        refused = self._open(command_id, zone_id, seconds, BY_HAND, reason, by)
        return ("running", reason) if refused is None else ("refused", refused)

    def _stop(self, zone_id: str | None, command: Body, given: Given) -> tuple[str, Reason]:
        is_closed = self._supervised.stop(zone_id)  # first of all
        try:
            number = number_of(command)
        except ValueError:  # no reason not to stop
            number = None
        self._stops.note(zone_id, number, given)
        self._give_up_waiting(zone_id)
        if is_closed:
            self._supervised.hear(self._records)
        for zone in list(self._book.zones.values()):
            if zone_id in (None, zone.id):
                self._book.keep_zone(zones.stopped(zone))
        return ("done", Reason("stopped")) if is_closed else ("refused", Reason("supervisor_gone"))

    def _set_mode(self, zone_id: str, command: Body) -> tuple[str, Reason]:
        before, mode = self._book.zones[zone_id], command["mode"]
        if mode in zones.MODES and mode != "off" and not before.is_armed:
            return "refused", Reason("zone_not_tested")
        band, schedule = command.get("band"), command.get("schedule")
        plants = command.get("balance")
        after = zones.set_mode(
            before,
            mode,
            _band(band) if band is not None else None,
            read_schedule(schedule) if schedule is not None else None,
            read_balance(plants) if plants is not None else None,
            _seconds(command),
        )
        # A lock comes off by the mode that the zone has: who chooses another may not know of it.
        stays_locked = before.is_locked and mode != before.mode
        if stays_locked and mode != "off":
            return "refused", Reason("zone_locked")
        if before.is_locked and not stays_locked:
            locked = self._supervised.unlock(zone_id)
            if locked is not None:
                return "refused", locked
            self._supervised.hear(self._records)  # the alarms that are over, before the answer
        run = self._run_in(zone_id)
        is_unwanted = run is not None and (mode == "off" or run["cause"] in zones.AUTOMATIC)
        if is_unwanted:
            if not self._supervised.stop(zone_id):
                return "refused", Reason("supervisor_gone")
            self._supervised.hear(self._records)
        if mode == "off":
            self._give_up_waiting(zone_id)
        self._book.keep_zone(replace(after, is_locked=stays_locked))
        self._doubts.begin_anew(zone_id)
        if before.is_locked and not stays_locked:
            return "done", Reason("unlocked", {"zone": zone_id, "mode": mode})
        return "done", Reason("mode_set", {"mode": mode})

    # --- runs and decisions ----------------------------------------------------------------

    def _open(
        self, run_id: str, zone_id: str, seconds: int, cause: str, reason: Reason, by: str | None
    ) -> Reason | None:
        """Open a zone. Returns why not, or ``None`` when water runs."""
        run = self._records.run_planned(run_id, zone_id, seconds, cause, reason, by)
        refused = self._supervised.open(run, self._book.usual_flow(zone_id))
        if refused is not None:
            self._book.drop(run_id)
            return refused
        self._records.run_begun(run)
        return None

    def _run_in(self, zone_id: str) -> Body | None:
        return next((r for r in self._book.runs.values() if r["zone"] == zone_id), None)

    def _look_and_tell(self) -> None:
        self._serve_the_waiting()
        for zone in list(self._book.zones.values()):
            if self._run_in(zone.id) is None:
                self._look(zone)
            self._tell(self._book.zones[zone.id])
        self._tell_tests()
        self._tell_sources()

    def _look(self, zone: Zone) -> None:
        """Let the rules decide for a closed zone, and do it."""
        decision = zones.look(zone, self._known(zone.id))
        self._reasons[zone.id] = decision.reason
        self._turns.wants(zone.id, decision.reason.code == "waits_for_pump")
        # Kept before anything opens: a crash in between must not begin the same slot twice.
        self._book.keep_zone(decision.zone)
        if decision.run_seconds is None:
            return
        run_id = str(uuid.uuid4())
        refused = self._open(
            run_id, zone.id, decision.run_seconds, zone.mode, decision.reason, None
        )
        if refused is None:
            return
        self._reasons[zone.id] = refused
        self._turns.wants(zone.id, refused.code == "waits_for_pump")
        self._book.keep_zone(zone)
        if refused.code in _BAD_STARTS:  # not to be tried again each second
            self._book.note_failure(zone.id, self._moment())

    def _known(self, zone_id: str, wish_id: str | None = None) -> Known:
        zone, now = self._book.zones[zone_id], self._clock()
        inside = self._inside[zone_id] if zone.balance else ()
        doubts: dict[str, Reason] = {}
        return Known(
            now=now,
            moisture=self._newest(self._probes[zone_id], "soil_moisture", doubts),
            celsius=self._newest(inside, "air_temperature", doubts),
            humidity=self._newest(inside, "air_humidity", doubts),
            light=self._newest(inside, "light", doubts),
            doubts=doubts,
            farm_clock=self._farm_clock,
            delivered_litres=self._book.delivered_litres(zone_id),
            tank=self._latest.get(self._bus_node, "tank_level"),
            ran=self._book.ran(zone_id, self._moment()),
            is_running=self._run_in(zone_id) is not None,
            has_supervisor=self._supervised.is_there,
            has_bus=self._supervised.has_bus,
            has_auto_off=self._supervised.has_auto_off,
            drawn=self._drawn(zone_id),
            ahead=self._tests.ahead() or self._turns.ahead(zone_id, wish_id),
            slots=proposed(zone.schedule, now) if zone.schedule else (),
        )

    def _drawn(self, zone_id: str) -> Drawn | None:
        source = self._book.source_of(zone_id)
        return (
            None if source is None else self._drawn_of(source, self._book.flow_expected(zone_id))
        )

    def _drawn_of(self, source: Source, l_per_min: float) -> Drawn:
        node = source.level_node
        level = self._latest.get(node, "tank_level") if node is not None else None
        today, season = self._book.drawn_litres(source, self._clock())
        return Drawn(source, level, today, season, l_per_min)

    def _tell_sources(self) -> None:
        """Record each source with what was taken of it, and why nothing may be taken now."""
        for source in self._book.sources.values():
            drawn_by = [z for z in self._book.zones if self._book.source_of(z) == source]
            most = max((self._book.flow_expected(zone) for zone in drawn_by), default=0.0)
            drawn = self._drawn_of(source, most)
            reason = standing(drawn, self._clock())
            told = asdict(source)
            del told["season_begins"], told["utc_offset_minutes"]
            self._records.source(
                told
                | {
                    "litres_today": round(drawn.litres_today),
                    "litres_season": round(drawn.litres_season),
                    "zones": drawn_by,
                    "code": None if reason is None else reason.code,
                    "values": {} if reason is None else reason.values,
                }
            )

    def _tell_tests(self) -> None:
        """Say once that a source's water should be tested again, and once that it was."""
        for source in self._book.sources.values():
            values = {"source": source.name}
            standing = [
                alarm
                for alarm in self._book.alarms.values()
                if alarm["code"] == "water_test_due" and alarm["values"] == values
            ]
            if is_test_old(source, day_at(source, self._clock())) == bool(standing):
                continue
            for alarm in standing:
                self._records.alarm_cleared(alarm)
            if not standing:
                self._records.alarm_raised("water_test_due", None, values)

    def _newest(
        self, nodes: tuple[str, ...], name: str, doubts: dict[str, Reason]
    ) -> tuple[Reading, ...]:
        """The newest of each sensor that can be believed; why others cannot goes to ``doubts``."""
        found = []
        for eui64 in nodes:
            doubt = self._doubts.of(eui64, name)
            reading = self._latest.get(eui64, name) if doubt is None else None
            if doubt is not None:
                doubts[name] = doubt
            elif reading is not None:
                found.append(reading)
        return tuple(found)

    def _tell(self, zone: Zone) -> None:
        """Record the zone if its mode, what it waters by, state or reason has changed."""
        run, wish = self._run_in(zone.id), self._turns.wish_of(zone.id)
        if run is not None:
            reason = Reason(run["code"], run["values"])
        elif wish is not None:
            reason = self._waiting(wish["id"])
        else:
            reason = self._reasons.get(zone.id, Reason("mode_manual"))
        row = {
            "id": zone.id,
            "mode": zone.mode,
            "band": zone.band.told() if zone.band else None,
            "schedule": asdict(zone.schedule) if zone.schedule else None,
            "balance": asdict(zone.balance) if zone.balance else None,
            "state": zones.state(zone, run is not None, self._turns.waits(zone.id)),
            "code": reason.code,
            "wet_test": self._tests.told(zone),
        }
        self._records.zone(row, reason.values, balance.told(zone, self._farm_clock.speed))

    def _moment(self) -> Moment:
        return Moment(self._clock(), self._steady(), self._boot)


def _seconds(command: Body) -> int | None:
    seconds = command.get("seconds")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int)):
        raise ValueError("seconds must be a whole number")
    return seconds


def _band(found: Body) -> Band:
    needed = {"low", "high", "run_seconds", "soak_seconds"}
    if not isinstance(found, dict) or found.keys() - {"fallback"} != needed:
        raise ValueError("a band has low, high, run_seconds, soak_seconds and perhaps fallback")
    for name in needed:
        value = found[name]
        kinds: tuple[type, ...] = (int,) if name.endswith("seconds") else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{name} must be a number, in whole seconds for times")
    return Band(
        float(found["low"]),
        float(found["high"]),
        found["run_seconds"],
        found["soak_seconds"],
        found.get("fallback", "nothing"),
    )
