"""The watch: looks at all farms again and again, decides, and writes down what shall be said.

How this works. Once in ``TICK_SECONDS``, sooner when readings have come in, the watch looks at
everything (``findings``), asks ``deciding`` about every cause, and writes standings, alerts,
events and messages in one transaction. Nothing is sent from here: a message is a row of the
outbox first (``outbox``). What is remembered of a cause is read anew each time, so that a
press on "Đã biết" in another process counts, and a restart neither forgets nor says twice.

Of several processes one holds the lease and does the work; the others look at the lease only.
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_babel import force_locale  # type: ignore[import-untyped]  # has none
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from nongso.platform.alerts import sentences
from nongso.platform.alerts.deciding import (
    FIRST,
    MESSAGES,
    Event,
    Standing,
    decide,
    may_forget,
)
from nongso.platform.alerts.findings import Finding, look
from nongso.platform.alerts.outbox import Outbox
from nongso.platform.alerts.plans import Plans
from nongso.platform.alerts.records import (
    Alert,
    AlertStanding,
    Lease,
    Notice,
    Way,
    alert_id,
    lease,
    note,
    notice_id,
    standing_from,
    standing_to,
)
from nongso.platform.alerts.rules import LEVELS, Rule, is_quiet
from nongso.platform.people import Person
from nongso.platform.storage import StorageError
from nongso.platform.store import Records
from nongso.platform.telemetry import Telemetry, TelemetryError

log = logging.getLogger(__name__)

TICK_SECONDS = 10.0
SOONEST_SECONDS = 2.0  # between two looks, however many readings come in
LEASE_SECONDS = 30
LEASE = "watch"
SEND_EVERY_SECONDS = 1.0
REFRESH_SECONDS = 60  # how often the numbers of an alert that stands are written anew


@dataclass
class _Case:
    """A cause in one look: what it was, what it is, what happened."""

    finding: Finding
    rule: Rule
    before: Standing
    after: Standing
    events: tuple[Event, ...]


class Watch:
    """Looks at the farms and decides; ``tick`` is one look."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.records: Records = app.extensions["nongso.records"]
        self.telemetry: Telemetry = app.extensions["nongso.telemetry"]
        self.holder = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def tick(self, now: int) -> bool:
        """Take one look. Returns whether it was ours to do; the lease is kept in any case."""
        if not self.hold(now):
            return False
        with self.records.session() as session:
            found = look(session, self.telemetry, now)
            plans = Plans(session)
            cases = self._decide(found, plans, _standings(session), now)
            if not _matters(cases, now) and not self._has_old_numbers(session, cases, now):
                return True
        with self.records.transaction() as session:
            self.records.aside(session)
            if not lease(session, LEASE, self.holder, now, LEASE_SECONDS):
                return False
            # Somebody may have pressed "Đã biết" since the look: decide on what stands now.
            cases = self._decide(found, plans, _standings(session), now)
            self._write(session, cases, now)
        return True

    def hold(self, now: int) -> bool:
        """Take the lease or make it last longer; writes nothing while that can wait."""
        with self.records.session() as session:
            kept = session.get(Lease, LEASE)
            if kept is not None and 0 < kept.until - now <= LEASE_SECONDS:
                if kept.holder != self.holder:
                    return False
                if kept.until - now > LEASE_SECONDS // 2:
                    return True
        with self.records.transaction() as session:
            self.records.aside(session)
            return lease(session, LEASE, self.holder, now, LEASE_SECONDS)

    def let_go(self, now: int) -> None:
        """Give the lease back at the end, so that another process goes on at once."""
        with self.records.transaction() as session:
            if lease(session, LEASE, self.holder, now, LEASE_SECONDS):
                lease(session, LEASE, self.holder, now, 0)

    # --- deciding ---------------------------------------------------------------------------

    def _decide(
        self,
        found: Iterable[Finding],
        plans: Plans,
        standings: Mapping[str, Standing],
        now: int,
    ) -> list[_Case]:
        cases: dict[str, _Case] = {}
        muted: set[str] = set()
        pending: list[tuple[Finding, Rule, Standing, bool]] = []
        quiet_at: dict[tuple[int, int] | None, bool] = {}
        for finding in found:
            plan = plans.at(finding.plan)
            rule = plan.rule_for(finding)
            if rule is None:
                continue
            before = standings.get(finding.cause)
            if before is None:
                # Nearly all causes of nearly all farms: nothing is remembered, nothing is wrong.
                if finding.value is None or not rule.enabled or not rule.is_on(finding.value):
                    continue
                before = Standing()
            if plan.quiet not in quiet_at:
                quiet_at[plan.quiet] = is_quiet(plan.quiet, now)
            pending.append((finding, rule, before, quiet_at[plan.quiet]))
        # The greater cause is decided first, so that the lesser one is silent in the same look.
        pending.sort(key=lambda one: not one[1].over)
        for finding, rule, before, quiet in pending:
            after, events = decide(
                rule,
                before,
                finding.value,
                now,
                quiet=quiet,
                muted=finding.cause in muted,
                gone=not rule.enabled,
                parts=finding.parts,
            )
            if after.is_open:
                muted |= {f"{code}@{finding.place}" for code in rule.over}
            cases[finding.cause] = _Case(finding, rule, before, after, events)
        for cause in standings.keys() - cases.keys():
            cases[cause] = self._gone(cause, plans, standings[cause], now)
        return list(cases.values())

    def _gone(self, cause: str, plans: Plans, before: Standing, now: int) -> _Case:
        """End what is not found any more: an alarm that its gateway took back, a place removed."""
        code, _at, place = cause.partition("@")
        finding = Finding(code, place, None, "", None, None)
        plan = plans.at(finding.plan)
        rule = plan.rules.get(code)
        taken_back = rule is not None and rule.on == 1.0 and code != "node_silent"
        if rule is None:
            rule = plan.rules["gateway_alarm"]
        if taken_back:
            after, events = decide(rule, before, 0.0, now, quiet=is_quiet(plan.quiet, now))
        else:
            finding = Finding(code, place, None, "", None, None, {"gone": True})
            quiet = is_quiet(plan.quiet, now)
            after, events = decide(rule, before, None, now, quiet=quiet, gone=True)
        return _Case(finding, rule, before, after, events)

    @staticmethod
    def _has_old_numbers(session: Session, cases: list[_Case], now: int) -> bool:
        """Say whether an alert that stands shows numbers that were long newer."""
        known = {c.finding.cause for c in cases if c.after.is_open and c.finding.value is not None}
        if not known:
            return False
        open_ones = session.execute(
            select(Alert.cause, Alert.values).where(Alert.cleared_at.is_(None))
        )
        return any(
            cause in known and now - int(values.get("at", 0)) >= REFRESH_SECONDS
            for cause, values in open_ones
        )

    # --- writing ----------------------------------------------------------------------------

    def _write(self, session: Session, cases: list[_Case], now: int) -> None:
        people = _People(session)
        for case in cases:
            self._write_case(session, case, people, now)

    def _write_case(self, session: Session, case: _Case, people: "_People", now: int) -> None:
        cause, after = case.finding.cause, case.after
        alert = self._alert(session, case, now)
        for event in case.events:
            if alert is None:
                break
            if event.what == "raised":
                note(session, alert.id, now, "raised", level=alert.level)
                log.info("alert %s raised", cause)
            elif event.what in ("returned", "joined"):
                alert.cleared_at, alert.acknowledged_at = None, None
                alert.acknowledged_person = alert.acknowledged_helper = None
                note(session, alert.id, now, event.what)
            elif event.what == "cleared":
                alert.cleared_at = now
                note(session, alert.id, now, "cleared", gone=bool(alert.values.get("gone")))
                log.info("alert %s is over", cause)
            if event.what in MESSAGES:
                if event.what == "escalated":
                    alert.escalated_at = now
                self._say(session, alert, case.rule, event, people, now)
        kept = session.get(AlertStanding, cause)
        if may_forget(case.rule, after, now):
            if kept is not None:
                session.delete(kept)
            return
        if kept is None:
            kept = AlertStanding(cause=cause, standing="", alert=None)
            session.add(kept)
        kept.standing = standing_to(after)
        kept.alert = alert.id if alert is not None and after.raised_at is not None else None

    def _alert(self, session: Session, case: _Case, now: int) -> Alert | None:
        """Return the alert of a case with its newest numbers; make it when it is raised."""
        raised_at = next(
            (event.raised_at for event in case.events),
            case.after.raised_at or case.before.raised_at,
        )
        if raised_at is None:
            return None
        number = alert_id(case.finding.cause, raised_at)
        alert = session.get(Alert, number)
        finding = case.finding
        values = {**finding.values, "limit": case.rule.on, "at": now}
        if alert is None:
            if not finding.cooperative:  # its row was lost with an older database
                return None
            alert = Alert(
                id=number,
                cause=finding.cause,
                code=finding.code,
                level=case.rule.level,
                cooperative=finding.cooperative,
                greenhouse=finding.greenhouse,
                gateway=finding.gateway,
                values=values,
                raised_at=raised_at,
            )
            session.add(alert)
            session.flush()
        elif finding.values.get("gone"):
            alert.values = {**alert.values, "gone": True}
        elif finding.value is not None and finding.values and _shows_trouble(case):
            eases = case.after.is_open and not case.rule.is_on(finding.value)
            alert.values = {**values, "eases": finding.value} if eases else values
        return alert

    def _say(
        self,
        session: Session,
        alert: Alert,
        rule: Rule,
        event: Event,
        people: "_People",
        now: int,
    ) -> None:
        """Put a message into the outbox for everybody it is for."""
        roles = rule.first if event.to == FIRST else rule.second
        addressees = people.of(roles, alert.cooperative)
        ways = [way for person in addressees for way in people.ways(person.id, alert.level)]
        note(
            session,
            alert.id,
            now,
            event.what,
            to=event.to,
            people=[person.id for person in addressees],
            ways=len(ways),
        )
        for way in ways:
            number = notice_id(alert.id, f"{event.what}:{event.to}", event.at, way.id)
            if session.get(Notice, number) is not None:
                continue
            # What was not sent until now is overtaken by what is newer.
            session.execute(
                update(Notice)
                .where(Notice.alert == alert.id, Notice.way == way.id, Notice.state == "waiting")
                .values(state="overtaken")
            )
            title, text = self.words(alert, event.what, way.language, now)
            session.add(
                Notice(
                    id=number,
                    alert=alert.id,
                    person_id=way.person_id,
                    way=way.id,
                    what=event.what,
                    level=alert.level,
                    title=title,
                    text=text,
                    state="waiting",
                    tries=0,
                    next_at=now,
                    made_at=now,
                )
            )
        session.flush()

    def words(self, alert: Alert, what: str, language: str, now: int) -> tuple[str, str]:
        """Return title and text of a message, in the language of its way."""
        with self.app.app_context(), force_locale(language):
            if what == "all_clear":
                ended = alert.cleared_at or now
                text = sentences.over(alert.code, alert.values, alert.raised_at, ended, now)
            else:
                text = sentences.standing(alert.code, alert.values, now)
            return sentences.title(alert.values, what), text


class _People:
    """Who is told, read at most once a look."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._people: list[Person] | None = None
        self._ways: dict[str, list[Way]] = {}

    def of(self, roles: tuple[str, ...], cooperative: str) -> list[Person]:
        """Return the active people of these roles who look after a cooperative's farms."""
        if self._people is None:
            self._people = list(
                self._session.scalars(select(Person).where(Person.active).order_by(Person.user))
            )
            for way in self._session.scalars(select(Way).order_by(Way.created_at)):
                self._ways.setdefault(way.person_id, []).append(way)
        return [
            person
            for person in self._people
            if person.role in roles and person.cooperative in (None, cooperative)
        ]

    def ways(self, person: str, level: str) -> list[Way]:
        """Return the ways over which a person wants alerts of this level."""
        rank = LEVELS.index(level)
        return [w for w in self._ways.get(person, ()) if rank <= LEVELS.index(w.least_level)]


def _shows_trouble(case: _Case) -> bool:
    """The numbers of an alert follow it while it stands, and once more when it ends."""
    return case.after.is_open or any(event.what == "cleared" for event in case.events)


def _matters(cases: list[_Case], now: int) -> bool:
    """Say whether anything must be written."""
    return any(
        case.events or case.before != case.after or may_forget(case.rule, case.after, now)
        for case in cases
    )


def _standings(session: Session) -> dict[str, Standing]:
    rows: Any = session.execute(select(AlertStanding.cause, AlertStanding.standing))
    return {cause: standing_from(text) for cause, text in rows}


class Running:
    """The two threads: one watches, one sends what the watch has written down."""

    def __init__(self, app: Flask) -> None:
        self.watch = Watch(app)
        self.outbox = Outbox(app, app.extensions["nongso.ways"])
        self.failing: set[str] = set()
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="alerts", daemon=True),
            threading.Thread(target=self._send, name="notices", daemon=True),
        ]

    def start(self) -> None:
        """Begin; nothing starts on import."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and wait for what is under way."""
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=15)
        try:
            self.watch.let_go(int(time.time()))
        except (SQLAlchemyError, StorageError) as error:
            log.info("the lease ends by itself: %s", error)

    def _watch(self) -> None:
        while not self._end.is_set():
            began, seen = time.monotonic(), self._version()
            self._guarded("watching", lambda: self.watch.tick(int(time.time())))
            self._sleep(began, seen)

    def _send(self) -> None:
        while not self._end.wait(SEND_EVERY_SECONDS):
            self._guarded("sending", self._send_due)

    def _send_due(self) -> None:
        now = int(time.time())
        while not self._end.is_set() and self.watch.hold(now) and self.outbox.send_due(now):
            now = int(time.time())

    def _guarded(self, what: str, do: Callable[[], object]) -> None:
        """Do it; a failure is said once, and nothing ends the threads but ``stop``."""
        try:
            do()
        except Exception as error:  # a mistake of ours must not silence all alerts for good
            if what not in self.failing:
                is_disk = isinstance(error, StorageError)  # says everything by itself
                log.error(
                    "%s of alerts failed: %s", what, error, exc_info=None if is_disk else error
                )
            self.failing.add(what)
        else:
            if what in self.failing:
                log.info("%s of alerts works again", what)
            self.failing.discard(what)

    def _sleep(self, began: float, seen: tuple[int, int] | None) -> None:
        """Sleep until the next look: soon after readings came in, else at the next tick."""
        while not self._end.wait(0.5):
            passed = time.monotonic() - began
            if passed >= TICK_SECONDS:
                return
            if passed >= SOONEST_SECONDS and self._version() != seen:
                return

    def _version(self) -> tuple[int, int] | None:
        try:
            return self.watch.telemetry.lately()
        except TelemetryError:
            return None


def start(app: Flask) -> Running:
    """Start watching and sending, for the server process."""
    running = Running(app)
    running.start()
    return running
