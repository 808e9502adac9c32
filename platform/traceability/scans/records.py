"""The tables of scans. None of them holds an address, a name, or anything that lasts of a phone.

``ScanSalt`` has one row, today's; with it goes what could tell that two scans of two days were
made by the same phone. Single scans are deleted after ``Settings.scan_days``. What is kept
longer is about a pack (how often, since when) or about a product (what is usual).
"""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base


class ScanSalt(Base):
    """The random bytes of a day; deleted when the next day begins."""

    __tablename__ = "scan_salt"

    day: Mapped[str] = mapped_column(primary_key=True)
    salt: Mapped[str]


class Scan(Base):
    """One scan of a pack: when, in which province, and a mark that is a phone's for that day."""

    __tablename__ = "scan"
    __table_args__ = (Index("ix_scan_serial_at", "serial", "at"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    serial: Mapped[str]
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"))
    at: Mapped[int] = mapped_column(index=True)
    province: Mapped[str]  # empty where the table of networks does not know
    device: Mapped[str]


class ScanSerial(Base):
    """How often the label of a pack was scanned since when."""

    __tablename__ = "scan_serial"

    serial: Mapped[str] = mapped_column(primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"))
    first_at: Mapped[int]
    last_at: Mapped[int] = mapped_column(index=True)
    times: Mapped[int]


class ScanUsual(Base):
    """What is usual for a product, as far as its scans have taught it."""

    __tablename__ = "scan_usual"

    product: Mapped[str] = mapped_column(ForeignKey("product.id"), primary_key=True)
    at: Mapped[int]
    packs: Mapped[int]  # that it was learnt from
    phones: Mapped[int]  # the most phones of one pack that are still usual
    days: Mapped[int]  # the most days on which one pack is scanned that are still usual
    provinces: Mapped[list[str]] = mapped_column(JSON)


class ScanArea(Base):
    """A province of which the clerk has said that a product's packs do get there."""

    __tablename__ = "scan_area"

    product: Mapped[str] = mapped_column(ForeignKey("product.id"), primary_key=True)
    province: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int]


class ScanCase(Base):
    """A number that may have been copied, and what came of looking into it.

    An empty ``serial`` stands for all further numbers of the lot that were never issued.
    """

    __tablename__ = "scan_case"
    __table_args__ = (
        UniqueConstraint("lot", "serial"),
        Index("ix_scan_case_cooperative_last_at", "cooperative", "last_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"))
    serial: Mapped[str]
    last_at: Mapped[int]
    outcome: Mapped[str | None]  # of ``cases.OUTCOMES``
    note: Mapped[str] = mapped_column(default="")
    noted_at: Mapped[int | None]


class ScanSign(Base):
    """One reason why a number is on the list: the rule, and the figures of the last time."""

    __tablename__ = "scan_sign"

    case_id: Mapped[str] = mapped_column(ForeignKey("scan_case.id"), primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    first_at: Mapped[int]
    last_at: Mapped[int]
    times: Mapped[int]
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
