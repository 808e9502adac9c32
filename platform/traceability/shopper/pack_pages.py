"""The page of one pack: the page of its lot, made once for all packs that stand alike.

How this works. What a pack's page says of the lot, and of a label in this pack's state, is the
same for every such pack. It is made once with marks where the pack's own number and the sentence
about its scans belong, and the marks are filled in for each request. The caller's key says of
which lot it is, in which language, and as of which news; a minute is kept at most, as of the
pages that everybody gets alike (``kept_pages``).

What became of the label is read for each request, so a spoiled or returned one is seen at once;
so is what is known of its scratch code, which stands with the sentence about scans.
Not here: the page itself, and who counts the scans.
"""

import datetime
import secrets
import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

from flask import Flask, current_app, get_template_attribute
from markupsafe import Markup, escape
from sqlalchemy import bindparam, inspect, select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.fragments import Fragments
from nongso.platform.languages import day_of
from nongso.platform.traceability.labelling.records import ScratchCode
from nongso.platform.traceability.labelling.scratch import Outcome
from nongso.platform.traceability.records import LabelCode
from nongso.platform.traceability.scans import Seen

# In texts and in addresses alike; nobody can write it into a name that a page shows.
SERIAL_HERE = f"serial-{secrets.token_hex(8)}"
SEEN_HERE = Markup("<!-- seen -->")
_MINUTE = 60


class Scratch(NamedTuple):
    """A label's scratch code: since when it is known to somebody, and how often it was checked."""

    first_at: int | None
    times: int


class Label(NamedTuple):
    """What a page says of a label: few differ in more than the serial."""

    serial: str
    spoiled: datetime.date | None
    returned: datetime.date | None
    is_applied: bool
    scratch: Scratch | None = None

    @property
    def is_usable(self) -> bool:
        """Say whether it was neither spoiled nor returned."""
        return self.spoiled is None and self.returned is None


# Made once, and of columns: three times as fast as asking for the record.
_labels, _scratches = inspect(LabelCode).local_table, inspect(ScratchCode).local_table
_LABEL = (
    select(
        *(_labels.c[name] for name in ("spoiled_at", "returned_at", "applied_at")),
        *(_scratches.c[name] for name in ("first_at", "times")),
    )
    .select_from(_labels.outerjoin(_scratches, _scratches.c.serial == _labels.c.serial))
    .where(_labels.c.serial == bindparam("serial"), _labels.c.lot == bindparam("lot"))
)


def find(session: Session, lot: str, serial: str) -> Label | None:
    """What a page says of this label; ``None`` where the lot has no such label."""
    found = session.execute(_LABEL, {"serial": serial, "lot": lot}).first()
    if found is None:
        return None
    spoiled_at, returned_at, applied_at, first_at, times = found
    return Label(
        serial,
        None if spoiled_at is None else day_of(spoiled_at),
        None if returned_at is None else day_of(returned_at),
        applied_at is not None,
        None if times is None else Scratch(first_at, times),
    )


def prepare(app: Flask) -> None:
    """Keep pages with marks; one memory for the application."""
    app.extensions["nongso.pack_pages"] = Fragments()


def page(
    key: Hashable,
    label: Label,
    seen: Markup,
    make: Callable[[Label, Markup], str],
) -> str:
    """The page of this pack. ``make`` makes one of a label and what is said of it besides."""
    kept: Fragments = current_app.extensions["nongso.pack_pages"]
    alike = label._replace(serial=SERIAL_HERE, scratch=None)
    minute = int(time.time()) // _MINUTE
    found = kept.get((key, alike, minute), lambda: make(alike, SEEN_HERE))
    # A serial has capitals and digits only, so that it is the same in an address and in a text.
    return found.replace(SERIAL_HERE, escape(label.serial)).replace(SEEN_HERE, seen)


def seen_note(seen: Seen | None) -> Markup:
    """What is said of earlier scans."""
    note: Callable[..., str] = get_template_attribute("traceability/scans_seen.html", "seen_note")
    return Markup(note(seen))


def scratch_note(lot: str, label: Label, outcome: Outcome | None, is_warned: bool) -> Markup:
    """What is said of the scratch code, with the form; nothing for a label without one.

    Where the page begins with a warning the answer does not lead past it.
    """
    if label.scratch is None or not label.is_usable:
        return Markup()
    note: Callable[..., str] = get_template_attribute("traceability/scratch.html", "scratch_note")
    return Markup(note(lot, label, outcome, is_warned))
