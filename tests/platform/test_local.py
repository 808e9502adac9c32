"""The farm's own box: look, water and stop without the Internet; all else stays elsewhere."""

import json
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from office import NODE_1, PASSWORD, Place, form_token, open_place

from nongso.platform import installation, local, migrations
from nongso.platform.settings import Settings, SettingsError, checked, load

SECRET = "0123456789abcdef" * 4
BANNER = "Đang xem tại nông trại (không cần mạng Internet)."
ELSEWHERE = "Trang này chỉ có ở máy chủ của hợp tác xã"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Place]:
    settings = Settings(folder=tmp_path, secret=SECRET, local=True)
    migrations.upgrade(settings)
    made = open_place(settings)
    made.configure()
    yield made
    made.close()


def test_the_farmer_sees_the_greenhouse_and_where_this_is(box: Place) -> None:
    now = 1_790_000_000
    box.bring(box.readings(NODE_1, ["air_temperature", now, 24.5, 16]))
    farmer = box.client("farmer")
    for path in ("/greenhouses", "/greenhouses/tan-binh-1", "/greenhouses/tan-binh-1/stations"):
        page = farmer.get(path)
        assert page.status_code == 200
        assert BANNER in page.text
    assert "Nhật ký" not in farmer.get("/greenhouses/tan-binh-1").text
    english = farmer.get("/greenhouses?lang=en", follow_redirects=True).text
    assert "You are looking at the farm" in english


def test_the_farmer_waters_and_stops_there(box: Place) -> None:
    farmer = box.client("farmer")
    token = form_token(farmer.get("/greenhouses/tan-binh-1"))
    wish = str(uuid.uuid4())
    form = {"zone": "tan-binh-1-k1", "minutes": "5", "wish": wish, "form_token": token}
    assert farmer.post("/greenhouses/tan-binh-1/water", data=form).status_code == 303
    (offered,) = box.poll()
    body = json.loads(offered["body"])
    assert (body["do"], body["seconds"]) == ("water", 300)
    assert 0 <= body["held"] < 5
    stop = {"wish": str(uuid.uuid4()), "form_token": token}
    assert farmer.post("/greenhouses/stop", data=stop).status_code == 303
    assert [json.loads(o["body"])["do"] for o in box.poll()] == ["stop"]


def test_alerts_are_read_there_and_answered_at_the_cooperative(box: Place) -> None:
    alarm = {"id": "leak-1", "code": "leak", "values": {"flow": 4.0}, "raised_at": 1_790_000_000}
    box.bring(box.row("alarm", alarm=alarm))
    farmer = box.client("farmer")
    page = farmer.get("/alerts")
    assert page.status_code == 200
    assert "Mức báo" not in page.text
    token = form_token(farmer.get("/greenhouses/tan-binh-1"))
    number = uuid.uuid4()
    denied = farmer.post(f"/alerts/{number}/acknowledge", data={"form_token": token})
    assert denied.status_code == 404
    assert ELSEWHERE in denied.text


@pytest.mark.parametrize(
    "path",
    [
        "/records/",
        "/records/planting",
        "/greenhouses/tan-binh-1/diary",
        "/alerts/limits",
        "/alerts/ways",
        "/overview",
        "/open-data/",
        "/t",
        "/voices/",
    ],
)
def test_what_is_written_for_the_cooperative_is_not_there_and_says_where(
    box: Place, path: str
) -> None:
    for user in ("clerk", "admin", "farmer", "officer"):
        page = box.client(user).get(path)
        if page.status_code == 403:  # not for this role anywhere
            continue
        assert page.status_code == 404
        assert ELSEWHERE in page.text
        assert "xin mở trang của hợp tác xã" in page.text


def test_programs_are_told_with_a_code(box: Place) -> None:
    answer = box.ask("/api/v1/lots", user="clerk")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["code"] == "only_at_cooperative"
    assert box.ask("/api/v1/greenhouses").status_code == 200
    assert box.ask("/api/v1/alerts").status_code == 200


def test_nothing_is_there_that_nobody_has_decided(box: Place) -> None:
    """Each route is in a room that was named, or is closed; a new room is closed."""
    with box.app.app_context():
        open_ = {r.endpoint for r in box.app.url_map.iter_rules() if local.is_here(r.endpoint)}
    rooms = {endpoint.partition(".")[0] for endpoint in open_}
    assert rooms == local.ROOMS | {"alerts", "alerts_api", "static"}
    assert open_ & {"alerts.acknowledge", "alerts.limits", "alerts_api.acknowledge"} == set()
    assert open_ >= local.PAGES - {"front"}


def test_a_clerk_comes_in_to_the_greenhouses_and_enrols_people(box: Place) -> None:
    clerk = box.client("clerk")
    assert clerk.get("/", follow_redirects=False).location == "/greenhouses"
    page = clerk.get("/greenhouses")
    assert "Sổ sản xuất" not in page.text
    assert "Cảnh báo" in page.text
    assert clerk.get("/people/new").status_code == 200
    fresh = box.app.test_client()
    token = form_token(fresh.get("/login"))
    form = {"user": "farmer", "password": PASSWORD, "form_token": token}
    assert fresh.post("/login", data=form).location == "/greenhouses"


def test_the_cooperatives_own_pages_have_no_such_banner(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path, secret=SECRET)
    migrations.upgrade(settings)
    place = open_place(settings)
    place.configure()
    page = place.client("farmer").get("/greenhouses/tan-binh-1").text
    assert BANNER not in page
    assert "Nhật ký" in page
    place.close()


def test_a_word_about_a_command_of_the_other_platform_is_taken_and_changes_nothing(
    box: Place,
) -> None:
    outcome = {"id": str(uuid.uuid4()), "state": "done", "code": "stopped", "at": 1_790_000_000}
    row = box.row("command", command=outcome)
    answer = box.bring(row)
    assert answer.json == {"stored": [row["id"]], "refused": []}


def test_an_installer_makes_the_settings_of_a_farm_box(tmp_path: Path) -> None:
    file = tmp_path / "box" / "platform.json"
    made = installation.write_settings(file, "http://192.168.4.1:8090", None, None, local=True)
    assert load(file) == made
    assert (made.local, made.host, made.port) == (True, "0.0.0.0", 8090)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="local must be true or false"):
        checked({"folder": str(tmp_path), "secret": SECRET, "local": "yes"})
