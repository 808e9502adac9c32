"""The supervisor as the gateway sees it: holds the lease, opens runs, hears how they end.

What the supervisor reports is believed over what was planned: seconds and litres of a run are
the delivered ones. It repeats ended runs and standing alarms until it is told that they were
heard, so nothing is lost between two processes that restart when they like.

A supervisor that was killed reports nothing. What it left open goes on until the board's pulses
lapse, one lease after our last line to it, or until its successor has closed everything. So long
the run is taken to have lasted, and what the meter counted in the gap is its water.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from nongso.gateway.irrigation import wettest
from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import Reason
from nongso.gateway.valves.client import SupervisorGone, SupervisorRefused
from nongso.gateway.waterbook import Body
from nongso.gateway.waterrecords import WaterRecords

BY_HAND = "hand"  # the cause of a run that a person waters

log = logging.getLogger(__name__)

HOLD_SECONDS = 0.5  # between two renewals inside a slow piece of work
SUPERVISOR_ALARM_SECONDS = 10.0
PROGRESS_SECONDS = 2.0  # so much at most is forgotten when everything loses its power
CLOSED_UNSEEN_SECONDS = 60.0  # no supervisor for so long: its runs have lapsed, close the book
OF_FARM = frozenset(
    {"water_test_due", "probe_frozen", "probe_drifting"}
)  # alarms that no supervisor knows of
METER_BACK_SECONDS = 5.0  # so long a new supervisor may need to read the meter


class ValvesLike(Protocol):
    """The supervisor's client."""

    def open(
        self,
        zone: str,
        seconds: float,
        id: str,  # noqa: A002
        flow: float | None,
        test: bool = False,
    ) -> Body: ...

    def hand(self, zone: str, seconds: float, id: str) -> Body: ...  # noqa: A002

    def stop(self, zone: str | None = None) -> Body: ...

    def renew(self, heard: Iterable[str] = ()) -> Body: ...

    def unlock(self, zone: str) -> Body: ...


class Supervised:
    """One supervisor, there or gone. Not for two threads at once."""

    def __init__(
        self, valves: ValvesLike, steady: Callable[[], float], lease_seconds: float
    ) -> None:
        self._valves, self._steady, self._lease_seconds = valves, steady, lease_seconds
        self._answer: Body = {}  # its last answer; empty while it is gone
        self._heard: list[str] = []
        self._gone_since: float | None = steady()
        self._renewed_at = self._progress_at = steady()
        self._supervisor: str | None = None  # which one it is
        self._left_at = self._met_at = steady()  # last line to its predecessor, first to it
        self._known: dict[str, tuple[float, float]] = {}  # run: (when, seconds it had run then)
        self._total: float | None = None  # the meter's counter when it was last told

    @property
    def is_there(self) -> bool:
        """Whether it answered when it was last asked."""
        return bool(self._answer)

    @property
    def has_bus(self) -> bool:
        """Whether the relay board answers it."""
        return bool(self._answer.get("bus") == "ok")

    @property
    def has_emergency(self) -> bool:
        """Whether somebody has pressed the red button and not pulled it out."""
        return bool(self._answer.get("emergency"))

    @property
    def total_litres(self) -> float | None:
        """The meter's counter, ``None`` while it does not speak."""
        return self._answer.get("total")

    @property
    def shut(self) -> Body | None:
        """What it has measured of the last wet test's valve: whether it closes."""
        return self._answer.get("shut")

    @property
    def has_auto_off(self) -> bool:
        """Whether the relay board closes by itself."""
        return bool(self._answer.get("auto_off", True))

    # --- what it is told -------------------------------------------------------------------

    def open(self, run: Body, usual_l_per_min: float | None) -> Reason | None:
        """Ask it to open, or to leave a person's hose alone. Returns why not, or ``None``."""
        zone, seconds, run_id = run["zone"], run["ordered_seconds"], run["id"]
        try:
            if run["cause"] == BY_HAND:
                answer = self._valves.hand(zone, seconds, run_id)
            elif run["cause"] == wettest.CAUSE:
                answer = self._valves.open(zone, seconds, run_id, None, test=True)
            else:
                answer = self._valves.open(zone, seconds, run_id, usual_l_per_min)
        except (SupervisorGone, SupervisorRefused) as error:
            # A lost answer: the connection is closed, so whatever was opened is closed too.
            self._lost(error)
            return Reason("supervisor_gone")
        if answer["state"] != "running":
            return Reason(answer["code"], answer["values"])
        self._renewed_at = self._steady()
        self._known[run["id"]] = (self._renewed_at, 0.0)
        return None

    def stop(self, zone: str | None) -> bool:
        """Close one zone or all. ``False``: it is gone, and what was open lapses; or it does not
        know the zone, and has opened nothing there."""
        try:
            answer = self._valves.stop(zone)
        except (SupervisorGone, SupervisorRefused) as error:
            self._lost(error)
            return False
        return bool(answer["state"] != "refused")

    def unlock(self, zone: str) -> Reason | None:
        """Take a lock off. Returns why not."""
        try:
            answer = self._valves.unlock(zone)
        except (SupervisorGone, SupervisorRefused) as error:
            self._lost(error)
            return Reason("supervisor_gone")
        if answer["unlocked"]:
            return None
        # One from before says no more than that.
        return Reason(answer.get("code", "zone_locked"), answer.get("values", {}))

    def hold(self) -> None:
        """Renew within a slow piece of work (a disk that hangs), so that runs go on."""
        if self._answer and self._steady() - self._renewed_at > HOLD_SECONDS:
            self._renewed_at = self._steady()
            try:
                self._valves.renew()  # what it tells is told again at the next turn
            except (SupervisorGone, SupervisorRefused) as error:
                self._lost(error)

    # --- what it tells ---------------------------------------------------------------------

    def hear(self, records: WaterRecords) -> None:
        """Renew the lease and write down what ended, what is wrong and what is locked."""
        try:
            answer = self._valves.renew(self._heard)
        except (SupervisorGone, SupervisorRefused) as error:
            self._lost(error)
            self._give_up_lapsed(records)
            return
        before, self._renewed_at = self._renewed_at, self._steady()
        if self._gone_since is not None:
            log.info("The valve supervisor answers.")
            self._gone_since = None
        if answer["supervisor"] != self._supervisor:
            self._supervisor = answer["supervisor"]
            self._left_at, self._met_at = before, self._renewed_at
        self._answer = answer
        self._heard = []
        book = records.book
        heard_at = self._renewed_at
        self._hear_ends(answer["ended"], records)
        self._follow(answer, heard_at, records)
        for one in answer.get("unlocked", ()):
            zone = one["zone"]
            if zone in book.zones:
                book.keep_zone(replace(book.zones[zone], is_locked=False))
            self._heard.append(one["id"])
        if answer.get("emergency"):  # as if somebody had pressed stop: it waits for a person
            for kept in list(book.zones.values()):
                book.keep_zone(zones.stopped(kept))
        for zone in answer["locked"]:
            if zone in book.zones:
                book.keep_zone(zones.locked(book.zones[zone]))
        self._hear_alarms(answer["alarms"], records)

    def _hear_ends(self, ends: list[Body], records: WaterRecords) -> None:
        """Write down what ended and say so at once: it may be about to end itself."""
        book = records.book
        for ended in ends:
            if ended["id"] in book.runs:
                records.run_ended(
                    *(ended["id"], ended["code"], ended["seconds"], ended["litres"]),
                    *(ended["values"], ended.get("flow"), ended.get("pump_after")),
                )
            self._heard.append(ended["id"])
        if ends:
            try:
                self._valves.renew(self._heard)
            except (SupervisorGone, SupervisorRefused) as error:
                self._lost(error)

    def _follow(self, answer: Body, heard_at: float, records: WaterRecords) -> None:
        """Note how far the runs are; one that the supervisor does not know, a restart has cut."""
        book = records.book
        going_on = {run["id"]: run for run in answer["runs"]}
        for told in answer["runs"]:
            if told.get("hand") and told["id"] not in book.runs:  # the switch at the cabinet
                self._begun_at_the_cabinet(told, records)
        cut = [run for run in book.runs.values() if run["id"] not in going_on]
        if not self._is_meter_awaited(cut, answer["total"]):
            self._close_cut(cut, answer, records)
            self._total = answer["total"]
        for run_id in book.runs.keys() & going_on.keys():
            run, told = book.runs[run_id], going_on[run_id]
            run["seconds"], run["litres"] = told["seconds"], told["litres"]
            self._known[run_id] = (heard_at, told["seconds"])
        self._known = {
            run_id: known for run_id, known in self._known.items() if run_id in book.runs
        }
        if going_on and self._steady() - self._progress_at > PROGRESS_SECONDS:
            self._progress_at = self._steady()
            book.keep_runs()

    def _begun_at_the_cabinet(self, told: Body, records: WaterRecords) -> None:
        """Somebody has turned a zone's hand-auto switch to hand."""
        seconds = round(told["seconds"] + told["left"])
        reason = Reason("by_hand")
        if told["zone"] in records.book.zones:
            run = records.run_planned(told["id"], told["zone"], seconds, BY_HAND, reason, None)
            records.run_begun(run)

    def _is_meter_awaited(self, cut: list[Body], total: float | None) -> bool:
        """Whether the litres of runs that were cut will be known in a moment."""
        has_counted = any(run["litres"] is not None for run in cut) and self._total is not None
        return has_counted and total is None and self._steady() - self._met_at < METER_BACK_SECONDS

    def _close_cut(self, cut: list[Body], answer: Body, records: WaterRecords) -> None:
        """Write down the ends that nobody reported, with the water that the meter saw."""
        gap = 0.0
        if self._total is not None and answer["total"] is not None:
            gap = max(0.0, answer["total"] - self._total)
        for run in cut:
            litres = run["litres"]
            if litres is not None and run["id"] in self._known:
                litres = round(litres + gap / len(cut), 1)
            lasted = self._lasted(run, self._left_at, answer["closed_at"])
            records.run_ended(run["id"], "restarted", lasted, litres)

    def _lasted(self, run: Body, left_at: float, closed_at: float | None) -> float:
        """Seconds for which a run that a supervisor's death has cut kept its valve open.

        ``left_at`` is when it had our last line, ``closed_at`` when the next supervisor had closed
        everything, both on the boot clock. A run of a gateway that died too lasted as far as it
        was noted down.
        """
        known = self._known.get(run["id"])
        if known is None:
            return float(run["seconds"])
        at, seconds = known
        until = left_at + self._lease_seconds
        if closed_at is not None:
            until = min(until, closed_at)
        return float(round(min(run["ordered_seconds"], seconds + max(0.0, until - at)), 1))

    def _hear_alarms(self, alarms: list[Body], records: WaterRecords) -> None:
        """It lists what stands; what it lists no more is over."""
        known = records.book.alarms
        for alarm in alarms:
            if alarm["id"] not in known:
                records.alarm_raised(alarm["code"], alarm["zone"], alarm["values"], alarm["id"])
            self._heard.append(alarm["id"])
        standing = {alarm["id"] for alarm in alarms}
        for alarm in [a for a in known.values() if a["id"] not in standing]:
            if alarm["code"] in OF_FARM:
                continue
            records.alarm_cleared(alarm)

    def _lost(self, error: Exception) -> None:
        if self._gone_since is None:
            log.error("%s", error)
            self._gone_since = self._steady()
        self._answer = {}

    def _give_up_lapsed(self, records: WaterRecords) -> None:
        gone = self._steady() - (self._gone_since or self._steady())
        book = records.book
        if gone > CLOSED_UNSEEN_SECONDS:
            for run_id, run in list(book.runs.items()):
                lasted = self._lasted(run, self._renewed_at, None)
                records.run_ended(run_id, "restarted", lasted, run["litres"])
        is_told = any(a["code"] == "supervisor_gone" for a in book.alarms.values())
        if gone > SUPERVISOR_ALARM_SECONDS and not is_told:
            records.alarm_raised("supervisor_gone", None, {})
