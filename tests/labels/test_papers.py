"""Papers carry every Vietnamese letter, stay the same bytes, and leave a place to sign."""

import pypdfium2 as pdfium
import zxingcpp

from nongso.labels.papers import Paper, Section, Signature, pdf

MARKED = "Ăn quả nhớ kẻ trồng cây: ẵ ặ ầ ẫ ẩ ậ ế ề ể ễ ệ ố ổ ỗ ộ ớ ở ỡ ợ ứ ử ữ ự ỳ ỷ ỹ ỵ Đ đ"


def paper(rows: int = 3, cell: str = MARKED) -> Paper:
    return Paper(
        title="Hồ sơ vụ: Rau cải",
        author="Hợp tác xã Bình Lư",
        language="vi-VN",
        lines=(MARKED,),
        sections=(
            Section("Phân, thuốc", head=("Ngày", "Tên"), rows=(("21/11/2026", cell),) * rows),
        ),
        signatures=(
            Signature("nguoi-trong", "Người trồng"),
            Signature("hop-tac-xa", "Hợp tác xã"),
        ),
        foot="In ngày 22/11/2026",
    )


def text_of(data: bytes) -> str:
    document = pdfium.PdfDocument(data)
    found = "\n".join(page.get_textpage().get_text_bounded() for page in document)
    document.close()
    return found


def test_every_letter_of_the_language_is_printed_and_can_be_copied_out() -> None:
    said = " ".join(text_of(pdf(paper())).split())
    assert said.count(MARKED) == 4
    assert "Hồ sơ vụ: Rau cải" in said


def test_decomposed_letters_are_drawn_together() -> None:
    assert "ậ" in text_of(pdf(paper(cell="a\u0323\u0302")))


def test_the_same_paper_is_the_same_bytes() -> None:
    assert pdf(paper()) == pdf(paper())


def test_a_long_season_goes_over_many_pages_with_its_head_on_each() -> None:
    document = pdfium.PdfDocument(pdf(paper(rows=150)))
    assert len(document) > 3
    for page in list(document)[:-1]:
        assert "Ngày" in page.get_textpage().get_text_bounded()
    document.close()


def test_a_letter_without_a_picture_is_replaced_and_counted() -> None:
    said = text_of(pdf(paper(rows=1, cell="cây 🌱")))
    assert "cây ?" in said
    assert "? × 1" in said


def test_there_is_an_empty_signature_field_for_each_who_signs() -> None:
    data = pdf(paper())
    assert data.count(b"/FT /Sig") == 2
    assert b"/SigFlags 1" in data
    assert b"/AcroForm" in data
    assert b"/Lang" in data
    document = pdfium.PdfDocument(data)
    document.init_forms()
    assert document.get_formtype() == 1  # an AcroForm
    document.close()


def test_fonts_are_embedded() -> None:
    data = pdf(paper())
    assert data.count(b"/FontFile2") >= 2


def test_a_notice_stands_upright_and_its_code_can_be_read_from_a_photo_of_it() -> None:
    said = "127.0.0.1:8080/log 41 V2h5IGRpZCB0aGUgZmFybWVyIGNyb3NzIHRoZSByb2FkPw="
    sheet = Paper("Dấu niêm", "HTX", "vi-VN", lines=(MARKED,), code=said, notice=True)
    document = pdfium.PdfDocument(pdf(sheet))
    (page,) = document
    width, height = page.get_size()
    assert height > width
    (found,) = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
    assert found.text == said
    document.close()
