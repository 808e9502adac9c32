"""Moving, testing and recalling as a clerk does it in the browser."""

import re

import pytest
from cooperative import Farm
from platform_site import Site
from selling import account, agree, holder
from sqlalchemy import select

from nongso.platform.traceability.moving_records import Carton, Holder


def real_packs(farm: Farm, packs: int = 40) -> str:
    """Packs that are not of a day to come: pages go by the machine's clock."""
    return farm.packed(packs).code


def newest(farm: Farm, kind):
    with farm.records.session() as session:
        return session.scalars(select(kind).order_by(kind.__table__.c.id.desc())).first()


def sent(site: Site, address: str, **typed: str):
    answer = site.send(address, **typed)
    assert answer.status_code == 303, re.findall(r'class="error"[^>]*>([^<]*)', answer.text)
    return answer.location


@pytest.fixture
def packed(farm: Farm, site: Site) -> str:
    return real_packs(farm)


def test_a_clerk_keeps_those_who_get_goods(site: Site, farm: Farm) -> None:
    sent(site, "/records/holders/new", name="Siêu thị Lai Châu", contact="0213 111 222")
    page = site.clerk.get("/records/holders").text
    assert "Siêu thị Lai Châu" in page
    with farm.records.session() as session:
        made = session.scalars(select(Holder)).one()
    sent(site, f"/records/holders/{made.id}", name="Siêu thị Bình Lư")
    assert "Siêu thị Bình Lư" in site.clerk.get("/records/holders").text
    again = site.send("/records/holders/new", name="Siêu thị Bình Lư")
    assert again.status_code == 422
    assert "Đã có nơi nhận mang tên này." in again.text


def test_a_prefix_is_gs1s_or_none(site: Site) -> None:
    for wrong in ("12345", "2123456", "893abc1"):
        answer = site.send("/records/cartons/numbers", prefix=wrong)
        assert answer.status_code == 422, wrong
    sent(site, "/records/cartons/numbers", prefix="952 1234")
    assert "9521234" in site.clerk.get("/records/holders").text


def test_from_cartons_to_the_shop_and_back(site: Site, farm: Farm, packed: str) -> None:
    shop = holder(farm)
    assert sent(site, "/records/cartons/new", **{f"n-{packed}": "10", "count": "2"})
    with farm.records.session() as session:
        one, other = session.scalars(select(Carton.code).order_by(Carton.code))
    assert one in site.clerk.get("/records/cartons").text
    location = sent(
        site, "/records/dispatches/new", holder=shop, **{f"c-{one}": "1", f"n-{packed}": "5"}
    )
    page = site.clerk.get(location).text
    assert "Đã ghi vào sổ" in page
    key = location.split("/")[-1].split("?")[0]
    fields = site.fields(location)
    answer = site.clerk.post(
        f"/records/dispatches/{key}/arrived", data={**fields, f"n-{packed}": "14"}
    )
    assert answer.status_code == 303
    sent(site, f"/records/goods/returned?at={shop}", **{f"n-{packed}": "4"})
    sent(site, f"/records/goods/sold?at={shop}", **{f"n-{packed}": "2"})
    sent(
        site,
        "/records/goods/destroyed",
        **{f"n-{packed}": "1", "document": "BB 1", "why": "rách"},
    )
    found = account(farm, packed)
    assert (found["shipped"], found["sold"], found["lost"], found["destroyed"]) == (8, 2, 1, 1)
    where = site.clerk.get(f"/records/lots/{packed}/where").text
    assert "Cửa hàng chợ Tam Đường" in where
    agree(farm)
