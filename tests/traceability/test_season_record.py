"""The record of a season holds what an inspector asks for, read from what was recorded."""

import csv
import io

import pypdfium2 as pdfium
import pytest
from cooperative import Farm, days_ago
from platform_site import Site
from season_farm import grow, write

from nongso.platform.diary.entries import Entry
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.spreadsheets import tables as spreadsheets


@pytest.fixture
def planting(farm: Farm, site: Site) -> Lot:
    write(
        farm,
        Entry("planted", days_ago(29).isoformat(), crop="Rau cải", product="Giống cải, 2 gói"),
    )
    write(farm, Entry("watered", days_ago(6).isoformat(), amount=120.0, unit="l"))
    write(farm, Entry("problem", days_ago(13).isoformat(), note="Rệp mặt dưới lá"))
    write(farm, Entry("sprayed", days_ago(60).isoformat(), product="Của vụ trước"))
    return grow(farm)[0]


def said(site: Site, planting: Lot, ending: str) -> str:
    answer = site.clerk.get(f"/records/plantings/{planting.code}/season.{ending}")
    assert answer.status_code == 200
    if ending == "csv":
        return answer.data.decode("utf-8-sig")
    document = pdfium.PdfDocument(answer.data)
    found = "\n".join(page.get_textpage().get_text_bounded() for page in document)
    document.close()
    return " ".join(found.split())


def test_the_paper_holds_place_seed_inputs_intervals_water_harvest_and_yield(
    site: Site, planting: Lot
) -> None:
    paper = said(site, planting, "pdf")
    for told in (
        "Hồ sơ vụ: Rau cải, Nhà màng Tân Bình 1",
        "Giống cải, 2 gói",
        "Phân trùn quế",
        "Azadirachtin",
        "NGUOI-PHUN",
        "Tủ điều khiển tưới 4 lần trong 4 ngày, đo được 182 lít.",
        "1 lần tưới không đo được nước.",
        "Tưới tay 1 lần, 120 lít theo lời người trồng.",
        "Rệp mặt dưới lá",
        "Tổng cộng 46,5 kg.",
        "7 ngày thiếu số đo của cảm biến.",
        "Đọc nhầm",
        "Chưa có kết quả nào.",
        "Người trồng ký, ghi rõ họ tên",
    ):
        assert told in paper, told
    assert "Của vụ trước" not in paper


def test_a_spraying_stands_with_the_day_until_which_it_held_back(
    site: Site, planting: Lot
) -> None:
    rows = list(csv.reader(io.StringIO(said(site, planting, "csv"))))
    (row,) = [row for row in rows if len(row) == 9 and row[1] == "Dầu neem"]
    sprayed, until = days_ago(14), days_ago(4)
    assert row[0] == f"{sprayed:%d/%m/%Y}"
    assert row[5:7] == ["10", f"{until:%d/%m/%Y}"]
    assert row[7] == "NGUOI-PHUN"


def test_the_workbook_has_a_sheet_for_each_part_and_calculates_nothing(
    site: Site, farm: Farm, planting: Lot
) -> None:
    write(farm, Entry("problem", days_ago(12).isoformat(), note="=1+1"))
    answer = site.clerk.get(f"/records/plantings/{planting.code}/season.xlsx")
    assert answer.content_type == spreadsheets.XLSX
    tables = {table.name: table.rows for table in spreadsheets.read(answer.data)}
    assert list(tables) == [
        "Nơi trồng và giống",
        "Phân bón",
        "Thuốc bảo vệ thực vật",
        "Nước tưới",
        "Việc khác và sâu bệnh",
        "Thu hoạch",
        "Kiểm nghiệm",
        "Dòng đã sửa",
    ]
    (sprayed,) = [row for row in tables["Thuốc bảo vệ thực vật"] if "Dầu neem" in row]
    assert sprayed[5] == "10"
    assert any("=1+1" in row for row in tables["Việc khác và sâu bệnh"])


def test_only_the_cooperative_reads_it(site: Site, planting: Lot) -> None:
    path = f"/records/plantings/{planting.code}/season.pdf"
    assert site.stranger.get(path).status_code in (303, 401, 403)
    assert site.clerk.get("/records/plantings/ZZZZZZ/season.pdf").status_code == 404


def test_a_lot_that_is_no_planting_has_no_season(site: Site, farm: Farm) -> None:
    lot = farm.roots(100)
    assert site.clerk.get(f"/records/plantings/{lot.code}/season.pdf").status_code == 404
