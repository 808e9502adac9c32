"""The font on labels: read as another library reads it, and cut down without losing a stroke."""

import pytest
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]

from nongso.labels import font
from nongso.labels.truetype import Face

ALL = "ĂÂĐÊÔƠƯăâđêôơưẰẮẲẴẶẦẤẨẪẬỀẾỂỄỆỒỐỔỖỘỜỚỞỠỢỪỨỬỮỰỳýỷỹỵ 0123456789·–%"


@pytest.mark.parametrize("name", [font.REGULAR, font.BOLD])
def test_letters_and_widths_are_those_that_another_library_reads(name: str) -> None:
    ours, theirs = font.face(name), TTFont(name, str(font.file(name)))
    for letter in ALL:
        assert ours.glyphs[letter] == theirs.face.charToGlyph[ord(letter)]
        assert ours.widths[letter] == theirs.stringWidth(letter, 1000)
    assert (ours.ascent, ours.descent) == (theirs.face.ascent, theirs.face.descent)


def test_a_subset_keeps_the_pictures_of_its_letters_and_no_others() -> None:
    face = font.face(font.REGULAR)
    small = face.subset([face.glyphs["ậ"]])
    assert len(small) < 20_000 < font.file(font.REGULAR).stat().st_size

    kept = Face.__new__(Face)  # a subset has no table of letters, so it is not read by them
    kept._file, kept._tables = small, dict(_tables(small))
    assert kept.outline(face.glyphs["ậ"]).startswith(face.outline(face.glyphs["ậ"]))
    assert kept.outline(face.glyphs["W"]) == b""


def _tables(file: bytes) -> list[tuple[bytes, tuple[int, int]]]:
    count = int.from_bytes(file[4:6], "big")
    rows = [file[12 + 16 * at : 28 + 16 * at] for at in range(count)]
    return [
        (row[:4], (int.from_bytes(row[8:12], "big"), int.from_bytes(row[12:], "big")))
        for row in rows
    ]
