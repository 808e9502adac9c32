"""Whatever is sent to the forms of people: never a failure, never another cooperative's records.

Every form is found by walking the pages of a whole office (a few, which need a state of their
own, are written here by hand) and must be among the addresses of the application, so that a new
form is tested from its first day. Gateways have their own door (``/api/v1/gateways``) and tests.
"""

import io
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import hostile_forms as hostile
import migrated
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from office import KEY, NODE_1, Place, configuration, form_token, open_place
from sqlalchemy import delete, insert, select, update
from werkzeug.test import TestResponse

from nongso.platform import events, guesses, people, uplink
from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings
from nongso.platform.store import Base
from nongso.platform.traceability import demo, lots
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling.text import texts_of
from nongso.platform.traceability.making import leaving
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import LabelCode, LabelIssue, Lot, Producer, Product

Changes = dict[str, str | None]

PEOPLE = Base.metadata.tables["person"]
OURS, THEIRS = "binh-lu", "bac-ha"
ROLES = ("farmer", "clerk", "helper", "admin")
URLENCODED = "application/x-www-form-urlencoded"
KEYS = ("cooperative", "gateway", "greenhouse", "zone", "lot", "subject", "source", "target")
examples = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def theirs_configured() -> dict[str, Any]:
    """The farm of the other cooperative: the same, under its own names."""
    text = json.dumps(configuration()).replace("tan-binh", "na-hoi").replace("000000", "0000aa")
    found: dict[str, Any] = json.loads(text)
    return found


def work(place: Place, cooperative: str, grower: str) -> list[str]:
    """A cooperative at work, with something left in every stock; returns its lots."""
    today = ops.datetime.date.today()
    made: list[Lot] = []
    with place.records.transaction() as session:
        desk = ops.Desk(session, cooperative, "clerk", "http://127.0.0.1:8080", int(time.time()))

        def do(deed: Any, *wish: Any) -> Lot:
            made.append(deed(desk, str(uuid.uuid4()), *wish))
            return made[-1]

        session.add(
            Producer(
                id=grower,
                cooperative=cooperative,
                code="X1",
                kind="household",
                name="Hộ X1",
                village="bản Nà Hối",
                commune="xã",
                province="tỉnh",
                contact="",
            )
        )
        session.flush()
        product = Product(
            id=str(uuid.uuid4()),
            cooperative=cooperative,
            producer_id=grower,
            name="Miến dong thử",
            brand="",
            kind="noodles",
            pack_grams=500,
            shelf_life_days=365,
            crop="",
            storage="",
            gtin=None,
        )
        session.add(product)
        session.flush()
        house = "tan-binh-1" if cooperative != THEIRS else "na-hoi-1"
        do(ops.plant, ops.Planting(house, "Nhà màng", grower, "Rau cải", today))
        do(ops.harvest, ops.Harvest(made[-1].code, 90_000, today), None)
        roots = do(ops.take_in, ops.Intake(grower, 900_000_000, today, today))
        takes = (ops.Take(roots.code, 400_000_000),)
        starch = do(ops.make_batch, ops.Batch("starch", takes, 110_000_000, today, None, "thử"))
        takes = (ops.Take(starch.code, 100_000_000),)
        noodles = do(ops.make_batch, ops.Batch("noodles", takes, 90_000_000, today))
        takes = (ops.Take(noodles.code, 1_000_000),)
        until = today + ops.datetime.timedelta(days=300)
        packed = do(ops.pack, ops.Packing(product.id, takes, 2000, 500, today, until))
        do(leaving.lose, leaving.Loss(noodles.code, 1_000, "spoilt", today))
        wish = labelling.Wish(packed.code, 30)
        labelling.issue(desk, str(uuid.uuid4()), wish, texts_of(packed))
    return [lot.code for lot in made]


class Browser:
    """Somebody's browser, which logs in again when a form has ended its log-in."""

    def __init__(self, place: Place, user: str) -> None:
        self._place, self._user = place, user
        with place.records.session() as session:
            self._people = [dict(row) for row in session.execute(select(PEOPLE)).mappings()]
        self.enter()

    def enter(self) -> None:
        """Make sure that the person may still log in, and log in."""
        if self._user == "stranger":
            self.client = self._place.client()
            self.token = form_token(self.client.get("/login"))
            return
        with self._place.records.transaction() as session:
            session.execute(delete(guesses.Guess))
            for row in self._people:
                known = session.execute(update(PEOPLE).where(PEOPLE.c.id == row["id"]).values(row))
                if not known.rowcount:
                    session.execute(insert(PEOPLE).values(row))
        self.client = self._place.client(self._user)
        self.token = form_token(self.client.get("/me"))

    def send(
        self, form: hostile.Form, path: str, changes: Changes, doubled: list[tuple[str, str]]
    ) -> TestResponse:
        """Send a form with its newest token."""
        changes = {"form_token": self.token, **changes}
        answer = self.client.post(path, data=form.body(changes, doubled), content_type=URLENCODED)
        if answer.status_code in (401, 429) or answer.headers.get("Location", "").startswith(
            "/login"
        ):
            self.enter()
        return answer


@dataclass
class Office:
    """The office under attack, its browsers, its forms, and what the other cooperative has."""

    place: Place
    browsers: dict[str, Browser]
    forms: dict[str, list[tuple[str, hostile.Form]]]  # by endpoint: who, form
    theirs: list[str]

    def rows_of_theirs(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row whose key names something of the other cooperative.

        The sender chooses the number of a row of their own; that it is also the number of
        something else of the other cooperative names nothing.
        """
        theirs = {*self.theirs, *(f"lot:{one}" for one in self.theirs)}
        theirs |= {f"greenhouse:{one}" for one in self.theirs}
        found = {}
        with self.place.records.session() as session:
            for table in Base.metadata.sorted_tables:
                if table.name.startswith("log_in") or table.name in ("guess", "known_device"):
                    continue
                keys = {
                    column.name: at
                    for at, column in enumerate(table.columns)
                    if column.primary_key or column.foreign_keys or column.name in KEYS
                }
                whose = [at for at, one in enumerate(table.columns) if one.name == "cooperative"]
                rows = [tuple(map(str, row)) for row in session.execute(select(table))]
                found[table.name] = sorted(
                    row
                    for row in rows
                    if any(
                        row[at] in theirs
                        for name, at in keys.items()
                        if name != "id" or OURS not in [row[at] for at in whose]
                    )
                )
        return found

    def endpoint(self, path: str) -> str:
        urls = self.place.app.url_map.bind("localhost")
        return str(urls.match(path, method="POST")[0])


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    waits, commands.ANSWER_SECONDS = commands.ANSWER_SECONDS, 0.0
    found = Settings(folder=tmp_path_factory.mktemp("office"), secret="0123456789abcdef" * 4)
    migrated.lay_down(found)
    place = open_place(found)
    place.configure()
    place.tell_test(state="asked", is_armed=True)
    now = int(time.time())
    place.bring(place.readings(NODE_1, ["soil_moisture", now - 60, 31.0, 16]))
    with place.records.transaction() as session:
        uplink.register_gateway(session, THEIRS, "Bắc Hà", THEIRS, KEY[::-1])
    described = place.row("configuration", configuration=theirs_configured())
    answer = place.bring(described, key=KEY[::-1], gateway=THEIRS)
    assert answer.json is not None
    assert answer.json["refused"] == []
    demo.lay_down(found, now)
    work(place, "binh-lu", str(uuid.uuid4()))
    grower = str(uuid.uuid4())
    theirs = [THEIRS, "na-hoi-1", "na-hoi-1-k1", "na-hoi-1-k2", grower]
    theirs += work(place, THEIRS, grower)
    with place.records.session() as session:
        theirs += session.scalars(select(Product.id).where(Product.cooperative == THEIRS))
        theirs += session.scalars(select(LabelIssue.id).where(LabelIssue.cooperative == THEIRS))
        theirs += session.scalars(select(LabelCode.serial).where(LabelCode.lot.in_(theirs)))
        theirs += session.scalars(
            select(events.Event.id).where(events.Event.cooperative == THEIRS)
        )
        theirs += session.scalars(
            select(people.Person.id).where(people.Person.cooperative == THEIRS)
        )
    made = Office(place, {role: Browser(place, role) for role in (*ROLES, "stranger")}, {}, theirs)
    for role in ROLES:
        starts = ("/greenhouses", "/records/", "/me", "/people", "/voices/")
        for page in hostile.walk(made.browsers[role].client, *starts):
            for form in page.forms:
                found_at = made.forms.setdefault(made.endpoint(form.path), [])
                # Who sees everything may change it: an administrator's forms come last.
                if role != "admin" or not found_at or found_at[0][0] == "admin":
                    found_at.append((role, form))
    login = hostile.read("/login", made.browsers["stranger"].client.get("/login"))
    made.forms["accounts.enter"] = [("stranger", login.forms[0])]
    for endpoint, (role, path, names) in BY_HAND.items():
        fields = tuple((name, "1") for name in names)
        form = hostile.Form(path, (*fields, ("form_token", "")))
        made.forms.setdefault(endpoint, [(role, form)])
    yield made
    place.close()
    commands.ANSWER_SECONDS = waits


NOBODYS = "00000000-0000-4000-8000-000000000000"
BY_HAND = {
    "alerts.acknowledge": ("farmer", f"/alerts/{NOBODYS}/acknowledge", ()),
    "alerts.remove_way": ("farmer", "/alerts/ways/remove", ("way",)),
    "alerts.try_way": ("farmer", "/alerts/ways/try", ("way",)),
    "diary.correct": (
        "farmer",
        f"/greenhouses/tan-binh-1/diary/{NOBODYS}/correct",
        ("id", "kind", "amount", "unit", "note", "day", "why"),
    ),
    "plot_diary.correct": (
        "farmer",
        f"/plots/{NOBODYS}/diary/{NOBODYS}/correct",
        ("id", "kind", "amount", "unit", "note", "day", "why"),
    ),
    "greenhouse.resume": ("farmer", "/greenhouses/tan-binh-1/resume", ("wish",)),
    "wet_test.begin": ("farmer", "/greenhouses/tan-binh-1/wet-test", ("zone", "wish")),
    "wet_test.seen": (
        "farmer",
        "/greenhouses/tan-binh-1/wet-test/seen",
        ("zone", "wish", "test", "saw"),
    ),
    "members.begin_by_code": ("helper", "/help/code", ("code",)),
    "members.begin_by_pin": ("helper", "/help/pin", ("user", "secret", "hours", "deed")),
    "members.end_helping": ("farmer", "/help/end", ()),
    "members.end_my_help": ("farmer", "/me/help/end", ("help",)),
    "members.end_device": ("farmer", "/me/devices/end", ("device",)),
    "members.take_second": ("clerk", "/me/second/new", ("code", "secret")),
    "members.enter_by_digits": ("stranger", "/enter", ("user", "code")),
    "members.take_qr": ("stranger", "/enter/abc", ()),
    "accounts.check_second": ("stranger", "/login/second", ("code",)),
    "accounts.check_set_up": ("stranger", "/login/setup", ("code",)),
    "reports.send": ("stranger", "/report", ("id", "lot", "serial", "kind", "text", "contact")),
    "scratch.check": ("stranger", "/t/ZZZZZZ/23456789A/scratch", ("code",)),
    "records.scratch_sheet": ("clerk", f"/records/labels/{NOBODYS}/sheet", ("anew",)),
    "records.keep_layout": (
        "clerk",
        "/records/layouts/new",
        (
            *("id", "do", "title", "kind", "level", "dpi", "columns", "rows", "feed", "qr_size"),
            *(
                "text_x",
                "address",
                "bars",
                "scratch",
                "logo",
                "logo_width",
                "label_width",
                "page_width",
            ),
        ),
    ),
    "records.remove_logo": ("clerk", "/records/logo/remove", ("id",)),
    "records.remove_layout": ("clerk", f"/records/layouts/{NOBODYS}/remove", ("id",)),
    "records.entitle": (
        "clerk",
        f"/records/marks/{NOBODYS}",
        ("id", "producer", "paper", "since", "until"),
    ),
    "records.map_columns": (
        "clerk",
        f"/records/markets/{NOBODYS}",
        ("header", "first", "column_0", "column_1"),
    ),
    "records.remove_market": ("clerk", f"/records/markets/{NOBODYS}/remove", ()),
    "records.end_right": ("clerk", f"/records/marks/{NOBODYS}/end", ("right",)),
    "records.answer_shopper": ("clerk", f"/records/shopper-reports/{NOBODYS}", ("id", "text")),
    "records.withdraw_maker": ("clerk", f"/records/producers/{NOBODYS}/photo/withdraw", ()),
    "records.answer_rehearsal": ("clerk", f"/records/rehearsals/{NOBODYS}", ("id",)),
    "records.end_link": ("clerk", f"/records/products/{NOBODYS}/links/{NOBODYS}/end", ("id",)),
    "records.merge": ("clerk", "/records/merge?lot=ZZZZZZ", ("id", "take-ZZZZZZ", "day")),
    "records.note_scan_case": ("clerk", f"/records/scans/{NOBODYS}", ("id", "outcome", "note")),
    "records.open_carton": ("clerk", f"/records/cartons/{NOBODYS}/open", ("id", "day")),
    "records.take_in_table": ("clerk", f"/records/spreadsheets/{'0' * 64}", ("id",)),
    "records.undo": ("clerk", f"/records/lots/ZZZZZZ/undo/{NOBODYS}", ("id", "why")),
    "voices.record": ("clerk", "/voices/record/hmn/x", ("file", "do")),
}


def test_every_address_that_takes_a_form_is_found_on_a_page(office: Office) -> None:
    takes_forms = {
        rule.endpoint
        for rule in office.place.app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
        and not rule.rule.startswith(("/api/", "/epcis/", "/log/"))
    }
    assert takes_forms - set(office.forms) == set(), "on no page here: write them into BY_HAND"
    assert {*GREENHOUSE, *RECORDS, *MEMBERS} <= takes_forms
    assert {path for _, form in office.forms["records.make_batch"] for path in [form.path]} == {
        "/records/batch/starch",
        "/records/batch/noodles",
    }


def check(office: Office, path: str, answer: Any) -> None:
    assert answer.status_code < 500, f"{path}: {answer.status_code}"
    assert hostile.read(path, answer).hostile == [], path


GREENHOUSE = (
    *(
        "greenhouse.water",
        "greenhouse.hand",
        "greenhouse.stop",
        "greenhouse.stop_everything",
        "greenhouse.mode",
        "greenhouse.resume",
    ),
    *("diary.write", "diary.correct", "diary.state_before", "overview.state"),
    *("plot_diary.write", "plot_diary.correct", "plot_diary.state_before"),
    *("alerts.acknowledge", "alerts.add_way", "alerts.remove_way", "alerts.try_way"),
    *("alerts.set_plan", "alerts.set_rule"),
)
RECORDS = (
    *("records.withdraw_lot", "records.print_labels", "records.tell_labels", "records.pack"),
    *("records.keep_producer", "records.keep_product", "records.plant", "records.gather"),
    *("records.take_in", "records.make_batch"),
)
MEMBERS = (
    *("accounts.enter", "accounts.check_second", "accounts.check_set_up", "members.take_qr"),
    *("members.enter_by_digits", "members.add_person", "members.make_code", "members.set_active"),
    *("members.end_devices", "members.end_device", "members.end_everywhere", "members.set_pin"),
    *("members.change_password", "members.change_second", "members.take_second"),
    *("members.make_token", "members.end_token", "members.download_mine", "members.delete_me"),
    *("members.ask_help", "members.end_my_help", "members.end_helping", "members.begin_by_code"),
    *("members.begin_by_pin", "members.change_role", "members.remove_second"),
    *("members.download_someones", "members.delete_someone"),
)


@pytest.mark.parametrize(
    "endpoint",
    [
        *(*GREENHOUSE[:4], *RECORDS),
        *(pytest.param(one, marks=pytest.mark.walk) for one in (*GREENHOUSE[4:], *MEMBERS)),
    ],
)
def test_no_field_alone_brings_a_form_down(office: Office, endpoint: str) -> None:
    """All else is as it should be, so that what one field holds goes as deep as it can."""
    shapes = {
        form.path if "batch" in form.path else "": (role, form)
        for role, form in office.forms[endpoint]
    }
    for role, form in shapes.values():
        for name, _ in form.fields:
            for typed in hostile.OF_A_KIND[form.kinds.get(name, "text")]:
                changes: Changes = {"id": str(uuid.uuid4()), name: typed}
                answer = office.browsers[role].send(form, form.path, changes, [])
                check(office, form.path + f" with {name}={typed[:40]!r}", answer)


def test_nor_do_forms_that_came_later(office: Office) -> None:
    listed = {*GREENHOUSE, *RECORDS, *MEMBERS, "accounts.log_out"}
    for endpoint in sorted(set(office.forms) - listed):
        attack(office, endpoint)


@pytest.mark.parametrize("endpoint", [*GREENHOUSE, *RECORDS, *MEMBERS])
def test_no_form_fails_whatever_is_sent(office: Office, endpoint: str) -> None:
    attack(office, endpoint)


def attack(office: Office, endpoint: str) -> None:
    """Send a form with fields changed, left out and sent twice, and to other addresses."""
    before = office.rows_of_theirs()
    forms = office.forms[endpoint]

    @examples
    @given(st.data())
    def send(draw: st.DataObject) -> None:
        role, form = draw.draw(st.sampled_from(forms))
        names = [name for name, _ in form.fields if name != "form_token"]
        names += ["take-" + office.theirs[5], "extra", "zone", "id"]
        found = hostile.values(office.theirs)
        changes: Changes = draw.draw(
            st.dictionaries(st.sampled_from(names), st.none() | found, max_size=3)
        )
        doubled = draw.draw(st.lists(st.tuples(st.sampled_from(names), found), max_size=2))
        path = form.path
        if "/" in path.strip("/") and draw.draw(st.integers(0, 5)) == 0:
            part = draw.draw(st.sampled_from([*office.theirs, "%00", "%ED%A0%80", "x" * 300]))
            path = draw.draw(
                st.sampled_from([path.replace(old, part) for old in path.split("/")[2:]])
            )
        changes.setdefault("id", str(uuid.uuid4()))  # else all but the first repeat it
        check(office, path, office.browsers[role].send(form, path, changes, doubled))

    send()
    if forms[0][0] != "admin":
        assert office.rows_of_theirs() == before


@pytest.mark.parametrize("endpoint", [*GREENHOUSE, *RECORDS, *MEMBERS])
def test_no_form_fails_on_a_body_that_is_none(office: Office, endpoint: str) -> None:
    role, form = office.forms[endpoint][0]
    browser = office.browsers[role]
    for body, kind in (
        (b"", ""),
        (b"\x00" * 5000, "application/x-www-form-urlencoded"),
        (b"&=&=&&a&=b;%%%zz", "application/x-www-form-urlencoded; charset=undefined"),
        (b"--x\r\nContent-Disposition: form-data; name=", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
        (b'{"id": 1}', "application/json"),
    ):
        headers = {"X-Form-Token": browser.token}
        answer = browser.client.post(form.path, data=body, content_type=kind, headers=headers)
        check(office, form.path, answer)
    browser.enter()
    files = {name: (io.BytesIO(b"\xff" * 99), "../../x.csv") for name, _ in form.fields}
    headers = {"X-Form-Token": browser.token}
    answer = browser.client.post(form.path, data=files, headers=headers)
    check(office, form.path, answer)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from((*hostile.NUMBERS, *hostile.TEXTS)),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("path", "names", "user"),
    [
        ("/api/v1/zones/tan-binh-1-k1/water", ("seconds", "id", "expires"), "farmer"),
        ("/api/v1/stop", ("zone", "id"), "farmer"),
        ("/api/v1/lots/{lot}/labels", ("count", "layout", "start_cell", "codes", "id"), "clerk"),
    ],
)
def test_no_call_of_a_program_fails_whatever_is_sent(
    office: Office, path: str, names: tuple[str, ...], user: str
) -> None:
    before = office.rows_of_theirs()
    with office.place.records.session() as session:
        packed = select(Lot.code).where(Lot.kind == "packs", Lot.cooperative == "binh-lu")
        path = path.format(lot=session.scalars(packed).first())
    bodies = JSON | st.dictionaries(
        st.sampled_from(names), JSON | st.sampled_from([*office.theirs, 1, str(uuid.uuid4())])
    )

    @examples
    @given(bodies)
    def attack(body: Any) -> None:
        answer = office.place.app.test_client().post(
            path,
            data=json.dumps(body),
            headers={"Authorization": "Bearer " + office.place.tokens[user]},
        )
        check(office, path, answer)
        if answer.is_json:
            json.loads(answer.text, parse_constant=pytest.fail)

    attack()
    assert office.rows_of_theirs() == before


def test_afterwards_every_page_opens_and_what_was_typed_is_text(office: Office) -> None:
    kept = "<script>alert(1)</script>"
    role, form = office.forms["records.keep_producer"][0]
    browser = office.browsers[role]
    browser.enter()
    changes: Changes = {"name": kept, "code": "T1", "id": str(uuid.uuid4())}
    answer = browser.send(form, "/records/producers/new", changes, [])
    assert answer.status_code == 303
    assert "&lt;script&gt;alert(1)" in browser.client.get("/records/producers").text
    for role, start in (
        *(("clerk", "/records/"), ("farmer", "/greenhouses"), ("stranger", "/")),
        *(("clerk", "/me"), ("admin", "/greenhouses")),
    ):
        office.browsers[role].enter()
        for page in hostile.walk(office.browsers[role].client, start):
            assert page.hostile == [], page.path
    with office.place.records.session() as session:
        assert lots.differences(session) == []
