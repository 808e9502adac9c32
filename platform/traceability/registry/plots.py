"""Plots: what land a household works, of what crop, from when until when.

A plot is kept as people say it (3 sào) and reckoned in square metres. It has a last day when it
is given up or sown with something else; then a new plot is written down, so that last year's
harvest is still held against last year's land. The point on the map is the household's own
business: nobody outside of the cooperative sees it unless the household has agreed
(``public_point``), and where it is shown it is shown no finer than a hundred metres.

The growing-area code (mã số vùng trồng) is kept as the paper says it: its pattern changed with
the administrative units, so nothing is read out of it.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from nongso.platform import typed_numbers
from nongso.platform.diary.entries import Line
from nongso.platform.events import Event
from nongso.platform.store import Base
from nongso.platform.traceability.records import Lot, Producer, same_crop

# Square metres of one unit. Sào, mẫu and thước are those of the north: 360, 3,600 and 24 m².
UNITS = {"m2": 1, "ha": 10_000, "sao": 360, "mau": 3_600, "thuoc": 24}
BOOK = "plot:"  # how a plot's diary is called: plot:<id>
SAID_UNITS = {"m2": "m²", "ha": "ha", "sao": "sào", "mau": "mẫu", "thuoc": "thước"}
MOST_AREA_M2 = 10_000_000  # a thousand hectares; more is a slipped finger
_ONE_CROP = dict.fromkeys(
    ("dong", "củ dong", "cây dong", "củ dong riềng", "dong giềng"), "dong riềng"
)
_WRITTEN_UNITS = {
    "m2": "m2",
    "m²": "m2",
    "mét vuông": "m2",
    "ha": "ha",
    "hecta": "ha",
    "héc ta": "ha",
    "sào": "sao",
    "mẫu": "mau",
    "thước": "thuoc",
}
_AREA = re.compile(r"(?P<amount>[0-9][0-9., \u00a0]*?)\s*(?P<unit>[^\d.,\s].*)?")


class Plot(Base):
    """A piece of land of one producer. ``since`` and ``until`` are days, both counted in."""

    __tablename__ = "plot"
    __table_args__ = (
        UniqueConstraint("cooperative", "code"),
        CheckConstraint("area_m2 > 0", name="area_positive"),
        Index("ix_plot_producer_id", "producer_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    producer_id: Mapped[str] = mapped_column(ForeignKey("producer.id"))
    producer: Mapped[Producer] = relationship(lazy="joined")
    code: Mapped[str]
    name: Mapped[str]
    crop: Mapped[str]
    area: Mapped[str]  # as it was said: "3 sào"
    area_m2: Mapped[int]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    public_point: Mapped[bool] = mapped_column(default=False)
    growing_area_code: Mapped[str]
    since: Mapped[str]
    until: Mapped[str | None]

    def is_worked(self, day: datetime.date) -> bool:
        """Say whether the producer works it on that day."""
        return self.since <= day.isoformat() and (
            self.until is None or day.isoformat() <= self.until
        )

    @property
    def shown_point(self) -> tuple[float, float] | None:
        """The point for whoever scans a label, to about a hundred metres; ``None`` if private."""
        if not self.public_point or self.latitude is None or self.longitude is None:
            return None
        return round(self.latitude, 3), round(self.longitude, 3)

    def grows(self, crop: str) -> bool:
        """Say whether it is of that crop, whichever of its names was written down."""
        return same_crop(plain_crop(self.crop), plain_crop(crop))


def place_of(plot: str) -> str:
    """The id of the place that stands for a plot in lots and events."""
    return f"plot-{plot}"


def plot_at(place: str | None) -> str | None:
    """The plot for which a place stands; ``None`` for any other place."""
    return place.removeprefix("plot-") if place is not None and place.startswith("plot-") else None


def grown_on(session: Session, producer_id: str, crop: str, day: datetime.date) -> list[Plot]:
    """The plots of a producer under that crop on that day; under any crop where it is empty."""
    found = session.scalars(select(Plot).where(Plot.producer_id == producer_id))
    return [plot for plot in found if plot.is_worked(day) and (not crop or plot.grows(crop))]


def title(plot: Plot) -> str:
    """What people call a plot: Nương sau bản (T001)."""
    return f"{plot.name or plot.crop} ({plot.code})"


def weighed(session: Session, plot: str) -> list[tuple[Lot, int]]:
    """What was weighed in from a plot and when it was lifted, oldest first.

    Portions that were split off or merged later are left out: they are no weigh-ins.
    """
    found = session.execute(
        select(Lot, Event.at)
        .join(Event, Event.number == Lot.born_number)
        .where(Lot.place_id == place_of(plot), Lot.regrouped.is_(False))
        .where(Lot.withdrawn_at.is_(None))
        .order_by(Event.at, Lot.born_number)
    )
    return [(lot, at) for lot, at in found]


def begun_on(lines: Iterable[Line], lifted: datetime.date) -> datetime.date:
    """The day on which a plot's diary says that was planted what was lifted on that day."""
    days = (
        datetime.date.fromisoformat(line.entry.day)
        for line in lines
        if line.entry.kind == "planted" and not line.withdrawn
    )
    return max((day for day in days if day <= lifted), default=datetime.date.min)


def plain_crop(crop: str) -> str:
    """The one name of a crop that people call by several: củ dong is dong riềng."""
    return _ONE_CROP.get(" ".join(crop.casefold().split()), crop)


def area_of(session: Session, producer_id: str, crop: str, day: datetime.date) -> int | None:
    """The land of a producer under that crop on that day, in square metres.

    ``None`` where no plot of that crop is written down for the day: that is not known, which is
    something else than no land.
    """
    found = grown_on(session, producer_id, crop, day) if crop else []
    return sum(plot.area_m2 for plot in found) if found else None


@dataclass(frozen=True)
class Area:
    """An area as it was said, and in square metres."""

    said: str
    m2: int


class BadArea(ValueError):
    """An area that cannot be read; ``why`` is ``number``, ``unit``, ``two_ways`` or ``size``."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(f"{text[:60]!r}: {why}")
        self.why = why


def read_area(text: str, unit: str = "") -> Area:
    """Read an area: ``3 sào``, ``0,25 ha``, ``1.080 m²``; a bare number takes the unit given.

    A whole number of square metres is read with its thousands dot (1.080 m² is a thousand and
    eighty: nobody measures a hill plot to the square decimetre). Raises ``BadArea``.
    """
    found = _AREA.fullmatch(text.strip()[:60])
    if found is None or len(text.strip()) > 60:
        raise BadArea("number", text)
    named = " ".join((found["unit"] or "").casefold().split()).removesuffix(" bắc bộ")
    chosen = _WRITTEN_UNITS.get(named, unit if not named else "")
    if chosen not in UNITS:
        raise BadArea("unit", text)
    try:
        amount = (
            Decimal(typed_numbers.read_whole(found["amount"]))
            if chosen == "m2"
            else typed_numbers.read(found["amount"])
        )
    except typed_numbers.TwoWays as e:
        raise BadArea("two_ways", text) from e
    except typed_numbers.Unreadable as e:
        raise BadArea("number", text) from e
    m2 = round(amount * UNITS[chosen])
    if not 0 < m2 <= MOST_AREA_M2:
        raise BadArea("size", text)
    return Area(f"{found['amount'].strip()} {SAID_UNITS[chosen]}", m2)
