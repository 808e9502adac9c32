"""A scanned page from the server's memory is the page that the application makes, to the byte."""

import gzip
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cooperative import open_farm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platform_site import Site, open_site

from nongso.platform import listening, serving
from nongso.platform.app import own_headers
from nongso.platform.run import kept_pages_of
from nongso.platform.store import Records
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode, Lot

GTIN = "09524000059109"


@dataclass
class Scanned:
    """The platform behind its own server, with two lots on its shelf."""

    site: Site
    port: int
    lots: list[str]
    serial: str
    made: list[str]  # paths for which the application was asked

    def get(self, path: str, **headers: str) -> tuple[int, list[tuple[str, str]], bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request("GET", path, headers={"Accept-Encoding": "identity", **named})
        answer = line.getresponse()
        body = answer.read()
        line.close()
        told = [(name.lower(), text) for name, text in answer.getheaders()]
        return answer.status, [one for one in told if one[0] != "date"], body

    def records(self) -> Records:
        found: Records = self.site.clerk.application.extensions["nongso.records"]
        return found


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scanned]:
    farm = open_farm(tmp_path_factory.mktemp("scanned"))
    site = open_site(farm)
    product = farm.product(name="Miến dong", gtin=GTIN)
    lots = [farm.packed(10, product=product).code for _ in range(2)]
    farm.do(labelling.issue, labelling.Wish(lots[0], 2), {"text": "Miến"})
    with farm.records.session() as session:
        serial = session.query(LabelCode.serial).first()[0]
    app, made = site.clerk.application, []

    def application(environ, start):
        made.append(environ["REQUEST_URI"])
        return app(environ, start)

    sockets = listening.listen("127.0.0.1", 0)
    server = serving.Server(
        application,
        sockets,
        own_headers(farm.settings),
        threads=4,
        most_body=100_000,
        pages=kept_pages_of(app.extensions["nongso.records"]),
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    yield Scanned(site, int(sockets[0].getsockname()[1]), lots, serial, made)
    server.end()
    thread.join()
    farm.records.close()


def addresses() -> st.SearchStrategy[str]:
    """Addresses of lots, packs, products and nothing, with what may stand behind them."""
    paths = ["/", "/?name=mi", "/t/{0}", "/T/{1}", "/t/{0}/{serial}", "/t/XXXXXX", "/01/{gtin}"]
    paths += ["/01/{gtin}/10/{0}", "/01/{gtin}/10/{1}?17=271121", "/t?code={0}", "/verify"]
    asked = ["", "lang=en", "lang=vi", "lang=xx", "linkType=linkset", "linkType=gs1:pip", "a=%zz"]
    return st.tuples(st.sampled_from(paths), st.sampled_from(asked)).map(
        lambda one: one[0] + ("&" if "?" in one[0] else "?") * bool(one[1]) + one[1]
    )


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(
            ["text/html", "*/*", "application/linkset+json", "application/ld+json", "image/png"]
        ),
        "Accept_Encoding": st.sampled_from(["gzip", "gzip, br", "br", "gzip;q=0"]),
        "Accept_Language": st.sampled_from(["en", "vi-VN,vi;q=0.9"]),
        "Sec_Fetch_Site": st.sampled_from(["none", "cross-site"]),
        "Cookie": st.sampled_from(["nongso_language=en", "nongso_log_in=x"]),
        "If_None_Match": st.sampled_from(["*", '"x"', "kept"]),
        "Origin": st.just("https://shop.example"),
    },
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(address=addresses(), asked=HEADERS)
def test_what_memory_gives_is_what_the_application_makes(
    scanned: Scanned, address: str, asked: dict[str, str]
) -> None:
    path = address.format(*scanned.lots, serial=scanned.serial, gtin=GTIN)
    wish = dict(asked)
    if wish.get("If_None_Match") == "kept":
        del wish["If_None_Match"]
        wish["If_None_Match"] = dict(scanned.get(path, **wish)[1]).get("etag", '"none"')
    first, again = (scanned.get(path, **wish) for _ in range(2))
    named = {name.replace("_", "-"): value for name, value in wish.items()}
    client = scanned.site.clerk.application.test_client(use_cookies=False)
    own = client.get(path, headers={"Accept-Encoding": "identity", **named})
    told = [(name.lower(), value) for name, value in own.headers.items()]
    for status, headers, body in (first, again):
        assert status == own.status_code
        assert _steady(headers) == _steady(told)
        assert _plain(headers, body) == _plain(told, own.data)


def _plain(headers: list[tuple[str, str]], body: bytes) -> bytes:
    is_packed = ("content-encoding", "gzip") in headers
    return gzip.decompress(body) if is_packed and body else body


def _steady(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """All but the length, which packing makes a little longer or shorter each time."""
    left_out = ("content-length", "connection", "date", "set-cookie")
    return sorted(one for one in headers if one[0] not in left_out)


def test_the_application_is_asked_once_for_a_page_that_many_scan(scanned: Scanned) -> None:
    path = f"/t/{scanned.lots[0]}"
    first = scanned.get(path, Accept="text/html;q=0.9")
    scanned.made.clear()
    for _ in range(20):
        assert scanned.get(path, Accept="text/html;q=0.9") == first
    assert not scanned.made


def test_a_phone_that_has_the_page_is_told_so_from_memory(scanned: Scanned) -> None:
    path = f"/t/{scanned.lots[0]}"
    tag = dict(scanned.get(path)[1])["etag"]
    first = scanned.get(path, If_None_Match=tag)
    scanned.made.clear()
    assert scanned.get(path, If_None_Match=tag) == first
    assert first[0] == 304
    assert first[2] == b""
    assert not scanned.made


def test_a_pack_is_never_answered_from_memory(scanned: Scanned) -> None:
    path = f"/t/{scanned.lots[0]}/{scanned.serial}"
    scanned.made.clear()
    for _ in range(3):
        headers = dict(scanned.get(path)[1])
        assert headers["cache-control"] == "no-store"
    assert len(scanned.made) == 3


def test_a_shopper_sees_a_withdrawn_lot_at_once(scanned: Scanned) -> None:
    path = f"/t/{scanned.lots[1]}"
    before = scanned.get(path)[2]
    with scanned.records().transaction() as session:
        lot = session.get_one(Lot, scanned.lots[1])
        lot.withdrawn_at, lot.withdrawn_why = 1_800_000_000, "ghi nhầm"
    after = scanned.get(path)[2].decode()
    assert after != before.decode()
    assert "Tem mang mã lô này không còn giá trị" in after


def test_what_no_page_tells_leaves_pages_in_memory(scanned: Scanned) -> None:
    path = f"/t/{scanned.lots[0]}"
    scanned.get(path)
    with scanned.records().transaction() as session:
        scanned.records().aside(session)
        session.get_one(Lot, scanned.lots[1]).withdrawn_why = "aside"
    scanned.made.clear()
    scanned.get(path)
    assert not scanned.made


def test_what_another_process_wrote_just_before_readings_came_in_is_still_news(
    scanned: Scanned,
) -> None:
    records = scanned.records()
    records.look()
    news = records.news
    other = Records.of(scanned.site.farm.settings)
    with other.transaction() as session:
        session.get_one(Lot, scanned.lots[0]).withdrawn_why = "khác"
    with records.transaction() as session:
        records.aside(session)
        session.get_one(Lot, scanned.lots[0]).withdrawn_why = ""
    other.close()
    assert records.news != news
