"""The gateway's memory on disk: ledger of messages, outbox, small durable state.

How this works. Callers queue pieces of work; one writer thread puts everything that is waiting
into one transaction (``synchronous=FULL``) and tells the callers when it is committed. The
group grows by itself when the disk is slow, and nothing is acknowledged before its commit.

When the disk takes nothing (full, read-only, failing) the work stays queued and is tried again;
the first failure and the recovery are logged. Callers that water are never held up by it:
``record``, ``seen_command`` and ``set_state`` wait ``PATIENCE_SECONDS`` at most, and not at all
while the disk is known to fail; their rows wait in memory, bounded and counted.

SQL and the file are in ``storefile``, what becomes of messages in ``ledger``, what is given up
when the file grows in ``retention``.
"""

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nongso.gateway.errors import StoreBusy, StoreDamaged, StoreUnwritable
from nongso.gateway.latest import Latest
from nongso.gateway.ledger import (
    Accepted,
    Message,
    Refusal,
    accept,
    as_json,
    new_alarm,
    put_alarm,
)
from nongso.gateway.retention import Retention
from nongso.gateway.storefile import ONE, Row, StoreFile, glimpse
from nongso.gateway.storeopening import Replaced, check_sqlite, hold, sqlite_version
from nongso.gateway.storeschema import is_own
from nongso.wire.payload import Reading

__all__ = ("PROTECTED", "TELEMETRY", "Accepted", "Message", "Refusal", "Row", "Store")

log = logging.getLogger(__name__)

PROTECTED = frozenset(("run", "command", "alarm", "zone", "source", "configuration"))
TELEMETRY = frozenset(("readings", "node", "program", "refused"))

PATIENCE_SECONDS = 1.0  # the supervisor's lease is 4 s and the watering tick must renew it
MOST_WAITING_MESSAGES = 20_000
MOST_WAITING_ROWS = 10_000
MOST_JOBS_A_COMMIT = 256
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
SAVE_LATEST_SECONDS = 5.0
CONFLICT_ALARM_SECONDS = 3600.0
DAMAGED_AGAIN_SECONDS = 600.0  # opened anew, found sound and damaged again: it is not believed


class _Job:
    """A piece of work for the writer: ``work`` runs in the transaction, ``then`` after it."""

    __slots__ = ("done", "error", "is_stored", "messages", "result", "rows", "then", "work")

    def __init__(
        self,
        work: Callable[[StoreFile], Any],
        then: Callable[[Any], None] | None = None,
        messages: int = 0,
        rows: int = 0,
    ) -> None:
        self.work = work
        self.then = then
        self.messages = messages
        self.rows = rows
        self.result: Any = None
        self.error: Exception | None = None
        self.is_stored = False  # committed; ``done`` also lets go who waits in vain
        self.done = threading.Event()


class Store:
    """One SQLite file with one writer. Raises ``StoreError`` when another process holds it.

    A file that cannot be opened now is no error: work waits and opening is tried again.
    ``on_rows`` is called after a commit that added outbox rows, with whether one is protected.
    A row leaves the outbox when each of ``destinations`` has named it.
    """

    def __init__(
        self,
        path: Path,
        *,
        latest: Latest | None = None,
        most_bytes: int = 512 << 20,
        destinations: Sequence[str] = ONE,
    ) -> None:
        check_sqlite()
        self.path = path
        self.destinations = tuple(destinations)
        self.latest = latest if latest is not None else Latest()
        self.on_rows: Callable[[bool], None] = lambda protected: None
        self.duplicates = self.conflicts = self.rows_lost = self.commits = 0
        self._retention = Retention(most_bytes)
        self._file: StoreFile | None = None
        self._file_lock = threading.Lock()  # held to read, and to swap the file
        self._state: dict[str, str] = {}
        self._commands: set[str] = set()
        self._unwritten_commands: dict[str, _Job] = {}
        self._unsaved: set[tuple[str, str]] = set()  # series whose newest is not in the file
        self._conflict_alarms: dict[tuple[int, int], float] = {}
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._messages_waiting = self._rows_waiting = 0
        self._trouble: str | None = None
        self._damaged_at = -1e9
        self._suspect: str | None = None  # what went wrong with a file that looks sound
        self._replaced: Replaced | None = None
        self._failures = 0
        self._stopping = self._is_closed = False
        self._saved_at = time.monotonic()
        self._held = hold(path)
        try:
            self._opened()
            self._commit([_Job(lambda file: file.set_state("tried_at", str(int(time.time()))))])
        except (StoreUnwritable, StoreDamaged) as error:
            self._fails(error)
            if self._file is None:
                self._state = _glimpse(path)
        self._writer = threading.Thread(target=self._write, name="store", daemon=True)
        self._writer.start()

    # what the rooms call

    def record(self, kind: str, body: dict[str, Any]) -> None:
        """Put a row into the outbox; returns after the commit.

        While the disk takes nothing it returns at once and the row waits in memory.
        """
        if kind not in PROTECTED and kind not in TELEMETRY:
            raise ValueError(f"no outbox row is called {kind!r}")
        text = as_json({"kind": kind, kind: body})
        protected = kind in PROTECTED
        self._wait_for(
            _Job(
                lambda file: file.put(kind, text, protected),
                lambda _: self.on_rows(protected),
                rows=1,
            )
        )

    def record_soon(self, kind: str, body: dict[str, Any], state: dict[str, str]) -> None:
        """Put a row into the outbox together with small state; does not wait."""
        text = as_json({"kind": kind, kind: body})
        self._state.update(state)

        def work(file: StoreFile) -> None:
            file.put(kind, text, kind in PROTECTED)
            _write_states(file, state)

        self._queue(_Job(work, lambda _: self.on_rows(kind in PROTECTED), rows=1))

    def alarm_soon(self, code: str, values: dict[str, Any], state: dict[str, str]) -> None:
        """Raise a new alarm together with small state; does not wait."""
        self.record_soon("alarm", new_alarm(code, values), state)

    def seen_command(self, command_id: str) -> bool:
        """Remember a command id; ``True`` if it was known. After the commit.

        While the disk takes nothing it is remembered in memory only; ask ``has_on_disk``.
        """
        now = int(time.time())

        def written(_: Any) -> None:
            self._unwritten_commands.pop(command_id, None)

        job = _Job(lambda file: file.add_command(command_id, now), written, rows=1)
        with self._wake:
            if command_id in self._commands:
                return True
            self._commands.add(command_id)
            self._unwritten_commands[command_id] = job
        self._wait_for(job)
        return False

    def has_on_disk(self, command_id: str) -> bool:
        """Say whether a command id would still be known after a restart."""
        with self._wake:
            job = self._unwritten_commands.get(command_id)
            return command_id in self._commands and (job is None or job.is_stored)

    def knows_command(self, command_id: str) -> bool:
        """Say whether a command id is remembered, without remembering it."""
        with self._wake:
            return command_id in self._commands

    def state(self, key: str) -> str | None:
        """Return an entry of the small durable state."""
        return self._state.get(key)

    def set_state(self, key: str, value: str) -> None:
        """Set an entry of the small durable state. After the commit."""
        self.set_states({key: value})

    def set_states(self, entries: dict[str, str]) -> None:
        """Set entries of the small durable state, all of them or none. After the commit."""
        for key in entries:
            if is_own(key):
                raise ValueError(f"{key} belongs to the store")
        self._state.update(entries)

        self._wait_for(_Job(lambda file: _write_states(file, entries), rows=1))

    # what the inbox calls

    def offer(
        self,
        messages: Sequence[Message],
        refusals: Sequence[Refusal],
        then: Callable[[Accepted | None], None],
    ) -> None:
        """Queue a burst; ``then`` is called from the writer's thread after the commit.

        ``None`` instead of the outcome says that it was not stored, by a fault of ours.
        Raises ``StoreBusy`` when too much is waiting; nothing of the burst was taken then.
        """
        size = len(messages) + len(refusals)
        if self._messages_waiting + size > MOST_WAITING_MESSAGES:
            raise StoreBusy(f"{self._messages_waiting} messages are waiting for the disk")

        def after(accepted: Accepted | None) -> None:
            if accepted is not None:
                self._remember(accepted)
            then(accepted)
            if accepted is not None and accepted.rows:
                self.on_rows(bool(accepted.conflicts))

        def work(file: StoreFile) -> Accepted:
            return accept(file, messages, refusals, self._alarmed())

        self._queue(_Job(work, after, messages=size))

    # what the uplink calls

    def rows(
        self, protected: bool, most_rows: int, most_bytes: int, destination: str | None = None
    ) -> tuple[str, list[Row]]:
        """Return the store's id and the oldest rows of a class that a destination has not named.

        Without a destination the first one is meant, here and below.
        """
        with self._file_lock:
            if self._file is None:
                return "", []
            try:
                found = self._file.rows(protected, most_rows, most_bytes, destination)
                return self._file.store_id, found
            except StoreUnwritable as error:
                log.warning("the outbox cannot be read now: %s", error)
            except StoreDamaged as error:
                self._look_through(self._file, error)
            return "", []

    def has_waiting(self, kind: str, destination: str | None = None) -> bool:
        """Say whether a destination has not named a protected row of a kind yet."""
        with self._file_lock:
            try:
                return self._file is None or self._file.has_protected(kind, destination)
            except StoreUnwritable:
                return True  # not known now
            except StoreDamaged as error:
                if self._file is not None:
                    self._look_through(self._file, error)
                return True

    def _look_through(self, damaged: StoreFile, error: StoreDamaged) -> None:
        """Have the writer open the file anew, which looks through the whole of it."""

        def work(file: StoreFile) -> None:
            if file is damaged:
                raise error

        self._queue(_Job(work))

    def named(
        self,
        store_id: str,
        protected: bool,
        stored: Sequence[int],
        refused: Sequence[tuple[int, str, str]],
        destination: str | None = None,
    ) -> None:
        """A destination has answered for rows: the stored ones are done, the refused set aside.

        Rows of another store file (it was set aside meanwhile) are left alone.
        """

        def work(file: StoreFile) -> None:
            file.strike_out(stored, protected, destination)
            if refused:
                file.put_aside(refused, protected, destination)

        self._take_out(store_id, protected, work)

    def set_aside(
        self, store_id: str, protected: bool, damaged: Sequence[tuple[int, str, str]]
    ) -> None:
        """Rows that have changed on the disk go to no destination."""
        self._take_out(
            store_id, protected, lambda file: file.put_damaged_aside(damaged, protected)
        )

    def _take_out(self, store_id: str, protected: bool, take: Callable[[StoreFile], None]) -> None:
        def work(file: StoreFile) -> None:
            if file.store_id != store_id:
                return
            if not protected:
                self._save_latest(file)
            take(file)

        self._wait_for(_Job(work), patience_seconds=30.0)

    def waiting(self, destination: str) -> dict[str, int]:
        """Count the rows that a destination has not named, by class."""
        file = self._file
        return file.waiting(destination) if file else {}

    # for the status page

    def report(self) -> dict[str, Any]:
        """Say how the store is, in plain values."""
        file = self._file
        return {
            "ok": self.is_writable(),
            "trouble": self._trouble,
            "sqlite": sqlite_version(),
            "store": file.store_id if file else None,
            "rows": dict(file.rows_by_class) if file else {},
            "waiting_messages": self._messages_waiting,
            "waiting_rows": self._rows_waiting,
            "commits": self.commits,
            "duplicates": self.duplicates,
            "conflicts": self.conflicts,
            "rows_lost": self.rows_lost,
            "telemetry_dropped": self._retention.dropped,
            "telemetry_dropped_for": dict(self._retention.dropped_for),
            "damage": _damage(self._replaced),
        }

    def is_writable(self) -> bool:
        """Say whether the last commit worked."""
        return self._trouble is None and self._file is not None

    def close(self, patience_seconds: float = 1.0) -> None:
        """Write what is waiting, if the disk takes it in time, and close the file."""
        with self._wake:
            if self._is_closed:
                return
            self._stopping = True
            self._wake.notify_all()
        self._writer.join(patience_seconds)
        if self._jobs or self._writer.is_alive():
            log.error(
                "the store did not finish: %d rows and %d messages were not written",
                self._rows_waiting,
                self._messages_waiting,
            )
        if not self._writer.is_alive():
            with self._file_lock:
                if self._file is not None:
                    self._file.close()
                    self._file = None
            if self._held is not None:
                os.close(self._held)
            self._is_closed = True

    # queueing

    def _queue(self, job: _Job) -> None:
        with self._wake:
            if job.rows and self._rows_waiting >= MOST_WAITING_ROWS:
                if not self.rows_lost:
                    log.error("%d rows wait for the disk; newer ones are lost", MOST_WAITING_ROWS)
                self.rows_lost += 1
                job.done.set()
                return
            self._jobs.append(job)
            self._messages_waiting += job.messages
            self._rows_waiting += job.rows
            self._wake.notify_all()

    def _wait_for(self, job: _Job, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._queue(job)
        if threading.current_thread() is self._writer or not self.is_writable():
            return
        job.done.wait(patience_seconds)
        if job.error is not None:
            raise job.error

    # the writer

    def _write(self) -> None:
        while True:
            with self._wake:
                if not self._jobs and not self._stopping:
                    self._wake.wait(SAVE_LATEST_SECONDS)
                if self._stopping and (not self._jobs or not self.is_writable()):
                    break
                number = min(len(self._jobs), MOST_JOBS_A_COMMIT)
                jobs = [self._jobs.popleft() for _ in range(number)]
            if jobs or self._unsaved or not self.is_writable():
                self._try(jobs)
        if self.is_writable():
            self._try([])

    def _try(self, jobs: Sequence[_Job]) -> None:
        try:
            self._commit(jobs)
        except (StoreUnwritable, StoreDamaged) as error:
            self._put_back(jobs, error)
            self._pause()
        except Exception:
            if not jobs:
                log.exception("the store's own upkeep failed; it is tried again")
            self._one_by_one(jobs)

    def _commit(self, jobs: Sequence[_Job]) -> None:
        """Do all jobs in one transaction, then tell their owners."""
        file = self._opened()
        saved: set[tuple[str, str]] = set()
        try:
            file.begin()
            if self._trouble is not None:  # a transaction that writes nothing proves nothing
                file.set_state("tried_at", str(int(time.time())))
            for job in jobs:
                job.result = job.work(file)
            if time.monotonic() - self._saved_at > SAVE_LATEST_SECONDS or self._stopping:
                self._save_latest(file)
                saved = set(self._unsaved)
            declared = self._retention.keep(file, int(time.time()))
            file.commit()
        except BaseException as error:
            self._undo(file, error)
            raise
        self.commits += 1
        self._unsaved -= saved
        self._retention.committed()
        with self._wake:
            for job in jobs:
                self._messages_waiting -= job.messages
                self._rows_waiting -= job.rows
        self._works()
        for job in jobs:
            job.is_stored = True
            job.done.set()
            if job.then is not None:
                try:
                    job.then(job.result)
                except Exception:
                    log.exception("what follows a commit failed; the rows are stored")
        if declared:
            self.on_rows(True)

    def _undo(self, file: StoreFile, error: BaseException) -> None:
        try:
            file.rollback()
        except (StoreUnwritable, StoreDamaged) as second:
            log.warning("rolling back failed too: %s", second)
        if isinstance(error, StoreDamaged):
            now = time.monotonic()
            if now - self._damaged_at < DAMAGED_AGAIN_SECONDS:
                self._suspect = str(error)
            self._damaged_at = now
        if isinstance(error, StoreDamaged) or file.is_read_only:
            with self._file_lock:  # to be opened anew
                self._file = None
                file.close()

    def _one_by_one(self, jobs: Sequence[_Job]) -> None:
        """After a job failed by itself: each in its own transaction, so that it fails alone."""
        for n, job in enumerate(jobs):
            try:
                self._commit([job])
            except (StoreUnwritable, StoreDamaged) as error:
                self._put_back(jobs[n:], error)
                return
            except Exception as error:
                log.exception("a piece of work for the store failed")
                with self._wake:
                    self._messages_waiting -= job.messages
                    self._rows_waiting -= job.rows
                job.error = error
                job.done.set()
                if job.messages and job.then is not None:
                    job.then(None)

    def _put_back(self, jobs: Sequence[_Job], error: Exception) -> None:
        """Keep work that the disk did not take, and let go who waits for it."""
        self._fails(error)
        with self._wake:
            self._jobs.extendleft(reversed(jobs))
            for job in self._jobs:
                job.done.set()

    def _pause(self) -> None:
        seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]
        until = time.monotonic() + seconds
        with self._wake:
            while not self._stopping and (left := until - time.monotonic()) > 0:
                self._wake.wait(left)

    def _fails(self, error: Exception) -> None:
        self._failures += 1
        if self._trouble is None:
            log.error(
                "the store cannot be written, nothing is acknowledged until it can; "
                "watering goes on. %s",
                error,
            )
        self._trouble = str(error)

    def _works(self) -> None:
        if self._trouble is not None:
            log.warning(
                "the store can be written again after %d tries; %d rows were lost meanwhile",
                self._failures,
                self.rows_lost,
            )
        self._trouble = None
        self._failures = 0

    # opening

    def _opened(self) -> StoreFile:
        if self._file is not None:
            return self._file
        file = StoreFile(self.path, self._suspect, self.destinations)
        self._suspect = None
        if file.replaced is not None:
            replaced = self._replaced = file.replaced
            log.log(
                logging.WARNING if replaced.is_older else logging.ERROR,
                "the store %s cannot be used as it is (%s). It is kept as %s and a new one was "
                "begun; %s",
                *(self.path, replaced.why, replaced.name, replaced.salvage),
            )
            self._queue(_Job(lambda opened: self._start_anew(opened, replaced)))
        self._state = {**file.all_state(), **self._state}
        self._commands |= file.commands()
        saved, bodies = file.latest()
        for node, *rest in saved:
            self.latest.take(node, [Reading(*rest)])
        for body in bodies:
            row = json.loads(body)
            self.latest.take(row["node"], [Reading(*found) for found in row["readings"]])
        with self._file_lock:
            self._file = file
        return file

    def _start_anew(self, file: StoreFile, replaced: Replaced) -> None:
        """Write down what was in memory when a file was set aside, and say that it was."""
        for key, value in self._state.items():
            file.set_state(key, value)
        now = int(time.time())
        for command in self._commands:
            file.add_command(command, now)
        if not replaced.is_older:
            count = replaced.salvage.unreadable.total()
            put_alarm(file, "store_damaged", {"file": replaced.name, "count": count})

    # around the transaction

    def _save_latest(self, file: StoreFile) -> None:
        """Write the newest readings of series that changed; they stay unsaved until committed."""
        self._saved_at = time.monotonic()
        rows = []
        for node, name in self._unsaved:
            newest = self.latest.get(node, name)
            if newest is not None:
                rows.append((node, *newest))
        file.save_latest(rows)

    def _alarmed(self) -> list[tuple[int, int]]:
        """Return the (node, boot) whose conflict was told not long ago."""
        now = time.monotonic()
        told = self._conflict_alarms
        for clone in [c for c, at in told.items() if now - at > CONFLICT_ALARM_SECONDS]:
            del told[clone]
        return list(told)

    def _remember(self, accepted: Accepted) -> None:
        now = time.time()
        for message in accepted.new:
            self._unsaved.update(self.latest.take(message.eui64, message.readings, now))
        self.duplicates += accepted.duplicates
        self.conflicts += len(accepted.conflicts)
        for message in accepted.conflicts:
            if message.key[:2] not in self._conflict_alarms:
                self._conflict_alarms[message.key[:2]] = time.monotonic()
                log.error(
                    "node %s sent two different messages as boot %d seq %d, both are kept: two "
                    "boards with one identity, or a board whose storage fails",
                    message.eui64,
                    *message.key[1:],
                )


def _write_states(file: StoreFile, entries: dict[str, str]) -> None:
    for key, value in entries.items():
        file.set_state(key, value)


def _damage(replaced: Replaced | None) -> dict[str, Any] | None:
    """Tell what became of a damaged file, for the status page."""
    if replaced is None or replaced.is_older:
        return None
    salvage = replaced.salvage
    return {
        "file": replaced.name,
        "why": replaced.why,
        "taken_over": dict(salvage.taken),
        "unreadable": dict(salvage.unreadable),
        "names": salvage.names,
        "is_disordered": salvage.is_disordered,
        "stayed": salvage.stayed,
    }


def _glimpse(path: Path) -> dict[str, str]:
    """Read what people have set, modes and stops, from a file that cannot be opened."""
    try:
        return glimpse(path)
    except StoreUnwritable as error:
        log.error("modes and stops that people have set are not known: %s", error)
        return {}
