"""Labels printed in October without a lot, and bound to one in the packing room."""

import pytest
from alembic import command
from cooperative import NOW, Farm, new_id
from platform_site import Site
from sqlalchemy import inspect, select

from nongso.labels import check, layout
from nongso.platform import migrations
from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.errors import AlreadyRecorded, PlaceUnknown, TooManyLabels
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.labelling.account import Told, account_of, spoil
from nongso.platform.traceability.labelling.errors import (
    NotOfARoll,
    OtherProduct,
    OtherRoll,
    RollUsed,
)
from nongso.platform.traceability.labelling.records import LabelRoll, RollCode
from nongso.platform.traceability.labelling.rolls import (
    ROLLED,
    Binding,
    RollWish,
    addresses_of_roll,
    bind,
    file_of_roll,
    make_roll,
)
from nongso.platform.traceability.labelling.text import texts_of_roll
from nongso.platform.traceability.moving.errors import Held
from nongso.platform.traceability.records import Lot, Product


def roll(farm: Farm, product: str, count: int = 10, id: str | None = None) -> list[str]:  # noqa: A002
    """Print a roll; returns its serials in their order."""
    with farm.records.session() as session:
        texts = texts_of_roll(session.get_one(Product, product))
    made: LabelRoll = farm.do(make_roll, RollWish(product, count), texts, id=id)
    with farm.records.session() as session:
        wanted = select(RollCode.serial).where(RollCode.roll == made.id).order_by(RollCode.place)
        return list(session.scalars(wanted))


def state(farm: Farm, serial: str) -> str:
    with farm.records.session() as session:
        return labelling_state.standing(session, serial, NOW).state


def account(farm: Farm, lot: str) -> tuple[int, int, int]:
    with farm.records.session() as session:
        assert lots.differences(session) == []
        found = account_of(session, farm.lot(lot))
        return found.issued, found.applied, found.spoiled


def test_a_roll_is_bound_from_its_first_to_its_last_label(farm: Farm) -> None:
    product = farm.product()
    lot, serials = farm.packed(6, product=product).code, roll(farm, product)
    assert {state(farm, serial) for serial in serials} == {labelling_state.NOT_BOUND}
    first, last = f"HTTPS://TEM.VN/T/{serials[4]}", serials[1].lower()  # scanned; typed
    made = farm.do(bind, Binding(lot, first, last))
    assert (made.first, made.count) == (1, 4), "unwound from the other end"
    assert [state(farm, s) for s in serials[:6]] == ["not_bound", *["active"] * 4, "not_bound"]
    assert account(farm, lot) == (4, 4, 0), "bound in the packing room: they are on packs"
    farm.do(spoil, Told(lot, (serials[2],)))
    assert account(farm, lot) == (4, 3, 1)
    farm.do(bind, Binding(lot, serials[5], serials[7]))
    with pytest.raises(TooManyLabels):
        farm.do(bind, Binding(lot, serials[8], serials[8]))
    assert account(farm, lot) == (7, 6, 1)
    assert state(farm, serials[8]) == labelling_state.NOT_BOUND


def test_a_stretch_that_was_sent_twice_is_bound_once(farm: Farm) -> None:
    product, id_ = farm.product(), new_id()
    lot, serials = farm.packed(6, product=product).code, roll(farm, product)
    for _again in range(2):
        assert farm.do(bind, Binding(lot, serials[0], serials[2]), id=id_).count == 3
    with pytest.raises(AlreadyRecorded):
        farm.do(bind, Binding(lot, serials[0], serials[3]), id=id_)
    assert account(farm, lot) == (3, 3, 0)


def test_what_is_not_there_to_be_bound_is_refused(farm: Farm) -> None:
    product = farm.product()
    lot, other = (farm.packed(6, product=product).code for _each in range(2))
    serials, others = roll(farm, product), roll(farm, product)
    farm.do(bind, Binding(lot, serials[2], serials[3]))
    with pytest.raises(RollUsed) as used:
        farm.do(bind, Binding(other, serials[0], serials[5]))
    assert (used.value.serial, used.value.lot) == (serials[2], lot)
    with pytest.raises(OtherRoll):
        farm.do(bind, Binding(other, serials[5], others[6]))
    for typed in ("K7M4PQRST", "", "17"):
        with pytest.raises(NotOfARoll):
            farm.do(bind, Binding(other, serials[5], typed))
    with pytest.raises(OtherProduct):
        farm.do(bind, Binding(farm.packed(3).code, serials[5], serials[6]))
    with farm.records.transaction() as session:
        session.get_one(Lot, other).recalled_at = NOW
    with pytest.raises(Held):
        farm.do(bind, Binding(other, serials[5], serials[6]))
    with pytest.raises(PlaceUnknown):
        farm.do(make_roll, RollWish(product, 3), {}, cooperative="khac")


def test_a_roll_is_in_the_log_and_its_file_reads_back(farm: Farm) -> None:
    product, id_ = farm.product(gtin="09524000059109"), new_id()
    serials = roll(farm, product, 5, id=id_)
    assert roll(farm, product, 5, id=id_) == serials, "the same form is the same roll"
    with pytest.raises(AlreadyRecorded):
        roll(farm, product, 6, id=id_)
    with farm.records.session() as session:
        made = session.get_one(LabelRoll, id_)
        event = session.scalars(select(Event).where(Event.type == ROLLED)).one()
        assert (event.body["nongso:labels"], event.body["nongso:last"]) == (5, 5)
        wanted = addresses_of_roll(session, made)
        assert wanted[0].endswith(f"/01/09524000059109/21/{serials[0]}")
        file = file_of_roll(session, made, farm.settings.files_folder)
    assert check.check(file.read_bytes(), wanted, layout.find("a4-3x8"), 1) == 1


def test_a_shopper_reads_of_an_unbound_label_that_it_is_not_in_use(site: Site, farm: Farm) -> None:
    product = farm.product()
    lot, serials = farm.packed(6, product=product).code, roll(farm, product)
    for address in (f"/t/{serials[0]}", f"/t/{lot}/{serials[0]}", f"/t?code={serials[0]}"):
        answer = site.stranger.get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")
        assert "chưa gắn với lô hàng nào" in answer.text
    bound = site.send("/records/rolls/bind", lot=lot.lower(), first=serials[0], last=serials[1])
    assert bound.status_code == 303
    assert lot in site.stranger.get(f"/T/{serials[0]}").text
    assert "chưa gắn với lô" in site.stranger.get(f"/T/{serials[2]}").text


def test_a_clerk_prints_a_roll_and_hears_why_it_cannot_be_bound(site: Site, farm: Farm) -> None:
    product = farm.product()
    lot = farm.packed(2, product=product).code
    made = site.send("/records/rolls", product=product, count="3")
    assert made.status_code == 303
    assert "đọc lại đủ 3 mã" in site.clerk.get(made.headers["Location"]).text
    assert site.clerk.get(made.headers["Location"] + ".pdf").content_type == "application/pdf"
    with farm.records.session() as session:
        serials = list(session.scalars(select(RollCode.serial).order_by(RollCode.place)))
    answer = site.send("/records/rolls/bind", lot=lot, first=serials[0], last=serials[2])
    assert answer.status_code == 422
    assert "Không in được 3 tem: lô này có 2 gói" in answer.text
    answer = site.send("/records/rolls/bind", lot="ZZZZZZ", first=serials[0], last=serials[1])
    assert "Không có lô ZZZZZZ" in answer.text


def test_programs_print_rolls_and_bind_them(site: Site, farm: Farm) -> None:
    product = farm.product()
    lot = farm.packed(3, product=product).code
    made = site.api("/api/v1/label-rolls", {"product": product, "count": 4})
    assert made.status_code == 201, made.text
    assert site.api(made.json["pdf"]).content_type == "application/pdf"
    codes = made.json["codes"]
    bound = site.api(f"/api/v1/lots/{lot}/labels/bound", {"first": codes[0], "last": codes[2]})
    assert bound.json == {
        "issued": 3,
        "applied": 3,
        "spoiled": 0,
        "returned": 0,
        "left": 0,
        "may_be_issued": 0,
    }
    one_more = {"first": codes[3], "last": codes[3]}
    refused = site.api(f"/api/v1/lots/{lot}/labels/bound", one_more)
    assert (refused.status_code, refused.json["code"]) == (409, "too_many_labels")


def test_rolls_go_and_come_back_and_lots_stay(farm: Farm) -> None:
    product = farm.product()
    lot, serials = farm.packed(6, product=product).code, roll(farm, product)
    farm.do(bind, Binding(lot, serials[0], serials[2]))
    with farm.records.engine.begin() as connection:
        command.downgrade(migrations._config(connection), "labelling_2-1")
        assert "roll_code" not in inspect(connection).get_table_names()
    migrations.upgrade(farm.settings)
    assert account(farm, lot) == (3, 3, 0)
    assert state(farm, serials[0]) == labelling_state.ACTIVE
