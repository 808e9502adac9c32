"""What a cooperative's printer does to paper is measured, kept, and set right."""

import json
from pathlib import Path

import pytest

from nongso.commands.__main__ import main
from nongso.labels import calibration, check, layout, printers
from nongso.labels.errors import BadLayout, BadPrinter
from nongso.labels.operations import print_sheet
from nongso.labels.printers import Printer
from nongso.labels.raster import pictures
from nongso.labels.sheet import Label

A4 = layout.find("a4-3x8")
MEASURED = (21.0, 19.5, 190.3, 278.4)  # crosses meant at 20, 20 and 190, 277


def test_what_was_measured_gives_offset_and_scale() -> None:
    a, b = calibration.crosses(A4)
    assert (a.x_mm, a.y_mm, b.x_mm, b.y_mm) == (20, 20, 190, 277)
    found = printers.measured(Printer(), (a, b), MEASURED)
    for meant, came_out in zip((a, b), (MEASURED[:2], MEASURED[2:]), strict=True):
        assert found.scale_x * meant.x_mm + found.offset_x_mm == pytest.approx(
            came_out[0], abs=0.01
        )
        assert found.scale_y * meant.y_mm + found.offset_y_mm == pytest.approx(
            came_out[1], abs=0.01
        )


def test_a_corrected_sheet_comes_out_of_that_printer_where_the_labels_are() -> None:
    """The printer shifts and stretches; what it makes of each cell's corner is the layout's."""
    found = printers.measured(Printer(), calibration.crosses(A4), MEASURED)
    moved = found.corrected(A4)
    for number in range(1, A4.cells + 1):
        meant, sent = A4.cell(number), moved.cell(number)
        assert found.scale_x * sent.x_mm + found.offset_x_mm == pytest.approx(meant.x_mm, abs=0.01)
        assert found.scale_y * sent.y_mm + found.offset_y_mm == pytest.approx(meant.y_mm, abs=0.01)
        assert (sent.width_mm, sent.height_mm) == (meant.width_mm, meant.height_mm)
    asked = [Label(f"HTTPS://LO.EXAMPLE/T/{number}", {"text": "Đắk Lắk"}) for number in range(24)]
    assert print_sheet(asked, moved).pages == 1  # read back in the moved cells


def test_a_printer_that_would_push_labels_off_the_page_is_told() -> None:
    whole = layout.find("roll-50x30")
    with pytest.raises(BadLayout, match="would lie off the page; calibrate it again"):
        Printer(offset_x_mm=3.0).corrected(whole)
    assert Printer(offset_x_mm=0.5).corrected(whole).first.x_mm == -0.5


@pytest.mark.parametrize("name", ["a4-3x8", "roll-50x30", "receipt-58", "roll-100x150-carton"])
def test_the_crosses_stand_where_the_ruler_is_told(name: str) -> None:
    place = layout.find(name)
    sheet = calibration.sheet(place, Printer())
    (picture,) = pictures(sheet.pdf, place.dpi)
    for cross in calibration.crosses(place):
        column, row = (round(at / 25.4 * place.dpi) for at in (cross.x_mm, cross.y_mm))
        arm = round(2 / 25.4 * place.dpi)
        for x, y in (
            (column - arm, row),
            (column + arm, row),
            (column, row - arm),
            (column, row + arm),
        ):
            near = [
                picture.dots[(y + dy) * picture.stride + (x + dx) // 8] >> 7 - (x + dx) % 8 & 1
                for dx in (-1, 0, 1)
                for dy in (-1, 0, 1)
            ]
            assert any(near), (cross, x, y)


def test_printers_are_kept_by_name_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "printers.json"
    assert printers.read(file) == {}
    printers.keep(file, "kho", Printer("192.168.1.50", "tspl", 203, darkness=10, speed=3))
    printers.keep(file, "van-phong", Printer(offset_x_mm=-1.25, scale_y=0.998))
    assert printers.read(file)["kho"] == Printer("192.168.1.50", "tspl", 203, darkness=10, speed=3)
    assert printers.find(file, "van-phong").offset_x_mm == -1.25
    assert printers.find(file, "10.0.0.9:9101") == Printer(address="10.0.0.9:9101")
    assert [path.name for path in file.parent.iterdir()] == ["printers.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "printers": {}}',
        '{"version": 1, "printers": []}',
        '{"version": 1, "printers": {"kho": 3}}',
        '{"version": 1, "printers": {"kho": {"color": "red"}}}',
        '{"version": 1, "printers": {"kho": {"scale_x": "1"}}}',
        '{"version": 1, "printers": {"kho": {"scale_x": 3}}}',
        '{"version": 1, "printers": {"kho": {"scale_x": NaN}}}',
        '{"version": 1, "printers": {"kho": {"offset_x_mm": NaN}}}',
        '{"version": 1, "printers": {"kho": {"offset_y_mm": NaN}}}',
        '{"version": 1, "printers": {"kho": {"dpi": true}}}',
        '{"version": 1, "printers": {"kho": {"dpi": 5}}}',
        '{"version": 1, "printers": {"kho": {"format": "png"}}}',
        '{"version": 1, "printers": {"kho": {"address": "a b"}}}',
        '{"version": 1, "printers": {"kho": {"format": "tspl", "darkness": 16}}}',
        '{"version": 1, "printers": {"kho": {"speed": 0}}}',
        "\udcff",
    ],
)
def test_a_damaged_file_of_printers_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "printers.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BadPrinter, match=r"printers\.json"):
        printers.read(file)


def test_measures_that_no_printer_makes_are_asked_for_again() -> None:
    marks = calibration.crosses(A4)
    with pytest.raises(BadPrinter, match=r"is no printer's\. Measure the crosses from the left"):
        printers.measured(Printer(), marks, (20, 20, 100, 277))
    with pytest.raises(BadPrinter, match="measure again"):
        printers.measured(Printer(), marks, (60, 20, 230, 277))


def test_a_clerk_calibrates_a_printer_and_prints_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ["--printers", str(tmp_path / "printers.json")]
    marks = tmp_path / "marks.pdf"
    assert main(["labels", "calibrate", "--layout", "a4-3x8", "-o", str(marks)]) == 0
    said = capsys.readouterr().out
    assert "Cross A is meant 20 mm from the left edge" in said
    assert marks.read_bytes().startswith(b"%PDF")
    measured = ["21", "19,5", "190,3", "278.4"]
    words = ["labels", "calibrate", "--layout", "a4-3x8", "--printer", "van-phong", *kept]
    assert main([*words, "--measured", *measured]) == 0
    assert "van-phong: no address, any format, offset" in capsys.readouterr().out
    before = marks.read_bytes()
    assert main([*words, "-o", str(marks)]) == 0
    assert marks.read_bytes() == before  # measured is what the printer does by itself
    assert main([*words, "-o", str(marks), "--corrected"]) == 0
    assert marks.read_bytes() != before
    assert "The crosses should stand 20 and 20 mm, and 190 and 277 mm" in capsys.readouterr().out
    table, out = tmp_path / "t.csv", tmp_path / "out.pdf"
    table.write_text("url,text\nHTTPS://LO.EXAMPLE/1,Rau cải\n")
    sheet = ["labels", "sheet", "--csv", str(table), "-o", str(out), *kept]
    assert main([*sheet, "--printer", "van-phong"]) == 0
    moved = printers.read(tmp_path / "printers.json")["van-phong"].corrected(A4)
    assert check.check(out.read_bytes(), ["HTTPS://LO.EXAMPLE/1"], moved) == 1
    assert (
        main(["labels", "printer", "kho", "--address", "10.0.0.9", "--format", "zpl", *kept]) == 0
    )
    assert main(["labels", "printer", *kept]) == 0
    assert "kho          10.0.0.9, zpl" in capsys.readouterr().out
    assert set(json.loads((tmp_path / "printers.json").read_text())["printers"]) == {
        "kho",
        "van-phong",
    }


def test_a_printer_of_another_fineness_gets_its_own_dots(tmp_path: Path) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "out.zpl"
    table.write_text("url,text\nHTTPS://LO.EXAMPLE/1,Rau cải\n")
    words = ["labels", "sheet", "--csv", str(table), "-o", str(out), "--layout", "roll-50x30"]
    assert main(words) == 0
    assert b"^PW400^LL240" in out.read_bytes()
    assert main([*words, "--dpi", "300"]) == 0
    assert b"^PW591^LL355" in out.read_bytes()
