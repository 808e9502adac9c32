"""Times at which a schedule would water: APScheduler proposes them, the due-list decides.

The only door to APScheduler. Of it only the triggers are used, which are functions of time: its
schedulers wait by the wall clock, and were measured to stand still when that jumps, as it does on
a board without a battery clock. So nothing of it runs by itself, and nothing of it can keep water
on: what is proposed here is begun, put off or given up by ``irrigation/schedule.py``.

APScheduler knows no sun. Slots that go with it come from ``irrigation/daytime.py``.
"""

import datetime
from collections.abc import Iterator
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

from nongso.gateway.irrigation.daytime import second_of_day
from nongso.gateway.irrigation.facts import DAY_SECONDS, Planned, Schedule, Slot
from nongso.wire.slots import read_time

LOOK_BACK_DAYS = 2
LOOK_AHEAD_DAYS = 8
DAY = int(DAY_SECONDS)
THURSDAY = 3  # 1 January 1970; Monday is 0


def proposed(schedule: Schedule, now: float) -> tuple[Planned, ...]:
    """All slots from two local days before ``now`` to eight after it, in the order of time."""
    return _around(schedule, (int(now) + schedule.utc_offset_minutes * 60) // DAY)


@lru_cache(maxsize=256)  # asked each second, and the same all day
def _around(schedule: Schedule, today: int) -> tuple[Planned, ...]:
    days = range(today - LOOK_BACK_DAYS, today + LOOK_AHEAD_DAYS + 1)
    found = [
        Planned(at, slot.run_seconds)
        for slot in schedule.slots
        for at in (
            _by_clock(slot, schedule, days)
            if read_time(slot.at)[0] == "clock"
            else _by_sun(slot, schedule, days)
        )
    ]
    return tuple(sorted(found, key=lambda one: one.at))


def _by_clock(slot: Slot, schedule: Schedule, days: range) -> Iterator[int]:
    here = datetime.timezone(datetime.timedelta(minutes=schedule.utc_offset_minutes))
    hour, minute = divmod(read_time(slot.at)[1], 60)
    trigger = CronTrigger(
        day_of_week=",".join(map(str, slot.days)), hour=hour, minute=minute, timezone=here
    )
    offset = schedule.utc_offset_minutes * 60
    after = datetime.datetime.fromtimestamp(days.start * DAY - offset, here)
    while (found := trigger.get_next_fire_time(None, after)) is not None:
        at = int(found.timestamp())
        if at >= days.stop * DAY - offset:
            return
        yield at
        after = found + datetime.timedelta(seconds=1)


def _by_sun(slot: Slot, schedule: Schedule, days: range) -> Iterator[int]:
    offset = schedule.utc_offset_minutes
    for day in days:
        if (day + THURSDAY) % 7 in slot.days:
            second = second_of_day(slot.at, day, offset, schedule.place)
            yield day * DAY + second - offset * 60
