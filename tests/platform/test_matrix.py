"""Who may what: every route, met by everybody, as ``who_may_what.txt`` says beforehand.

One line a route and method, one letter for each of those in ``WHO``: ``+`` the view was reached,
``-`` it is not allowed (403), ``?`` one has to log in (401), ``0`` it is not there (404). A route
without a line fails, and so does a line without a route. Whoever adds a route writes the line:
the failing test prints what was found, which is to be read before it is believed.
"""

import hmac
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import migrated
import pytest
from flask.testing import FlaskClient
from office import KEY, NODE_1, Place, open_place
from sqlalchemy import select, text
from werkzeug.routing import Rule as UrlRule

from nongso.labels import layout, layoutfile
from nongso.platform import consent, csrf, people
from nongso.platform.accounts import COOKIE, Rule, rule_of
from nongso.platform.greenhouse import commands
from nongso.platform.people import LogIn, Person
from nongso.platform.settings import Settings
from nongso.platform.traceability import demo
from nongso.platform.traceability.labelling.records import CollectiveMark, LabelLayout
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.signing import Signer
from nongso.platform.traceability.recall.records import Rehearsal
from nongso.platform.traceability.scans.records import ScanCase
from nongso.platform.traceability.selling.records import MarketSample
from nongso.platform.traceability.shopfront.records import OpenPlace

TABLE = Path(__file__).parent / "who_may_what.txt"

# column, user, how: with a log-in of one's own unless said otherwise
WHO = (
    ("nobody", "", ""),
    ("half a log-in", "clerk", "half"),
    ("farmer", "farmer", ""),
    ("clerk", "clerk", ""),
    ("officer", "officer", ""),
    ("admin", "admin", ""),
    ("helper alone", "helper", ""),
    ("helper who may look", "helper", "consent:"),
    ("helper who may write", "helper", "consent:records"),
    ("helper who may water", "helper", "consent:water"),
    ("farmer elsewhere", "farmer-bac-ha", ""),
    ("clerk elsewhere", "clerk-bac-ha", ""),
    ("helper elsewhere", "helper-bac-ha", ""),
    ("token of a farmer", "farmer", "token:read water records labels admin"),
    ("token of a clerk", "clerk", "token:read water records labels admin"),
    ("token to read", "clerk", "token:read"),
    ("token to water", "clerk", "token:water"),
    ("token for records", "clerk", "token:records"),
    ("token for labels", "clerk", "token:labels"),
    ("token for people", "clerk", "token:admin"),
    ("token elsewhere", "clerk-bac-ha", "token:read water records labels admin"),
    ("gateway", "", "key"),
)
ELSEWHERE = tuple(n for n, who in enumerate(WHO) if "elsewhere" in who[0])
ENDS = {
    "accounts.log_out",
    "members.end_everywhere",
    "members.end_helping",
    "members.end_my_help",
    "members.begin_by_code",
}
# In an address these name a sort of thing, or a sentence that everybody's pages say.
NO_NAMES_OF_OURS = {"kind", "language", "what", "shape", "size", "step", "chain", "deed"}
SECRETS_OF_OURS = ("Nhà màng Tân Bình", "Tủ điều khiển Bình Lư", "Spare Person", "HTX binh-lu")


@dataclass
class Office:
    """A cooperative at work and another one beside it."""

    place: Place
    filled: dict[str, str] = field(default_factory=dict)
    clients: dict[str, FlaskClient] = field(default_factory=dict)

    def person(self, user: str) -> Person:
        with self.place.records.session() as session:
            found = people.find_person(session, user)
            assert found is not None
            return found

    def client(self, who: tuple[str, str, str]) -> FlaskClient:
        """A browser or a program of one of ``WHO``."""
        if who[0] not in self.clients:
            self.clients[who[0]] = self._client(*who)
        return self.clients[who[0]]

    def _client(self, column: str, user: str, how: str) -> FlaskClient:
        client = self.place.app.test_client()
        visit = "a-visit-of-a-stranger"
        client.set_cookie(csrf.COOKIE, visit)
        if how == "key":
            client.environ_base["HTTP_AUTHORIZATION"] = "Bearer " + KEY
            return client
        if not user:
            client.environ_base["HTTP_X_FORM_TOKEN"] = self._form_token(visit)
            return client
        now = int(time.time())
        with self.place.records.transaction() as session:
            person = people.find_person(session, user)
            assert person is not None
            if how.startswith("token:"):
                token = people.new_api_token(session, person, column, how[6:].split())
                client.environ_base["HTTP_AUTHORIZATION"] = "Bearer " + token
                return client
            step = "second" if how == "half" else ""
            secret, _lives = people.open_log_in(session, person, "test", now, step=step)
            session.flush()
            bound = people.hashed(secret)
            if how.startswith("consent:"):
                farmer = people.find_person(session, "farmer")
                assert farmer is not None
                made, _code = consent.offer(session, farmer, 8, how[8:].split(), now)
                log_in = session.get_one(LogIn, people.hashed(secret))
                consent.take_up(session, made, person, log_in, now)
                bound = f"{bound}:{made.id}"
        client.set_cookie(COOKIE, secret)
        token = self._form_token(visit if how == "half" else bound)
        client.environ_base["HTTP_X_FORM_TOKEN"] = token
        return client

    def _form_token(self, bound: str) -> str:
        key = hmac.digest(self.place.settings.secret.encode(), b"form token", "sha256")
        return hmac.new(key, bound.encode(), "sha256").hexdigest()

    def path(self, url: UrlRule) -> str:
        """The address of a route, with things of our cooperative in its places."""

        def fill(found: re.Match[str]) -> str:
            converter, _, name = found.group(1).rpartition(":")
            if converter.startswith("any("):
                return converter[4:-1].split(",")[0].strip('"')
            for key in (f"{url.endpoint}:{name}", f"{url.endpoint.split('.')[0]}:{name}", name):
                if key in self.filled:
                    return self.filled[key]
            raise AssertionError(f"{url.rule}: say in `filled` what stands for <{name}>")

        return re.sub(r"<([^>]+)>", fill, url.rule)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    patience, commands.ANSWER_SECONDS = commands.ANSWER_SECONDS, 0.01
    settings = Settings(folder=tmp_path_factory.mktemp("matrix"), secret="0123456789abcdef" * 4)
    migrated.lay_down(settings)
    place = open_place(settings)
    place.configure()
    place.tell_test(state="asked", is_armed=True)
    demo.lay_down(settings, int(time.time()))
    Signer(place.records, Custody(settings.folder), "example.com/log").sign_now(int(time.time()))
    with place.records.transaction() as session:
        spare = people.add_person(session, "spare", "Spare Person", "farmer", "binh-lu", "")
        own = {"members:key": spare.id}

        def first(sql: str) -> str:
            return str(session.execute(text(sql)).scalar_one())

        own |= {
            "code": first("SELECT code FROM lot WHERE cooperative = 'binh-lu' LIMIT 1"),
            "records.producer:key": first("SELECT id FROM producer LIMIT 1"),
            "records.product:key": first("SELECT id FROM product WHERE photo <> '' LIMIT 1"),
            "records.plot:key": first("SELECT id FROM plot LIMIT 1"),
            "records.certificate:key": first("SELECT id FROM certificate LIMIT 1"),
        }
        own |= recalling(first)
        texts = ("name", "story", "hours", "contact", "village", "commune", "province")
        session.add(
            OpenPlace(
                id=str(uuid.UUID(int=2)), code="K7M4QR", cooperative="binh-lu", kind="stall",
                latitude=22.379, longitude=103.59, closed=False, changed_at=1,
                photo=first("SELECT photo FROM product WHERE photo <> '' LIMIT 1"),
                **dict.fromkeys(texts, "x"),
            )
        )  # fmt: skip
        session.add(
            Rehearsal(
                id=str(uuid.UUID(int=1)), cooperative="binh-lu", actor="demo",
                lot=first("SELECT lot FROM recall_lot LIMIT 1"), started_at=1, ended_at=None,
                task={"sources": [], "made": 0, "in_store": 0, "gone": 0, "holders": []},
                answers={},
            )
        )  # fmt: skip
        session.add(
            ScanCase(
                id=str(uuid.UUID(int=1)), cooperative="binh-lu", serial="",
                lot=first("SELECT lot FROM recall_lot LIMIT 1"), last_at=1, note="",
            )
        )  # fmt: skip
        for number in (1, 3):  # one to be removed
            session.add(
                MarketSample(
                    id=str(uuid.UUID(int=number)), cooperative="binh-lu", name=f"Market {number}",
                    sort="csv", sheet="", sign=",", rows=[["Tên", "Giá"]], header=1, first=2,
                    columns=["name", "price"], changed_at=1, changed_by="demo",
                )
            )  # fmt: skip
        session.add(
            CollectiveMark(
                id=str(uuid.UUID(int=1)), cooperative="binh-lu", name="Mark", number="1",
                owner="HTX", at=1, actor="demo",
            )
        )  # fmt: skip
        session.add(
            LabelLayout(
                id=str(uuid.UUID(int=1)), cooperative="binh-lu", name="Mẫu", at=1, actor="demo",
                file=layoutfile.write(layout.find("a4-3x8")),
            )
        )  # fmt: skip
        issue = session.execute(text("SELECT id, lot FROM label_issue LIMIT 1")).first()
    assert issue is not None
    made = Office(place)
    made.filled = own | {
        "slug": "tan-binh-1",
        "zone_id": "tan-binh-1-k1",
        "gateway": "binh-lu",
        "filename": "nongso.css",
        "kind": "starch",
        "step": "starch",
        "chain": "dong",
        "deed": "correct",
        "event": "0",
        "lot": issue[1],
        "serial": "1",
        "gtin": "08930000000000",
        "secret": "not-a-secret-that-was-made",
        "line": diary_line(made, "/greenhouses/tan-binh-1/diary"),
        "plot_diary:slug": own["records.plot:key"],
        "plot_diary:line": diary_line(made, f"/plots/{own['records.plot:key']}/diary"),
        "name": "0" * 32 + ".jpg",
        "number": str(uuid.uuid4()),
        "alerts:kind": "greenhouse",
        "alerts:code": "frost",
        "size": "192",
        "digest": "0" * 64,
        "log:number": "0",
        "log:rest": "0/000.p/1",
        "log:code": issue[1],
        "what": "water",
        "key": str(issue[0]),
        "epcis:name": "ObjectEvent",
        "epcis:event_id": "urn:uuid:0",
        "epcis:job_id": "none",  # whose jobs and queries one sees is tested in their own room
        "epcis:token": "0",
        "epcis:number": "0",
        "packed": "no-such-page",
        "rest": "1",  # of a GS1 address: refused for what it says, not for who asks
        "link": str(uuid.uuid4()),
        "board": NODE_1,
        "node": "tb-01",
    }
    made.filled["consumer.product_page:key"] = own["records.product:key"]
    for endpoint in ("links", "add_link", "end_link"):
        made.filled[f"records.{endpoint}:key"] = own["records.product:key"]
    for row in ("producer", "product", "plot", "certificate"):
        made.filled[f"records.keep_{row}:key"] = own[f"records.{row}:key"]
    for endpoint in ("certificate_file", "remove_certificate"):
        made.filled[f"records.{endpoint}:key"] = own["records.certificate:key"]
    for paper in ("paper", "workbook", "table"):
        made.filled[f"season.plot_{paper}:key"] = own["records.plot:key"]
    made.filled["records.product_photo:key"] = own["records.product:key"]
    made.filled["records.seller_file:key"] = own["records.product:key"]
    for endpoint in ("maker", "keep_maker", "maker_picture", "withdraw_maker"):
        made.filled[f"records.{endpoint}:key"] = own["records.producer:key"]
    for endpoint in ("open_place", "keep_open_place", "open_place_label"):
        made.filled[f"records.{endpoint}:key"] = str(uuid.UUID(int=2))
    made.filled["records.remove_market:key"] = str(uuid.UUID(int=3))
    made.filled["visits:code"] = "K7M4QR"
    yield made
    place.close()
    commands.ANSWER_SECONDS = patience


def recalling(first: Callable[[str], str]) -> dict[str, str]:
    """What stands in the addresses of cartons, dispatches, tests and recalls."""
    found = {
        "holder": first("SELECT id FROM holder LIMIT 1"),
        "test": first("SELECT id FROM lot_test LIMIT 1"),
    }
    for endpoint in ("carton", "open_carton"):
        found[f"records.{endpoint}:key"] = first("SELECT code FROM carton LIMIT 1")
    for endpoint in ("dispatch", "arrived", "void_dispatch"):
        found[f"records.{endpoint}:key"] = first("SELECT id FROM dispatch LIMIT 1")
    pages = ("recall", "called", "end_recall", "recall_notice", "recall_calls")
    calls = ("recalls_api.one_recall", "recalls_api.end")
    for endpoint in (*(f"records.{page}" for page in pages), *calls):
        found[f"{endpoint}:key"] = first("SELECT id FROM recall LIMIT 1")
    own = (
        "label_layout",
        "keep_layout",
        "layout_file",
        "remove_layout",
        "mark",
        "entitle",
        "end_right",
        *("market", "map_columns", "market_table"),
    )
    for endpoint in ("rehearsal", "answer_rehearsal", "scan_case", "note_scan_case", *own):
        found[f"records.{endpoint}:key"] = str(uuid.UUID(int=1))
    return found


def diary_line(office: Office, book: str) -> str:
    """Write a line into the diary, as the farmer's phone does; return its id."""
    line = str(uuid.uuid4())
    made = office.client(WHO[2]).post(
        book,
        data={"id": line, "day": "2026-11-01", "kind": "watered", "amount": "120"},
    )
    assert made.status_code == 303, made.text
    return line


def body_of(endpoint: str) -> dict[str, str]:
    """What makes a form whole enough to come past its first question."""
    zone = {"zone": "tan-binh-1-k1", "wish": str(uuid.uuid4())}
    return {
        "greenhouse.water": {**zone, "minutes": "5"},
        "greenhouse.stop": {**zone},
        "greenhouse.stop_everything": {"wish": str(uuid.uuid4())},
        "greenhouse.mode": {**zone, "mode": "manual"},
        "greenhouse.resume": {"wish": zone["wish"]},
        "greenhouse.hand": {**zone, "minutes": "60"},
        "ways.way": {"zone": zone["zone"]},
        "wet_test.page": {"zone": zone["zone"]},
        "wet_test.begin": {**zone},
        "wet_test.seen": {
            **zone,
            "test": "f0000000-0000-4000-8000-000000000001",
            "saw": "nothing",
        },
        "ways.change": {**zone, "mode": "manual"},
        "members.set_active": {"active": "yes"},
        "members.change_role": {"role": "farmer"},
        "members.end_devices": {"device": "all"},
    }.get(endpoint, {})


def routes(office: Office) -> list[tuple[str, UrlRule]]:
    found = []
    for url in office.place.app.url_map.iter_rules():
        methods = (url.methods or set()) - {"HEAD", "OPTIONS"}
        found += [(method, url) for method in sorted(methods)]
    return sorted(found, key=lambda one: (one[1].rule, one[0]))


def meet(office: Office, method: str, url: UrlRule) -> tuple[str, dict[int, str]]:
    """Let everybody try one route; return the letters, and what those from elsewhere read."""
    letters, read = "", {}
    path = office.path(url)
    for n, who in enumerate(WHO):
        if url.endpoint in ENDS:
            office.clients.clear()  # it may end what the same person has opened elsewhere
        client = office.client(who)
        body = body_of(url.endpoint) or None
        told = {"query_string": body} if method == "GET" else {"data": body}
        answer = client.open(path, method=method, **told)
        letters += letter(answer.status_code, answer.headers.get("Location", ""), url.endpoint)
        if n in ELSEWHERE:
            read[n] = answer.text if "text" in answer.mimetype or answer.is_json else ""
        answer.close()
    if url.endpoint in ENDS:
        office.clients.clear()
    return letters, read


def letter(status: int, location: str, endpoint: str) -> str:
    if status == 403:
        return "-"
    if status == 404:
        return "0"
    to_login = location.startswith("/login") and not endpoint.startswith("accounts.")
    ended = endpoint in ("members.end_everywhere",)
    return "?" if status == 401 or (to_login and not ended) else "+"


def expectations() -> dict[str, str]:
    found = {}
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            letters, _, route = line.partition("  ")
            found[route] = letters
    return found


@pytest.fixture(scope="module")
def met(office: Office) -> dict[str, tuple[str, Rule, UrlRule, dict[int, str]]]:
    """Every cell of the matrix, as it was found."""
    found = {}
    for method, url in routes(office):
        rule = rule_of(office.place.app, url.endpoint)
        assert rule is not None, url.endpoint
        letters, read = meet(office, method, url)
        found[f"{method} {url.rule}"] = (letters, rule, url, read)
    return found


Met = dict[str, tuple[str, Rule, UrlRule, dict[int, str]]]


def test_everybody_meets_every_route_as_written_down(met: Met) -> None:
    wanted = expectations()
    wrong = [
        f"{found[0]}  {route}" for route, found in met.items() if wanted.get(route) != found[0]
    ]
    assert wrong == [], "to be read, then written into who_may_what.txt:\n" + "\n".join(wrong)
    assert [route for route in wanted if route not in met] == []


def test_the_table_says_what_the_rules_beside_the_views_say(met: Met) -> None:
    """The rule decides who is let past the policy; whoever is not in it, never reaches a view."""
    for route, (letters, rule, _url, _read) in met.items():
        for (column, user, how), found in zip(WHO, letters, strict=True):
            role = "gateway" if how == "key" else user.partition("-")[0]
            role = "farmer" if how.startswith("consent:") else role
            if rule.public:
                assert found != "-", (route, column)
            elif not role or how == "half":
                assert found == "?", (route, column)
            elif role not in rule.roles:
                assert found == "-", (route, column)


def test_what_has_a_name_of_ours_is_not_there_for_another_cooperative(met: Met) -> None:
    for route, (letters, rule, url, _read) in met.items():
        if url.arguments and not rule.public and rule.roles != ("gateway",):
            if url.arguments <= NO_NAMES_OF_OURS or url.endpoint.startswith("voices."):
                continue
            for n in ELSEWHERE:
                assert letters[n] in "0-", (route, WHO[n][0])


def test_another_cooperative_reads_nothing_of_ours(met: Met) -> None:
    for route, (_letters, rule, _url, read) in met.items():
        if rule.public:
            continue
        for n, answer in read.items():
            for secret in SECRETS_OF_OURS:
                assert secret not in answer, (route, WHO[n][0], secret)


def test_water_is_opened_for_nobody_by_a_helper_who_may_not(office: Office, met: Met) -> None:
    del met
    with office.place.records.session() as session:
        from nongso.platform.greenhouse.records import Command

        helper = office.person("helper").name
        wished = session.scalars(
            select(Command).where(Command.do.in_(("water", "mode")), Command.by.contains(helper))
        ).all()
        from nongso.platform.audit import Deed

        allowed = session.scalars(
            select(Deed).where(Deed.helper.is_not(None), Deed.what.in_(("water", "mode")))
        ).all()
    # water, the mode, and the page of how to water: by the one who was allowed to
    assert len(wished) == len(allowed) == 3
