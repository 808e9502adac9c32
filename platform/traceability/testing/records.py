"""The tables of samples, tests, and of what holds a lot back.

All of it follows from the stream of events; only the file of a report lies beside it, in the
files folder, under the name of its own digest.
"""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base

PASSED, FAILED, RECALLED = "passed", "failed", "recalled"


class Sample(Base):
    """Some of a lot was taken away to be looked at; it does not come back."""

    __tablename__ = "lot_sample"
    __table_args__ = (CheckConstraint("packs >= 0 AND grams >= 0", name="never_negative"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), index=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    at: Mapped[int]
    packs: Mapped[int]
    grams: Mapped[int]
    laboratory: Mapped[str]


class LabTest(Base):
    """One thing that a laboratory looked for in a lot, and what it found.

    ``value`` and ``limit`` are texts, as the report writes them ("< 0,01", "không phát hiện").
    ``wrong_at`` and ``wrong_why`` say when and why it was declared to be recorded wrongly; from
    then on it counts no more, and is kept.
    """

    __tablename__ = "lot_test"
    __table_args__ = (Index("ix_lot_test_cooperative_at", "cooperative", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), index=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    at: Mapped[int]
    laboratory: Mapped[str]
    report_number: Mapped[str]
    what: Mapped[str]
    value: Mapped[str]
    unit: Mapped[str]
    limit: Mapped[str]
    conformant: Mapped[bool]
    file_sha256: Mapped[str | None]
    file_name: Mapped[str | None]
    wrong_at: Mapped[int | None]
    wrong_why: Mapped[str | None]


class LotHold(Base):
    """A lot is held back: by a failed test, or by a recall. ``until`` is when that ended.

    ``cause`` is the test's or the recall's id; a lot may be held for several causes.
    """

    __tablename__ = "lot_hold"

    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    cause: Mapped[str] = mapped_column(primary_key=True, index=True)
    kind: Mapped[str]
    since: Mapped[int]
    until: Mapped[int | None]
