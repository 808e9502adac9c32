"""Digital Link addresses: GS1's own cases, and what must hold for every address."""

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.traceability import digital_link as dl
from nongso.platform.traceability.digital_link import errors, rules
from nongso.platform.traceability.digital_link.catalogue import KEYS, catalogue, sequences
from nongso.platform.traceability.digital_link.compressed import ALPHABET, decompress
from nongso.platform.traceability.digital_link.digits import check_pair, has_check_pair
from nongso.platform.traceability.digital_link.escaping import (
    escape_path,
    escape_query,
    unescape_path,
    unescape_query,
)
from nongso.platform.traceability.digital_link.values import TEXT

VECTORS = Path(__file__).parents[3] / "shared/vectors/traceability/gs1-digital-link"
GTIN = "09524000059109"

# Cases of GS1's engine that need a switch which we do not have, by the line they came from.
NOT_OURS = {
    1767: "takes identifiers that nobody knows: what we cannot check we do not print or resolve",
    2203: "the same switch",
    2206: "the same switch",
}


def vectors(name: str) -> Any:
    file = VECTORS / name
    if not file.exists():
        pytest.skip("GS1's cases are not ours to ship; they are not beside this checkout")
    return json.loads(file.read_text(encoding="utf-8"))


def options(case: dict[str, Any]) -> dict[str, bool]:
    given_ = case.get("options", {})
    return {
        "short_gtin": given_.get("permit_zero_suppressed_gtin", False),
        "words": given_.get("permit_convenience_alphas", False),
    }


def refusal_of(deed: Callable[..., Any], *given_: Any, **more: Any) -> tuple[Any, str]:
    """What came out, and the sentence of the refusal (empty when there was none)."""
    try:
        return deed(*given_, **more), ""
    except dl.LinkError as error:
        return None, str(error)


def test_every_address_of_gs1s_engine_is_read_or_refused_as_there() -> None:
    read = refused = 0
    for case in vectors("dl-parse.json")["cases"]:
        if case["source_line"] in NOT_OURS:
            continue
        link, refusal = refusal_of(dl.parse, case["uri"], **options(case))
        assert case["valid"] == (refusal == ""), (case, refusal)
        if link is not None:
            assert dl.plain(link.elements) == case["element_string"], case
            read += 1
        else:
            assert len(refusal) > 10
            refused += 1
    assert read >= 30
    assert refused >= 15


def test_every_address_of_gs1s_engine_is_written_as_there() -> None:
    written = 0
    for case in vectors("dl-generate.json")["cases"]:
        if case["source_line"] in NOT_OURS:
            continue
        stem = case["stem"] or dl.CANONICAL_STEM
        made, refusal = refusal_of(
            lambda: dl.build(dl.read_bracketed(case["ai_data"]), stem)  # noqa: B023
        )
        assert case["valid"] == (refusal == ""), (case, refusal)
        if made is not None:
            assert made == case["uri"], case
            written += 1
    assert written >= 10


def test_only_gs1s_orders_of_qualifiers_are_paths() -> None:
    wanted = {tuple(path) for path in vectors("dl-valid-path-sequences.json")["sequences"]}
    keys = {path[0] for path in wanted}
    ours = {path for key in keys for path in sequences(key)}
    assert ours == wanted


def test_escapes_are_gs1s() -> None:
    cases = vectors("dl-escape.json")
    for case in cases["escape"]:
        assert escape_path(case["input"]) == case["path"]
        assert escape_query(case["input"]) == case["query"]
    for case in cases["unescape"]:
        assert unescape_path(case["input"]) == case["path"]
        assert unescape_query(case["input"]) == case["query"]


def test_check_digits_are_gs1s() -> None:
    cases = vectors("check-digits.json")
    assert all(dl.is_checked(digits) for digits in cases["valid"])
    assert not any(dl.is_checked(digits) for digits in cases["invalid"])


def test_epc_urns_and_foreign_hosts_become_the_canonical_address() -> None:
    cases = vectors("epc-urn-to-canonical-dl.json")["cases"]
    assert {case["input"]: dl.normal(case["input"]) for case in cases} == {
        case["input"]: case["expected"] for case in cases
    }


KINDS = {"N": "digits", "X": "text", "Y": "parts", "Z": "base64url"}
RULE_NAMES = {
    "csum": "check",
    "gcppos1": "prefix",
    "gcppos2": "prefix-after-one",
    "yymmd0": "day-or-month",
    "yymmdd": "day",
    "yyyymmdd": "full-day",
    "hhmi": "time",
    "hh": "hour",
    "mi": "minute",
    "ss": "second",
    "iso3166": "country",
    "iso3166999": "country-or-many",
    "iso3166alpha2": "country-letters",
    "iso4217": "currency",
    "pcenc": "percent-escapes",
    "yesno": "yes-no",
    "hyphen": "minus",
    "importeridx": "importer",
    "packagetype": "package",
    "mediatype": "carrier",
    "iso5218": "sex",
    "posinseqslash": "place-in-order",
    "nonzero": "not-zero",
    "pieceoftotal": "piece-of-total",
    "iban": "account",
    "csumalpha": "check-pair",
    "nozeroprefix": "no-leading-zero",
    "hasnondigit": "a-letter",
    "couponcode": "coupon",
    "couponposoffer": "coupon-offer",
}


def _part(word: str) -> tuple[str, int, int, tuple[str, ...], bool]:
    size, *checks = word.split(",")
    kind, upto, length = re.fullmatch(r"\[?([NXYZ])(\.\.)?(\d+)\]?", size).groups()
    names = tuple(RULE_NAMES.get(one, one) for one in checks)
    return KINDS[kind], 1 if upto else int(length), int(length), names, size.startswith("[")


def test_our_facts_are_those_of_gs1s_list() -> None:
    if not VECTORS.exists():
        pytest.skip("GS1's list is not ours to ship; it is not beside this checkout")
    listed = set()
    for line in (VECTORS / "gs1-syntax-dictionary.txt").read_text(encoding="utf-8").splitlines():
        words = re.sub(r"(^|\s)#.*", "", line).split()
        if not words:
            continue
        first, _, last = words[0].partition("-")
        flags = words[1] if set(words[1]) <= set("*?") else ""
        said = [word for word in words[1 + bool(flags) :] if "=" not in word and word != "dlpkey"]
        more = [word for word in words if "=" in word or word == "dlpkey"]
        for number in range(int(first), int(last or first) + 1):
            ai = f"{number:0{len(first)}d}"
            listed.add(ai)
            ours = catalogue()[ai]
            parts = [(p.letters, p.least, p.most, p.rules, p.optional) for p in ours.parts]
            assert parts == [_part(word) for word in said], ai
            assert ours.ends_open == ("*" not in flags), ai
            assert ours.in_query == ("?" in flags), ai
            told = {word.partition("=")[0]: word.partition("=")[2] for word in more}
            assert ",".join(ours.needs) == told.get("req", ""), ai
            assert ",".join(ours.never_with) == told.get("ex", ""), ai
            orders = None
            if "dlpkey" in told:
                orders = tuple(
                    tuple(filter(None, order.split(","))) for order in told["dlpkey"].split("|")
                )
            assert ours.orders == orders, ai
    assert listed == set(catalogue())


def test_the_keys_are_those_of_the_facts() -> None:
    assert sorted(ai for ai, one in catalogue().items() if one.orders is not None) == list(KEYS)


def test_every_rule_in_the_facts_is_a_rule() -> None:
    named = {rule for one in catalogue().values() for part in one.parts for rule in part.rules}
    assert named == set(rules.RULES)


# Cases of the farm: what a clerk or a printer could come to write.
@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        (f"https://lo.vn/01/{GTIN}/10/K7M4PQ/21/ABCDEFGHJ", None),
        (f"HTTPS://LO.VN/01/{GTIN}/10/K7M4PQ", None),
        (f"https://lo.vn/tem/01/{GTIN}", None),
        (f"https://lo.vn/01/{GTIN}/10/K7%2BM4", None),
        (f"https://lo.vn/01/{GTIN}?11=261121&17=271100&3103=000500&422=704", None),
        (f"https://lo.vn/01/{GTIN}?utm_source=zalo&linkType=all", None),
        ("https://lo.vn/00/095212345678900016?02=09524000059109&37=20", None),
        ("https://lo.vn/414/9521234567899/254/RUONG-3", None),
        ("https://lo.vn/417/9521234567899", None),
        ("https://lo.vn/8004/9521234567899CAN-1", None),
        ("https://lo.vn/01/9524000059109/10/K7M4PQ", errors.WrongLength),
        ("https://lo.vn/01/09524000059108", errors.WrongCheckDigit),
        (f"https://lo.vn/01/{GTIN}/10/", errors.WrongLength),
        (f"https://lo.vn/01/{GTIN}/", errors.NoKey),
        (f"https://lo.vn/01/{GTIN}/10/{'A' * 21}", errors.WrongLength),
        (f"https://lo.vn/01/{GTIN}/10/m%E1%BA%BB%201", errors.WrongLetter),
        (f"https://lo.vn/01/{GTIN}/10/mẻ", errors.NotAnAddress),
        (f"https://lo.vn/01/{GTIN}/10/L%C3%B4", errors.WrongLetter),
        (f"https://lo.vn/01/{GTIN}/10/A%20B", errors.WrongLetter),
        (f"https://lo.vn/01/{GTIN}/10/A%40B", errors.WrongLetter),
        (f"https://lo.vn/01/{GTIN}?10=K7M4PQ", errors.NotInQuery),
        (f"https://lo.vn/01/{GTIN}?21=ABCDEFGHJ", errors.NotInQuery),
        (f"https://lo.vn/01/{GTIN}/21/ABCDEFGHJ/10/K7M4PQ", errors.WrongOrder),
        (f"https://lo.vn/01/{GTIN}/10/K7M4PQ/22/A", errors.WrongOrder),
        (f"https://lo.vn/01/{GTIN}/235/T/10/K7M4PQ", errors.WrongOrder),
        (f"https://lo.vn/01/{GTIN}?17=271131", errors.RuleBroken),
        (f"https://lo.vn/01/{GTIN}?17=270230", errors.RuleBroken),
        (f"https://lo.vn/01/{GTIN}?422=893", errors.RuleBroken),
        (f"https://lo.vn/01/{GTIN}?88=1", errors.UnknownIdentifier),
        (f"https://lo.vn/01/{GTIN}?17=271100&17=271100", errors.Repeated),
        (f"https://lo.vn/01/{GTIN}?01={GTIN}", errors.Repeated),
        (f"https://lo.vn/88/{GTIN}", errors.UnknownIdentifier),
        ("https://lo.vn/10/K7M4PQ", errors.NoKey),
        (f"https://lo.vn/gtin/{GTIN}/lot/K7M4PQ", errors.WordForm),
        (f"ftp://lo.vn/01/{GTIN}", errors.NotAnAddress),
        (f"Https://lo.vn/01/{GTIN}", errors.NotAnAddress),
        (f"https://ai@lo.vn/01/{GTIN}", errors.NotAnAddress),
        (f"https:///01/{GTIN}", errors.NotAnAddress),
        ("https://lo.vn/t/K7M4PQ", errors.NoKey),
        ("Miến dong Bình Lư", errors.NotAnAddress),
    ],
)
def test_an_address_is_read_or_its_wrong_part_is_named(
    address: str, refusal: type[dl.LinkError] | None
) -> None:
    if refusal is None:
        dl.parse(address)
        return
    with pytest.raises(dl.LinkError) as refused:
        dl.parse(address)
    assert type(refused.value) is refusal, refused.value


def test_a_refusal_says_what_is_wrong_in_a_sentence() -> None:
    for address, words in (
        (f"https://lo.vn/01/{GTIN}/10/A%20B", "(10) 'A B': ' ' is not among A-Z a-z 0-9"),
        ("https://lo.vn/01/09524000059108", "its check digit would be 9"),
        (f"https://lo.vn/01/{GTIN}?10=A", "(10) may not stand in the query of an address of (01)"),
        (f"https://lo.vn/gtin/{GTIN}", "/gtin/ was given up in 2022: write /01/"),
    ):
        with pytest.raises(dl.LinkError, match=re.escape(words)):
            dl.parse(address)


def test_levels_go_from_the_pack_up_to_the_product() -> None:
    link = dl.parse(f"https://lo.vn/01/{GTIN}/10/K7M4PQ/21/ABCDEFGHJ?17=271100")
    assert [one.path for one in link.levels()] == [
        f"/01/{GTIN}/10/K7M4PQ/21/ABCDEFGHJ",
        f"/01/{GTIN}/10/K7M4PQ",
        f"/01/{GTIN}",
    ]
    assert link.canonical == (f"https://id.gs1.org/01/{GTIN}/10/K7M4PQ/21/ABCDEFGHJ?17=271100")


def test_what_is_on_one_pack_must_go_together() -> None:
    dl.check_company(dl.read_bracketed(f"(01){GTIN}(10)K7M4PQ(17)271100(3103)000500"))
    for text in ("(10)K7M4PQ", f"(01){GTIN}(37)20", f"(01){GTIN}(3103)000500(3102)000500"):
        with pytest.raises(errors.WrongCompany):
            dl.check_company(dl.read_bracketed(text))


def test_two_digits_of_a_year_mean_the_nearest_one() -> None:
    today = datetime.date(2026, 11, 22)
    assert rules.read_day("271100", today) == datetime.date(2027, 11, 30)
    assert rules.read_day("760101", today) == datetime.date(2076, 1, 1)
    assert rules.read_day("770101", today) == datetime.date(1977, 1, 1)
    with pytest.raises(ValueError, match="day"):
        rules.read_day("270230", today)


def test_a_model_number_has_its_check_pair() -> None:
    assert check_pair("1987654Ad4X4bL5ttr2310c") == "2K"  # the example of the specification
    assert has_check_pair("1987654Ad4X4bL5ttr2310c2K")
    assert not has_check_pair("1987654Ad4X4bL5ttr2310c2L")


# Written by GS1's own prototype (digital-link.js 1.4.3), with and without its sequences.
COMPRESSED = {
    f"/01/{GTIN}": ("ARFS9Ufdyg",),
    f"/01/{GTIN}/10/K7M4PQ": ("CxFS9UfdysxXZnB6A", "ARFS9UfdyiDMV2Zweg"),
    f"/01/{GTIN}/10/K7M4PQ/21/ABCDEFGHJ": (
        "CxFS9UfdysxXZnB6BC0gAhBiCjDkg",
        "ARFS9UfdyiDMV2ZwegQtIAIQYgow5I",
    ),
    f"/01/{GTIN}/10/lot-a_b/21/12345": ("CxFS9Ufdys8tFvzX7ZCCjA5", "ARFS9UfdyiDPLRb81-2QgowOQ"),
    f"/01/{GTIN}/10/a%2Fb?17=271130": ("CxFS9UfdyweFfiF0Ixo", "ARFS9UfdyiEHhX4hdCMa"),
    f"/01/{GTIN}/10/deadbeef/21/CAFE12?17=271130": (
        "GhFS9UfdylG9W33ehGNI2V_CQ",
        "ARFS9UfdyiBRvVt93i6EY0Qo2V_CQ",
    ),
    f"/01/{GTIN}?3103=000500&15=271130": ("LRFS9UfdygA-gqhGNA",),
    f"/01/{GTIN}?3922=0299": ("ohFS9UfdyoCVg", "ARFS9UfdynJEgJW"),
    f"/01/{GTIN}/10/000123": ("CxFS9UfdygwAD2", "ARFS9UfdyiAMAA9g"),
    f"/01/{GTIN}?7007=261101261121": ("ARFS9UfdyuAOf324_wB",),
    "/00/095212345678900016": ("ABUkMfumwrMA",),
    "/414/9521234567899/254/R-3": ("nWNH7eKjVzeLb", "JUY0ft0FIqNXN4ts"),
    "/8004/9521CAN": ("gARn9521CAN",),
    "/8010/95260640ABC/8011/77": ("mkuVJgZAq8Ka", "gBBLlSYGQKvIARKa"),
}


def test_compressed_addresses_of_gs1s_prototype_are_read() -> None:
    for path, written in COMPRESSED.items():
        for packed in written:
            assert decompress(packed, "https://lo.vn").address == f"https://lo.vn{path}"
    named = decompress("LRFS9UfdygA-niJYp5E8qXmDall", "https://lo.vn")
    assert named.others == (("linkType", "all"),)


@given(st.text(ALPHABET, min_size=1, max_size=60))
def test_no_compressed_text_breaks_the_reader(packed: str) -> None:
    for given_ in ((), (dl.Element("01", GTIN),)):
        link, refusal = refusal_of(decompress, packed, "https://lo.vn", given_)
        assert (link is None) == (refusal != "")
        if link is not None:
            assert dl.parse(link.address).elements == link.elements


def _value(ai: str) -> st.SearchStrategy[str]:
    text = st.text(TEXT, min_size=1, max_size=20)
    if ai in ("01", "02"):
        body = st.integers(10**12, 10**13 - 1).map(str)
        return body.map(lambda digits: digits + str(dl.check_digit(digits)))
    if ai == "17":
        return st.dates(datetime.date(2000, 1, 1)).map(lambda day: f"{day:%y%m%d}")
    if ai == "3103":
        return st.integers(0, 999_999).map(lambda n: f"{n:06d}")
    return text


@st.composite
def packs(draw: st.DrawFn) -> list[dl.Element]:
    names = ["01", *draw(st.sets(st.sampled_from(["22", "10", "21", "17", "3103", "240", "99"])))]
    return [dl.Element(ai, draw(_value(ai))) for ai in names]


@given(packs())
def test_what_is_written_is_read_again(elements: list[dl.Element]) -> None:
    made = dl.compose(elements, "https://lo.vn/tem")
    assert dl.parse(made.address) == made
    assert set(made.elements) == set(elements)
    assert dl.read_bracketed(dl.bracketed(elements)) == elements
    assert dl.read_plain(dl.plain(elements)) == elements
    assert dl.parse(made.canonical).elements == made.elements


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    for read in (dl.parse, dl.read_bracketed, dl.read_plain):
        for whole in (text, f"https://lo.vn/01/{GTIN}/10/{text}", f"^01{text}", f"(01){text}"):
            found, refusal = refusal_of(read, whole)
            assert (found is None) == (refusal != "")
    dl.normal(text)
    dl.normal("urn:epc:id:sgtin:" + text)


@given(st.sampled_from(sorted(catalogue())), st.text(TEXT + "ạ \x00", max_size=100))
def test_every_identifier_takes_or_refuses_every_value(ai: str, value: str) -> None:
    found, refusal = refusal_of(dl.check, ai, value)
    assert found == (None if refusal else dl.Element(ai, value))


@given(st.text(max_size=60))
def test_escaping_loses_nothing(text: str) -> None:
    assert unescape_path(escape_path(text)) == text
    assert unescape_query(escape_query(text)) == text
