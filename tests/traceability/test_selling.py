"""What a cooperative gives to those who sell: a product's file, and a market's own table."""

import csv
import io
import re
import zipfile

import openpyxl
import pytest
from alembic import command
from cooperative import BASE, COOP, TODAY, Farm, new_id
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from platform_site import Site
from sqlalchemy import inspect, select
from test_clerk import said
from test_registry import GPS, PDF, noodles, only, picture

from nongso.platform import migrations
from nongso.platform.traceability.records import Lot, Product
from nongso.platform.traceability.registry import certificate_files as certificates_files
from nongso.platform.traceability.registry.records import Certificate, CertificateSubject
from nongso.platform.traceability.selling import archive, facts, meanings, samples
from nongso.platform.traceability.selling.records import MarketSample
from nongso.platform.traceability.selling.samples import BadSample
from nongso.platform.traceability.spreadsheets import plan as spreadsheets_plan
from nongso.platform.traceability.spreadsheets.guard import BadFile

SAMPLE = (
    "Mẫu nhập sản phẩm, bản 3, không xóa dòng này\r\n"
    ' Tên sản phẩm *,Mã ngành 3,Giá bán (VNĐ),SKU,"Mô tả\r\n(bắt buộc)",'
    "Ảnh bìa,Ảnh 2,Khối lượng (kg)\r\n"
    "bắt buộc,bắt buộc,số,,,,,\r\n"
)
TITLES = [
    " Tên sản phẩm *",
    "Mã ngành 3",
    "Giá bán (VNĐ)",
    "SKU",
    "Mô tả\r\n(bắt buộc)",
    "Ảnh bìa",
]
TITLES += ["Ảnh 2", "Khối lượng (kg)"]


def change(farm: Farm, product: str, **values: object) -> None:
    with farm.records.transaction() as session:
        kept = session.get_one(Product, product)
        for name, value in values.items():
            setattr(kept, name, value)


def paper(farm: Farm, product: str, number: str, data: bytes = b"", **more: object) -> None:
    kept = certificates_files.keep(farm.settings.folder / "certificates", data) if data else None
    with farm.records.transaction() as session:
        made = Certificate(
            **{
                "id": new_id(), "cooperative": COOP, "kind": "ocop", "number": number,
                "issuer": "UBND tỉnh", "since": "2026-01-10", "until": "2029-01-10",
                "stars": 4, "passed": None, "note": "",
                "file": kept.name if kept else "", "file_type": kept.type if kept else "",
            }
            | more
        )  # fmt: skip
        made.subjects = [CertificateSubject(certificate_id=made.id, what="product", key=product)]
        session.add(made)


def bundle(site: Site, product: str) -> dict[str, bytes]:
    answer = site.clerk.get(f"/records/products/{product}/seller.zip")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.data)) as found:
        return {name: found.read(name) for name in found.namelist()}


def table(data: bytes, sign: str = ",") -> list[list[str]]:
    text = data.decode("utf-8")
    assert text.startswith("\ufeff"), "Excel needs the mark to read Vietnamese letters"
    return list(csv.reader(io.StringIO(text[1:], newline=""), delimiter=sign))


def bring(site: Site, data: bytes, name: str = "Postmart") -> str:
    sent = {**site.fields("/records/markets"), "name": name, "file": (io.BytesIO(data), "x")}
    answer = site.clerk.post("/records/markets", data=sent)
    assert answer.status_code == 303, said(answer)
    return answer.location


def refused(site: Site, data: bytes) -> str:
    sent = {**site.fields("/records/markets"), "name": "Sàn", "file": (io.BytesIO(data), "x")}
    answer = site.clerk.post("/records/markets", data=sent)
    assert answer.status_code == 422
    with site.farm.records.session() as session:
        assert session.scalars(select(MarketSample)).all() == []
    return answer.text


def workbook(*rows: list[object], title: str = "Mẫu", before: str = "") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    if before:
        sheet.title = before
        sheet.append(["Xin đọc trước khi điền"])
        sheet = book.create_sheet(title)
    sheet.title = title
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_file_of_a_product_holds_all_that_the_registry_knows(site: Site, farm: Farm) -> None:
    key = noodles(site)
    address = f"/records/products/{key}"
    typed = {"pack_sizes": "1000", "prices": "60.000; 1.000: 115000 đ", "brand": "Bình Lư"}
    typed |= {"about": "Miến tráng tay.", "about_en": "Canna noodles, made by hand."}
    sent = site.fields(address) | typed
    answer = site.clerk.post(address, data={**sent, "photo": (io.BytesIO(picture()), "a.jpg")})
    assert answer.status_code == 303, said(answer)
    assert only(site, Product).prices == {"500": 60_000, "1000": 115_000}
    assert site.fields(address)["prices"] == "500: 60000; 1000: 115000"
    paper(farm, key, "12/QĐ", PDF)
    paper(farm, key, "01/cũ", PDF + b"\n%%EOF", until="2026-02-01")
    paper(farm, key, "KN-1", PDF, kind="test_report", stars=None, passed=False)
    lot = farm.packed(20, product=key).code
    found = bundle(site, key)
    with Image.open(io.BytesIO(found["anh/san-pham.jpg"])) as shown:
        assert dict(shown.getexif().get_ifd(GPS)) == {}
    assert "Giới thiệu: Miến tráng tay." in found["san-pham.vi.txt"].decode()
    assert "Canna noodles" in found["product.en.txt"].decode()
    packs = table(found["goi-va-gia.csv"])
    assert [(row[1], row[4]) for row in packs[1:]] == [("500 g", "60000"), ("1 kg", "115000")]
    papers = table(found["giay-chung-nhan/danh-sach.csv"])
    assert [row[1] for row in papers[1:]] == ["12/QĐ"]
    assert found[f"giay-chung-nhan/{papers[1][6]}"] == PDF
    where = found["dia-chi.txt"].decode()
    assert f"/p/{key}" in where
    assert f"/log/proof/{lot}" in where
    told = found["README.txt"].decode()
    assert all(name.split("/")[0] in told for name in found if name != "README.txt")
    public = re.search(r"Ảnh sản phẩm: \S+?(/p/\S+)", where)
    assert site.stranger.get(public[1]).status_code == 200
    assert site.stranger.get(f"/p/{key}").status_code == 200


def test_what_is_missing_is_said_and_nothing_is_made_up(site: Site, farm: Farm) -> None:
    key = noodles(site)
    paper(farm, key, "12/QĐ", PDF)
    for file in (farm.settings.folder / "certificates").rglob("*.pdf"):
        file.unlink()
    found = bundle(site, key)
    assert set(found) == {
        "san-pham.vi.txt", "goi-va-gia.csv", "dia-chi.txt", "README.txt",
        "giay-chung-nhan/danh-sach.csv",
    }  # fmt: skip
    assert "OCOP 12/QĐ: tệp không còn trên máy chủ" in found["README.txt"].decode()
    assert "Chưa có lô nào đang bán" in found["dia-chi.txt"].decode()
    assert table(found["goi-va-gia.csv"])[1][4] == ""


def test_a_lot_that_is_not_sold_is_no_proof_of_anything(farm: Farm) -> None:
    key = farm.product()
    old, new = farm.packed(5, product=key).code, farm.packed(5, product=key).code
    with farm.records.transaction() as session:
        newest = facts.newest_lot(session, key)
        other = session.get_one(Lot, old if newest.code == new else new)
        newest.recalled_at = 1
        session.flush()
        assert facts.newest_lot(session, key).code == other.code
        other.demonstration = True
        session.flush()
        assert facts.newest_lot(session, key) is None


BAD_PRICES = {
    "250: 30.000": "không có cỡ gói 250",
    "500: 0": "Xin ghi cỡ gói",
    "500: 1; 500: 2": "Xin ghi cỡ gói",
    "sáu mươi nghìn": "Xin ghi cỡ gói",
    "500: 60,5": "Xin ghi cỡ gói",
    "500: 999999999999": "Xin ghi cỡ gói",
}


def test_a_price_that_is_none_is_refused(site: Site) -> None:
    address = f"/records/products/{noodles(site)}"
    for typed, sentence in BAD_PRICES.items():
        answer = site.send(address, prices=typed)
        assert answer.status_code == 422, typed
        assert sentence in answer.text
    assert only(site, Product).prices == {}


def test_prices_go_out_with_the_registry_and_come_back(site: Site, farm: Farm) -> None:
    key = noodles(site)
    change(farm, key, prices={"500": 60_000}, about="Miến tráng tay.")
    with farm.records.session() as session:
        tables = spreadsheets_plan.export(session, COOP)
        same = spreadsheets_plan.plan(session, COOP, tables, TODAY)
    assert (same.ok, same.count("changed"), same.count("new")) == (True, 0, 0)
    goods = next(one for one in tables if one.name == "Sản phẩm")
    assert "500: 60000" in goods.rows[1]


def test_a_table_has_exactly_the_columns_and_titles_of_the_sample(site: Site, farm: Farm) -> None:
    key = noodles(site)
    change(farm, key, pack_sizes=[1000], prices={"500": 60_000, "1000": 115_000}, about="Dai.")
    address = bring(site, SAMPLE.encode())
    page = site.clerk.get(address).text
    assert re.search(r'<b class="code">B</b> Mã ngành 3', page), "named: it stays empty"
    chosen = site.fields(address)
    assert (chosen["header"], chosen["first"]) == ("2", "3")
    kept = [chosen[f"column_{at}"] for at in range(8)]
    assert kept == ["name", "", "price", "sku", "description", "picture", "", "kilograms"]
    assert site.send(address, first="4").status_code == 303
    rows = table(site.clerk.get(f"{address}/table?product={key}").data)
    assert rows[0] == ["Mẫu nhập sản phẩm", " bản 3", " không xóa dòng này"]
    assert rows[1] == TITLES
    assert rows[2][0] == "bắt buộc"
    assert rows[3][:4] == ["Miến dong", "", "60000", key]
    assert rows[4][:4] == ["Miến dong", "", "115000", f"{key}-1000"]
    assert [row[7] for row in rows[3:]] == ["0.5", "1"]
    assert rows[3][4].startswith("Dai.\n")


def test_a_workbook_comes_back_as_a_workbook_and_calculates_nothing(
    site: Site, farm: Farm
) -> None:
    key = noodles(site)
    change(farm, key, name="=1+1", about='=HYPERLINK("x")')
    head = ["Product name", "Brand", "=A1", "Price"]
    address = bring(site, workbook(["v2"], head, title="Template", before="Hướng dẫn"))
    assert site.clerk.get(address).status_code == 200
    answer = site.clerk.get(f"{address}/table?product={key}")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).worksheets[0]
    assert sheet.title == "Template"
    assert [cell.value for cell in sheet[2]] == head
    assert sheet["A3"].value == "=1+1"
    assert {cell.data_type for row in sheet for cell in row} <= {"inlineStr", "s", "n"}
    assert all(cell.value is None for row in sheet for cell in row if cell.data_type == "n")
    as_text = bring(site, "Tên;Giá\r\n".encode(), "CSV")
    made = table(site.clerk.get(f"{as_text}/table?product={key}").data, ";")
    assert made == [["Tên", "Giá"], ["'=1+1", ""]]
    (listed,) = table(bundle(site, key)["goi-va-gia.csv"])[1:]
    assert listed[1] == "500 g"


def test_another_header_line_gives_new_proposals(site: Site) -> None:
    noodles(site)
    address = bring(site, b"name,price,brand\r\nTen,Gia,Xuat xu,Bao quan\r\n")
    chosen = site.fields(address)
    assert (chosen["header"], chosen["column_0"]) == ("2", "name")
    assert site.send(address, header="1", first="2").status_code == 303
    chosen = site.fields(address)
    assert [chosen[f"column_{at}"] for at in range(3)] == ["name", "price", "brand"]
    assert "column_3" not in chosen
    assert site.send(address, first="1").status_code == 422
    assert site.send(address, **{"column_1": "secret"}).status_code == 422
    assert site.send(address, **{"column_1": ""}).status_code == 303
    assert site.fields(address)["column_1"] == ""


def test_what_cannot_be_used_is_refused_with_a_sentence(site: Site) -> None:
    assert "Không thấy dòng tên cột" in refused(site, b"just one cell\r\n")
    assert "Không thấy dòng tên cột" in refused(site, b"")
    wide = ",".join(f"c{at}" for at in range(201)).encode()
    assert "nhiều hơn 200 cột" in refused(site, wide)
    assert "Có ô dài hơn 2.000 ký tự" in refused(site, b"Ten,Gia," + b"x" * 3000)
    long = "\r\n".join(",".join(["x" * 1900] * 4) for _row in range(10))
    assert "nhiều chữ quá" in refused(site, b"Ten,Gia\r\n" + long.encode())
    assert "Tệp hỏng" in refused(site, b"PK\x03\x04 no workbook")
    assert "Chỉ đọc được tệp" in refused(site, b"\xd0\xcf\x11\xe0 old")
    sent = {**site.fields("/records/markets"), "name": "Sàn"}
    assert "Xin chọn tệp" in site.clerk.post("/records/markets", data=sent).text


def test_a_sample_of_any_size_is_not_read() -> None:
    with pytest.raises(BadFile, match="large"):
        samples.read(b"Ten,Gia\r\n" * 300_000)


def test_a_sample_is_kept_under_one_name_and_goes_when_it_is_let_go(site: Site) -> None:
    address = bring(site, SAMPLE.encode())
    sent = {**site.fields("/records/markets"), "name": "Postmart"}
    again = site.clerk.post("/records/markets", data={**sent, "file": (io.BytesIO(b"a,b"), "x")})
    assert "Đã có mẫu mang tên này" in again.text
    assert site.clerk.get(f"{address}/table").location.endswith("?none=1")
    assert site.clerk.get(f"{address}/table?product={new_id()}").status_code == 303
    removed = site.clerk.post(f"{address}/remove", data=site.fields(address))
    assert removed.status_code == 303
    assert site.clerk.get(address).status_code == 404


def test_a_sample_of_another_cooperative_is_not_there(site: Site, farm: Farm) -> None:
    address = bring(site, SAMPLE.encode())
    with farm.records.transaction() as session:
        session.scalars(select(MarketSample)).one().cooperative = "khac"
    fields = site.fields("/records/markets")
    assert site.clerk.get(address).status_code == 404
    assert site.clerk.get(f"{address}/table").status_code == 404
    assert site.clerk.post(address, data=fields).status_code == 404
    assert site.clerk.post(f"{address}/remove", data=fields).status_code == 404
    assert "Chưa có mẫu của sàn nào" in site.clerk.get("/records/markets").text


@pytest.mark.parametrize(
    ("title", "meaning"),
    [
        ("*Tên sản phẩm (bắt buộc)", "name"),
        ("PRODUCT NAME", "name"),
        ("Tên thương hiệu", "brand"),
        ("Đơn giá", "price"),
        ("Giá trị dinh dưỡng", ""),
        ("Giá khuyến mãi", ""),
        ("Khối lượng (g)", "grams"),
        ("Package Weight (kg)", ""),
        ("Mô tả tiếng Anh", "about_en"),
        ("Ảnh bìa", "picture"),
        ("Link truy xuất nguồn gốc", "page"),
        ("Ngày sản xuất", ""),
        ("Nơi sản xuất", "origin"),
        ("Số sao OCOP", "stars"),
        ("", ""),
    ],
)
def test_a_title_is_understood_in_both_languages(title: str, meaning: str) -> None:
    assert meanings.propose([title]) == [meaning]


def test_every_meaning_has_its_text_and_its_words(farm: Farm) -> None:
    key = farm.product()
    with farm.records.session() as session:
        (line,) = facts.of_packs(session, BASE, session.get_one(Product, key), TODAY)
    assert set(line) == set(meanings.MEANINGS)


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_no_file_breaks_the_reading_of_samples(data: bytes) -> None:
    try:
        found = samples.read(data)
    except (BadSample, BadFile):
        return
    assert 1 <= found.header <= len(found.rows) <= samples.MOST_LINES
    assert len(meanings.propose(found.rows[found.header - 1])) >= samples.FEWEST_TITLES


def test_samples_and_prices_go_and_products_stay(site: Site, farm: Farm) -> None:
    key = noodles(site)
    change(farm, key, prices={"500": 60_000})
    bring(site, SAMPLE.encode())
    with farm.records.engine.begin() as connection:
        command.downgrade(migrations._config(connection), "selling_1-1")
        assert "market_sample" not in inspect(connection).get_table_names()
        assert "prices" not in {one["name"] for one in inspect(connection).get_columns("product")}
    migrations.upgrade(farm.settings)
    with farm.records.session() as session:
        kept = session.get_one(Product, key)
        assert (kept.name, kept.prices, kept.about) == ("Miến dong", {}, "")


def test_names_of_files_are_plain() -> None:
    assert archive.slug("Miến dong Bình Lư / 500 g") == "mien-dong-binh-lu-500-g"
    assert archive.slug("…") == "san-pham"
