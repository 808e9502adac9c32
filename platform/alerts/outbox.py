"""The outbox: messages that were decided are sent, tried again with growing gaps, given up late.

A message is a row before anybody tries to send it. It is claimed for a while, sent outside of
any transaction, and what came of it is written down. A process that dies in between leaves a
claim that runs out, so the message goes at least once; its id is the same at every try, for
receivers that can tell (Zalo's ``tracking_id``, a phone's ``tag``).
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from flask import Flask
from flask_babel import force_locale  # type: ignore[import-untyped]  # has none
from sqlalchemy import case, select
from sqlalchemy.orm import Session

from nongso.platform.alerts.records import Alert, Notice, Way, note
from nongso.platform.alerts.rules import DAY, LEVELS
from nongso.platform.alerts.ways import Message, MustRenew, NotSent, Ways
from nongso.platform.languages import moment
from nongso.platform.settings import Settings
from nongso.platform.store import Records

log = logging.getLogger(__name__)

AT_ONCE = 4  # a mail server that does not answer holds up nobody else's message for long
A_ROUND = 20
CLAIM_SECONDS = 120  # longer than any way may take
FIRST_GAP_SECONDS, LAST_GAP_SECONDS = 30, 1800
GIVE_UP_SECONDS = DAY


@dataclass(frozen=True)
class _Letter:
    """A claimed message and where it goes."""

    kind: str
    target: str
    message: Message
    tries: int
    made_at: int
    since: int  # when the way was added


class Outbox:
    """Sends what is due."""

    def __init__(self, app: Flask, ways: Ways) -> None:
        self.app = app
        self.records: Records = app.extensions["nongso.records"]
        self.settings: Settings = app.extensions["nongso.settings"]
        self.ways = ways

    def send_due(self, now: int) -> int:
        """Send one round of what is due; return how many were tried."""
        letters = self._claim(now)
        if not letters:
            return 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notice") as pool:
            results = list(pool.map(self._try, letters))
        with self.records.transaction() as session:
            for letter, trouble in zip(letters, results, strict=True):
                self._note(session, letter, trouble, now)
        return len(letters)

    def _claim(self, now: int) -> list[_Letter]:
        with self.records.session() as session:
            due = select(Notice.id).where(Notice.state == "waiting", Notice.next_at <= now)
            if session.scalar(due.limit(1)) is None:
                return []
        worst_first = case({level: n for n, level in enumerate(LEVELS)}, value=Notice.level)
        with self.records.transaction() as session:
            found = session.execute(
                select(Notice, Way)
                .join(Way, Way.id == Notice.way)
                .where(Notice.state == "waiting", Notice.next_at <= now)
                .order_by(worst_first, Notice.next_at)
                .limit(A_ROUND)
            ).all()
            for notice, _way in found:
                notice.next_at = now + CLAIM_SECONDS
                notice.tries += 1
            return [self._letter(notice, way, now) for notice, way in found]

    def _letter(self, notice: Notice, way: Way, now: int) -> _Letter:
        with self.app.app_context(), force_locale(way.language):
            said_at = moment(notice.made_at, now)
        page = notice.link or "/alerts" + (f"/{notice.alert}" if notice.alert else "")
        message = Message(
            id=notice.id,
            title=notice.title,
            text=notice.text,
            urgent=notice.level == "alarm",
            link=self.settings.url + page,
            alert=notice.alert or "",
            time=said_at,
        )
        return _Letter(way.kind, way.target, message, notice.tries, notice.made_at, way.created_at)

    def _try(self, letter: _Letter) -> NotSent | None:
        try:
            self.ways.send(letter.kind, letter.target, letter.message, letter.since)
        except NotSent as error:
            return error
        except Exception as error:  # a surprise in a library must not hold up the other messages
            log.error("sending over %s failed", letter.kind, exc_info=error)
            return NotSent(f"{type(error).__name__} in {letter.kind}")
        return None

    def _note(self, session: Session, letter: _Letter, trouble: NotSent | None, now: int) -> None:
        notice = session.get(Notice, letter.message.id)
        if notice is None:  # the person has taken the way away meanwhile
            return
        way = session.get_one(Way, notice.way)
        if trouble is None:
            # Even if it was overtaken while it was on its way: it has gone out.
            notice.state, notice.sent_at, notice.detail = "sent", now, None
            way.worked_at, way.trouble = now, None
            self._event(session, notice, way, now, "sent")
            return
        notice.detail = way.trouble = str(trouble)[:300]
        over = trouble.for_good or now - notice.made_at >= GIVE_UP_SECONDS
        if notice.state == "waiting":
            notice.next_at = now + gap_seconds(notice.tries)
        if over:
            notice.state = "given_up"
        if over or notice.tries == 1:
            what = "given_up" if over else "not_sent"
            self._event(session, notice, way, now, what, why=notice.detail)
            log.warning("message over %s: %s: %s", way.kind, what, notice.detail)
        if trouble.for_good and way.kind == "push" and not isinstance(trouble, MustRenew):
            session.flush()
            session.delete(way)  # the phone has unsubscribed; its messages go with it

    @staticmethod
    def _event(
        session: Session, notice: Notice, way: Way, now: int, what: str, **body: str
    ) -> None:
        if notice.alert is not None:
            note(session, notice.alert, now, what, kind=way.kind, person=notice.person_id, **body)


def gap_seconds(tries: int) -> int:
    """Return how long to wait after so many tries."""
    longest: int = min(FIRST_GAP_SECONDS * 2 ** min(tries - 1, 10), LAST_GAP_SECONDS)
    return longest


def standing_of(session: Session, alerts: Sequence[Alert]) -> dict[str, tuple[int, int]]:
    """Return how many messages of each alert were sent, and how many still wait."""
    counts: dict[str, tuple[int, int]] = {}
    for alert, state in session.execute(
        select(Notice.alert, Notice.state).where(Notice.alert.in_([a.id for a in alerts]))
    ):
        sent, waiting = counts.get(alert or "", (0, 0))
        counts[alert or ""] = (sent + (state == "sent"), waiting + (state == "waiting"))
    return counts
