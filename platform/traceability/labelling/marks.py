"""Collective marks: printed on labels only for producers who are entitled to them.

The mark is somebody's, registered under a number; a producer uses it by a paper of the owner, from
a day to a day. Asked is the day on which the lot was packed and the producer who stands on the
label. A roll printed before the season is asked when it is printed and again when it is bound.
"""

import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.errors import PlaceUnknown
from nongso.platform.traceability.labelling.errors import MarkNamed, NotEntitled, RightTwice
from nongso.platform.traceability.labelling.records import CollectiveMark, MarkRight
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.records import Producer
from nongso.platform.traceability.registry import vouching


def marks(session: Session, cooperative: str | None) -> list[CollectiveMark]:
    """The marks that a cooperative has written down, by name."""
    wanted = select(CollectiveMark).where(CollectiveMark.cooperative == cooperative)
    return list(session.scalars(wanted.order_by(CollectiveMark.name)))


def rights(session: Session, mark: str) -> list[MarkRight]:
    """Every right to a mark there is or was, the newest first."""
    wanted = select(MarkRight).where(MarkRight.mark == mark)
    return list(session.scalars(wanted.order_by(MarkRight.since.desc(), MarkRight.id)))


def write_down(desk: Desk, id_: str, name: str, number: str, owner: str) -> CollectiveMark:
    """Write a mark down, new or changed. Raises ``MarkNamed``."""
    there = marks(desk.session, desk.cooperative)
    if any(one.name == name and one.id != id_ for one in there):
        raise MarkNamed
    found = next((one for one in there if one.id == id_), None)
    if found is None:
        found = CollectiveMark(id=id_, cooperative=desk.cooperative)
        desk.session.add(found)
    found.name, found.number, found.owner = name, number, owner
    found.at, found.actor = desk.now, desk.actor
    vouching.note(desk.session, found, desk.actor, desk.now)
    return found


def entitle(
    desk: Desk,
    id_: str,
    mark: str,
    producer: str,
    paper: str,
    since: datetime.date,
    until: datetime.date | None,
) -> MarkRight:
    """Let a producer use a mark. Raises ``PlaceUnknown``, ``RightTwice``."""
    there = desk.session.get(MarkRight, id_)
    if there is not None:
        return there
    own_mark(desk.session, desk.cooperative, mark)
    maker = desk.session.get(Producer, producer)
    if maker is None or maker.cooperative != desk.cooperative:
        raise PlaceUnknown("producer", producer)
    made = MarkRight(
        id=id_,
        mark=mark,
        producer_id=producer,
        paper=paper,
        since=since.isoformat(),
        until=None if until is None else until.isoformat(),
        at=desk.now,
        actor=desk.actor,
    )
    for one in rights(desk.session, mark):
        meets = one.until is None or one.until >= made.since
        if one.producer_id == producer and meets and (not made.until or one.since <= made.until):
            raise RightTwice(maker.name)
    desk.session.add(made)
    vouching.note(desk.session, made, desk.actor, desk.now)
    return made


def end(desk: Desk, id_: str, right: str, until: datetime.date) -> MarkRight:
    """Give a right its last day, not before its first. Raises ``PlaceUnknown``."""
    found = desk.session.get(MarkRight, right)
    if found is None:
        raise PlaceUnknown("right", right)
    own_mark(desk.session, desk.cooperative, found.mark)
    found.until = max(until.isoformat(), found.since)
    found.ended_at, found.ended_by = desk.now, desk.actor
    vouching.note(desk.session, found, desk.actor, desk.now)
    return found


def own_mark(session: Session, cooperative: str, mark: str) -> CollectiveMark:
    """A mark that this cooperative has written down. Raises ``PlaceUnknown``."""
    found = session.get(CollectiveMark, mark)
    if found is None or found.cooperative != cooperative:
        raise PlaceUnknown("mark", mark)
    return found


def refuse_unentitled(
    session: Session, cooperative: str, mark: str, producer: Producer | None, day: str
) -> CollectiveMark:
    """Raise ``NotEntitled`` unless this producer may use the mark on that day."""
    found = own_mark(session, cooperative, mark)
    who = producer.id if producer is not None else ""
    if not any(one.producer_id == who and one.holds(day) for one in rights(session, mark)):
        raise NotEntitled(found.name, "" if producer is None else producer.name, day)
    return found


def line(mark: CollectiveMark) -> str:
    """What stands on the label, in Vietnamese like all of it."""
    return f"Nhãn hiệu tập thể {mark.name}, số {mark.number}"
