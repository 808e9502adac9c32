"""Sheets from a table: any cooperative's CSV, with the bad cell named."""

from pathlib import Path

import pypdfium2
import pytest

from nongso.labels.csvsheet import make_sheet
from nongso.labels.errors import BadTable

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
