"""Packing: each crop under its own name, and no longer good than it keeps."""

import datetime

import pytest
from alembic import command
from cooperative import TODAY, Farm
from platform_site import Site, measure

from nongso.platform import migrations
from nongso.platform.languages import ZONE
from nongso.platform.traceability.errors import (
    BestBeforeTooEarly,
    BestBeforeTooLate,
    WrongCrop,
)
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot, Product
from nongso.platform.traceability.seasons import growing


def pack(farm: Farm, product: str, lot: Lot, days: int = 5) -> Lot:
    until = TODAY + datetime.timedelta(days=days)
    take = (ops.Take(lot.code, 500),)
    return farm.do(ops.pack, ops.Packing(product, take, 1, 500, TODAY, until))


def test_melon_is_not_packed_as_greens(farm: Farm) -> None:
    melon = farm.crop("Dưa lưới")
    greens = farm.product("vegetables", "Rau cải Tân Bình", crop="Rau cải")
    with pytest.raises(WrongCrop):
        pack(farm, greens, melon)
    with pytest.raises(WrongCrop):
        pack(farm, farm.product("vegetables", "Rau quả"), melon)
    assert farm.lot(melon.code).left_grams == 10_000
    assert pack(farm, farm.product("vegetables", "Dưa", crop="dưa  LƯỚI"), melon).packs == 1


def test_best_before_keeps_to_the_shelf_life(farm: Farm) -> None:
    noodles, product = farm.noodles(10), farm.product()
    assert pack(farm, product, noodles, 365).best_before == "2027-11-21"
    with pytest.raises(BestBeforeTooLate) as refused:
        pack(farm, product, noodles, 366)
    assert (refused.value.latest, refused.value.days) == ("2027-11-21", 365)
    for days in (0, -1):
        with pytest.raises(BestBeforeTooEarly):
            pack(farm, product, noodles, days)


def test_a_packing_day_of_the_far_future_breaks_no_calendar() -> None:
    typed = datetime.date(9999, 12, 1)
    assert Product(shelf_life_days=365).keeps_until(typed) == datetime.date.max


def test_the_form_opens_on_what_fits_the_lot(site: Site, farm: Farm) -> None:
    noodles = farm.noodles(5)
    melon, greens = farm.crop("Dưa lưới"), farm.crop("Rau cải")
    farm.product(name="A miến")
    page = site.clerk.get(f"/records/packing?lot={greens.code}").text
    assert "Chưa có sản phẩm nào làm từ Rau cải." in page
    assert 'value="Rau cải"' in site.clerk.get("/records/products/new?crop=Rau+c%E1%BA%A3i").text
    wanted = farm.product("vegetables", "Rau Tân Bình", crop="Rau cải")
    farm.product("vegetables", "B dưa", crop="Dưa lưới")
    page = site.clerk.get(f"/records/packing?lot={greens.code}").text
    fields = site.fields(f"/records/packing?lot={greens.code}")
    assert (fields["product"], fields["lot"], fields["packs"]) == (wanted, greens.code, "20")
    assert melon.code not in page
    assert noodles.code not in page
    assert "A miến" not in page
    home = site.clerk.get("/records/").text
    assert "/records/packing?kind=vegetables" in home
    page = site.clerk.get("/records/packing?kind=vegetables").text
    assert "Rau Tân Bình" in page
    assert "A miến" not in page
    assert noodles.code not in page
    assert site.clerk.get("/records/packing?lot=ZZZZZZ").status_code == 404


def test_the_number_of_packs_is_not_that_of_another_lot(site: Site, farm: Farm) -> None:
    small, large = farm.crop("Rau cải", 5), farm.crop("Rau cải", 50)
    farm.product("vegetables", "Rau Tân Bình", crop="Rau cải")
    anew = site.clerk.get("/records/packing?kind=vegetables").text
    assert "Chọn lô" in anew
    assert 'name="packs" type="text" value=""' in anew, "nobody has chosen a lot yet"
    fields = site.fields(f"/records/packing?lot={large.code}")
    assert fields["packs"] == "100"
    other = site.clerk.post("/records/packing", data={**fields, "lot": small.code})
    assert other.status_code == 422
    assert f"Lô {small.code} đủ 10 gói" in other.text
    fields |= {"lot": small.code, "packs": "10"}
    assert site.clerk.post("/records/packing", data=fields).status_code == 303


def test_refusals_of_packing_are_sentences(site: Site, farm: Farm) -> None:
    greens = farm.product("vegetables", "Rau Tân Bình", crop="Rau cải")
    lots = {}
    for crop in ("Dưa lưới", "Rau cải"):
        planting = site.made("/records/planting", crop=crop)
        lots[crop] = site.made("/records/harvest", planting=planting, output="5")
    kind = "/records/packing?kind=vegetables"
    answer = site.send(kind, product=greens, lot=lots["Dưa lưới"])
    assert answer.status_code == 422
    assert (
        f"lô {lots['Dưa lưới']} là Dưa lưới, không đóng gói thành Rau Tân Bình được" in answer.text
    )
    answer = site.send(kind, best_before="2099-01-01")
    assert "Hạn sử dụng muộn nhất là" in answer.text
    assert "vì sản phẩm này dùng được 365 ngày" in answer.text
    answer = site.send("/records/products/new", kind="vegetables", name="Cà chua", crop="")
    assert answer.status_code == 422, "vegetables say their crop"


def test_an_older_product_takes_the_crop_that_it_was_packed_of(farm: Farm) -> None:
    one = farm.product("vegetables", "Rau", crop="Rau cải")
    unpacked = farm.product("vegetables", "Cà", crop="Cà chua")
    pack(farm, one, farm.crop("Rau cải"))
    with farm.records.engine.connect().execution_options(writes=True) as connection:
        command.downgrade(migrations._config(connection), "traceability_1")
        connection.commit()
    migrations.upgrade(farm.settings)
    with farm.records.session() as session:
        assert session.get_one(Product, one).crop == "Rau cải"
        assert session.get_one(Product, unpacked).crop == "", "for the clerk to say"


def test_what_is_planted_and_harvested_on_one_day_has_that_days_readings(
    site: Site, farm: Farm
) -> None:
    grower = farm.producer("HTX", "cooperative")
    wish = ops.Planting("tan-binh-1", "Nhà màng Tân Bình 1", grower, "Rau mầm", TODAY)
    planting = farm.do(ops.plant, wish)
    midnight = int(datetime.datetime.combine(TODAY, datetime.time(), ZONE).timestamp())
    measure(farm, midnight - 7200, midnight + 86400 + 7200)
    harvest = ops.Harvest(planting.code, 1000, TODAY)
    telemetry = site.clerk.application.extensions["nongso.telemetry"]
    with farm.records.session() as session:
        morning = growing.measured(session, telemetry, harvest, midnight + 10 * 3600)
        later = growing.measured(session, telemetry, harvest, midnight + 5 * 86400)
    assert (morning["since"], morning["until"]) == (midnight, midnight + 10 * 3600)
    assert (later["since"], later["until"]) == (midnight, midnight + 86400)
    assert (later["days"], later["missing_days"], later["missing_hours"]) == (1, [], 0)
