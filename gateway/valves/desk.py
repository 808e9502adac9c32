"""The supervisor's counter: takes requests from the socket's lines and words the answers.

One JSON object a line, one answer a line, as docs/contracts.md section 3 has it, and beyond it
``{"do": "unlock", "zone": …}`` (a person has looked at a locked zone). Anyone who may open the
socket may ask ``read``, ``stop`` and ``unlock``; ``open``, ``hand`` and ``renew`` belong to the
one connection that asked for them first: it is the lease. Knows no socket: lines in, lines out.
"""

import json
import math
import uuid
from collections.abc import Callable
from typing import Any

from nongso.gateway.valves.bus import BusWork
from nongso.gateway.valves.fall import Fall
from nongso.gateway.valves.hand import Hand
from nongso.gateway.valves.plan import Plan
from nongso.gateway.valves.runs import CLOSED, OPEN, Refused, Run

Answer = dict[str, Any]

LONGEST_DETAIL = 200
NOT_OPENED = ("valve_not_opened", "pump_not_started")


class Desk:
    """Answers requests for one plan."""

    def __init__(
        self,
        plan: Plan,
        work: BusWork,
        clock: Callable[[], float],
        meter_now: Callable[[], None],
        sensors: Callable[[], Answer] = dict,
    ) -> None:
        self.plan, self.work, self.clock, self._meter_now = plan, work, clock, meter_now
        self._sensors = sensors
        self.is_ending = False  # nothing is opened any more
        self.supervisor = uuid.uuid4().hex  # tells a restarted supervisor from the old one
        self.controller: object | None = None

    def line(self, who: object, line: bytes) -> bytes:
        """Answer one line of connection ``who``."""
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict):
                raise ValueError("a request is an object")
            answer = self._answer(who, asked)
        except (ValueError, RecursionError) as error:
            answer = {"error": "not_understood", "detail": str(error)[:LONGEST_DETAIL]}
        return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode() + b"\n"

    def gone(self, who: object) -> None:
        """A connection has ended; if it was the lease, everything closes."""
        if who is self.controller:
            self.controller = None
            self.plan.gateway_lost(self.clock())

    def _answer(self, who: object, asked: Answer) -> Answer:
        do = asked.get("do")
        if do == "read":
            return self._read()
        if do == "stop":
            return self._stop(who, _text_or_none(asked, "zone"))
        if do == "unlock":  # a person has looked, on the phone or at a terminal
            return self._unlock(_text(asked, "zone"))
        if do not in ("open", "hand", "renew"):
            raise ValueError(f"do is {do!r}; it can be open, hand, stop, renew, read or unlock")
        if self.controller is None or self.plan.is_gateway_silent(self.clock()):
            self.controller = who
        if self.controller is not who:
            return {"error": "not_in_control", "detail": "another connection holds the lease"}
        self.plan.gateway_heard(self.clock())
        if do == "open":
            return self._open(asked)
        if do == "hand":
            return self._hand(asked)
        return self._renew(asked)

    def _open(self, asked: Answer) -> Answer:
        run_id, zone = _text(asked, "id"), _text(asked, "zone")
        if self.is_ending:
            return _refused(run_id, "supervisor_gone", {})
        seconds = _seconds(asked.get("seconds"))
        if seconds is None:
            detail = "seconds must be a number; there is no open without seconds"
            return _refused(run_id, "not_understood", {"detail": detail})
        try:
            usual, is_test = _flow(asked.get("flow")), asked.get("test") is True
            run = self.plan.open(zone, seconds, run_id, self.clock(), usual, is_test)
        except Refused as refused:
            return _refused(run_id, refused.code, refused.values)
        self.work.settle()
        if run.state != OPEN:
            code = run.code if run.code in NOT_OPENED else "bus_silent"
            self.plan.abandon(run)
            self.work.settle()
            return _refused(run_id, code, {})
        return {"id": run_id, "state": "running", "until": round(run.end(self.clock()), 3)}

    def _hand(self, asked: Answer) -> Answer:
        hand_id, zone = _text(asked, "id"), _text(asked, "zone")
        seconds = _seconds(asked.get("seconds"))
        if seconds is None:
            return _refused(hand_id, "not_understood", {"detail": "seconds must be a number"})
        try:
            hand = self.plan.begin_hand(zone, seconds, hand_id, self.clock())
        except Refused as refused:
            return _refused(hand_id, refused.code, refused.values)
        return {"id": hand_id, "state": "running", "until": round(hand.end(self.clock()), 3)}

    def _stop(self, who: object, zone: str | None) -> Answer:
        if who is self.controller:
            self.plan.gateway_heard(self.clock())
        try:
            zones = self.plan.stop(zone, "stopped", self.clock())
        except Refused as refused:
            return {"state": "refused", "code": refused.code, "values": refused.values}
        self.work.settle()
        if any(run.state == CLOSED for run in self.plan.runs):
            self._meter_now()  # whoever asked to stop hears the end with the next renew
        # "closing": off is written again and again, but was not yet read back.
        closed = self.plan.is_read_as_closed(zone)
        return {"state": "closed" if closed else "closing", "zones": zones}

    def _unlock(self, zone: str) -> Answer:
        try:
            self.plan.unlock(zone)
        except Refused as refused:
            return {"unlocked": False, "code": refused.code, "values": refused.values}
        return {"unlocked": True}

    def _renew(self, asked: Answer) -> Answer:
        heard = asked.get("heard", [])
        if not isinstance(heard, list) or not all(isinstance(i, str) for i in heard):
            raise ValueError("heard must be a list of ids")
        self.plan.heard(set(heard))
        self.plan.alarms.heard(set(heard))
        now = self.clock()
        going_on: list[Run | Hand] = [*self.plan.runs, *self.plan.hands.values()]
        return {
            "supervisor": self.supervisor,
            "closed_at": self.plan.coils.ready_at,
            "total": self._sensed(now).get("water_total"),
            "bus": "ok" if self.plan.has_bus() else "silent",
            "auto_off": self.plan.layout.auto_off,
            "runs": [_run(r, now) | {"left": round(r.left(now), 1)} for r in going_on],
            "ended": [
                _run(r, now)
                | {
                    "code": r.code,
                    "values": r.values,
                    "flow": _rounded(r.flow_l_per_min),
                    "pump_after": _rounded(r.pump_after_seconds),
                }
                for r in self.plan.ended.values()
            ],
            "shut": _shut(self.plan.fall),
            "emergency": self.plan.is_emergency,
            "unlocked": [{"id": i, "zone": zone} for i, zone in self.plan.unlocked.items()],
            "locked": sorted(self.plan.locked),
            "alarms": [
                {"id": a.id, "code": a.code, "zone": a.zone, "values": a.values}
                for a in self.plan.alarms.standing()
            ],
        }

    def _read(self) -> Answer:
        now = self.clock()
        values = self._sensed(now)
        errors = {s.role: s.error for s in self.work.sensors if s.error is not None}
        if self.work.error is not None:
            errors["relay"] = self.work.error
        return {
            "flow": values.get("water_flow"),
            "total": values.get("water_total"),
            "tank": values.get("tank_level"),
            "mains": self.work.mains(now),
            "coils": self.plan.coils.seen,
            "errors": errors,
            "sensors": self._sensors(),
        }

    def _sensed(self, now: float) -> dict[str, float]:
        """What meter and tank said lately."""
        return {name: v for sensor in self.work.sensors for name, v in sensor.fresh(now).items()}


def _seconds(asked: object) -> float | None:
    """Return the seconds of a run, or ``None`` for what is none: text, NaN, 400 digits."""
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        return None
    if isinstance(asked, int) and abs(asked) >= 1 << 53:
        return None
    return float(asked) if math.isfinite(asked) else None


def _flow(asked: object) -> float | None:
    """Return the l/min that are usual, or ``None``: what cannot be meant guards nothing."""
    flow = _seconds(asked)
    return flow if flow is not None and flow > 0 else None


def _refused(run_id: str, code: str, values: dict[str, object]) -> Answer:
    return {"id": run_id, "state": "refused", "code": code, "values": values}


def _run(run: Run | Hand, now: float) -> Answer:
    return {
        "id": run.id,
        "zone": run.zone,
        "hand": isinstance(run, Hand),
        "seconds": round(run.ran(now), 1),
        "litres": _rounded(run.litres),
    }


def _shut(fall: Fall | None) -> Answer | None:
    """Whether the valve of the last wet test closes, as far as it was measured."""
    if fall is None:
        return None
    return {
        "id": fall.id,
        "is_over": fall.is_over,
        "is_shut": fall.is_shut,
        "open": fall.open_l_per_min,
        "closed": fall.shut_l_per_min,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _text(asked: Answer, name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 100:
        raise ValueError(f"{name} must be a text")
    return value


def _text_or_none(asked: Answer, name: str) -> str | None:
    return None if asked.get(name) is None else _text(asked, name)
