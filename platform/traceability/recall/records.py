"""The tables of recalls and of the yearly rehearsal.

A recall's rows follow from the stream of events, like lots. A rehearsal moves nothing and is
no event of the goods: its report stands here alone.
"""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base

# What the law knows as ways to deal with recalled goods (Circular 17/2021/TT-BNNPTNT).
CORRECT, CHANGE_USE, RE_EXPORT, DESTROY = "correct", "change_use", "re_export", "destroy"
OUTCOMES = (CORRECT, CHANGE_USE, RE_EXPORT, DESTROY)
ORIGINS = ("lot", "household", "spray", "day")


class Recall(Base):
    """A recall: from what it began, why, and how it ended. ``why`` and ``advice`` are public."""

    __tablename__ = "recall"
    __table_args__ = (Index("ix_recall_cooperative_at", "cooperative", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    at: Mapped[int]
    origin: Mapped[str]
    origin_key: Mapped[str]  # a lot's code, a household's id, a diary line's id, a day
    why: Mapped[str]
    advice: Mapped[str]  # what whoever has a pack should do
    outcome: Mapped[str]  # what is meant to happen to the goods
    ended_at: Mapped[int | None]
    ended_how: Mapped[str | None]  # one of the four
    ended_why: Mapped[str | None]


class RecallLot(Base):
    """A lot that a recall hits, with what was where when it began."""

    __tablename__ = "recall_lot"

    recall: Mapped[str] = mapped_column(ForeignKey("recall.id"), primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True, index=True)
    packs_in_store: Mapped[int]
    packs_out: Mapped[int]
    packs_gone: Mapped[int]  # sold, sampled, destroyed or lost before
    grams_in_store: Mapped[int]


class RecallHolder(Base):
    """What a holder had when a recall began, and what has come of it since."""

    __tablename__ = "recall_holder"

    recall: Mapped[str] = mapped_column(ForeignKey("recall.id"), primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    holder: Mapped[str] = mapped_column(ForeignKey("holder.id"), primary_key=True)
    packs: Mapped[int]
    grams: Mapped[int]
    returned_packs: Mapped[int] = mapped_column(default=0)
    returned_grams: Mapped[int] = mapped_column(default=0)
    destroyed_packs: Mapped[int] = mapped_column(default=0)
    destroyed_grams: Mapped[int] = mapped_column(default=0)


class RecallCall(Base):
    """A holder was called about a recall: when, and what was said. Not in the stream."""

    __tablename__ = "recall_call"

    recall: Mapped[str] = mapped_column(ForeignKey("recall.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(ForeignKey("holder.id"), primary_key=True)
    at: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str]
    said: Mapped[str]


class Rehearsal(Base):
    """A recall that is only played, once a year: the task, the answers, the time it took."""

    __tablename__ = "recall_rehearsal"

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    actor: Mapped[str]
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"))
    started_at: Mapped[int]
    ended_at: Mapped[int | None]
    task: Mapped[dict[str, Any]] = mapped_column(JSON)  # what the books say, sealed at the start
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)
