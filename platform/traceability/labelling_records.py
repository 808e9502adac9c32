"""The tables of labels beside those in ``records``: the account of a lot's labels.

The account follows from the stream (``labelling_book``). The database itself refuses one that
does not add up: issued = applied + spoiled + returned + left, and none of them below zero.
"""

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base


class LabelAccount(Base):
    """Where all the labels of a lot are. ``applied`` are on packs, and scan as such."""

    __tablename__ = "label_account"
    __table_args__ = (
        CheckConstraint(
            "issued >= 0 AND applied >= 0 AND spoiled >= 0 AND returned >= 0",
            name="never_negative",
        ),
        CheckConstraint("applied + spoiled + returned <= issued", name="adds_up"),
    )

    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    issued: Mapped[int]
    applied: Mapped[int]
    spoiled: Mapped[int]
    returned: Mapped[int]

    @property
    def left(self) -> int:
        """Labels on paper of which nobody has said yet what became of them."""
        return self.issued - self.applied - self.spoiled - self.returned
