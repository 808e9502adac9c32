"""The signer: looks at the log, and signs what continues what it signed before.

How this works. Once a second it looks whether the log has grown. What is new is signed after a
few seconds, labels that were issued at once; the clock says anew every day that nothing came.
Before it signs, it makes the new hashes again from the entries, and the root of the last
checkpoint from the tiles: a log that does not continue what was signed is refused and told of,
and nothing is signed until somebody has looked.

``Signer.look`` is one look, with the clock handed in. It runs in a process of its own
(``signer``), which alone reads the key.
"""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.store import Records
from nongso.platform.traceability.proof import (
    canonical,
    ed25519,
    keeping,
    merkle,
    notes,
    reading,
    tiles,
)
from nongso.platform.traceability.proof.checkpoints import Checkpoint
from nongso.platform.traceability.proof.custody import Custody, CustodyError, Keys
from nongso.platform.traceability.proof.merkle import HASH_BYTES, ProofError
from nongso.platform.traceability.proof.notes import PrivateKey
from nongso.platform.traceability.proof.records import (
    KEY,
    LogCheckpoint,
    LogCosignature,
    LogEntry,
    LogKey,
    LogSigner,
)

log = logging.getLogger(__name__)

DELAY_SECONDS = 5
URGENT_SECONDS = 1  # somebody waits for paper
URGENT = "labels."
RENEW_SECONDS = 86400
ALIVE_SECONDS = 60
LOG_KEY, CLOCK_KEY = "log", "clock"


class Refused(Exception):
    """The log does not continue what was signed; the text says how."""


class Signer:
    """Signs one installation's log. ``look`` again and again."""

    def __init__(self, records: Records, custody: Custody, origin: str) -> None:
        self.records = records
        self.custody = custody
        self._origin = origin
        self._keys: Keys | None = None
        self._unsigned_since: int | None = None
        self._told: str | None = None
        self._told_at = 0

    def look(self, now: int) -> LogCheckpoint | None:
        """Take one look; returns the checkpoint if one was signed."""
        keeping.catch_up(self.records)
        try:
            made = self._sign_what_is_due(now)
        except (Refused, CustodyError, ProofError) as error:
            self._tell(str(error), now)
            return None
        self._tell("", now)
        return made

    def _sign_what_is_due(self, now: int) -> LogCheckpoint | None:
        keys = self._keys = self._keys or self._found_keys(now)
        following = self.custody.next_keys()
        if following is not None:
            return self._rotate(keys, following, now)
        with self.records.session() as session:
            size = keeping.size_of(session)
            if self._told != "":  # at the first look, and until what was wrong is right
                self._checked(session, keys.log.name, size)
            newest = reading.newest(session)
            signed = newest.size if newest is not None else 0
            if size == signed:
                self._unsigned_since = None
                clock = str(keys.clock.key)
                seen = session.get(LogCosignature, (signed, clock)) if newest else None
                old = seen is None or now - seen.at >= RENEW_SECONDS
            else:
                old = False
                self._unsigned_since = self._unsigned_since or now
                delay = URGENT_SECONDS if _is_urgent(session, signed) else DELAY_SECONDS
                if 0 <= now - self._unsigned_since < delay:
                    return None
        if size != signed:
            return self._sign(keys, [keys.log], now)
        if old and newest is not None:
            self._renew(keys, newest, now)
        return None

    def sign_now(self, now: int) -> LogCheckpoint | None:
        """Sign what there is without waiting. Raises ``Refused`` and ``CustodyError``."""
        keeping.catch_up(self.records)
        keys = self._keys = self._keys or self._found_keys(now)
        with self.records.session() as session:
            newest = reading.newest(session)
            if newest is not None and newest.size == keeping.size_of(session):
                return None
        return self._sign(keys, [keys.log], now)

    def _found_keys(self, now: int) -> Keys:
        """The keys, which must be those that the log knows; made at the first start."""
        with self.records.session() as session:
            known = reading.keys(session, LOG_KEY)
        keys = self.custody.keys()
        if keys is None and not known:
            keys = self.custody.make(self._origin)
            log.info("made the log's keys: %s", self.custody.file)
        if keys is None:
            if self.custody.next_keys() is not None:  # replaced because they were lost
                return self._take_up_lost(known[0].name, now)
            raise CustodyError(
                f"The keys {self.custody.file} are gone. Put your copy back; if there is none: "
                "nongso trace rotate --lost"
            )
        if not known:
            with self.records.transaction() as session:
                _introduce(session, keys, _stated(keys, now), now)
        elif keys.log.key != known[0]:
            following = self.custody.next_keys()
            if following is None or following.log.key != known[0]:
                raise CustodyError(
                    f"The key in {self.custody.file} is not the one of this log ({known[0]}). "
                    "Put the right copy in its place."
                )
        return keys

    def _take_up_lost(self, origin: str, now: int) -> Keys:
        keys = self.custody.next_keys()
        assert keys is not None
        with self.records.transaction() as session:
            old = reading.keys(session, LOG_KEY)[0]
            if old != keys.log.key:
                _introduce(session, keys, _stated(keys, now) | {"old": str(old)}, now)
        self._sign(keys, [keys.log], now)
        self.custody.take_up_next()
        log.warning("the log has new keys; the old ones were lost and did not confirm them")
        return keys

    def _rotate(self, keys: Keys, following: Keys, now: int) -> LogCheckpoint | None:
        """Hand over to new keys: the old one signs them, and both sign one checkpoint."""
        with self.records.transaction() as session:
            if reading.keys(session, LOG_KEY)[0] != following.log.key:
                told = _stated(following, now) | {"old": str(keys.log.key)}
                signature = ed25519.sign(keys.log.seed, canonical.dumps(told))
                told["signature"] = notes.encode(signature)
                _introduce(session, following, told, now)
        made = self._sign(following, [keys.log, following.log], now)
        self.custody.take_up_next()
        self._keys = following
        log.info("the log is signed with a new key: %s", following.log.key)
        return made

    def _sign(self, keys: Keys, signers: Sequence[PrivateKey], now: int) -> LogCheckpoint | None:
        with self.records.session() as session:
            size = keeping.size_of(session)
            checkpoint = self._checked(session, keys.log.name, size)
            if session.get(LogCheckpoint, size) is not None:
                return None
        text = str(checkpoint)
        note = text + "\n" + "".join(one.line(text) for one in signers)
        self.custody.remember(checkpoint)
        made = LogCheckpoint(size=size, signed_at=now, note=note)
        with self.records.transaction() as session:
            session.add(made)
            session.flush()
            keep_cosignature(session, size, str(keys.clock.key), keys.clock.line(text, now), now)
        self._unsigned_since = None
        log.info("signed the log of %d entries", size)
        return made

    def _checked(self, session: Session, origin: str, size: int) -> Checkpoint:
        """The checkpoint to sign, when it continues the last one. Raises ``Refused``."""
        last, newest = self.custody.last(), reading.newest(session)
        before = [one for one in (last, reading.parsed(newest) if newest else None) if one]
        nodes = reading.nodes(session)
        root = merkle.root(nodes, size)
        for one in before:
            if size < one.size:
                raise Refused(
                    f"The log has {size} entries, but {one.size} were signed. Was an old backup "
                    "put back? Nothing is signed until the newer records are in place "
                    "(docs/proof.md, Backups)."
                )
            if merkle.root(nodes, one.size) != one.root:
                raise Refused(
                    f"The log was changed: its first {one.size} entries are not those that were "
                    "signed. Nothing is signed any more. See: nongso trace check"
                )
            if one.size:
                proof = merkle.consistency(nodes, one.size, size)
                merkle.verify_consistency(one.size, size, proof, one.root, root)
        signed = min((one.size for one in before), default=0)
        _check_leaves(session, signed, size)
        return Checkpoint(origin, size, root)

    def _renew(self, keys: Keys, newest: LogCheckpoint, now: int) -> None:
        """Say again that the newest checkpoint is the newest, with today's time."""
        with self.records.session() as session:
            checkpoint = self._checked(session, keys.log.name, newest.size)
        line = keys.clock.line(str(checkpoint), now)
        with self.records.transaction() as session:
            keep_cosignature(session, newest.size, str(keys.clock.key), line, now)

    def _tell(self, trouble: str, now: int) -> None:
        """Leave a word that the signer lives, and what troubles it: once a minute, or when new."""
        if trouble == self._told and 0 <= now - self._told_at < ALIVE_SECONDS:
            return
        if trouble and trouble != self._told:
            log.error("%s", trouble)
        with self.records.transaction() as session:
            session.merge(LogSigner(id=1, seen_at=now, trouble=trouble))
        self._told, self._told_at = trouble, now


def _is_urgent(session: Session, signed: int) -> bool:
    wanted = (
        select(Event.number)
        .join(LogEntry, LogEntry.event_number == Event.number)
        .where(LogEntry.number >= signed, Event.type.startswith(URGENT))
    )
    return session.scalar(wanted.limit(1)) is not None


def _check_leaves(session: Session, begin: int, end: int) -> None:
    """See that the lowest tiles hold the hashes of the entries. Raises ``Refused``."""
    for tile in range(begin // tiles.WIDTH, -(-end // tiles.WIDTH)):
        first = max(begin, tile * tiles.WIDTH)
        found = reading.entries_between(session, first, min(end, (tile + 1) * tiles.WIDTH))
        hashes = b"".join(map(merkle.leaf_hash, found))
        at = first % tiles.WIDTH * HASH_BYTES
        if reading.tile(session, 0, tile)[at : at + len(hashes)] != hashes:
            raise Refused(
                f"The entries of the log from {first} on are not those that were entered. "
                "Nothing is signed any more. See: nongso trace check"
            )


def _stated(keys: Keys, now: int) -> dict[str, Any]:
    return {"at": now, "new": str(keys.log.key), "clock": str(keys.clock.key)}


def _introduce(session: Session, keys: Keys, told: dict[str, Any], now: int) -> None:
    place = keeping.append_statement(session, KEY, told)
    session.execute(
        update(LogKey)
        .where(LogKey.replaced_at.is_(None))
        .values(replaced_at=now)
        .execution_options(synchronize_session=False)
    )
    for sort, one in ((LOG_KEY, keys.log), (CLOCK_KEY, keys.clock)):
        session.add(
            LogKey(vkey=str(one.key), sort=sort, since=place, added_at=now, replaced_at=None)
        )
    session.flush()


def keep_cosignature(session: Session, size: int, vkey: str, line: str, at: int) -> bool:
    """Keep a cosignature that was judged; ``False`` if a newer one of this key is there."""
    there = session.get(LogCosignature, (size, vkey))
    if there is None:
        session.add(
            LogCosignature(size=size, vkey=vkey, first_at=at, first_line=line, at=at, line=line)
        )
    elif at > there.at:
        there.at, there.line = at, line
    else:
        return at == there.at
    session.flush()
    return True
