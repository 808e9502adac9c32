"""Scans of packs: what is written down of them, what is not, and what the clerk gets to see."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from cooperative import COOP, NOW, Farm
from platform_site import Site
from sqlalchemy import func, select, text

from nongso.platform.storage import StorageError, Trouble
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode, Lot
from nongso.platform.traceability.scans import cases, keeping, learning, signs, usual
from nongso.platform.traceability.scans import recorder as recorders
from nongso.platform.traceability.scans.recorder import Recorder
from nongso.platform.traceability.scans.records import (
    Scan,
    ScanArea,
    ScanCase,
    ScanSalt,
    ScanSerial,
    ScanSign,
    ScanUsual,
)

LAI_CHAU, HA_NOI, CA_MAU = "198.51.100.7", "203.0.113.9", "192.0.2.44"
NETWORKS = (
    "198.51.100.0/24,tỉnh Lai Châu\n203.0.113.0/24,thành phố Hà Nội\n192.0.2.0/24,tỉnh Cà Mau\n"
)
AGENT = "Mozilla/5.0 (Linux; Android 10; K) Mobile"
DAY = 86_400


@dataclass
class Shop:
    """A lot with labels, and shoppers who scan them."""

    farm: Farm
    lot: str
    serials: list[str]
    recorder: Recorder

    def scan(
        self,
        address: str = LAI_CHAU,
        at: int = NOW,
        serial: str = "",
        agent: str = AGENT,
        lot: str = "",
    ) -> None:
        self.recorder.note(lot or self.lot, serial or self.serials[0], address, agent, at)

    def write(self, now: int = NOW) -> None:
        self.recorder.write(now)

    def signs(self, serial: str = "") -> dict[str, int]:
        """How often each rule has struck for a label."""
        with self.farm.records.session() as session:
            rows = session.execute(
                select(ScanSign.rule, ScanSign.times)
                .join(ScanCase, ScanCase.id == ScanSign.case_id)
                .where(ScanCase.serial == (serial or self.serials[0]))
            )
            return dict(rows.all())

    def all(self, table):
        with self.farm.records.session() as session:
            return session.scalars(select(table)).all()


@pytest.fixture
def shop(farm: Farm, tmp_path: Path) -> Shop:
    (tmp_path / "networks.csv").write_text(NETWORKS, "utf-8")
    code = farm.packed(60, product=farm.product(name="Miến dong Bình Lư")).code
    farm.do(labelling.issue, labelling.Wish(code, 60), {"text": "Miến"})
    with farm.records.session() as session:
        serials = list(session.scalars(select(LabelCode.serial).order_by(LabelCode.running)))
    farm.do(labelling_account.apply, labelling_account.Told(code, tuple(serials[:-1])))
    return Shop(farm, code, serials, Recorder(farm.records, tmp_path / "networks.csv", 30))


def test_a_copied_code_in_two_provinces_within_a_minute_is_on_the_list(shop: Shop) -> None:
    shop.scan(LAI_CHAU)
    shop.write()
    shop.scan(HA_NOI, NOW + 40, agent="Safari")
    shop.write(NOW + 42)
    assert shop.signs() == {"travel": 1}
    (case,) = shop.all(ScanCase)
    assert (case.cooperative, case.lot) == (COOP, shop.lot)


def test_nothing_that_is_kept_tells_who_has_scanned(shop: Shop) -> None:
    for address in (LAI_CHAU, HA_NOI):
        shop.scan(address)
    shop.scan(serial="ABCDEFGHJ", address=CA_MAU)
    shop.write()
    with shop.farm.records.session() as session:
        for table in (Scan, ScanSerial, ScanCase, ScanSign, ScanSalt, ScanUsual, ScanArea):
            for row in session.execute(text(f"SELECT * FROM {table.__tablename__}")).all():
                for hidden in (LAI_CHAU, HA_NOI, CA_MAU, "198.51", "Android", "Mozilla"):
                    assert hidden not in repr(row)
    kept = {
        Scan: {"number", "serial", "lot", "at", "province", "device"},
        ScanSerial: {"serial", "lot", "first_at", "last_at", "times"},
        ScanUsual: {"product", "at", "packs", "phones", "days", "provinces"},
        ScanArea: {"product", "province", "at"},
        ScanSalt: {"day", "salt"},
        ScanCase: {
            *("id", "cooperative", "lot", "serial", "last_at"),
            *("outcome", "note", "noted_at"),
        },
        ScanSign: {"case_id", "rule", "first_at", "last_at", "times", "values"},
    }
    for table, columns in kept.items():
        assert set(table.__table__.columns.keys()) == columns
    assert shop.recorder.waiting == 0  # nor does the address stay in memory


def test_a_phone_has_another_mark_every_day_and_yesterdays_cannot_be_made_again(
    shop: Shop,
) -> None:
    marks, salts = [], []
    for day in range(3):
        shop.scan(at=NOW + day * DAY)
        shop.write(NOW + day * DAY)
        marks = [one.device for one in shop.all(Scan)]
        salts += [one.salt for one in shop.all(ScanSalt)]
    assert len(set(marks)) == len(set(salts)) == 3
    assert [one.salt for one in shop.all(ScanSalt)] == salts[-1:]
    assert keeping.mark(bytes.fromhex(salts[-1]), LAI_CHAU, AGENT) == marks[-1]
    assert all(mark not in marks[:2] for mark in [keeping.mark(bytes(32), LAI_CHAU, AGENT)])


def test_single_scans_are_deleted_after_the_set_time_even_if_nobody_scans(shop: Shop) -> None:
    shop.scan()
    shop.write()
    shop.write(NOW + 30 * DAY)
    assert len(shop.all(Scan)) == 1
    shop.write(NOW + 31 * DAY)
    assert shop.all(Scan) == []
    (counted,) = shop.all(ScanSerial)
    assert (counted.first_at, counted.times) == (NOW, 1)
    shop.write(NOW + 4 * 365 * DAY)
    assert shop.all(ScanSerial) == []


def test_a_page_that_is_opened_again_is_one_scan(shop: Shop) -> None:
    shop.scan()
    shop.scan(at=NOW + 1)
    shop.write()
    shop.scan(at=NOW + 599)
    shop.write()
    assert [one.times for one in shop.all(ScanSerial)] == [1]
    shop.scan(at=NOW + 600)
    shop.scan(at=NOW + 601, agent="another phone")
    shop.write()
    assert [one.times for one in shop.all(ScanSerial)] == [3]


def test_numbers_that_were_never_issued_are_listed_but_not_without_end(shop: Shop) -> None:
    shop.scan(serial="ABCDEFGHJ")
    shop.write()
    assert shop.signs("ABCDEFGHJ") == {"never_issued": 1}
    letters = "ABCDEFGHJKLMNPQRSTVWXYZ23456789"
    for one in letters:
        for other in letters[:10]:
            shop.scan(serial=f"ZZZZZZZ{one}{other}")
    shop.write()
    assert len(shop.all(ScanCase)) == cases.MOST_INVENTED + 1
    with shop.farm.records.session() as session:
        total = session.scalar(select(func.sum(ScanSign.times)))
    assert total == 311  # the line for all further ones counts them
    assert shop.all(Scan) == []


def test_a_label_with_the_number_of_another_lot_was_put_together(shop: Shop, farm: Farm) -> None:
    other = farm.packed(1).code
    shop.scan(lot=other)
    shop.write()
    assert shop.signs() == {"never_issued": 1}


def test_what_is_no_number_of_ours_is_a_slip(shop: Shop) -> None:
    shop.scan(serial="ABC")
    shop.scan(serial="O" * 9)
    shop.scan(lot="ZZZZZZ")
    shop.scan(lot=shop.farm.noodles(1).code)
    shop.write()
    assert shop.all(ScanCase) == shop.all(Scan) == []


def test_a_label_that_is_on_no_pack_yet_should_not_be_scanned(shop: Shop) -> None:
    shop.scan(serial=shop.serials[-1])
    shop.write()
    assert shop.signs(shop.serials[-1]) == {"not_activated": 1}


def test_spoiled_labels_recalled_and_withdrawn_lots_are_noticed(shop: Shop) -> None:
    spoiled = shop.serials[1]
    shop.farm.do(labelling_account.spoil, labelling_account.Told(shop.lot, (spoiled,)))
    shop.scan(serial=spoiled)
    shop.scan()
    shop.write()
    assert (shop.signs(spoiled), shop.signs()) == ({"not_activated": 1}, {})
    with shop.farm.records.transaction() as session:
        session.get_one(Lot, shop.lot).recalled_at = NOW
    shop.scan(at=NOW + 1000)
    shop.write()
    assert shop.signs() == {"after_end": 1}


def test_too_many_phones_are_noticed(shop: Shop) -> None:
    for number in range(signs.CROWD * learning.PHONES_AT_FIRST):
        shop.scan(f"198.51.100.{number}")
    shop.write()
    assert shop.signs() == {}
    shop.scan("198.51.100.200")
    shop.write()
    assert shop.signs() == {"many_phones": 1}


def test_the_likeliest_copy_stands_first_on_the_list(shop: Shop) -> None:
    for number in range(signs.CROWD * learning.PHONES_AT_FIRST + 1):
        shop.scan(f"198.51.100.{number}", at=NOW + 50, serial=shop.serials[1])
    shop.scan(serial="ABCDEFGHJ")
    shop.write()
    with shop.farm.records.session() as session:
        listed = [one.case.serial for one in cases.to_look_into(session, select(ScanCase))]
    assert listed == ["ABCDEFGHJ", shop.serials[1]]


def teach(shop: Shop, packs: int = 40, phones: int = 2) -> None:
    """Families scan packs at home; the next day the product has learnt from them."""
    for serial in shop.serials[10 : 10 + packs]:
        for number in range(phones):
            shop.scan(f"198.51.100.{number}", serial=serial)
    shop.write()
    shop.write(NOW + DAY)


def test_a_product_learns_from_its_packs_how_many_phones_and_where(shop: Shop) -> None:
    assert shop.all(ScanUsual) == []
    teach(shop)
    (taught,) = shop.all(ScanUsual)
    assert (taught.packs, taught.phones, taught.provinces) == (40, 4, ["tỉnh Lai Châu"])
    for number in range(3):
        shop.scan(f"192.0.2.{number}", at=NOW + DAY)
    shop.write(NOW + DAY)
    assert shop.signs() == {"outside": 1}  # the third phone is more than a family has


def test_what_the_clerk_has_called_copied_teaches_nothing(shop: Shop) -> None:
    for serial in shop.serials[:6]:
        for number in range(signs.CROWD * learning.PHONES_AT_FIRST + 1):
            shop.scan(f"203.0.113.{number}", serial=serial)
    shop.write()
    with shop.farm.records.transaction() as session:
        for line in cases.with_reasons(session, session.scalars(select(ScanCase))):
            cases.note(session, line, usual.COPIED, "", NOW)
    teach(shop)
    (taught,) = shop.all(ScanUsual)
    assert (taught.packs, taught.phones, taught.provinces) == (40, 4, ["tỉnh Lai Châu"])


def test_a_province_that_the_clerk_has_explained_is_not_outside_any_more(shop: Shop) -> None:
    teach(shop)
    for number in range(3):
        shop.scan(f"192.0.2.{number}", at=NOW + DAY)
    shop.write(NOW + DAY)
    with shop.farm.records.transaction() as session:
        (line,) = cases.with_reasons(session, session.scalars(select(ScanCase)))
        cases.note(session, line, usual.EXPLAINED, "hội chợ", NOW + DAY)
    for number in range(3):
        shop.scan(f"192.0.2.{number}", at=NOW + DAY, serial=shop.serials[1])
    shop.write(NOW + DAY)
    assert shop.signs(shop.serials[1]) == {}


def test_a_full_memory_and_a_full_disk_lose_scans_by_count(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorders, "MOST_WAITING", 5)
    for serial in shop.serials[:8]:
        shop.scan(serial=serial)
    assert (shop.recorder.waiting, shop.recorder.lost) == (5, 3)
    shop.scan()  # a reload of one that waits is not lost
    assert shop.recorder.lost == 3
    shop.write()
    assert len(shop.all(Scan)) == 5


def test_what_cannot_be_written_waits(shop: Shop, tmp_path: Path) -> None:
    shop.scan()
    shop.write()
    shop.scan(HA_NOI)
    shop.farm.records.watchman.note(shop.farm.records.name, Trouble.DAMAGED)
    with pytest.raises(StorageError):
        shop.write()
    assert (shop.recorder.waiting, shop.recorder.lost) == (1, 0)


def test_the_table_of_networks_is_read_again_when_it_changes(shop: Shop, tmp_path: Path) -> None:
    shop.scan()
    shop.write()
    (tmp_path / "networks.csv").write_text("nonsense\n", "utf-8")
    shop.scan(serial=shop.serials[1])
    shop.write()
    assert "line 1" in shop.recorder.networks_trouble
    (tmp_path / "networks.csv").write_text("198.51.100.0/24,tỉnh Lào Cai\n", "utf-8")
    shop.scan(serial=shop.serials[2])
    shop.write()
    assert shop.recorder.networks_trouble == ""
    found = {one.serial: one.province for one in shop.all(Scan)}
    assert [found[serial] for serial in shop.serials[:3]] == [
        *("tỉnh Lai Châu", "tỉnh Lai Châu", "tỉnh Lào Cai")
    ]


def test_two_servers_write_the_same_list(shop: Shop, farm: Farm, tmp_path: Path) -> None:
    other = Shop(
        farm, shop.lot, shop.serials, Recorder(farm.records, tmp_path / "networks.csv", 30)
    )
    shop.scan(LAI_CHAU)
    other.scan(HA_NOI, NOW + 10, agent="Safari")
    shop.write()
    other.write()
    assert shop.signs() == {"travel": 1}
    assert len(shop.all(ScanSalt)) == 1
    assert [one.times for one in shop.all(ScanSerial)] == [2]


# --- pages ------------------------------------------------------------------------------------


def test_the_clerk_reads_why_and_notes_what_came_of_it(shop: Shop, site: Site) -> None:
    shop.scan(LAI_CHAU)
    shop.scan(HA_NOI, NOW + 40)
    shop.write()
    page = site.clerk.get("/records/scans").text
    assert shop.serials[0] in page
    assert "Quét ở tỉnh Lai Châu, chỉ 40 giây sau lại quét ở thành phố Hà Nội." in page
    (case,) = shop.all(ScanCase)
    address = f"/records/scans/{case.id}"
    assert site.send(address, outcome="copied", note="gói giả ở chợ").status_code == 303
    page = site.clerk.get("/records/scans").text
    assert "Không có số nào cần xem." in page
    assert "gói giả ở chợ" in page
    shop.scan(CA_MAU, _later(shop))
    shop.scan(LAI_CHAU, _later(shop) + 5)
    shop.write()
    page = site.clerk.get("/records/scans").text
    assert "đã ghi: Tem bị sao chép, nay lại quét" in page


def _later(shop: Shop) -> int:
    (case,) = shop.all(ScanCase)
    return max(case.noted_at or 0, NOW) + 100


def test_what_was_explained_stays_away(shop: Shop, site: Site) -> None:
    shop.scan(LAI_CHAU)
    shop.scan(HA_NOI, NOW + 40)
    shop.write()
    (case,) = shop.all(ScanCase)
    site.send(f"/records/scans/{case.id}", outcome="explained")
    shop.scan(CA_MAU, _later(shop))
    shop.scan(LAI_CHAU, _later(shop) + 5)
    shop.write()
    assert "Không có số nào cần xem." in site.clerk.get("/records/scans").text


def test_another_cooperatives_list_is_not_there(shop: Shop, site: Site) -> None:
    shop.scan(serial="ABCDEFGHJ")
    shop.write()
    with shop.farm.records.transaction() as session:
        (case,) = session.scalars(select(ScanCase))
        case.cooperative = "khac"
        key = case.id
    assert "ABCDEFGHJ" not in site.clerk.get("/records/scans").text
    assert site.clerk.get(f"/records/scans/{key}").status_code == 404
