"""Spreadsheets: what goes out comes back the same, and what is hostile is not opened."""

import contextlib
import datetime
import io
import tracemalloc
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.traceability.spreadsheets import guard as spreadsheets_guard
from nongso.platform.traceability.spreadsheets import tables as spreadsheets
from nongso.platform.traceability.spreadsheets.guard import BadFile
from nongso.platform.traceability.spreadsheets.tables import Formula, Table

LETTERS = st.characters(min_codepoint=32, max_codepoint=0x1EFF, exclude_categories=["C", "Z"])
WORDS = st.text(st.one_of(LETTERS, st.sampled_from("=+-@'\",; ")), max_size=12).map(
    lambda text: spreadsheets._clean(text, spreadsheets.WHOLE)
)


def xlsx(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(data: bytes, part: str, change) -> bytes:
    """The same bundle with one part changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == part else content)
    return out.getvalue()


def trimmed(rows: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    found = []
    for row in rows:
        cells = list(row)
        while cells and cells[-1] == "":
            cells.pop()
        found.append(tuple(cells))
    while found and not found[-1]:
        found.pop()
    return tuple(found)


@given(st.lists(st.lists(WORDS, min_size=2, max_size=4), min_size=1, max_size=4))
def test_a_workbook_comes_back_as_it_went_out(rows: list[list[str]]) -> None:
    rows = [["đầu", *row] for row in rows]
    table = Table("Nơi", tuple(tuple(row) for row in rows))
    (back,) = spreadsheets.read(spreadsheets.to_xlsx([table]))
    assert back.rows == trimmed(rows)


@given(st.lists(st.lists(WORDS, min_size=2, max_size=4), min_size=1, max_size=4))
def test_a_csv_comes_back_as_it_went_out(rows: list[list[str]]) -> None:
    rows = [["đầu", "hai", "ba", "bốn", "năm"], *(["mã", *row] for row in rows)]
    table = Table("", tuple(tuple(row) for row in rows))
    data = spreadsheets.to_csv(table)
    (back,) = spreadsheets.read(data)
    assert back.rows == trimmed(rows)


@pytest.mark.parametrize("text", ["=1+1", "+84 901", "-5", "@SUM(A1)", "'=1", "=cmd|'/c calc'!A0"])
def test_no_cell_that_goes_out_is_taken_for_a_formula(text: str) -> None:
    table = Table("Nơi", (("mã",), (text,)))
    sheet = openpyxl.load_workbook(io.BytesIO(spreadsheets.to_xlsx([table]))).active
    assert (sheet["A2"].data_type, sheet["A2"].value) == ("s", text)
    line = spreadsheets.to_csv(table).decode("utf-8-sig").splitlines()[1]
    assert line.strip('"')[0] not in "=+-@"


def test_a_cell_is_what_a_person_would_have_typed() -> None:
    data = xlsx([["mã", 1080, 2.5, 1.125, True, datetime.date(2026, 11, 22), "=1+1", None, 7.0]])
    (table,) = spreadsheets.read(data)
    assert table.rows[0] == (
        "mã",
        "1080",
        "2,5",
        "1,1250",
        "x",
        "2026-11-22",
        Formula("=1+1"),
        "",
        "7",
    )


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_is_read_as_any_program_here_writes_it(sign: str, encoding: str) -> None:
    text = f"Mã{sign}Tên\r\nH01{sign}Hộ 01 bản Tân Bình\r\n"
    (table,) = spreadsheets.read(text.encode(encoding))
    assert table.rows == (("Mã", "Tên"), ("H01", "Hộ 01 bản Tân Bình"))


def bomb() -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle,
        bundle.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(400):
            part.write(b"\x20" * 1_000_000)
    return out.getvalue()


def laughs(data: bytes) -> bytes:
    entities = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    head = b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a0 "ha">' + entities + b"]>"
    return head + data.partition(b"?>")[2]


def called(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The first sheet under a name of one's own: the bundle says which part is a sheet."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            told = old.read(part)
            if part == "xl/worksheets/sheet1.xml":
                new.writestr(name, change(told))
                continue
            for old_name in ("worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"):
                told = told.replace(b"/xl/" + old_name.encode(), b"/" + name.encode())
            new.writestr(part, told)
    return out.getvalue()


def utf_7(xml: bytes) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-7"?>' + xml.partition(b"?>")[2]


GOOD = xlsx([["Mã", "Tên"], ["H01", "Hộ 01"]])
SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bomb(), "bomb"),
        (repacked(GOOD, SHEET, laughs), "bomb"),
        (repacked(GOOD, "xl/workbook.xml", laughs), "bomb"),
        (repacked(GOOD, SHEET, lambda _: b"<a/>" * 1_000_000), "bomb"),
        (repacked(GOOD, SHEET, lambda xml: xml.decode().encode("utf-16")), "damaged"),
        (called(GOOD, "xl/worksheets/sheet1.png", laughs), "bomb"),
        (called(GOOD, "xl/sheet", lambda xml: b" \n" + laughs(xml)), "bomb"),
        (called(GOOD, "xl/sheet.bin", lambda xml: xml.decode().encode("utf-16-le")), "damaged"),
        (repacked(GOOD, SHEET, utf_7), "damaged"),
        (repacked(GOOD, SHEET, lambda xml: xml[:-30]), "damaged"),
        (GOOD[:-100], "damaged"),
        (b"PK\x03\x04 and nothing", "damaged"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "unknown"),
        (b"\x89PNG\r\n", "unknown"),
        (b'a,b\n"torn', "damaged"),
        (b"x" * (spreadsheets_guard.MOST_FILE_BYTES + 1), "large"),
    ],
    ids=[
        "zip",
        "laughs",
        "laughs2",
        "marks",
        "utf16",
        "laughs as a picture",
        "laughs without a name",
        "utf16 as a program",
        "utf7",
        "cut",
        "torn",
        "pk",
        "xls",
        "png",
        "csv",
        "large",
    ],
)
def test_a_hostile_or_torn_file_is_refused_in_little_memory(data: bytes, code: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadFile) as refused:
            spreadsheets.read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.code == code
    assert peak < 30_000_000


def test_a_sheet_that_claims_to_be_endless_is_read_as_far_as_it_goes() -> None:
    def claim(xml: bytes) -> bytes:
        return xml.replace(b'ref="A1:B2"', b'ref="A1:XFD1048576"')

    tracemalloc.start()
    (table,) = spreadsheets.read(repacked(GOOD, SHEET, claim))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert table.rows == (("Mã", "Tên"), ("H01", "Hộ 01"))
    assert peak < 20_000_000


def test_a_row_far_below_is_neither_waited_for_nor_read() -> None:
    far = repacked(GOOD, SHEET, lambda xml: xml.replace(b'r="2"', b'r="1048576"'))
    (table,) = spreadsheets.read(far)
    assert len(table.rows) <= spreadsheets.MOST_ROWS


@given(st.binary(max_size=300))
def test_whatever_bytes_come_they_are_a_table_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadFile):
        assert all(isinstance(table, Table) for table in spreadsheets.read(data))


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_wrong_byte_is_a_table_or_refused(at: int, byte: int) -> None:
    with contextlib.suppress(BadFile):
        assert spreadsheets.read(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
