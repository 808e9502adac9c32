"""Time on a board that may start without a clock.

Uptime comes from the ticks, which wrap: it must be asked at least once in six days (each
sample does). When the clock becomes known, ``Origins`` remembers at which Unix second the
uptime of this boot was zero, so that what was measured before gets its time, also when it
is sent by a later boot, and always the same one.
"""

import binascii
import struct

from nongso.node.interpreter import TYPE_CHECKING, const, sync, ticks_diff, ticks_ms
from nongso.wire import writing

if TYPE_CHECKING:
    from collections.abc import Callable

_ENTRY = "<II"
_KEPT = const(8)  # boots: the file stays below littlefs' inline limit of 128 bytes


class Clock:
    """Uptime and, once known, Unix time, both in whole seconds."""

    def __init__(
        self,
        unix_seconds: "Callable[[], int | None]",
        ticks: "Callable[[], int]" = ticks_ms,
        diff: "Callable[[int, int], int]" = ticks_diff,
        uptime: int = 0,
    ) -> None:
        """``uptime``: seconds that this boot has lasted before its last sleep ended."""
        self._ticks, self._diff = ticks, diff
        self._last = ticks()
        self._ms = uptime * 1000
        self.unix = unix_seconds

    def uptime(self) -> int:
        """Seconds since the start."""
        now = self._ticks()
        self._ms += self._diff(now, self._last)
        self._last = now
        return self._ms // 1000


class Origins:
    """A small file: for the last boots, the Unix second at which their uptime was zero."""

    def __init__(self, folder: str) -> None:
        self._path = folder + "/origins"
        self._known: list[tuple[int, int]] = []
        try:
            with open(self._path, "rb") as file:
                found = file.read(256)
        except OSError:
            return
        if len(found) >= 4 and struct.unpack("<I", found[-4:])[0] == binascii.crc32(found[:-4]):
            for i in range(0, len(found) - 4, 8):
                self._known.append(struct.unpack_from(_ENTRY, found, i))

    def of(self, boot: int) -> "int | None":
        """Return the Unix second at which that boot's uptime was zero, if known."""
        for known, origin in self._known:
            if known == boot:
                return origin
        return None

    def remember(self, boot: int, origin: int) -> None:
        """Keep the origin of a boot. Raises ``OSError``; it is then known until the restart."""
        self._known = self._known[-(_KEPT - 1) :] + [(boot, origin)]  # noqa: RUF005
        out = b"".join(struct.pack(_ENTRY, b, o) for b, o in self._known)
        with open(self._path, "wb") as file:
            file.write(out + struct.pack("<I", binascii.crc32(out)))
            sync(file)


def base_time(
    at: int, is_unix: bool, boot: int, this_boot: int, clock: Clock, origins: Origins
) -> "tuple[int | None, int, bytes]":
    """Return the base time for the message of a sample, the sample's own time that this is, and
    how the node knows it (see ``nongso.wire.payload``).
    """
    if is_unix:
        return at, at, b"clock"
    origin = origins.of(boot)
    if origin is not None:
        return origin + at, at, b"reckoned"
    if boot == this_boot:
        return None, clock.uptime(), b"ago"
    return writing.unknown_time(boot, at), at, b"unknown"
