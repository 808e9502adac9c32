"""The supervisor as the gateway sees it: holds the lease, opens runs, hears how they end.

What the supervisor reports is believed over what was planned: seconds and litres of a run are
the delivered ones. It repeats ended runs and standing alarms until it is told that they were
heard, so nothing is lost between two processes that restart when they like.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import Reason
from nongso.gateway.valves.client import SupervisorGone, SupervisorRefused
from nongso.gateway.waterbook import Body
from nongso.gateway.waterrecords import WaterRecords

log = logging.getLogger(__name__)

HOLD_SECONDS = 0.5  # between two renewals inside a slow piece of work
SUPERVISOR_ALARM_SECONDS = 10.0
PROGRESS_SECONDS = 2.0  # so much at most is forgotten when everything loses its power
CLOSED_UNSEEN_SECONDS = 60.0  # no supervisor for so long: its runs have lapsed, close the book


class ValvesLike(Protocol):
    """The supervisor's client."""

    def open(self, zone: str, seconds: float, id: str) -> Body: ...  # noqa: A002

    def stop(self, zone: str | None = None) -> Body: ...

    def renew(self, heard: Iterable[str] = ()) -> Body: ...

    def unlock(self, zone: str) -> bool: ...


class Supervised:
    """One supervisor, there or gone. Not for two threads at once."""

    def __init__(self, valves: ValvesLike, steady: Callable[[], float]) -> None:
        self._valves, self._steady = valves, steady
        self._answer: Body = {}  # its last answer; empty while it is gone
        self._heard: list[str] = []
        self._gone_since: float | None = steady()
        self._renewed_at = self._progress_at = steady()

    @property
    def is_there(self) -> bool:
        """Whether it answered when it was last asked."""
        return bool(self._answer)

    @property
    def has_bus(self) -> bool:
        """Whether the relay board answers it."""
        return bool(self._answer.get("bus") == "ok")

    @property
    def has_auto_off(self) -> bool:
        """Whether the relay board closes by itself."""
        return bool(self._answer.get("auto_off", True))

    # --- what it is told -------------------------------------------------------------------

    def open(self, run: Body) -> Reason | None:
        """Ask it to open. Returns why not, or ``None`` when water runs."""
        try:
            answer = self._valves.open(run["zone"], run["ordered_seconds"], run["id"])
        except (SupervisorGone, SupervisorRefused) as error:
            # A lost answer: the connection is closed, so whatever was opened is closed too.
            self._lost(error)
            return Reason("supervisor_gone")
        if answer["state"] != "running":
            return Reason(answer["code"], answer["values"])
        return None

    def stop(self, zone: str | None) -> bool:
        """Close one zone or all. ``False``: it is gone, and what was open lapses."""
        try:
            self._valves.stop(zone)
        except (SupervisorGone, SupervisorRefused) as error:
            self._lost(error)
            return False
        return True

    def unlock(self, zone: str) -> Reason | None:
        """Take a lock off. Returns why not."""
        try:
            return None if self._valves.unlock(zone) else Reason("zone_locked")
        except (SupervisorGone, SupervisorRefused) as error:
            self._lost(error)
            return Reason("supervisor_gone")

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
        self._renewed_at = self._steady()
        if self._gone_since is not None:
            log.info("The valve supervisor answers.")
            self._gone_since = None
        self._answer = answer
        self._heard = []
        book = records.book
        self._hear_ends(answer["ended"], records)
        self._follow(answer, records)
        for zone in answer["locked"]:
            if zone in book.zones:
                book.keep_zone(zones.locked(book.zones[zone]))
        self._hear_alarms(answer["alarms"], records)

    def _hear_ends(self, ends: list[Body], records: WaterRecords) -> None:
        """Write down what ended and say so at once: it may be about to end itself."""
        book = records.book
        for ended in ends:
            if ended["id"] in book.runs:
                records.run_ended(ended["id"], ended["code"], ended["seconds"], ended["litres"])
            self._heard.append(ended["id"])
        if ends:
            try:
                self._valves.renew(self._heard)
            except (SupervisorGone, SupervisorRefused) as error:
                self._lost(error)

    def _follow(self, answer: Body, records: WaterRecords) -> None:
        """Note how far the runs are; one that the supervisor does not know, a restart has cut."""
        book = records.book
        going_on = {run["id"]: run for run in answer["runs"]}
        for run_id, run in list(book.runs.items()):
            if run_id in going_on:
                run["seconds"] = going_on[run_id]["seconds"]
                run["litres"] = going_on[run_id]["litres"]
            else:
                records.run_ended(run_id, "restarted", run["seconds"], run["litres"])
        if going_on and self._steady() - self._progress_at > PROGRESS_SECONDS:
            self._progress_at = self._steady()
            book.keep_runs()

    def _hear_alarms(self, alarms: list[Body], records: WaterRecords) -> None:
        """It lists what stands; what it lists no more is over."""
        known = records.book.alarms
        for alarm in alarms:
            if alarm["id"] not in known:
                records.alarm_raised(alarm["code"], alarm["zone"], alarm["values"], alarm["id"])
            self._heard.append(alarm["id"])
        standing = {alarm["id"] for alarm in alarms}
        for alarm in [a for a in known.values() if a["id"] not in standing]:
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
                records.run_ended(run_id, "restarted", run["seconds"], run["litres"])
        is_told = any(a["code"] == "supervisor_gone" for a in book.alarms.values())
        if gone > SUPERVISOR_ALARM_SECONDS and not is_told:
            records.alarm_raised("supervisor_gone", None, {})
