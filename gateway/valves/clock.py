"""The clock that valves live by: seconds since the machine started, asleep or awake.

Never the wall clock: a Raspberry Pi without battery starts in 1970 and then jumps.
"""

import time
from pathlib import Path


def boottime() -> float:
    """Seconds since boot, counting suspended time; the same in all processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """This boot of the machine, so that boot times of different boots are never compared."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "unknown"
