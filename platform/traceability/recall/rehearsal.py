"""The yearly rehearsal of a recall: one lot is asked for, the clock runs, the answers are kept.

The task is drawn from goods that have left. What the books say is sealed when it begins, so that
the report compares what people found with what was written before they looked. Nothing is moved
and nobody outside is told that anything is wrong.
"""

import datetime
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import scoped
from nongso.platform.languages import day_of
from nongso.platform.traceability.errors import AlreadyRecorded
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.moving.errors import NothingToRehearse, RehearsalEnded
from nongso.platform.traceability.moving.records import PackAccount
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.recall.records import Rehearsal
from nongso.platform.traceability.records import PACKS, Lot
from nongso.platform.traceability.tracing.trace import reach

YEARLY_DAYS = 365
NOT_REACHED = "not_reached"


@dataclass(frozen=True)
class Told:
    """One line of the report: what the books say, what was found. ``None`` where nobody said."""

    name: str
    contact: str
    books: int
    found: int | None
    not_reached: bool = False


@dataclass(frozen=True)
class Report:
    """The report of a rehearsal."""

    minutes: float
    sources_books: int
    sources_found: int | None
    lines: tuple[Told, ...]
    made: int
    gone: int

    @property
    def books(self) -> int:
        """Packs that should be found: in store and with holders."""
        return sum(one.books for one in self.lines)

    @property
    def found(self) -> int:
        """Packs that were found, none counted beyond what the books say."""
        return sum(min(one.found or 0, one.books) for one in self.lines)

    @property
    def percent(self) -> float:
        """How much was found of what should be."""
        return 100.0 * self.found / self.books if self.books else 100.0


def candidates(session: Session, cooperative: str) -> list[str]:
    """Packed lots of which something has left and that stand; those never rehearsed first."""
    wanted = (
        select(Lot.code)
        .join(PackAccount, PackAccount.lot == Lot.code)
        .where(
            Lot.cooperative == cooperative,
            Lot.kind == PACKS,
            Lot.withdrawn_at.is_(None),
            Lot.recalled_at.is_(None),
            PackAccount.shipped + PackAccount.sold > 0,
        )
        .order_by(Lot.code)
    )
    codes = list(session.scalars(wanted))
    played = set(
        session.scalars(select(Rehearsal.lot).where(Rehearsal.cooperative == cooperative))
    )
    return [code for code in codes if code not in played] or codes


def start(desk: Desk, id_: str) -> Rehearsal:
    """Draw a lot and begin. The same form is the same rehearsal.

    Raises ``NothingToRehearse``, ``AlreadyRecorded``.
    """
    there = desk.session.get(Rehearsal, id_)
    if there is not None:
        if there.cooperative != desk.cooperative:
            raise AlreadyRecorded
        return there
    codes = candidates(desk.session, desk.cooperative)
    if not codes:
        raise NothingToRehearse
    lot = desk.session.get_one(Lot, secrets.choice(codes))
    made = Rehearsal(
        id=id_,
        cooperative=desk.cooperative,
        actor=desk.actor,
        lot=lot.code,
        started_at=desk.now,
        ended_at=None,
        task=_sealed(desk.session, lot),
        answers={},
    )
    desk.session.add(made)
    desk.session.flush()
    return made


def _sealed(session: Session, lot: Lot) -> dict[str, Any]:
    """What the books say at the start."""
    now = recall_reach.of_lots(session, [lot.code])
    back = reach(session, [lot.code], "back")
    fed = {edge.target for edge in back.edges}
    return {
        "sources": [
            node.code for node in back.standing if node.code not in fed and node.depth > 0
        ],
        "made": lot.packs,
        "in_store": now.in_store,
        "gone": now.gone,
        "holders": [
            {
                "id": one.holder,
                "name": now.names[one.holder],
                "contact": now.contacts[one.holder],
                "packs": one.packs,
            }
            for one in now.holders
        ],
    }


def answer(desk: Desk, made: Rehearsal, answers: dict[str, Any], finish: bool) -> None:
    """Keep the answers so far; ``finish`` stops the clock. Raises ``RehearsalEnded``."""
    kept = desk.session.get_one(Rehearsal, made.id)
    if kept.ended_at is not None:
        if kept.answers == answers:
            return
        raise RehearsalEnded
    kept.answers = answers
    if finish:
        kept.ended_at = max(desk.now, kept.started_at)
    desk.session.flush()


def report(made: Rehearsal, now: int) -> Report:
    """What was found so far, or in the end."""
    task, said = made.task, made.answers
    lines = [Told("", "", task["in_store"], said.get("in_store"))]
    for one in task["holders"]:
        found = said.get("holders", {}).get(one["id"])
        missed = found == NOT_REACHED
        lines.append(
            Told(one["name"], one["contact"], one["packs"], None if missed else found, missed)
        )
    ended = made.ended_at if made.ended_at is not None else now
    return Report(
        minutes=(ended - made.started_at) / 60,
        sources_books=len(task["sources"]),
        sources_found=said.get("sources"),
        lines=tuple(lines),
        made=task["made"],
        gone=task["gone"],
    )


def listed(session: Session) -> Sequence[Rehearsal]:
    """Rehearsals that the asker may see, newest first."""
    wanted = scoped(select(Rehearsal), Rehearsal.cooperative)
    return session.scalars(wanted.order_by(Rehearsal.started_at.desc()).limit(30)).all()


def is_due(session: Session, cooperative: str, today: datetime.date) -> bool:
    """Whether goods have left, and nobody has rehearsed for a year."""
    last = session.scalar(
        select(Rehearsal.ended_at)
        .where(Rehearsal.cooperative == cooperative, Rehearsal.ended_at.is_not(None))
        .order_by(Rehearsal.ended_at.desc())
        .limit(1)
    )
    if last is not None and (today - day_of(last)).days <= YEARLY_DAYS:
        return False
    return bool(candidates(session, cooperative))
