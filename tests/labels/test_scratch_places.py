"""A place for a scratch code: a frame with the code in it, and the code beside it is read."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest

from nongso.commands.__main__ import main
from nongso.labels import csvsheet, layout, layoutfile, svg
from nongso.labels.errors import BadLayout, BadTable, LabelRefused, NoRoomForScratch
from nongso.labels.layout import Box, Layout
from nongso.labels.operations import print_sheet
from nongso.labels.sheet import Label

URL = "HTTPS://TEM.EXAMPLE/T/K7M4PQ/23456789A"
LINES = "Miến dong Bình Lư\nGói 500 g · Lô K7M4PQ\nĐóng gói 20/12/2026\nHSD 20/12/2027"
PLACED = [layout.find(name) for name in layout.names() if layout.find(name).scratch]


def labels(count: int) -> list[Label]:
    """Labels with the widest of codes and the narrowest."""
    codes = ("WMWM-WMWM", "2222-JJJJ")
    return [Label(f"{URL}{n}", {"text": LINES}, scratch=codes[n % 2]) for n in range(count)]


def words(pdf: bytes, box: Box, placed: Layout) -> str:
    """What stands in a box of the first label."""
    place, scale = placed.first, 72 / 25.4
    left, top = (place.x_mm + box.x_mm) * scale, (place.y_mm + box.y_mm) * scale
    height = placed.page_height_mm * scale
    with closing(pypdfium2.PdfDocument(pdf)) as document:
        found = (
            document[0]
            .get_textpage()
            .get_text_bounded(
                left=left,
                top=height - top,
                right=left + box.width_mm * scale,
                bottom=height - top - box.height_mm * scale,
            )
        )
    return str(found)


@pytest.mark.parametrize("placed", PLACED, ids=lambda placed: placed.name)
def test_the_code_stands_in_its_frame_and_every_address_is_read(placed: Layout) -> None:
    assert placed.scratch is not None
    wanted = labels(placed.cells)
    sheet = print_sheet(wanted, placed)
    assert sheet.labels == placed.cells
    assert words(sheet.pdf, placed.scratch, placed) == "WMWM-WMWM", "whole within its frame"
    drawn = next(svg.pages(wanted, placed)).decode()
    assert drawn.count("stroke-dasharray") == placed.cells


def test_a_label_without_a_code_has_no_frame() -> None:
    placed = PLACED[0]
    bare = [replace(one, scratch="") for one in labels(2)]
    assert b"stroke-dasharray" not in next(svg.pages(bare, placed))
    assert words(print_sheet(bare, placed).pdf, placed.scratch, placed) == ""


def test_a_layout_without_a_place_takes_no_code() -> None:
    with pytest.raises(LabelRefused) as refused:
        print_sheet(labels(1), layout.find("a4-2x7"))
    assert isinstance(refused.value.cause, NoRoomForScratch)


def test_a_place_too_small_for_any_code_is_refused() -> None:
    placed = PLACED[0]
    for box in (Box(32.0, 23.4, 24.0, 8.0), Box(32.0, 23.4, 40.0, 5.0)):
        with pytest.raises(BadLayout) as refused:
            layout.read("mine", layoutfile.write(replace(placed, scratch=box)))
        assert (refused.value.reason, refused.value.places) == ("small_scratch", ("scratch",))
    least = replace(placed, scratch=Box(32.0, 23.4, *layout.LEAST_SCRATCH_MM))
    assert layout.read(least.name, layoutfile.write(least)) == least
    assert print_sheet(labels(2), least).pages == 1


def test_the_command_prints_codes_of_a_table(tmp_path: Path) -> None:
    table, out = tmp_path / "a.csv", tmp_path / "out.pdf"
    table.write_text(f"url,text,scratch\n{URL},Miến dong,K7M4-PQ2A\n")
    asked = ["labels", "sheet", "--csv", str(table), "-o", str(out), "--layout"]
    assert main([*asked, PLACED[0].name]) == 0
    assert words(out.read_bytes(), PLACED[0].scratch, PLACED[0]) == "K7M4-PQ2A"
    assert main([*asked, "a4-2x7"]) == 1, "this sheet has no such column"


def test_a_code_too_long_is_named_by_row_and_column(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text(f"url,text,scratch\n{URL},Miến dong,{'W' * 40}\n")
    with pytest.raises(BadTable) as refused:
        csvsheet.make(table, PLACED[0])
    assert (refused.value.row, refused.value.column) == (2, "scratch")
