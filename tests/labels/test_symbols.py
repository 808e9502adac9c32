"""QR symbols: what goes in comes out, in the smallest version, and a batch is bit-equal."""

import random

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.labels import batch
from nongso.labels.errors import TextNotEncodable, TextTooLong
from nongso.labels.symbol import QUIET, TAKES, Symbol, best_mask, draw, fit, symbol

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=120)
URLS = st.builds(
    "{}://{}/{}".format,
    st.sampled_from(["http", "https", "HTTP", "HTTPS"]),
    st.from_regex(
        r"[a-zA-Z0-9]([a-zA-Z0-9.\-]{0,20}[a-zA-Z0-9])?(:[1-9][0-9]{0,3})?", fullmatch=True
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
)


def read(made: Symbol, dots: int = 4) -> str:
    """Decode the symbol's own picture, quiet zone and all."""
    line_of = [
        bytes(0 if dark else 255 for dark in row for _ in range(dots)) for row in made.rows()
    ]
    picture = b"".join(line * dots for line in line_of)
    side = made.side * dots
    found = zxingcpp.read_barcodes(
        memoryview(picture).cast("B", (side, side)), text_mode=zxingcpp.TextMode.Plain
    )
    assert len(found) == 1
    return found[0].text


@settings(max_examples=120, deadline=None)
@given(URLS)
def test_any_address_is_read_back_as_it_was(url: str) -> None:
    assert read(symbol(url)) == url


@settings(max_examples=60, deadline=None)
@given(PRINTABLE, st.sampled_from("LMQH"))
def test_any_printable_text_is_read_back_at_every_level(text: str, level: str) -> None:
    assert read(symbol(text, level)) == text


def test_quiet_zone_is_part_of_the_picture() -> None:
    made = symbol("HTTPS://A.VN/T/K7M4PQ")
    rows = made.rows()
    edge = range(QUIET)
    assert not any(any(rows[i]) or any(rows[-1 - i]) for i in edge)
    assert not any(row[i] or row[-1 - i] for row in rows for i in edge)
    assert rows[QUIET][QUIET], "the corner pattern begins right after the quiet zone"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("A" * 61, 3),  # the capacities of ISO/IEC 18004 at level M
        ("A" * 62, 4),
        ("A" * 90, 4),
        ("A" * 91, 5),
        ("a" * 42, 3),
        ("a" * 43, 4),
        ("a" * 62, 4),
        ("7" * 101, 3),
        ("7" * 102, 4),
    ],
)
def test_upper_case_takes_the_small_mode(text: str, version: int) -> None:
    assert fit(text)[0] == version


def test_digits_in_a_lower_case_address_save_a_version() -> None:
    url = "https://lo.example/01/08930000000018/10/27"
    assert len(url) == 42
    assert [part for _, part in fit(url + "1")[1]][1].startswith("08930000000018")
    assert fit(url + "1")[0] == 3, "43 bytes would need version 4"


def test_letters_that_phones_disagree_on_are_refused() -> None:
    with pytest.raises(TextNotEncodable, match="percent-encode") as refused:
        symbol("https://a.vn/miến-dong")
    assert refused.value.letter == "ế"
    with pytest.raises(TextNotEncodable):
        symbol("")
    with pytest.raises(TextNotEncodable):
        symbol("HTTPS://A.VN/\n")


def test_more_than_the_largest_symbol_is_refused() -> None:
    assert fit("A" * 3391)[0] == 40
    with pytest.raises(TextTooLong):
        symbol("A" * 3392)


ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["HTTPS://A.VN/T/", "https://a.vn/t/", "https://a.vn/01/08930000000018/21/"]),
    st.sampled_from([ALPHABET, "0123456789", "abcdefghijkmnpqrstuvwxyz~_!"]),
    st.integers(1, 300),
    st.sampled_from("LMQH"),
    st.integers(0, 2**32),
)
def test_a_batch_is_bit_equal_to_the_package(
    stem: str, letters: str, length: int, level: str, seed: int
) -> None:
    dice = random.Random(seed)
    texts = [stem + "".join(dice.choices(letters, k=length)) for _ in range(4)]
    texts.append(texts[0][:-1] + texts[1][-1])
    version, first = fit(texts[0], level)
    mask = best_mask(first, version, level)
    family = batch._Family(texts[0], level)
    for text in texts:
        at, segments = 0, []
        for mode, part in first:
            segments.append((mode, text[at : at + len(part)]))
            at += len(part)
        cut_alike = all(TAKES[mode].issuperset(part) for mode, part in segments)
        meant = draw(tuple(segments), version, level, mask) if cut_alike else None
        assert family.symbol(text) == meant


def test_numbers_that_are_all_cut_in_other_ways_do_not_pile_up() -> None:
    dice = random.Random(5)
    texts = ["".join(dice.choices("aA1", k=40)) for _ in range(40)]
    assert [read(made, 3) for made in batch.symbols(texts)] == texts


def test_a_large_batch_of_mixed_texts_is_read_back_in_order() -> None:
    dice = random.Random(3)
    texts = [
        "HTTPS://A.VN/T/K7M4/" + "".join(dice.choices(ALPHABET[:36], k=9)) for _ in range(150)
    ]
    texts += [f"https://a.vn/t/{n}" for n in range(90)]
    texts += ["https://a.vn/one-of-its-kind"]
    dice.shuffle(texts)
    assert [read(made, 3) for made in batch.symbols(texts)] == texts


def test_a_batch_names_the_text_that_cannot_be_encoded() -> None:
    made = batch.symbols(["HTTPS://A.VN/1", "HTTPS://A.VN/Đ"])
    assert read(next(made)) == "HTTPS://A.VN/1"
    with pytest.raises(TextNotEncodable):
        next(made)
