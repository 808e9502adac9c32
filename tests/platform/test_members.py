"""People and their accounts: coming in by paper, devices, second factor, help, keys, leaving."""

import csv
import io
import json
import re
import time
import uuid

import pytest
from flask.testing import FlaskClient
from office import NODE_1, PASSWORD, Place, form_token
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from nongso.platform import consent, people, second_factor
from nongso.platform.alerts.records import AlertEvent, Notice, Way
from nongso.platform.alerts.watch import Watch
from nongso.platform.audit import DEEDS, Deed
from nongso.platform.greenhouse.records import Command
from nongso.platform.members import audit_pages
from nongso.platform.people import LogIn, Person

WATER = "/greenhouses/tan-binh-1/water"


def send(client: FlaskClient, path: str, page: str = "", **fields: object) -> TestResponse:
    """Send a form as a browser does, with the token of the page on which it stands."""
    token = form_token(client.get(page or path))
    return client.post(path, data={**fields, "form_token": token})


def person_of(place: Place, user: str) -> Person:
    with place.records.session() as session:
        found = people.find_person(session, user)
        assert found is not None
        return found


def deeds(place: Place) -> list[str]:
    with place.records.session() as session:
        return list(session.scalars(select(Deed.what).order_by(Deed.number)))


def code_for(place: Place, user: str, by: str = "clerk") -> tuple[str, str]:
    """Have a code printed; return the QR's address and the digits."""
    client = place.client(by)
    key = person_of(place, user).id
    page = send(client, f"/people/{key}/code", f"/people/{key}", hours="24")
    assert page.status_code == 200, page.text
    digits = re.search(r'class="digits">(\d{6})<', page.text)
    assert digits is not None
    return page.text, digits.group(1)


def secret_of(place: Place, monkeypatch: pytest.MonkeyPatch, user: str, by: str = "clerk") -> str:
    """Have a code printed and read the QR with our eyes closed: from the text it is drawn of."""
    from nongso.platform.members import people_pages

    seen: list[str] = []
    drawn = people_pages.picture
    monkeypatch.setattr(people_pages, "picture", lambda t: (seen.append(t), drawn(t))[1])
    code_for(place, user, by)
    return seen[0].rpartition("/enter/")[2]


# --- coming in by paper -----------------------------------------------------------------------


def test_a_farmer_is_added_and_comes_in_with_the_printed_digits(place: Place) -> None:
    clerk = place.client("clerk")
    page = send(clerk, "/people/new", name="Mùa  A Sử", user="", role="farmer", hours="72")
    assert "muaasu" in page.text
    digits = re.search(r'class="digits">(\d{6})<', page.text)
    assert digits is not None
    phone = place.client()
    come = {"user": "muaasu", "digits": digits.group(1), "new": "407193", "again": "407193"}
    assert send(phone, "/enter", **come).location == "/greenhouses"
    assert phone.get("/greenhouses").status_code == 200
    assert send(place.client(), "/enter", **come).status_code == 401  # works once
    other = place.client()
    entered = send(other, "/login", user="muaasu", password="407193")
    assert entered.location == "/greenhouses"
    assert {"person_added", "code_made", "enrolled"} <= set(deeds(place))
    assert person_of(place, "muaasu").cooperative == "binh-lu"


def test_the_qr_opens_the_same_door_and_looking_at_it_uses_nothing_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = secret_of(place, monkeypatch, "farmer")
    for _ in range(3):  # a chat program looks at links before anybody does
        assert "Chào Farmer" in place.client().get(f"/enter/{secret}").text
    old_phone = place.client("farmer")
    phone = place.client()
    weak = send(phone, f"/enter/{secret}", new="111111", again="111111")
    assert weak.status_code == 422
    assert "dễ đoán" in weak.text
    assert send(phone, f"/enter/{secret}", new="407193", again="407193").status_code == 303
    assert phone.get("/me").status_code == 200
    assert old_phone.get("/me").status_code == 303  # whoever held the lost phone is out
    assert place.client().get(f"/enter/{secret}").status_code == 404


def test_digits_die_after_five_wrong_tries_and_the_qr_does_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = secret_of(place, monkeypatch, "farmer")
    with place.records.session() as session:
        from nongso.platform.entry_codes import EntryCode

        assert session.scalar(select(func.count()).select_from(EntryCode)) == 1
    for _ in range(5):
        wrong = send(
            place.client(), "/enter", user="farmer", digits="000000", new="407193", again="407193"
        )
        assert wrong.status_code == 401
    with place.records.session() as session:
        assert session.scalar(select(EntryCode.wrong)) == 5
    assert send(place.client(), f"/enter/{secret}", new="407193", again="407193").location


def test_who_sends_a_used_code_again_is_told_to_try_the_pin_that_was_set(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the first sending may have been lost on the way."""
    new, hint = {"new": "407193", "again": "407193"}, "xin thử đăng nhập bằng mã PIN đó"
    come = {"user": "farmer", "digits": code_for(place, "farmer")[1], **new}
    assert send(place.client(), "/enter", **come).status_code == 303
    assert hint in send(place.client(), "/enter", **come).text
    secret = secret_of(place, monkeypatch, "farmer")
    heard, unheard = place.client(), place.client()
    token = form_token(unheard.get(f"/enter/{secret}"))
    assert send(heard, f"/enter/{secret}", **new).status_code == 303
    again = unheard.post(f"/enter/{secret}", data={"form_token": token, **new})
    assert hint in again.text
    assert send(place.client(), "/login", user="farmer", password="407193").status_code == 303


def test_an_old_or_replaced_code_opens_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = secret_of(place, monkeypatch, "farmer")
    second = secret_of(place, monkeypatch, "farmer")
    assert place.client().get(f"/enter/{first}").status_code == 404
    with place.records.transaction() as session:
        session.execute(text("UPDATE entry_code SET expires_at = 1"))
    assert place.client().get(f"/enter/{second}").status_code == 404


def test_a_clerk_looks_after_farmers_and_helpers_only(place: Place) -> None:
    clerk = place.client("clerk")
    for user, status in (
        ("farmer", 200),
        ("helper", 200),
        ("clerk", 404),
        ("admin", 404),
        ("officer", 404),
        ("farmer-bac-ha", 404),
    ):
        assert clerk.get(f"/people/{person_of(place, user).id}").status_code == status, user
    made = send(clerk, "/people/new", name="X", user="x-y", role="admin", hours="24")
    assert made.status_code == 422
    with place.records.session() as session:
        assert people.find_person(session, "x-y") is None


def test_disabling_ends_everything_at_once_and_can_be_taken_back(place: Place) -> None:
    phone, clerk = place.client("farmer"), place.client("clerk")
    key = person_of(place, "farmer").id
    assert send(clerk, f"/people/{key}/active", f"/people/{key}", active="no").status_code == 303
    assert phone.get("/greenhouses").status_code == 303
    assert place.ask("/api/v1/greenhouses").status_code == 401
    send(clerk, f"/people/{key}/active", f"/people/{key}", active="yes")
    assert place.client("farmer").get("/greenhouses").status_code == 200


# --- devices and passwords --------------------------------------------------------------------


def test_each_device_can_be_logged_out_from_another(place: Place) -> None:
    here, there = place.client("farmer"), place.client("farmer")
    page = here.get("/me/devices").text
    handles = re.findall(r'name="device" value="(\w+)"', page)
    assert len(handles) == 1
    assert send(here, "/me/devices/end", "/me/devices", device=handles[0]).status_code == 303
    assert there.get("/me").status_code == 303
    assert here.get("/me").status_code == 200
    stranger = place.client("clerk")
    assert send(stranger, "/me/devices/end", "/me/devices", device="0" * 16).status_code == 404


def test_logging_out_everywhere_means_everywhere(place: Place) -> None:
    phones = [place.client("farmer") for _ in range(3)]
    send(phones[0], "/me/devices/end-all", "/me/devices")
    assert [phone.get("/me").status_code for phone in phones] == [303, 303, 303]


def test_a_new_password_needs_the_old_one_and_ends_the_other_devices(place: Place) -> None:
    here, there = place.client("farmer"), place.client("farmer")
    new = {"new": "407193", "again": "407193"}
    wrong = send(here, "/me/password", old="not it", **new)
    assert wrong.status_code == 422
    assert send(here, "/me/password", old=PASSWORD, **new).status_code == 303
    assert here.get("/me").status_code == 200
    assert there.get("/me").status_code == 303
    assert send(place.client(), "/login", user="farmer", password=PASSWORD).status_code == 401


def test_a_stolen_cookie_is_dead_after_logging_out(place: Place) -> None:
    phone = place.client("farmer")
    stolen = phone.get_cookie("nongso_log_in")
    assert stolen is not None
    thief = place.app.test_client()
    thief.set_cookie("nongso_log_in", stolen.value)
    assert thief.get("/me").status_code == 200
    send(phone, "/logout", "/me")
    assert thief.get("/me").status_code == 303


# --- the second factor ------------------------------------------------------------------------


def test_a_password_alone_lets_no_clerk_in(place: Place) -> None:
    client = place.client()
    assert send(client, "/login", user="clerk", password=PASSWORD).location == "/login/second"
    for path in ("/records/", "/me", "/people", "/greenhouses"):
        assert client.get(path).status_code == 303
    assert place.second(client, "clerk").location == "/records/"
    assert client.get("/people").status_code == 200


def test_a_code_works_once(place: Place) -> None:
    with place.records.session() as session:
        secret = second_factor.secret_of(session, person_of(place, "clerk"))
    assert secret is not None
    code = second_factor.code(secret, int(time.time()))
    answers = []
    for _ in range(2):
        client = place.client()
        send(client, "/login", user="clerk", password=PASSWORD)
        answers.append(send(client, "/login/second", code=code).status_code)
    assert answers == [303, 401]


def test_a_recovery_code_works_once_instead(place: Place) -> None:
    with place.records.transaction() as session:
        person = people.find_person(session, "clerk")
        assert person is not None
        codes = second_factor.new_recovery_codes(session, person)
    answers = []
    for typed in (codes[0].upper(), codes[0], codes[1]):
        client = place.client()
        send(client, "/login", user="clerk", password=PASSWORD)
        answers.append(send(client, "/login/second", code=typed).status_code)
    assert answers == [303, 401, 303]
    assert deeds(place).count("recovery_used") == 2


def test_codes_of_the_second_factor_cannot_be_guessed_either(place: Place) -> None:
    answers = []
    for n in range(14):
        client = place.client()
        send(client, "/login", user="clerk", password=PASSWORD)
        answers.append(send(client, "/login/second", code=f"{n:06d}").status_code)
    assert answers == [401] * 10 + [429] * 4


def test_a_clerk_without_a_second_factor_sets_it_up_at_the_first_log_in(place: Place) -> None:
    admin = place.client("admin")
    key = person_of(place, "clerk").id
    send(admin, f"/people/{key}/second", f"/people/{key}")
    client = place.client()
    assert send(client, "/login", user="clerk", password=PASSWORD).location == "/login/setup"
    page = client.get("/login/setup").text
    found = re.search(r'class="secret">(\w+)<', page)
    assert found is not None
    assert client.get("/people").status_code == 303
    assert send(client, "/login/setup", code="12").status_code == 422
    code = second_factor.code(found.group(1), int(time.time()))
    done = send(client, "/login/setup", code=code)
    assert len(re.findall(r"<code>(\w{4}-\w{4}-\w{4})</code>", done.text)) == 10
    assert client.get("/people").status_code == 200


def test_a_farmer_may_have_a_second_factor_too(place: Place) -> None:
    phone = place.client("farmer")
    assert send(phone, "/me/second", do="new", old=PASSWORD).location == "/me/second/new"
    found = re.search(r'class="secret">(\w+)<', phone.get("/me/second/new").text)
    assert found is not None
    code = second_factor.code(found.group(1), int(time.time()))
    assert "Mã dự phòng" in send(phone, "/me/second/new", code=code).text
    again = place.app.test_client()
    assert send(again, "/login", user="farmer", password=PASSWORD).location == "/login/second"


# --- help -------------------------------------------------------------------------------------


def helped(place: Place, *allowed: str) -> tuple[FlaskClient, FlaskClient]:
    """A farmer's phone and a helper's, after the code went from one to the other."""
    farmer, helper = place.client("farmer"), place.client("helper")
    page = send(farmer, "/me/help", hours="2", deed=list(allowed))
    code = re.search(r'class="digits">(\d{4} \d{4})<', page.text)
    assert code is not None
    begun = send(helper, "/help/code", "/help", code=code.group(1))
    assert begun.location == "/greenhouses", begun.text
    return farmer, helper


def press_water(client: FlaskClient) -> int:
    fields = {"zone": "tan-binh-1-k1", "minutes": "5", "wish": str(uuid.uuid4())}
    return send(client, WATER, "/greenhouses/tan-binh-1", **fields).status_code


def test_a_helper_sees_nothing_before_the_farmer_agrees(farm: Place) -> None:
    helper = farm.client("helper")
    assert helper.get("/greenhouses").status_code == 403
    assert farm.ask("/api/v1/greenhouses", user="helper").status_code == 403
    _farmer, helping = helped(farm)
    page = helping.get("/greenhouses/tan-binh-1").text
    assert "Đang làm hộ Farmer" in page
    assert "Tưới 5 phút" not in page
    assert "Dừng tất cả" in page


def test_a_helper_opens_water_only_if_the_farmer_said_so(farm: Place) -> None:
    _farmer, helper = helped(farm, "records")
    assert press_water(helper) == 403
    assert farm.poll() == []
    _farmer, helper = helped(farm, "water")
    assert press_water(helper) == 303
    (ordered,) = farm.poll()
    assert json.loads(ordered["body"])["by"] == "Helper (nhập hộ Farmer)"
    with farm.records.session() as session:
        (deed,) = session.scalars(select(Deed).where(Deed.what == "water"))
        assert deed.person == person_of(farm, "farmer").id
        assert deed.helper == person_of(farm, "helper").id


def test_a_helper_can_always_stop_water(farm: Place) -> None:
    _farmer, helper = helped(farm)
    sent = send(helper, "/greenhouses/stop", "/greenhouses", wish=str(uuid.uuid4()))
    assert sent.status_code == 303
    assert [json.loads(c["body"])["do"] for c in farm.poll()] == ["stop"]


def test_the_farmer_sees_who_helps_and_ends_it_at_once(farm: Place) -> None:
    farmer, helper = helped(farm, "water")
    page = farmer.get("/me/help").text
    assert "Helper" in page
    assert "bấm tưới nước" in page
    found = re.search(r'name="consent" value="([\w-]+)"', page)
    assert found is not None
    token = form_token(helper.get("/greenhouses/tan-binh-1"))
    assert send(farmer, "/me/help/end", "/me/help", consent=found.group(1)).status_code == 303
    fields = {"zone": "tan-binh-1-k1", "minutes": "5", "wish": str(uuid.uuid4())}
    late = helper.post(WATER, data={**fields, "form_token": token})
    assert late.status_code == 403
    assert helper.get("/greenhouses").status_code == 403
    assert helper.get("/help").status_code == 200
    assert farm.poll() == []


def test_help_ends_by_itself_and_by_the_helper(farm: Place) -> None:
    _farmer, helper = helped(farm)
    with farm.records.transaction() as session:
        session.execute(text("UPDATE consent SET ends_at = 1"))
    assert helper.get("/greenhouses").status_code == 403
    _farmer, helper = helped(farm)
    assert send(helper, "/help/end", "/greenhouses").location == "/help"
    assert helper.get("/greenhouses").status_code == 403
    assert "help_ended" in deeds(farm)


def test_a_helper_never_reaches_the_farmers_account(farm: Place) -> None:
    _farmer, helper = helped(farm, "water", "records")
    for path in ("/me", "/me/password", "/me/tokens", "/me/help", "/me/record", "/me/devices"):
        assert helper.get(path).status_code == 403, path


def test_a_code_is_for_the_own_cooperative_and_for_once(farm: Place) -> None:
    page = send(farm.client("farmer"), "/me/help", hours="1")
    found = re.search(r'class="digits">(\d{4} \d{4})<', page.text)
    assert found is not None
    elsewhere = farm.client("helper-bac-ha")
    assert send(elsewhere, "/help/code", "/help", code=found.group(1)).status_code == 422
    assert send(farm.client("helper"), "/help/code", "/help", code=found.group(1)).location
    again = send(farm.client("helper"), "/help/code", "/help", code=found.group(1))
    assert again.status_code == 422


def test_a_farmer_without_a_phone_types_the_pin_on_the_helpers(farm: Place) -> None:
    helper = farm.client("helper")
    wish = {"user": "farmer", "hours": "1", "deed": "water"}
    assert send(helper, "/help/pin", "/help", secret="wrong", **wish).status_code == 422
    assert send(helper, "/help/pin", "/help", secret=PASSWORD, **wish).status_code == 303
    assert press_water(helper) == 303


def test_codes_for_helping_cannot_be_guessed(farm: Place) -> None:
    send(farm.client("farmer"), "/me/help", hours="1")
    helper = farm.client("helper")
    answers = [send(helper, "/help/code", "/help", code=f"{n:08d}").status_code for n in range(12)]
    assert answers == [422] * 10 + [429] * 2
    assert consent.CODE_SECONDS <= 900


# --- the PIN before water ---------------------------------------------------------------------


def test_the_pin_before_water_is_asked_on_every_phone_of_its_person(farm: Place) -> None:
    first, other = farm.client("farmer"), farm.client("farmer")
    assert send(first, "/me/pin", pin="270495", old=PASSWORD, do="set").status_code == 303
    assert press_water(other) == 403
    assert press_water(farm.client("farmer")) == 403, "nor does a new log-in go past it"


def test_a_shared_phone_asks_for_the_pin_before_water_and_never_before_stopping(
    farm: Place,
) -> None:
    phone = farm.client("farmer")
    assert send(phone, "/me/pin", do="set", pin="582047", old=PASSWORD).status_code == 303
    assert 'name="pin"' in phone.get("/greenhouses/tan-binh-1").text
    fields = {"zone": "tan-binh-1-k1", "minutes": "5", "wish": str(uuid.uuid4())}
    page = "/greenhouses/tan-binh-1"
    for pin in ("", "000000"):
        refused = send(phone, WATER, page, pin=pin, **fields)
        assert refused.status_code == 403
        assert "Chưa tưới" in refused.text
    assert farm.poll() == []
    assert send(phone, "/greenhouses/stop", page, wish=str(uuid.uuid4())).status_code == 303
    assert [json.loads(c["body"])["do"] for c in farm.poll()] == ["stop"]
    assert send(phone, WATER, page, pin="582047", **fields).status_code == 303
    assert "pin_failed" in deeds(farm)


def test_another_role_ends_the_printed_code(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = secret_of(place, monkeypatch, "farmer")
    key = person_of(place, "farmer").id
    send(place.client("admin"), f"/people/{key}/role", f"/people/{key}", role="clerk")
    assert place.client().get(f"/enter/{secret}").status_code == 404


@pytest.mark.parametrize("whose", ["farmer", "helper"])
def test_another_role_ends_the_help_for_good(farm: Place, whose: str) -> None:
    farmer, _helper = helped(farm, "records", "water")
    send(farmer, "/me/help", hours="2")  # and one that nobody has taken up
    key = person_of(farm, whose).id
    there, back = ("clerk", "farmer") if whose == "farmer" else ("farmer", "helper")
    admin = farm.client("admin")
    send(admin, f"/people/{key}/role", f"/people/{key}", role=there)
    now = int(time.time())
    with farm.records.session() as session:
        held = list(session.scalars(select(consent.Consent)))
        assert [one for one in held if one.holds(now)] == []
        of_this = [one for one in held if key in (one.farmer_id, one.helper_id)]
        assert [one for one in of_this if one.code_hash is not None] == []
    send(admin, f"/people/{key}/role", f"/people/{key}", role=back)
    assert _helper.get("/greenhouses").status_code in (303, 403)


def test_a_helper_never_acts_as_somebody_who_is_no_farmer(farm: Place) -> None:
    farmer, helper = helped(farm, "records", "water")
    page = send(farmer, "/me/help", hours="2").text
    code = re.search(r'class="digits">(\d{4} \d{4})<', page)
    assert code is not None
    with farm.records.transaction() as session:  # however it came about
        session.execute(text("UPDATE person SET role = 'clerk' WHERE \"user\" = 'farmer'"))
    assert helper.get("/greenhouses").status_code == 403
    assert send(helper, "/help/code", "/help", code=code.group(1)).status_code == 422


# --- keys for programs ------------------------------------------------------------------------


def test_a_key_may_what_was_ticked_and_dies_when_revoked(farm: Place) -> None:
    client = farm.client("farmer")
    made = send(client, "/me/tokens", name="bảng tính", scope="read", days="30", old=PASSWORD)
    found = re.search(r"(nst_[\w-]{40,})", made.text)
    assert found is not None
    farm.tokens["sheet"] = found.group(1)
    assert found.group(1) not in client.get("/me/tokens").text
    wish = {"seconds": 20, "id": str(uuid.uuid4())}
    assert farm.ask("/api/v1/greenhouses", user="sheet").status_code == 200
    refused = farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish, user="sheet")
    assert refused.status_code == 403
    assert "'water'" in refused.json["detail"]
    assert farm.ask("/api/v1/stop", {}, user="sheet").status_code == 403
    handles = re.findall(r'name="token" value="(\w+)"', client.get("/me/tokens").text)
    for handle in handles:
        assert send(client, "/me/tokens/end", "/me/tokens", token=handle).status_code == 303
    assert farm.ask("/api/v1/greenhouses", user="sheet").status_code == 401


@pytest.mark.parametrize("deed", ["password", "everywhere", "paper", "role", "clerk", "second"])
def test_whoever_takes_an_account_back_ends_its_keys_too(farm: Place, deed: str) -> None:
    assert farm.ask("/api/v1/greenhouses").status_code == 200
    key, client = person_of(farm, "farmer").id, farm.client("farmer")
    if deed == "password":
        assert "cũng phải lấy khóa mới" in client.get("/me/password").text
        send(client, "/me/password", old=PASSWORD, new="407193", again="407193")
    elif deed == "everywhere":
        assert "cũng phải lấy khóa mới" in client.get("/me/devices").text
        send(client, "/me/devices/end-all", "/me/devices")
    elif deed == "paper":
        _page, digits = code_for(farm, "farmer")
        new = {"user": "farmer", "digits": digits, "new": "407193", "again": "407193"}
        assert "cũng phải lấy khóa mới" in farm.client().get("/enter").text
        assert send(farm.client(), "/enter", **new).status_code == 303
    elif deed == "role":
        admin = farm.client("admin")
        assert "cũng phải lấy khóa mới" in admin.get(f"/people/{key}").text
        send(admin, f"/people/{key}/role", f"/people/{key}", role="helper")
    elif deed == "clerk":
        send(farm.client("clerk"), f"/people/{key}/devices", f"/people/{key}", device="all")
    else:
        send(farm.client("admin"), f"/people/{key}/second", f"/people/{key}")
    assert farm.ask("/api/v1/greenhouses").status_code == 401
    assert farm.ask("/api/v1/greenhouses", user="clerk").status_code == 200  # nobody else's


def test_one_device_is_logged_out_and_the_keys_stay(farm: Place) -> None:
    phone, other = farm.client("farmer"), farm.client("farmer")
    handles = re.findall(r'name="device" value="(\w+)"', other.get("/me/devices").text)
    assert send(other, "/me/devices/end", "/me/devices", device=handles[0]).status_code == 303
    assert phone.get("/me").status_code == 303
    assert farm.ask("/api/v1/greenhouses").status_code == 200


@pytest.mark.parametrize("typed", ["²", "２４", "٢٤", "9" * 5000, "-1", "1.5", ""])
def test_a_number_that_is_none_is_answered_with_a_sentence(farm: Place, typed: str) -> None:
    farmer, clerk = farm.client("farmer"), farm.client("clerk")
    help_page = send(farmer, "/me/help", hours=typed)
    assert help_page.status_code == 422
    assert "Xin chọn trong mấy giờ." in help_page.text
    key_page = send(farmer, "/me/tokens", name="x", scope="read", days=typed, old=PASSWORD)
    assert key_page.status_code == 422
    assert "thời hạn" in key_page.text
    key = person_of(farm, "farmer").id
    code_page = send(clerk, f"/people/{key}/code", f"/people/{key}", hours=typed)
    assert code_page.status_code == 422
    assert "Xin chọn mã dùng được mấy ngày." in code_page.text
    new = {"name": "Lò Thị Mai", "user": "", "role": "farmer", "hours": typed}
    form = send(clerk, "/people/new", **new)
    assert form.status_code == 422
    assert "Xin chọn mã dùng được mấy ngày." in form.text
    with farm.records.session() as session:
        assert people.find_person(session, "lothimai") is None


@pytest.mark.parametrize("typed", ["²²²²²²", "１２３４５６", "٢٤٢٤٢٤", "12345²"])
def test_odd_digits_are_only_a_wrong_code(place: Place, typed: str) -> None:
    secret, now = second_factor.new_secret(), int(time.time())
    assert second_factor.step_of(secret, typed, now) is None
    client = place.app.test_client()
    half = {"user": "clerk", "password": PASSWORD}
    assert send(client, "/login", **half).location == "/login/second"
    assert send(client, "/login/second", code=typed).status_code == 401
    entered = {"user": "farmer", "digits": typed, "new": "407193", "again": "407193"}
    assert send(place.client(), "/enter", **entered).status_code == 401


def test_a_key_past_its_day_is_dead(farm: Place) -> None:
    with farm.records.transaction() as session:
        session.execute(text("UPDATE api_token SET expires_at = 1"))
    assert farm.ask("/api/v1/greenhouses").status_code == 401


def test_every_call_of_the_api_names_its_scope(place: Place) -> None:
    from nongso.platform.accounts import GATEWAY, rule_of

    silent = [
        url.rule
        for url in place.app.url_map.iter_rules()
        if url.rule.startswith("/api/v1/")
        and (rule := rule_of(place.app, url.endpoint)) is not None
        and not (rule.public or rule.roles == (GATEWAY,) or rule.scope)
    ]
    assert silent == []
    document = place.client().get("/api/v1/openapi.json").json
    water = document["paths"]["/api/v1/zones/{zone_id}/water"]["post"]
    assert water["security"] == [{"token": ["water"]}]


# --- the audit --------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", ["UPDATE audit SET what = 'x'", "DELETE FROM audit"])
def test_a_line_of_the_audit_can_be_neither_changed_nor_deleted(place: Place, deed: str) -> None:
    place.client("farmer")
    with (
        pytest.raises(IntegrityError, match="append-only"),
        place.records.transaction() as session,
    ):
        session.execute(text(deed))


def test_a_cooperative_reads_its_own_audit_with_filters(farm: Place) -> None:
    farm.client("farmer-bac-ha")
    press_water(farm.client("farmer"))
    clerk = farm.client("clerk")
    page = clerk.get("/audit").text
    assert "Bấm tưới tan-binh-1-k1 trong 5 phút." in page
    assert "Farmer-Bac-Ha" not in page
    assert "Bấm tưới" not in clerk.get("/audit?group=doors").text
    key = person_of(farm, "farmer").id
    assert "Bấm tưới" in clerk.get(f"/audit?group=water&person={key}").text
    assert "Bấm tưới" not in clerk.get("/audit?until=2020-01-01").text
    assert "Farmer-Bac-Ha" in farm.client("officer").get("/audit").text
    for query in ("since=x", "until=9999-12-31", "before=99999999999999999999", "person=%00"):
        assert clerk.get("/audit?" + query).status_code in (200, 400), query


def test_a_name_that_is_a_formula_stays_text_in_the_table(place: Place) -> None:
    clerk = place.client("clerk")
    name = '=HYPERLINK("http://evil.example","x")'
    send(clerk, "/people/new", name=name, user="cong-thuc", role="farmer", hours="24")
    page = clerk.get("/audit").text
    assert "HYPERLINK" in page
    rows = list(csv.reader(io.StringIO(clerk.get("/audit.csv").text.removeprefix("\ufeff"))))
    cells = [cell for row in rows for cell in row]
    assert [cell for cell in cells if "HYPERLINK" in cell]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]


def test_every_deed_has_its_sentence(place: Place) -> None:
    grouped = {what for _name, group in audit_pages.GROUPS.values() for what in group}
    assert grouped == set(DEEDS)
    with place.app.test_request_context():
        for what in DEEDS:
            deed = Deed(what=what, details={}, subject=None, person=None, helper=None)
            assert audit_pages.sentence(deed, {}) != what, what


# --- taking one's data away -------------------------------------------------------------------


def test_a_person_takes_the_own_record_away(farm: Place) -> None:
    phone = farm.client("farmer")
    press_water(phone)
    record = send(phone, "/me/record/download", "/me/record").json
    assert record["person"]["user"] == "farmer"
    assert [wish["do"] for wish in record["wishes"]] == ["water"]
    assert "log_in" in {deed["what"] for deed in record["audit"]}
    assert "argon2" not in json.dumps(record)


def test_a_person_who_leaves_is_nowhere_but_the_deeds_stay(farm: Place) -> None:
    phone = farm.client("farmer")
    press_water(phone)
    before = person_of(farm, "farmer")
    assert send(phone, "/me/record/delete", "/me/record", old=PASSWORD).status_code == 422
    done = send(phone, "/me/record/delete", "/me/record", old=PASSWORD, sure="yes")
    assert done.location == "/login"
    assert phone.get("/me").status_code == 303
    assert farm.ask("/api/v1/greenhouses").status_code == 401
    with farm.records.session() as session:
        assert people.find_person(session, "farmer") is None
        assert session.scalar(select(Command.by)) == "người đã xóa"
        assert session.scalar(select(func.count()).select_from(LogIn)) == 0
    page = farm.client("clerk").get("/audit").text
    assert f"người đã xóa {before.id[:8]}" in page
    assert "Bấm tưới tan-binh-1-k1" in page
    assert ">Farmer<" not in page


def test_who_said_heard_and_left_is_named_by_no_alert(farm: Place) -> None:
    now = int(time.time())
    watch = Watch(farm.app)
    for at in (now - 300, now - 200, now - 100):
        farm.bring(farm.readings(NODE_1, ["air_temperature", at, 2.0, 0]))
        watch.tick(at + 1)
    watch.tick(now)
    watch.let_go(now)
    (alert,) = (one for one in farm.ask("/api/v1/alerts").json["alerts"] if one["code"] == "frost")
    phone = farm.client("farmer")
    send(phone, f"/alerts/{alert['id']}/acknowledge", "/alerts")
    assert "Farmer đã biết lúc" in phone.get("/alerts").text
    assert send(phone, "/me/record/delete", "/me/record", old=PASSWORD, sure="yes").location
    clerk = farm.client("clerk")
    for path in ("/alerts", f"/alerts/{alert['id']}"):
        page = clerk.get(path).text
        assert "người đã xóa" in page
        assert "Farmer" not in page
    seen = farm.ask("/api/v1/alerts", user="clerk").json["alerts"]
    assert [one["acknowledged_by"] for one in seen if one["code"] == "frost"] == ["người đã xóa"]
    with farm.records.session() as session:
        for body in session.scalars(select(AlertEvent.body)):
            assert "Farmer" not in json.dumps(body), "what only grows holds no names"


def test_the_ways_of_alerts_are_in_the_record_and_leave_with_the_person(farm: Place) -> None:
    phone, mine = farm.client("farmer"), person_of(farm, "farmer").id
    others = person_of(farm, "clerk").id
    push = json.dumps({"endpoint": "https://push.example/send/secret-of-a-phone", "keys": {}})
    with farm.records.transaction() as session:
        for kind, target, owner in (
            ("sms", "84912345678", mine),
            ("mail", "sua@example.vn", mine),
            ("push", push, mine),
            ("apprise", "tgram://bot-token/12345", mine),
            ("sms", "84987654321", others),
        ):
            way = Way(
                id=str(uuid.uuid4()),
                person_id=owner,
                kind=kind,
                target=target,
                name="",
                language="vi",
                least_level="alarm",
                created_at=1,
            )
            session.add(way)
            session.flush()
            session.add(
                Notice(
                    id=str(uuid.uuid4()),
                    alert=None,
                    person_id=owner,
                    way=way.id,
                    what="trial",
                    level="alarm",
                    title="t",
                    text="t",
                    state="sent",
                    tries=1,
                    next_at=1,
                    made_at=1,
                )
            )
    record = send(phone, "/me/record/download", "/me/record").json
    assert {(way["kind"], way["target"]) for way in record["alert_ways"]} == {
        ("sms", "84912345678"),
        ("mail", "sua@example.vn"),
        ("push", "https://push.example/…"),
        ("apprise", "tgram://…"),
    }
    send(phone, "/me/record/delete", "/me/record", old=PASSWORD, sure="yes")
    with farm.records.session() as session:
        assert list(session.scalars(select(Way.target))) == ["84987654321"]
        assert list(session.scalars(select(Notice.person_id))) == [others]


def test_the_last_administrator_cannot_leave(place: Place) -> None:
    for user in ("admin", "admin-bac-ha"):
        client = place.client(user)
        done = send(client, "/me/record/delete", "/me/record", old=PASSWORD, sure="yes")
    assert done.status_code == 409
