"""The growing diary: what people did stands there once, and stays."""

import datetime
import io
import re
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import Place, form_token
from PIL import Image

from nongso.platform import photos
from nongso.platform.diary import entries as diary
from nongso.platform.diary import procedures
from nongso.platform.diary.entries import KINDS, Entry
from nongso.platform.greenhouse.records import Run
from nongso.platform.languages import day_of

BOOK = "/greenhouses/tan-binh-1/diary"
TODAY = day_of(time.time())


def ago(days: int) -> str:
    return (TODAY - datetime.timedelta(days=days)).isoformat()


def write(place: Place, user: str = "farmer", **fields: object) -> str:
    """Write a line as a phone does and return the page that follows."""
    phone = place.client(user)
    page = phone.get(f"{BOOK}/new?kind={fields['kind']}")
    sent = {"id": str(uuid.uuid4()), "day": TODAY.isoformat(), **fields}
    answer = phone.post(BOOK, data={**sent, "form_token": form_token(page)}, follow_redirects=True)
    return answer.text


def photo_with_place() -> bytes:
    """A phone's picture that tells where it was taken, lying on its side."""
    picture = Image.new("RGB", (2400, 1600), (30, 120, 60))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010F] = "Phone of somebody"
    exif.get_ifd(0x8825)[2] = (22.0, 21.0, 0.0)  # GPS latitude
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_a_line_is_written_in_two_taps_with_what_was_used_last_time(farm: Place) -> None:
    write(farm, kind="fertilised", product="Phân trùn quế", amount="25", unit="kg")
    page = farm.client("farmer").get(f"{BOOK}/new?kind=fertilised").text
    assert 'value="Phân trùn quế"' in page
    assert re.search(r'<option value="kg" selected', page)
    assert "Phân trùn quế · 25\u00a0kg" in write(
        farm, kind="fertilised", product="Phân trùn quế", amount="25", unit="kg"
    )


def test_the_same_line_sent_twice_is_one_line(farm: Place) -> None:
    id_ = str(uuid.uuid4())
    for _ in range(3):
        write(farm, kind="watered", amount="120", id=id_)
    with farm.records.session() as session:
        assert len(diary.lines(session, "tan-binh-1")) == 1


def test_another_line_under_the_same_number_is_refused_and_kept_on_the_page(farm: Place) -> None:
    id_ = str(uuid.uuid4())
    write(farm, kind="watered", amount="120", id=id_)
    page = write(farm, kind="watered", amount="80", id=id_)
    assert "Dòng này đã ghi rồi" in page
    assert 'value="80"' in page


def test_a_correction_shows_the_reason_and_what_stood_there_before(farm: Place) -> None:
    write(farm, kind="harvested", amount="120", unit="kg")
    phone = farm.client("farmer")
    link = re.search(rf'href="({BOOK}/[0-9a-f-]+/correct)"', phone.get(BOOK).text)
    assert link is not None
    page = phone.get(link.group(1))
    sent = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', page.text))
    assert sent["amount"] == "120"
    after = phone.post(
        link.group(1),
        data={**sent, "amount": "12", "unit": "kg", "reason": "Gõ thừa số 0"},
        follow_redirects=True,
    ).text
    assert "12\u00a0kg" in after
    assert "đã sửa: Gõ thừa số 0" in after
    assert "120\u00a0kg" in after.split("Trước khi sửa")[1]


def test_a_line_taken_back_no_longer_counts_but_is_still_there(farm: Place) -> None:
    write(farm, kind="planted", crop="Cà chua", day=ago(80))
    write(farm, kind="harvested", amount="50")
    phone = farm.client("farmer")
    assert "Đã thu hoạch" in phone.get(BOOK).text
    link = re.search(rf'href="({BOOK}/[0-9a-f-]+/correct)"', phone.get(BOOK).text)
    assert link is not None
    page = phone.get(link.group(1))
    sent = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', page.text))
    after = phone.post(
        link.group(1),
        data={**sent, "reason": "Nhầm nhà màng", "do": "withdraw"},
        follow_redirects=True,
    ).text
    assert "đã bỏ: Nhầm nhà màng" in after
    assert re.search(r"Đã thu hoạch</dt><dd>0", after)


def test_nobody_writes_or_reads_the_diary_of_another_cooperative(farm: Place) -> None:
    stranger = farm.client("farmer-bac-ha")
    assert stranger.get(BOOK).status_code == 404
    token = form_token(stranger.get("/greenhouses"))
    answer = stranger.post(BOOK, data={"kind": "note", "note": "x", "form_token": token})
    assert answer.status_code == 404


def test_a_spraying_says_until_when_nothing_may_be_harvested(farm: Place) -> None:
    page = write(farm, kind="sprayed", product="Thuốc trừ nhện", interval_days="10")
    last = TODAY + datetime.timedelta(days=10)
    assert f"hết ngày {last:%d/%m/%Y} mới đủ thời gian cách ly" in page


def test_a_spraying_without_its_interval_is_asked_back(farm: Place) -> None:
    assert "Xin ghi số ngày cách ly" in write(farm, kind="sprayed", product="Thuốc trừ nhện")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "harvested"}, "Ô này còn trống, xin ghi vào."),
        ({"kind": "harvested", "amount": "1.250"}, "có thể là"),
        ({"kind": "harvested", "amount": "nan"}, "Không đọc được số này"),
        ({"kind": "harvested", "amount": "0"}, "lớn hơn 0"),
        ({"kind": "note"}, "Ô này còn trống, xin ghi vào."),
        ({"kind": "note", "note": "x", "day": "2999-01-01"}, "Ngày này chưa đến"),
        ({"kind": "note", "note": "x", "minutes": "-5"}, "Xin ghi một số"),
        ({"kind": "planted"}, "Ô này còn trống, xin ghi vào."),
        (
            {"kind": "note", "note": "x", "photo": (io.BytesIO(b"no picture"), "a.jpg")},
            "Không đọc được ảnh",
        ),
    ],
)
def test_what_cannot_be_understood_is_asked_back_beside_its_field(
    farm: Place, fields: dict[str, object], said: str
) -> None:
    assert said in write(farm, **fields)
    with farm.records.session() as session:
        assert diary.lines(session, "tan-binh-1") == []


def test_a_picture_forgets_where_it_was_taken_and_stands_upright(farm: Place) -> None:
    page = write(
        farm, kind="problem", note="Lá vàng", photo=(io.BytesIO(photo_with_place()), "a.jpg")
    )
    address = re.search(r'<img src="([^"]+)"', page)
    assert address is not None
    answer = farm.client("farmer").get(address.group(1))
    with Image.open(io.BytesIO(answer.data)) as kept:
        assert (kept.width, kept.height) == (853, 1280)
        assert not kept.getexif()
    assert b"somebody" not in answer.data
    assert farm.client("farmer-bac-ha").get(address.group(1)).status_code == 404


def test_a_picture_that_would_fill_the_memory_is_refused() -> None:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2
    bomb = header + b"\x08\x02\x00\x00\x00" + b"\x00" * 40
    with pytest.raises(photos.BadPhoto):
        photos.shrink(bomb)


def test_a_large_picture_that_is_packed_small_is_refused_before_it_is_read() -> None:
    out = io.BytesIO()
    Image.new("L", (5000, 5000)).save(out, "PNG")
    assert len(out.getvalue()) < 100_000
    with pytest.raises(photos.BadPhoto):
        photos.shrink(out.getvalue())


def test_a_file_where_the_pictures_belong_is_told_and_ends_nothing(farm: Place) -> None:
    (farm.settings.folder / "photos").write_text("x")
    picture = (io.BytesIO(photo_with_place()), "a.jpg")
    assert "Máy chủ không giữ được ảnh" in write(farm, kind="problem", note="x", photo=picture)


def test_the_same_form_with_other_numbers_is_asked_back(farm: Place) -> None:
    phone = farm.client("farmer")
    page = phone.get(f"{BOOK}/before")
    sent = {"id": str(uuid.uuid4()), "form_token": form_token(page)}
    first = phone.post(f"{BOOK}/before", data={**sent, "litres_week": "700"})
    again = phone.post(f"{BOOK}/before", data={**sent, "litres_week": "800"})
    assert (first.status_code, again.status_code) == (303, 422)


@given(st.binary(max_size=300))
def test_no_bytes_are_a_picture_by_accident(data: bytes) -> None:
    with pytest.raises(photos.BadPhoto):
        photos.shrink(data)


def test_the_procedure_gives_the_tasks_of_the_day_until_they_are_done(farm: Place) -> None:
    page = write(farm, kind="planted", crop="Cà chua bi", day=ago(21))
    assert "Tỉa chồi nách" in page
    page = write(farm, kind="pruned", task="ca-chua/side-shoots")
    assert "Tỉa chồi nách" not in page.split("Ghi dòng mới")[0]


@given(age=st.integers(0, 400), done=st.lists(st.integers(0, 400), max_size=6))
def test_a_task_is_never_due_before_or_after_its_days(age: int, done: list[int]) -> None:
    begun = datetime.date(2026, 1, 1)
    today = begun + datetime.timedelta(days=age)
    task = procedures.Task("x/y", "pruned", 20, 110, 7, {"vi": "Tỉa"})
    procedure = procedures.Procedure("x", ("cà chua",), (task,))
    lines = [Entry("planted", begun.isoformat(), crop="CA CHUA")] + [
        Entry("pruned", (begun + datetime.timedelta(days=d)).isoformat(), task="x/y")
        for d in done
        if d <= age
    ]
    lines.sort(key=lambda one: one.day, reverse=True)
    found = procedures.due([procedure], lines, today)
    before = [d for d in done if d <= age]
    expected = 20 <= age <= 110 and (not before or age - max(before) >= 7)
    assert bool(found) == expected


def test_every_procedure_that_ships_can_be_read() -> None:
    names = [one.id for one in procedures.load(procedures.OURS)]
    assert {"ca-chua", "rau-an-la", "dua-luoi", "dau-tay"} <= set(names)


def test_a_procedure_with_a_mistake_names_file_task_and_remedy(tmp_path: "object") -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "ca-chua.toml").write_text('crops=["cà chua"]\n[[task]]\nid="a"\nkind="weed"\n')
    with pytest.raises(procedures.ProcedureError, match=r"ca-chua.toml: task 1: kind must be one"):
        procedures.load(folder)


def test_the_season_adds_up_water_work_money_and_harvest(farm: Place) -> None:
    write(farm, kind="planted", crop="Xà lách", day=ago(13), minutes="90")
    start = int(time.time()) - 3 * 86400
    with farm.records.transaction() as session:
        session.add(
            Run(
                id=str(uuid.uuid4()),
                zone="tan-binh-1-k1",
                gateway="binh-lu",
                cause="person",
                state="done",
                code="done",
                values={},
                ordered_seconds=600,
                started_at=start,
                ended_at=start + 600,
                seconds=600,
                litres=700,
            )
        )
    write(farm, kind="watered", amount="300")
    write(farm, kind="fertilised", product="Đạm cá", cost="60.000")
    page = write(farm, kind="harvested", amount="250")
    assert "0,50\u00a0kg mỗi m²" in page  # of 500 m²
    assert "1.000\u00a0lít · mỗi tuần 500\u00a0lít" in page
    assert "60.000\u00a0đ" in page
    assert "1 giờ 30 phút" in page


def test_how_it_was_before_stands_beside_the_season(farm: Place) -> None:
    write(farm, kind="planted", crop="Xà lách", day=ago(13))
    phone = farm.client("farmer")
    page = phone.get(f"{BOOK}/before")
    sent = {"id": str(uuid.uuid4()), "litres_week": "1400", "hours_week": "7,5"}
    after = phone.post(
        f"{BOOK}/before", data={**sent, "form_token": form_token(page)}, follow_redirects=True
    ).text
    assert "trước đây mỗi tuần 1.400\u00a0lít" in after
    assert "trước đây mỗi tuần 7 giờ 30 phút" in after


def test_the_table_holds_no_formula(farm: Place) -> None:
    write(farm, kind="note", note='=HYPERLINK("http://x";"y")')
    table = farm.client("farmer").get(f"{BOOK}/table.csv").text
    assert table.startswith("\ufeff")
    assert "'=HYPERLINK" in table


def test_every_kind_of_line_has_its_form(farm: Place) -> None:
    phone = farm.client("farmer")
    for kind in KINDS:
        assert phone.get(f"{BOOK}/new?kind={kind}").status_code == 200
    assert phone.get(f"{BOOK}/new").status_code == 200
    assert phone.get(f"{BOOK}/new?kind=x").status_code == 404


def test_the_demonstration_keeps_a_diary_and_lays_it_down_once(farm: Place) -> None:
    from nongso.platform.diary import demo

    now = int(time.time())
    assert demo.lay_down(farm.settings, "farmer", now) == len(demo.GREENS)
    assert demo.lay_down(farm.settings, "farmer", now + 3 * 86400) == 0
    page = farm.client("farmer").get(BOOK).text
    assert "Vụ này: Rau cải" in page
    assert "trước đây mỗi tuần" in page
