"""Takes a station out when somebody asks for it on a page: sold, lost, stolen, moved away.

Its password, its rights at the broker and its key end together (``enrolment.remove``), and the
gateway hears it no more. What it has measured stays everywhere. A station by whose level a water
source is judged is not taken out: without it water would start from an empty source.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nongso.gateway import enrolment
from nongso.gateway.errors import GatewayError
from nongso.gateway.outcomes import Outcomes, Records
from nongso.gateway.settings import GatewaySettings

log = logging.getLogger(__name__)


class Removing:
    """Carries out orders to take a station out. ``order`` may come from any thread."""

    def __init__(
        self,
        settings_file: Path,
        settings: Callable[[], GatewaySettings],
        store: Records,
        removed: Callable[[], None],
    ) -> None:
        """``settings`` gives those that count now; ``removed`` is told that they have changed."""
        self._file, self._settings, self._removed = settings_file, settings, removed
        self._outcomes = Outcomes(store)
        self._lock = threading.Lock()

    def order(self, command: dict[str, Any]) -> dict[str, Any]:
        """Take a station out, and return the outcome, which is recorded too."""
        command_id = str(command["id"])
        with self._lock:
            known = self._outcomes.before(command_id)
            if known is not None:
                return known
            found = command.get("station")
            found = found if isinstance(found, dict) else {}
            return self._outcomes.tell(
                command_id, *self._remove(str(found.get("node")), found.get("board"))
            )

    def _remove(self, slug: str, board: Any) -> tuple[str, str, dict[str, Any]]:
        """Return state, code and values. ``board``: who asked saw this one under the name."""
        settings = self._settings()
        values: dict[str, Any] = {"node": slug}
        node = next((n for n in settings.boards if (n.slug, n.eui64) == (slug, board)), None)
        if node is None:
            return "refused", "station_unknown", values
        source = next((s for s in settings.sources if s.level_node == node.eui64), None)
        if source is not None:
            return "refused", "station_measures_source", values | {"source": source.name}
        folder = settings.broker_folder
        try:
            enrolment.remove(self._file, folder, node.farm, slug)
        except GatewayError as error:
            log.error("station %s cannot be taken out: %s", slug, error)
            return "refused", "station_not_removed", values
        is_told = enrolment.tell_broker(folder)
        log.warning("station %s was taken out: board %s", slug, node.eui64)
        self._removed()
        return "done", "station_removed", values | {"board": node.eui64, "broker_told": is_told}
