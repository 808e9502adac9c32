"""The table of markets' samples: how the head of each looks, and what its columns mean."""

from sqlalchemy import JSON, CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base

CSV, XLSX = "csv", "xlsx"


class MarketSample(Base):
    """A market's import file, as a cooperative has brought it.

    ``rows`` are its first lines, exactly as they stand; line ``header`` (from 1 on) names the
    columns, and goods begin at line ``first``. What lies above that goes out again as it came in.
    ``columns`` says what each column of the header means; an empty one stays empty.
    """

    __tablename__ = "market_sample"
    __table_args__ = (
        UniqueConstraint("cooperative", "name"),
        CheckConstraint("first > header", name="goods_below_header"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)  # the form's
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    name: Mapped[str]
    sort: Mapped[str]  # csv, xlsx
    sheet: Mapped[str]  # its name in a workbook
    sign: Mapped[str]  # between cells of a CSV file
    rows: Mapped[list[list[str]]] = mapped_column(JSON)
    header: Mapped[int]
    first: Mapped[int]
    columns: Mapped[list[str]] = mapped_column(JSON)
    changed_at: Mapped[int]
    changed_by: Mapped[str]

    @property
    def titles(self) -> list[str]:
        """What the columns are called."""
        return self.rows[self.header - 1]
