"""The demonstration's lots: a greenhouse crop and miến dong, each with labels issued.

The noodles' weight is corrected once, one household has roots ground for a fee, and a small lot
fails a test and is recalled.

Everything goes through the same operations as a clerk's work, and every lot is marked as a
demonstration, which its page says first. No person is invented: households are codes. Laying
down twice changes nothing, because every form number is fixed.
"""

import datetime
import time
import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.telemetry import Telemetry, open_telemetry
from nongso.platform.traceability import shaping
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling.text import texts_of
from nongso.platform.traceability.making import correcting, leaving, regrouping
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making.correcting import Correction
from nongso.platform.traceability.making.leaving import HandBack
from nongso.platform.traceability.making.regrouping import FEE, TakeOver
from nongso.platform.traceability.recall import demo as recall_demo
from nongso.platform.traceability.records import UNIT, Lot, Producer, Product
from nongso.platform.traceability.registry import demo as registry_demo
from nongso.platform.traceability.registry import vouching
from nongso.platform.traceability.seasons import growing

GREENHOUSE = "tan-binh-1"
GROWN_DAYS = 28
HOUSEHOLDS = 6
FIRST_INTAKE_DAYS = 16
VILLAGES = ("bản Tân Bình", "bản Hưng Bình")
ROOT_KG = (212, 187, 240, 156, 198, 207)  # 1,200 kg fresh roots
STARCH_KG = 168  # 14 % of the roots
NOODLES_KG = 157.5
NOODLES_RIGHT_GRAMS = 156_500  # what the first figure is corrected to
MILLED_KG, MILLED_STARCH_GRAMS, MILLED_PERMILLE, FEE_GRAMS = 60, 8_400, 140, 1_200
PACKS, PACK_GRAMS = 180, 500
CROP = "Rau cải"
CROP_KG = 46.5
CROP_PACKS, CROP_PACK_GRAMS = 90, 500
LABELS = 24  # one sheet of each lot; the rest is left to be printed by whoever tries it


def lay_down(settings: Settings, now: int | None = None) -> list[str]:
    """Lay down both lots, if they are not there, and return their codes.

    Call it when the past days' readings are in the platform: the harvest sums them up.
    """
    records, telemetry = Records.of(settings), open_telemetry(settings)
    try:
        made = _Demo(settings, records, telemetry, int(time.time()) if now is None else now)
        return made.lay_down()
    finally:
        telemetry.close()
        records.close()


def _fixed(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"nongso/demo/{name}"))


class _Demo:
    def __init__(
        self, settings: Settings, records: Records, telemetry: Telemetry, now: int
    ) -> None:
        self._settings, self._records, self._telemetry = settings, records, telemetry
        self._now = now
        self._today = datetime.date.fromisoformat(shaping.day_of(self._now))
        with records.session() as session:
            self._cooperative, self._house = _home(session)
            # Days are counted from the first laying down, so that the forms stay the same.
            first = session.scalar(
                select(Lot).where(Lot.kind == "roots", Lot.demonstration).order_by(Lot.born_number)
            )
            if first is not None:
                self._today = ops.day_of(first) + datetime.timedelta(days=FIRST_INTAKE_DAYS)

    def lay_down(self) -> list[str]:
        """Both lots with their labels."""
        made = [self._noodles()]
        if self._house:
            made.append(self._vegetables())
        for lot in made:
            wish = labelling.Wish(lot.code, LABELS, codes=UNIT)
            issued = self._do(labelling.issue, f"labels/{lot.name}", wish, texts_of(lot))
            with self._records.session() as session:
                labelling.file_of(session, issued, self._settings.files_folder)
                waits = labelling_account.account_of(session, lot).left > 0
            if waits:
                told = labelling_account.Told(lot.code, (f"{issued.first}-{issued.last}",))
                self._do(labelling_account.apply, f"labels-applied/{lot.name}", told)
        registry_demo.lay_down(self._records, self._settings, self._cooperative, self._today)
        return [lot.code for lot in made]

    def _do(self, deed: Any, name: str, wish: Any, *more: Any) -> Any:
        with self._records.transaction() as session:
            desk = ops.Desk(
                session,
                self._cooperative,
                "demo",
                self._settings.label_url,
                self._now,
                demonstration=True,
            )
            return deed(desk, _fixed(name), wish, *more)

    def _ago(self, days: int) -> datetime.date:
        return self._today - datetime.timedelta(days=days)

    def _keep(self, record: Producer | Product) -> str:
        with self._records.transaction() as session:
            if session.get(type(record), record.id) is None:
                session.add(record)
                vouching.note(session, record, "demo", self._now)
        return record.id

    def _producer(self, code: str, kind: str, name: str, village: str) -> str:
        return self._keep(
            Producer(
                id=_fixed(f"producer/{code}"),
                cooperative=self._cooperative,
                code=code,
                kind=kind,
                name=name,
                village=village,
                commune="xã Bình Lư",
                province="tỉnh Lai Châu",
                contact="",
            )
        )

    def _product(
        self, kind: str, crop: str, name: str, pack_grams: int, days: int, storage: str
    ) -> str:
        return self._keep(
            Product(
                id=_fixed(f"product/{kind}"),
                cooperative=self._cooperative,
                producer_id=self._producer("HTX", "cooperative", "Hợp tác xã Bình Lư", ""),
                name=name,
                brand="",
                kind=kind,
                crop=crop,
                pack_grams=pack_grams,
                shelf_life_days=days,
                storage=storage,
                gtin=None,
            )
        )

    def _pack(self, name: str, product: str, lot: Lot, packs: int, grams: int, days: int) -> Lot:
        takes = (ops.Take(lot.code, packs * grams),)
        until = self._today + datetime.timedelta(days=days)
        wish = ops.Packing(product, takes, packs, grams, self._today, until)
        packed: Lot = self._do(ops.pack, name, wish)
        return packed

    def _noodles(self) -> Lot:
        """Dong of six households, ground, washed, spread, dried and packed."""
        roots = []
        for at, root_kg in zip(range(HOUSEHOLDS), ROOT_KG, strict=True):
            village = VILLAGES[at % len(VILLAGES)]
            code = f"H{at + 1:02d}"
            owner = self._producer(code, "household", f"Hộ {at + 1:02d} {village}", village)
            day = self._ago(FIRST_INTAKE_DAYS - at // 2)
            wish = ops.Intake(owner, root_kg * 1000, day - datetime.timedelta(days=1), day)
            roots.append(self._do(ops.take_in, f"roots/{code}", wish))
        taken = tuple(ops.Take(lot.code, lot.made_grams) for lot in roots)
        starch = self._do(
            ops.make_batch, "starch", ops.Batch("starch", taken, STARCH_KG * 1000, self._ago(10))
        )
        taken = (ops.Take(starch.code, starch.made_grams),)
        noodles_grams = round(NOODLES_KG * 1000)
        noodles = self._do(
            ops.make_batch, "noodles", ops.Batch("noodles", taken, noodles_grams, self._ago(3))
        )
        product = self._product(
            "noodles", "", "Miến dong Bình Lư", PACK_GRAMS, 365, "Để nơi khô, tránh nắng."
        )
        packed = self._pack("packs/noodles", product, noodles, PACKS, PACK_GRAMS, 365)
        correction = Correction(
            noodles.code, NOODLES_RIGHT_GRAMS, self._ago(3), "Ghi nhầm, phiếu cân ghi 156,5 kg"
        )
        self._do(correcting.correct, "noodles/corrected", correction)
        self._recalled(product)
        self._milled(self._producer("H06", "household", f"Hộ 06 {VILLAGES[1]}", VILLAGES[1]))
        return packed

    def _recalled(self, product: str) -> None:
        """A small lot of the first household's roots that fails a test and is recalled."""
        owner = self._producer("H01", "household", f"Hộ 01 {VILLAGES[0]}", VILLAGES[0])
        recall_demo.lay_down(
            self._records, self._cooperative, self._today, self._do, owner, product
        )

    def _milled(self, owner: str) -> None:
        """Roots that a household brings to be ground for a fee: it pays in starch."""
        lifted, day = self._ago(9), self._ago(8)
        wish = ops.Intake(owner, MILLED_KG * 1000, lifted, day, purpose=ops.MILLING)
        roots = self._do(ops.take_in, "milled/roots", wish)
        taken = (ops.Take(roots.code, MILLED_KG * 1000),)
        batch = ops.Batch("starch", taken, MILLED_STARCH_GRAMS, self._ago(6), MILLED_PERMILLE)
        starch = self._do(ops.make_batch, "milled/starch", batch)
        fee = TakeOver(ops.Take(starch.code, FEE_GRAMS), self._ago(5), FEE)
        self._do(regrouping.take_over, "milled/fee", fee)
        back = HandBack(starch.code, MILLED_STARCH_GRAMS - FEE_GRAMS, self._ago(5))
        self._do(leaving.hand_back, "milled/back", back)

    def _vegetables(self) -> Lot:
        """Greens planted four weeks ago, harvested and packed today."""
        grower = self._producer("HTX", "cooperative", "Hợp tác xã Bình Lư", "")
        wish = ops.Planting(GREENHOUSE, self._house, grower, CROP, self._ago(GROWN_DAYS))
        planting = self._do(ops.plant, "planting", wish)
        harvest = ops.Harvest(planting.code, round(CROP_KG * 1000), self._today)
        with self._records.session() as session:
            grown = growing.measured(session, self._telemetry, harvest, self._now)
        crop = self._do(ops.harvest, "harvest", harvest, grown)
        product = self._product(
            "vegetables", CROP, "Rau cải Tân Bình", CROP_PACK_GRAMS, 5, "Giữ lạnh 4–8°C."
        )
        return self._pack("packs/vegetables", product, crop, CROP_PACKS, CROP_PACK_GRAMS, 5)


def _home(session: Session) -> tuple[str, str]:
    """The cooperative of the demonstration's greenhouse, and that greenhouse's name."""
    for cooperative in session.scalars(select(Cooperative).order_by(Cooperative.slug)):
        for house in growing.greenhouses(session, cooperative.slug):
            if house.slug == GREENHOUSE:
                return cooperative.slug, house.name
    first = session.scalars(select(Cooperative).order_by(Cooperative.slug)).first()
    if first is None:
        raise LookupError("no cooperative yet: prepare the platform's accounts first")
    return first.slug, ""
