"""Who may do what: every view says so, and nobody sees another cooperative's farm."""

import re
import uuid

import pytest
from office import KEY, PASSWORD, Place, form_token

from nongso.platform.accounts import rule_of

OURS = ("accounts", "greenhouse", "greenhouse_api", "health", "openapi", "uplink")


def endpoints(place: Place) -> list[str]:
    return sorted({rule.endpoint for rule in place.app.url_map.iter_rules()})


def test_every_view_says_who_may_use_it(place: Place) -> None:
    silent = [e for e in endpoints(place) if rule_of(place.app, e) is None]
    assert silent == []


def test_a_view_that_says_nothing_is_closed_to_everybody(place: Place) -> None:
    place.app.add_url_rule("/forgotten", "forgotten", lambda: "open!")
    for user in (None, "farmer", "admin"):
        assert place.client(user).get("/forgotten").status_code == 403


def _filled(part: str) -> str:
    return {
        "<slug>": "tan-binh-1",
        "<zone_id>": "tan-binh-1-k1",
        "<gateway>": "binh-lu",
        "<path:filename>": "nongso.css",
    }[part]


@pytest.mark.parametrize("user", ["farmer-bac-ha", "clerk-bac-ha"])
def test_another_cooperatives_greenhouse_is_not_there(farm: Place, user: str) -> None:
    wish = {"seconds": 20, "id": str(uuid.uuid4())}
    assert farm.ask("/api/v1/greenhouses", user=user).json == {"greenhouses": []}
    assert (
        farm.ask("/api/v1/series?greenhouse=tan-binh-1&metric=light", user=user).status_code == 404
    )
    assert farm.ask("/api/v1/zones/tan-binh-1-k1/runs", user=user).status_code == 404
    assert farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish, user=user).status_code == 404
    assert farm.ask("/api/v1/stop", {"zone": "tan-binh-1-k1"}, user=user).status_code == 404
    assert farm.client(user).get("/greenhouses/tan-binh-1").status_code == 404
    assert "Tân Bình" not in farm.client(user).get("/greenhouses").text
    assert farm.ask("/api/v1/stop", {}, user=user).json["commands"] == []
    assert farm.poll() == []


def test_a_foreign_wish_is_not_told_about(farm: Place) -> None:
    wish = {"seconds": 20, "id": str(uuid.uuid4())}
    assert farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish).status_code == 202
    page = farm.client("officer").get("/greenhouses/tan-binh-1?said=" + wish["id"])
    assert 'id="said"' in page.text
    farm.bring(
        farm.row("configuration", configuration={"name": "x", "greenhouses": [], "nodes": []})
    )
    page = farm.client("farmer-bac-ha").get("/greenhouses/tan-binh-1?said=" + wish["id"])
    assert page.status_code == 404


def test_officers_see_all_and_open_no_valve(farm: Place) -> None:
    found = farm.ask("/api/v1/greenhouses", user="officer").json
    assert [g["slug"] for g in found["greenhouses"]] == ["tan-binh-1"]
    wish = {"seconds": 20, "id": str(uuid.uuid4())}
    assert farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish, user="officer").status_code == 403
    assert farm.poll() == []
    assert "Tưới 10" not in farm.client("officer").get("/greenhouses/tan-binh-1").text


def test_a_gateway_speaks_only_for_itself(place: Place) -> None:
    other = place.bring(gateway="bac-ha")
    assert other.status_code == 403
    assert place.bring(key="x" * 40).status_code == 401
    people_token = place.bring(key=place.tokens["admin"])
    assert people_token.status_code == 403
    gateway_at_people = place.app.test_client().get(
        "/api/v1/greenhouses",
        headers={"Authorization": "Bearer " + KEY},
    )
    assert gateway_at_people.status_code == 403


def test_nothing_changes_without_the_forms_own_token(farm: Place) -> None:
    client = farm.client("farmer")
    body = {"zone": "tan-binh-1-k1", "minutes": "5", "wish": str(uuid.uuid4())}
    for sent in ({}, {"form_token": "0" * 64}):
        answer = client.post("/greenhouses/tan-binh-1/water", data={**body, **sent})
        assert answer.status_code == 400
        assert "Chưa ghi gì cả" in answer.text
    stolen = form_token(farm.client("clerk").get("/greenhouses/tan-binh-1"))
    answer = client.post("/greenhouses/tan-binh-1/water", data={**body, "form_token": stolen})
    assert answer.status_code == 400
    own = form_token(client.get("/greenhouses/tan-binh-1"))
    elsewhere = client.post(
        "/greenhouses/tan-binh-1/water",
        data={**body, "form_token": own},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert elsewhere.status_code == 400
    assert farm.poll() == []
    assert (
        client.post("/greenhouses/tan-binh-1/water", data={**body, "form_token": own}).status_code
        == 303
    )
    assert len(farm.poll()) == 1


def test_no_get_writes_anything(farm: Place) -> None:
    client = farm.client("admin")
    before = farm.records.version(), farm.telemetry.version()
    for url in farm.app.url_map.iter_rules():
        if url.endpoint.split(".")[0] in OURS and "GET" in (url.methods or set()):
            if url.endpoint == "uplink.offer":
                continue  # notes when the gateway was heard last
            client.get(re.sub(r"<[^>]+>", lambda m: _filled(m.group(0)), url.rule))
    assert (farm.records.version(), farm.telemetry.version()) == before


def test_a_cookie_is_dead_after_logging_out(place: Place) -> None:
    client = place.client("farmer")
    stolen = client.get_cookie("nongso_log_in")
    assert stolen is not None
    page = client.get("/greenhouses")
    assert page.status_code == 200
    assert client.post("/logout", data={"form_token": form_token(page)}).status_code == 303
    thief = place.app.test_client()
    thief.set_cookie("nongso_log_in", stolen.value)
    assert thief.get("/greenhouses").status_code == 303


def test_a_person_who_was_switched_off_is_out_at_once(place: Place) -> None:
    client = place.client("farmer")
    assert client.get("/greenhouses").status_code == 200
    with place.records.transaction() as session:
        from nongso.platform import people

        person = people.find_person(session, "farmer")
        assert person is not None
        person.active = False
    assert client.get("/greenhouses").status_code == 303
    assert place.ask("/api/v1/greenhouses").status_code == 401


def test_each_log_in_has_its_own_secret(place: Place) -> None:
    first, second = place.client("farmer"), place.client("farmer")
    one, two = first.get_cookie("nongso_log_in"), second.get_cookie("nongso_log_in")
    assert one is not None
    assert two is not None
    assert one.value != two.value
    assert one.http_only
    assert one.same_site == "Lax"
    assert len(one.value) >= 43


@pytest.mark.parametrize(
    "next_page",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"],
)
def test_logging_in_leads_to_no_foreign_page(place: Place, next_page: str) -> None:
    client = place.client()
    token = form_token(client.get("/login"))
    answer = client.post(
        "/login",
        data={"user": "farmer", "password": PASSWORD, "next": next_page, "form_token": token},
    )
    assert answer.location == "/greenhouses"


def test_logging_in_leads_back_to_the_wished_page(place: Place) -> None:
    client = place.client()
    asked = client.get("/greenhouses/tan-binh-1?day=2026-11-01")
    assert asked.location == "/login?next=/greenhouses/tan-binh-1?day%3D2026-11-01"
    page = client.get(asked.location)
    answer = client.post(
        "/login",
        data={
            "user": "Farmer ",
            "password": PASSWORD,
            "next": "/greenhouses/tan-binh-1?day=2026-11-01",
            "form_token": form_token(page),
        },
    )
    assert answer.location == "/greenhouses/tan-binh-1?day=2026-11-01"


def guess(place: Place, user: str, address: str, password: str = "wrong") -> int:
    client = place.app.test_client()
    where = {"REMOTE_ADDR": address}
    token = form_token(client.get("/login", environ_base=where))
    body = {"user": user, "password": password, "form_token": token}
    return client.post("/login", data=body, environ_base=where).status_code


def test_guessing_ends_soon_and_the_owner_still_gets_in(place: Place) -> None:
    assert guess(place, "farmer", "192.0.2.1", PASSWORD) == 303
    for n in range(60):
        guess(place, "farmer", f"198.51.100.{n}")
    assert guess(place, "farmer", "198.51.100.99", PASSWORD) == 429
    assert guess(place, "farmer", "192.0.2.1", PASSWORD) == 303
    for _ in range(21):
        last = guess(place, "nobody", "203.0.113.5")
    assert last == 429


def test_a_wrong_name_and_a_wrong_password_look_the_same(place: Place) -> None:
    client = place.client()
    token = form_token(client.get("/login"))
    answers = [
        client.post("/login", data={"user": user, "password": "wrong", "form_token": token})
        for user in ("farmer", "nobody")
    ]
    texts = {a.text.replace("farmer", "X").replace("nobody", "X") for a in answers}
    assert {a.status_code for a in answers} == {401}
    assert len(texts) == 1
