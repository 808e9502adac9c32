"""Wet tests of zones: begins them, watches the meter around them, takes people's answers.

What a test means stands in ``irrigation/wettest.py``; it is kept with its zone, so that arming a
zone and the end of its test are one write. While a valve is open for a test, and until the pipes
are quiet again, no other zone starts: the meter is the whole farm's.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from nongso.gateway.irrigation import wettest
from nongso.gateway.irrigation.facts import Reason, Zone
from nongso.gateway.waterbook import Body, WaterBook


@dataclass
class _Watch:
    """What the meter said since the valve was closed; times of the steady clock."""

    since: float
    settled_at: float | None = None
    settled_total: float | None = None


class WetTests:
    """One gateway's tests. Not for two threads at once."""

    def __init__(self, book: WaterBook, steady: Callable[[], float], has_meter: bool) -> None:
        self._book, self._steady, self.has_meter = book, steady, has_meter
        self._watched: dict[str, _Watch] = {}
        for zone in list(book.zones.values()):
            is_open = zone.tested is not None and zone.tested.id in book.runs
            if not is_open:  # else its end is still to be heard
                book.keep_zone(wettest.interrupted(zone))

    def ahead(self) -> str | None:
        """The zone whose test everybody waits for."""
        return next((z.id for z in self._book.zones.values() if wettest.goes_on(z)), None)

    def in_the_way(self, zone_id: str) -> Reason | None:
        """Why no test can begin here now, beside what is in the way of any start."""
        tested = self.ahead()
        if tested is not None:
            return Reason("test_goes_on", {"zone": tested})
        others = [r["zone"] for r in self._book.runs.values() if r["zone"] != zone_id]
        return Reason("test_needs_quiet", {"zone": others[0]}) if others else None

    def begin(self, zone: Zone, test_id: str, by: str | None, now: float) -> None:
        """Remember a test before its valve is asked to open."""
        known = self._book.flow_known(zone.id)
        self._book.keep_zone(wettest.begun(zone, test_id, by, int(now), known))

    def did_not_begin(self, before: Zone, code: str) -> None:
        """Its valve was not opened; ``before`` is the zone as it was."""
        failed = wettest.ended(self._book.zones[before.id], code, 0.0, None)
        self._book.keep_zone(failed if code in wettest.PROVES else before)

    def tick(self, now: float, total: float | None, shut: Body | None = None) -> None:
        """Once a second. ``total`` is the meter's counter, ``None`` while it does not speak;
        ``shut`` is what the supervisor has measured of the last test's valve.
        """
        for zone in list(self._book.zones.values()):
            state = zone.tested.state if zone.tested is not None else ""
            if state != wettest.CLOSING:
                self._watched.pop(zone.id, None)
            if state == wettest.OPEN and _id_of(zone) not in self._book.runs:
                self._book.keep_zone(wettest.interrupted(zone))  # nothing will tell its end
            elif state == wettest.OPEN:
                self._look_for_water(zone)
            elif state == wettest.CLOSING:
                self._watch(zone, total, shut)
            elif state == wettest.ASKED:
                self._book.keep_zone(wettest.lapsed(zone, now))

    def answer(
        self, zone: Zone, answer_id: str, test: Body, by: str | None, now: float
    ) -> tuple[str, Reason]:
        """Take a person's answer about one test (``run``, ``saw``); the first one counts."""
        run, saw, tested = test["run"], str(test["saw"]), zone.tested
        if tested is None or tested.id != run or not wettest.may_be_answered(zone, saw):
            return "refused", Reason("test_is_over")
        if saw == "right" and not tested.is_shut:
            return "refused", Reason("shut_not_seen")
        after = wettest.answered(zone, saw, answer_id, by, int(now))
        if after.is_armed and zone.is_locked:
            return "refused", Reason("zone_locked")
        if after.is_armed and tested.flow_l_per_min is not None:
            self._book.flow_found(zone.id, tested.flow_l_per_min)
        self._book.keep_zone(after)
        return _outcome(after)

    def left_open(self) -> list[str]:
        """The zones whose valve is open for a test that is over: broken off, or answered."""
        of_tests = [r for r in self._book.runs.values() if r["cause"] == wettest.CAUSE]
        return [r["zone"] for r in of_tests if not self._is_open(r)]

    def _is_open(self, run: Body) -> bool:
        tested = self._book.zones[run["zone"]].tested
        return tested is not None and tested.id == run["id"] and tested.state == wettest.OPEN

    def answered_by(self, command_id: str) -> tuple[str, Reason] | None:
        """What became of an answer that was kept, but whose outcome was not told any more."""
        for zone in self._book.zones.values():
            if zone.tested is not None and zone.tested.seen_id == command_id:
                return _outcome(zone)
        return None

    def told(self, zone: Zone) -> Body:
        """A zone's tests in a form that can be told."""
        return {
            "is_armed": zone.is_armed,
            "has_meter": self.has_meter,
            "passed": None if zone.passed is None else asdict(zone.passed),
            "last": None if zone.tested is None else asdict(zone.tested),
        }

    def _look_for_water(self, zone: Zone) -> None:
        run = self._book.runs.get(_id_of(zone))
        if run is not None and run["litres"]:
            self._book.keep_zone(wettest.first_water(zone, run["seconds"]))

    def _watch(self, zone: Zone, total: float | None, shut: Body | None) -> None:
        now = self._steady()
        if shut is not None and shut["id"] == _id_of(zone):
            if not shut["is_over"]:
                return  # the main valve is still open for it
            zone = wettest.measured(zone, shut["is_shut"], shut["open"], shut["closed"])
            self._book.keep_zone(zone)
            if not wettest.goes_on(zone):
                return
        watch = self._watched.setdefault(zone.id, _Watch(now))
        if now - watch.since < wettest.SETTLE_SECONDS:
            return
        if watch.settled_at is None:
            watch.settled_at, watch.settled_total = now, total
        seconds = now - watch.settled_at
        if seconds < wettest.WATCH_SECONDS:
            return
        known = total is not None and watch.settled_total is not None and not self._book.runs
        litres = (total or 0.0) - (watch.settled_total or 0.0)
        flow = round(litres / seconds * 60.0, 1) if known and litres >= 0 else None
        self._book.keep_zone(wettest.watched(zone, flow))


def _outcome(zone: Zone) -> tuple[str, Reason]:
    return "done", Reason("test_passed" if zone.is_armed else "test_failed")


def _id_of(zone: Zone) -> str:
    return "" if zone.tested is None else zone.tested.id
