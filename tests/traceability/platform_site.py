"""The whole platform on the cooperative's records, and somebody at its pages."""

import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from cooperative import COOP, Farm
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nongso.platform import people, second_factor
from nongso.platform.app import create_app
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.telemetry import Row, Series, SqliteTelemetry
from nongso.wire import marks

PASSWORD = "mien dong 500 g"
LOT_PAGE = re.compile(r"/records/lots/([A-Z0-9]+)\?recorded=1$")


@dataclass
class Site:
    """The platform, its clerk's browser, a stranger's phone, and API tokens by role."""

    farm: Farm
    clerk: FlaskClient
    stranger: FlaskClient
    tokens: dict[str, str]

    def fields(self, address: str, who: FlaskClient | None = None) -> dict[str, str]:
        """What a browser would send back, with the first line chosen where one must choose."""
        page = (who or self.clerk).get(address).text
        found = {}
        for tag in re.findall(r"<input[^>]*>", page):
            name, value = (re.search(rf'{what}="([^"]*)"', tag) for what in ("name", "value"))
            if re.search('type="(radio|checkbox)"', tag) and " checked" not in tag:
                continue
            if name:
                found[name[1]] = value[1] if value else ""
        wanted = r'<select[^>]*name="(\w+)"([^>]*)>(.*?)</select>'
        for name, more, body in re.findall(wanted, page, re.S):
            options = re.findall(r'<option value="([^"]*)"( selected)?', body)
            chosen = [value for value, selected in options if selected]
            first = [value for value, _selected in options if value or "required" not in more]
            found[name] = (chosen or first)[0]
        return found

    def send(self, address: str, **typed: str) -> TestResponse:
        """Open a form, type, and press the button."""
        return self.clerk.post(address, data={**self.fields(address), **typed})

    def made(self, address: str, **typed: str) -> str:
        """Send a form that must be recorded; returns the code of the new lot."""
        answer = self.send(address, **typed)
        assert answer.status_code == 303, re.findall(r'class="error"[^>]*>([^<]*)', answer.text)
        found = LOT_PAGE.search(answer.headers["Location"])
        assert found is not None
        return found[1]

    def api(self, path: str, body: Any = None, role: str = "clerk") -> TestResponse:
        """Call the API."""
        headers = {"Authorization": "Bearer " + self.tokens[role]}
        if body is None:
            return self.stranger.get(path, headers=headers)
        return self.stranger.post(path, json=body, headers=headers)


def measure(farm: Farm, since: int, until: int, without: tuple[int, int] = (0, 0)) -> None:
    """Lay down simulated readings of the greenhouse every half hour."""
    telemetry = SqliteTelemetry(farm.settings.telemetry_file)
    rows = [
        Row(Series("tan-binh-1", "tan-binh-1-k1", "a" * 16, name), at, value, marks.SIMULATED)
        for at in range(since, until, 1800)
        if not without[0] <= at < without[1]
        for name, value in (("air_temperature", 21.5), ("soil_moisture", 48.0))
    ]
    telemetry.write(rows)
    telemetry.close()


def open_site(farm: Farm) -> Site:
    """Add people and a greenhouse, and open the platform."""
    tokens = {}
    with farm.records.transaction() as session:
        for role in ("clerk", "officer", "farmer"):
            person = people.add_person(
                session, f"{role}@{uuid.uuid4().hex[:6]}", role, role, COOP, PASSWORD
            )
            tokens[role] = people.new_api_token(session, person, "test")
            if role == "clerk":
                user, secret = person.user, second_factor.new_secret()
                second_factor.set_up(session, person, secret, 0)
        session.add(Greenhouse(slug="tan-binh-1", name="Nhà màng Tân Bình 1", cooperative=COOP))
    app = create_app(farm.settings)
    made = Site(farm, app.test_client(), app.test_client(use_cookies=True), tokens)
    sent = {**made.fields("/login"), "user": user, "password": PASSWORD}
    assert made.clerk.post("/login", data=sent).location == "/login/second"
    sent = {**made.fields("/login/second"), "code": second_factor.code(secret, int(time.time()))}
    assert made.clerk.post("/login/second", data=sent).status_code == 303
    return made
