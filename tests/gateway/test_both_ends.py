"""What the gateway acknowledges the platform can take, or refuses row by row, never the batch.

The gateway's real judging and store on one end, the platform's real way in on the other; in
between the bytes that the courier writes.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_box import FARM, KEY, NODES, settings_file
from flask import Flask
from hypothesis import HealthCheck, example, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from nongso.gateway.intake import Intake
from nongso.gateway.ledger import Message, Refusal, accept
from nongso.gateway.settings import load
from nongso.gateway.storefile import StoreFile
from nongso.gateway.uplink import batch_text, configuration_of
from nongso.platform import app as platform_app
from nongso.platform import migrations, uplink
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings

NOW = 1_790_000_000
UP = f"nongso/1/{FARM}/tb-01/up"


class BothEnds:
    """A gateway's judging and store file, and the platform that it reports to."""

    def __init__(self, folder: Path) -> None:
        gateway = load(settings_file(folder, 1883, "http://127.0.0.1:1"))
        self.intake = Intake(gateway)
        self.file = StoreFile(folder / "store.sqlite")
        office = Settings(folder=folder / "platform", secret="0123456789abcdef" * 4)
        office.folder.mkdir()
        migrations.upgrade(office)
        self.app: Flask = platform_app.create_app(office)
        with self.app.extensions["nongso.records"].transaction() as session:
            session.add(Cooperative(slug="binh-lu", name="HTX Bình Lư"))
            session.flush()
            uplink.register_gateway(session, "binh-lu", "Bình Lư", "binh-lu", KEY)
        self._seq = 0
        self._put("configuration", configuration_of(gateway))
        assert self.carry()["refused"] == []

    def _put(self, kind: str, body: dict[str, Any]) -> None:
        self.file.begin()
        text = json.dumps({"kind": kind, kind: body}, ensure_ascii=False).encode()
        self.file.put(kind, text, kind == "configuration")
        self.file.commit()

    def hear(self, topic: str, raw: bytes) -> Message | Refusal:
        """Judge a message and put what becomes of it into the store."""
        kept = self.intake.judge(topic, raw, NOW)[0].kept
        self.file.begin()
        if isinstance(kept, Message):
            self._seq += 1  # each example is a message of its own
            kept = kept._replace(key=(*kept.key[:2], self._seq))
            accept(self.file, [kept], [])
        else:
            accept(self.file, [], [kept])
        self.file.commit()
        return kept

    def carry(self) -> dict[str, Any]:
        """Bring all rows to the platform; every one of them must be named in the answer."""
        answer: dict[str, Any] = {"stored": [], "refused": []}
        for protected in (True, False):
            rows = self.file.rows(protected, 1000, 1 << 20)
            if not rows:
                continue
            assert all(row.is_sound for row in rows)
            got = self.app.test_client().post(
                "/api/v1/gateways/binh-lu/batch",
                data=gzip.compress(batch_text("binh-lu", self.file.store_id, rows)),
                headers={"Authorization": "Bearer " + KEY, "Content-Encoding": "gzip"},
            )
            assert got.status_code == 200, got.text
            named = got.json["stored"] + [row["id"] for row in got.json["refused"]]
            assert sorted(named) == [row.id for row in rows]
            self.file.begin()
            self.file.strike_out([row.id for row in rows], protected)
            self.file.commit()
            for key, found in answer.items():
                found += got.json[key]
        return answer

    def close(self) -> None:
        self.file.close()
        for name in ("nongso.telemetry", "nongso.records"):
            self.app.extensions[name].close()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothEnds]:
    made = BothEnds(tmp_path_factory.mktemp("both"))
    yield made
    made.close()


# JSON texts written by hand, because a well-behaved encoder would never write them

NUMBERS = [
    *("0", "-0", "0.1", "24.5", "1e5", "1E+5", "-1e11", "1e400", "-1e400", "1e-400", "1e29"),
    *("1" + "0" * 30, "-1" + "0" * 30, "1" + "0" * 400, str(2**40), str(2**40 - NOW), str(-NOW)),
    *(str(2**53), str(2**63), str(2**64), str(-(2**63) - 1), "268435455", "-268435456", "1.5e9"),
]
STRINGS = [
    *(
        '"Cel"',
        '"lx"',
        '"/"',
        '"%RH"',
        '""',
        '"\\ud800"',
        '"\\udc00x"',
        '"\\u0000"',
        '"a\\u0000b"',
    ),
    *('"absent"', '"failed"', '"boot"', '"light"', '"air_temperature.99"', '"light.1"', '"😀"'),
    *('"water_total"', '"soil_moisture.2"', '"simulated"', '"lost"', '"' + "x" * 300 + '"'),
]
OTHER = ["true", "false", "null", "[]", "{}", "[" * 60 + "]" * 60, '{"a":{"a":1}}', "NaN"]
KEYS = ["bn", "bt", "bu", "bv", "bver", "n", "u", "v", "vs", "vb", "t", "s", "ut", "x_", "\\ud800"]
VALUES = st.sampled_from([*NUMBERS, *STRINGS, *OTHER])
MEMBERS = st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=4)  # keys may come twice
METRICS = [
    ("air_temperature", "Cel"),
    ("light", "lx"),
    ("soil_moisture", "/"),
    ("water_total", "l"),
]


def record(*members: tuple[str, str]) -> str:
    return "{" + ",".join(f'"{key}":{value}' for key, value in members) + "}"


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message of node tb-01, more or less spoilt."""
    base = draw(st.sampled_from(["1790000000", *NUMBERS]))
    name = f'"urn:dev:mac:{NODES["tb-01"]}:"'
    head = record(("bn", name), ("bt", base), ("n", '"boot"'), ("v", "7"), *draw(MEMBERS))
    out = [head, record(("n", '"seq"'), ("v", "1"))]
    for metric, unit in draw(st.lists(st.sampled_from(METRICS), max_size=4)):
        value = draw(st.sampled_from(["24.5", *NUMBERS]))
        members = (("n", f'"{metric}"'), ("u", f'"{unit}"'), ("v", value))
        out.append(record(*members, *draw(st.one_of(st.just([]), MEMBERS))))
    return f"[{','.join(out)}]".encode()


def light(value: str, base: str = "1790000000", more: str = "") -> bytes:
    node = NODES["tb-01"]
    return (
        f'[{{"bn":"urn:dev:mac:{node}:","bt":{base},"n":"boot","v":7}},{{"n":"seq","v":1}},'
        f'{{"n":"light","u":"lx","v":{value}{more}}}]'
    ).encode()


@given(messages() | st.binary(max_size=60))
@example(light("1", base="-1e11"))
@example(light("1", base="-100000000000"))
@example(light("1", base="1e29"))
@example(light("1" + "0" * 29))
@example(light("1" + "0" * 30))
@example(light("1e29", more=',"bv":1e29'))
@example(light("1e400"))
@example(light("1", more=',"t":1e29'))
@example(light("1", more=',"v":2,"n":"light","n":"light"'))
@example(light("1", more=',"x":"\\ud800"'))
@example(light("1", more=',"\\ud800_":1'))
@example(light("1", more=',"u":"\\u0000"'))
@example(light("[" * 1500 + "]" * 1500))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@trials(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_the_gateway_acknowledges_the_platform_takes(both: BothEnds, raw: bytes) -> None:
    kept = both.hear(UP, raw)
    answer = both.carry()
    if isinstance(kept, Message):
        assert answer["refused"] == []  # one rule on both ends
    assert len(answer["stored"]) == 1  # also the word about a message that was refused


@given(st.text(min_size=1, max_size=300), st.binary(max_size=30))
@example("nongso/1/" + "x" * 60_000, b"")
@example("nongso/1/tan-binh/tb-01/up\x00", b"{}")
@example("nongso/2/tan-binh/tb-01/up", light("1"))
@example("nongso/1/noi-khac/tb-01/up", light("1"))
@trials(deadline=None, max_examples=50)
def test_a_topic_of_any_shape_is_named_to_the_platform(
    both: BothEnds, topic: str, raw: bytes
) -> None:
    kept = both.hear(topic, raw)
    assert isinstance(kept, Refusal)
    assert len(both.carry()["stored"]) == 1
