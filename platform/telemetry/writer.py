"""The one writer for InfluxDB and VictoriaMetrics: lines to ``/api/v2/write``, then it returns.

How this works. The door to ``influxdb_client``, which is imported only here and only when an
engine is used (43 MB). Lines go out in requests of ``LINES_A_REQUEST``, written synchronously:
the library's own batching thread would say "written" before the engine has anything. A request
that fails for a reason that may pass is tried again for ``RETRY_SECONDS`` in all; then
``TelemetryAway`` flies, the gateway hears 503 and keeps its rows.
Nothing is queued here, so nothing can be lost here.
"""

import logging
import random
import time
from collections.abc import Sequence
from typing import Any

from nongso.platform.telemetry.address import Address
from nongso.platform.telemetry.interface import TelemetryAway

log = logging.getLogger(__name__)

LINES_A_REQUEST = 5000
REQUEST_SECONDS = 10.0
RETRY_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.1


class Writer:
    """Writes lines with times in whole seconds. Safe for many threads."""

    def __init__(self, address: Address) -> None:
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS

        self.answers = 0  # how often the engine answered as it should
        self._name = f"{address.kind} at {address.url}"
        token = f"{address.user}:{address.token}" if address.user else address.token
        self._bucket = address.database or "nongso"
        if address.retention:
            self._bucket += f"/{address.retention}"
        self._org = address.org or "-"
        self._client: Any = InfluxDBClient(
            url=address.url,
            token=token,
            org=self._org,
            timeout=int(REQUEST_SECONDS * 1000),
            retries=False,  # a second try is ours to decide
        )
        self._api: Any = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: Sequence[str]) -> int:
        """Write lines; returns when the engine has them, with how many it can never take.

        Raises ``TelemetryAway`` when it does not have them all; writing them again is harmless.
        """
        return sum(
            self._send(lines[begin : begin + LINES_A_REQUEST])
            for begin in range(0, len(lines), LINES_A_REQUEST)
        )

    def _send(self, lines: Sequence[str]) -> int:
        body = "\n".join(lines).encode()
        deadline = time.monotonic() + RETRY_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                self._api.write(
                    bucket=self._bucket, org=self._org, record=body, write_precision="s"
                )
                self.answers += 1
                return 0
            except Exception as error:  # urllib3's and the library's errors share no base
                status = getattr(error, "status", None)
                said = " ".join(str(getattr(error, "body", None) or error).split())[:300]
                if status is not None and 400 <= status < 500 and status not in (408, 429):
                    return self._refused(status, said, lines)
                if time.monotonic() + pause > deadline:
                    raise TelemetryAway(f"{self._name} takes no readings now: {said}") from error
            time.sleep(pause * random.uniform(0.5, 1))
            pause *= 2

    def _refused(self, status: int, said: str, lines: Sequence[str]) -> int:
        """Sort out a refusal: a wrong setting, or lines that the engine will never take."""
        if status in (401, 403):
            raise TelemetryAway(f"{self._name} refuses our token or password: {said}")
        if "not found" in said or status == 404:
            raise TelemetryAway(f"{self._name} has no database {self._bucket!r}: {said}")
        if len(lines) > 1:  # find the ones it means, so that the others are not held up
            middle = len(lines) // 2
            return self._send(lines[:middle]) + self._send(lines[middle:])
        log.error("%s will never take a reading (%s): %s", self._name, said, lines[0][:200])
        return 1

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._client.close()
