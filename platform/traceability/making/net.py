"""What one pack holds: grams, or millilitres whose weight follows from the goods' density.

Stock is kept in grams, because scales say grams. Oil and honey are sold by volume: for them the
product states what a litre weighs, and a pack's millilitres become grams by that statement. Grams
of one small bottle are rounded; those of many are reckoned from the volume, never from the
rounded bottle (10 ml of an oil of 1,030 g a litre are 10 g; a hundred such bottles are 1,030 g).
"""

from dataclasses import dataclass

GRAM, MILLILITRE = "GRM", "MLT"  # UN/ECE Recommendation 20
_LITRE = 1000


@dataclass(frozen=True)
class Net:
    """The content of one pack. ``ml`` and ``grams_per_litre`` stand together, or neither does."""

    grams: int
    ml: int | None = None
    grams_per_litre: int | None = None

    @classmethod
    def volume(cls, ml: int, grams_per_litre: int) -> "Net":
        """So many millilitres of goods of that density."""
        return cls(max(1, round(ml * grams_per_litre / _LITRE)), ml, grams_per_litre)

    def mass(self, packs: int) -> int:
        """Grams of that many packs."""
        if self.ml is None or self.grams_per_litre is None:
            return packs * self.grams
        return round(packs * self.ml * self.grams_per_litre / _LITRE)

    def packs_in(self, grams: int) -> int:
        """How many whole packs can be filled."""
        if self.ml is None or self.grams_per_litre is None:
            return grams // self.grams
        return grams * _LITRE // (self.ml * self.grams_per_litre)

    @property
    def size(self) -> int:
        """The number that stands on the pack."""
        return self.grams if self.ml is None else self.ml

    @property
    def uom(self) -> str:
        """The unit of ``size``, as EPCIS and schema.org write it."""
        return GRAM if self.ml is None else MILLILITRE
