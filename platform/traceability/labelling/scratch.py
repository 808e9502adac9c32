"""Scratch codes: a second code on a label, under a sticker; only who has the pack can read it.

How this works. The codes of an issue are drawn when its sheet is given out, never before and never
again: they stand on that sheet and nowhere else. The records keep of each a keyed hash
(HMAC-SHA256 of serial and code, the key made of the platform's ``secret``), so that a stolen copy
of the records gives no code away. A sheet that was lost before anybody used it is given out anew
with other codes, and the first one's are worth nothing then. Of a sheet in use a bad label is
reported spoiled; what is printed in its place has a number and a code of its own.

A code is 8 letters of 31: one in 852,891,037,441 is right. Who guesses has ten tries at a label,
then waits that double up to four hours, from however many addresses (``guesses``): ``MOST_A_DAY``
tries in any 24 hours at most. What is not of eight such letters is a slip of the finger, and no
try.

Each giving out is an event (``GIVEN``) with the digest of what is kept, so that a hash exchanged
afterwards is found (``held``); of several requests to replace the same sheet one wins.

That a code is right says that somebody has read it, not that the pack is genuine: so what is told
is when it was checked for the first time.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from nongso.platform import audit, guesses
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.identifiers import ALPHABET, as_typed, is_shaped
from nongso.platform.traceability.labelling import issuing, sheets
from nongso.platform.traceability.labelling.errors import NotScratched, SheetGiven
from nongso.platform.traceability.labelling.records import ScratchCode
from nongso.platform.traceability.making.operations import Desk, known_lot
from nongso.platform.traceability.records import SCRATCH, LabelCode, LabelIssue

GIVEN = "labels.scratched"
LETTERS = 8  # 8 * log2(31) = 39.6 bits
MOST_A_DAY = 22  # wrong tries at one label, however they are spread: a test counts them
AGAIN_SECONDS = 600  # whoever asks again so soon has reloaded the page

FIRST, AGAIN, WRONG = "first", "again", "wrong"
MISTYPED = "mistyped"  # no code of ours looks like it
WAIT, WAIT_HERE = "wait", "wait_here"  # too many tries at this label, from this address
AWAY = "away"  # made with another key: it cannot be said


class Outcome(NamedTuple):
    """What came of a check; of a right code also since when and how often it was right."""

    kind: str
    first_at: int = 0
    times: int = 0
    wait_seconds: int = 0


def new_code() -> str:
    """A code that cannot be guessed."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))


def shown(code: str) -> str:
    """A code as it is printed, in two halves."""
    half = LETTERS // 2
    return f"{code[:half]}-{code[half:]}"


class Key(NamedTuple):
    """The key of the hashes, and its name."""

    secret: bytes
    name: str

    def digest(self, serial: str, code: str) -> str:
        """What is kept of a label's code."""
        return hmac.digest(self.secret, f"{serial}/{code}".encode(), "sha256").hex()


def key_of(secret: str) -> Key:
    """The key that a platform with this secret has."""
    key = hmac.digest(secret.encode(), b"scratch codes", "sha256")
    return Key(key, hmac.digest(key, b"name", "sha256").hex()[:8])


def given_at(session: Session, issue_id: str) -> int | None:
    """When the sheet of an issue was given out; ``None`` if it was not."""
    return session.scalar(
        select(func.max(ScratchCode.drawn_at))
        .join(LabelCode, LabelCode.serial == ScratchCode.serial)
        .where(LabelCode.issue_id == issue_id)
    )


def sheets_given(session: Session, made: LabelIssue) -> int:
    """How many sheets of an issue were given out; the last one alone is worth something.

    One from before giving out was an event counts as the first.
    """
    told = lots.about(session, made.lot, (GIVEN,))
    newest = max(
        (e.body["nongso:sheet"] for e in told if e.body["nongso:issue"] == made.id), default=0
    )
    return newest or int(given_at(session, made.id) is not None)


def refuse_sheet(session: Session, made: LabelIssue, replaces: int = 0) -> None:
    """Raise ``NotScratched``, or ``SheetGiven`` unless the sheet may be given out.

    ``replaces``: in place of the so-many-th, whose labels nobody has used, and of no later one.
    """
    if made.codes != SCRATCH:
        raise NotScratched
    at = given_at(session, made.id)
    if at is None:
        return
    used = (
        select(func.count())
        .select_from(LabelCode)
        .join(ScratchCode, ScratchCode.serial == LabelCode.serial)
        .where(LabelCode.issue_id == made.id)
        .where(LabelCode.applied_at.is_not(None) | ScratchCode.first_at.is_not(None))
    )
    is_used = bool(session.scalar(used))
    sheet = sheets_given(session, made)
    if is_used or replaces != sheet:
        raise SheetGiven(at, is_used, sheet, replaces)


def draw(session: Session, made: LabelIssue) -> tuple[bytes, dict[str, str]]:
    """Draw the codes of an issue and print its sheet; nothing is kept of it yet.

    Call it outside of a transaction. Raises ``LabelError``.
    """
    codes = {serial: new_code() for serial in issuing.codes_of(session, made.id)}
    sheet = sheets.printed(
        made,
        issuing.addresses_of(session, made),
        made.first,
        f"Tem lô {made.lot}",
        [shown(code) for code in codes.values()],
    )
    return sheet.pdf, codes


def keep(
    desk: Desk, made: LabelIssue, codes: Mapping[str, str], key: Key, replaces: int = 0
) -> None:
    """Keep the hashes of a sheet that is given out now, in the caller's transaction.

    Earlier ones of the issue are worth nothing then. Raises as ``refuse_sheet``.
    """
    session = desk.session
    refuse_sheet(session, made, replaces)
    sheet = sheets_given(session, made) + 1
    of_issue = select(LabelCode.serial).where(LabelCode.issue_id == made.id)
    session.execute(delete(ScratchCode).where(ScratchCode.serial.in_(of_issue)))
    rows = [
        {
            "serial": serial,
            "digest": key.digest(serial, code),
            "key": key.name,
            "drawn_at": desk.now,
            "times": 0,
        }
        for serial, code in codes.items()
    ]
    session.execute(insert(ScratchCode), rows)
    more = {
        "nongso:first": made.first,
        "nongso:last": made.last,
        "nongso:issue": made.id,
        "nongso:sheet": sheet,
        "nongso:scratchSha256": sealed(ScratchCode(**row) for row in rows),
    }
    lot, id_ = known_lot(desk, made.lot), f"{made.id}/{sheet}"
    issuing.note(desk, lot, shaping.LABELS_SCRATCHED, GIVEN, id_, made.count, more)
    audit.note(
        session,
        "scratch_sheet",
        person=desk.actor,
        cooperative=desk.cooperative,
        subject=made.id,
        lot=made.lot,
        first=made.first,
        last=made.last,
    )


def sealed(codes: Iterable[ScratchCode]) -> str:
    """The digest of what is kept of a sheet, in the order of its labels."""
    lines = "\n".join(f"{one.serial} {one.key} {one.digest}" for one in codes)
    return hashlib.sha256(lines.encode()).hexdigest()


def check(
    session: Session, serial: str, typed: str, key: Key, address: str, now: int
) -> Outcome | None:
    """Check what somebody typed, in the caller's transaction; ``None`` where there is no code."""
    there = session.get(ScratchCode, serial)
    if there is None:
        return None
    if there.key != key.name:
        return Outcome(AWAY)
    code = as_typed(typed)
    if not is_shaped(code, LETTERS):
        return Outcome(MISTYPED)
    tried = guesses.begin(session, "scratch", None, name=serial, address=address, now=now)
    if tried.wait_seconds:
        return Outcome(WAIT_HERE if tried.for_others else WAIT, wait_seconds=tried.wait_seconds)
    if not hmac.compare_digest(there.digest, key.digest(serial, code)):
        return Outcome(WRONG)
    guesses.was_right(session, tried)
    if there.first_at is None:
        there.first_at = there.last_at = now
        there.times = 1
        return Outcome(FIRST, now, 1)
    if now - (there.last_at or 0) >= AGAIN_SECONDS:
        there.times += 1
    there.last_at = now
    return Outcome(AGAIN, there.first_at, there.times)
