"""The registry's own tables: certificates, what they are for, and what things were called before.

Who makes and what is sold stand in ``records``, land in ``plots``.
"""

import datetime
from collections.abc import Set

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nongso.platform.store import Base

OCOP, VIETGAP, FOOD_SAFETY, TEST_REPORT, STANDARD, OTHER = (
    "ocop",
    "vietgap",
    "food_safety",
    "test_report",
    "standard",
    "other",
)
CERTIFICATE_KINDS = (OCOP, VIETGAP, FOOD_SAFETY, TEST_REPORT, STANDARD, OTHER)
PRODUCT, PRODUCER, PLOT, LOT = "product", "producer", "plot", "lot"


class Certificate(Base):
    """A paper that somebody else has given: who, under which number, for how long.

    ``since`` and ``until`` are days, both counted in; without ``until`` it does not expire (a
    test report tells of one day). ``file`` is the SHA-256 of the scanned paper, empty if there
    is none. ``passed`` is what a test report came to, ``None`` for other papers.
    """

    __tablename__ = "certificate"
    __table_args__ = (
        UniqueConstraint("cooperative", "kind", "number"),
        CheckConstraint("until IS NULL OR until >= since", name="since_before_until"),
        CheckConstraint("stars IS NULL OR (stars >= 1 AND stars <= 5)", name="stars"),
        Index("ix_certificate_cooperative_until", "cooperative", "until"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    kind: Mapped[str]
    number: Mapped[str]
    issuer: Mapped[str]
    since: Mapped[str]
    until: Mapped[str | None]
    stars: Mapped[int | None]
    passed: Mapped[bool | None]
    note: Mapped[str]
    file: Mapped[str] = mapped_column(default="")
    file_type: Mapped[str] = mapped_column(default="")  # pdf, jpg, png
    public_file: Mapped[bool] = mapped_column(default=False)  # shown to whoever scans
    subjects: Mapped[list["CertificateSubject"]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="CertificateSubject.key"
    )

    def is_in_force(self, day: datetime.date) -> bool:
        """Say whether it may be spoken of on that day."""
        return self.since <= day.isoformat() and (
            self.until is None or day.isoformat() <= self.until
        )

    @property
    def is_for(self) -> frozenset[str]:
        """What it is for, as forms send it: ``product:<id>``."""
        return frozenset(f"{one.what}:{one.key}" for one in self.subjects)

    def let_be_for(self, chosen: Set[str]) -> None:
        """Let it be for these things and for no others."""
        there = {f"{one.what}:{one.key}": one for one in self.subjects}
        for value in sorted(there.keys() - chosen):
            self.subjects.remove(there[value])
        for value in sorted(chosen - there.keys()):
            what, _sep, key = value.partition(":")
            self.subjects.append(CertificateSubject(certificate_id=self.id, what=what, key=key))

    @property
    def last_day(self) -> datetime.date | None:
        """The last day on which it holds."""
        return None if self.until is None else datetime.date.fromisoformat(self.until)


class CertificateSubject(Base):
    """One of the things that a certificate is for: a product, a producer, a plot or a lot."""

    __tablename__ = "certificate_subject"
    __table_args__ = (Index("ix_certificate_subject_what_key", "what", "key"),)

    certificate_id: Mapped[str] = mapped_column(
        ForeignKey("certificate.id", ondelete="CASCADE"), primary_key=True
    )
    what: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)


class Past(Base):
    """What a producer or a place was until a day, that day not counted in: old lots show it."""

    __tablename__ = "registry_past"

    what: Mapped[str] = mapped_column(primary_key=True)  # producer, place
    key: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    village: Mapped[str]
    commune: Mapped[str]
    province: Mapped[str]
    changed_at: Mapped[int]
    changed_by: Mapped[str]
