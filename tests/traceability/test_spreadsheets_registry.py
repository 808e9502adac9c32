"""The registry out into a spreadsheet and back in: looked at first, all of it or nothing."""

import datetime
import io
import stat

import openpyxl
import pytest
from cooperative import COOP, NOW, TODAY, Farm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platform_site import Site
from sqlalchemy import func, select
from test_clerk import said

from nongso.platform.traceability.moving.records import Holder, HolderChange
from nongso.platform.traceability.records import Producer, Product
from nongso.platform.traceability.registry import history as registry_history
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.registry.records import Certificate
from nongso.platform.traceability.spreadsheets import pages as spreadsheets_pages
from nongso.platform.traceability.spreadsheets import plan as spreadsheets_plan
from nongso.platform.traceability.spreadsheets import tables as spreadsheets
from nongso.platform.traceability.spreadsheets.plan import Plan
from nongso.platform.traceability.spreadsheets.tables import Formula, Table

PRODUCERS = Table(
    "Nơi sản xuất",
    (
        ("Mã", "Loại", "Tên", "Bản, thôn", "Xã", "Tỉnh", "Liên hệ"),
        ("HTX", "hợp tác xã", "Hợp tác xã Bình Lư", "", "xã Bình Lư", "tỉnh Lai Châu"),
        ("H01", "hộ sản xuất", "Hộ 01", "bản Tân Bình", "xã Bình Lư", "tỉnh Lai Châu", "+84 9"),
    ),
)
PLOTS = Table(
    "Thửa đất",
    (
        ("Mã thửa", "Mã hộ", "Cây trồng", "Diện tích", "Trồng từ ngày"),
        ("T001", "H01", "dong riềng", "3 sào", "01/01/2026"),
        ("T002", "H01", "ngô", "1080 m²", "2026-01-01"),
    ),
)
PRODUCTS = Table(
    "Sản phẩm",
    (
        ("Tên sản phẩm", "Loại", "Mã nơi sản xuất", "Mỗi gói (g)", "Hạn sử dụng (ngày)"),
        ("Miến dong", "miến dong", "HTX", "500", "365"),
    ),
)
PAPERS = Table(
    "Giấy chứng nhận",
    (
        ("Loại giấy", "Số giấy", "Nơi cấp", "Ngày cấp", "Số sao OCOP", "Giấy này cho"),
        ("OCOP", "12/QĐ", "UBND tỉnh", "10/01/2026", "3", "sản phẩm: Miến dong; hộ: H01"),
    ),
)
HOLDERS = Table(
    "Nơi nhận",
    (
        ("Tên nơi nhận", "Loại", "Địa chỉ", "Liên hệ"),
        ("Cửa hàng chợ", "cửa hàng", "chợ Tam Đường", "0901 000 000"),
    ),
)
ALL = [PRODUCERS, PLOTS, PRODUCTS, PAPERS, HOLDERS]


def look(farm: Farm, tables: list[Table]) -> Plan:
    with farm.records.session() as session:
        return spreadsheets_plan.plan(session, COOP, tables, TODAY)


def take_in(farm: Farm, tables: list[Table], changed_on=None) -> Plan:
    with farm.records.transaction() as session:
        made = spreadsheets_plan.plan(session, COOP, tables, TODAY)
        spreadsheets_plan.carry_out(session, COOP, made, "clerk", NOW, changed_on)
    return made


def out(farm: Farm) -> list[Table]:
    with farm.records.session() as session:
        return spreadsheets_plan.export(session, COOP)


def counts(made: Plan) -> tuple[int, int, int]:
    return made.count("new"), made.count("changed"), made.count("same")


def number_of(farm: Farm, table: type) -> int:
    with farm.records.session() as session:
        return session.scalar(select(func.count()).select_from(table))


def changed(table: Table, row: int, column: int, cell: object) -> Table:
    rows = [list(one) for one in table.rows]
    rows[row][column] = cell
    return Table(table.name, tuple(tuple(one) for one in rows))


def told(made: Plan) -> list[tuple[str, str]]:
    return [(f"{one.sheet} {one.column}{one.row}", one.sentence) for one in made.troubles]


def test_a_file_brings_everything_and_the_second_time_nothing(farm: Farm) -> None:
    assert counts(take_in(farm, ALL)) == (7, 0, 0)
    assert [number_of(farm, t) for t in (Producer, Plot, Product, Certificate)] == [2, 2, 1, 1]
    with farm.records.session() as session:
        land = {plot.code: plot.area_m2 for plot in session.scalars(select(Plot))}
        paper = session.scalars(select(Certificate)).one()
        assert land == {"T001": 1080, "T002": 1080}
        assert sorted(one.what for one in paper.subjects) == ["producer", "product"]
    assert counts(take_in(farm, ALL)) == (0, 0, 7)


def test_what_goes_out_comes_back_and_changes_nothing(farm: Farm) -> None:
    take_in(farm, ALL)
    tables = out(farm)
    assert counts(look(farm, spreadsheets.read(spreadsheets.to_xlsx(tables)))) == (0, 0, 7)
    for table in tables:
        made = look(farm, spreadsheets.read(spreadsheets.to_csv(table)))
        assert (made.ok, counts(made)) == (True, (0, 0, len(table.rows) - 1))


WORD = st.text(st.sampled_from("aăđêơ Xx0159;:,'\"=+-@#.()%&/"), min_size=1, max_size=12).filter(
    lambda text: text.strip()
)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(names=st.lists(WORD, min_size=1, max_size=3), note=WORD, area=st.integers(1, 99_999))
def test_whatever_names_people_choose_a_round_trip_changes_nothing(
    farm: Farm, names: list[str], note: str, area: int
) -> None:
    producers = [("Mã", "Tên", "Xã", "Tỉnh", "Liên hệ")]
    producers += [(f"H{n}", name, note, "tỉnh", name) for n, name in enumerate(names)]
    plots = ("Mã thửa", "Mã hộ", "Cây trồng", "Diện tích", "Tên gọi")
    papers = ("Loại giấy", "Số giấy", "Nơi cấp", "Ngày cấp", "Giấy này cho", "Ghi chú")
    land = f"{area // 10},{area % 10} sào"
    brought = take_in(
        farm,
        [
            Table("Nơi sản xuất", tuple(producers)),
            Table("Thửa đất", (plots, ("T1", "H0", note, land, note))),
            Table("Giấy chứng nhận", (papers, ("khác", note, note, "1/1/2026", "hộ: H0", note))),
        ],
    )
    assert brought.ok
    tables = out(farm)
    back = look(farm, spreadsheets.read(spreadsheets.to_xlsx(tables)))
    assert (told(back), counts(back)[:2]) == ([], (0, 0))
    for table in tables:
        back = look(
            farm, [Table(table.name, spreadsheets.read(spreadsheets.to_csv(table))[0].rows)]
        )
        assert (told(back), counts(back)[:2]) == ([], (0, 0))


def test_a_row_that_is_not_in_the_file_stays(farm: Farm) -> None:
    take_in(farm, ALL)
    fewer = Table(PRODUCERS.name, PRODUCERS.rows[:2])
    assert counts(take_in(farm, [fewer])) == (0, 0, 1)
    assert number_of(farm, Producer) == 2


def test_a_column_that_is_not_in_the_file_stays(farm: Farm) -> None:
    take_in(farm, ALL)
    only_brand = Table("Sản phẩm", (("Tên sản phẩm", "Nhãn hiệu"), ("Miến dong", "Bình Lư")))
    made = take_in(farm, [only_brand])
    assert counts(made) == (0, 1, 0)
    assert [one.title for one in made.changes[0].fields] == ["Nhãn hiệu"]
    with farm.records.session() as session:
        kept = session.scalars(select(Product)).one()
        assert (kept.brand, kept.pack_grams, kept.shelf_life_days) == ("Bình Lư", 500, 365)


@pytest.mark.parametrize(
    ("table", "row", "column", "cell", "where", "sentence"),
    [
        (PRODUCERS, 2, 2, "", "Nơi sản xuất C3", "Ô này còn trống"),
        (PRODUCERS, 2, 1, "nông trường", "Nơi sản xuất B3", "Xin ghi một trong: hợp tác xã"),
        (PRODUCERS, 2, 0, "htx", "Nơi sản xuất A3", "trùng với dòng 2"),
        (PRODUCERS, 1, 0, "", "Nơi sản xuất A2", "Ô này còn trống"),
        (PRODUCERS, 0, 6, "Điện thoại", "Nơi sản xuất G1", "Không có cột nào tên như thế"),
        (PRODUCERS, 0, 6, "Tên", "Nơi sản xuất G1", "Cột này có hai lần"),
        (PRODUCERS, 0, 0, "Code", "Nơi sản xuất A1", "Không có cột nào tên như thế"),
        (PLOTS, 1, 3, "ba sào", "Thửa đất D2", "Không đọc được diện tích"),
        (PLOTS, 1, 3, "1.250 ha", "Thửa đất D2", "đọc được hai cách"),
        (PLOTS, 1, 3, Formula("=3*360"), "Thửa đất D2", "Ô này là công thức"),
        (PLOTS, 1, 1, "H99", "Thửa đất B2", "Không có nơi sản xuất nào mang mã này"),
        (PLOTS, 1, 4, "32/01/2026", "Thửa đất E2", "Không đọc được ngày này"),
        (PRODUCTS, 1, 3, "0", "Sản phẩm D2", "từ 1 đến"),
        (PAPERS, 1, 4, "9", "Giấy chứng nhận E2", "từ 1 đến 5"),
        (PAPERS, 1, 5, "hộ: H99", "Giấy chứng nhận F2", "Không có hộ: H99 trong sổ"),
        (PAPERS, 1, 5, "", "Giấy chứng nhận F2", "Xin chọn giấy này cho"),
    ],
)
def test_a_bad_cell_is_named_and_nothing_is_written(
    farm: Farm, table: Table, row: int, column: int, cell: object, where: str, sentence: str
) -> None:
    tables = [changed(one, row, column, cell) if one is table else one for one in ALL]
    made = look(farm, tables)
    assert not made.ok
    found = dict(told(made))
    assert where in found, found
    assert sentence in found[where]
    with pytest.raises(ValueError, match="troubles"):
        take_in(farm, tables)
    assert number_of(farm, Producer) == 0


def test_a_household_that_moved_by_a_file_keeps_its_former_address(farm: Farm) -> None:
    take_in(farm, ALL)
    moved = changed(PRODUCERS, 2, 4, "xã Tả Lèng")
    made = look(farm, [moved])
    assert made.is_dated
    assert [one.title for one in made.changes[1].fields] == ["Xã"]
    take_in(farm, [moved], datetime.date(2026, 3, 1))
    with farm.records.session() as session:
        kept = session.scalars(select(Producer).where(Producer.code == "H01")).one()
        old = registry_history.producer_on(session, kept, datetime.date(2026, 2, 28))
        assert (old.commune, kept.commune) == ("xã Bình Lư", "xã Tả Lèng")


def test_a_shop_that_moved_is_known_at_its_old_address_too(farm: Farm) -> None:
    take_in(farm, ALL)
    assert number_of(farm, HolderChange) == 0
    take_in(farm, [changed(HOLDERS, 1, 2, "chợ Bình Lư")])
    with farm.records.session() as session:
        assert session.scalars(select(Holder)).one().address == "chợ Bình Lư"
        assert session.scalars(select(HolderChange)).one().address == "chợ Tam Đường"


def test_another_cooperatives_rows_are_neither_read_nor_touched(farm: Farm) -> None:
    take_in(farm, ALL)
    with farm.records.session() as session:
        theirs = spreadsheets_plan.export(session, "khac")
        assert [len(table.rows) for table in theirs] == [1, 1, 1, 1, 1]
        made = spreadsheets_plan.plan(session, "khac", ALL, TODAY)
    assert counts(made) == (7, 0, 0), "the same codes are other things there"


def send(site: Site, data: bytes, name: str = "so.xlsx"):
    token = site.fields("/records/spreadsheets")["form_token"]
    return site.clerk.post(
        "/records/spreadsheets",
        data={"form_token": token, "file": (io.BytesIO(data), name)},
        content_type="multipart/form-data",
    )


def test_the_clerk_looks_before_anything_is_written(site: Site) -> None:
    sent = send(site, spreadsheets.to_xlsx(ALL))
    assert sent.status_code == 303
    plan = site.clerk.get(sent.location)
    assert plan.status_code == 200
    assert number_of(site.farm, Producer) == 0
    token = {"form_token": site.fields(sent.location)["form_token"]}
    done = site.clerk.post(sent.location, data=token)
    assert done.status_code == 303
    assert "Đã ghi 7 dòng vào sổ." in said(site.clerk.get(done.location))
    assert number_of(site.farm, Producer) == 2
    taken = site.clerk.get("/records/spreadsheets/registry.xlsx")
    names = openpyxl.load_workbook(io.BytesIO(taken.data)).sheetnames
    assert names == ["Nơi sản xuất", "Thửa đất", "Sản phẩm", "Giấy chứng nhận", "Nơi nhận"]
    assert site.clerk.get("/records/spreadsheets/thua-dat.csv").text.startswith("\ufeffMã thửa")
    assert site.clerk.get("/records/spreadsheets/nothing.csv").status_code == 404


def test_the_clerk_reads_what_each_cell_says_now_and_will_say(site: Site) -> None:
    take_in(site.farm, ALL)
    sent = send(site, spreadsheets.to_xlsx([PRODUCERS, changed(PLOTS, 1, 3, "4 sào")]))
    page = said(site.clerk.get(sent.location))
    before = PLOTS.rows[1][3]
    assert f"Diện tích: <del>{before}</del> → <ins>4 sào</ins>" in page
    bare = send(site, spreadsheets.to_xlsx([PRODUCERS, changed(PLOTS, 1, 3, "2,5")]))
    page = said(site.clerk.get(bare.location))
    assert "Xin ghi đơn vị: m², ha, sào" in page


def test_the_clerk_is_shown_each_bad_cell(site: Site) -> None:
    sent = send(site, spreadsheets.to_xlsx([PRODUCERS, changed(PLOTS, 1, 3, "ba sào")]))
    plan = site.clerk.get(sent.location)
    assert plan.status_code == 422
    assert "D2" in plan.text
    assert "Không đọc được diện tích" in said(plan)
    token = {"form_token": site.fields("/records/spreadsheets")["form_token"]}
    assert site.clerk.post(sent.location, data=token).status_code == 422
    assert number_of(site.farm, Producer) == 0


def test_a_kept_file_is_for_its_owners_eyes_and_its_own_cooperative(site: Site) -> None:
    sent = send(site, spreadsheets.to_xlsx(ALL))
    (kept,) = (site.farm.settings.folder / "imports" / COOP).iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert site.stranger.get(sent.location).status_code != 200
    assert site.clerk.get("/records/spreadsheets/" + "0" * 64).status_code == 404
    assert site.clerk.get("/records/spreadsheets/..%2f..%2fplatform.json").status_code == 404


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x89PNG\r\n\x1a\n", "Chỉ đọc được tệp .xlsx hoặc .csv"),
        (b"PK\x03\x04torn", "Tệp hỏng hoặc có mật khẩu"),
        (b"x" * 2_000, "Tệp lớn quá"),
    ],
)
def test_a_file_that_cannot_be_read_gets_a_sentence(
    site: Site, monkeypatch: pytest.MonkeyPatch, data: bytes, says: str
) -> None:
    for module in (spreadsheets, spreadsheets_pages):
        monkeypatch.setattr(module, "MOST_FILE_BYTES", 1_000)
    answer = send(site, data)
    assert answer.status_code == 422
    assert says in said(answer)


def test_a_changed_address_is_asked_about_before_it_is_written(site: Site) -> None:
    take_in(site.farm, ALL)
    sent = send(site, spreadsheets.to_xlsx([changed(PRODUCERS, 2, 4, "xã Tả Lèng")]))
    fields = site.fields(sent.location)
    assert site.clerk.post(sent.location, data=fields).status_code == 422
    assert site.clerk.post(sent.location, data={**fields, "change": "mistake"}).status_code == 303
    with site.farm.records.session() as session:
        kept = session.scalars(select(Producer).where(Producer.code == "H01")).one()
        assert kept.commune == "xã Tả Lèng"
