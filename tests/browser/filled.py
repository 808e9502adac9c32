"""A farm with something on every page, and every page of it, with who may see it."""

import datetime
import io
import re
import time
import uuid
from dataclasses import dataclass

from flask.testing import FlaskClient
from office import NODE_1, NODE_2, PASSWORD, Place, form_token, wet_test
from PIL import Image
from sqlalchemy import text
from werkzeug.routing import Rule

from nongso.labels import layout
from nongso.platform import consent, people
from nongso.platform.alerts.watch import Watch
from nongso.platform.people import LogIn
from nongso.platform.traceability import demo
from nongso.platform.traceability.labelling import layouts as labelling_layouts
from nongso.platform.traceability.labelling import marks as labelling_marks
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.signing import Signer
from nongso.platform.traceability.recall.records import Rehearsal
from nongso.platform.traceability.selling import meanings as selling_meanings
from nongso.platform.traceability.selling.records import MarketSample
from nongso.platform.traceability.spreadsheets import tables as spreadsheets
from nongso.platform.voices.texts import key_of, sentences

HOUSE = "tan-binh-1"
# Whose eyes see a page: the first of these who may.
EYES = ("farmer", "clerk", "admin", "officer", "helper", "")


@dataclass(frozen=True)
class Seen:
    """A page: where it is and whose eyes see it; ``eyes`` is empty for somebody unknown."""

    path: str
    eyes: str

    def __str__(self) -> str:
        return f"{self.path} ({self.eyes or 'anybody'})"


class Filled:
    """The place with its people logged in, each once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.clients: dict[str, FlaskClient] = {"": place.app.test_client()}
        place.configure()
        now = int(time.time())
        self._measure(now)
        demo.lay_down(place.settings, now)
        Signer(place.records, Custody(place.settings.folder), "example.com/log").sign_now(now)
        for user in ("farmer", "clerk", "admin", "officer", "helper"):
            self.clients[user] = place.client(user)
        self._grow(now)
        self._water(now)
        self.line = self._write()
        self._speak()
        self._freeze(now)
        self._half_ways()
        self._help(now)
        self.filled = self._names()

    def _measure(self, now: int) -> None:
        for node in (NODE_1, NODE_2):
            past = [
                [name, at, base + at // 600 % 7, 0]
                for at in range(now - 86400, now - 30, 600)
                for name, base in (
                    ("air_temperature", 20),
                    ("air_humidity", 70),
                    ("soil_moisture", 45),
                    ("light", 9000),
                )
            ]
            past += [
                [name, at, value, 0]
                for at in range(now - 8 * 86400, now - 86400, 3600)
                for name, value in (("air_temperature", 18.0), ("air_humidity", 92.0))
            ]
            self.place.bring(
                self.place.readings(node, *past, ["soil_moisture", now - 60, None, 3])
            )

    def _grow(self, now: int) -> None:
        """A zone whose soil is reckoned."""
        plants = {"crop": "ca-chua", "planted": "2026-01-01", "soil": "thit"}
        sums = {"reference_mm": 2.0, "used_mm": 2.5, "watered_mm": 1.0, "drained_mm": 0.0}
        bed = {"at": now - 60, "missing_mm": 3.0, "total_mm": 30.0, "allowed_mm": 6.0, **sums}
        bed |= {"thirsty_seconds": 0, "measured_seconds": 40_000}
        bed["day"] = (now + 7 * 3600) // 86400
        zone = {"id": f"{HOUSE}-k1", "state": "idle", "at": now - 3600, "mode": "advice"}
        zone |= {"balance": plants | {"flow_l_per_min": 80.0}, "bed": bed, "code": "should_water"}
        zone["wet_test"] = wet_test("asked", is_armed=True)
        values = {"seconds": 540, "litres": 720.0, "allowed_litres": 700.0}
        answer = self.place.bring(self.place.row("zone", zone=zone | {"values": values})).json
        assert answer is not None
        assert answer["refused"] == []

    def _water(self, now: int) -> None:
        """A watering that ended, and one that was refused."""
        for zone, state, code in (("k1", "done", None), ("k2", "refused", "tank_low")):
            body = {"seconds": 300, "id": str(uuid.uuid4())}
            self.place.ask(f"/api/v1/zones/{HOUSE}-{zone}/water", body)
            self.place.outcome(body["id"], state, code)

    def _write(self) -> str:
        """A diary line with a photo."""
        picture, line = io.BytesIO(), str(uuid.uuid4())
        Image.new("RGB", (640, 480), (40, 120, 60)).save(picture, "JPEG")
        picture.seek(0)
        phone = self.clients["farmer"]
        page = phone.get(f"/greenhouses/{HOUSE}/diary/new?kind=problem")
        day = re.search(r'name="day"[^>]*value="([\d-]+)"', page.text)
        assert day is not None
        for fields in (
            {"id": str(uuid.uuid4()), "kind": "planted", "crop": "Rau cải"},
            {"id": str(uuid.uuid4()), "kind": "watered", "amount": "120"},
            {"id": line, "kind": "problem", "note": "Lá vàng", "photo": (picture, "a.jpg")},
        ):
            sent = {"form_token": form_token(page), "day": day[1], **fields}
            answer = phone.post(f"/greenhouses/{HOUSE}/diary", data=sent)
            assert answer.status_code == 303, answer.text
        return line

    def _speak(self) -> None:
        """Somebody has said a sentence of frost aloud."""
        desk = self.clients["clerk"]
        token = form_token(desk.get("/greenhouses"))
        self.sentence = key_of(next(s for s in sentences().values() if "đóng bạt" in s))
        sound = (io.BytesIO(b"OggS" + bytes(200)), "a.ogg")
        sent = {"sound": sound, "form_token": token}
        answer = desk.post(f"/voices/record/vi/{self.sentence}", data=sent)
        assert answer.status_code == 303, answer.text

    def _freeze(self, now: int) -> None:
        watch = Watch(self.place.app)
        for at in (now - 300, now - 200, now - 100):
            reading = ["air_temperature", at, 2.0, 0]
            self.place.bring(self.place.readings(NODE_1, reading))
            watch.tick(at + 1)
        watch.tick(now)

    def _help(self, now: int) -> None:
        """The farmer lets the helper write in the own name."""
        helping = self.clients["helping"] = self.place.client("helper")
        cookie = helping.get_cookie("nongso_log_in")
        assert cookie is not None
        with self.place.records.transaction() as session:
            farmer = people.find_person(session, "farmer")
            helper = people.find_person(session, "helper")
            assert farmer is not None
            assert helper is not None
            made, _code = consent.offer(session, farmer, 8, ["records"], now)
            log_in = session.get_one(LogIn, people.hashed(cookie.value))
            consent.take_up(session, made, helper, log_in, now)

    def _half_ways(self) -> None:
        """One who has still to type a second factor, one who has still to set it up."""
        with self.place.records.transaction() as session:
            people.add_person(session, "newcomer", "Newcomer", "clerk", "binh-lu", PASSWORD)
        for name, user in (("half", "clerk"), ("new", "newcomer")):
            client = self.place.app.test_client()
            token = form_token(client.get("/login"))
            sent = {"user": user, "password": PASSWORD, "form_token": token}
            assert client.post("/login", data=sent).location.startswith("/login/")
            self.clients[name] = client

    def _names(self) -> dict[str, str]:
        """What stands for the names in addresses."""
        with self.place.records.session() as session:

            def one(sql: str) -> str:
                return str(session.execute(text(sql)).scalar_one())

            spare = people.find_person(session, "farmer")
            assert spare is not None
            label = session.execute(text("SELECT id, lot FROM label_issue LIMIT 1")).one()
            photo = re.search(r"/diary/photo/(\w+)", self._book())
            assert photo is not None
            return {
                "slug": HOUSE,
                "zone_id": f"{HOUSE}-k1",
                "node": "tb-01",
                "board": "0211aafffe000001",
                "gateway": "binh-lu",
                "filename": "nongso.css",
                "lot": label.lot,
                "code": label.lot,
                "serial": "1",
                "secret": "not-a-secret-that-was-made",
                "line": self.line,
                "name": photo[1],
                "number": one("SELECT id FROM alert LIMIT 1"),
                "gtin": "08930000000000",
                "alerts:kind": "greenhouse",
                "size": "192",
                "what": "water",
                "step": "starch",
                "chain": "dong",
                "deed": "correct",
                "event": "0",
                "log:number": "0",
                "log:rest": "0/000.p/1",
                "key": label.id,
                "members:key": spare.id,
                "voices:key": self.sentence,
                "records.producer:key": one("SELECT id FROM producer LIMIT 1"),
                "records.product:key": one("SELECT id FROM product LIMIT 1"),
                "records.links:key": one("SELECT id FROM product LIMIT 1"),
                "consumer.product_page:key": one("SELECT id FROM product LIMIT 1"),
                "packed": "no-such-page",
                "rest": "1",  # of a GS1 address: a page that says what is wrong with it
                "records.plot:key": one("SELECT id FROM plot LIMIT 1"),
                "plot_diary:slug": (plot := one("SELECT id FROM plot LIMIT 1")),
                "plot_diary:line": self._plot_line(plot),
                "season:key": plot,
                "records.certificate:key": one("SELECT id FROM certificate LIMIT 1"),
                "digest": self._spreadsheet(),
                "holder": one("SELECT id FROM holder LIMIT 1"),
                "test": one("SELECT id FROM lot_test LIMIT 1"),
                "records.carton:key": one("SELECT code FROM carton LIMIT 1"),
                "records.dispatch:key": one("SELECT id FROM dispatch LIMIT 1"),
                "records.mark:key": self._mark(),
                "records.seller_file:key": one("SELECT id FROM product LIMIT 1"),
                "records.market:key": (sample := self._sample()),
                "records.market_table:key": sample,
                "records.label_layout:key": (kept := self._layout()),
                "records.layout_file:key": kept,
                "records.roll:key": (roll := self._roll()),
                "records.roll_file:key": roll,
                "labels_api.roll_pdf:key": roll,
                "records.rehearsal:key": self._rehearsal(label.lot),
                "records.recall:key": one("SELECT id FROM recall LIMIT 1"),
                "records.recall_notice:key": one("SELECT id FROM recall LIMIT 1"),
                "records.recall_calls:key": one("SELECT id FROM recall LIMIT 1"),
            }

    def _plot_line(self, plot: str) -> str:
        """A line in the diary of a plot."""
        line, phone = str(uuid.uuid4()), self.clients["farmer"]
        sent = {"form_token": form_token(phone.get("/greenhouses")), "id": line, "kind": "note"}
        sent |= {"day": "2026-11-01", "note": "Cây đều."}
        assert phone.post(f"/plots/{plot}/diary", data=sent).status_code == 303
        return line

    def _rehearsal(self, lot: str) -> str:
        """A recall that is being played."""
        played = str(uuid.uuid4())
        task = {"sources": [], "made": 180, "in_store": 180, "gone": 0, "holders": []}
        with self.place.records.transaction() as session:
            session.add(
                Rehearsal(
                    id=played, cooperative="binh-lu", actor="demo", lot=lot,
                    started_at=int(time.time()), ended_at=None, task=task, answers={},
                )
            )  # fmt: skip
        return played

    def _sample(self) -> str:
        """The sample of a market, with a column that nobody understands."""
        id_ = str(uuid.uuid4())
        titles = ["Tên sản phẩm *", "Mô tả", "Giá bán (đ)", "Ảnh bìa", "Mã ngành 3"]
        with self.place.records.transaction() as session:
            session.add(
                MarketSample(
                    id=id_, cooperative="binh-lu", name="Sàn tỉnh, nông sản khô", sort="xlsx",
                    sheet="Mẫu", sign=",", rows=[["Mẫu nhập hàng"], titles], header=2, first=3,
                    columns=selling_meanings.propose(titles), changed_at=1, changed_by="demo",
                )
            )  # fmt: skip
        return id_

    def _mark(self) -> str:
        """A collective mark with somebody who may use it."""
        with self.place.records.transaction() as session:
            desk = Desk(session, "binh-lu", "clerk", "http://127.0.0.1:8080", int(time.time()))
            id_ = str(uuid.uuid4())
            labelling_marks.write_down(desk, id_, "Miến dong Bình Lư", "4-0123", "UBND xã Bình Lư")
            maker = session.execute(text("SELECT producer_id FROM product LIMIT 1")).scalar_one()
            since = datetime.date(2026, 1, 1)
            labelling_marks.entitle(desk, str(uuid.uuid4()), id_, maker, "QĐ 05", since, None)
            return id_

    def _layout(self) -> str:
        """A layout of labels of the cooperative's own."""
        with self.place.records.transaction() as session:
            desk = Desk(session, "binh-lu", "clerk", "http://127.0.0.1:8080", int(time.time()))
            return labelling_layouts.keep(desk, str(uuid.uuid4()), layout.find("a4-2x7-ean")).id

    def _roll(self) -> str:
        """Labels printed without a lot."""
        clerk = self.clients["clerk"]
        page = clerk.get("/records/rolls")
        product = re.search(
            r'<select id="product".*?<option value="([0-9a-f-]+)"', page.text, re.S
        )
        assert product is not None
        sent = {"form_token": form_token(page), "id": str(uuid.uuid4()), "product": product[1]}
        sent |= {"count": "24", "layout": "a4-3x8", "start_cell": "1"}
        answer = clerk.post("/records/rolls", data=sent)
        assert answer.status_code == 303, answer.text
        return str(answer.location).rsplit("/", 1)[-1]

    def _spreadsheet(self) -> str:
        """A file of the registry with one wrong cell, sent by the clerk to be looked at."""
        rows = ("Mã thửa", "Mã hộ", "Cây trồng", "Diện tích"), ("T9", "H01", "ngô", "ba sào")
        sent = {"form_token": form_token(self.clients["clerk"].get("/records/spreadsheets"))}
        sheet = spreadsheets.to_csv(spreadsheets.Table("", rows))
        answer = self.clients["clerk"].post(
            "/records/spreadsheets",
            data={**sent, "file": (io.BytesIO(sheet), "thua.csv")},
            content_type="multipart/form-data",
        )
        return answer.location.rsplit("/", 1)[-1]

    def _book(self) -> str:
        return str(self.clients["farmer"].get(f"/greenhouses/{HOUSE}/diary").text)

    def path(self, rule: Rule) -> str:
        """The address of a route, with things of this farm in its places."""

        def fill(found: re.Match[str]) -> str:
            converter, _, name = found[1].rpartition(":")
            if converter.startswith("any("):
                return converter[4:-1].split(",")[0].strip('"')
            room = rule.endpoint.split(".")[0]
            for key in (f"{rule.endpoint}:{name}", f"{room}:{name}", name):
                if key in self.filled:
                    return self.filled[key]
            raise AssertionError(f"{rule.rule}: say in `filled` what stands for <{name}>")

        return re.sub(r"<([^>]+)>", fill, rule.rule)

    def pages(self) -> list[Seen]:
        """Every address that answers a GET with a page, and whose eyes see it."""
        found = []
        for rule in sorted(self.place.app.url_map.iter_rules(), key=lambda one: one.rule):
            for_programs = rule.rule.startswith("/epcis/") or rule.endpoint == "uplink.offer"
            if "GET" in (rule.methods or ()) and not for_programs:
                found += self._seen(rule)
        for what in ("stop", "mode", "unsure", "maybe", "other", "page", "line", "bind"):
            found.append(Seen(f"/offline/{what}", ""))
        found += [
            Seen("/records/batch/noodles", "clerk"),
            Seen("/alerts/limits/gateway/binh-lu", "clerk"),
            Seen(f"/greenhouses/{HOUSE}", "officer"),
            Seen(f"/greenhouses/{HOUSE}", "helping"),
            Seen(f"/greenhouses/{HOUSE}?days=30", "farmer"),
            Seen(f"/greenhouses/{HOUSE}/way?zone={HOUSE}-k1", "farmer"),
            Seen(f"/greenhouses/{HOUSE}/wet-test?zone={HOUSE}-k1", "farmer"),
            Seen("/nowhere", "farmer"),
            Seen("/people", "farmer"),
            *(
                Seen(f"/greenhouses/{HOUSE}/diary/new?kind={kind}", "farmer")
                for kind in ("planted", "sprayed", "harvested", "note")
            ),
        ]
        return found

    def _seen(self, rule: Rule) -> list[Seen]:
        path = self.path(rule)
        if rule.endpoint in ("accounts.second", "accounts.set_up"):
            return [Seen(path, "half" if rule.endpoint.endswith("second") else "new")]
        for eyes in EYES:
            answer = self.clients[eyes].get(path)
            kind, status = answer.mimetype, answer.status_code
            answer.close()
            if status == 200:
                return [Seen(path, eyes)] if kind == "text/html" else []
        # A page that nobody sees is a code used up, an address that leads on: a page all the same.
        return [Seen(path, "")] if kind == "text/html" and status == 404 else []
