"""Lines of the diary as events: what one may hold, writing it, correcting it, reading it back.

A line is written once. Who made a mistake writes a correction with a reason; the diary then shows
the corrected line and what stood there before. The same line sent twice (a phone that did not
hear the answer) is one line: its number is made on the phone.
"""

import datetime
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event, EventSubject
from nongso.platform.languages import ZONE, day_of

LINE = "diary"
CORRECTION = "diary_correction"
BOOK = "book"  # in an event of a diary: what it is about, so that the log seals that too
NOON = datetime.time(12)

KINDS = (
    "planted",
    "watered",
    "fertilised",
    "sprayed",
    "pruned",
    "harvested",
    "weighed",
    "moved",
    "problem",
    "note",
)
UNITS = ("kg", "g", "l", "ml", "plants")
UNITS_OF = {
    "planted": ("plants", "g", "kg"),
    "watered": ("l",),
    "fertilised": ("kg", "g", "l", "ml"),
    "sprayed": ("ml", "g", "l", "kg"),
    "harvested": ("kg",),
    "weighed": ("kg",),
    "moved": ("kg",),
}
KG = {"kg": 1.0, "g": 0.001}
LONGEST_INTERVAL_DAYS = 365


@dataclass(frozen=True)
class Entry:
    """One line. What does not belong to its kind stays empty.

    ``day`` is an ISO date of the farm, ``minutes`` is time worked, ``cost`` is money in đồng,
    ``interval_days`` the pre-harvest interval that the label of a sprayed product asks for,
    ``photo`` the SHA-256 of a kept picture, ``task`` the procedure's task that it fulfils.
    ``who`` did it, where it was not the writer; ``dose`` is how it was mixed, as people say it;
    ``to`` is where something was moved.
    """

    kind: str
    day: str
    crop: str = ""
    product: str = ""
    ingredient: str = ""
    amount: float | None = None
    unit: str = ""
    interval_days: int | None = None
    minutes: int | None = None
    cost: int | None = None
    note: str = ""
    photo: str = ""
    task: str = ""
    who: str = ""
    dose: str = ""
    to: str = ""

    @property
    def kilograms(self) -> float | None:
        """The amount in kg, where it is a weight."""
        if self.amount is None or self.unit not in KG:
            return None
        return self.amount * KG[self.unit]

    def body(self) -> dict[str, Any]:
        """Return what the event holds: the fields that say something."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


@dataclass(frozen=True)
class Line:
    """A line as the diary shows it now. ``before`` holds what it said earlier, oldest first.

    ``versions`` are the numbers of the events behind it: the line's own, then each correction's.
    ``at`` is when it happened, as the newest of them says.
    """

    id: str
    entry: Entry
    actor: str
    recorded_at: int
    number: int
    withdrawn: bool = False
    reason: str = ""
    corrected_by: str = ""
    corrected_at: int | None = None
    versions: tuple[str, ...] = ()
    at: int = 0
    before: tuple[Entry, ...] = field(default=())


class NoSuchLine(Exception):
    """There is no such line in this diary."""


def subject_of(book: str) -> str:
    """What the events of a diary are about. ``book`` is a greenhouse's slug, or ``plot:<id>``."""
    return book if ":" in book else f"greenhouse:{book}"


def naming_book(session: Session, id_: str, book: str, body: dict[str, Any]) -> dict[str, Any]:
    """Let an event of a diary say which one it is of.

    Not one that is there without: sent again by a phone it is the same event still.
    """
    there = session.scalar(select(Event.body).where(Event.id == id_))
    return {**body, BOOK: subject_of(book)} if there is None or BOOK in there else body


def write(
    session: Session,
    id_: str,
    book: str,
    cooperative: str,
    actor: str,
    entry: Entry,
    now: int | None = None,
) -> None:
    """Append a line. Raises ``EventConflict``. Inside the caller's ``transaction()``."""
    _append(session, id_, LINE, book, cooperative, actor, entry.day, entry.body(), now)


def correct(
    session: Session,
    id_: str,
    line: Line,
    book: str,
    cooperative: str,
    actor: str,
    entry: Entry | None,
    reason: str,
    now: int | None = None,
) -> None:
    """Correct a line, or take it back (``entry`` is ``None``). Raises ``EventConflict``."""
    body = {"line": line.id, "reason": reason, "entry": entry.body() if entry else None}
    day = (entry or line.entry).day
    _append(session, id_, CORRECTION, book, cooperative, actor, day, body, now)


def _append(
    session: Session,
    id_: str,
    type_: str,
    book: str,
    cooperative: str,
    actor: str,
    day: str,
    body: dict[str, Any],
    now: int | None,
) -> None:
    events.append(
        session,
        id=id_,
        type=type_,
        at=_moment(day, int(time.time()) if now is None else now),
        actor=actor,
        cooperative=cooperative,
        body=naming_book(session, id_, book, body),
        subjects=[subject_of(book)],
        told_at=False,
    )


def _moment(day: str, now: int) -> int:
    """When it happened: today, now; on a past day, at noon (nobody was asked for the hour)."""
    date = datetime.date.fromisoformat(day)
    if date == day_of(now):
        return now
    return int(datetime.datetime.combine(date, NOON, ZONE).timestamp())


def lines(session: Session, book: str) -> list[Line]:
    """Return a diary, newest day first, corrections applied; of a greenhouse or ``plot:<id>``."""
    wanted = (
        select(Event)
        .join(EventSubject, EventSubject.number == Event.number)
        .where(EventSubject.subject == subject_of(book))
        .where(Event.type.in_((LINE, CORRECTION)))
        .order_by(Event.number)
    )
    return _read(session.scalars(wanted))


def of_cooperative(session: Session, cooperative: str) -> list[Line]:
    """Return the lines of all diaries of a cooperative, newest day first."""
    wanted = (
        select(Event)
        .where(Event.cooperative == cooperative, Event.type.in_((LINE, CORRECTION)))
        .order_by(Event.number)
    )
    return _read(session.scalars(wanted))


def _read(told: Iterable[Event]) -> list[Line]:
    found: dict[str, Line] = {}
    for event in told:
        if event.type == LINE:
            entry = _entry(event.body)
            found[event.id] = Line(
                event.id,
                entry,
                event.actor,
                event.recorded_at,
                event.number,
                versions=(event.id,),
                at=event.at,
            )
        else:
            _apply(found, event)
    return sorted(found.values(), key=lambda one: (one.entry.day, one.number), reverse=True)


def _apply(found: dict[str, Line], correction: Event) -> None:
    line = found.get(correction.body["line"])
    if line is None:
        return
    new = correction.body["entry"]
    found[line.id] = replace(
        line,
        entry=_entry(new) if new is not None else line.entry,
        withdrawn=new is None,
        reason=correction.body["reason"],
        corrected_by=correction.actor,
        corrected_at=correction.recorded_at,
        versions=(*line.versions, correction.id),
        at=correction.at,
        before=(*line.before, line.entry),
    )


def line(session: Session, book: str, id_: str) -> Line:
    """Return one line. Raises ``NoSuchLine``."""
    for one in lines(session, book):
        if one.id == id_:
            return one
    raise NoSuchLine(id_)


def standing(found: Sequence[Line]) -> list[Entry]:
    """Return what the diary says now: lines that were not taken back."""
    return [one.entry for one in found if not one.withdrawn]


def last_of(found: Sequence[Entry], kind: str) -> Entry | None:
    """Return the last line of a kind: what is likely to be done again the same way."""
    return next((one for one in found if one.kind == kind), None)


def planting(found: Sequence[Entry]) -> Entry | None:
    """Return the last planting: the crop that stands there now."""
    return last_of(found, "planted")


def safe_from(found: Sequence[Entry]) -> tuple[datetime.date, Entry] | None:
    """Return the first day on which the sprayed products allow a harvest, and which decides.

    The interval's days are whole days after the spraying. Only sprayings since the last planting
    count; one without an interval says nothing.
    """
    planted = planting(found)
    ends = [
        (
            datetime.date.fromisoformat(one.day) + datetime.timedelta(days=one.interval_days + 1),
            one,
        )
        for one in found
        if one.kind == "sprayed"
        and one.interval_days
        and (planted is None or one.day >= planted.day)
    ]
    return max(ends, key=lambda pair: pair[0], default=None)


def _entry(body: dict[str, Any]) -> Entry:
    """Read a kept line; a field of a newer version is passed over."""
    known = Entry.__dataclass_fields__
    return Entry(**{name: value for name, value in body.items() if name in known})
