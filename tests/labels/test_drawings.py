"""A logo drawn as SVG: its shapes stay shapes, and what is more than a shape is refused."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_logos import LEAF, URL, darkness, in_the_code, with_logo

from nongso.labels import drawing, logos, raster, svg
from nongso.labels.drawing import Drawing
from nongso.labels.errors import BadLogo
from nongso.labels.layout import find
from nongso.labels.operations import print_sheet
from nongso.labels.sheet import Label

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="{}">{}</svg>'
SHAPES = (
    '<g transform="translate(10 5) rotate(15)" fill="#0a5d2a" stroke="none">'
    '<path d="M0 0h40v20q-5 15-20 20T0 20zM10 10a5 5 0 1 0 10 0 5 5 0 10-10 0z"'
    ' fill-rule="evenodd"/></g>'
    '<circle cx="70" cy="30" r="15" style="fill:none;stroke:rgb(20,60,30);stroke-width:3"/>'
    '<rect x="5" y="50" width="30" height="8" rx="3"/><polygon points="50,55 60,45 70,55"/>'
    '<polyline points="75,50 80,58 90,50" fill="none" stroke="black"/>'
)


def drawn(inside: str, box: str = "0 0 100 60") -> bytes:
    return HEAD.format(box, inside).encode()


def dots(body: bytes) -> Image.Image:
    """A drawing of 100 × 60 as the printer burns it, ten dots a unit."""
    placed = with_logo()
    made = drawing.read(body)
    sheet = print_sheet([Label(URL, logo=made)], placed)
    box = svg.logo_box(made, placed)
    x, y = placed.first.x_mm + box.x_mm, placed.first.y_mm + box.y_mm
    page = next(raster.pictures(sheet.pdf, 600))
    whole = Image.frombytes("1", (page.width, page.height), page.dots)
    edges = [round(mm * 600 / 25.4) for mm in (x, y, x + box.width_mm, y + box.height_mm)]
    return whole.crop(tuple(edges)).resize((1000, 600))


@pytest.mark.parametrize(
    ("inside", "black", "white"),
    [
        ('<rect x="10" y="10" width="80" height="40"/>', [(50, 30), (11, 11)], [(5, 5), (95, 30)]),
        ('<circle cx="50" cy="30" r="20"/>', [(50, 30), (50, 12)], [(65, 15), (72, 30)]),
        ('<path d="M10 10h80v40H10zM30 20h40v20H30z" fill-rule="evenodd"/>',
         [(20, 30)], [(50, 30)]),
        ('<path d="M50 30m-20 0a20 20 0 1 0 40 0a20 20 0 10-40 0"/>', [(50, 48)], [(65, 15)]),
        ('<path d="M10 50A40 40 0 0150 10V50z"/>', [(35, 30), (49, 11)], [(18, 18), (55, 30)]),
        ('<path d="M10 50Q50-10 90 50z"/>', [(50, 25)], [(50, 15)]),
        ('<path d="M0 0c0 40 100 40 100 0S 100 60 100 60H0z"/>', [(50, 45)], [(50, 15)]),
        ('<g transform="scale(.5)"><rect width="100" height="60"/></g>', [(48, 28)], [(55, 35)]),
        ('<g transform="rotate(90 50 30)"><rect x="20" y="25" width="60" height="10"/></g>',
         [(50, 5)], [(30, 30)]),
        ('<line x1="0" y1="30" x2="100" y2="30" stroke="#333" stroke-width="10"/>',
         [(50, 33)], [(50, 40)]),
        ('<rect width="100" height="60" fill="#8bc34a"/><circle cx="50" cy="30" r="9" fill="#fff"'
         "/>", [(10, 10)], [(50, 30)]),
        ('<rect x="-900" y="-900" width="1800" height="930"/>', [(50, 15)], [(50, 45)]),
    ],
)  # fmt: skip
def test_shapes_are_printed_where_they_were_drawn(
    inside: str, black: list[tuple[int, int]], white: list[tuple[int, int]]
) -> None:
    shown = dots(drawn(inside)).convert("L")
    for x, y in black:
        assert shown.getpixel((10 * x, 10 * y)) == 255, (inside, x, y)
    for x, y in white:
        assert shown.getpixel((10 * x, 10 * y)) == 0, (inside, x, y)


@pytest.mark.parametrize("place", ["beside", "in the code"])
def test_a_drawing_stays_lines_on_every_label_and_every_code_is_read(place: str) -> None:
    placed = with_logo() if place == "beside" else in_the_code(0.25)
    made = drawing.read(drawn(SHAPES))
    wanted = [Label(f"{URL}{n}", {"text": "Miến dong"}, logo=made) for n in range(14)]
    sheet = print_sheet(wanted, placed)
    assert sheet.pages == 1
    assert sheet.pdf.count(b"/Subtype /Form") == 1, "the drawing is in the file once"
    if place == "beside":
        assert 0.1 < darkness(sheet.pdf, placed, LEAF) < 0.6
    (page,) = svg.pages(wanted, placed)
    assert (page.count(b"<symbol "), page.count(b"<image ")) == (1, 0)


def test_what_is_kept_of_a_drawing_is_the_same_drawing_and_nothing_else() -> None:
    notes = "<metadata>Somebody, at home</metadata><title>leaf-final-3</title><!-- secret -->"
    kept = logos.clean(drawn(notes + SHAPES))
    assert b"home" not in kept
    assert b"secret" not in kept
    made = logos.again(kept)
    assert isinstance(made, Drawing)
    assert (logos.kept(made, 300), logos.clean(kept)) == (kept, kept)


def test_what_is_kept_of_a_photograph_is_only_its_pixels() -> None:
    out = BytesIO()
    photograph = Image.linear_gradient("L").resize((3000, 2000))
    place = Image.Exif()
    place[0x010E] = "taken at home"
    photograph.save(out, "JPEG", exif=place)
    kept = logos.clean(out.getvalue())
    assert b"home" not in kept
    with Image.open(BytesIO(kept)) as opened:
        assert (opened.size, opened.format) == ((1200, 800), "PNG")


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        ("<text>HTX</text>", "text"),
        ('<image href="https://example.net/a.png"/>', "image"),
        ('<script>alert("1")</script>', "script"),
        ("<style>@import url(https://example.net)</style>", "style"),
        ('<use href="#a"/>', "use"),
        ('<rect width="9" height="9" fill="url(#a)"/>', "colour"),
        ('<rect width="9" height="9" opacity=".5"/>', "opacity"),
        ('<rect width="9" height="9" style="mask:url(#a)"/>', "mask"),
        ('<g stroke-dasharray="2 1"><path d="M0 0h9"/></g>', "stroke-dasharray"),
        ("<svg/>", "svg"),
        ("<foreignObject/>", "foreignObject"),
        ('<a href="https://example.net"><rect width="9" height="9"/></a>', "a"),
    ],
)
def test_what_is_more_than_a_shape_is_refused_by_its_name(inside: str, what: str) -> None:
    with pytest.raises(BadLogo) as refused:
        drawing.read(drawn(inside))
    assert (refused.value.reason, refused.value.what) == ("holds", what)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<svg", "unreadable"),
        (b"<html/>", "unreadable"),
        (drawn('<rect width="9" height="9"/>').decode().encode("utf-16"), "unreadable"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + drawn("<g>&a;</g>"), "holds"),
        (drawn('<rect width="9" height="9" fill="white"/>'), "empty"),
        (drawn(""), "empty"),
        (drawn('<rect width="9" height="9"/>', "0 0 0 9"), "no_size"),
        (drawn('<rect width="9" height="9"/>', "0 0 1e-300 1e-300"), "no_size"),
        (drawn('<rect width="9" height="9"/>', "0 0 900 9"), "narrow"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>', "no_size"),
        (drawn("<g>" * 99 + "</g>" * 99), "intricate"),
        (drawn('<path d="M0 0' + "h1" * 21_000 + '"/>'), "intricate"),
        (drawn('<g transform="' + "matrix(" * 12_000 + '"/>'), "intricate"),
        (drawn('<g transform="' + "matrix(" * 500 + '"/>'), "unreadable"),
        (drawn('<rect width="9" height="9" fill="' + "9" * 5_000 + '"/>'), "intricate"),
        (drawn('<path fill="none" stroke="#000" stroke-width=".00001" d="M0 0h1"/>'), "empty"),
        (drawn("x" * 300_000), "large"),
        (drawn('<path d="L1 1"/>'), "unreadable"),
        (drawn('<path d="M1"/>'), "unreadable"),
        (drawn('<path d="M1e999 0h1"/>'), "unreadable"),
        (drawn('<g transform="spin(3)"/>'), "unreadable"),
        (drawn('<g transform="' + "scale(1e5)" * 90 + '"><circle r="9"/></g>'), "unreadable"),
    ],
)
def test_what_is_no_drawing_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(BadLogo) as refused:
        drawing.read(body)
    assert refused.value.reason == reason


def test_a_drawing_that_grows_too_large_to_be_read_again_is_not_kept() -> None:
    curves = drawn('<path d="M0 0' + "t1 1" * 9_000 + '"/>')
    drawing.read(curves)
    with pytest.raises(BadLogo) as refused:
        logos.clean(curves)
    assert refused.value.reason == "intricate"


@settings(max_examples=150, deadline=None)
@given(
    path=st.text("MmLlHhVvCcSsQqTtAaZz0123456789.,-+e ", max_size=40),
    turn=st.text("matrixscaletranslaterotateskewXY(),.-0123456789e ", max_size=25),
)
def test_any_path_is_drawn_or_refused(path: str, turn: str) -> None:
    try:
        made = drawing.read(drawn(f'<path transform="{turn}" stroke="#000" d="M5 5h9{path}"/>'))
    except BadLogo:
        return
    kept = drawing.write(made)
    assert drawing.write(drawing.read(kept)) == kept


@pytest.mark.parametrize("name", ["a4-2x7-logo", "a4-2x7-logo-in", "roll-70x50-logo"])
def test_the_layouts_with_a_picture_print_full_pages(name: str) -> None:
    placed = find(name)
    made = drawing.read(drawn('<rect width="100" height="60"/>'))
    wanted = [Label(f"{URL}{n}", {"text": "Miến dong"}, logo=made) for n in range(placed.cells)]
    assert print_sheet(wanted, placed).labels == placed.cells
