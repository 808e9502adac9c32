"""A layout for paper that nobody has heard of, from its sizes."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.commands.__main__ import main
from nongso.labels import layout, layoutfile
from nongso.labels.drafting import Sizes, draft
from nongso.labels.errors import BadLayout
from nongso.labels.operations import print_sheet
from nongso.labels.sheet import Label


@given(
    st.tuples(st.floats(10, 150), st.floats(10, 150)),
    st.tuples(st.integers(1, 6), st.integers(1, 12)),
    st.tuples(st.floats(0, 5), st.floats(0, 5)),
)
def test_any_sizes_make_a_layout_or_a_reason(
    label: tuple[float, float], grid: tuple[int, int], gap: tuple[float, float]
) -> None:
    try:
        made, toml = draft("mine", Sizes((210, 297), grid, label, gap))
    except BadLayout:
        return
    assert layout.read("mine", toml) == made
    assert made.cells == grid[0] * grid[1]
    assert made.qr.width_mm >= 14.99


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["--page", "210x297", "--grid", "4x10", "--label", "48,5x25,4"], "sheet"),
        (["--page", "60x80", "--grid", "1x1", "--label", "60x80", "--roll", "mark"], "mark"),
        (["--page", "74x22", "--grid", "2x1", "--label", "36x22", "--roll", "gap"], "gap"),
    ],
)
def test_what_was_measured_prints(tmp_path: Path, words: list[str], kind: str) -> None:
    file = tmp_path / "mine.toml"
    assert main(["labels", "draft", *words, "-o", str(file)]) == 0
    made = layout.load(str(file))
    assert made.kind == kind
    asked = [
        Label(f"HTTPS://LO.EXAMPLE/T/{number}", {"text": "Rau cải\nLô K7M4"})
        for number in range(made.cells)
    ]
    assert print_sheet(asked, made).pages == 1
    assert main(["labels", "draft", *words, "-o", str(file)]) == 1  # what is there stays


def test_labels_that_are_too_many_or_too_small_are_refused_with_the_reason() -> None:
    with pytest.raises(BadLayout, match=r"5 × 8 labels of 63\.5 × 33\.9 mm are more than a page"):
        draft("mine", Sizes((210, 297), (5, 8), (63.5, 33.9)))
    with pytest.raises(BadLayout, match="has no room for a code of 15 mm"):
        draft("mine", Sizes((210, 297), (1, 1), (20, 12)))


@pytest.mark.parametrize("name", layout.names())
def test_a_layout_that_is_written_out_is_the_same_layout(name: str) -> None:
    known = layout.find(name)
    assert layout.read(name, layoutfile.write(known)) == known


@given(st.text(max_size=30))
def test_a_layout_keeps_whatever_title_a_person_gives_it(title: str) -> None:
    titled = replace(layout.find("a4-3x8"), title=title)
    assert layout.read("a4-3x8", layoutfile.write(titled)).title == title


@pytest.mark.parametrize(
    ("old", "new", "reason", "place"),
    [
        ("size_mm = 23.0", "size_mm = 35.0", "over_edge", "qr"),
        ("size_mm = 23.0", "size_mm = nan", "length", "qr"),
        ("size_mm = 23.0", 'size_mm = "23"', "length", "qr"),
        ("x_mm = 25.5", "x_mm = 24.0", "overlap", "text"),
        ("smallest_pt = 6.5", "smallest_pt = 10.0", "letters", "text"),
        ("leading = 1.25", "leading = inf", "length", "text"),
        ("columns = 3", "columns = 4", "off_page", "grid"),
        ("rows = 8", "rows = 8000000000", "grid", "grid"),
        ("left_mm = 7.25", "left_mm = -1.0", "off_page", "grid"),
        ("dpi = 300", "dpi = 10", "dpi", "dpi"),
    ],
)
def test_what_is_wrong_with_a_layout_is_named_by_its_place(
    old: str, new: str, reason: str, place: str
) -> None:
    toml = layoutfile.write(layout.find("a4-3x8"))
    assert old in toml
    with pytest.raises(BadLayout) as refused:
        layout.read("mine", toml.replace(old, new, 1))
    assert (refused.value.reason, refused.value.places[-1]) == (reason, place)
