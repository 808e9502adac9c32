"""What the simulated farm watered in its past, told to the platform as the gateway tells its runs.

Runs do not travel over MQTT: the gateway writes them when it opens a valve. Those of the past
go over the same door as its batches (``docs/contracts.md`` section 4), with the gateway's key and
ids that depend on the past alone, so telling them twice changes nothing.
"""

import http.client
import json
import urllib.request
import uuid
from collections.abc import Sequence
from typing import Any

from nongso.gateway.simulated.past import Watering

ROWS_IN_BATCH = 500
_SECONDS = 20.0
_NAMES = uuid.UUID("6f1d5f0a-52a8-4a0e-9d0e-6a3b9c1f7e21")  # ours, for version 5


class PastRunsError(Exception):
    """The platform did not take the runs; the text says why."""


def tell(
    waterings: Sequence[Watering], seed: int, gateway: str, platform_url: str, key: str
) -> int:
    """Bring the platform all runs of the past; returns how many it has stored."""
    runs = [run for watering in waterings for run in _runs(watering, seed)]
    rows = [{"id": number, "kind": "run", "run": run} for number, run in enumerate(runs, 1)]
    stored = 0
    for first in range(0, len(rows), ROWS_IN_BATCH):
        batch = {
            "gateway": gateway,
            "store": f"{seed:016x}",
            "rows": rows[first : first + ROWS_IN_BATCH],
        }
        stored += _post(batch, f"{platform_url}/api/v1/gateways/{gateway}/batch", key)
    return stored // 2


def _runs(watering: Watering, seed: int) -> list[dict[str, Any]]:
    """Return a run as it was written twice: when it began, and when it had ended."""
    began: dict[str, Any] = {
        "id": str(uuid.uuid5(_NAMES, f"{seed} {watering.zone} {watering.started_at}")),
        "zone": watering.zone,
        "cause": watering.cause,
        "by": watering.by,
        "state": "running",
        "code": watering.code,
        "values": watering.values,
        "ordered_seconds": round(watering.seconds),
        "started_at": watering.started_at,
    }
    ended = {
        "state": "done",
        "code": "done",
        "values": {"seconds": watering.seconds, "litres": watering.litres},
        "ended_at": watering.started_at + round(watering.seconds),
        "seconds": watering.seconds,
        "litres": watering.litres,
    }
    return [began, {**began, **ended}]


def _post(batch: dict[str, Any], url: str, key: str) -> int:
    request = urllib.request.Request(
        url,
        data=json.dumps(batch).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            said = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException) as e:
        raise PastRunsError(f"The platform at {url} did not take the past runs: {e}") from e
    if said["refused"]:
        raise PastRunsError(f"The platform refused past runs: {said['refused'][0]}")
    return len(said["stored"])
