"""What is kept of a scan, and for how long.

Of an address the province is kept and, together with the browser's name, a mark: HMAC-SHA256
with the salt of the day. Its last 16 bits are of the browser's name alone, so that a phone which
changes its network can be told from two phones. The salt is deleted with its day, so that
afterwards nobody can try addresses until the mark comes out, nor tell that the marks of two days
are one phone's. (A backup made that day still has it.) The same phone that asks for the same
pack again within ``AGAIN_SECONDS`` has reloaded the page: that is one scan.
"""

import datetime
import hashlib
import hmac
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from nongso.platform.languages import day_of
from nongso.platform.store import Records
from nongso.platform.traceability.labelling.state import UNKNOWN
from nongso.platform.traceability.scans import cases, signs, states, usual
from nongso.platform.traceability.scans.records import Scan, ScanSalt, ScanSerial

AGAIN_SECONDS = 600
MOST_KEPT = 300  # single scans of one pack; further ones are only counted
MARK_LETTERS = 16  # of them the last ``signs.BROWSER_LETTERS`` of the browser's name alone
KEPT_COUNTS_DAYS = 3 * 365  # as long as goods of ours may be kept and sold


class Waiting(NamedTuple):
    """A scan in memory; of the same phone and pack there is one in a group."""

    lot: str
    serial: str
    address: str
    agent: str


def begin_day(kept: Records, now: int, kept_days: int) -> None:
    """Once a day, by whichever process is first: a new salt, forget what is old, learn."""
    with kept.session() as session:
        if _has_begun(session, now):
            return
    with kept.transaction() as session:
        if _has_begun(session, now):
            return  # another process was quicker
        session.execute(delete(ScanSalt))
        session.add(ScanSalt(day=day_of(now).isoformat(), salt=secrets.token_hex(32)))
        forget(session, now, kept_days)
        usual.learn(session, now)


def _has_begun(session: Session, now: int) -> bool:
    """Say whether the salt is of today; a server whose clock is a little behind keeps the new."""
    today = day_of(now)
    good = (today.isoformat(), (today + datetime.timedelta(days=1)).isoformat())
    return session.scalar(select(ScanSalt.day).where(ScanSalt.day.in_(good))) is not None


def forget(session: Session, now: int, kept_days: int) -> None:
    """Delete what has been kept long enough. In a transaction."""
    session.execute(delete(Scan).where(Scan.at < now - kept_days * 86400))
    counts = now - KEPT_COUNTS_DAYS * 86400
    session.execute(delete(ScanSerial).where(ScanSerial.last_at < counts))
    cases.forget(session, now)


def write(
    session: Session, group: Mapping[Waiting, int], province_of: Callable[[str], str], now: int
) -> None:
    """Write a group of scans and what is odd about them, in the caller's transaction."""
    salt = bytes.fromhex(session.scalars(select(ScanSalt.salt)).one())
    packs = states.packs(session, {(one.lot, one.serial) for one in group}, now)
    serials = {serial for _lot, serial in packs}
    before = _scans_of(session, serials)
    counted = {
        one.serial: one
        for one in session.scalars(select(ScanSerial).where(ScanSerial.serial.in_(serials)))
    }
    taught = usual.of_products(session, {pack.lot.product_id for pack in packs.values()})
    listed = cases.Cases(session)
    for one, at in group.items():
        pack = packs.get((one.lot, one.serial))
        if pack is None:
            continue
        province = province_of(one.address)
        scan = signs.Seen(at, province, mark(salt, one.address, one.agent))
        past = before[one.serial]
        if any(scan.phone == other.phone and abs(at - other.at) < AGAIN_SECONDS for other in past):
            continue
        found = signs.signs(pack.state, scan, past, taught[pack.lot.product_id])
        listed.add(pack, one.serial, at, found)
        if pack.state == UNKNOWN:
            continue  # anybody can invent numbers: the list has room for some, and counts the rest
        _count(session, counted, one, at)
        if len(past) < MOST_KEPT:
            past.append(scan)
            row = Scan(serial=one.serial, lot=one.lot, at=at, province=province, device=scan.phone)
            session.add(row)


def mark(salt: bytes, address: str, agent: str) -> str:
    """The mark of a phone for the day of the salt."""
    of_phone, of_browser = (
        hmac.new(salt, told.encode(errors="replace"), hashlib.sha256).hexdigest()
        for told in (f"{address}\n{agent}", agent)
    )
    browser = signs.BROWSER_LETTERS
    return of_phone[: MARK_LETTERS - browser] + of_browser[:browser]


def _scans_of(session: Session, serials: Iterable[str]) -> dict[str, list[signs.Seen]]:
    found: dict[str, list[signs.Seen]] = defaultdict(list)
    rows = session.execute(
        select(Scan.serial, Scan.at, Scan.province, Scan.device).where(Scan.serial.in_(serials))
    )
    for serial, at, province, device in rows:
        found[serial].append(signs.Seen(at, province, device))
    return found


def _count(session: Session, counted: dict[str, ScanSerial], one: Waiting, at: int) -> None:
    there = counted.get(one.serial)
    if there is None:
        there = ScanSerial(serial=one.serial, lot=one.lot, first_at=at, last_at=at, times=0)
        session.add(there)
        counted[one.serial] = there
    there.times += 1
    there.first_at, there.last_at = min(there.first_at, at), max(there.last_at, at)
