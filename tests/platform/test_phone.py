"""What the phone is given for times without network: once, small, in both languages."""

import json
import re

from office import Place

from nongso.platform.languages import LANGUAGES
from nongso.platform.phone.pages import OUTCOMES


def test_the_service_worker_is_fetched_again_only_when_it_has_changed(place: Place) -> None:
    client = place.client()
    first = client.get("/sw.js")
    assert first.status_code == 200
    again = client.get("/sw.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Cache-Control"] == "no-cache"


def test_the_service_worker_carries_what_it_says_so_that_nothing_more_is_fetched(
    place: Place,
) -> None:
    text = place.client().get("/sw.js").text
    found = re.search(r"^var SAID = (\{.*?\}); //", text, re.M)
    assert found is not None
    said = json.loads(found.group(1))
    assert set(said) == set(LANGUAGES)
    for code, words in said.items():
        assert set(words) == {"frame", "back", "again", "ages", *OUTCOMES}
        assert [word.count("{n}") for word in words["ages"]] == [0, 1, 1, 1]
        assert f'<html lang="{code}">' in words["frame"]
        assert words["frame"].count("{title}") == 2
        assert words["frame"].count("{sentence}") == words["frame"].count("{back}") == 1
        assert not any("<" in part for what in OUTCOMES for part in words[what])
    assert said["vi"]["line"][0] == "Chưa gửi"
    assert "chưa tưới" in said["vi"]["water"][1]
    assert said["en"]["water"][1] != said["vi"]["water"][1]


def test_each_thing_that_happens_without_network_can_be_looked_at(place: Place) -> None:
    for what in OUTCOMES:
        assert place.client().get(f"/offline/{what}").status_code == 200
    assert place.client().get("/offline/nothing").status_code == 404
