"""Words, numbers and times as people here write them; English complete."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask_babel import force_locale
from hypothesis import given
from hypothesis import strategies as st
from office import Place, form_token

import nongso.platform.languages as words
from nongso.platform import languages
from nongso.platform.alerts.rules import defaults
from nongso.platform.languages import NO_BREAK
from nongso.wire import reasons

PLATFORM = Path(words.__file__).parent
METHODS = [("migrations/**", "ignore"), ("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "later": None, "gettext": None}


def sources() -> dict[str, str]:
    """Every string that is said, with where it stands."""
    found = {}
    options = {"templates/**.html": {"trimmed": "true"}}
    for file, line, text, *_ in extract_from_dir(
        str(PLATFORM), method_map=METHODS, keywords=KEYWORDS, options_map=options
    ):
        found[text if isinstance(text, str) else text[0]] = f"{file}:{line}"
    return found


def english() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted((PLATFORM / "translations" / "en").glob("*.po")):
        with file.open("rb") as source:
            for message in read_po(source, locale="en", abort_invalid=True):
                if message.id:
                    text = found.setdefault(str(message.id), str(message.string))
                    assert text == message.string, f"two translations of {message.id}"
    return found


def test_every_sentence_has_its_english() -> None:
    known = english()
    missing = [f"{where}: {text}" for text, where in sources().items() if not known.get(text)]
    assert missing == []


def test_no_english_is_left_over() -> None:
    said = sources()
    assert [text for text in english() if text not in said] == []


def test_translations_fill_in_the_same_values() -> None:
    places = re.compile(r"%\((\w+)\)s")
    for source, translated in english().items():
        assert set(places.findall(source)) == set(places.findall(translated)), source


def test_vietnamese_marks_stand_as_the_communes_write_them() -> None:
    """Old-style placing (hóa, khóa), Đ as one letter, composed letters only."""
    import unicodedata

    for text in sources():
        assert unicodedata.is_normalized("NFC", text), text
        assert not re.search(r"\b(hoá|khoá|hoà|thuỷ)\b|Ð", text), text
        plain = re.sub(r"%\(\w+\)s", "", text)
        assert not re.search(r"\b(node|sensor|gateway|offline|batch|dashboard|bạn)\b", plain), text


def test_no_visible_text_of_our_pages_bypasses_the_catalogues() -> None:
    letters = re.compile(r"[A-Za-zÀ-ỹ]{2,}")
    for folder in ("accounts", "greenhouse", "members"):
        for file in (PLATFORM / "templates" / folder).glob("*.html"):
            text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", file.read_text(), flags=re.DOTALL)
            text = re.sub(r"&\w+;", "", re.sub(r"<[^>]+>", "", text))
            assert letters.findall(text) == [], file.name


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "vietnamese", "in_english"),
    [
        (24.5, "°C", 1, "24,5°C", "24.5°C"),
        (62.4, "%", 0, "62%", "62%"),
        (39.6, "%", 0, "39%", "39%"),  # drier than the 40 at which water comes
        (100 * 0.29, "%", 0, "29%", "29%"),  # 28.999999999999996
        (1250.0, "l", 0, f"1.250{NO_BREAK}lít", f"1,250{NO_BREAK}litres"),
        (0.5, "kg", 1, f"0,5{NO_BREAK}kg", f"0.5{NO_BREAK}kg"),
        (-3.26, "°C", 1, "−3,3°C", "−3.3°C"),
        (-0.04, "°C", 1, "0,0°C", "0.0°C"),
        (6.5, "", 1, "6,5", "6.5"),
    ],
)
def test_quantities(
    place: Place, value: float, unit: str, decimals: int, vietnamese: str, in_english: str
) -> None:
    with place.app.test_request_context():
        assert languages.quantity(value, unit, decimals) == vietnamese
    with place.app.test_request_context(), force_locale("en"):
        assert languages.quantity(value, unit, decimals) == in_english


def test_times_of_day_and_days(place: Place) -> None:
    seven = 1795302600  # 2026-11-22 06:10 in Viet Nam
    with place.app.test_request_context():
        assert languages.clock(seven) == "06:10"
        assert languages.date(seven) == "22/11/2026"
        for at, now, said in [
            (seven, seven + 60, "6 giờ 10"),
            (seven - 600, seven, "6 giờ"),
            (seven, seven + 86400, "hôm qua lúc 6 giờ 10"),
            (seven, seven + 9 * 86400, "ngày 22/11/2026 lúc 6 giờ 10"),
        ]:
            assert languages.moment(at, now).replace(NO_BREAK, " ") == said
        assert [languages.age(s) for s in (0, 59, 60, 3599, 3600, 172799, 172800)] == [
            *("vừa xong", "vừa xong", "cách đây 1 phút", "cách đây 59 phút"),
            *("cách đây 1 giờ", "cách đây 47 giờ", "cách đây 2 ngày"),
        ]
        assert languages.duration(20) == "20 giây"
        assert languages.duration(600) == "10 phút"
        assert languages.duration(90) == "1 phút 30 giây"


@given(st.floats(0, 9e8), st.integers(0, 3))
def test_numbers_written_in_vietnamese_have_at_most_one_comma(value: float, decimals: int) -> None:
    from flask import Flask

    app = Flask("numbers")
    languages.install(app, secure=False)
    with app.test_request_context():
        text = languages.number(value, decimals)
    assert float(text.replace(".", "").replace(",", ".")) == pytest.approx(value, abs=0.51)
    assert text.count(",") == (1 if decimals else 0)


def test_the_language_is_switched_by_a_link_and_stays(farm: Place) -> None:
    client = farm.client("farmer")
    assert "Nhà màng" in client.get("/greenhouses").text
    answer = client.get("/greenhouses/tan-binh-1?day=2026-11-01&lang=en")
    assert (answer.status_code, answer.location) == (303, "/greenhouses/tan-binh-1?day=2026-11-01")
    assert "Stop everything" in client.get("/greenhouses/tan-binh-1").text
    assert '<html lang="en">' in client.get("/no/such/page").text
    client.get("/greenhouses?lang=vi")
    assert "Dừng tất cả" in client.get("/greenhouses/tan-binh-1").text
    assert client.get("/greenhouses?lang=xx").status_code == 200


def test_the_language_link_leads_to_the_page_one_is_on(farm: Place) -> None:
    client = farm.client("farmer")
    book = "/greenhouses/tan-binh-1/diary"
    page = client.get(book + "/new?kind=watered")
    assert f'href="{book}/new?kind=watered&amp;lang=en"' in page.text
    data = {"form_token": form_token(page), "kind": "sprayed", "id": "no-id"}
    refused = client.post(book, data=data, headers={"Referer": f"http://localhost{book}/new"})
    assert refused.status_code in (400, 422)
    assert f'href="{book}?lang=en"' in refused.text, "a page of the same address"
    place = "/greenhouses/tan-binh-1"
    page = client.get(place)
    data = {"form_token": form_token(page), "zone": "tan-binh-1-k1", "minutes": "x", "wish": ""}
    for came_from in (place, place + "/water", "/no/such/page", ""):
        headers = {"Referer": f"http://localhost{came_from}"} if came_from else {}
        refused = client.post(place + "/water", data=data, headers=headers)
        assert refused.status_code == 400
        assert f'href="{place}?lang=en"' in refused.text, came_from
    refused = client.post("/greenhouses/stop", data={})
    assert 'href="/greenhouses?lang=en"' in refused.text, "no greenhouse of the name stop"
    long = client.get(place + "?x=" + "y" * 2000).text
    assert f'href="{place}?lang=en"' in long


def test_every_code_has_a_vietnamese_and_an_english_sentence(place: Place) -> None:
    from nongso.platform.greenhouse import sentences

    values = {
        "late_seconds": 360,
        "seconds": 600,
        "max_seconds": 1800,
        "seconds_left": 300,
        "seconds_today": 7200,
        "tank_percent": 12,
        "needed_percent": 20,
        "source": "Suối Nậm Pé",
        "level_percent": 12,
        "lowest_percent": 20,
        "hours": 168,
        "coil": 5,
        "seconds_ran": 20000,
        "volts": 161.4,
        "low_volts": 195,
        "high_volts": 250,
        "apart_percent": 13.7,
        "most_apart_percent": 10,
        "litres_used": 3900,
        "litres_most": 4000,
        "moisture": 31.2,
        "low": 40,
        "high": 55,
        "age_seconds": 4000,
        "litres": 58,
        "zone": "k2",
        "flow": 4,
        "usual": 12.5,
        "device": "relay",
        "node": "tb-01",
        "since": 1790000000,
        "boot": 1,
        "seq": 2,
        "file": "store.sqlite",
        "count": 1000,
        "detail": "?",
        "code": "unknown_zone",
        "mode": "band",
        "allowed_litres": 600,
        "metric": "light",
        "at": 1790000000,
        "value": 45.2,
        "from_percent": 45.0,
        "to_percent": 56.0,
    }
    names = {"k2": "Khu 2"}
    for code in reasons.ALARMS:
        with place.app.test_request_context():
            said_urgent = sentences.alarm(code, values, names, 0).startswith("Khẩn cấp:")
        assert said_urgent == (code in sentences.URGENT_ALARMS), code
        assert said_urgent == (defaults("general")[code].level == "alarm"), code
    tables = [
        (reasons.REFUSED, sentences.REFUSED),
        (reasons.WAITED, sentences.WAITED),
        (reasons.STARTED, sentences.STARTED),
        (reasons.ENDED, sentences.ENDED),
        (reasons.CHANGED, sentences.CHANGED),
        (reasons.ALARMS, sentences.ALARMS),
    ]
    for codes, table in tables:
        for code, needed in codes.items():
            own = {name: values[name] for name in needed}
            said = []
            for tongue in ("vi", "en"):
                with place.app.test_request_context(), force_locale(tongue):
                    said.append(sentences._say(table, code, own, names, 1790000600, "MISSING"))
            assert "MISSING" not in said, code
            assert said[0] != said[1], code
            assert "%(" not in said[0] + said[1]
            assert said[0][0].isupper(), code
            assert said[0].endswith("."), code


def test_model_sentences_are_used_word_for_word(place: Place) -> None:
    from nongso.platform.greenhouse import sentences

    with place.app.test_request_context():
        assert (
            sentences.refusal("tank_low", {"tank_percent": 12, "needed_percent": 20}, {})
            == "Chưa tưới: bể chỉ còn 12% nước. Thêm nước vào bể rồi bấm tưới lại."
        )
        assert sentences.refusal("expired", {"late_seconds": 360}, {}) == (
            "Lệnh tưới đến chậm 6 phút nên không chạy nữa. Nếu vẫn cần tưới, xin bấm lại."
        )
        alarm = sentences.alarm("valve_not_closed", {"zone": "k2"}, {"k2": "Khu 2"}, 0)
        assert alarm.replace(NO_BREAK, " ") == (
            "Khẩn cấp: van khu 2 không đóng được. Đã tắt bơm và khóa van tổng. Xin ra xem ngay."
        )


def test_a_code_of_a_newer_gateway_still_gets_a_sentence(place: Place) -> None:
    from nongso.platform.greenhouse import sentences

    with place.app.test_request_context():
        assert "moon_too_full" in sentences.refusal("moon_too_full", {}, {})
        assert "tank_low" in sentences.refusal("tank_low", {}, {})
        assert sentences.waiting("moon_too_full", {}, {}) == ""
