"""Lets new boards in when somebody asks for it on a page: a claim code, ten minutes, one board.

How this works. The platform's order names a station: a new one, or one whose broken board gives
its place to another. A door opens in the farm's network (``claims``), and its code goes back as
the order's outcome ``running``. What became of it is the same order's last outcome. One door is
open at a time: a new code ends the one before. The code is in memory only; a gateway that starts
anew says that it was interrupted, and nobody is let in by an old code.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from nongso.gateway import boardconfigs, claims, enrolment
from nongso.gateway.claims import Door
from nongso.gateway.errors import GatewayError
from nongso.gateway.outcomes import Outcomes, Records
from nongso.gateway.settings import GatewaySettings, Node
from nongso.wire.topics import TopicError, check_slug

log = logging.getLogger(__name__)

OPEN = "claim:open"  # in the store's state: the order whose door stands open
_HEX = frozenset("0123456789abcdef")


class Refused(Exception):
    """An order that comes to nothing; ``code`` is of ``nongso.wire.reasons``."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code, self.values = code, values


class Wish(NamedTuple):
    """Who is to be let in, and where it stands. ``board`` is its number, if it is known."""

    place: enrolment.Place
    board: str | None
    is_replacement: bool


class NewStations:
    """One door at a time. ``order`` and ``stop`` may come from any thread."""

    def __init__(
        self,
        settings_file: Path,
        settings: Callable[[], GatewaySettings],
        store: Records,
        admitted: Callable[[], None],
    ) -> None:
        """``settings`` gives those that count now; ``admitted`` is told of each board let in."""
        self._file, self._settings, self._store = settings_file, settings, store
        self._admitted = admitted
        self._lock = threading.Lock()
        self._door: Door | None = None
        self._thread: threading.Thread | None = None
        self._outcomes = Outcomes(store)
        left_open = store.state(OPEN)
        if left_open:
            self._outcomes.tell(left_open, "refused", "interrupted", {})
            store.set_state(OPEN, "")

    def order(self, command: dict[str, Any]) -> dict[str, Any]:
        """Open a door for an order, and return its outcome, which is recorded too."""
        command_id = str(command["id"])
        with self._lock:
            known = self._outcomes.before(command_id)
            if known is not None:
                return known
            try:
                wish = self._read(command.get("station"))
                door, at = self._open(wish)
            except Refused as error:
                return self._outcomes.tell(command_id, "refused", error.code, error.values)
            self._store.set_state(OPEN, command_id)
            values = {
                "claim": f"{door.code[:5]}-{door.code[5:]}",
                "address": at,
                "node": wish.place.slug,
                "seconds": int(claims.OPEN_SECONDS),
                "until": int(time.time() + claims.OPEN_SECONDS),
            }
            outcome = self._outcomes.tell(command_id, "running", "claim_open", values)
            self._door = door
            self._thread = threading.Thread(
                target=self._serve, args=(door, command_id, wish), name="claim", daemon=True
            )
            self._thread.start()
            return outcome

    def stop(self, patience_seconds: float) -> None:
        """Close the door; the order was interrupted."""
        with self._lock:
            door, thread = self._door, self._thread
            if door is not None:
                door.withdraw()
        if thread is not None:
            thread.join(patience_seconds)

    # --- reading an order ------------------------------------------------------

    def _read(self, found: Any) -> Wish:
        settings = self._settings()
        if settings.stations is None:
            raise Refused("no_station_network")
        if not isinstance(found, dict):
            raise Refused("not_understood", detail="an enrolment names a station")
        slug, house_slug = found.get("node"), found.get("greenhouse")
        zone, board = found.get("zone"), found.get("board")
        house = next((h for h in settings.greenhouses if h.slug == house_slug), None)
        if house is None or zone not in (None, *(z.id for z in house.zones)):
            raise Refused("zone_unknown")
        try:
            check_slug(str(slug))
        except TopicError as error:
            raise Refused("not_understood", detail=str(error)) from None
        if board is not None and (len(str(board)) != 16 or set(str(board)) - _HEX):
            raise Refused("not_understood", detail="a board's number has 16 hex digits")
        same = next((n for n in settings.nodes if n.slug == slug), None)
        is_replacement = found.get("replace") is True
        if is_replacement:
            if same is None or same.greenhouse != house.slug or same.sensor is not None:
                raise Refused("station_unknown", node=str(slug))
            return Wish(enrolment.Place(same.farm, same.slug), board, True)
        if same is not None or slug in (settings.bus_node.slug, settings.broker.user):
            raise Refused("station_name_taken", node=str(slug))
        self._check_new(settings.nodes, board)
        return Wish(enrolment.Place(house.farm, str(slug), house.slug, zone), board, False)

    @staticmethod
    def _check_new(nodes: tuple[Node, ...], board: str | None) -> None:
        for node in nodes:
            if board is not None and node.eui64 == board:
                raise Refused("board_known", node=node.slug)

    # --- the door ----------------------------------------------------------------

    def _open(self, wish: Wish) -> tuple[Door, str]:
        """Listen in the farm's network, after closing the door before."""
        if self._door is not None:
            self._door.withdraw()
        if self._thread is not None:
            self._thread.join(claims.CLOSING_SECONDS)
        settings = self._settings()
        at = settings.stations
        assert at is not None
        config = boardconfigs.first(settings, wish.place.slug)

        def let_in(eui64: str) -> dict[str, Any]:
            folder = self._settings().broker_folder
            admitted = enrolment.admit(self._file, folder, wish.place, eui64)
            made = enrolment.config_of(admitted, config, at.host)
            boardconfigs.keep(self._settings(), wish.place.slug, config)
            return made

        try:
            door = Door(at.host, at.claim_port, let_in, board=wish.board)
        except OSError as error:
            log.error("no door at %s:%d for a new station: %s", at.host, at.claim_port, error)
            raise Refused("no_station_network") from None
        return door, f"{at.host}:{door.port}"

    def _serve(self, door: Door, command_id: str, wish: Wish) -> None:
        """Wait for the board, and say what became of it."""
        slug = wish.place.slug
        door.wait()
        if door.admitted is not None:
            is_told = enrolment.tell_broker(self._settings().broker_folder)
            log.warning("station %s was let in: board %s", slug, door.admitted)
            self._admitted()
            values = {"node": slug, "board": door.admitted, "broker_told": is_told}
            said = ("done", "station_admitted", values)
        elif door.other_board is not None:
            said = ("refused", "other_board", {"node": slug, "board": door.other_board})
        elif door.trouble:
            log.error("a board knew the code for %s and was not let in: %s", slug, door.trouble)
            said = ("refused", "board_not_admitted", {"node": slug})
        elif door.was_guessed_at:
            said = ("refused", "claim_guessed", {"node": slug})
        elif door.was_withdrawn:
            said = ("refused", "claim_withdrawn", {"node": slug})
        else:
            said = ("refused", "claim_expired", {"node": slug})
        try:
            self._outcomes.tell(command_id, *said)
            self._store.set_state(OPEN, "")
        except GatewayError as error:
            log.error("the outcome of an enrolment cannot be kept: %s", error)
