"""While the database is away a shopper gets the lot's stored page, which says from when it is."""

import os
import time

import pytest
from cooperative import Farm
from platform_site import Site

from nongso.platform.storage import StorageError, Trouble
from nongso.platform.store import Records
from nongso.platform.traceability.shopper import copies as consumer_copies
from nongso.platform.traceability.shopper.copies import Copies

SAID = "Đây là trang đã lưu lúc"


@pytest.fixture
def lot(farm: Farm, site: Site) -> str:
    return farm.packed(
        20, product=farm.product(name="Miến dong Bình Lư", gtin="09524000059109")
    ).code


@pytest.fixture
def away(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Take the database away, as its driver would say it."""

    def take() -> None:
        def gone(self: Records) -> None:
            raise StorageError(Trouble.AWAY)

        monkeypatch.setattr(Records, "session", gone)

    return take


def test_a_scanned_page_was_stored_and_says_from_when_it_is(site: Site, lot: str, away) -> None:
    before = site.stranger.get(f"/t/{lot}").text
    away()
    answer = site.stranger.get(f"/t/{lot}")
    assert answer.status_code == 200
    assert SAID in answer.text
    assert "kể cả tin thu hồi" in answer.text
    assert before.split("</h1>")[1] in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "address", ["/t/{lot}/ABCDEFGH2", "/01/09524000059109/10/{lot}", "/T/{lot}?lang=vi"]
)
def test_every_address_of_the_lot_finds_its_copy(site: Site, lot: str, away, address: str) -> None:
    site.stranger.get(f"/t/{lot}")
    away()
    assert SAID in site.stranger.get(address.format(lot=lot)).text


def test_each_language_has_its_own_copy(site: Site, lot: str, away) -> None:
    site.stranger.get(f"/t/{lot}?lang=en")
    away()
    assert "This page was stored at" in site.stranger.get(f"/t/{lot}?lang=en").text
    assert site.stranger.get(f"/t/{lot}").status_code == 503


def test_programs_and_pages_that_nobody_opened_hear_of_the_trouble(
    site: Site, lot: str, away
) -> None:
    site.stranger.get(f"/t/{lot}")
    away()
    asked = {"Accept": "application/linkset+json"}
    assert site.stranger.get(f"/t/{lot}", headers=asked).status_code == 503
    assert site.stranger.get("/t/XXXXXX").status_code == 503
    assert site.stranger.get("/t/..%2F..%2Fplatform").status_code in (404, 503)


def test_a_copy_is_bounded_in_number_and_age(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_copies, "MOST_COPIES", 3)
    copies = Copies(farm.settings.folder)
    for n in range(5):
        copies.keep(f"LOT{n}", "vi", b"page")
        file = farm.settings.folder / "pages" / f"LOT{n}.vi.html"
        os.utime(file, (time.time() - 100 + n, time.time() - 100 + n))
    copies.keep("LOT5", "vi", b"page")
    assert copies.find("LOT5", "vi") is not None
    assert copies.find("LOT0", "vi") is None
    old = time.time() - (consumer_copies.MOST_DAYS + 1) * 86400
    os.utime(farm.settings.folder / "pages" / "LOT5.vi.html", (old, old))
    assert copies.find("LOT5", "vi") is None


def test_the_folder_is_not_looked_through_at_each_copy(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    ages = Copies._ages
    monkeypatch.setattr(Copies, "_ages", lambda self: looks.append(1) or ages(self))
    monkeypatch.setattr(consumer_copies, "MOST_COPIES", 20)
    copies = Copies(farm.settings.folder)
    for n in range(40):
        copies.keep(f"LOT{n}", "vi", b"page")
        copies.keep(f"LOT{n}", "vi", b"another page")
    assert len(looks) < 10
    assert 18 <= len(list((farm.settings.folder / "pages").iterdir())) <= 20


def test_a_page_that_says_the_same_is_not_written_again(farm: Farm) -> None:
    copies = Copies(farm.settings.folder)
    file = farm.settings.folder / "pages" / "LOT1.vi.html"
    copies.keep("LOT1", "vi", b"page")
    os.utime(file, (1, 1))
    copies.keep("LOT1", "vi", b"page")
    assert file.stat().st_mtime == 1
    copies.keep("LOT1", "vi", b"another")
    assert file.read_bytes() == b"another"


def test_no_code_leads_out_of_the_folder(farm: Farm) -> None:
    copies = Copies(farm.settings.folder)
    for code in ("../x", "", "a/b", "x" * 50, "lot"):
        copies.keep(code, "vi", b"page")
        assert copies.find(code, "vi") is None
    assert not (farm.settings.folder / "pages").exists()
