"""The text of payment codes: byte for byte as banks write it, and nothing else is read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.traceability.selling import vietqr
from nongso.platform.traceability.selling.vietqr import BadPayment, Payment

FILE = Path(__file__).parents[3] / "shared/vectors/traceability/vietqr/vietqr.json"


@pytest.fixture(scope="module")
def cases() -> Any:
    if not FILE.exists():
        pytest.skip("the payment vectors are not beside this checkout")
    return json.loads(FILE.read_text(encoding="utf-8"))


def test_the_checksum_is_the_catalogued_one(cases: Any) -> None:
    for case in cases["crc"]["cases"]:
        assert vietqr.crc16(case["text"]) == case["crc"]


def test_codes_are_written_and_read_byte_for_byte(cases: Any) -> None:
    for case in cases["valid"]:
        given_ = case["input"]
        payment = Payment(
            given_["bin_"],
            given_["acct"],
            str(given_.get("amount", "")),
            given_.get("bill", ""),
            given_.get("purpose", ""),
            given_.get("service", vietqr.ACCOUNT) == vietqr.CARD,
        )
        assert vietqr.write(payment) == case["payload"], case["description"]
        assert vietqr.read(case["payload"]) == payment


def test_wrong_codes_are_refused(cases: Any) -> None:
    for case in cases["invalid_or_suspect"]:
        with pytest.raises(BadPayment):
            vietqr.read(case["payload"])


def test_a_purpose_loses_its_marks() -> None:
    text = vietqr.write(Payment("970422", "0023457923442", "40123", purpose="Chuyển khoản Đỗ"))
    assert vietqr.read(text).purpose == "Chuyen khoan Do"


@pytest.mark.parametrize(
    ("payment", "part"),
    [
        (Payment("97042", "1"), "bank"),
        (Payment("٩٧٠٤٢٢", "1"), "bank"),
        (Payment("970422", ""), "account"),
        (Payment("970422", "1" * 20), "account"),
        (Payment("970422", "1", "0"), "amount"),
        (Payment("970422", "1", "0.00"), "amount"),
        (Payment("970422", "1", "1.000.000"), "amount"),
        (Payment("970422", "1", "1e9"), "amount"),
        (Payment("970422", "1", "-5"), "amount"),
        (Payment("970422", "1", purpose="a" * 26), "purpose"),
        (Payment("970422", "1", bill="ế" * 26), "bill"),
        (Payment("970422", "1", bill="中"), "bill"),
    ],
)
def test_a_part_that_cannot_be_is_named(payment: Payment, part: str) -> None:
    with pytest.raises(BadPayment) as refused:
        vietqr.write(payment)
    assert refused.value.part == part


_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=25)


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii),
    st.from_regex(r"[0-9]{1,19}", fullmatch=True).filter(str.isascii),
    st.one_of(st.just(""), st.integers(1, 10**13 - 1).map(str)),
    _TEXT,
    _TEXT,
)
def test_what_is_written_is_read_again(
    bank: str, account: str, amount: str, bill: str, purpose: str
) -> None:
    payment = Payment(bank, account, amount, bill, purpose)
    assert vietqr.read(vietqr.write(payment)) == payment


@given(st.text(max_size=120))
def test_no_text_breaks_the_reader_and_no_changed_code_is_read(text: str) -> None:
    for one in (text, text + "6304" + (vietqr.crc16(text + "6304") if text.isascii() else "")):
        try:
            vietqr.read(one)
        except BadPayment as error:
            assert error.part  # noqa: PT017
