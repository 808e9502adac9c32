"""Lots and labels for programs."""

from cooperative import Farm, new_id
from platform_site import Site

from nongso.labels import check, layout


def test_lots_are_listed_with_what_they_are(site: Site, farm: Farm) -> None:
    lot = farm.packed(180, product=farm.product()).code
    found = {one["lot"]: one for one in site.api("/api/v1/lots").json["lots"]}
    assert found[lot]["packs"] == 180
    assert found[lot]["product"]["kind"] == "noodles"
    assert found[lot]["state"] == "packed"
    assert found[lot]["labels"] == {"issued": 0, "spoiled": 0, "left": 180}
    one = site.api(f"/api/v1/lots/{lot}").json
    assert [law["total"] for law in one.pop("legal")] == [10, 11]
    assert one == found[lot]
    roots = site.api("/api/v1/lots?kind=roots").json["lots"]
    assert [(one["kind"], one["state"], one["made_kg"]) for one in roots] == [
        ("roots", "used_up", 720.0)
    ]
    assert site.api("/api/v1/lots/ZZZZZZ").status_code == 404


def test_a_lot_is_traced_both_ways(site: Site, farm: Farm) -> None:
    lot = farm.packed(2).code
    back = site.api(f"/api/v1/lots/{lot}/trace?direction=back").json
    assert [one["kind"] for one in back["lots"]] == ["packs", "noodles", "starch", "roots"]
    assert [flow["kg"] for flow in back["flows"]] == [1.0, 1.0, 8.0]
    roots = back["lots"][-1]["lot"]
    forward = site.api(f"/api/v1/lots/{roots}/trace?direction=forward").json
    assert [one["depth"] for one in forward["lots"]] == [0, 1, 2, 3]
    assert forward["lots"][-1]["lot"] == lot
    assert site.api(f"/api/v1/lots/{lot}/trace?direction=up").status_code == 400


def test_labels_are_issued_printed_and_counted(site: Site, farm: Farm) -> None:
    lot = farm.packed(30).code
    body = {"count": 24, "layout": "a4-3x8", "start_cell": 3, "id": new_id()}
    answer = site.api(f"/api/v1/lots/{lot}/labels", body)
    assert answer.status_code == 201
    issued = answer.json
    assert issued["range"] == {"first": 1, "last": 24}
    pdf = site.api(issued["pdf"])
    assert pdf.content_type == "application/pdf"
    assert check.check(pdf.data, issued["codes"], layout.find("a4-3x8"), 3) == 2
    assert site.api(f"/api/v1/lots/{lot}/labels", body).json == issued, "sent again"
    refused = site.api(f"/api/v1/lots/{lot}/labels", {"count": 7})
    assert refused.status_code == 409
    assert refused.content_type == "application/problem+json"
    assert refused.json["code"] == "too_many_labels"
    assert refused.json["detail"].startswith("Không in được 7 tem: lô này có 30 gói")
    assert site.api(f"/api/v1/lots/{lot}/labels", {"count": 6}).status_code == 201


WRONG = (
    ({}, 400),
    ({"count": 0}, 400),
    ({"count": -1}, 400),
    ({"count": "24"}, 400),
    ({"count": True}, 400),
    ({"count": 1.5}, 400),
    ({"count": 10**9}, 400),
    ([], 400),
    ({"count": 1, "id": "x"}, 400),
    ({"count": 1, "start_cell": 0}, 400),
    ({"count": 1, "start_cell": 25}, 409),
    ({"count": 1, "layout": "../../x"}, 409),
    ({"count": 100_000}, 409),
)


def test_a_wrong_wish_is_answered_with_a_reason(site: Site, farm: Farm) -> None:
    lot = farm.packed(2).code
    for body, status in WRONG:
        answer = site.api(f"/api/v1/lots/{lot}/labels", body)
        assert answer.status_code == status, body
        assert answer.json["detail"]
    assert farm.lot(lot).labels == 0


def test_only_a_clerk_issues_labels(site: Site, farm: Farm) -> None:
    lot = farm.packed(2).code
    for role, status in (("farmer", 403), ("officer", 403)):
        assert site.api(f"/api/v1/lots/{lot}/labels", {"count": 1}, role).status_code == status
    assert site.api("/api/v1/lots", role="officer").status_code == 200
    assert site.stranger.get("/api/v1/lots").status_code == 401
