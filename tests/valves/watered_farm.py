"""A gateway's watering on a model board, with a real store, and the clock turned by hand."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_board import Rig
from two_zones import BUS_NODE, PROBE, settings_in

from nongso.gateway.latest import Latest
from nongso.gateway.stops import Given
from nongso.gateway.store import Store
from nongso.gateway.valves.client import SupervisorGone, SupervisorRefused
from nongso.gateway.watering import Watering
from nongso.wire import marks
from nongso.wire.payload import Reading

NOW = 1_790_000_000.0


class DeskValves:
    """The client's verbs, handed to the supervisor's own desk without a socket between."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.is_gone = False
        self.who = object()

    def _ask(self, **request: Any) -> dict[str, Any]:
        if self.is_gone:
            raise SupervisorGone(Path("valves.sock"), "not there")
        answer = self.rig.ask(self.who, **request)
        if "error" in answer:
            raise SupervisorRefused(str(answer))
        return answer

    def open(
        self,
        zone: str,
        seconds: float,
        id: str,  # noqa: A002
        flow: float | None = None,
        test: bool = False,
    ) -> dict[str, Any]:
        return self._ask(do="open", zone=zone, seconds=seconds, id=id, flow=flow, test=test)

    def hand(self, zone: str, seconds: float, id: str) -> dict[str, Any]:  # noqa: A002
        return self._ask(do="hand", zone=zone, seconds=seconds, id=id)

    def stop(self, zone: str | None = None) -> dict[str, Any]:
        return self._ask(do="stop", zone=zone)

    def renew(self, heard: Any = ()) -> dict[str, Any]:
        return self._ask(do="renew", heard=list(heard))

    def unlock(self, zone: str) -> dict[str, Any]:
        return self._ask(do="unlock", zone=zone)


class Farm:
    """A gateway's watering on a model board, with a real store; the clock is turned by hand."""

    def __init__(self, folder: Path, **zone: Any) -> None:
        self.folder = folder
        self.settings = settings_in(folder, **zone)
        self.rig = Rig()
        self.rig.loop()
        self.valves = DeskValves(self.rig)
        self.latest = Latest()
        self.wall_offset = NOW - self.rig.clock()
        self.moisture: float | None = 50.0
        self.inside: dict[str, float] = {}  # what the probe's node tells of air and light
        self.tank = 85.0
        self.store = Store(folder / "store.sqlite")
        self._numbers = itertools.count(1)
        self.start()

    def start(self, steady: Callable[[], float] | None = None) -> None:
        """A new gateway process on the same store; ``steady`` is the clock after a reboot."""
        self.watering = Watering(
            *(self.settings, self.valves, self.latest, self.store, self.wall),
            steady or self.rig.clock,
        )

    def dies(self) -> None:
        """kill -9: the connection closes; nothing more is written."""
        self.rig.desk.gone(self.valves.who)
        self.valves.who = object()
        self.store.close()
        self.store = Store(self.folder / "store.sqlite")

    def wall(self) -> float:
        return self.rig.clock() + self.wall_offset

    def turn(self, seconds: float) -> None:
        """Let time pass with readings coming in and a tick each second."""
        for _ in range(round(seconds)):
            at = int(self.wall())
            if self.moisture is not None:
                reading = Reading("soil_moisture", at, self.moisture, marks.SIMULATED)
                self.latest.take(PROBE, [reading], at)
            air = [Reading(name, at, value, 0) for name, value in self.inside.items()]
            self.latest.take(PROBE, air, at)
            tank = Reading("tank_level", at, self.tank, marks.SIMULATED)
            self.latest.take(BUS_NODE, [tank], at)
            self.watering.tick()
            self.rig.turn(1.0)
        self.watering.tick()

    def order(self, **command: Any) -> dict[str, Any]:
        number = next(self._numbers)
        body = {"id": f"order-{number}", "number": number, "age": 0, "gateway": "binh-lu"}
        return self.watering.order(body | {"by": "Lò Văn Páo"} | command)

    def order_of(self, given: Given, **command: Any) -> dict[str, Any]:
        """A command that one of two platforms brought."""
        body = {"gateway": "binh-lu", "by": "Lò Văn Páo"}
        return self.watering.order(body | command | {"age": 0}, given)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        _, rows = self.store.rows(True, 10_000, 1 << 24)
        found = [json.loads(row.body) for row in rows if row.kind == kind]
        return [row[kind] for row in found]

    def openings(self, coil: int = 0) -> int:
        return sum(c == coil and on for _, c, on in self.rig.board.edges)
