"""The calibration of this node's own probes: what was measured here outweighs ``config.json``.

``calibration.json`` holds, for each series, the counts of the dry and of the wet point; either may
be missing (``null``) until somebody has measured it.
"""

import json
import os

from nongso.node.interpreter import sync
from nongso.node.log import say


class Calibration:
    """The points of all probes of a node whose files lie in one folder."""

    def __init__(self, folder: str) -> None:
        self._path = folder + "/calibration.json"
        self._points: dict[str, tuple[int | None, int | None]] = {}
        try:
            with open(self._path) as file:
                found = json.load(file)
            for series, (dry, wet) in found.items():
                self._points[series] = (_counts(dry), _counts(wet))
        except OSError:
            return
        except (ValueError, TypeError, AttributeError):
            say("calibration.json cannot be read: calibrate the probes again")
            self._points = {}

    def of(self, series: str) -> "tuple[int | None, int | None]":
        """Return the dry and the wet point, ``None`` where nobody has measured it here."""
        return self._points.get(series, (None, None))

    def keep(self, series: str, dry: "int | None", wet: "int | None") -> None:
        """Keep the points of a probe. Raises ``OSError``; they then hold until the restart."""
        self._points[series] = (dry, wet)
        with open(self._path + ".new", "w") as file:
            file.write(json.dumps(self._points))
            sync(file)  # type: ignore[arg-type]
        os.rename(self._path + ".new", self._path)


def _counts(found: object) -> "int | None":
    if found is None or (type(found) is int and 0 <= found <= 4095):
        return found
    raise ValueError("no counts")
