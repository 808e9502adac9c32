"""Watering: does what the irrigation rules decide and people wish, and writes it all down.

Deciding is in ``irrigation/``, opening in the supervisor's process; here the two meet, once a
second in ``tick`` and whenever a command comes in ``order``. Each run, outcome, alarm and change
of a zone becomes a row of the outbox. What the supervisor reports is believed over what was
planned: seconds and litres of a run are the delivered ones.

A command has been verified and is fresh when it comes here (the uplink's work). Its id is
remembered before anything moves, so one wish waters once, whatever happens in between.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import Band, Known, Reason, Zone
from nongso.gateway.irrigation.gate import Wish, refusal
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.valves.client import SupervisorGone, SupervisorRefused
from nongso.gateway.valves.clock import boot_id, boottime
from nongso.gateway.waterbook import Body, Held, Moment, PastRun, WaterBook
from nongso.wire.payload import Reading

log = logging.getLogger(__name__)

HOLD_SECONDS = 0.5  # between two renewals inside a slow piece of work
SUPERVISOR_ALARM_SECONDS = 10.0
PROGRESS_SECONDS = 10.0
CLOSED_UNSEEN_SECONDS = 60.0  # no supervisor for so long: its runs have lapsed, close the book
_BAD_ENDS = ("no_flow", "valve_not_opened", "valve_not_closed", "bus_lost")
_BAD_STARTS = ("valve_not_opened", "bus_silent", "supervisor_gone")


class ValvesLike(Protocol):
    """The supervisor's client."""

    def open(self, zone: str, seconds: float, id: str) -> Body: ...  # noqa: A002

    def stop(self, zone: str | None = None) -> Body: ...

    def renew(self, heard: list[str] | tuple[()] = ()) -> Body: ...

    def unlock(self, zone: str) -> bool: ...


class LatestLike(Protocol):
    """The newest readings."""

    def get(self, eui64: str, name: str) -> Reading | None: ...


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
        self._settings, self._valves, self._latest = settings, valves, latest
        self._store = Held(store, self._hold_lease)
        self._clock, self._steady, self._boot = clock, steady, boot_id()
        self._lock = threading.RLock()
        self._book = WaterBook(settings, self._store)
        self._probes = {
            zone: tuple(n.eui64 for n in settings.nodes if n.zone == zone)
            for zone in settings.zones()
        }
        self._reasons: dict[str, Reason] = {}  # why each closed zone is closed
        self._told: dict[str, Body] = {}  # zone rows as last recorded
        self._heard: list[str] = []
        self._waterworks: Body = {}  # the supervisor's last answer; empty while it is gone
        self._gone_since: float | None = steady()
        self._renewed_at = self._progress_at = steady()

    # --- from outside ----------------------------------------------------------------------

    def order(self, command: Body) -> Body:
        """Carry out a command of the platform and return its outcome, which is recorded too."""
        with self._lock:
            command_id = str(command["id"])
            known = self._book.outcomes.get(command_id)
            if known is not None:
                return known
            if self._store.seen_command(command_id):
                return self._outcome(command_id, "refused", Reason("interrupted"))
            try:
                return self._carry_out(command_id, command)
            except (KeyError, TypeError, ValueError) as error:
                reason = Reason("not_understood", {"detail": str(error)})
                return self._outcome(command_id, "refused", reason)

    def tick(self, now: float | None = None) -> None:
        """Once a second: hold the lease, hear what ended, decide, and write down changes."""
        with self._lock:
            self._hear()
            for zone_id, zone in list(self._book.zones.items()):
                if self._run_in(zone_id) is None:
                    self._look(zone_id, zone)
                self._reasons.setdefault(zone_id, Reason("mode_manual"))
            self._tell_zones()

    def states(self) -> dict[str, Body]:
        """Each zone as it was last recorded, and what runs: for the local status page."""
        with self._lock:
            found = {zone: dict(row) for zone, row in self._told.items()}
            for run in self._book.runs.values():
                if run["zone"] in found:
                    found[run["zone"]]["run"] = dict(run)
            return found

    # --- commands --------------------------------------------------------------------------

    def _carry_out(self, command_id: str, command: Body) -> Body:
        do, zone_id = command["do"], command.get("zone")
        if do == "stop" and zone_id is None:
            return self._stop(command_id, None)
        if zone_id not in self._book.zones:
            return self._outcome(command_id, "refused", Reason("zone_unknown"))
        if do == "stop":
            return self._stop(command_id, zone_id)
        if do == "mode":
            return self._set_mode(command_id, zone_id, command["mode"], command.get("band"))
        if do == "water":
            seconds = command["seconds"]
            if isinstance(seconds, bool) or not isinstance(seconds, int):
                raise ValueError("seconds must be a whole number")
            return self._water(command_id, zone_id, seconds, command.get("by"))
        raise ValueError(f"do is {do!r}; it can be water, stop or mode")

    def _water(self, command_id: str, zone_id: str, seconds: int, by: str | None) -> Body:
        if not self._waterworks:
            self._hear()  # the supervisor may have come back this second
        zone = self._book.zones[zone_id]
        refused = refusal(Wish(seconds), zone, self._known(zone_id))
        if refused is None:
            run = self._run_body(command_id, zone_id, seconds, "wished", Reason("wished"), by)
            refused = self._open(run)
        if refused is not None:
            return self._outcome(command_id, "refused", refused)
        self._book.keep_zone(zones.wished(zone))
        return self._outcome(command_id, "running", Reason("wished"))

    def _stop(self, command_id: str, zone_id: str | None) -> Body:
        for zone in list(self._book.zones.values()):
            if zone_id in (None, zone.id):
                self._book.keep_zone(zones.stopped(zone))
        try:
            self._valves.stop(zone_id)
        except (SupervisorGone, SupervisorRefused) as error:
            log.error("%s", error)
            return self._outcome(command_id, "refused", Reason("supervisor_gone"))
        return self._outcome(command_id, "done", Reason("stopped"))

    def _set_mode(self, command_id: str, zone_id: str, mode: str, band: Body | None) -> Body:
        before = self._book.zones[zone_id]
        after = zones.set_mode(before, mode, _band(band) if band is not None else None)
        run = self._run_in(zone_id)
        try:
            if before.is_locked and not self._valves.unlock(zone_id):
                return self._outcome(command_id, "refused", Reason("zone_locked"))
            if run is not None and (mode == "off" or run["cause"] == "band"):
                self._valves.stop(zone_id)
        except (SupervisorGone, SupervisorRefused) as error:
            log.error("%s", error)
            return self._outcome(command_id, "refused", Reason("supervisor_gone"))
        self._book.keep_zone(after)
        return self._outcome(command_id, "done", Reason("mode_set", {"mode": mode}))

    def _outcome(self, command_id: str, state: str, reason: Reason) -> Body:
        outcome = {
            "id": command_id,
            "state": state,
            "code": reason.code,
            "values": reason.values,
            "at": int(self._clock()),
        }
        self._book.keep_outcome(outcome)
        self._store.record("command", outcome)
        return outcome

    # --- runs ------------------------------------------------------------------------------

    def _run_body(
        self, run_id: str, zone: str, seconds: int, cause: str, reason: Reason, by: str | None
    ) -> Body:
        return {
            "id": run_id,
            "zone": zone,
            "cause": cause,
            "by": by,
            "state": "running",
            "code": reason.code,
            "values": reason.values,
            "ordered_seconds": seconds,
            "started_at": int(self._clock()),
            "ended_at": None,
            "seconds": 0.0,
            "litres": 0.0,
        }

    def _open(self, run: Body) -> Reason | None:
        """Ask the supervisor to open. Returns why not, or ``None`` when water runs."""
        self._book.begin(run)
        try:
            answer = self._valves.open(run["zone"], run["ordered_seconds"], run["id"])
        except (SupervisorGone, SupervisorRefused) as error:
            # A lost answer: the connection is closed, so whatever was opened is closed too.
            self._lost(error)
            answer = {"state": "refused", "code": "supervisor_gone", "values": {}}
        if answer["state"] != "running":
            self._book.drop(run["id"])
            return Reason(answer["code"], answer["values"])
        self._store.record("run", run)
        return None

    def _run_in(self, zone_id: str) -> Body | None:
        return next((r for r in self._book.runs.values() if r["zone"] == zone_id), None)

    def _finish(self, run_id: str, code: str, seconds: float, litres: float) -> None:
        run = self._book.runs[run_id]
        values = {"seconds": seconds, "litres": litres} if code == "done" else {}
        ended = run | {
            "state": "done",
            "code": code,
            "values": values,
            "ended_at": max(run["started_at"], int(self._clock())),
            "seconds": seconds,
            "litres": litres,
        }
        self._store.record("run", ended)
        if run_id in self._book.outcomes:
            self._outcome(run_id, "done", Reason(code, values))
        self._book.finish(run_id, PastRun(self._moment(), seconds, code in _BAD_ENDS))

    # --- the supervisor --------------------------------------------------------------------

    def _hold_lease(self) -> None:
        """Renew within a slow piece of work (a disk that hangs), so that runs go on."""
        if self._waterworks and self._steady() - self._renewed_at > HOLD_SECONDS:
            self._renewed_at = self._steady()
            try:
                self._valves.renew()  # what it tells is told again at the next tick
            except (SupervisorGone, SupervisorRefused) as error:
                self._lost(error)

    def _hear(self) -> None:
        try:
            answer = self._valves.renew(self._heard)
        except (SupervisorGone, SupervisorRefused) as error:
            self._lost(error)
            self._give_up_lapsed()
            return
        self._renewed_at = self._steady()
        if self._gone_since is not None:
            log.info("The valve supervisor answers.")
            self._gone_since = None
        self._waterworks = answer
        self._heard = []
        for ended in answer["ended"]:
            if ended["id"] in self._book.runs:
                self._finish(ended["id"], ended["code"], ended["seconds"], ended["litres"])
            self._heard.append(ended["id"])
        self._follow(answer)
        for zone_id in answer["locked"]:
            if zone_id in self._book.zones:
                self._book.keep_zone(zones.locked(self._book.zones[zone_id]))
        self._hear_alarms(answer["alarms"])

    def _follow(self, answer: Body) -> None:
        """Note how far the runs are; one that the supervisor does not know, a restart has cut."""
        going_on = {run["id"]: run for run in answer["runs"]}
        ended = {run["id"] for run in answer["ended"]}
        for run_id, run in list(self._book.runs.items()):
            if run_id in going_on:
                run["seconds"] = going_on[run_id]["seconds"]
                run["litres"] = going_on[run_id]["litres"]
            elif run_id not in ended:
                self._finish(run_id, "restarted", run["seconds"], run["litres"])
        if going_on and self._steady() - self._progress_at > PROGRESS_SECONDS:
            self._progress_at = self._steady()
            self._book.keep_runs()

    def _lost(self, error: Exception) -> None:
        if self._gone_since is None:
            log.error("%s", error)
            self._gone_since = self._steady()
        self._waterworks = {}

    def _give_up_lapsed(self) -> None:
        gone = self._steady() - (self._gone_since or self._steady())
        if gone > CLOSED_UNSEEN_SECONDS:
            for run_id, run in list(self._book.runs.items()):
                self._finish(run_id, "restarted", run["seconds"], run["litres"])
        if gone > SUPERVISOR_ALARM_SECONDS and not self._standing("supervisor_gone"):
            self._alarm(str(uuid.uuid4()), "supervisor_gone", None, {})

    # --- alarms ----------------------------------------------------------------------------

    def _hear_alarms(self, alarms: list[Body]) -> None:
        """The supervisor lists what stands; what it lists no more is over."""
        for alarm in alarms:
            if alarm["id"] not in self._book.alarms:
                self._alarm(alarm["id"], alarm["code"], alarm["zone"], alarm["values"])
            self._heard.append(alarm["id"])
        standing = {alarm["id"] for alarm in alarms}
        for alarm in [a for a in self._book.alarms.values() if a["id"] not in standing]:
            cleared = alarm | {"cleared_at": int(self._clock())}
            self._store.record("alarm", cleared)
            self._book.keep_alarm(cleared)

    def _alarm(self, alarm_id: str, code: str, zone: str | None, values: Body) -> None:
        alarm = {
            "id": alarm_id,
            "code": code,
            "values": values,
            "zone": zone,
            "raised_at": int(self._clock()),
            "cleared_at": None,
        }
        self._store.record("alarm", alarm)
        self._book.keep_alarm(alarm)

    def _standing(self, code: str) -> bool:
        return any(alarm["code"] == code for alarm in self._book.alarms.values())

    # --- zones -----------------------------------------------------------------------------

    def _known(self, zone_id: str) -> Known:
        probes = (self._latest.get(eui64, "soil_moisture") for eui64 in self._probes[zone_id])
        bus_node = self._settings.bus_node.eui64
        return Known(
            now=self._clock(),
            moisture=tuple(reading for reading in probes if reading is not None),
            tank=self._latest.get(bus_node, "tank_level"),
            ran=self._book.ran(zone_id, self._moment()),
            is_running=self._run_in(zone_id) is not None,
            has_supervisor=bool(self._waterworks),
            has_bus=self._waterworks.get("bus") == "ok",
            has_auto_off=self._waterworks.get("auto_off", True),
        )

    def _look(self, zone_id: str, zone: Zone) -> None:
        decision = zones.look(zone, self._known(zone_id))
        reason = decision.reason
        if decision.run_seconds is not None:
            run_id = str(uuid.uuid4())
            run = self._run_body(run_id, zone_id, decision.run_seconds, "band", reason, None)
            refused = self._open(run)
            if refused is not None:
                self._reasons[zone_id] = refused
                if refused.code in _BAD_STARTS:  # not to be tried again each second
                    self._book.past[zone_id].append(PastRun(self._moment(), 0.0, went_wrong=True))
                return
        self._book.keep_zone(decision.zone)
        self._reasons[zone_id] = reason

    def _tell_zones(self) -> None:
        """Record each zone whose mode, band, state or reason's code has changed."""
        for zone_id, zone in self._book.zones.items():
            run = self._run_in(zone_id)
            reason = self._reasons[zone_id]
            if run is not None:
                reason = Reason(run["code"], run["values"])
            row = {
                "id": zone_id,
                "mode": zone.mode,
                "band": asdict(zone.band) if zone.band else None,
                "state": zones.state(zone, run is not None),
                "code": reason.code,
            }
            told = self._told.get(zone_id, {})
            if any(told.get(name) != value for name, value in row.items()):
                self._told[zone_id] = row | {"at": int(self._clock()), "values": reason.values}
                self._store.record("zone", self._told[zone_id])

    def _moment(self) -> Moment:
        return Moment(self._clock(), self._steady(), self._boot)


def _band(found: Body) -> Band:
    if not isinstance(found, dict) or set(found) != {"low", "high", "run_seconds", "soak_seconds"}:
        raise ValueError("a band has low, high, run_seconds and soak_seconds")
    for name, value in found.items():
        kinds: tuple[type, ...] = (int,) if name.endswith("seconds") else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{name} must be a number, in whole seconds for times")
    return Band(
        float(found["low"]), float(found["high"]), found["run_seconds"], found["soak_seconds"]
    )
