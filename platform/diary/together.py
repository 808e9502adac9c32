"""The diary together with what stands elsewhere: nothing is typed twice.

The cooperative weighs a harvest in, the clerk records a planting, the gateway waters. None of it
has to be written into the diary again: here it stands beside the lines, said by whom it is.

The diary knows no lots. Whoever does (``LOTS`` among the application's extensions) tells what was
planted and weighed in a greenhouse, as the values below.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from nongso.platform.diary.entries import Entry, Line
from nongso.platform.diary.watering import Watered

LOTS = "nongso.diary.lots"  # function of a greenhouse that returns a ``Lots``
SAME_PLANTING_DAYS = 7  # two people who write down one planting differ by so much at most


@dataclass(frozen=True)
class Planted:
    """A planting in the cooperative's books."""

    lot: str
    crop: str
    day: datetime.date


@dataclass(frozen=True)
class Weighed:
    """A harvest on the cooperative's scale."""

    lot: str
    planting: str
    day: datetime.date
    kilograms: float


@dataclass(frozen=True)
class Lots:
    """What the cooperative's books say of a greenhouse, oldest first."""

    planted: tuple[Planted, ...] = ()
    weighed: tuple[Weighed, ...] = ()

    @property
    def of_their_season(self) -> list[Weighed]:
        """Harvests without those that an older planting gave after the newest one began."""
        if not self.planted:
            return list(self.weighed)
        newest = self.planted[-1]
        return [one for one in self.weighed if one.day < newest.day or one.planting == newest.lot]


@dataclass(frozen=True)
class Row:
    """One row of the diary: a line that somebody wrote, or what stood elsewhere already."""

    day: str
    line: Line | None = None
    planted: Planted | None = None
    weighed: Weighed | None = None
    watered: Watered | None = None


def rows(lines: Sequence[Line], lots: Lots, watered: Sequence[Watered]) -> list[Row]:
    """Everything, newest day first; on a day, what people wrote comes first."""
    found = [Row(one.entry.day, line=one) for one in lines]
    written = [one.entry for one in lines if not one.withdrawn]
    found += [Row(one.day.isoformat(), planted=one) for one in unwritten(written, lots)]
    found += [Row(one.day.isoformat(), weighed=one) for one in reversed(lots.weighed)]
    found += [Row(one.day.isoformat(), watered=one) for one in watered]
    return sorted(found, key=lambda row: row.day, reverse=True)


def entries(standing: Sequence[Entry], lots: Lots) -> list[Entry]:
    """The lines that stand with what the books add, newest day first: for sums and tasks.

    On a day on which the cooperative weighed, its scale counts, not what the diary says.
    """
    weighed = lots.of_their_season
    on_scale = {one.day.isoformat() for one in weighed}
    found = [one for one in standing if one.kind != "harvested" or one.day not in on_scale]
    found += [
        Entry("harvested", one.day.isoformat(), amount=one.kilograms, unit="kg") for one in weighed
    ]
    found += [
        Entry("planted", one.day.isoformat(), crop=one.crop) for one in unwritten(standing, lots)
    ]
    return sorted(found, key=lambda one: one.day, reverse=True)


def unweighed(standing: Sequence[Entry], lots: Lots) -> list[Entry]:
    """Harvests of the diary that no scale has seen: what the clerk may be asked to weigh."""
    on_scale = {one.day.isoformat() for one in lots.of_their_season}
    return [one for one in standing if one.kind == "harvested" and one.day not in on_scale]


def unwritten(standing: Sequence[Entry], lots: Lots) -> list[Planted]:
    """Plantings of the cooperative's books that the diary does not have."""
    pairs = _same(standing, lots)
    return [one for one in lots.planted if one.lot not in pairs]


def unbooked(standing: Sequence[Entry], lots: Lots) -> Entry | None:
    """The diary's last planting, if the cooperative's books do not have it."""
    last = next((one for one in standing if one.kind == "planted"), None)
    return None if last is None or last in _same(standing, lots).values() else last


def _same(standing: Sequence[Entry], lots: Lots) -> dict[str, Entry]:
    """Which planting of the books is which line of the diary, by lot.

    Two people write down one planting within some days of each other, and may call the crop by
    different names. So each line is one planting at most: the one of its crop first, then the
    nearest in time. Two plantings of one week stay two.
    """
    lines = [one for one in standing if one.kind == "planted"]
    near = sorted(
        (one.crop.casefold() != booked.crop.casefold(), days, at, booked.lot)
        for at, one in enumerate(lines)
        for booked in lots.planted
        if (days := abs((datetime.date.fromisoformat(one.day) - booked.day).days))
        <= SAME_PLANTING_DAYS
    )
    found: dict[str, int] = {}
    for _other_crop, _days, at, lot in near:
        if lot not in found and at not in found.values():
            found[lot] = at
    return {lot: lines[at] for lot, at in found.items()}
