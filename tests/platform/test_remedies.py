"""What a label says of a product is typed by whoever holds the bottle, and asked again if odd."""

import re
import time
import uuid
from pathlib import Path

import pytest
from office import Place, form_token

from nongso.platform.diary import entries as diary
from nongso.platform.diary import remedies
from nongso.platform.diary.entries import Entry
from nongso.platform.languages import day_of

BOOK = "/greenhouses/tan-binh-1/diary"


def spray(place: Place, **fields: str) -> str:
    phone = place.client("farmer")
    page = phone.get(f"{BOOK}/new?kind=sprayed")
    sent = {
        "id": str(uuid.uuid4()),
        "kind": "sprayed",
        "day": day_of(time.time()).isoformat(),
        "product": "Dầu neem",
        "interval_days": "7",
        **fields,
    }
    return phone.post(
        BOOK, data={**sent, "form_token": form_token(page)}, follow_redirects=True
    ).text


def kept(place: Place) -> list[Entry]:
    with place.records.session() as session:
        return [one.entry for one in diary.lines(session, "tan-binh-1")]


def file_of(place: Place, text: str) -> None:
    (place.settings.folder / remedies.FILE).write_text(text, encoding="utf-8")


def test_a_shorter_interval_than_last_time_is_asked_again_and_taken_when_the_label_says_so(
    farm: Place,
) -> None:
    spray(farm, interval_days="14")
    page = spray(farm, interval_days="3")
    assert "Lần trước Dầu neem ghi cách ly 14 ngày" in page
    assert len(kept(farm)) == 1
    assert 'name="sure"' in page
    spray(farm, interval_days="3", sure="1")
    assert sorted(one.interval_days or 0 for one in kept(farm)) == [3, 14]


def test_a_longer_interval_than_last_time_is_simply_written(farm: Place) -> None:
    spray(farm, interval_days="3")
    spray(farm, interval_days="7", product="DẦU NEEM")
    assert len(kept(farm)) == 2


def test_the_cooperatives_own_label_file_is_not_undercut(farm: Place) -> None:
    file_of(
        farm, '[[thuoc]]\nname = "Dầu neem"\ninterval_days = 10\nsource = "nhãn chai 500 ml"\n'
    )
    page = spray(farm, interval_days="7", sure="1")
    assert "ghi cách ly 10 ngày (nhãn chai 500 ml)" in page
    assert kept(farm) == []
    spray(farm, interval_days="10")
    assert len(kept(farm)) == 1


def test_what_the_cooperative_forbids_is_refused_by_name_and_by_ingredient(farm: Place) -> None:
    file_of(
        farm,
        '[[thuoc]]\nname = "Thuốc X"\ningredient = "Hoạt chất X"\nforbidden = true\n'
        'source = "nghị quyết"\n',
    )
    assert "hợp tác xã không cho dùng thuốc x (nghị quyết)" in spray(farm, product="thuốc x")
    assert "không cho dùng" in spray(farm, product="Tên mới", ingredient="hoat chat x")
    assert kept(farm) == []


def test_absurd_intervals_and_amounts_are_asked_again(farm: Place) -> None:
    assert "rất dài" in spray(farm, interval_days="300")
    assert "rất nhiều" in spray(farm, amount="200", unit="l")
    assert kept(farm) == []
    assert "rất nhiều" not in spray(farm, amount="200", unit="ml")


def test_a_damaged_label_file_does_not_keep_a_line_from_the_diary(farm: Place) -> None:
    file_of(farm, "[[thuoc]\n")
    spray(farm)
    assert len(kept(farm)) == 1


def test_who_sprayed_and_how_it_was_mixed_are_proposed_again(farm: Place) -> None:
    spray(farm, who="Người phun thuê", dose="20 ml với 16 lít nước")
    page = farm.client("farmer").get(f"{BOOK}/new?kind=sprayed").text
    assert re.search(r'name="who"[^>]* value="Người phun thuê"', page)
    assert re.search(r'name="dose"[^>]* value="20 ml với 16 lít nước"', page)
    book = farm.client("farmer").get(BOOK).text
    assert "pha 20 ml với 16 lít nước" in book
    assert "Người phun thuê làm" in book


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thuoc = 3", r"\[\[thuoc\]\]"),
        ("[[thuoc]]\nsource='x'", "name"),
        ("[[thuoc]]\nname='A'\ninterval_days=3", "source"),
        ("[[thuoc]]\nname='A'\nsource='x'\ninterval_days=-1", "whole number"),
        ("[[thuoc]]\nname='A'\nsource='x'\ninterval_days=true", "whole number"),
        ("[[thuoc]]\nname='A'\nsource='x'", "forbidden = true"),
    ],
)
def test_a_wrong_label_file_says_what_is_expected(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / remedies.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(remedies.RemedyError, match=said):
        remedies.load(tmp_path)
