"""Teaches a station's soil probe dry and wet, when somebody presses it on a page.

The order goes to the station at once or not at all: a station that sleeps or is away does not
hear it, and the person is told so after a moment. What the probe gave comes back on ``update``.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from nongso.gateway.outcomes import Outcomes, Records
from nongso.gateway.settings import GatewaySettings, Node
from nongso.gateway.teaching import Teaching
from nongso.wire import topics

ANSWER_SECONDS = 15.0
GOOD_SECONDS = 60  # two clocks may differ; the order itself waits in no queue
POINTS = ("dry", "wet")
LONGEST_SERIES = 24
LARGEST_WORD = 512


class _Asked(NamedTuple):
    node: Node
    series: str
    point: str
    until: float  # of the steady clock


class Calibrating:
    """Carries orders to stations. ``order``, ``take`` and ``tick`` are of three threads."""

    def __init__(
        self,
        settings: Callable[[], GatewaySettings],
        store: Records,
        say: Callable[[str, bytes], None],
        teaching: Teaching,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._say, self._steady = settings, say, steady
        self._teaching = teaching
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}
        self._outcomes = Outcomes(store)

    def order(self, command: dict[str, Any]) -> dict[str, Any]:
        """Pass an order on, and return its outcome so far, which is recorded too."""
        command_id = str(command["id"])
        with self._lock:
            known = self._outcomes.before(command_id)
            if known is not None:
                return known
            found = command.get("station")
            found = found if isinstance(found, dict) else {}
            slug, series, point = (str(found.get(w)) for w in ("node", "series", "point"))
            node = next((n for n in self._settings().boards if n.slug == slug), None)
            if node is None:
                return self._outcomes.tell(
                    command_id, "refused", "station_unknown", {"node": slug}
                )
            if point not in POINTS or len(series) > LONGEST_SERIES:
                values = {"detail": "point is dry or wet, of a series"}
                return self._outcomes.tell(command_id, "refused", "not_understood", values)
            self._teaching.pressed(node.eui64, series)
            self._asked[command_id] = _Asked(node, series, point, self._steady() + ANSWER_SECONDS)
            order = {
                "do": "calibrate",
                "series": series,
                "point": point,
                "until": int(time.time() + GOOD_SECONDS),
                "id": command_id,
            }
            self._say(topics.topic(node.farm, node.slug, "down"), json.dumps(order).encode())
            values = {"node": slug, "series": series, "point": point}
            return self._outcomes.tell(command_id, "running", "calibrating", values)

    def take(self, node: Node, raw: bytes) -> bool:
        """Take a station's word, if it is one about its probe; says whether it was."""
        if len(raw) > LARGEST_WORD or b'"calibrated"' not in raw:
            return False
        try:
            found = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if not isinstance(found, dict) or found.get("do") != "calibrated":
            return False
        with self._lock:
            asked = self._asked.get(str(found.get("id")))
            if asked is None or asked.node.eui64 != node.eui64:
                return True  # too late, or not asked for
            del self._asked[str(found["id"])]
            values = {"node": node.slug, "series": asked.series, "point": asked.point}
            counts = found.get("counts")
            if type(counts) is int and "refused" not in found:
                self._teaching.taken(node.eui64, asked.series, asked.point)
                done = values | {"counts": counts, "board": node.eui64}
                self._outcomes.tell(str(found["id"]), "done", "calibrated", done)
            else:
                self._outcomes.tell(str(found["id"]), "refused", "calibration_refused", values)
        return True

    def tick(self) -> None:
        """Give up on stations that do not answer."""
        with self._lock:
            now = self._steady()
            for command_id, asked in list(self._asked.items()):
                if now > asked.until:
                    del self._asked[command_id]
                    values = {"node": asked.node.slug}
                    self._outcomes.tell(command_id, "refused", "station_silent", values)
