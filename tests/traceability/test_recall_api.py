"""Recalls for programs."""

import uuid

from cooperative import Farm
from platform_site import Site
from selling import account, agree, cartons, holder, ship

from nongso.platform.traceability.moving.goods import Amount


def test_a_program_looks_recalls_and_ends(site: Site, farm: Farm) -> None:
    lot, shop = farm.packed(40).code, holder(farm)
    (box,) = cartons(farm, lot, 10)
    ship(farm, shop, Amount(lot, 5), cartons=(box,))
    seen = site.api(f"/api/v1/recalls/hit?key={lot}").json
    assert seen["lots"][0]["with_holders"] == 15
    assert seen["holders"][0]["cartons"] == [box]
    wish = {"from": "lot", "key": lot, "why": "mốc", "sign": "0" * 32}
    refused = site.api("/api/v1/recalls", wish)
    assert (refused.status_code, refused.json["code"]) == (409, "hit_changed")
    wish |= {"sign": seen["sign"], "outcome": "correct", "id": str(uuid.uuid4())}
    made = site.api("/api/v1/recalls", wish)
    assert made.status_code == 201
    assert site.api("/api/v1/recalls", wish).json["id"] == made.json["id"]
    assert made.json["lots"] == [lot]
    assert made.json["holders"][0]["still_packs"] == 15
    key = made.json["id"]
    assert site.api(f"/api/v1/recalls/{key}", role="officer").json["state"] == "open"
    assert site.api("/api/v1/recalls?state=ended").json["recalls"] == []
    end = {"outcome": "correct", "why": "dán lại tem"}
    assert site.api(f"/api/v1/recalls/{key}/end", end).json["state"] == "ended"
    again = site.api(f"/api/v1/recalls/{key}/end", end)
    assert (again.status_code, again.json["code"]) == (409, "recall_ended")
    where = site.api(f"/api/v1/lots/{lot}/where").json
    assert (where["loose"], where["with_holders"]) == (25, 15)
    assert account(farm, lot) == {"loose": 25, "shipped": 15}
    agree(farm)


def test_nonsense_is_answered_with_what_is_wrong(site: Site, farm: Farm) -> None:
    lot = farm.packed(10).code
    wish = {"from": "lot", "key": lot, "why": "mốc"}
    for wrong, status, code in (
        ({"from": "moon"}, 400, "bad_from"),
        ({"why": ""}, 400, "bad_why"),
        ({"why": " "}, 409, "bad_why"),
        ({"why": "x" * 201}, 400, "bad_why"),
        ({"why": "mốc\x00"}, 409, "bad_why"),
        ({"outcome": "hide"}, 400, "bad_outcome"),
        ({"from": "day", "key": "hôm qua"}, 409, "bad_key"),
        ({"from": "day", "key": "9999-12-31"}, 409, "nothing_hit"),
        ({"key": ""}, 400, "bad_key"),
    ):
        answer = site.api("/api/v1/recalls", {**wish, **wrong})
        assert (answer.status_code, answer.json["code"]) == (status, code)
    answer = site.api("/api/v1/recalls", {**wish, "key": "NOLOT"})
    assert (answer.status_code, answer.json["code"]) == (409, "lot_unknown")
    assert site.api("/api/v1/recalls", wish, role="officer").status_code == 403
