"""Sentences that can be heard: recorded by a person, played where a recording is kept."""

import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import NODE_1, Place, form_token

from nongso.platform.voices.kept import MOST_BYTES, kind_of
from nongso.platform.voices.texts import key_of, sentences

OGG = b"OggS" + bytes(200)
DRY = next(text for text in sentences().values() if text.endswith("Nên tưới 10 phút."))
PAGE = "/voices/record/hmn"


def record(place: Place, data: bytes, user: str = "clerk", text: str = DRY) -> int:
    desk = place.client(user)
    token = form_token(desk.get("/greenhouses"))
    sent = {"sound": (io.BytesIO(data), "a.ogg"), "form_token": token}
    return desk.post(f"{PAGE}/{key_of(text)}", data=sent).status_code


def dry(place: Place) -> None:
    place.bring(place.readings(NODE_1, ["soil_moisture", int(time.time()) - 60, 20.0, 0]))


def test_every_model_sentence_of_state_and_alarm_can_be_recorded() -> None:
    found = "\n".join(sentences().values())
    for words in ("Đất đủ ẩm", "Nên tưới", "van", "Mất tín hiệu"):
        assert words in found
    assert len(sentences()) > 40


def test_a_farmer_hears_the_sentence_of_the_own_state_in_the_chosen_language(farm: Place) -> None:
    dry(farm)
    assert record(farm, OGG) == 303
    phone = farm.client("farmer")
    assert "<audio" not in phone.get("/greenhouses").text
    token = form_token(phone.get("/voices/"))
    phone.post("/voices/", data={"language": "hmn", "form_token": token})
    page = phone.get("/greenhouses").text
    address = f"/voices/hmn/{key_of(DRY)}"
    assert address in page
    sound = phone.get(address)
    assert sound.data == OGG
    assert sound.mimetype == "audio/ogg"


def test_a_recording_that_was_dropped_is_no_longer_played(farm: Place) -> None:
    record(farm, OGG)
    desk = farm.client("clerk")
    token = form_token(desk.get(PAGE))
    desk.post(f"{PAGE}/{key_of(DRY)}", data={"do": "drop", "form_token": token})
    assert farm.client("farmer").get(f"/voices/hmn/{key_of(DRY)}").status_code == 404


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"<html><script>", 422), (b"", 422), (b"OggS" + bytes(MOST_BYTES), 422)],
)
def test_what_is_no_short_sound_is_refused(farm: Place, data: bytes, said: int) -> None:
    assert record(farm, data) == said
    assert farm.client("farmer").get(f"/voices/hmn/{key_of(DRY)}").status_code == 404


def test_every_sentence_has_its_form_on_one_of_the_pages(farm: Place) -> None:
    desk, seen = farm.client("clerk"), []
    pages = set(re.findall(r'href="(/voices/record/hmn\?page=\d+)"', desk.get(PAGE).text))
    for path in pages:
        seen += re.findall(r'id="s-(\w+)"', desk.get(path).text)
    assert sorted(seen) == sorted(sentences())
    assert desk.get(PAGE + "?page=99").status_code == 404
    last = list(sentences())[-1]
    sent = {"do": "drop", "form_token": form_token(desk.get(PAGE))}
    back = desk.post(f"{PAGE}/{last}", data=sent).location
    assert f'id="s-{last}"' in desk.get(back.partition("#")[0]).text


def test_only_clerks_record(farm: Place) -> None:
    assert record(farm, OGG, user="farmer") == 403


def test_a_cooperative_hears_its_own_voices_and_nobody_elses(farm: Place) -> None:
    assert record(farm, OGG) == 303
    assert record(farm, OGG + b"another", user="clerk-bac-ha") == 303
    sound = farm.client("farmer").get(f"/voices/hmn/{key_of(DRY)}")
    assert sound.data == OGG
    other = farm.client("farmer-bac-ha").get(f"/voices/hmn/{key_of(DRY)}")
    assert other.data == OGG + b"another"


def test_a_file_where_the_recordings_belong_is_told_and_ends_nothing(farm: Place) -> None:
    (farm.settings.folder / "voices").write_text("x")
    assert record(farm, OGG) == 422
    assert farm.client("farmer").get("/voices/").status_code == 200
    assert farm.client("farmer").get(f"/voices/hmn/{key_of(DRY)}").status_code == 404


@given(st.binary(max_size=64))
def test_text_never_passes_as_a_sound(data: bytes) -> None:
    if kind_of(data) is not None:
        assert not data.lstrip().startswith((b"<", b"{", b"%PDF"))
