"""A season of greens in the greenhouse of Tân Bình, for the tests that tell of one."""

import datetime

from cooperative import COOP, NOW, TODAY, Farm, days_ago, new_id

from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.diary.watering import midnight
from nongso.platform.greenhouse.records import Greenhouse, Run, Zone
from nongso.platform.telemetry import HOUR, Row, Series, open_telemetry
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.seasons import field_events, growing
from nongso.platform.uplink import register_gateway
from nongso.wire import marks

HOUSE = "tan-binh-1"
AIR = Series(HOUSE, f"{HOUSE}-k1", "a" * 16, "air_temperature")
DAYS = 30


def write(farm: Farm, entry: Entry) -> str:
    id_ = new_id()
    with farm.records.transaction() as session:
        diary.write(session, id_, HOUSE, COOP, "farmer", entry, NOW)
    return id_


def zone(house: str, coil: int = 0) -> Zone:
    return Zone(
        id=f"{house}-k1",
        name="Khu 1",
        greenhouse=house,
        gateway="bl",
        coil=coil,
        mode="manual",
        max_run_seconds=1800,
        max_day_seconds=7200,
    )


def gather(farm: Farm, planting: Lot, grams: int, day: datetime.date = TODAY) -> Lot:
    """Harvest with what was measured until then."""
    wish = ops.Harvest(planting.code, grams, day)
    store = open_telemetry(farm.settings)
    with farm.records.session() as session:
        grown = growing.measured(session, store, wish, NOW)
    store.close()
    return farm.do(ops.harvest, wish, grown)


def water(farm: Farm, ago: int, litres: float | None, house: str = HOUSE) -> None:
    at = midnight(days_ago(ago)) + 6 * HOUR
    run = Run(
        id=new_id(),
        zone=f"{house}-k1",
        gateway="bl",
        cause="band",
        state="done",
        code="done",
        values={},
        ordered_seconds=120,
        started_at=at,
        ended_at=at + 120,
        seconds=120,
        litres=litres,
    )
    with farm.records.transaction() as session:
        session.add(run)


def lay_down(farm: Farm, days: range, series: Series = AIR) -> None:
    store = open_telemetry(farm.settings)
    rows = [
        Row(series, midnight(days_ago(ago)) + hour * HOUR, 18.0 + hour % 12, marks.GOOD)
        for ago in days
        for hour in range(24)
    ]
    store.write([row for row in rows if row.at < NOW])
    store.close()


def grow(farm: Farm) -> tuple[Lot, Lot, Lot]:
    """Thirty days of greens: fed, sprayed, watered, a week without readings, packed.

    Returns the planting, the harvest and the packs.
    """
    with farm.records.transaction() as session:
        register_gateway(session, "bl", "Tủ Bình Lư", COOP, "k" * 40)
        session.get_one(Greenhouse, HOUSE).gateway = "bl"
        session.flush()
        session.add(zone(HOUSE))
    grower = farm.producer("HTX", "cooperative")
    wish = ops.Planting(HOUSE, "Nhà màng Tân Bình 1", grower, "Rau cải", days_ago(DAYS - 1))
    planting = farm.do(ops.plant, wish)
    lay_down(farm, range(15, DAYS))
    lay_down(farm, range(8))
    for ago in (20, 12):
        write(farm, Entry("fertilised", days_ago(ago).isoformat(), product="Phân trùn quế"))
    sprayed = Entry(
        "sprayed",
        days_ago(14).isoformat(),
        product="Dầu neem",
        ingredient="Azadirachtin",
        interval_days=7,
        who="NGUOI-PHUN",
    )
    line = write(farm, sprayed)
    for ago in (10, 9, 8):
        water(farm, ago, 60.5)
    water(farm, 7, None)
    crop = gather(farm, planting, 46_500)
    with farm.records.transaction() as session:
        field_events.bring_up(session, farm.settings.label_url, HOUSE, NOW)
    with farm.records.transaction() as session:
        found = diary.line(session, HOUSE, line)
        again = Entry(**{**sprayed.body(), "interval_days": 10})
        diary.correct(session, new_id(), found, HOUSE, COOP, "farmer", again, "Đọc nhầm", NOW)
        field_events.bring_up(session, farm.settings.label_url, HOUSE, NOW)
    product = farm.product("vegetables", "Rau cải Tân Bình", crop="Rau cải")
    packing = ops.Packing(
        product,
        (ops.Take(crop.code, 45_000),),
        90,
        500,
        TODAY,
        TODAY + datetime.timedelta(days=5),
    )
    return planting, crop, farm.do(ops.pack, packing)
