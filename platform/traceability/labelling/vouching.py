"""What stands on labels, as the log vouches for it: a printed code is for years.

The event of issuing or rolling carries a digest of all that the sheet is made of beside its
serials. A sheet that is printed anew from rows that were changed since is refused. Events of
before have no digest; of those only the address is known, from the name of their lot or roll.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.labelling import sheets
from nongso.platform.traceability.labelling.errors import NotAsIssued
from nongso.platform.traceability.labelling.records import LabelRoll
from nongso.platform.traceability.records import LabelIssue

ROLLED = "labels.rolled"
PRINTED = "nongso:printedSha256"


def digest(made: LabelIssue | LabelRoll) -> str:
    """The digest of what is printed: layout, address, texts, picture, and what the codes say."""
    told = sheets.columns(made)
    told["logo"] = None if made.logo is None else made.logo.hex()
    if isinstance(made, LabelIssue):
        told |= {"lot": made.lot, "codes": made.codes, "roll": made.roll}
    else:
        told["product"] = made.product_id
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def roll_id(base: str, roll: str) -> str:
    """The roll's identifier in events."""
    return f"{base.rstrip('/')}/id/roll/{roll}"


def changed(body: Any, made: LabelIssue | LabelRoll) -> str:
    """Say what of a row is not as its event says; empty where it is."""
    if PRINTED in body:
        is_so = digest(made) == body[PRINTED]
        return "" if is_so else "what is printed is not what was issued: see the log"
    if isinstance(made, LabelRoll):
        named = roll_id(made.base, made.id)
    elif made.roll is None:
        named = lot_id(made.base, made.lot)
    else:
        return ""
    if named == body["quantityList"][0]["epcClass"]:
        return ""
    return f"base is {made.base!r}, the event names it otherwise"


def refuse_changed(session: Session, made: LabelIssue | LabelRoll, event_id: str) -> None:
    """Raise ``NotAsIssued`` where a row is not what its event says was issued."""
    body = session.scalar(select(Event.body).where(Event.id == event_id))
    if body is not None and changed(body, made):
        raise NotAsIssued(made.id)


def without(session: Session) -> int:
    """How many issues and rolls are of a time when events had no digest of what is printed."""
    wanted = select(func.count()).where(
        Event.type.in_((lots.LABELLED, ROLLED)), Event.body[PRINTED].as_string().is_(None)
    )
    return session.scalar(wanted) or 0
