"""Files whose bytes were changed: a store opens whatever happened to them, and says what is lost.

What may be lost is known to the tests of each store; here they are played with seeds.
"""

import random
import shutil
from collections import Counter
from pathlib import Path

import test_mutilated_store as gateway_tests
import test_telemetry_damage as platform_tests

MANY = 40


def of_the_gateway(seed: int, folder: Path) -> Counter[str]:
    """Harm the gateway's store in ways that the seed draws."""
    whole = gateway_tests.filled(folder)
    pages = gateway_tests.map_of(whole, folder)
    rows = gateway_tests.content(folder / "store.sqlite")
    bench = gateway_tests.Bench(folder, whole, pages, rows)
    chance = random.Random(seed)
    harms, often = zip(*gateway_tests.HARMS, strict=True)
    for _ in range(MANY):
        bench.open(chance.choices(harms, often)[0](whole, chance))
    return Counter({"mutilated files": MANY})


def of_the_platform(seed: int, folder: Path) -> Counter[str]:
    """Harm the platform's file of readings in ways that the seed draws."""
    (folder / "whole").mkdir()
    whole = platform_tests.season(folder / "whole").read_bytes()
    chance = random.Random(seed)
    for _ in range(MANY):
        harm = chance.choice(platform_tests.HARMS)
        platform_tests.opens_anyway(whole, harm, chance, folder / "harmed")
        shutil.rmtree(folder / "harmed")
    return Counter({"mutilated files": MANY})
