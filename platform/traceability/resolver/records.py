"""Links that a clerk added to a product: recipe, shop, film, certificate elsewhere.

A link is never changed or deleted: a wrong one ends, and another one is added.
"""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base


class ProductLink(Base):
    """One link. ``kind`` is a word of ``link_types``, ``language`` is empty where it has none."""

    __tablename__ = "product_link"

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    product_id: Mapped[str] = mapped_column(ForeignKey("product.id"), index=True)
    kind: Mapped[str]
    title: Mapped[str]
    address: Mapped[str]
    language: Mapped[str]
    media: Mapped[str]
    added_at: Mapped[int]
    added_by: Mapped[str]
    ended_at: Mapped[int | None]
    ended_by: Mapped[str | None]
