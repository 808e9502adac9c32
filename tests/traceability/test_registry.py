"""The clerk's registry: producers with their past, plots, products, papers and pictures."""

import datetime
import io
import stat
from pathlib import Path

import pytest
from cooperative import COOP, NOW, TODAY, Farm, new_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from platform_site import Site
from sqlalchemy import select
from test_clerk import keep_producer, said

from nongso.platform.languages import day_of
from nongso.platform.traceability.records import Place, Producer, Product
from nongso.platform.traceability.registry import certificate_files as certificates_files
from nongso.platform.traceability.registry import certificates
from nongso.platform.traceability.registry import history as registry_history
from nongso.platform.traceability.registry.certificate_files import BadPaper
from nongso.platform.traceability.registry.forms import read_point
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.registry.records import (
    Certificate,
    CertificateSubject,
)

PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
GPS = 0x8825


def picture(where: bool = True, size: tuple[int, int] = (900, 600), kind: str = "JPEG") -> bytes:
    """A picture drawn here, with the place where it was taken as a phone writes it."""
    image = Image.new("RGB", size, (200, 160, 90))
    exif = Image.Exif()
    if where:
        exif[0x010F] = "Phone"
        exif.get_ifd(GPS)[1] = "N"
        exif.get_ifd(GPS)[2] = (22.0, 22.0, 44.0)
    out = io.BytesIO()
    image.save(out, kind, exif=exif)
    return out.getvalue()


def only(site: Site, kind: type) -> object:
    with site.farm.records.session() as session:
        return session.scalars(select(kind)).one()


def household(site: Site) -> str:
    keep_producer(site, "H01")
    with site.farm.records.session() as session:
        return session.scalars(select(Producer.id).where(Producer.cooperative == COOP)).one()


def noodles(site: Site) -> str:
    household(site)
    assert site.send("/records/products/new", name="Miến dong", kind="noodles").status_code == 303
    return only(site, Product).id


def send_file(site: Site, address: str, field: str, data: bytes, name: str, **typed: str):
    values = {**site.fields(address), **typed, field: (io.BytesIO(data), name)}
    return site.clerk.post(address, data=values, content_type="multipart/form-data")


def paper(session, number: str, until: str | None, product: str, **more: object) -> Certificate:
    made = Certificate(
        id=new_id(),
        cooperative=COOP,
        kind=more.pop("kind", "ocop"),
        number=number,
        issuer="UBND tỉnh Lai Châu",
        since="2024-01-01",
        until=until,
        stars=3,
        passed=more.pop("passed", None),
        note="",
        subjects=[CertificateSubject(what="product", key=product)],
    )
    session.add(made)
    return made


def test_a_household_that_moves_keeps_its_former_address_for_old_lots(site: Site) -> None:
    key = household(site)
    address = f"/records/producers/{key}"
    asked = site.send(address, commune="xã Tả Lèng")
    assert asked.status_code == 422
    assert "trước đây ghi sai, hay nay đã đổi" in said(asked)
    moved = site.send(address, commune="xã Tả Lèng", change="changed", changed_on="2026-03-01")
    assert moved.status_code == 303
    with site.farm.records.session() as session:
        kept = session.get_one(Producer, key)
        before, after = (
            registry_history.producer_on(session, kept, datetime.date(2026, month, day)).commune
            for month, day in ((2, 28), (3, 1))
        )
    assert (before, after) == ("xã Bình Lư", "xã Tả Lèng")
    assert "xã Bình Lư" in site.clerk.get(address).text, "the clerk sees what it was"


def test_an_old_lots_page_shows_the_name_and_address_of_its_day(site: Site) -> None:
    lot = site.farm.packed()
    with site.farm.records.session() as session:
        maker = session.get_one(Product, lot.product_id).producer_id
    changed = {
        "name": "Hợp tác xã Miến dong mới",
        "commune": "xã Tả Lèng",
        "contact": "0901 000 000",
        "change": "changed",
    }
    after = (TODAY + datetime.timedelta(days=1)).isoformat()
    sent = site.send(f"/records/producers/{maker}", **changed, changed_on=after)
    assert sent.status_code == 303
    page = said(site.stranger.get(f"/t/{lot.code}"))
    assert "xã Bình Lư" in page
    assert "xã Tả Lèng" not in page
    assert "0901 000 000" in page, "whom to call is told as it is today"


def test_a_misspelt_name_is_put_right_for_all_days(site: Site) -> None:
    key = household(site)
    right = site.send(f"/records/producers/{key}", name="Hộ 01 bản Hưng Bình", change="mistake")
    assert right.status_code == 303
    with site.farm.records.session() as session:
        kept = session.get_one(Producer, key)
        old = registry_history.producer_on(session, kept, datetime.date(2024, 1, 1))
    assert old.name == "Hộ 01 bản Hưng Bình"


def test_an_address_in_a_commune_of_before_is_asked_about(site: Site) -> None:
    household(site)
    keep = site.send(
        "/records/producers/new",
        kind="household",
        code="H02",
        name="Hộ 02",
        commune="xã Na Hối",
        province="tỉnh Lào Cai",
    )
    assert keep.status_code == 303
    with site.farm.records.session() as session:
        key = session.scalars(select(Producer.id).where(Producer.code == "H02")).one()
    assert "Nay địa chỉ này thuộc xã Bắc Hà, tỉnh Lào Cai" in said(
        site.clerk.get(f"/records/producers/{key}")
    )


def test_whom_to_call_is_always_told_as_it_is_today(site: Site) -> None:
    key = household(site)
    assert site.send(f"/records/producers/{key}", contact="0901 000 000").status_code == 303
    with site.farm.records.session() as session:
        kept = session.get_one(Producer, key)
        old = registry_history.producer_on(session, kept, datetime.date(2024, 1, 1))
    assert old.contact == "0901 000 000"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.integers(1, 400), st.sampled_from("abcdef"), max_size=6))
def test_each_day_shows_the_name_of_that_day(farm: Farm, changes: dict[int, str]) -> None:
    start = datetime.date(2025, 1, 1)
    key = farm.producer(new_id())
    names = [(start, "Hộ 01")]
    with farm.records.transaction() as session:
        kept = session.get_one(Producer, key)
        kept.name = names[0][1]
        for offset, name in sorted(changes.items()):
            since = start + datetime.timedelta(days=offset)
            registry_history.remember(session, kept, since, "clerk", NOW)
            kept.name = name
            names.append((since, name))
    with farm.records.session() as session:
        kept = session.get_one(Producer, key)
        for offset in (*range(0, 402, 40), *changes, *(one - 1 for one in changes)):
            day = start + datetime.timedelta(days=offset)
            expected = next(name for since, name in reversed(names) if since <= day)
            assert registry_history.producer_on(session, kept, day).name == expected


def test_a_place_that_was_renamed_keeps_its_name_for_old_lots(farm: Farm) -> None:
    farm.roots(100)
    with farm.records.transaction() as session:
        place = session.scalars(select(Place)).one()
        old = place.name
        registry_history.remember(session, place, TODAY, "clerk", NOW)
        place.name = "Nương trên đồi"
    with farm.records.session() as session:
        place = session.scalars(select(Place)).one()
        before = registry_history.place_on(session, place, TODAY - datetime.timedelta(days=1))
        assert (before[0], registry_history.place_on(session, place, TODAY)[0]) == (
            old,
            "Nương trên đồi",
        )


def test_a_plot_is_written_down_as_people_say_it(site: Site) -> None:
    owner = household(site)
    kept = site.send(
        "/records/plots/new",
        producer_id=owner,
        crop="dong riềng",
        amount="2,5",
        unit="sao",
        point="22.3791, 103.5902",
        growing_area_code="VN-LCOR-0001",
    )
    assert kept.status_code == 303
    plot = only(site, Plot)
    assert (plot.area, plot.area_m2, plot.code) == ("2,5 sào", 900, "T001")
    assert not plot.public_point, "nobody sees the point unless the household has agreed"
    listed = said(site.clerk.get("/records/plots"))
    assert "2,5 sào (900 m²)" in listed
    assert "chỉ hợp tác xã xem" in listed
    assert "22.3791" not in listed
    fields = site.fields(f"/records/plots/{plot.id}")
    assert (fields["amount"], fields["unit"], fields["point"]) == (
        "2,5",
        "sao",
        "22.3791, 103.5902",
    )
    assert site.fields("/records/plots/new")["crop"] == "dong riềng", "as the last one"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"amount": "ba"}, "Không đọc được diện tích này"),
        ({"amount": "1.250", "unit": "ha"}, "đọc được hai cách"),
        ({"point": "103.5902, 22.3791"}, "Không đọc được điểm này"),
        ({"until": "2020-01-01"}, "Ngày cuối phải sau ngày đầu"),
    ],
)
def test_a_plot_that_cannot_be_is_asked_back(site: Site, typed: dict[str, str], says: str) -> None:
    good = {"producer_id": household(site), "crop": "dong riềng", "amount": "2", "unit": "sao"}
    answer = site.send("/records/plots/new", **{**good, **typed})
    assert answer.status_code == 422
    assert says in said(answer)


@given(st.text(max_size=70))
def test_whatever_is_pasted_as_a_point_is_in_viet_nam_or_none(text: str) -> None:
    found = read_point(text)
    assert found is None or (6 <= found[0] <= 24 and 102 <= found[1] <= 118)


def test_a_product_with_all_that_the_law_asks_counts_as_full(site: Site) -> None:
    key = noodles(site)
    address = f"/records/products/{key}"
    before = said(site.clerk.get(address))
    assert "còn thiếu: hình ảnh sản phẩm, tiêu chuẩn áp dụng." in before
    typed = {
        "brand": "Bình Lư",
        "standard": "TCCS 01:2026",
        "ingredients": "bột dong riềng",
        "directions": "Ngâm nước ấm 10 phút rồi nấu.",
        "storage": "Để nơi khô, tránh nắng.",
        "pack_sizes": "1.000 250",
    }
    answer = send_file(site, address, "photo", picture(), "mien.jpg", **typed)
    assert answer.status_code == 303
    kept = only(site, Product)
    assert kept.pack_sizes == [250, 1000]
    after = said(site.clerk.get(address))
    assert "Đủ 7/7." in after
    assert "còn thiếu" not in after
    seen = site.clerk.get(f"/records/products/{key}/photo")
    assert (seen.status_code, seen.mimetype) == (200, "image/jpeg")
    assert site.stranger.get(f"/records/products/{key}/photo").status_code != 200


def test_a_products_picture_does_not_say_where_it_was_taken(site: Site) -> None:
    key = noodles(site)
    assert GPS in Image.open(io.BytesIO(picture())).getexif()
    assert (
        send_file(site, f"/records/products/{key}", "photo", picture(), "a.jpg").status_code == 303
    )
    kept = site.clerk.get(f"/records/products/{key}/photo").data
    assert not Image.open(io.BytesIO(kept)).getexif()
    assert b"Phone" not in kept


def test_a_picture_that_is_none_is_refused_beside_its_field(site: Site) -> None:
    key = noodles(site)
    answer = send_file(site, f"/records/products/{key}", "photo", b"GIF89a..", "a.jpg")
    assert answer.status_code == 422
    assert "Tệp này không phải là ảnh" in said(answer)
    assert only(site, Product).photo == ""


def certificate(site: Site, product: str, data: bytes = PDF, **typed: str):
    values = {
        "kind": "ocop",
        "number": "12/QĐ-UBND",
        "issuer": "UBND tỉnh Lai Châu",
        "since": "2026-01-10",
        "until": "2029-01-09",
        "stars": "3",
        "for": f"product:{product}",
        **typed,
    }
    return send_file(site, "/records/certificates/new", "file", data, "giay.pdf", **values)


def test_a_certificate_is_kept_with_its_paper_for_its_owners_eyes(site: Site) -> None:
    key = noodles(site)
    assert certificate(site, key).status_code == 303
    kept = only(site, Certificate)
    assert [(one.what, one.key) for one in kept.subjects] == [("product", key)]
    answer = site.clerk.get(f"/records/certificates/{kept.id}/file")
    assert answer.data == PDF
    assert answer.headers["Content-Disposition"].startswith("attachment")
    file = certificates_files.path_of(
        site.farm.settings.folder / "certificates", kept.file, kept.file_type
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert site.stranger.get(f"/records/certificates/{kept.id}/file").status_code != 200
    assert "3 sao" in said(site.clerk.get("/records/products"))


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"until": "2025-01-01"}, "Ngày hết hạn phải sau ngày cấp"),
        ({"until": "2126-01-01"}, "Ngày này xa quá"),
        ({"stars": "6"}, "từ 1 đến 5"),
        ({"for": ""}, "Xin chọn một dòng"),
        ({"kind": "test_report"}, "Xin chọn một dòng"),
        ({"number": ""}, "Ô này còn trống"),
    ],
)
def test_a_paper_that_cannot_be_is_asked_back(
    site: Site, typed: dict[str, str], says: str
) -> None:
    answer = certificate(site, noodles(site), **typed)
    assert answer.status_code == 422
    assert says in said(answer)


def test_the_same_paper_twice_is_refused(site: Site) -> None:
    key = noodles(site)
    assert certificate(site, key).status_code == 303
    again = certificate(site, key)
    assert again.status_code == 422
    assert "Đã có giấy loại này mang số này" in said(again)


def test_a_paper_taken_out_of_the_registry_claims_nothing_any_more(site: Site) -> None:
    key = noodles(site)
    certificate(site, key)
    kept = only(site, Certificate)
    address = f"/records/certificates/{kept.id}"
    token = {"form_token": site.fields(address)["form_token"]}
    assert site.clerk.post(f"{address}/remove", data=token).status_code == 303
    assert "3 sao" not in said(site.clerk.get("/records/products"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unknown"),
        (b"GIF89a", "unknown"),
        (b"<html>", "unknown"),
        (b"MZ\x90\x00", "unknown"),
        (PDF[:30], "torn"),
        (PDF.replace(b"/Type", b"/OpenAction<</S/JavaScript/JS(app.alert)>>/Type"), "active"),
        (PDF.replace(b"/Type", b"/S/J#61vaScript/Type"), "active"),
        (PDF.replace(b"/Type", b"/Launch/Type"), "active"),
        (b"\xff\xd8\xff" + b"\0" * 100, "torn"),
        (PDF + b"\0" * certificates_files.MOST_BYTES, "large"),
    ],
)
def test_a_file_is_what_its_contents_say_not_its_name(
    tmp_path: Path, data: bytes, code: str
) -> None:
    with pytest.raises(BadPaper) as refused:
        certificates_files.keep(tmp_path, data)
    assert refused.value.code == code
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@given(st.binary(max_size=200))
def test_no_bytes_are_a_paper_by_accident(data: bytes) -> None:
    with pytest.raises(BadPaper):
        certificates_files.keep(Path("/nonexistent"), data)


def test_a_photo_of_a_paper_does_not_say_where_it_was_taken(tmp_path: Path) -> None:
    kept = certificates_files.keep(tmp_path, picture(kind="PNG", size=(300, 400)))
    file = certificates_files.path_of(tmp_path, kept.name, kept.type)
    assert kept.type == "jpg"
    with Image.open(file) as read:
        assert not read.getexif()


def test_an_expired_certificate_claims_nothing(farm: Farm) -> None:
    product = farm.product()
    with farm.records.transaction() as session:
        paper(session, "1/QĐ", "2026-11-20", product)
        paper(session, "2/QĐ", "2026-11-21", product, kind="vietgap")
        paper(session, "3/PKN", None, product, kind="test_report", passed=False)
        paper(session, "4/PKN", None, product, kind="test_report", passed=True)
    with farm.records.session() as session:
        found = certificates.claims(session, session.get_one(Product, product), TODAY)
    assert {one.number for one in found} == {"2/QĐ", "4/PKN"}


def test_what_runs_out_is_told_in_time_and_no_more_once_it_is_renewed(farm: Farm) -> None:
    product = farm.product()

    def days() -> dict[str, int]:
        with farm.records.session() as session:
            return {
                one.certificate.number: one.days_left
                for one in certificates.expiring(session, COOP, TODAY)
            }

    with farm.records.transaction() as session:
        paper(session, "late", "2026-11-20", product)
        paper(session, "soon", "2027-01-20", product, kind="vietgap")
        paper(session, "fine", "2027-01-21", product, kind="food_safety")
        paper(session, "ever", None, product, kind="other")
    assert days() == {"late": -1, "soon": 60}
    with farm.records.transaction() as session:
        paper(session, "new", "2029-11-20", product)
    assert days() == {"soon": 60}


def test_the_list_of_papers_says_what_runs_out(site: Site) -> None:
    key = noodles(site)
    today = day_of(datetime.datetime.now(datetime.UTC).timestamp())
    soon = (today + datetime.timedelta(days=30)).isoformat()
    assert certificate(site, key, until=soon).status_code == 303
    assert "Còn 30 ngày là hết hạn" in said(site.clerk.get("/records/certificates"))
    assert "1 giấy chứng nhận đã hoặc sắp hết hạn." in said(site.clerk.get("/records/"))


def test_another_cooperatives_registry_is_not_there(site: Site) -> None:
    with site.farm.records.transaction() as session:
        other = Producer(
            id=new_id(),
            cooperative="khac",
            code="H01",
            kind="household",
            name="Hộ khác",
            village="",
            commune="x",
            province="y",
            contact="",
        )
        session.add(other)
    assert site.clerk.get(f"/records/producers/{other.id}").status_code == 404
    assert "Hộ khác" not in said(site.clerk.get("/records/plots/new"))
    household(site)
    sent = site.send(
        "/records/plots/new", producer_id=other.id, crop="dong", amount="2", unit="sao"
    )
    assert sent.status_code == 422


def test_an_area_without_a_unit_is_asked_not_guessed(site: Site) -> None:
    land = {"producer_id": household(site), "crop": "dong riềng", "amount": "2,5"}
    assert "selected" not in site.clerk.get("/records/plots/new").text.split('id="unit"')[1][:400]
    sent = site.send("/records/plots/new", **land, unit="")
    assert (sent.status_code, "Xin ghi đơn vị: m², ha, sào" in said(sent)) == (422, True)
    kept = site.send("/records/plots/new", **land | {"amount": "2,5 sào", "unit": ""})
    assert kept.status_code == 303
    assert only(site, Plot).area_m2 == 900


def test_the_page_of_the_law_says_what_was_not_read(site: Site) -> None:
    page = said(site.clerk.get("/records/law"))
    assert "không phải tư vấn pháp luật" in page
    assert "Chưa đọc nguyên văn" in page
    assert "Sắp có hiệu lực" in page
