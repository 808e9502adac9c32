"""A plot on the hill has a diary like a greenhouse, and its sprayings hold its roots back."""

import io
import re
import uuid
from zipfile import ZipFile

import pypdfium2 as pdfium
import pytest
from cooperative import COOP, NOW, Farm, days_ago, new_id
from platform_site import Site
from selling import cartons, holder, ship

from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.traceability.errors import HeldBack, PlaceUnknown, WhichPlot
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.recall.reach import Origin
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.seasons import field_events
from nongso.platform.traceability.seasons.withholding import withholding
from nongso.platform.traceability.shopper import story

TODAY = days_ago(0)


@pytest.fixture
def household(farm: Farm) -> str:
    return farm.producer("H01")


@pytest.fixture
def plot(farm: Farm, household: str) -> str:
    return keep_plot(farm, household, "T001")


def keep_plot(farm: Farm, household: str, code: str) -> str:
    found = Plot(
        id=new_id(),
        cooperative=COOP,
        producer_id=household,
        code=code,
        name="Nương sau bản",
        crop="dong riềng",
        area="3 sào",
        area_m2=1080,
        growing_area_code="VN-01",
        since=days_ago(300).isoformat(),
    )
    with farm.records.transaction() as session:
        session.add(found)
    return found.id


def write(farm: Farm, plot: str, entry: Entry) -> str:
    id_ = new_id()
    with farm.records.transaction() as session:
        diary.write(session, id_, f"plot:{plot}", COOP, "farmer", entry, NOW)
        field_events.bring_up(session, farm.settings.label_url, f"plot:{plot}", NOW)
    return id_


def spray(farm: Farm, plot: str, ago: int, interval: int) -> str:
    day = days_ago(ago).isoformat()
    return write(farm, plot, Entry("sprayed", day, product="Dầu neem", interval_days=interval))


def lift(farm: Farm, household: str, plot: str, ago: int = 2, kg: float = 400) -> Lot:
    wish = ops.Intake(household, round(kg * 1000), days_ago(ago), days_ago(ago - 1), plot=plot)
    return farm.do(ops.take_in, wish)


def test_roots_of_a_sprayed_plot_are_not_weighed_in_before_the_interval_is_over(
    farm: Farm, household: str, plot: str
) -> None:
    spray(farm, plot, 6, 5)
    with pytest.raises(HeldBack) as refused:
        lift(farm, household, plot, ago=2)
    assert (refused.value.deed, refused.value.field) == ("weigh", "lifted")
    other = keep_plot(farm, household, "T002")
    assert lift(farm, household, other, ago=2).made_grams == 400_000
    assert withholding_of(farm, lift(farm, household, plot, ago=0)) == []


def withholding_of(farm: Farm, lot: Lot) -> list[str]:
    with farm.records.session() as session:
        return [one.product for one in withholding(session, lot.code, TODAY)]


def test_a_weigh_in_without_a_plot_is_asked_which_where_one_is_held_back(
    farm: Farm, household: str, plot: str
) -> None:
    keep_plot(farm, household, "T002")
    assert lift(farm, household, "").place_id == f"hill-{household}"
    spray(farm, plot, 6, 30)
    with pytest.raises(WhichPlot):
        lift(farm, household, "")


def test_a_plot_of_another_household_is_not_taken(farm: Farm, plot: str) -> None:
    with pytest.raises(PlaceUnknown):
        lift(farm, farm.producer("H02"), plot)


def test_a_spraying_told_late_holds_the_noodles_made_of_the_plot(
    farm: Farm, household: str, plot: str
) -> None:
    roots = lift(farm, household, plot, ago=12)
    noodles = farm.batch("noodles", 50, farm.batch("starch", 50, roots), day=3)
    assert withholding_of(farm, noodles) == []
    spray(farm, plot, 14, 7)
    assert withholding_of(farm, noodles) == ["Dầu neem"]


def test_packs_of_a_spraying_told_late_go_nowhere_not_in_cartons_either(
    farm: Farm, site: Site, household: str, plot: str
) -> None:
    roots = lift(farm, household, plot, ago=12)
    noodles = farm.batch("noodles", 50, farm.batch("starch", 50, roots), day=3)
    takes = (ops.Take(noodles.code, 50_000),)
    packs = farm.do(
        ops.pack, ops.Packing(farm.product(), takes, 100, 500, TODAY, days_ago(-300))
    ).code
    (box,) = cartons(farm, packs, 10)
    spray(farm, plot, 14, 7)
    with pytest.raises(HeldBack):
        cartons(farm, packs, 10)
    with pytest.raises(HeldBack):
        ship(farm, holder(farm), cartons=(box,))
    with pytest.raises(HeldBack):
        farm.do(moving.sell, moving.Sale((moving.Amount(packs, 1),), TODAY))
    page = site.clerk.get(f"/records/lots/{packs}").text
    assert "Không đóng gói, in tem hay gửi đi" in page


def test_the_season_before_holds_nothing_back(farm: Farm, household: str, plot: str) -> None:
    spray(farm, plot, 40, 365)
    write(farm, plot, Entry("planted", days_ago(30).isoformat(), crop="Dong riềng"))
    assert withholding_of(farm, lift(farm, household, plot)) == []


def test_lines_of_a_plot_are_events_of_what_was_lifted_from_it(
    farm: Farm, household: str, plot: str
) -> None:
    fed = Entry("fertilised", days_ago(60).isoformat(), product="Phân chuồng")
    write(farm, plot, fed)
    roots = lift(farm, household, plot, ago=12)
    write(farm, plot, Entry("fertilised", days_ago(5).isoformat(), product="Cho vụ sau"))
    with farm.records.session() as session:
        told = [e.body["nongso:inputName"] for e in field_events.of_lots(session, [roots.code])]
    assert told == ["Phân chuồng"]
    noodles = farm.batch("noodles", 50, farm.batch("starch", 50, roots), day=3)
    packing = ops.Packing(
        farm.product(), (ops.Take(noodles.code, 50_000),), 100, 500, TODAY, days_ago(-300)
    )
    packs = farm.do(ops.pack, packing)
    with farm.records.session() as session:
        found = story.tell(session, session.get_one(Lot, packs.code))
        assert found is not None
        assert [one.name for one in found.steps if one.what == "fertilised"] == ["Phân chuồng"]


def test_a_recall_from_a_spraying_on_a_plot_hits_what_was_lifted_after_it(
    farm: Farm, household: str, plot: str
) -> None:
    lift(farm, household, plot, ago=20)
    line = spray(farm, plot, 15, 0)
    after = lift(farm, household, plot, ago=12)
    with farm.records.session() as session:
        found = recall_reach.hit(session, COOP, Origin("spray", line), farm.settings.label_url)
    assert [one.code for one in found.lots] == [after.code]


def test_a_plots_diary_is_written_in_two_taps_and_corrected(
    site: Site, farm: Farm, plot: str
) -> None:
    book = f"/plots/{plot}/diary"
    assert f'href="{book}"' in site.clerk.get("/plots").text
    assert f'href="{book}/new?kind=sprayed"' in site.clerk.get(book).text
    fields = site.fields(f"{book}/new?kind=fertilised")
    sent = {**fields, "product": "Phân chuồng", "amount": "300", "unit": "kg"}
    written = site.clerk.post(book, data=sent, follow_redirects=True).text
    assert "Đã ghi." in written
    assert "Phân chuồng" in written
    (address,) = set(re.findall(rf'href="({book}/[0-9a-f-]+/correct)"', written))
    again = {**site.fields(address), "amount": "30", "unit": "kg", "reason": "Gõ thừa số 0"}
    assert "Gõ thừa số 0" in site.clerk.post(address, data=again, follow_redirects=True).text
    with farm.records.session() as session:
        (line,) = diary.lines(session, f"plot:{plot}")
        assert line.entry.amount == 30
    assert site.clerk.get(f"/plots/{uuid.uuid4()}/diary").status_code == 404


def test_the_weigh_in_form_takes_the_plot_and_its_diary_shows_the_weight(
    site: Site, household: str, plot: str
) -> None:
    day = days_ago(0).isoformat()
    lot = site.made(
        "/records/intake", producer=household, output="420", lifted=day, day=day, plot=plot
    )
    assert site.farm.lot(lot).place_id == f"plot-{plot}"
    assert f"lô {lot}" in site.clerk.get(f"/plots/{plot}/diary").text


def test_the_season_of_a_plot_is_a_paper_and_a_workbook(
    site: Site, farm: Farm, household: str, plot: str
) -> None:
    write(farm, plot, Entry("planted", days_ago(200).isoformat(), crop="Dong riềng"))
    spray(farm, plot, 60, 14)
    roots = lift(farm, household, plot)
    answer = site.clerk.get(f"/records/plots/{plot}/season.pdf")
    document = pdfium.PdfDocument(answer.data)
    paper = " ".join(one.get_textpage().get_text_bounded() for one in document)
    document.close()
    for told in ("Nương sau bản (T001)", "VN-01", "1.080 m²", "Dầu neem", roots.code, "400 kg"):
        assert told in " ".join(paper.split()), told
    book = site.clerk.get(f"/records/plots/{plot}/season.xlsx")
    with ZipFile(io.BytesIO(book.data)) as packed:
        assert len([name for name in packed.namelist() if "worksheets/sheet" in name]) == 8
    assert "Dầu neem" in site.clerk.get(f"/records/plots/{plot}/season.csv").text
