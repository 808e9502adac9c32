"""The tables of what is shown to shoppers: pictures of people, and places open to visitors."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base

SIGNED, SAID = "signed", "said"  # how somebody agreed
HOWS = (SIGNED, SAID)
SIGHT, STALL, GREENHOUSE, WORKSHOP, STAY = "sight", "stall", "greenhouse", "workshop", "stay"
KINDS = (STALL, GREENHOUSE, WORKSHOP, SIGHT, STAY)


class ProducerPhoto(Base):
    """A picture of a producer, and that the people in it have agreed to its being shown.

    ``photo`` is the picture's SHA-256. When the consent was taken back it is empty and the file
    is gone; the line stays and says when.
    """

    __tablename__ = "producer_photo"
    __table_args__ = (Index("ix_producer_photo_producer", "producer"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # the form's
    producer: Mapped[str] = mapped_column(ForeignKey("producer.id"))
    photo: Mapped[str]
    agreed_on: Mapped[str]
    how: Mapped[str]
    noted_by: Mapped[str]
    noted_at: Mapped[int]
    withdrawn_at: Mapped[int | None]


class OpenPlace(Base):
    """A place that visitors may come to. ``code`` stands in its address, for ever."""

    __tablename__ = "open_place"
    __table_args__ = (Index("ix_open_place_cooperative", "cooperative"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # the form's
    code: Mapped[str] = mapped_column(unique=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    kind: Mapped[str]
    name: Mapped[str]
    story: Mapped[str]
    hours: Mapped[str]
    contact: Mapped[str]
    village: Mapped[str]
    commune: Mapped[str]
    province: Mapped[str]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    photo: Mapped[str]
    closed: Mapped[bool]  # its page says that it is no longer open
    changed_at: Mapped[int]

    @property
    def point(self) -> tuple[float, float] | None:
        """Where it is on the map; ``None`` where nobody has said."""
        if self.latitude is None or self.longitude is None:
            return None
        return self.latitude, self.longitude
