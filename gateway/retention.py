"""Keeping the store small: old ledger rows, old command ids, and telemetry beyond the limit.

Irrigation, alarm and configuration rows are never dropped. What is dropped is counted and
declared in an alarm row; where rows go to two platforms, in one for each that never got them.
Called inside the store's transaction; ``committed`` afterwards.
"""

import logging
import time
from collections import Counter

from nongso.gateway.ledger import put_alarm
from nongso.gateway.storefile import StoreFile

log = logging.getLogger(__name__)

LEDGER_DAYS = 30  # a node's ring holds 7 to 14 days
LEDGER_DAYS_WHEN_FULL = 7
COMMAND_DAYS = 30
PRUNE_SECONDS = 86400.0
SIZE_CHECK_SECONDS = 5.0
DROP_ROWS = 2000
DECLARE_SECONDS = 600.0


class Retention:
    """Decides now and then what the store gives up. One transaction at a time."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.dropped = 0  # since the start, for the status page
        self.dropped_for: Counter[str] = Counter()  # by the destination that never got them
        self._undeclared: Counter[str] = Counter()
        self._pruned_at = self._sized_at = self._declared_at = self._complained_at = -1e9
        self._dropping = 0
        self._dropping_for: Counter[str] = Counter()
        self._declaring: Counter[str] = Counter()

    def keep(self, file: StoreFile, now: int) -> bool:
        """Give up what must go; ``True`` when a protected row (the declaration) was added."""
        self._forget_turn()
        clock = time.monotonic()
        if clock - self._pruned_at > PRUNE_SECONDS:
            file.forget_messages(now - LEDGER_DAYS * 86400)
            file.forget_commands(now - COMMAND_DAYS * 86400)
            self._pruned_at = clock
        if clock - self._sized_at > SIZE_CHECK_SECONDS or self._undeclared:
            self._sized_at = clock
            if file.used_bytes() > self.most_bytes:
                self._drop(file, now)
        lost = self._undeclared + self._dropping_for
        if lost and clock - self._declared_at > DECLARE_SECONDS:
            for destination, count in sorted(lost.items()):
                whose = {"destination": destination} if destination else {}
                put_alarm(file, "telemetry_dropped", {"count": count, **whose})
            self._declaring = lost
        return bool(self._declaring)

    def committed(self) -> None:
        """What ``keep`` did is on the disk."""
        self.dropped += self._dropping
        self.dropped_for += self._dropping_for
        self._undeclared = self._undeclared + self._dropping_for - self._declaring
        if self._declaring:
            self._declared_at = time.monotonic()
        self._forget_turn()

    def _forget_turn(self) -> None:
        self._dropping = 0
        self._dropping_for = Counter()
        self._declaring = Counter()

    def _drop(self, file: StoreFile, now: int) -> None:
        if file.forget_messages(now - LEDGER_DAYS_WHEN_FULL * 86400):
            return
        self._dropping, self._dropping_for = file.drop_telemetry(DROP_ROWS)
        if not self._dropping and time.monotonic() - self._complained_at > PRUNE_SECONDS:
            self._complained_at = time.monotonic()
            log.error(
                "the store is larger than %d MB and holds no telemetry to drop; is the platform "
                "reachable? store_megabytes in gateway.json can be raised",
                self.most_bytes >> 20,
            )
