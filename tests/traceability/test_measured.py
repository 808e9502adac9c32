"""What the sensors measured is computed, sealed at harvest, and never changed by what comes later.

From each store of readings: real SQLite, InfluxDB, VictoriaMetrics.
"""

import json
from collections.abc import Iterator

import pytest
from cooperative import COOP, NOW, TODAY, Farm, days_ago, new_id
from telemetry_engines import Engine, Influx, Victoria

from nongso.platform.alerts import rules
from nongso.platform.diary import procedures
from nongso.platform.diary.watering import midnight
from nongso.platform.greenhouse.records import Greenhouse, Run, Zone
from nongso.platform.settings import Settings
from nongso.platform.telemetry import HOUR, Row, Series, Telemetry, open_telemetry
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.seasons import growing
from nongso.platform.uplink import register_gateway
from nongso.wire import marks

HOUSE = "tan-binh-1"
AIR = Series(HOUSE, f"{HOUSE}-k1", "a" * 16, "air_temperature")
SOIL = AIR._replace(name="soil_moisture")
YARD = Series("", "", "b" * 16, "air_humidity")
DAYS = 6


@pytest.fixture(params=["sqlite", "influxdb", "victoriametrics"])
def store(request: pytest.FixtureRequest, farm: Farm) -> Iterator[Telemetry]:
    engine: Engine | None = None
    folder = farm.settings.folder / request.param
    if request.param == "influxdb":
        engine = Influx(folder)
    elif request.param == "victoriametrics":
        engine = Victoria(folder)
    settings = Settings(
        folder=farm.settings.folder,
        secret=farm.settings.secret,
        telemetry=engine.setting if engine else "sqlite:///telemetry.sqlite",
    )
    made = open_telemetry(settings)
    request.node.engine = engine
    yield made
    made.close()
    if engine is not None:
        engine.close()


@pytest.fixture
def own_store(farm: Farm) -> Iterator[Telemetry]:
    made = open_telemetry(farm.settings)
    yield made
    made.close()


@pytest.fixture
def harvest(farm: Farm) -> ops.Harvest:
    with farm.records.transaction() as session:
        register_gateway(session, "bl", "Tủ Bình Lư", COOP, "k" * 40)
        session.add(Greenhouse(slug=HOUSE, name="Nhà màng Tân Bình 1", cooperative=COOP))
        session.flush()
        session.add(
            Zone(
                id=f"{HOUSE}-k1",
                name="Khu 1",
                greenhouse=HOUSE,
                gateway="bl",
                coil=0,
                mode="manual",
                max_run_seconds=1800,
                max_day_seconds=7200,
            )
        )
    grower = farm.producer("HTX", "cooperative")
    wish = ops.Planting(HOUSE, "Nhà màng Tân Bình 1", grower, "Rau cải", days_ago(DAYS - 1))
    planting = farm.do(ops.plant, wish)
    return ops.Harvest(planting.code, 5000, TODAY)


def lay_down(store: Telemetry, without: int = 2, only: int | None = None) -> None:
    """Readings every half hour: 20 degrees, 38 from noon to two, the third day missing."""
    rows = []
    for day in range(DAYS):
        if day == without or only not in (None, day):
            continue
        for half in range(48):
            at = midnight(days_ago(DAYS - 1 - day)) + half * 1800
            hot = half in (24, 25, 26, 27)
            rows.append(Row(AIR, at, 38.0 if hot else 20.0, marks.SIMULATED))
            rows.append(Row(SOIL, at, 48.0, marks.SIMULATED))
    store.write([row for row in rows if row.at < NOW])


def test_hours_in_the_crops_band_are_counted_in_every_store(
    farm: Farm, store: Telemetry, harvest: ops.Harvest, request: pytest.FixtureRequest
) -> None:
    lay_down(store)
    if request.node.engine is not None:
        request.node.engine.settle()  # an engine shows what was written a moment later
    with farm.records.session() as session:
        record = growing.measured(session, store, harvest, NOW)
    assert record is not None
    measured_hours = 4 * 24 + 15  # four whole days and today until three in the afternoon
    assert record["bands"]["air_temperature"] == {
        "low": 6.0,
        "high": 35.0,
        "hours_in": measured_hours - 5 * 2,
        "hours": measured_hours,
    }
    assert record["bands"]["soil_moisture"]["hours_in"] == measured_hours
    assert (record["days"], record["hours"], record["all_hours"]) == (6, measured_hours, 135)
    assert record["missing_days"] == [days_ago(DAYS - 3).isoformat()]
    assert record["missing_hours"] == 24
    assert record["daily"] == [[20.0, 38.0], [20.0, 38.0], None, *[[20.0, 38.0]] * 3]
    assert json.loads(json.dumps(record)) == record


def test_impossible_values_are_counted_as_hours_and_used_for_nothing(
    farm: Farm, own_store: Telemetry, harvest: ops.Harvest
) -> None:
    lay_down(own_store)
    at = midnight(days_ago(1)) + 5 * HOUR
    own_store.write([Row(AIR, at + n, 400.0, marks.SIMULATED | 1) for n in (1, 2)])
    with farm.records.session() as session:
        record = growing.measured(session, own_store, harvest, NOW)
    assert record is not None
    assert (record["suspect"], record["suspect_hours"]) == (2, 1)
    assert record["metrics"]["air_temperature"]["high"] == 38.0


def test_what_comes_after_the_sealing_is_told_and_changes_nothing(
    farm: Farm, own_store: Telemetry, harvest: ops.Harvest
) -> None:
    lay_down(own_store)
    with farm.records.session() as session:
        record = growing.measured(session, own_store, harvest, NOW)
    assert record is not None
    crop = farm.do(ops.harvest, harvest, record)
    with farm.records.session() as session:
        assert growing.late(session, own_store, record) is None
    lay_down(own_store, without=99, only=2)
    with farm.records.transaction() as session:
        session.add(
            Run(
                id=new_id(),
                zone=f"{HOUSE}-k1",
                gateway="bl",
                cause="band",
                state="done",
                code="done",
                values={},
                ordered_seconds=60,
                started_at=midnight(days_ago(3)) + HOUR,
                ended_at=midnight(days_ago(3)) + HOUR + 60,
                seconds=60,
                litres=20.0,
            )
        )
    own_store.write([Row(AIR, NOW + 60, 20.0, marks.SIMULATED)])  # after the harvest: not its
    with farm.records.session() as session:
        assert growing.late(session, own_store, record) == growing.Late(96, 1)
        sealed = session.get(ops.Event, crop.born_number).body["nongso:growingRecord"]
    assert sealed == record
    assert sealed["missing_days"] == [days_ago(DAYS - 3).isoformat()]


def test_the_station_of_a_drying_yard_is_summed_up_alone(
    farm: Farm, own_store: Telemetry, harvest: ops.Harvest
) -> None:
    lay_down(own_store)
    since = midnight(days_ago(2))
    own_store.write([Row(YARD, since + n * HOUR, 60.0, marks.SIMULATED) for n in range(30)])
    until = since + 48 * HOUR
    record = growing.measured_at(own_store, "b" * 16, since, until, {"air_humidity": (0, 65)})
    assert record is not None
    assert set(record["metrics"]) == {"air_humidity"}
    assert record["bands"]["air_humidity"]["hours_in"] == record["hours"] == 30
    assert record["missing_hours"] == 18
    assert growing.measured_at(own_store, "c" * 16, since, until) is None


@pytest.mark.parametrize(
    ("crop", "named"),
    [
        ("rau cải", "greens"),
        ("Cà chua", "tomato"),
        ("Dưa lưới", "melon"),
        ("dâu tây", "strawberry"),
    ],
)
def test_the_bands_of_crops_are_where_their_alerts_begin(crop: str, named: str) -> None:
    found = procedures.for_crop(procedures.load(procedures.OURS), crop)
    assert found is not None
    limits = rules.defaults(named)
    assert found.bands["air_temperature"] == (limits["cold"].on, limits["heat"].on)
    assert found.bands["soil_moisture"] == (limits["soil_dry"].on, limits["soil_wet"].on)


@pytest.mark.parametrize(
    "band", ["air_temperature = [35, 6]", "air_temperature = 3", "warmth = [1, 2]", "soil = 'x'"]
)
def test_a_wrong_band_says_what_is_expected(farm: Farm, band: str) -> None:
    folder = farm.settings.folder / f"procedures-{new_id()}"
    folder.mkdir()
    (folder / "x.toml").write_text(
        f"crops=['x']\n[band]\n{band}\n[[task]]\nid='a'\nkind='note'\nfrom_day=1\nto_day=2\n"
        "vi='x'\nen='x'\n"
    )
    with pytest.raises(procedures.ProcedureError, match="band"):
        procedures.load(folder)
