"""Alerts as people meet them: the page, "Đã biết" in one tap, ways, limits, the API."""

import html
import json
import re
import time
from typing import Any

import pytest
from alembic import command
from office import NODE_1, NODE_2, Place, form_token, open_place
from sqlalchemy import Connection, select, text

from nongso.platform import migrations
from nongso.platform.alerts import pages, push, pushkeys
from nongso.platform.alerts.records import Alert, AlertPlan, Notice, Way
from nongso.platform.alerts.watch import Watch
from nongso.platform.settings import Settings
from nongso.platform.store import Records

CHROME = "https://fcm.googleapis.com/fcm/send/abc"


@pytest.fixture
def frosty(farm: Place) -> Place:
    """A farm with frost in its greenhouse, and an alert about it."""
    now = int(time.time())
    watch = Watch(farm.app)
    for at in (now - 300, now - 200, now - 100):
        farm.bring(farm.readings(NODE_1, ["air_temperature", at, 2.0, 0]))
        watch.tick(at + 1)
    watch.tick(now)
    watch.let_go(now)
    return farm


def the_alert(place: Place, code: str = "frost") -> Alert:
    with place.records.session() as session:
        found = session.scalar(select(Alert).where(Alert.code == code))
        assert found is not None
        return found


def test_the_page_says_what_is_wrong_and_what_to_do(frosty: Place) -> None:
    page = frosty.client("farmer").get("/alerts").text
    assert "Khẩn cấp: Nhà màng Tân Bình 1 trong nhà còn 2,0°C. Xin đóng bạt, che cây ngay." in page
    assert "Đã biết" in page
    assert "Gửi vào nhóm Zalo" in page


def test_one_tap_says_that_somebody_has_heard(frosty: Place) -> None:
    client, alert = frosty.client("farmer"), the_alert(frosty)
    page = client.get("/alerts")
    answer = client.post(f"/alerts/{alert.id}/acknowledge", data={"form_token": form_token(page)})
    assert (answer.status_code, answer.location) == (303, "/alerts")
    assert "Farmer đã biết lúc" in client.get("/alerts").text
    assert f"/alerts/{alert.id}/acknowledge" not in client.get("/alerts").text
    one = client.get(f"/alerts/{alert.id}").text
    assert "Farmer đã bấm Đã biết." in one


def test_another_cooperatives_alert_is_not_there(frosty: Place) -> None:
    alert = the_alert(frosty)
    client = frosty.client("farmer-bac-ha")
    page = client.get("/alerts")
    assert "Tân Bình" not in page.text
    assert client.get(f"/alerts/{alert.id}").status_code == 404
    assert client.get("/alerts/limits/greenhouse/tan-binh-1").status_code == 404
    assert client.get("/alerts/limits/gateway/binh-lu").status_code == 404
    token = form_token(client.get("/alerts/ways"))
    for path in (f"/alerts/{alert.id}/acknowledge", "/alerts/limits/greenhouse/tan-binh-1"):
        assert client.post(path, data={"form_token": token}).status_code == 404
    answer = frosty.ask(f"/api/v1/alerts/{alert.id}/acknowledge", {}, user="farmer-bac-ha")
    assert answer.status_code == 404
    assert frosty.ask("/api/v1/alerts", user="farmer-bac-ha").json == {"alerts": [], "next": None}


def test_officers_see_alerts_and_answer_none(frosty: Place) -> None:
    alert = the_alert(frosty)
    assert "trong nhà còn" in frosty.client("officer").get("/alerts").text
    assert "acknowledge" not in frosty.client("officer").get("/alerts").text
    answer = frosty.ask(f"/api/v1/alerts/{alert.id}/acknowledge", {}, user="officer")
    assert answer.status_code == 403


def test_programs_read_alerts_and_say_that_they_were_heard(frosty: Place) -> None:
    answer = frosty.ask("/api/v1/alerts").json
    (alert,) = answer["alerts"]
    assert (alert["code"], alert["level"], alert["state"]) == ("frost", "alarm", "open")
    assert alert["greenhouse"] == "tan-binh-1"
    for _ in range(2):
        heard = frosty.ask(f"/api/v1/alerts/{alert['id']}/acknowledge", {})
        assert heard.status_code == 200
        assert heard.json["acknowledged_by"] == "Farmer"
    assert frosty.ask("/api/v1/alerts?state=cleared").json == {"alerts": [], "next": None}
    for bad in ("state=x", "state=cleared&limit=x", "state=cleared&before=-1"):
        assert frosty.ask("/api/v1/alerts?" + bad).status_code == 400
    paths = frosty.ask("/api/v1/openapi.json").json["paths"]
    assert "/api/v1/alerts" in paths
    assert "post" in paths["/api/v1/alerts/{number}/acknowledge"]


def test_past_alerts_are_listed_page_by_page(frosty: Place) -> None:
    first = the_alert(frosty)
    with frosty.records.transaction() as session:
        for n in range(70):
            session.add(
                Alert(
                    id=f"00000000-0000-4000-8000-{n:012d}",
                    cause="x",
                    code="cold",
                    level="warning",
                    cooperative="binh-lu",
                    values=first.values,
                    raised_at=1000 + n,
                    cleared_at=2000,
                )
            )
    client, path, seen = frosty.client("farmer"), "/alerts", 0
    while path:
        page = client.get(path).text
        seen += page.count("hết lạnh")
        found = re.search(r'href="(/alerts\?before=\d+)"', page)
        path = found.group(1) if found else ""
    assert seen == 70
    some = frosty.ask("/api/v1/alerts?state=cleared&limit=60").json
    rest = frosty.ask(f"/api/v1/alerts?state=cleared&before={some['next']}").json
    assert (len(some["alerts"]), len(rest["alerts"]), rest["next"]) == (60, 10, None)


def test_what_a_person_unlocked_is_not_called_mended_and_what_it_was_stays_to_be_read(
    frosty: Place,
) -> None:
    frost, now = the_alert(frosty), int(time.time())
    with frosty.records.transaction() as session:
        for n, (code, more) in enumerate((("high_flow", {}), ("leak", {}), ("cold", {"gone": 1}))):
            said = {"zone": "tan-binh-1-k1", "flow": 180.0, "usual": 80.0}
            names = {"tan-binh-1-k1": "Khu 1"}
            session.add(
                Alert(
                    id=f"00000000-0000-4000-8000-{n:012d}",
                    cause="x",
                    code=code,
                    level="alarm",
                    cooperative="binh-lu",
                    values={**frost.values, "said": said, "names": names, **more},
                    raised_at=now - 900,
                    cleared_at=now - 60,
                )
            )
    client = frosty.client("farmer")
    burst, leak, gone = (client.get(f"/alerts/00000000-0000-4000-8000-00000000000{n}").text
                         for n in range(3))  # fmt: skip
    assert "Đã mở khóa lúc" in burst
    assert "Xin để ý lần tưới đầu." in burst
    assert "vì nước chảy quá mạnh" in burst
    assert "Đã ổn" not in burst + gone
    assert "Đã ổn: nước ngừng chảy" in leak
    assert "nước vẫn chảy khi các van đã đóng" in leak
    page = client.get("/alerts").text
    assert page.count("vì nước chảy quá mạnh") == 1
    assert page.count("Nhà màng Tân Bình 1</b>") == 3


def test_hostile_names_stay_text(frosty: Place) -> None:
    name = "<script>alert(1)</script>\"'"
    frosty.configure(name)
    now = int(time.time())
    frosty.bring(frosty.readings(NODE_2, ["air_temperature", now, 1.0, 0]))
    Watch(frosty.app).tick(now + 61)
    alert = the_alert(frosty)
    for path in ("/alerts", f"/alerts/{alert.id}", "/alerts/limits/greenhouse/tan-binh-1"):
        page = frosty.client("farmer").get(path).text
        assert "<script>alert" not in page
        assert html.escape(name, quote=False).replace('"', "&#34;").replace("'", "&#39;") in page


def subscription(endpoint: str = CHROME) -> str:
    keys = {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
        "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    }
    return json.dumps({"endpoint": endpoint, "keys": keys})


def add(place: Place, kind: str, target: str, user: str = "farmer") -> int:
    client = place.client(user)
    token = form_token(client.get("/alerts/ways"))
    data = {"form_token": token, "kind": kind, "target": target}
    return client.post("/alerts/ways", data=data).status_code


def test_a_phone_switches_notifications_on(frosty: Place) -> None:
    assert add(frosty, "push", subscription()) == 303
    assert add(frosty, "push", subscription()) == 303  # twice is once
    with frosty.records.session() as session:
        (way,) = session.scalars(select(Way))
    assert way.kind == "push"
    key = frosty.settings.folder / pushkeys.KEY_FILE
    assert key.stat().st_mode & 0o777 == 0o600
    assert (
        push.public_key(frosty.settings.folder) in frosty.client("farmer").get("/alerts/ways").text
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://localhost:8080/api",
        "https://169.254.169.254/latest/meta-data",
        "https://fcm.googleapis.com@127.0.0.1/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evilfcm.googleapis.com/x",
        "https://fcm.googleapis.com:22/x",
        "https://user:pw@fcm.googleapis.com/x",
        "file:///etc/passwd",
        "https://[::1]/x",
        "https://fcm.googleapis.com\n.evil.example/",
        "",
    ],
)
def test_a_phone_cannot_let_the_server_call_elsewhere(frosty: Place, endpoint: str) -> None:
    assert add(frosty, "push", subscription(endpoint)) == 400


@pytest.mark.parametrize(
    "target", ["", "{}", "[]", "null", "x" * 9000, "[" * 100_000, '{"endpoint": 1}']
)
def test_what_is_no_subscription_is_refused(frosty: Place, target: str) -> None:
    assert add(frosty, "push", target) == 400


def test_only_administrators_enter_addresses_of_services(frosty: Place) -> None:
    assert add(frosty, "apprise", "tgram://123456789:abcdefg_hijklmnop/12315544/") == 400
    assert add(frosty, "apprise", "tgram://123456789:abcdefg_hijklmnop/12315544/", "admin") == 303
    for bad in (
        "json://127.0.0.1/x",
        "xml://localhost",
        "form://10.0.0.1",
        "syslog://",
        "dbus://",
        "file:///etc/passwd",
        "ntfy://127.0.0.1/topic",
        "gotify://localhost/token",
        "zalooas://x@127.0.0.1/oa/1",
        "TGRAM",
        "tgram://",
        "",
    ):
        assert add(frosty, "apprise", bad, "admin") == 400, bad


def test_ways_that_this_server_has_not_are_not_offered(frosty: Place) -> None:
    page = frosty.client("farmer").get("/alerts/ways").text
    assert "Số điện thoại" not in page
    assert add(frosty, "sms", "0912345678") == 400
    assert add(frosty, "mail", "a@example.org") == 400


def test_trials_are_counted_and_somebody_elses_way_is_not_there(frosty: Place) -> None:
    add(frosty, "push", subscription())
    with frosty.records.session() as session:
        (way,) = session.scalars(select(Way.id))
    client = frosty.client("farmer")
    token = form_token(client.get("/alerts/ways"))
    data = {"form_token": token, "way": way}
    codes = [client.post("/alerts/ways/try", data=data).status_code for _ in range(6)]
    assert codes == [303] * 5 + [429]
    assert "Đang gửi thử" in client.get("/alerts/ways").text
    other = frosty.client("clerk")
    stolen = {"form_token": form_token(other.get("/alerts/ways")), "way": way}
    for path in ("/alerts/ways/try", "/alerts/ways/remove"):
        assert other.post(path, data=stolen).status_code == 404
    assert client.post("/alerts/ways/remove", data=data).status_code == 303
    with frosty.records.session() as session:
        assert session.scalars(select(Way)).all() == []
        assert session.scalars(select(Notice)).all() == []


def change(place: Place, code: str, user: str = "farmer", **fields: str) -> int:
    client = place.client(user)
    path = "/alerts/limits/greenhouse/tan-binh-1"
    data = {"form_token": form_token(client.get(path)), **fields}
    return client.post(f"{path}/{code}".rstrip("/"), data=data).status_code


def test_growers_choose_their_crop_and_change_a_limit(frosty: Place) -> None:
    assert (
        change(frosty, "", crop="tomato", quiet="on", quiet_from="20:30", quiet_until="4:00")
        == 303
    )
    assert change(frosty, "cold", enabled="on", on="7,5", off="9", hold="20") == 303
    with frosty.records.session() as session:
        plan = session.get_one(AlertPlan, "greenhouse:tan-binh-1")
    assert (plan.crop, plan.quiet_from, plan.quiet_until) == ("tomato", 1230, 240)
    assert plan.changes == {"cold": {"on": 7.5, "off": 9.0, "hold_seconds": 1200}}
    page = frosty.client("farmer").get("/alerts/limits/greenhouse/tan-binh-1").text
    assert "Báo khi từ 7,5°C trở xuống, hết báo khi lên 9°C." in page
    assert change(frosty, "cold", reset="1") == 303
    with frosty.records.session() as session:
        assert session.get_one(AlertPlan, "greenhouse:tan-binh-1").changes == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"on": "9", "off": "9", "hold": "5"},
        {"on": "12", "off": "9", "hold": "5"},
        {"on": "x", "off": "9", "hold": "5"},
        {"on": "nan", "off": "9", "hold": "5"},
        {"on": "1e9", "off": "9", "hold": "5"},
        {"on": "7", "off": "9", "hold": "-1"},
        {"on": "7", "off": "9", "hold": "99999"},
        {"on": "7", "off": "9"},
    ],
)
def test_limits_that_make_no_sense_are_asked_back(frosty: Place, fields: dict[str, str]) -> None:
    assert change(frosty, "cold", enabled="on", **fields) == 400
    with frosty.records.session() as session:
        plan = session.get(AlertPlan, "greenhouse:tan-binh-1")
        assert plan is None or plan.changes == {}


def test_a_limit_may_be_below_zero(frosty: Place) -> None:
    assert change(frosty, "frost", enabled="on", on="-1", off="0,5", hold="0") == 303


def test_the_page_of_all_greenhouses_says_how_many_nobody_has_heard(frosty: Place) -> None:
    page = frosty.client("farmer").get("/greenhouses").text
    assert re.search('<p class="note urgent"><a [^>]*>Khẩn cấp: 1 cảnh báo chưa ai bấm', page)
    assert 'class="note attention"><a' not in page, "one colour for one severity"
    alert = the_alert(frosty)
    frosty.ask(f"/api/v1/alerts/{alert.id}/acknowledge", {})
    page = frosty.client("farmer").get("/greenhouses").text
    assert "chưa ai bấm" not in page
    assert "Còn 1 cảnh báo đã biết, chưa hết." in page


def test_looking_changes_nothing(frosty: Place) -> None:
    client = frosty.client("farmer")
    alert = the_alert(frosty)
    before = frosty.records.version()
    for path in (
        "/alerts",
        f"/alerts/{alert.id}",
        "/alerts/ways",
        "/alerts/limits",
        "/alerts/limits/greenhouse/tan-binh-1",
        "/alerts/limits/gateway/binh-lu",
    ):
        assert client.get(path).status_code == 200, path
    assert frosty.records.version() == before


@pytest.mark.parametrize("content", ["", "garbage"])
def test_a_damaged_key_is_no_error_to_people_and_old_phones_are_told(
    frosty: Place, content: str
) -> None:
    assert add(frosty, "push", subscription()) == 303
    with frosty.records.transaction() as session:
        session.scalars(select(Way)).one().created_at -= 3600
    assert (
        "Khóa gửi tin của máy chủ đã đổi" not in frosty.client("farmer").get("/alerts/ways").text
    )
    (frosty.settings.folder / pushkeys.KEY_FILE).write_text(content)
    page = frosty.client("farmer").get("/alerts/ways")
    assert page.status_code == 200
    assert "Khóa gửi tin của máy chủ đã đổi" in page.text
    assert "data-push=" in page.text


def test_without_a_key_the_page_works_without_push(frosty: Place) -> None:
    (frosty.settings.folder / pushkeys.KEY_FILE).mkdir()
    page = frosty.client("farmer").get("/alerts/ways")
    assert page.status_code == 200
    assert "chưa gửi được thông báo đến điện thoại" in page.text
    assert "data-push=" not in page.text


@pytest.mark.parametrize("content", ["[" * 100_000, "", '{"zalo": 5}'])
def test_the_platform_starts_without_settings_of_ways_that_are_damaged(
    frosty: Place, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = frosty.settings.folder / "alerts.json"
    file.write_text(content)
    file.chmod(0o600)
    pages.prepare(frosty.app)  # as at the start
    assert "alerts.json" in caplog.text
    page = frosty.client("farmer").get("/alerts/ways").text
    assert "phần cài đặt bị hỏng" in page
    assert "alerts.json" not in page
    assert "alerts.json" in frosty.client("admin").get("/alerts/ways").text


def test_alerts_of_before_name_people_by_their_ids_and_find_the_way_back(
    settings: Settings,
) -> None:
    open_place(settings).close()
    records = Records.of(settings)
    with records.engine.connect() as connection:
        connection.execution_options(**records.write_options())
        command.downgrade(migrations._config(connection), "alerts_1")
        for alert, by in (("a-1", "Farmer"), ("a-2", "Ai đó")):
            connection.execute(
                text(
                    'INSERT INTO alert (id, cause, code, level, cooperative, "values",'
                    " raised_at, acknowledged_at, acknowledged_by)"
                    " VALUES (:alert, 'c', 'frost', 'alarm', 'binh-lu', '{}', 1, 2, :by)"
                ),
                {"alert": alert, "by": by},
            )
            for what, body in (
                ("acknowledged", {"by": by}),
                ("said", {"to": "first", "people": [by, "Clerk"], "ways": 1}),
            ):
                connection.execute(
                    text(
                        "INSERT INTO alert_event (alert, at, what, body)"
                        " VALUES (:alert, 2, :what, :body)"
                    ),
                    {"alert": alert, "what": what, "body": json.dumps(body)},
                )
        command.upgrade(migrations._config(connection), "heads")
        ids = dict(
            connection.execute(
                text("SELECT name, id FROM person WHERE cooperative = 'binh-lu'")
            ).all()
        )  # type: ignore[arg-type]
        heard = dict(connection.execute(text("SELECT id, acknowledged_person FROM alert")).all())  # type: ignore[arg-type]
        assert heard == {"a-1": ids["Farmer"], "a-2": None}
        bodies = _bodies(connection)
        assert "Farmer" not in json.dumps(bodies)
        assert bodies[0] == {"by": ids["Farmer"]}
        assert bodies[1]["people"] == [ids["Farmer"], ids["Clerk"]]
        assert bodies[2] == {"by": None}
        assert bodies[3]["people"] == [ids["Clerk"]]
        with pytest.raises(Exception, match="append-only"), connection.begin_nested():
            connection.execute(text("DELETE FROM alert_event"))
        command.downgrade(migrations._config(connection), "alerts_1")
        back = dict(connection.execute(text("SELECT id, acknowledged_by FROM alert")).all())  # type: ignore[arg-type]
        assert back == {"a-1": "Farmer", "a-2": None}
        assert _bodies(connection)[0] == {"by": "Farmer"}
        connection.rollback()
    records.close()


def _bodies(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(text("SELECT body FROM alert_event ORDER BY number")).scalars()
    return [json.loads(row) if isinstance(row, str) else row for row in rows]
