"""A platform with people, a gateway and its farm, and how a test speaks with it."""

import json
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nongso.platform import app as app_of
from nongso.platform import people, second_factor, uplink
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.telemetry import Telemetry

KEY = "a-gateway-key-of-forty-characters-123456"
PASSWORD = "bai-hoc-dau-tien"
NODE_1, NODE_2, BUS = "0000000000000001", "0000000000000002", "000000000000000f"
ROLES = ("farmer", "clerk", "officer", "helper", "admin")


def zone(zone_id: str, name: str, coil: int, mode: str = "manual") -> dict[str, Any]:
    return {
        "id": zone_id,
        "name": name,
        "coil": coil,
        "area_m2": 240,
        "mode": mode,
        "max_run_seconds": 1800,
        "max_day_seconds": 7200,
        "band": {"low": 40.0, "high": 55.0, "run_seconds": 120, "soak_seconds": 900},
    }


def configuration(name: str = "Nhà màng Tân Bình 1") -> dict[str, Any]:
    return {
        "name": "Tủ điều khiển Bình Lư",
        "simulated": True,
        "farms": [{"slug": "tan-binh", "name": "Bản Tân Bình"}],
        "greenhouses": [
            {
                "slug": "tan-binh-1",
                "name": name,
                "farm": "tan-binh",
                "area_m2": 500,
                "zones": [
                    zone("tan-binh-1-k1", "Khu 1", 0),
                    zone("tan-binh-1-k2", "Khu 2", 1, "band"),
                ],
            }
        ],
        "nodes": [
            {
                "farm": "tan-binh",
                "slug": f"tb-0{n}",
                "eui64": eui64,
                "greenhouse": "tan-binh-1",
                "zone": f"tan-binh-1-k{n}",
            }
            for n, eui64 in ((1, NODE_1), (2, NODE_2))
        ]
        + [{"farm": "tan-binh", "slug": "bus", "eui64": BUS, "greenhouse": None, "zone": None}],
    }


def wet_test(state: str = "asked", is_armed: bool = False, **changes: Any) -> dict[str, Any]:
    """What a gateway tells of a zone's wet test."""
    test: dict[str, Any] = {
        "id": "f0000000-0000-4000-8000-000000000001",
        "state": state,
        "at": int(time.time()) - 90,
        "by": "Farmer",
        "code": None,
        "seconds": 60.0,
        "litres": 78.4,
        "water_after_seconds": 4.6,
        "pump_after_seconds": 2.1,
        "flow_l_per_min": 79.8,
        "closed_l_per_min": 0.0,
        "fall_l_per_min": None,
        "shut_l_per_min": None,
        "is_shut": None,
        "known_l_per_min": None,
        "saw": None,
        "seen_id": None,
        "seen_by": None,
        "seen_at": None,
    }
    test |= changes
    passed = test if state == "passed" else None
    return {"is_armed": is_armed, "has_meter": True, "passed": passed, "last": test}


def form_token(page: TestResponse) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', page.text)
    assert found is not None, page.text
    return found.group(1)


def read_aloud(page: TestResponse) -> str:
    """The page's text without what only keeps a station's name on one line, or marks an age."""
    return re.sub(r'<span (?:class="whole"|data-ago="\d+")>([^<]*)</span>', r"\1", page.text)


@dataclass
class Place:
    """A platform with two cooperatives, a person of each role in each, and a gateway."""

    settings: Settings
    app: Flask
    rows: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def records(self) -> Records:
        found: Records = self.app.extensions["nongso.records"]
        return found

    @property
    def telemetry(self) -> Telemetry:
        found: Telemetry = self.app.extensions["nongso.telemetry"]
        return found

    def client(self, user: str | None = None) -> FlaskClient:
        """A browser; logged in when a user is named."""
        client = self.app.test_client()
        if user is not None:
            page = client.get("/login")
            answer = client.post(
                "/login",
                data={"user": user, "password": PASSWORD, "form_token": form_token(page)},
            )
            assert answer.status_code == 303, answer.text
            if answer.location == "/login/second":
                assert self.second(client, user).status_code == 303
        return client

    def second(self, client: FlaskClient, user: str) -> TestResponse:
        """Type the code of the second factor. Tests do not wait half a minute for the next."""
        with self.records.transaction() as session:
            person = people.find_person(session, user)
            assert person is not None
            secret = second_factor.secret_of(session, person)
            assert secret is not None
            person.totp_step = 0
            code = second_factor.code(secret, int(time.time()))
        token = form_token(client.get("/login/second"))
        return client.post("/login/second", data={"code": code, "form_token": token})

    def ask(
        self, path: str, body: object = None, user: str = "farmer", method: str | None = None
    ) -> TestResponse:
        """Call the API with the user's token."""
        return self.app.test_client().open(
            path,
            method=method or ("GET" if body is None else "POST"),
            data=None if body is None else json.dumps(body),
            headers={"Authorization": "Bearer " + self.tokens[user]},
        )

    def row(self, kind: str, **body: Any) -> dict[str, Any]:
        self.rows += 1
        return {"id": self.rows, "kind": kind, **body}

    def readings(self, node: str, *readings: list[Any]) -> dict[str, Any]:
        return self.row("readings", node=node, boot=1, seq=self.rows, readings=list(readings))

    def bring(
        self,
        *rows: dict[str, Any],
        key: str = KEY,
        store: str = "0" * 16,
        gateway: str = "binh-lu",
    ) -> TestResponse:
        """Bring a batch as the gateway does."""
        return self.app.test_client().post(
            f"/api/v1/gateways/{gateway}/batch",
            data=json.dumps({"gateway": gateway, "store": store, "rows": list(rows)}),
            headers={"Authorization": "Bearer " + key},
        )

    def tell_test(self, zone: str = "tan-binh-1-k1", **told: Any) -> None:
        """Bring the word of a gateway about a zone's wet test; without ``told``: none was yet."""
        found = wet_test(**told) if told else {"is_armed": False, "passed": None, "last": None}
        row = {"id": zone, "state": "idle", "at": int(time.time()), "wet_test": found}
        row |= {"mode": "manual"} if found["is_armed"] else {"mode": "off"}
        row |= {"code": "mode_manual" if found["is_armed"] else "zone_not_tested"}
        answer = self.bring(self.row("zone", zone=row))
        assert answer.json is not None
        assert answer.json["refused"] == []

    def configure(self, name: str = "Nhà màng Tân Bình 1") -> None:
        answer = self.bring(self.row("configuration", configuration=configuration(name)))
        assert answer.json is not None
        assert answer.json["refused"] == []

    def poll(
        self, wait: float = 0, poll: str = "", heard: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Fetch commands as the gateway does; ``heard`` tells what became of the last ones."""
        words = "".join(f"&heard={word}" for word in heard)
        asked = f"?poll={poll or uuid.uuid4().hex}&wait={wait}{words}"
        answer = self.app.test_client().get(
            "/api/v1/gateways/binh-lu/commands" + asked,
            headers={"Authorization": "Bearer " + KEY},
        )
        assert answer.status_code == 200
        assert answer.json is not None
        found: list[dict[str, Any]] = answer.json["commands"]
        return found

    def outcome(self, command: str, state: str, code: str | None = None, **values: Any) -> None:
        """Bring the outcome of a command."""
        body = {
            "id": command,
            "state": state,
            "code": code,
            "values": values,
            "at": int(time.time()),
        }
        answer = self.bring(self.row("command", command=body))
        assert answer.json is not None
        assert answer.json["refused"] == []

    def close(self) -> None:
        self.telemetry.close()
        self.records.close()


def open_place(settings: Settings) -> Place:
    """Open a migrated platform and put people and a gateway into it."""
    made = Place(settings, app_of.create_app(settings))
    with made.records.transaction() as session:
        for slug in ("binh-lu", "bac-ha"):
            session.add(Cooperative(slug=slug, name="HTX " + slug))
            session.flush()
            for role in ROLES:
                user = role if slug == "binh-lu" else f"{role}-{slug}"
                person = people.add_person(session, user, user.title(), role, slug, PASSWORD)
                if person.needs_second_factor:
                    second_factor.set_up(session, person, second_factor.new_secret(), 0)
                made.tokens[user] = people.new_api_token(session, person, "test")
        uplink.register_gateway(session, "binh-lu", "Bình Lư", "binh-lu", KEY)
    return made
