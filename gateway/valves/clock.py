"""The clock that valves live by: seconds since the machine started, asleep or awake.

Never the wall clock: a Raspberry Pi without battery starts in 1970 and then jumps.
"""

import time


def boottime() -> float:
    """Seconds since boot, counting suspended time; the same in all processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
