"""What a station in a drying yard or a store measured is kept with what was made meanwhile."""

import time

import pytest
from cooperative import COOP, NOW, Farm, days_ago, new_id
from platform_site import Site

from nongso.platform.diary.watering import midnight
from nongso.platform.greenhouse.records import Node
from nongso.platform.languages import day_of
from nongso.platform.telemetry import HOUR, Row, Series, open_telemetry
from nongso.platform.traceability.registry import places
from nongso.platform.traceability.registry.places import Standing
from nongso.platform.uplink import register_gateway
from nongso.wire import marks

YARD_NODE, STORE_NODE = "b" * 16, "c" * 16


def lay_down(farm: Farm, node: str, humidity: float, first: int, hours: int) -> None:
    store = open_telemetry(farm.settings)
    series = Series("", "", node, "air_humidity")
    store.write([Row(series, first + n * HOUR, humidity, marks.GOOD) for n in range(hours)])
    store.close()


def place(farm: Farm, *standing: Standing) -> None:
    with farm.records.transaction() as session:
        for one in standing:
            places.place(session, new_id(), COOP, "clerk", one, NOW)


def seal(farm: Farm, lot) -> list:
    store = open_telemetry(farm.settings)
    with farm.records.session() as session:
        found = places.measured(session, store, lot, NOW)
    store.close()
    with farm.records.transaction() as session:
        places.seal(session, "http://127.0.0.1:8080", lot, found, "clerk")
    with farm.records.session() as session:
        return places.of_lots(session, [lot.code])


@pytest.fixture
def both(farm: Farm) -> Farm:
    """A yard where noodles dry and a store where starch lies, each with its station."""
    place(
        farm,
        Standing("yard", "noodles", "Sân phơi Tân Bình", YARD_NODE),
        Standing("store", "starch", "Kho bột", STORE_NODE),
    )
    lay_down(farm, YARD_NODE, 55.0, midnight(days_ago(6)), 5 * 24)
    lay_down(farm, STORE_NODE, 70.0, midnight(days_ago(20)), 19 * 24)
    return farm


def test_noodles_keep_what_yard_and_store_measured_while_they_were_made(both: Farm) -> None:
    starch = both.batch("starch", 100, both.roots(800), day=5)
    noodles = both.batch("noodles", 95, starch, day=3)
    yard, store = seal(both, noodles)
    assert (yard["nongso:kind"], store["nongso:kind"]) == ("noodles", "starch")
    record = yard[places.RECORD]
    assert record["name"] == "Sân phơi Tân Bình"
    assert record["days"] == 3  # from the day of the starch to the day of the noodles
    assert record["metrics"]["air_humidity"]["mean"] == 55.0
    assert record["hours"] == 72
    assert store[places.RECORD]["metrics"]["air_humidity"]["mean"] == 70.0
    assert yard["type"] == "ObjectEvent"


def test_what_is_sealed_stays_although_readings_come_later(both: Farm) -> None:
    noodles = both.batch("noodles", 95, both.batch("starch", 100, both.roots(800)), day=3)
    first = seal(both, noodles)
    lay_down(both, YARD_NODE, 90.0, midnight(days_ago(4)) + 60, 10)
    assert seal(both, noodles) == first


def test_a_station_that_was_taken_away_measures_nothing(both: Farm) -> None:
    place(both, Standing("yard", "noodles", "Sân phơi Tân Bình", ""))
    noodles = both.batch("noodles", 95, both.batch("starch", 100, both.roots(800)), day=3)
    assert [one["nongso:kind"] for one in seal(both, noodles)] == ["starch"]


def test_the_clerk_places_a_station_and_the_shopper_reads_what_it_measured(
    site: Site, farm: Farm
) -> None:
    with farm.records.transaction() as session:
        register_gateway(session, "bl", "Tủ Bình Lư", COOP, "k" * 40)
        session.flush()
        session.add(Node(eui64=YARD_NODE, slug="sp-01", gateway="bl"))
    sent = site.send(
        "/records/stations", where="yard/noodles", name="Sân phơi Tân Bình", node=YARD_NODE
    )
    assert sent.status_code == 303
    assert "Sân phơi Tân Bình" in site.clerk.get("/records/stations").text
    today = day_of(time.time())
    lay_down(farm, YARD_NODE, 55.0, midnight(today), 2)
    starch = farm.batch("starch", 100, farm.roots(800))
    made = site.made(
        "/records/batch/noodles",
        output="95",
        day=today.isoformat(),
        **{f"take-{starch.code}": "100"},
    )
    product = farm.product(name="Miến dong Bình Lư")
    packs = site.made(
        f"/records/packing?lot={made}", product=product, packs="10", pack_grams="500"
    )
    page = site.stranger.get(f"/t/{packs}").text
    assert "Sân phơi Tân Bình" in page
    assert "Tổng kết từ" in page
