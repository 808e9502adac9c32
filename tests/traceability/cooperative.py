"""A cooperative on a real database, with its schema made by the migrations."""

import datetime
import uuid
from dataclasses import dataclass
from pathlib import Path

import migrated

from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot, Producer, Product

COOP = "binh-lu"
BASE = "http://127.0.0.1:8080"
TODAY = datetime.date(2026, 11, 21)
NOW = int(datetime.datetime(2026, 11, 21, 15, tzinfo=ops.shaping.ZONE).timestamp())


def new_id() -> str:
    return str(uuid.uuid4())


def days_ago(count: int) -> datetime.date:
    return TODAY - datetime.timedelta(days=count)


@dataclass
class Farm:
    """The records of a cooperative, and short ways to say what happens there."""

    settings: Settings
    records: Records

    def do(self, deed, wish, *more, id=None, cooperative=COOP):  # noqa: A002
        with self.records.transaction() as session:
            desk = ops.Desk(session, cooperative, "clerk", BASE, NOW)
            return deed(desk, id or new_id(), wish, *more)

    def lot(self, code: str) -> Lot:
        with self.records.session() as session:
            return session.get_one(Lot, code)

    def producer(self, code: str = "H01", kind: str = "household") -> str:
        producer = Producer(
            id=new_id(),
            cooperative=COOP,
            code=code,
            kind=kind,
            name=f"Hộ {code}",
            village="bản Tân Bình",
            commune="xã Bình Lư",
            province="tỉnh Lai Châu",
            contact="",
        )
        with self.records.transaction() as session:
            session.add(producer)
        return producer.id

    def product(
        self, kind: str = "noodles", name: str = "Miến dong Bình Lư", gtin=None, crop: str = ""
    ) -> str:
        product = Product(
            id=new_id(),
            cooperative=COOP,
            producer_id=self.producer(f"HTX-{name}", "cooperative"),
            name=name,
            brand="",
            kind=kind,
            pack_grams=500,
            shelf_life_days=365,
            crop=crop,
            storage="",
            gtin=gtin,
        )
        with self.records.transaction() as session:
            session.add(product)
        return product.id

    def roots(self, kg: float, day: int = 10, producer: str | None = None) -> Lot:
        wish = ops.Intake(
            producer or self.producer(new_id()), round(kg * 1000), days_ago(day + 1), days_ago(day)
        )
        return self.do(ops.take_in, wish)

    def batch(self, kind: str, kg: float, *inputs: Lot, day: int = 5) -> Lot:
        takes = tuple(ops.Take(lot.code, self.lot(lot.code).left_grams or 0) for lot in inputs)
        return self.do(ops.make_batch, ops.Batch(kind, takes, round(kg * 1000), days_ago(day)))

    def noodles(self, kg: float) -> Lot:
        starch = self.batch("starch", kg, self.roots(kg * 8))
        return self.batch("noodles", kg, starch, day=3)

    def crop(self, name: str, kg: float = 10) -> Lot:
        """A crop of a greenhouse, harvested today."""
        grower = self.producer(new_id(), "cooperative")
        wish = ops.Planting("tan-binh-1", "Nhà màng Tân Bình 1", grower, name, days_ago(28))
        planting = self.do(ops.plant, wish)
        return self.do(ops.harvest, ops.Harvest(planting.code, round(kg * 1000), TODAY), None)

    def packed(self, packs: int = 180, grams: int = 500, product: str | None = None) -> Lot:
        noodles = self.noodles(packs * grams / 1000)
        wish = ops.Packing(
            product or self.product(name=new_id()[:8]),
            (ops.Take(noodles.code, packs * grams),),
            packs,
            grams,
            TODAY,
            TODAY + datetime.timedelta(days=365),
        )
        return self.do(ops.pack, wish)


def open_farm(folder: Path, records_in: str = "") -> Farm:
    """Make the database and two cooperatives."""
    settings = Settings(folder=folder, secret="k7m4pqrstvwx" * 4, records=records_in)
    if settings.records_in_file:
        migrated.lay_down(settings)
    records = Records.of(settings)
    with records.transaction() as session:
        session.add(Cooperative(slug=COOP, name="Hợp tác xã Bình Lư"))
        session.add(Cooperative(slug="khac", name="Hợp tác xã khác"))
    return Farm(settings, records)
