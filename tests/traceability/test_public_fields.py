"""Nothing of a person stands in what strangers may read."""

from collections import Counter

import public_farm
from platform_site import Site

ANSWERS = 450  # bench/public.py reads ten thousand


def test_no_personal_field_is_in_any_public_answer(site: Site) -> None:
    lots = public_farm.fill(site)
    found = Counter()
    for answer in public_farm.walk(site.stranger, public_farm.starts(site), ANSWERS):
        found[answer.status] += 1
        assert answer.status < 500, (answer.address, answer.text[:300])
        for secret in public_farm.SECRETS:
            at = answer.text.find(secret)
            told = (answer.address, answer.accept, answer.text[max(0, at - 200) : at + 80])
            assert at < 0, told
    assert found[200] > 150
    for lot in lots:
        page = site.stranger.get(f"/t/{lot}").text
        assert "Đường đi của lô này" in page
