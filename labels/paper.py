"""What a printer of rolls must know of its paper, beside the picture."""

from dataclasses import dataclass

from nongso.labels.layout import MM_PER_INCH, Layout


@dataclass(frozen=True)
class Paper:
    """A roll: its page, how the next one is found, and how hot and fast to print.

    ``darkness`` and ``speed`` (inches a second) are sent only where they are set.
    """

    width_mm: float
    height_mm: float
    media: str
    feed_mm: float
    dpi: int
    darkness: int | None = None
    speed: int | None = None

    @property
    def feed_dots(self) -> int:
        """Dots between two pages."""
        return round(self.feed_mm / MM_PER_INCH * self.dpi)


def paper_of(layout: Layout, darkness: int | None = None, speed: int | None = None) -> Paper:
    """The roll that a layout is made for."""
    return Paper(
        layout.page_width_mm,
        layout.page_height_mm,
        layout.kind,
        layout.feed_mm,
        layout.dpi,
        darkness,
        speed,
    )
