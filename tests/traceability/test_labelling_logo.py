"""A cooperative's own logo: brought by the clerk, on every label with a place for it, never in the
way of the code; and rolls of label printers to choose from."""

import io
import re

from alembic import command
from cooperative import Farm
from PIL import Image
from platform_site import Site
from sqlalchemy import inspect, select
from werkzeug.test import TestResponse

from nongso.labels import check, layout
from nongso.platform import migrations
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import layouts as labelling_layouts
from nongso.platform.traceability.labelling import logo as labelling_logo
from nongso.platform.traceability.labelling.records import CooperativeLogo
from nongso.platform.traceability.records import LabelIssue

LEAF = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60">'
    b"<title>somebody's desk</title>"
    b'<path fill="#1b7a2f" d="M5 55Q0 5 55 5 55 60 5 55z"/></svg>'
)


def bring(site: Site, body: bytes, name: str = "logo.svg") -> TestResponse:
    sent = {**site.fields("/records/logo"), "logo": (io.BytesIO(body), name)}
    return site.clerk.post("/records/logo", data=sent)


def photograph(width: int = 400, height: int = 300) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(out, "PNG")
    return out.getvalue()


def sheet_of(site: Site, lot: str, **typed: str) -> tuple[str, bytes]:
    made = site.send(f"/records/lots/{lot}/labels", **typed)
    assert made.status_code == 303, re.findall(r'class="error"[^>]*>([^<]*)', made.text)
    address = made.headers["Location"] + ".pdf"
    return address, site.clerk.get(address).data


def test_the_logo_stands_on_labels_beside_the_code_and_in_it(site: Site, farm: Farm) -> None:
    lot = farm.packed(40).code
    assert "Chưa có logo" in site.clerk.get("/records/logo").text
    shown = site.clerk.get(bring(site, LEAF).location).text
    assert '<p class="note good" role="status">Đã ghi.</p>' in shown
    assert (shown.count("<symbol "), "desk" in shown) == (2, False)
    names = re.findall(r' id="([^"]+)"', shown)
    assert len(names) == len(set(names)), "two drawings on a page share no name"
    for name in ("a4-2x7-logo", "a4-2x7-logo-in"):
        _address, pdf = sheet_of(site, lot, layout=name, count="14", codes="unit")
        assert pdf.count(b"/Subtype /Form") == 1, "lines and surfaces, no dots"
        with farm.records.session() as session:
            made = session.scalars(select(LabelIssue).where(LabelIssue.layout == name)).one()
            assert check.check(pdf, labelling.addresses_of(session, made), layout.find(name)) == 1
    assert bring(site, photograph(), "logo.png").status_code == 303
    _address, pdf = sheet_of(site, lot, layout="a4-2x7-logo", count="2")
    assert (pdf.count(b"/Subtype /Form"), pdf.count(b"/Subtype /Image")) == (0, 1)


def test_what_was_printed_keeps_its_logo_when_another_comes(site: Site, farm: Farm) -> None:
    lot = farm.packed(9).code
    bring(site, LEAF)
    address, pdf = sheet_of(site, lot, layout="a4-2x7-logo", count="3")
    bring(site, photograph(), "logo.png")
    gone = site.clerk.post("/records/logo/remove", data=site.fields("/records/logo"))
    assert gone.status_code == 303
    for file in farm.settings.files_folder.rglob("*.pdf"):
        file.unlink()
    assert site.clerk.get(address).data == pdf
    assert "Chưa có logo" in site.clerk.get("/records/logo").text
    _address, without = sheet_of(site, lot, layout="a4-2x7-logo", count="3")
    assert b"/Subtype /Form" not in without


NO_LOGO = (
    (b"", "không đọc được"),
    (b"GIF89a", "không đọc được"),
    (LEAF.replace(b"<path", b"<text>HTX</text><path"), "Bản vẽ có chữ"),
    (LEAF.replace(b"<path", b"<script/><path"), "không in lên tem được: script"),
    (LEAF.replace(b"#1b7a2f", b"#fff"), "Hình trắng cả"),
    (LEAF.replace(b"viewBox", b"box"), "không ghi cỡ"),
    (LEAF + b" " * 300_000, "Tệp to quá"),
    (LEAF.replace(b"0 0 60 60", b"0 0 1e-300 1e-300"), "không ghi cỡ"),
    (LEAF.replace(b"0 0 60 60", b"0 0 600 60"), "dài hẹp quá"),
    (LEAF.replace(b"M5 55", b"M5 55" + b"t1 1" * 9_000), "nhiều nét quá"),
    (photograph(900, 100), "dài hẹp quá"),
    (photograph(6001, 1000), "thu nhỏ ảnh"),
)


def test_what_is_no_logo_is_refused_with_what_to_do(site: Site) -> None:
    for body, said in NO_LOGO:
        answer = bring(site, body)
        assert (answer.status_code, said in answer.text) == (422, True), said
    with site.farm.records.session() as session:
        assert session.scalars(select(CooperativeLogo)).all() == []


def test_a_kept_logo_that_cannot_be_printed_is_named_and_can_be_taken_away(
    site: Site, farm: Farm
) -> None:
    lot = farm.packed(9).code
    for body in (photograph(5000, 1), b"gone", LEAF.replace(b"0 0 60 60", b"0 0 0 0")):
        farm.do(labelling_logo.keep, body)
        shown = site.clerk.get("/records/logo")
        assert (shown.status_code, "Bỏ logo" in shown.text) == (200, True)
        assert "Logo đang giữ không in lên tem được" in shown.text
        for name in ("a4-2x7-logo", "a4-2x7-logo-in"):
            refused = site.send(f"/records/lots/{lot}/labels", layout=name, count="1")
            assert refused.status_code == 422
            assert "logo của hợp tác xã không in lên tem được" in refused.text
    gone = site.clerk.post("/records/logo/remove", data=site.fields("/records/logo"))
    assert gone.status_code == 303
    sheet_of(site, lot, layout="a4-2x7-logo", count="1")


def test_each_cooperative_has_its_own(farm: Farm) -> None:
    farm.do(labelling_logo.keep, LEAF, cooperative="khac")
    with farm.records.session() as session:
        assert labelling_logo.of(session, "khac") == LEAF
        assert labelling_logo.of(session, "binh-lu") is None
        assert labelling_logo.of(session, None) is None


def test_rolls_of_label_printers_can_be_chosen_and_begin_at_their_only_cell(
    site: Site, farm: Farm
) -> None:
    lot = farm.packed(9).code
    page = site.clerk.get(f"/records/lots/{lot}/labels").text.replace("\u00a0", " ")
    assert "cuộn, tem 70,0 × 50,0 mm có ô mã cào" in page
    _address, pdf = sheet_of(site, lot, layout="roll-70x50-logo", count="3")
    assert pdf.count(b"/Type /Page ") == 3, "a page for each label"
    refused = site.send(f"/records/lots/{lot}/labels", layout="roll-70x50-logo", start_cell="2")
    assert refused.status_code == 422
    with farm.records.session() as session:
        known = {one.key for one in labelling_layouts.offered(session, None)}
    assert {"roll-50x30", "roll-3x35x22", "roll-70x50-logo"} <= known
    assert not {"receipt-80", "roll-70x50-goods"} & known


def test_a_roll_that_is_too_small_names_the_smallest_that_fits(site: Site, farm: Farm) -> None:
    lot = farm.packed(9).code
    labels = f"/records/lots/{lot}/labels"
    refused = site.send(labels, layout="roll-3x35x22", count="3")
    assert refused.status_code == 422
    said = refused.text.replace("\u00a0", " ")
    named = re.search(r"không vừa tem\. Nhỏ nhất in vừa: ([^<]*)\.</p>", said)
    assert named is not None, said
    assert named[1].startswith("cuộn, ")
    choice = re.search(rf'<option value="([^"]+)"[^>]*>{re.escape(named[1])}</option>', said)
    assert choice is not None, "it is called as it stands in the list"
    assert site.send(labels, layout=choice[1], count="3").status_code == 303


def test_logos_go_and_come_back_with_their_table(farm: Farm) -> None:
    farm.do(labelling_logo.keep, LEAF)
    with farm.records.engine.connect() as connection:
        config = migrations._config(connection)
        command.downgrade(config, "labelling_6-1")
        assert "cooperative_logo" not in inspect(connection).get_table_names()
        command.upgrade(config, "heads")
        connection.commit()
    farm.do(labelling_logo.keep, LEAF)
