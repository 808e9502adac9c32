"""A short run of ``bench/forged.py``: whatever address somebody makes up gets the right answer."""

import importlib.util
import random
from pathlib import Path

from platform_site import Site

BENCH = Path(__file__).parents[2] / "bench" / "forged.py"


def test_made_up_labels_open_nothing_and_real_ones_open_their_own_pack(site: Site) -> None:
    spec = importlib.util.spec_from_file_location("forged", BENCH)
    assert spec is not None
    assert spec.loader is not None
    forged = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(forged)
    market, dice = forged.open_market(site), random.Random(7)
    statuses = set()
    for number in range(200):
        label = forged.SORTS[number % len(forged.SORTS)](dice, market)
        address, gtin = forged.addressed(dice, *label)
        status, why = forged.judged(market, address, label, gtin)
        assert not why, (status, why, address)
        statuses.add(status)
    assert statuses == {200, 400, 404}
