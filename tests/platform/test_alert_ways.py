"""Messages on their way: Zalo, mail, SMS and push services stand here as small real servers."""

import base64
import email
import email.policy
import itertools
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import apprise
import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from office import Place
from sqlalchemy import select

from nongso.platform.alerts import push, pushkeys, settings, zalo
from nongso.platform.alerts.outbox import CLAIM_SECONDS, Outbox, gap_seconds
from nongso.platform.alerts.records import Alert, AlertEvent, Notice, Way
from nongso.platform.alerts.rules import DAY
from nongso.platform.alerts.settings import AlertSettings, AlertSettingsError, ZaloSettings
from nongso.platform.alerts.ways import Message, MustRenew, NotSent, TargetError, Ways
from nongso.platform.people import Person

NOW = int(time.time())
MESSAGE = Message(
    id="4f9a",
    title="Nhà màng Tân Bình 1",
    text="Khẩn cấp: trong nhà còn 2,0°C. Xin đóng bạt, che cây ngay.",
    urgent=True,
    link="https://nongso.example/alerts/x",
    alert="alert-1",
    time="7 giờ 10",
)


@dataclass
class Double:
    """A server that writes down what it was asked and answers what it is told to."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, Any]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], tuple[int, Any]] = lambda asked: (200, {"error": 0})
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def service() -> Iterator[Double]:
    double = Double()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = {"path": self.path, "headers": dict(self.headers), "body": body}
            double.requests.append(asked)
            status, content = double.answers.pop(0) if double.answers else double.answer(asked)
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", double.url + "/elsewhere")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield double
    server.shutdown()
    thread.join()
    server.server_close()


# --- Zalo -------------------------------------------------------------------------------------


def zalo_settings(service: Double, **more: Any) -> ZaloSettings:
    return ZaloSettings(
        **{
            "app_id": "app",
            "secret": "hush",
            "refresh_token": "first",
            "template": "334455",
            "fields": {"noi": "{place}", "viec": "{text}", "luc": "{time}"},
            "sign_in": service.url,
            "messages": service.url,
            **more,
        }
    )


def answers_like_zalo(asked: dict[str, Any]) -> tuple[int, Any]:
    if asked["path"] == "/v4/oa/access_token":
        used = parse_qs(asked["body"].decode())["refresh_token"][0]
        return 200, {
            "access_token": "access after " + used,
            "refresh_token": used + "+",
            "expires_in": "90000",
        }
    return 200, {"error": 0, "message": "Success", "data": {"msg_id": "1"}}


@pytest.fixture
def zalo_ways(service: Double, tmp_path: Path) -> Ways:
    service.answer = answers_like_zalo
    return Ways(tmp_path, AlertSettings(zalo=zalo_settings(service)), "mailto:x@example.org")


def test_a_message_reaches_zalo_with_template_fields_and_its_own_number(
    zalo_ways: Ways, service: Double
) -> None:
    zalo_ways.send("zalo", "84912345678", MESSAGE)
    sign_in, sent = service.requests
    assert parse_qs(sign_in["body"].decode()) == {
        "app_id": ["app"],
        "grant_type": ["refresh_token"],
        "refresh_token": ["first"],
    }
    assert sign_in["headers"]["secret_key"] == "hush"
    assert sent["path"] == "/message/template"
    assert sent["headers"]["access_token"] == "access after first"
    assert json.loads(sent["body"]) == {
        "phone": "84912345678",
        "template_id": "334455",
        "template_data": {"noi": MESSAGE.title, "viec": MESSAGE.text, "luc": "7 giờ 10"},
        "tracking_id": "4f9a",
    }


def test_zalos_tokens_are_kept_privately_and_each_refresh_token_is_used_once(
    zalo_ways: Ways, service: Double, tmp_path: Path
) -> None:
    zalo_ways.send("zalo", "84912345678", MESSAGE)
    zalo_ways.send("zalo", "84912345678", MESSAGE)
    kept = tmp_path / zalo.TOKEN_FILE
    assert kept.stat().st_mode & 0o777 == 0o600
    again = Ways(tmp_path, zalo_ways.settings, "mailto:x@example.org")  # a new process
    again.send("zalo", "84912345678", MESSAGE)
    paths = [asked["path"] for asked in service.requests]
    assert paths == ["/v4/oa/access_token", *["/message/template"] * 3]
    keys = zalo.ZaloKeys(tmp_path, zalo_settings(service))
    late = int(time.time()) + 90000  # they live so long
    assert keys.token(late) == "access after first+"
    new = zalo.ZaloKeys(tmp_path, zalo_settings(service, refresh_token="entered anew"))
    assert new.token(late + 1) == "access after entered anew"


def test_a_token_that_zalo_refuses_is_renewed_once(zalo_ways: Ways, service: Double) -> None:
    zalo_ways.send("zalo", "84912345678", MESSAGE)
    service.answers = [(200, {"error": -124, "message": "Access token invalid"})]
    zalo_ways.send("zalo", "84912345678", MESSAGE)
    tokens = [asked["headers"].get("access_token") for asked in service.requests]
    assert tokens == [None, *["access after first"] * 2, None, "access after first+"]


@pytest.mark.parametrize(
    ("answer", "for_good"),
    [
        ((200, {"error": -118, "message": "Zalo account not existed"}), True),
        ((200, {"error": -115, "message": "Out of quota"}), False),
        ((500, b"<html>sorry</html>"), False),
        ((200, []), False),
        ((302, {}), False),
    ],
)
def test_zalos_refusals_are_no_success(
    zalo_ways: Ways, service: Double, answer: tuple[int, Any], for_good: bool
) -> None:
    zalo_ways.send("zalo", "84912345678", MESSAGE)
    service.requests.clear()
    service.answers = [answer]
    with pytest.raises(NotSent) as refused:
        zalo_ways.send("zalo", "84912345678", MESSAGE)
    assert refused.value.for_good == for_good
    assert len(service.requests) == 1  # and nobody followed a redirect


def test_without_a_token_nothing_is_sent(zalo_ways: Ways, service: Double) -> None:
    service.answers = [(200, {"error": -14014, "error_name": "Invalid refresh token"})]
    with pytest.raises(NotSent, match="sign in to the Official Account again"):
        zalo_ways.send("zalo", "84912345678", MESSAGE)


def test_zalo_can_be_an_address_of_apprise_too(service: Double) -> None:
    zalo.register()
    one = apprise.Apprise.instantiate(
        f"zalooa://tok@127.0.0.1:{service.port}/zns/77/84912345678?%2Btext=%7Btext%7D"
    )
    assert isinstance(one, zalo.NotifyZaloOA)
    assert apprise.Apprise.instantiate(one.url()).url() == one.url()
    assert "tok@" not in one.url(privacy=True)
    assert one.notify(body="lạnh", title="Nhà")
    other = apprise.Apprise.instantiate(f"zalooa://tok@127.0.0.1:{service.port}/oa/123")
    assert other.notify(body="lạnh", title="Nhà")
    first, second = service.requests
    assert json.loads(first["body"])["template_data"] == {"text": "lạnh"}
    assert second["path"] == "/v3.0/oa/message/cs"
    assert json.loads(second["body"]) == {
        "recipient": {"user_id": "123"},
        "message": {"text": "Nhà\nlạnh"},
    }
    assert apprise.Apprise.instantiate("zalooas://tok@host/zns/77") is None


# --- SMS and mail -----------------------------------------------------------------------------


def test_sms_gateways_are_called_through_apprise(service: Double, tmp_path: Path) -> None:
    sms = f"json://127.0.0.1:{service.port}/sms/{{phone}}"
    ways = Ways(tmp_path, settings.checked({"sms": sms}), "mailto:x@example.org")
    ways.send("sms", "84912345678", MESSAGE)
    (asked,) = service.requests
    assert asked["path"] == "/sms/84912345678"
    assert MESSAGE.text in json.loads(asked["body"])["message"]
    service.answers = [(503, {})]
    with pytest.raises(NotSent):
        ways.send("sms", "84912345678", MESSAGE)


class _Mail(socketserver.StreamRequestHandler):
    """The few words of SMTP that a sender needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        letter: list[bytes] = []
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                for part in self.rfile:
                    if part == b".\r\n":
                        break
                    letter.append(part)
            elif word == b"RCPT":
                self.server.to.append(line.decode().strip())  # type: ignore[attr-defined]
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                break
            self.wfile.write(b"250 ok\r\n")
        self.server.letters.append(b"".join(letter))  # type: ignore[attr-defined]


def test_mail_goes_over_the_cooperatives_own_server(tmp_path: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Mail) as server:
        server.letters, server.to = [], []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        mail = f"mailto://127.0.0.1:{server.server_address[1]}?from=htx@example.vn&mode=insecure"
        ways = Ways(tmp_path, settings.checked({"mail": mail}), "mailto:x@example.org")
        ways.send("mail", "nguoi+trong@example.vn", MESSAGE)
        thread.join(timeout=10)
        (letter,) = server.letters  # type: ignore[attr-defined]
        assert server.to == ["rcpt TO:<nguoi+trong@example.vn>"]  # type: ignore[attr-defined]
    body = email.message_from_bytes(letter, policy=email.policy.default).get_body(("plain",))
    assert body is not None
    assert MESSAGE.text in body.get_content()
    assert MESSAGE.link in body.get_content()


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@b", "a@b.c", "a b@c.vn", "a@b.vn,c@d.vn", "a@b.vn\nBcc: c@d.vn", "<a@b.vn>"],
)
def test_mail_addresses_are_one_address_and_nothing_else(tmp_path: Path, text: str) -> None:
    ways = Ways(tmp_path, AlertSettings(mail="mailtos://x"), "")
    with pytest.raises(TargetError):
        ways.target("mail", text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("0912 345 678", "84912345678"),
        ("+84 912.345.678", "84912345678"),
        ("84912345678", "84912345678"),
        ("0112345678", None),  # no mobile number
        ("091234567", None),
        ("09123456789", None),
        ("٠912345678", None),
        ("0912345678?x=1", None),
    ],
)
def test_telephone_numbers_as_people_write_them(
    tmp_path: Path, text: str, target: str | None
) -> None:
    ways = Ways(tmp_path, AlertSettings(sms="json://x/{phone}"), "")
    if target is None:
        with pytest.raises(TargetError):
            ways.target("sms", text)
    else:
        assert ways.target("sms", text)[0] == target


# --- Web Push ---------------------------------------------------------------------------------


class Phone:
    """A browser that has subscribed: it can read what was encrypted for it."""

    def __init__(self, endpoint: str) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.secret = b"0123456789abcdef"
        point = self.private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        self.subscription = json.dumps(
            {
                "endpoint": endpoint,
                "keys": {"p256dh": _b64(point), "auth": _b64(self.secret)},
            }
        )

    def read(self, body: bytes) -> dict[str, Any]:
        text = http_ece.decrypt(
            body, private_key=self.private, auth_secret=self.secret, version="aes128gcm"
        )
        found: dict[str, Any] = json.loads(text)
        return found


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def push_ways(service: Double, tmp_path: Path) -> Ways:
    service.answer = lambda asked: (201, b"")
    known = AlertSettings(push_hosts=("127.0.0.1",), push_insecure=True)
    return Ways(tmp_path, known, "mailto:x@example.org")


def test_a_push_message_can_be_read_by_its_phone_only(push_ways: Ways, service: Double) -> None:
    phone = Phone(service.url + "/push/1")
    target, _name = push_ways.target("push", phone.subscription)
    push_ways.send("push", target, MESSAGE)
    (asked,) = service.requests
    assert b"che" not in asked["body"]
    assert phone.read(asked["body"]) == {
        "title": MESSAGE.title,
        "body": MESSAGE.text,
        "url": MESSAGE.link,
        "tag": "alert-1",
        "urgent": True,
    }
    headers = {name.lower(): value for name, value in asked["headers"].items()}
    assert headers["urgency"] == "high"
    assert int(headers["ttl"]) > 0
    assert headers["authorization"].startswith("vapid ")
    assert push.public_key(push_ways.folder) in headers["authorization"]


@pytest.mark.parametrize(
    ("status", "for_good"), [(410, True), (404, True), (500, False), (429, False), (302, False)]
)
def test_a_phone_that_has_unsubscribed_is_told_apart(
    push_ways: Ways, service: Double, status: int, for_good: bool
) -> None:
    phone = Phone(service.url + "/push/1")
    service.answers = [(status, b"")]
    with pytest.raises(NotSent) as refused:
        push_ways.send("push", phone.subscription, MESSAGE)
    assert refused.value.for_good == for_good
    assert len(service.requests) == 1


def test_our_keys_are_made_once_also_by_many_at_once(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(push.public_key(tmp_path))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == [pushkeys.KEY_FILE]
    assert (tmp_path / pushkeys.KEY_FILE).stat().st_mode & 0o777 == 0o600


# --- the outbox -------------------------------------------------------------------------------


@pytest.fixture
def office(farm: Place, service: Double) -> Place:
    """A farmer with an SMS gateway, and one message that waits."""
    sms = AlertSettings(sms=f"json://127.0.0.1:{service.port}/{{phone}}")
    farm.app.extensions["nongso.ways"] = Ways(farm.settings.folder, sms, "")
    with farm.records.transaction() as session:
        farmer = session.scalar(select(Person).where(Person.user == "farmer"))
        assert farmer is not None
        session.add(
            Way(
                id="w",
                person_id=farmer.id,
                kind="sms",
                target="84912345678",
                name="",
                language="vi",
                least_level="warning",
                created_at=NOW,
            )
        )
        session.add(
            Alert(
                id="a",
                cause="leak@x",
                code="leak",
                level="alarm",
                cooperative="binh-lu",
                values={},
                raised_at=NOW,
            )
        )
        session.flush()
        session.add(
            Notice(
                id="n",
                alert="a",
                person_id=farmer.id,
                way="w",
                what="said",
                level="alarm",
                title="Nhà màng",
                text="Khẩn cấp",
                state="waiting",
                tries=0,
                next_at=NOW,
                made_at=NOW,
            )
        )
    return farm


def outbox(office: Place) -> Outbox:
    return Outbox(office.app, office.app.extensions["nongso.ways"])


def notice(office: Place) -> Notice:
    with office.records.session() as session:
        return session.get_one(Notice, "n")


def events(office: Place) -> list[str]:
    with office.records.session() as session:
        return list(session.scalars(select(AlertEvent.what).order_by(AlertEvent.number)))


def test_a_message_is_sent_once(office: Place, service: Double) -> None:
    assert outbox(office).send_due(NOW) == 1
    assert outbox(office).send_due(NOW + DAY) == 0
    assert (notice(office).state, notice(office).sent_at) == ("sent", NOW)
    assert len(service.requests) == 1
    assert events(office) == ["sent"]


def test_a_message_is_tried_again_with_growing_gaps_and_given_up_after_a_day(
    office: Place, service: Double
) -> None:
    service.answer = lambda asked: (503, {})
    now, tries = NOW, []
    while notice(office).state == "waiting":
        now = notice(office).next_at
        tries.append(now)
        outbox(office).send_due(now)
    gaps = [b - a for a, b in itertools.pairwise(tries)]
    assert gaps[:4] == [30, 60, 120, 240]
    assert gaps == sorted(gaps)
    assert max(gaps) == 1800 == gap_seconds(50)
    assert DAY <= now - NOW < DAY + 3600
    assert notice(office).state == "given_up"
    assert events(office) == ["not_sent", "given_up"]


def test_a_server_that_dies_while_sending_sends_again_under_the_same_number(
    office: Place, service: Double
) -> None:
    sender = outbox(office)
    (letter,) = sender._claim(NOW)  # … and here the process is killed
    assert outbox(office).send_due(NOW + 1) == 0  # nobody else sends it meanwhile
    assert outbox(office).send_due(NOW + CLAIM_SECONDS) == 1
    assert notice(office).state == "sent"
    assert letter.message.id == "n"


def test_a_way_that_was_taken_away_meanwhile_harms_nothing(office: Place, service: Double) -> None:
    def answer(asked: dict[str, Any]) -> tuple[int, Any]:
        with office.records.transaction() as session:
            session.delete(session.get_one(Way, "w"))
        return 200, {}

    service.answer = answer
    assert outbox(office).send_due(NOW) == 1
    with office.records.session() as session:
        assert session.get(Notice, "n") is None


def test_a_phone_that_has_unsubscribed_is_forgotten(office: Place, service: Double) -> None:
    known = AlertSettings(push_hosts=("127.0.0.1",), push_insecure=True)
    ways = Ways(office.settings.folder, known, "mailto:x@example.org")
    office.app.extensions["nongso.ways"] = ways
    with office.records.transaction() as session:
        way = session.get_one(Way, "w")
        way.kind, way.target = "push", Phone(service.url + "/p").subscription
    service.answer = lambda asked: (410, b"")
    outbox(office).send_due(NOW)
    with office.records.session() as session:
        assert session.get(Way, "w") is None
    assert events(office) == ["given_up"]


# --- alerts.json ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"mial": "x"}, "unknown field 'mial'"),
        ({"mail": "json://host"}, "mailtos://"),
        ({"sms": "json://host"}, "phone"),
        ({"zalo": {}}, "app_id"),
        ({"zalo": []}, "object"),
        ({"push_hosts": "x"}, "push_hosts"),
        ([], "object"),
        (5, "object"),
        ({"mail": "mailto://["}, "cannot be read"),
        ({"mail": ["mailto://x"]}, "mail must be a text"),
        ({"mail_hosts": "x"}, "mail_hosts"),
    ],
)
def test_settings_that_cannot_work_are_named(tmp_path: Path, content: object, word: str) -> None:
    file = tmp_path / settings.FILE
    file.write_text(json.dumps(content))
    file.chmod(0o600)
    with pytest.raises(AlertSettingsError, match=word):
        settings.load(tmp_path)


def test_settings_with_keys_must_not_be_readable_by_others(tmp_path: Path) -> None:
    assert settings.load(tmp_path) == AlertSettings()
    file = tmp_path / settings.FILE
    file.write_text("{}")
    file.chmod(0o644)
    with pytest.raises(AlertSettingsError, match="chmod 600"):
        settings.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"", "is not JSON"),
        (b"\xff\xfe\x00\x80", "is not text"),
        (None, "cannot be read"),
    ],
)
def test_a_damaged_settings_file_is_named(
    tmp_path: Path, content: bytes | None, word: str
) -> None:
    file = tmp_path / settings.FILE
    if content is None:
        file.mkdir(mode=0o700)
    else:
        file.write_bytes(content)
        file.chmod(0o600)
    with pytest.raises(AlertSettingsError, match=rf"alerts\.json: .*{word}"):
        settings.load(tmp_path)


# --- what is damaged --------------------------------------------------------------------------


def test_zalo_answering_nonsense_is_no_success(zalo_ways: Ways, service: Double) -> None:
    service.answer = lambda asked: (200, b"[" * 100_000)
    with pytest.raises(NotSent, match="no access token"):
        zalo_ways.send("zalo", "84912345678", MESSAGE)
    service.answer = answers_like_zalo
    zalo_ways.send("zalo", "84912345678", MESSAGE)
    service.answer = lambda asked: (200, b"[" * 100_000)
    with pytest.raises(NotSent, match="not reached"):
        zalo_ways.send("zalo", "84912345678", MESSAGE)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----"])
def test_a_damaged_key_is_set_aside_and_phones_of_before_must_renew(
    push_ways: Ways, service: Double, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = push_ways.folder
    (folder / "vapid.pem").write_bytes(content)
    (folder / ("vapid.pem." + "a" * 32)).write_bytes(b"")  # of a full disk
    phone = Phone(f"{service.url}/phone")
    with pytest.raises(MustRenew, match="switch notifications on again"):
        push_ways.send("push", phone.subscription, MESSAGE, NOW - 3600)
    assert "Phones that had push messages" in caplog.text
    (aside,) = [one for one in folder.iterdir() if "damaged" in one.name]
    assert aside.read_bytes() == content
    assert sorted(one.name for one in folder.glob("vapid*")) == ["vapid.pem", aside.name]
    assert (folder / "vapid.pem").stat().st_mode & 0o777 == 0o600
    assert push_ways.push_key() == push.public_key(folder)
    service.answer = lambda asked: (201, b"")
    push_ways.send("push", phone.subscription, MESSAGE, int(time.time()) + 1)
    assert len(service.requests) == 1


def test_a_key_that_cannot_be_read_stays_and_is_no_reason_to_forget_a_phone(
    push_ways: Ways, service: Double
) -> None:
    (push_ways.folder / "vapid.pem").mkdir()
    assert push_ways.push_key() == ""
    with pytest.raises(NotSent, match="key for push") as told:
        push_ways.send("push", Phone(f"{service.url}/phone").subscription, MESSAGE, NOW)
    assert not told.value.for_good
    assert (push_ways.folder / "vapid.pem").is_dir()


def test_a_phone_whose_key_is_no_point_of_the_curve_is_dropped(
    push_ways: Ways, service: Double
) -> None:
    found = json.loads(Phone(f"{service.url}/phone").subscription)
    found["keys"]["p256dh"] = _b64(b"\x04" + b"\x01" * 64)
    with pytest.raises(TargetError):
        push_ways.target("push", json.dumps(found))
    with pytest.raises(NotSent) as told:
        push_ways.send("push", json.dumps(found), MESSAGE)
    assert told.value.for_good
    assert not service.requests


@pytest.mark.parametrize(
    "address",
    [
        "mailto://u:p@localhost:2525",
        "mailto://u:p@127.0.0.1:2525?from=a@example.org&to=b@example.org",
        "mailto://u:p@example.org?smtp=127.0.0.1",
        "mailto://u:p@example.org?smtp=10.1.2.3",
        "mailto://u:p@example.org?smtp=192.168.1.1",
        "mailtos://u:p@example.org?smtp=169.254.169.254",
        "mailto://u:p@example.org?smtp=2130706433",
        "mailto://u:p@example.org?smtp=127.1",
        "mailto://u:p@example.org?smtp=mail.local",
        "mailto://u:p@example.org?smtp=8.8.8.8&template=/etc/passwd",
        "mailto://u:p@example.org?smtp=8.8.8.8&Template=/etc/passwd",
        "mailto://u:p@example.org?smtp=8.8.8.8&pgppub=/etc/passwd",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?template=/etc/passwd",
    ],
)
def test_an_address_of_a_service_leads_neither_inside_nor_to_a_file(
    tmp_path: Path, address: str
) -> None:
    ways = Ways(tmp_path, AlertSettings(), "")
    with pytest.raises(TargetError):
        ways.target("apprise", address)
    with pytest.raises(NotSent) as told:  # entered before this was refused
        ways.send("apprise", address, MESSAGE)
    assert told.value.for_good


def test_a_mail_server_inside_may_be_entered_when_the_settings_name_it(tmp_path: Path) -> None:
    address = "mailto://u:p@example.org?smtp=10.1.2.3"
    for known in ({"mail_hosts": ["10.1.2.3"]}, {"mail": "mailto://10.1.2.3?from=a@example.org"}):
        assert Ways(tmp_path, settings.checked(known), "").target("apprise", address)
    assert Ways(tmp_path, AlertSettings(), "").target(
        "apprise", "mailto://u:p@example.org?smtp=8.8.8.8"
    )
