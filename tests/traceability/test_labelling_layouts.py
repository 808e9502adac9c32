"""Layouts of a cooperative's own: looked at, kept, printed on, taken along as a file."""

import html
import io
import re

import pytest
from alembic import command
from cooperative import Farm, new_id
from PIL import Image
from platform_site import Site
from sqlalchemy import inspect, select
from werkzeug.test import TestResponse

from nongso.commands.__main__ import main
from nongso.labels import check, layout
from nongso.platform import migrations, photos
from nongso.platform.traceability.errors import LabelNotPrintable
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import layouts as labelling_layouts
from nongso.platform.traceability.labelling.records import LabelLayout
from nongso.platform.traceability.records import LabelIssue, Product

NEW = "/records/layouts/new?begin=a4-2x7"


def fields(site: Site, address: str, **typed: str) -> dict[str, str]:
    """What a browser sends of a layout's form: boxes that are not ticked are not sent."""
    page = site.clerk.get(address).text
    ticked = re.findall(r'type="checkbox" name="(\w+)" value="1" checked', page)
    return {**site.fields(address), **dict.fromkeys(ticked, "1"), **typed}


def send(site: Site, do: str, address: str = NEW, **typed: str) -> TestResponse:
    return site.clerk.post(address, data=fields(site, address, do=do, **typed))


def kept(site: Site, title: str = "Tem chợ", **typed: str) -> str:
    answer = send(site, "keep", title=title, **typed)
    assert answer.status_code == 303, troubles(answer)
    with site.farm.records.session() as session:
        return session.scalars(select(LabelLayout.id).where(LabelLayout.name == title)).one()


def troubles(answer: TestResponse) -> dict[str, str]:
    found = re.findall(r'class="error" id="(\w+)-trouble">([^<]*)', answer.text)
    return {name: html.unescape(said) for name, said in found}


def test_a_clerk_sees_a_layout_before_it_is_kept(site: Site, farm: Farm) -> None:
    farm.packed(3)
    first = site.clerk.get(NEW)
    assert '<path transform="translate(' in first.text, "a label with its code is drawn"
    assert first.text.count('class="cell') == 14
    looked = send(site, "preview", columns="1", title="Tem chợ")
    assert looked.status_code == 200
    assert looked.text.count('class="cell') == 7
    with farm.records.session() as session:
        assert session.query(LabelLayout).count() == 0


def test_labels_are_printed_on_an_own_layout_and_again_after_it_has_changed(
    site: Site, farm: Farm
) -> None:
    key, lot = kept(site, margin_x="5", qr_size="27,5"), farm.packed(9).code
    offered = site.clerk.get(f"/records/lots/{lot}/labels").text
    assert re.search(rf'<option value="{key}">Tem chợ: 14 tem, mỗi tem 99,1 × 38,1', offered)
    made = site.send(f"/records/lots/{lot}/labels", layout=key, count="5", start_cell="7")
    assert made.status_code == 303
    address = made.headers["Location"]
    sheet = site.clerk.get(address + ".pdf").data
    assert send(site, "keep", f"/records/layouts/{key}", qr_size="20").status_code == 303
    assert (
        site.clerk.post(
            f"/records/layouts/{key}/remove", data=site.fields(f"/records/layouts/{key}")
        ).status_code
        == 303
    )
    for file in farm.settings.files_folder.rglob("*.pdf"):
        file.unlink()
    assert site.clerk.get(address + ".pdf").data == sheet
    with farm.records.session() as session:
        issue = session.scalars(select(LabelIssue)).one()
        placed = layout.read("kept", issue.layout_file or "")
        codes = labelling.addresses_of(session, issue)
    assert (placed.first.x_mm, placed.qr.width_mm) == (5, 27.5)
    assert check.check(sheet, codes, placed, 7) == 1


def test_rolls_and_programs_print_on_an_own_layout_too(site: Site, farm: Farm) -> None:
    product, key = farm.product(), kept(site)
    assert key in site.clerk.get("/records/rolls").text
    assert site.send("/records/rolls", product=product, count="3", layout=key).status_code == 303
    wish = {"product": product, "count": 4, "layout": key}
    assert site.api("/api/v1/label-rolls", wish).status_code == 201


WRONG = (
    ({"qr_x": "abc"}, "qr_x", "Không đọc được số này"),
    ({"qr_x": "1.250"}, "qr_x", "có thể là"),
    ({"qr_size": "0"}, "qr_size", "lớn hơn 0"),
    ({"qr_size": "40"}, "qr_size", "Ra ngoài mép tem: mã QR"),
    ({"qr_size": "9"}, "qr_size", "cạnh mã phải từ"),
    ({"text_x": "10"}, "text_width", "Đè lên nhau: mã QR và ô chữ"),
    ({"text_height": "3"}, "text_height", "Chữ không vừa ô này"),
    ({"text_smallest": "20"}, "text_width", "Cỡ chữ nhỏ nhất"),
    ({"columns": "3"}, "columns", "không nằm gọn trong tờ"),
    ({"columns": "2,5"}, "columns", "không có phần lẻ"),
    ({"dpi": "20"}, "dpi", "từ 100 đến 2.400"),
    ({"bars": "1"}, "bars_width", "còn trống"),
    ({"title": ""}, "title", "còn trống"),
)


@pytest.mark.walk
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_kept(
    site: Site, farm: Farm
) -> None:
    farm.packed(3)
    proposed = fields(site, NEW, do="keep", title="Tem chợ")
    for typed, field, said in WRONG:
        answer = site.clerk.post(NEW, data={**proposed, **typed})
        assert answer.status_code == 422
        assert said in troubles(answer).get(field, ""), (typed, troubles(answer))
    with farm.records.session() as session:
        assert session.query(LabelLayout).count() == 0


def test_code_and_text_are_put_in_order_by_the_size_of_the_label(site: Site) -> None:
    sizes = {"label_width": "45", "label_height": "30", "columns": "4", "rows": "8"}
    answer = send(site, "arrange", title="Tem nhỏ", **sizes)
    assert answer.status_code == 200
    values = dict(re.findall(r'<input id="(\w+)"[^>]* value="([^"]*)"', answer.text))
    assert (values["qr_size"], values["margin_x"], values["title"]) == ("21,6", "11,25", "Tem nhỏ")
    crowded = send(site, "arrange", title="Tem nhỏ", label_width="70")
    assert crowded.status_code == 200
    crowded = send(site, "arrange", title="Tem nhỏ", label_width="110")
    assert "không nằm gọn" in troubles(crowded)["columns"]


def test_a_layout_leaves_as_the_file_that_the_command_reads_and_comes_back(
    site: Site, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = kept(site, title='Tem "chợ" \\ 1', gap_x="3", margin_x="4")
    body = site.clerk.get(f"/records/layouts/{key}.toml").data
    file, table = tmp_path / "mine.toml", tmp_path / "labels.csv"
    file.write_bytes(body)
    table.write_text('url,text\nHTTPS://LO.EXAMPLE/T/1,"Rau cải\nLô K7M4"\n')
    out = tmp_path / "out.pdf"
    words = ["labels", "sheet", "--csv", table, "--layout", file, "-o", out]
    assert main([str(word) for word in words]) == 0
    sent = {**site.fields("/records/layouts"), "file": (io.BytesIO(body), "mine.toml")}
    shown = site.clerk.post("/records/layouts/read", data=sent)
    assert shown.status_code == 200
    assert 'value="Tem &#34;chợ&#34; \\ 1"' in shown.text
    assert "Đã có mẫu tem mang tên này" in send(site, "keep", title='Tem "chợ" \\ 1').text


def test_a_file_that_is_no_layout_for_here_is_refused_with_the_reason(site: Site) -> None:
    kept_here = layout.files("nongso.labels").joinpath("layouts")
    too_wide = kept_here.joinpath("a4-3x8.toml").read_bytes().replace(b"= 23.0", b"= 63.0", 1)
    for body, said in (
        (b"", "thiếu mục page"),
        (b"\xff\xfe", "không phải là mẫu tem"),
        (b"x" * 70_000, "không phải là mẫu tem"),
        (too_wide, "Ra ngoài mép tem: mã QR"),
        (kept_here.joinpath("a4-2x4-goods.toml").read_bytes(), "goods"),
    ):
        sent = {**site.fields("/records/layouts"), "file": (io.BytesIO(body), "a.toml")}
        answer = site.clerk.post("/records/layouts/read", data=sent)
        assert answer.status_code == 422
        assert said in troubles(answer)["file"]


@pytest.mark.walk
def test_the_picture_of_a_product_is_printed_where_the_layout_has_a_place_for_it(
    site: Site, farm: Farm
) -> None:
    product, out = farm.product(), io.BytesIO()
    Image.linear_gradient("L").resize((400, 300)).save(out, "PNG")
    out.seek(0)
    lot, folder = farm.packed(14, product=product).code, farm.settings.folder / "photos"
    with farm.records.transaction() as session:
        session.get_one(Product, product).photo = photos.keep(folder, out.getvalue())
    place = {"logo": "1", "logo_x": "80", "logo_y": "3", "logo_width": "15", "logo_height": "12"}
    in_the_way = send(site, "keep", title="Tem hình", **place)
    assert "Đè lên nhau: hình và ô chữ" in troubles(in_the_way)["text_width"]
    looked = send(site, "preview", title="Tem hình", text_width="47", **place)
    assert looked.text.count("<image ") == 1
    hidden = {"level": "H", "logo_x": "10", "logo_y": "10", "logo_width": "13"}
    assert "Hình che mất mã" in send(site, "keep", title="Tem", **{**place, **hidden}).text
    key = kept(site, title="Tem hình", text_width="47", **place)
    made = site.send(f"/records/lots/{lot}/labels", layout=key, count="14")
    sheet = site.clerk.get(made.headers["Location"] + ".pdf").data
    assert b"/Subtype /Image" in sheet
    for file in (*farm.settings.files_folder.rglob("*.pdf"), *folder.rglob("*.jpg")):
        file.unlink()
    assert site.clerk.get(made.headers["Location"] + ".pdf").data == sheet


def test_a_layout_of_another_cooperative_is_not_there(farm: Farm) -> None:
    id_ = new_id()
    farm.do(labelling_layouts.keep, layout.find("a4-2x7"), id=id_, cooperative="khac")
    wish = labelling.Wish(farm.packed(2).code, 1, id_)
    with pytest.raises(LabelNotPrintable):
        farm.do(labelling.issue, wish, {"text": "Miến dong"})


def test_own_layouts_go_and_come_back_and_issues_stay(farm: Farm) -> None:
    farm.do(labelling.issue, labelling.Wish(farm.packed(2).code, 1), {"text": "Miến dong"})
    farm.do(labelling_layouts.keep, layout.find("a4-2x7"))
    with farm.records.engine.begin() as connection:
        command.downgrade(migrations._config(connection), "labelling_3-1")
        assert "label_layout" not in inspect(connection).get_table_names()
    migrations.upgrade(farm.settings)
    with farm.records.session() as session:
        assert session.scalars(select(LabelIssue)).one().layout_file is None
