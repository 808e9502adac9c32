"""The soil as a store of water: how full it is, when plants begin to thirst, what runs through.

FAO-56 chapter 8, one layer, in mm of water missing below field capacity (the depletion). A mm is
a litre on a square metre.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Soil:
    """What a soil holds, as shares of its volume: at field capacity and at the wilting point."""

    field_capacity: float
    wilting_point: float

    def __post_init__(self) -> None:
        if not 0 <= self.wilting_point < self.field_capacity < 1:
            raise ValueError("a soil needs 0 <= wilting point < field capacity < 1")


@dataclass(frozen=True)
class Store:
    """The water in reach of the roots. ``easy_share`` (p) of it costs the plant no effort."""

    total_mm: float
    easy_share: float

    @property
    def easy_mm(self) -> float:
        """Readily available water, RAW (equation 83)."""
        return self.easy_share * self.total_mm

    def stress(self, missing_mm: float) -> float:
        """Ks: 1 while the plant drinks with ease, 0 where it wilts (equation 84)."""
        if missing_mm <= self.easy_mm:
            return 1.0
        return max(0.0, (self.total_mm - missing_mm) / ((1 - self.easy_share) * self.total_mm))


@dataclass(frozen=True)
class Step:
    """What some time has done to the store."""

    missing_mm: float
    used_mm: float
    drained_mm: float
    stress: float


def store(soil: Soil, root_m: float, easy_share: float) -> Store:
    """The store of a soil down to the roots' end (equation 82)."""
    if not root_m > 0 or not 0 < easy_share < 1:
        raise ValueError("roots need a depth above 0, and the easy share lies between 0 and 1")
    return Store(1000.0 * (soil.field_capacity - soil.wilting_point) * root_m, easy_share)


def easy_share_on(day_mm: float, table_share: float) -> float:
    """The easy share is smaller where plants need more in a day (FAO-56, table 22, note 2)."""
    return min(0.8, max(0.1, table_share + 0.04 * (5.0 - day_mm)))


def pass_time(store: Store, missing_mm: float, wanted_mm: float, watered_mm: float) -> Step:
    """Let plants drink and water come in (equation 85); thirst is judged at the beginning.

    ``wanted_mm``: what the crop would use with enough water (coefficient times reference).
    What is above field capacity drains away.
    """
    stress = store.stress(missing_mm)
    used = stress * wanted_mm
    left = missing_mm + used - watered_mm
    return Step(
        missing_mm=min(max(left, 0.0), store.total_mm),
        used_mm=used,
        drained_mm=max(0.0, -left),
        stress=stress,
    )


def missing_at(soil: Soil, root_m: float, water_share: float) -> float:
    """Depletion in mm that a probe's reading (share of the volume) stands for."""
    return max(0.0, 1000.0 * (soil.field_capacity - water_share) * root_m)
