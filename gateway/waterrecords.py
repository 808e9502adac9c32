"""Writes down what happens to water: rows of the outbox, and the book that outlives a restart.

Each method does both, in the order in which a crash in between does the least harm: a run is in
the book before its valve is asked, its end is in the outbox before it leaves the book.
"""

import uuid
from collections.abc import Callable
from typing import Any, Protocol

from nongso.gateway.irrigation import wettest
from nongso.gateway.irrigation.facts import Reason
from nongso.gateway.waterbook import Body, Moment, WaterBook

SOURCE_SECONDS = 300
SLOWLY = {"litres_today", "litres_season", "values"}  # of a source: told now and then

_BAD_ENDS = (
    "no_flow",
    "low_flow",
    "high_flow",
    "valve_not_opened",
    "valve_not_closed",
    "bus_lost",
    "pump_not_started",
)


class OutboxLike(Protocol):
    """The part of the store that rows are put into."""

    def record(self, kind: str, body: dict[str, Any]) -> None: ...


class WaterRecords:
    """Runs, outcomes, alarms and zones on their way to the platform."""

    def __init__(self, book: WaterBook, outbox: OutboxLike, moment: Callable[[], Moment]) -> None:
        self.book = book
        self._outbox, self._moment = outbox, moment
        self._told: dict[str, Body] = {}  # zone rows as last recorded
        self._sources: dict[str, Body] = {}  # the same of sources

    def now(self) -> int:
        """Unix time for the records; nothing is decided by it."""
        return int(self._moment().wall)

    # --- runs ------------------------------------------------------------------------------

    def run_planned(
        self, run_id: str, zone: str, seconds: int, cause: str, reason: Reason, by: str | None
    ) -> Body:
        """Remember a run before its valve is asked to open."""
        run = {
            "id": run_id,
            "zone": zone,
            "cause": cause,
            "by": by,
            "state": "running",
            "code": reason.code,
            "values": reason.values,
            "ordered_seconds": seconds,
            "started_at": self.now(),
            "ended_at": None,
            "seconds": 0.0,
            "litres": None,  # unknown until a meter has counted
        }
        self.book.begin(run)
        return run

    def run_begun(self, run: Body) -> None:
        """Water runs."""
        self._outbox.record("run", run)
        if run["cause"] == "hand":
            for zone in list(self.book.zones.values()):
                self.book.keep_zone(wettest.disturbed(zone))

    def run_ended(
        self,
        run_id: str,
        code: str,
        seconds: float,
        litres: float | None,
        told: Body | None = None,
        flow: float | None = None,
        pump_after: float | None = None,
    ) -> None:
        """The run is over; the command that wished for it is done.

        ``litres`` is ``None`` where no meter has counted: unknown, which is not nothing. ``told``
        is what else belongs to the code; ``flow`` is what flowed steadily, in l/min, and
        ``pump_after`` how many seconds after the valve the pump came.
        """
        run = self.book.runs[run_id]
        values = {"seconds": seconds, "litres": litres} if code == "done" else told or {}
        ended = run | {
            "state": "done",
            "code": code,
            "values": values,
            # Not the time of hearing: after a restart that may be hours later.
            "ended_at": run["started_at"] + round(seconds),
            "seconds": seconds,
            "litres": litres,
        }
        self._outbox.record("run", ended)
        if run_id in self.book.outcomes:
            self.outcome(run_id, "done", Reason(code, values))
        zone = self.book.zones.get(run["zone"])
        if run["cause"] == wettest.CAUSE and zone is not None and wettest.is_of(zone, run_id):
            self.book.keep_zone(wettest.ended(zone, code, seconds, litres, flow, pump_after))
        elif code == "done" and flow is not None:
            self.book.flowed(run["zone"], flow)
        # A hose is no account of the valve's: only its litres count, not its hours.
        of_valve = 0.0 if run["cause"] == "hand" else seconds
        self.book.finish(run_id, self._moment(), of_valve, litres, code in _BAD_ENDS)

    # --- commands, alarms, zones -----------------------------------------------------------

    def outcome(self, command_id: str, state: str, reason: Reason) -> Body:
        """What became of a command."""
        outcome = {
            "id": command_id,
            "state": state,
            "code": reason.code,
            "values": reason.values,
            "at": self.now(),
        }
        self.book.keep_outcome(outcome)
        self._outbox.record("command", outcome)
        return outcome

    def tell_again(self, outcome: Body) -> None:
        """What became of a command that the platform still asks about."""
        self._outbox.record("command", outcome)

    def alarm_raised(
        self, code: str, zone: str | None, values: Body, alarm_id: str | None = None
    ) -> Body:
        """Something is wrong. Returns the alarm."""
        alarm = {
            "id": alarm_id or str(uuid.uuid4()),
            "code": code,
            "values": values,
            "zone": zone,
            "raised_at": self.now(),
            "cleared_at": None,
        }
        self._outbox.record("alarm", alarm)
        self.book.keep_alarm(alarm)
        return alarm

    def alarm_cleared(self, alarm: Body) -> None:
        """It is over."""
        cleared = alarm | {"cleared_at": max(alarm["raised_at"], self.now())}
        self._outbox.record("alarm", cleared)
        self.book.keep_alarm(cleared)

    def zone(self, row: Body, values: Body, bed: Body | None = None) -> None:
        """A zone as it is now; recorded when anything but the values has changed.

        Of its ``bed``, the reckoned soil, only a new hour counts: it changes all the time.
        """
        told = self._told.get(row["id"], {})
        is_news = any(told.get(name) != value for name, value in row.items())
        if is_news or _hour_of(told.get("bed")) != _hour_of(bed):
            self._told[row["id"]] = row | {"at": self.now(), "values": values, "bed": bed}
            self._outbox.record("zone", self._told[row["id"]])

    def source(self, row: Body) -> None:
        """A source of water as it is now; recorded when its reason, test or limits change, and
        else at most once in some minutes, while water is taken.
        """
        told = self._sources.get(row["id"])
        if told is not None:
            changed = {name for name, value in row.items() if told.get(name) != value}
            is_soon = self.now() - told["at"] < SOURCE_SECONDS
            if not changed or (is_soon and changed <= SLOWLY):
                return
        self._sources[row["id"]] = row | {"at": self.now()}
        self._outbox.record("source", self._sources[row["id"]])

    def zones(self) -> dict[str, Body]:
        """Each zone as it was last recorded."""
        return {zone: dict(row) for zone, row in self._told.items()}


def _hour_of(bed: Body | None) -> int | None:
    return None if bed is None else int(bed["at"] // 3600)
