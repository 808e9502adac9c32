"""What is usual for a product, learnt from its own packs. Values in, values out.

**Phones.** Line up the packs by how many phones have scanned each; nineteen of twenty stay at or
below some number. Twice that number is still usual. A noodle pack that a family looks at once or
twice is watched closely, a gift box that everybody at the table scans is not.

**Days.** In the same way: on how many days a pack was scanned, whether by one phone or by many.

**Places.** A province belongs to the sales area when at least five packs, and three of a hundred,
were scanned there, or when the clerk has said so.

All wait for thirty packs. Until then eight phones and six days are usual, and no province is far
away. Packs
that the clerk has called copied teach nothing; those that the clerk has explained teach like
any other.
"""

from collections.abc import Collection, Mapping, Sequence

ENOUGH_PACKS = 30
PHONES_AT_FIRST = 8
LEAST_PHONES = 4  # a family, a neighbour, the shop
DAYS_AT_FIRST = 6
LEAST_DAYS = 4
STAY_WITHIN_PERCENT = 95
TIMES = 2
LEAST_PACKS_THERE = 5
LEAST_PERCENT_THERE = 3


def usual_phones(phones_of_packs: Sequence[int]) -> int:
    """The most phones of one pack that are still usual."""
    if len(phones_of_packs) < ENOUGH_PACKS:
        return PHONES_AT_FIRST
    return max(LEAST_PHONES, TIMES * _nearly_all(phones_of_packs))


def usual_days(days_of_packs: Sequence[int]) -> int:
    """The most days on which one pack is scanned that are still usual."""
    if len(days_of_packs) < ENOUGH_PACKS:
        return DAYS_AT_FIRST
    return max(LEAST_DAYS, TIMES * _nearly_all(days_of_packs))


def _nearly_all(counts: Sequence[int]) -> int:
    """What nineteen of twenty stay within."""
    last = -(-len(counts) * STAY_WITHIN_PERCENT // 100)  # rounded up: of 30 packs the 29th
    return sorted(counts)[last - 1]


def sales_area(packs_in: Mapping[str, int], packs: int, said: Collection[str]) -> frozenset[str]:
    """The provinces in which a product is sold; ``packs_in`` counts packs scanned in each."""
    return frozenset(said) | {
        province
        for province, there in packs_in.items()
        if province and there >= LEAST_PACKS_THERE and there * 100 >= packs * LEAST_PERCENT_THERE
    }
