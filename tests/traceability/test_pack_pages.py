"""The page of a pack is filled into one that is kept; nobody may see any difference."""

import datetime
import functools
import itertools

import pytest
from cooperative import Farm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platform_site import Site
from sqlalchemy import inspect

from nongso.platform import store
from nongso.platform.traceability.identifiers import ALPHABET
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode, Lot
from nongso.platform.traceability.scans import Seen
from nongso.platform.traceability.shopper import pack_pages
from nongso.platform.traceability.shopper import page as consumer
from nongso.platform.traceability.shopper.pack_pages import (
    SEEN_HERE,
    SERIAL_HERE,
    Label,
    seen_note,
)
from nongso.platform.traceability.shopper.told import told_of

DAYS = st.none() | st.dates(datetime.date(2026, 1, 1), datetime.date(2028, 1, 1))
LABELS = st.builds(
    Label, st.text(ALPHABET, min_size=9, max_size=9), DAYS, DAYS, is_applied=st.booleans()
)
SCANS = st.none() | st.builds(Seen, st.integers(0, 2**31), st.integers(1, 5000))


@pytest.fixture
def lot(farm: Farm, site: Site) -> str:
    """A lot with labels that nobody has said to be on a pack yet."""
    product = farm.product(name='Miến dong <"Bình Lư"> & con', gtin="09524000059109")
    code = farm.packed(180, product=product).code
    farm.do(labelling.issue, labelling.Wish(code, 6, codes="unit"), {"text": "Miến"})
    return code


@pytest.fixture
def serials(farm: Farm, lot: str) -> list[str]:
    with farm.records.session() as session:
        wanted = session.query(LabelCode).filter_by(lot=lot).order_by(LabelCode.running)
        return [label.serial for label in wanted]


def change(farm: Farm, lot: str, **to: object) -> None:
    """Let another process write this of the lot."""
    with farm.records.transaction() as session:
        for name, value in to.items():
            setattr(session.get_one(Lot, lot), name, value)


NOTHING = {"withdrawn_at": None, "recalled_at": None, "tested": "", "demonstration": False}
STATES: dict[str, dict[str, object]] = {
    "standing": {},
    "withdrawn": {"withdrawn_at": 1_764_000_000, "withdrawn_why": "ghi <sai>"},
    "recalled": {"recalled_at": 1_764_000_000, "recalled_why": "nấm mốc"},
    "failed": {"tested": "failed"},
    "a demonstration": {"demonstration": True},
}


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(label=LABELS, seen=SCANS)
def test_a_filled_page_is_the_page_made_whole(
    site: Site, farm: Farm, lot: str, label: Label, seen: Seen | None
) -> None:
    app = site.stranger.application
    for state, words in itertools.product(STATES, ("vi", "en")):
        change(farm, lot, **(NOTHING | STATES[state]))
        with app.test_request_context(f"/t/{lot}?lang={words}"):
            told = told_of(lot)
            assert told is not None
            make = functools.partial(consumer._made_page, told.story)
            whole = make(label, seen_note(seen))
            key = (lot, words, told.as_of)
            for _twice in range(2):
                assert pack_pages.page(key, label, seen_note(seen), make) == whole, (state, words)
        assert label.serial in whole
        assert SERIAL_HERE not in whole
        assert SEEN_HERE not in whole


def test_packs_that_stand_alike_share_one_page(
    site: Site, farm: Farm, lot: str, serials: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Label | None] = []
    make = consumer._made_page

    def counted(*of):
        made.append(of[1])
        return make(*of)

    monkeypatch.setattr(consumer, "_made_page", counted)
    monkeypatch.setattr(pack_pages.time, "time", lambda: 1_800_000_000.0)
    shown = [site.stranger.get(f"/t/{lot}/{serial}").text for serial in serials]
    assert len(made) == 1
    for serial, page in zip(serials, shown, strict=True):
        assert page.count(serial) == shown[0].count(serials[0]) > 2
        assert not any(other in page for other in serials if other != serial)
    site.stranger.get(f"/t/{lot}/{serials[0]}?lang=en")
    assert len(made) == 2


def test_what_becomes_of_a_label_is_seen_at_once(
    site: Site, farm: Farm, lot: str, serials: list[str]
) -> None:
    first, second, third = serials[:3]
    address = f"/t/{lot}/"
    unused = "chưa ghi là đã dán lên gói nào"
    assert unused in site.stranger.get(address + first).text
    farm.do(labelling_account.spoil, labelling_account.Told(lot, (second,)))
    assert "đã được báo hỏng" in site.stranger.get(address + second).text
    assert "đã được báo hỏng" not in site.stranger.get(address + first).text
    farm.do(labelling_account.apply, labelling_account.Told(lot, (third,)))
    page = site.stranger.get(address + third).text
    assert unused not in page
    assert "báo hỏng" not in page
    assert unused in site.stranger.get(address + first).text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("withdrawn", "Tem này không còn giá trị"),
        ("failed", "có kết quả kiểm nghiệm không đạt"),
    ],
)
def test_what_becomes_of_a_lot_in_another_process_is_seen_at_once(
    site: Site,
    farm: Farm,
    lot: str,
    serials: list[str],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    said: str,
) -> None:
    monkeypatch.setattr(store, "GLANCE_SECONDS", 3600.0)  # of other writing nobody hears
    address = f"/t/{lot}/{serials[0]}"
    for _time in range(2):
        assert said not in site.stranger.get(address).text
    change(farm, lot, **STATES[state])
    assert said in site.stranger.get(address).text


def test_the_answer_around_a_filled_page_is_what_it_was(
    site: Site, lot: str, serials: list[str]
) -> None:
    recorder = site.stranger.application.extensions["nongso.scans"]
    for words, serial in itertools.product(("vi", "en"), serials[:2]):
        for address in (f"/t/{lot}/{serial}", f"/01/09524000059109/10/{lot}/21/{serial}"):
            answer = site.stranger.get(f"{address}?lang={words}")
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "no-store"
            assert "ETag" not in answer.headers
            assert f"{lot}/{serial}" in answer.headers["Link"]
    assert {one.serial for one in recorder._waiting} == set(serials[:2])
    site.stranger.head(f"/t/{lot}/{serials[2]}")
    assert {one.serial for one in recorder._waiting} == set(serials[:2])


def test_a_label_of_another_lot_is_not_this_lots(
    site: Site, farm: Farm, lot: str, serials: list[str]
) -> None:
    other = farm.packed(1).code
    site.stranger.get(f"/t/{lot}/{serials[0]}")
    assert site.stranger.get(f"/t/{other}/{serials[0]}").status_code == 404


def test_what_is_kept_of_a_lot_is_no_requests(site: Site, lot: str) -> None:
    """Else one request's writing and another's reading meet in one session, and a page fails."""
    with site.stranger.application.test_request_context(f"/t/{lot}"):
        told = told_of(lot)
        assert told is not None
        assert inspect(told.story.lot).detached
        assert not any(one in store.records() for one in (told.story.lot, told.story.product))
