"""Zones that rest after a stop: whose stop it was, and how it is said.

A stop of everything closes every valve of every greenhouse, also of those that nobody looks at:
water that should not run is stopped first and sorted out later. So each greenhouse says itself
who has stopped it, and lets itself water again.
"""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import Command, Zone
from nongso.platform.languages import _, moment


def stop_of(session: Session, zone: Zone) -> Command | None:
    """The stop that a resting zone rests after.

    ``None`` where the zone does not rest, or rests after something that is not known here: the
    stop of another platform, a gateway that was taken up from a copy.
    """
    if not zone.is_resting:
        return None
    last = session.scalar(
        select(Command)
        .where(Command.gateway == zone.gateway, Command.state.in_(("done", "running")))
        .where(
            ((Command.do == "stop") & or_(Command.zone.is_(None), Command.zone == zone.id))
            | (Command.do.in_(("mode", "water")) & (Command.zone == zone.id))
        )
        .order_by(Command.number.desc())
        .limit(1)
    )
    return last if last is not None and last.do == "stop" else None


def zone_sentence(stop: Command | None, now: float) -> str:
    """Say, of one zone, that it rests, and by whose stop."""
    if stop is None:
        return _(
            "Khu này đang tạm nghỉ vì có người đã bấm dừng. "
            "Muốn tự tưới lại, xin bấm Tưới hoặc Cho tự tưới lại."
        )
    if stop.zone is None:
        return _(
            "Khu này đang tạm nghỉ vì %(name)s bấm Dừng tất cả lúc %(at)s. "
            "Muốn tự tưới lại, xin bấm Tưới hoặc Cho tự tưới lại.",
            name=stop.by,
            at=moment(stop.created_at, now),
        )
    return _(
        "Khu này đang tạm nghỉ vì %(name)s bấm Dừng tưới lúc %(at)s. "
        "Muốn tự tưới lại, xin bấm Tưới hoặc Cho tự tưới lại.",
        name=stop.by,
        at=moment(stop.created_at, now),
    )


def house_sentence(stop: Command, now: float) -> str:
    """Say, of a greenhouse, that a stop of everything keeps its zones from watering."""
    return _(
        "Tưới tự động ở nhà màng này đang tạm dừng vì %(name)s bấm Dừng tất cả lúc %(at)s. "
        "Muốn bật lại, xin bấm Cho nhà màng này tự tưới lại.",
        name=stop.by,
        at=moment(stop.created_at, now),
    )
