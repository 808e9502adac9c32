"""Whether the rooms of a running house answer, asked as their users would."""

import json
import socket
import time
import urllib.error
import urllib.request
from typing import Any

from nongso.commands.ports import Ports

FRESH_SECONDS = 60
GREENHOUSES = 2
_WANTED = {"air_temperature", "air_humidity", "light", "soil_moisture"}
_DRAINED_ROWS = 100


class Answers:
    """Asks the rooms of one start. No answer is ``False``, never an error."""

    def __init__(self, ports: Ports, platform_url: str) -> None:
        self._ports = ports
        self._platform_url = platform_url

    def farm_answers(self) -> bool:
        """Say whether relay board and chips can be reached."""
        for port in (self._ports.modbus, self._ports.chips):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
        return True

    def gateway_is_connected(self) -> bool:
        """Say whether the gateway runs and hears the broker."""
        return bool(self._status().get("broker_connected"))

    def has_drained(self) -> bool:
        """Say whether the platform has nearly all that the gateway holds."""
        outbox = self._status().get("outbox")
        return isinstance(outbox, dict) and sum(outbox.values()) < _DRAINED_ROWS

    def has_fresh_readings(self, token: str) -> bool:
        """Say whether the platform has new readings of every greenhouse."""
        request = urllib.request.Request(
            f"{self._platform_url}/api/v1/greenhouses",
            headers={"Authorization": "Bearer " + token},
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                greenhouses = json.load(answer)["greenhouses"]
        except (OSError, ValueError, KeyError):
            return False
        now = time.time()
        fresh = [
            g
            for g in greenhouses
            if all(
                m in g["latest"] and now - g["latest"][m]["at"] < FRESH_SECONDS for m in _WANTED
            )
        ]
        return len(fresh) >= GREENHOUSES

    def _status(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._ports.status}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as e:  # not healthy yet, but it says how it is
            found = json.load(e)
        except (OSError, ValueError):
            return {}
        return found
