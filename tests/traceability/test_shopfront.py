"""What a cooperative shows of itself: who makes, as they agreed, and where visitors may come."""

import io
import math
import re

import pytest
from cooperative import COOP, TODAY, Farm
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from platform_site import Site
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from nongso.labels import check, layout
from nongso.platform.traceability.records import Producer, Product
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.shopfront import sketch
from nongso.platform.traceability.shopfront.records import OpenPlace, ProducerPhoto
from nongso.platform.traceability.shopfront.sketch import Point

HOW = {"how": "signed", "day": TODAY.isoformat(), "agreed": "1"}
STALL = {
    "kind": "stall",
    "name": "Quầy miến chợ Tam Đường",
    "story": "Miến tráng từ bột dong của các hộ trong xã.",
    "hours": "7 giờ đến 17 giờ",
    "contact": "0213 000 0000",
    "commune": "xã Bình Lư",
    "province": "tỉnh Lai Châu",
    "point": "22.3791, 103.5902",
}


def picture(shade: int = 90) -> bytes:
    """A phone's picture, with the place where it was taken."""
    made, out = Image.new("RGB", (1600, 1200), (shade, 120, 60)), io.BytesIO()
    place = Image.Exif()
    place[0x8825] = {1: "N", 2: (22.0, 22.0, 44.0), 3: "E", 4: (103.0, 35.0, 24.0)}
    made.save(out, "JPEG", exif=place)
    return out.getvalue()


def send(site: Site, address: str, photo: bytes | None = None, **typed: str) -> TestResponse:
    sent = {**site.fields(address), **typed}
    if photo is not None:
        sent["photo"] = (io.BytesIO(photo), "anh.jpg")  # type: ignore[assignment]
    return site.clerk.post(address, data=sent, content_type="multipart/form-data")


@pytest.fixture
def goods(farm: Farm) -> tuple[str, str, str]:
    """A product, its lot on the shelf, and who makes it."""
    product = farm.product(name="Miến dong")
    lot = farm.packed(10, product=product).code
    with farm.records.session() as session:
        return product, lot, session.get_one(Product, product).producer_id


def test_a_picture_is_shown_as_agreed_and_gone_when_the_consent_is(
    site: Site, farm: Farm, goods: tuple[str, str, str]
) -> None:
    product, lot, producer = goods
    address = f"/records/producers/{producer}/photo"
    assert "/maker" not in site.stranger.get(f"/t/{lot}").text
    assert send(site, address, picture(), **HOW).status_code == 303
    page = site.stranger.get(f"/t/{lot}").text
    found = re.search(r'src="(/p/[^"]+/maker[^"]*)"', page)
    assert found is not None
    assert "Người trong ảnh đã đồng ý cho đăng." in page
    shown = site.stranger.get(found[1])
    assert shown.headers["Cache-Control"] == "public, max-age=300"
    kept = Image.open(io.BytesIO(shown.data))
    assert max(kept.size) == 240
    assert f'width="{kept.width}" height="{kept.height}"' in page
    assert not kept.getexif()
    (file,) = (farm.settings.folder / "makers").glob("*/*.jpg")
    assert b"Exif" not in file.read_bytes()
    assert len(shown.data) + len(page.encode()) < 40_000

    sent = site.fields(address)
    assert site.clerk.post(f"{address}/withdraw", data=sent).status_code == 303
    assert "/maker" not in site.stranger.get(f"/t/{lot}").text
    assert site.stranger.get(f"/p/{product}/maker").status_code == 404
    assert not file.exists()
    with farm.records.session() as session:
        (line,) = session.scalars(select(ProducerPhoto))
    assert (line.photo, line.agreed_on, line.how) == ("", TODAY.isoformat(), "signed")
    assert line.withdrawn_at is not None
    assert "hết hiệu lực" in site.clerk.get(address).text


def test_no_picture_without_a_word_that_all_agree(
    site: Site, farm: Farm, goods: tuple[str, str, str]
) -> None:
    address = f"/records/producers/{goods[2]}/photo"
    refused = send(site, address, picture(), how="said", day=TODAY.isoformat())
    assert refused.status_code == 422
    assert "chưa đồng ý thì không đăng" in refused.text
    assert send(site, address, **HOW).status_code == 422
    assert send(site, address, b"GIF89a", **HOW).status_code == 422
    assert not list((farm.settings.folder / "makers").glob("*/*"))


def test_another_picture_takes_the_place_of_the_one_before(
    site: Site, farm: Farm, goods: tuple[str, str, str]
) -> None:
    address = f"/records/producers/{goods[2]}/photo"
    send(site, address, picture(), **HOW)
    send(site, address, picture(shade=200), **HOW)
    assert len(list((farm.settings.folder / "makers").glob("*/*.jpg"))) == 1
    send(site, address, picture(shade=200), **HOW)  # the same again
    assert len(list((farm.settings.folder / "makers").glob("*/*.jpg"))) == 1


def test_the_page_tells_what_is_in_it_and_how_it_is_cooked(
    site: Site, farm: Farm, goods: tuple[str, str, str]
) -> None:
    said = {"ingredients": "Bột dong riềng", "directions": "Ngâm 10 phút rồi nấu."}
    with farm.records.transaction() as session:
        session.execute(update(Product).where(Product.id == goods[0]).values(**said))
    for address in (f"/t/{goods[1]}", f"/p/{goods[0]}"):
        page = site.stranger.get(address).text
        assert all(text in page for text in said.values())


def test_where_it_grew_is_shown_only_of_those_who_agreed_and_to_a_hundred_metres(
    site: Site, farm: Farm, goods: tuple[str, str, str]
) -> None:
    with farm.records.transaction() as session:
        owners = session.scalars(select(Producer.id).where(Producer.kind == "household")).all()
        for number, owner in enumerate(owners):
            session.add(
                Plot(
                    id=f"{number}",
                    cooperative=COOP,
                    producer_id=owner,
                    code=f"T{number}",
                    name="Nương nhà",
                    crop="dong riềng",
                    area="1 ha",
                    area_m2=10_000,
                    latitude=22.345678,
                    longitude=103.56789 + number,
                    public_point=number == 0,
                    growing_area_code="",
                    since="2026-01-01",
                    until=None,
                )
            )
    page = site.stranger.get(f"/t/{goods[1]}").text
    assert page.count("geo:") == 1
    assert "geo:22.34600,103.56800" in page
    assert "Nương nhà" not in page
    assert "22.3456" not in page


def test_a_stall_has_a_page_a_label_and_data(
    site: Site, farm: Farm, goods: tuple[str, str, str]
) -> None:
    assert send(site, "/records/open-places/new", picture(), **STALL).status_code == 303
    with farm.records.session() as session:
        place = session.scalars(select(OpenPlace)).one()
    page = site.stranger.get(f"/v/{place.code}").text
    for said in ("name", "story", "hours"):
        assert STALL[said] in page
    assert "geo:22.37910,103.59020" in page
    assert f"/p/{goods[0]}" in page
    assert "<script" not in page
    picture_of = re.search(r'src="(/v/[^"]+)"', page)
    assert picture_of is not None
    shown = site.stranger.get(picture_of[1]).data
    assert len(shown) + len(page.encode()) < 50_000
    told = site.stranger.get(f"/V/{place.code}", headers={"Accept": "application/ld+json"}).json
    assert (told["@type"], told["geo"]["latitude"]) == ("Store", 22.3791)
    pdf = site.clerk.get(f"/records/open-places/{place.id}/label?count=2&cell=3").data
    address = f"HTTP://127.0.0.1:8080/V/{place.code}"
    assert check.check(pdf, [address] * 2, layout.find("a4-2x7-shelf"), 3) == 1
    assert site.clerk.get(f"/records/open-places/{place.id}/label?cell=15").status_code == 404
    assert STALL["name"] in site.stranger.get(f"/t/{goods[1]}").text  # where to buy, on the sketch


def test_a_closed_place_keeps_its_address_and_says_so(site: Site, farm: Farm) -> None:
    send(site, "/records/open-places/new", **STALL)
    with farm.records.session() as session:
        place = session.scalars(select(OpenPlace)).one()
    send(site, f"/records/open-places/{place.id}", closed="1")
    page = site.stranger.get(f"/v/{place.code.lower()}").text
    assert "không còn đón khách" in page
    assert place.code not in str(site.stranger.get("/").data)
    assert site.stranger.get("/v/ZZZZZZ").status_code == 404


def test_a_place_that_cannot_be_read_is_asked_back(site: Site) -> None:
    refused = send(site, "/records/open-places/new", **{**STALL, "point": "103.5, 22.3"})
    assert refused.status_code == 422
    assert "Không đọc được vị trí" in refused.text


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(8, 23.4), st.floats(102.2, 109.4)).map(
            lambda at: Point("grown", "x", *at)
        ),
        min_size=1,
        max_size=9,
    )
)
def test_every_point_is_on_the_paper_and_distances_are_true(points: list[Point]) -> None:
    drawn = sketch.draw(points)
    assert drawn is not None
    assert all(0 < dot.x < drawn.width and 0 < dot.y < drawn.height for dot in drawn.dots)
    assert 0 < drawn.bar_width < drawn.width
    scale = drawn.bar_width / drawn.bar_metres
    first, last = drawn.dots[0], drawn.dots[-1]
    north = (last.point.latitude - first.point.latitude) * sketch.METRES_A_DEGREE
    assert math.isclose(first.y - last.y, north * scale, abs_tol=0.01)


def test_without_points_there_is_no_sketch() -> None:
    assert sketch.draw([]) is None
