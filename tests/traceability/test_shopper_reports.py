"""A shopper reports a problem without an account; the cooperative answers while a clock runs."""

import re
import time
import uuid

import pytest
from cooperative import Farm, new_id
from platform_site import Site
from sqlalchemy import select
from werkzeug.test import TestResponse

from nongso.platform.alerts.records import Notice, Way
from nongso.platform.people import Person
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode
from nongso.platform.traceability.shopper import reports as shopper_reports
from nongso.platform.traceability.shopper.reports import DAY, ShopperReport, Wish

SAID = "Trong gói có mốc xanh ở hai góc."


@pytest.fixture
def lot(farm: Farm, site: Site) -> str:
    code = farm.packed(20, product=farm.product(name="Miến dong Bình Lư")).code
    farm.do(labelling.issue, labelling.Wish(code, 2), {"text": "Miến"})
    return code


def send(site: Site, lot: str, address: str = "127.0.0.1", **more: str) -> TestResponse:
    sent = {"id": str(uuid.uuid4()), "lot": lot, "kind": "spoiled", "text": SAID, **more}
    return site.stranger.post("/report", data=sent, environ_base={"REMOTE_ADDR": address})


def only(farm: Farm) -> ShopperReport:
    with farm.records.session() as session:
        return session.scalars(select(ShopperReport)).one()


def test_the_page_of_a_lot_leads_to_a_form_about_it(site: Site, lot: str) -> None:
    page = site.stranger.get(f"/t/{lot}").text
    assert f'href="/report?lot={lot}"' in page
    form = site.stranger.get(f"/report?lot={lot}")
    assert lot in form.text
    assert "cán bộ xã nhận một bản" in form.text
    assert "Set-Cookie" not in form.headers
    assert form.headers["Cache-Control"] == "no-store"


def test_a_report_reaches_cooperative_and_officer_and_its_answer_the_shopper(
    site: Site, farm: Farm, lot: str
) -> None:
    sent = send(site, lot, contact="0912 345 678", bought="chợ Tam Đường")
    assert sent.status_code == 303
    seen = site.stranger.get(sent.location)
    assert SAID in seen.text
    assert "chậm nhất ngày" in seen.text
    assert "0912" not in seen.text  # whoever has the address reads it
    assert "noindex" in seen.headers["X-Robots-Tag"]
    key = only(farm).id
    assert "1 phản ánh của người mua chờ trả lời" in site.clerk.get("/records/").text
    page = site.clerk.get(f"/records/shopper-reports/{key}").text
    assert "0912 345 678" in page
    assert "chợ Tam Đường" in page
    answered = site.send(
        f"/records/shopper-reports/{key}", text="Xin lỗi quý khách, sẽ đổi gói khác."
    )
    assert answered.status_code == 303
    assert "sẽ đổi gói khác" in site.stranger.get(sent.location).text
    assert "chờ trả lời" not in site.clerk.get("/records/").text


def test_a_later_answer_stands_below_the_first_and_the_clock_stays_stopped(
    site: Site, farm: Farm, lot: str
) -> None:
    send(site, lot)
    key = only(farm).id
    for text in ("Đang xem lại lô này.", "Đã thu hồi lô này."):
        site.send(f"/records/shopper-reports/{key}", text=text)
    first = only(farm).answered_at
    page = site.clerk.get(f"/records/shopper-reports/{key}").text
    assert page.index("Đang xem lại") < page.index("Đã thu hồi")
    assert first is not None


def test_somebody_who_is_ill_is_answered_within_a_day(site: Site, farm: Farm, lot: str) -> None:
    send(site, lot, kind="illness")
    made = only(farm)
    assert made.due_at - made.at == DAY


def test_clerks_and_officers_are_told_over_their_ways(site: Site, farm: Farm, lot: str) -> None:
    with farm.records.transaction() as session:
        for person in session.scalars(select(Person)):
            session.add(
                Way(
                    id=new_id(),
                    person_id=person.id,
                    kind="mail",
                    target="a@b.example",
                    name="m",
                    language="vi",
                    least_level="warning",
                    created_at=0,
                    worked_at=None,
                    trouble=None,
                )
            )
    send(site, lot)
    with farm.records.session() as session:
        told = session.execute(
            select(Person.role, Notice.title, Notice.text).join(
                Notice, Notice.person_id == Person.id
            )
        ).all()
    assert sorted(role for role, _title, _text in told) == ["clerk", "officer"]
    assert all(lot in text and "Hàng hỏng" in text for _role, _title, text in told)
    assert all(SAID not in text for _role, _title, text in told)
    with farm.records.session() as session:
        links = set(session.scalars(select(Notice.link)))
    assert links == {f"/records/shopper-reports/{only(farm).id}"}
    assert site.clerk.get(links.pop()).status_code == 200


def test_a_code_that_nobody_issued_is_for_the_officer_alone(site: Site, farm: Farm) -> None:
    assert 'href="/report?lot=ABC234"' in site.stranger.get("/t/ABC234").text
    assert send(site, "ABC234", kind="label").status_code == 303
    made = only(farm)
    assert made.cooperative is None
    assert made.lot == "ABC234"
    assert site.clerk.get(f"/records/shopper-reports/{made.id}").status_code == 404


def test_a_pack_s_number_finds_its_lot(site: Site, farm: Farm, lot: str) -> None:
    with farm.records.session() as session:
        serial = session.scalars(select(LabelCode.serial)).first()
    page = site.stranger.get(f"/t/{lot}/{serial}").text
    assert f"serial={serial}" in page
    send(site, serial or "", serial=serial or "")
    assert only(farm).lot == lot


def test_one_address_can_report_only_so_often_and_others_still_can(site: Site, lot: str) -> None:
    for _ in range(shopper_reports.MOST_AN_HOUR):
        assert send(site, lot).status_code == 303
    held = send(site, lot)
    assert held.status_code == 429
    assert "quá nhiều phản ánh" in held.text
    assert SAID in held.text  # nothing has to be typed again
    assert send(site, lot, address="192.0.2.7").status_code == 303


def test_pressed_twice_it_is_one_report(site: Site, farm: Farm, lot: str) -> None:
    id_ = str(uuid.uuid4())
    first, second = (send(site, lot, id=id_) for _ in range(2))
    assert first.location.split("?")[0] == second.location.split("?")[0]
    only(farm)


@pytest.mark.parametrize("field", ["text", "kind", "id"])
def test_what_is_missing_is_said_beside_its_field(site: Site, lot: str, field: str) -> None:
    answer = send(site, lot, **{field: ""})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_another_site_cannot_let_its_visitors_report(site: Site, farm: Farm, lot: str) -> None:
    sent = {"id": str(uuid.uuid4()), "lot": lot, "kind": "spoiled", "text": SAID}
    answer = site.stranger.post("/report", data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 400
    with farm.records.session() as session:
        assert session.scalars(select(ShopperReport)).all() == []


def test_a_late_answer_is_called_late_to_everybody(site: Site, farm: Farm, lot: str) -> None:
    sent = send(site, lot)
    with farm.records.transaction() as session:
        session.scalars(select(ShopperReport)).one().due_at = int(time.time()) - DAY
    assert "Chưa có trả lời đúng hạn" in site.stranger.get(sent.location).text
    assert "1 phản ánh đã quá hạn" in site.clerk.get("/records/").text
    assert "quá hạn từ ngày" in site.clerk.get("/records/shopper-reports").text


def test_who_reported_is_forgotten_some_time_after_the_answer(farm: Farm, lot: str) -> None:
    wish = Wish(lot, "", "spoiled", SAID, "", "0912 345 678")
    with farm.records.transaction() as session:
        old = shopper_reports.report(session, new_id(), wish, "sender", 1_700_000_000)
        shopper_reports.answer(session, old, new_id(), "clerk", "Xin lỗi.", 1_700_000_100)
    with farm.records.transaction() as session:
        shopper_reports.report(session, new_id(), wish, "sender", int(time.time()))
    with farm.records.session() as session:
        kept = session.scalars(select(ShopperReport).order_by(ShopperReport.at)).all()
    assert [(one.contact, one.sender) for one in kept] == [
        ("", ""),
        ("0912 345 678", "sender"),
    ]


def test_the_same_address_is_another_sender_tomorrow() -> None:
    now = 1_800_000_000
    today, tomorrow = (
        shopper_reports.sender_of("k" * 32, "192.0.2.7", at) for at in (now, now + DAY)
    )
    assert today != tomorrow
    assert today == shopper_reports.sender_of("k" * 32, "192.0.2.7", now + 60)
    assert re.fullmatch("[0-9a-f]{32}", today)


def test_a_report_s_number_cannot_be_guessed_by_its_neighbour(site: Site, lot: str) -> None:
    sent = send(site, lot)
    number = sent.location.split("?")[0].rsplit("/", 1)[1]
    assert len(number) == 9
    assert site.stranger.get("/report/" + "2" * 9).status_code == 404
