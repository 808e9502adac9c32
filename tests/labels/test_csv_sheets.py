"""Sheets from a table: any cooperative's CSV, with the bad cell named."""

import dataclasses
from importlib.resources import files
from pathlib import Path

import pypdfium2
import pytest

from nongso.commands.__main__ import main
from nongso.labels import layout
from nongso.labels.csvsheet import make, make_sheet
from nongso.labels.errors import BadLayout, BadTable

GOOD = (
    "url,text\r\n"
    'https://lo.example/t/1,"Miến dong Bình Lư\r\nLô K7M4, 500 g"\r\n'
    "\r\n"
    "HTTPS://LO.EXAMPLE/T/2,Rau cải Tân Bình\r\n"
)


def sheet_of(tmp_path: Path, content: str | bytes, **more: int) -> Path:
    table, out = tmp_path / "labels.csv", tmp_path / "out.pdf"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    make_sheet(table, out, "a4-3x8", **more)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "out.pdf"]
    return out


def test_a_table_becomes_a_sheet(tmp_path: Path) -> None:
    out = sheet_of(tmp_path, GOOD, start_cell=5)
    document = pypdfium2.PdfDocument(out)
    text = document[0].get_textpage().get_text_bounded()
    document.close()
    for words in ("Miến dong Bình Lư", "Lô K7M4, 500 g", "Rau cải Tân Bình"):
        assert words in text


def test_what_vietnamese_spreadsheets_save_is_read(tmp_path: Path) -> None:
    sheet_of(tmp_path, "\ufeffURL;Text\nhttps://lo.example/1;Gói 0,5 kg\n")
    sheet_of(tmp_path, "url\nhttps://lo.example/1\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column url|no row"),
        ("url,text\n", "no row below"),
        ("text\nMiến\n", "row 1: the heading has no column url"),
        ("url,price\nhttps://a.vn,1\n", "row 1: unknown column 'price'; a4-3x8 has url, text"),
        ("url,url\nhttps://a.vn,1\n", "row 1, column url: the column stands twice"),
        ("url,text\nhttps://a.vn,a\n,b\n", "row 3, column url: the address is empty"),
        ("url,text\nmiến dong,a\n", "row 2, column url: 'miến dong' is no web address"),
        ("url,text\nhttps://a.vn/miến,a\n", "row 2, column url: a code cannot hold 'ế'"),
        ("url,text\nhttps://[a/,a\n", "row 2, column url: .*no web address"),
        ("url\nhttps://a.vn\n\nhttps://a.vn\n", "row 4, column url: the same address as in row 2"),
        ("url,text\nhttps://a.vn,a,b\n", "row 2: 3 cells for 2 columns"),
        ('url,text\n"x\ny",a\nhttps://a.vn,a\n', "row 2, column url"),
        ('url,text\nhttps://a.vn,"' + "a\n" * 2000, "row 2, column text: .*quotation mark"),
        ("url,text\nhttps://a.vn,a\nhttps://a.vn/2,麺\n", "row 3, column text: .*U\\+9EBA"),
        ("url,text\nhttps://a.vn," + "M" * 80 + "\n", "row 2, column text: .*does not fit"),
        ("url,text\nhttps://a.vn/" + "a" * 300 + ",a\n", "row 2, column url: .*0.396 mm"),
        ("url,text\nhttps://a.vn/" + "a" * 3000 + ",a\n", "row 2, column url: "),
        ("url,text\nhttps://a.vn,miến\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_bad_cell_is_named_and_no_file_is_written(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(BadTable, match=f"(?s)^.*({message})"):
        sheet_of(tmp_path, content)
    assert not (tmp_path / "out.pdf").exists()


def test_an_old_sheet_stays_when_the_new_table_is_bad(tmp_path: Path) -> None:
    before = sheet_of(tmp_path, GOOD).read_bytes()
    with pytest.raises(BadTable):
        sheet_of(tmp_path, "url\nx\n")
    assert (tmp_path / "out.pdf").read_bytes() == before


GOODS = (
    "url,kind,name,maker,origin,quantity,made,expiry,ingredients,use,storage,warning,lot\n"
    "{url},{kind},Miến dong,{maker},Lai Châu,500 g,{made},21-11-2027,bột dong,nấu 3 phút,"
    "nơi khô,không có,K7M4\n"
)


def goods(kind: str = "", maker: str = "HTX, xã Bình Lư", made: str = "21-11-2026") -> str:
    return GOODS.format(url="HTTPS://A.VN/1", kind=kind, maker=f'"{maker}"', made=made)


@pytest.mark.parametrize("name", ["a4-2x4-goods", "roll-70x50-goods"])
def test_a_goods_label_says_what_the_law_asks_for(tmp_path: Path, name: str) -> None:
    table = tmp_path / "goods.csv"
    table.write_text(goods("food"))
    made = make(table, layout.find(name))
    document = pypdfium2.PdfDocument(made.sheet.pdf)
    text = document[0].get_textpage().get_text_bounded()
    document.close()
    for words in ("NSX: 21-11-2026", "Thành phần: bột dong", "HTX, xã Bình Lư", "Lô: K7M4"):
        assert words in text.replace("\r\n", " ")
    table.write_text(goods("other", made=""))  # only food has a day of making
    assert "NSX" not in make(table, layout.find(name)).labels[0].texts["goods"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (goods(maker=" "), "row 2, column maker: is empty, and a label for food must say it"),
        (goods("other", maker=""), "row 2, column maker: is empty, and a label for other"),
        (goods("wood"), "row 2, column kind: no kind of goods 'wood'; known: food, other"),
        (goods(made="2026-11-21"), "row 2, column made: dates on labels have the day first"),
    ],
)
def test_a_goods_label_without_what_the_law_asks_for_is_not_printed(
    tmp_path: Path, content: str, message: str
) -> None:
    table = tmp_path / "goods.csv"
    table.write_text(content)
    with pytest.raises(BadTable, match=message):
        make(table, layout.find("a4-2x4-goods"))


def test_a_goods_label_with_letters_too_small_for_the_law_is_no_layout(tmp_path: Path) -> None:
    plain = layout.find("a4-2x4-goods")
    small = tuple(dataclasses.replace(block, smallest_pt=5.0) for block in plain.blocks)
    table = tmp_path / "goods.csv"
    table.write_text(goods())
    with pytest.raises(
        BadLayout, match=r"may shrink to 0\.93 mm, and a goods label needs 1\.2 mm"
    ):
        make(table, dataclasses.replace(plain, blocks=small))
    with pytest.raises(BadLayout, match="has no place for name, maker, origin"):
        make(table, dataclasses.replace(plain, blocks=plain.blocks[1:]))


def test_a_layout_of_ones_own_is_a_file(tmp_path: Path) -> None:
    own, table, out = tmp_path / "mine.toml", tmp_path / "t.csv", tmp_path / "out.png"
    toml = (files("nongso.labels") / "layouts" / "roll-50x30.toml").read_text()
    own.write_text(toml.replace("height_mm = 30.0", "height_mm = 32.0"))
    table.write_text("url,text\nHTTPS://A.VN/1,a\nHTTPS://A.VN/2,b\n")
    assert (
        main(["labels", "sheet", "--csv", str(table), "--layout", str(own), "-o", str(out)]) == 0
    )
    assert {path.name for path in tmp_path.glob("*.png")} == {"out-1.png", "out-2.png"}
    own.write_text("title = 3")
    with pytest.raises(BadLayout, match="mine: "):
        layout.load(str(own))


def test_text_of_a_block_with_a_name_of_its_own_comes_from_its_column(tmp_path: Path) -> None:
    table = tmp_path / "shelf.csv"
    table.write_text("url;name;price;text\nHTTPS://A.VN/1;Miến dong;60.000 đ;gói 500 g\n")
    made = make(table, layout.find("roll-80x40-shelf"))
    assert made.labels[0].texts == {"name": "Miến dong", "price": "60.000 đ", "text": "gói 500 g"}
    table.write_text("url,name,price\nHTTPS://A.VN/1,a," + "9" * 60 + "\n")
    with pytest.raises(BadTable, match=r"row 2, column price: .*does not fit"):
        make(table, layout.find("roll-80x40-shelf"))
