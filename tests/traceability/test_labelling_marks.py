"""A collective mark stands on the labels of those who may use it, and of nobody else."""

import datetime
import re

import pytest
from alembic import command
from cooperative import TODAY, Farm, days_ago, new_id
from platform_site import Site
from sqlalchemy import inspect, select

from nongso.platform import migrations
from nongso.platform.traceability.errors import AlreadyRecorded, PlaceUnknown
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import marks as labelling_marks
from nongso.platform.traceability.labelling.errors import MarkNamed, NotEntitled, RightTwice
from nongso.platform.traceability.labelling.records import RollCode
from nongso.platform.traceability.labelling.rolls import Binding, RollWish, bind, make_roll
from nongso.platform.traceability.records import LabelIssue, Product
from nongso.platform.traceability.sentences import refusal

TEXTS = {"text": "Miến dong Bình Lư\n500 g"}
LINE = "Nhãn hiệu tập thể Bình Lư, số 4-0123"


def mark(farm: Farm, name: str = "Bình Lư") -> str:
    made = farm.do(labelling_marks.write_down, name, "4-0123", "HTX Bình Lư")
    return str(made.id)


def entitle(
    farm: Farm, key: str, product: str, since: datetime.date, until: datetime.date | None = None
) -> str:
    with farm.records.session() as session:
        producer = session.get_one(Product, product).producer_id
    return str(farm.do(labelling_marks.entitle, key, producer, "QĐ 05", since, until).id)


def issue(farm: Farm, lot: str, key: str, id: str | None = None) -> LabelIssue:  # noqa: A002
    return farm.do(labelling.issue, labelling.Wish(lot, 1, mark=key), TEXTS, id=id)


def test_a_mark_is_printed_for_whom_it_is_and_refused_to_all_others(farm: Farm) -> None:
    key, product = mark(farm), farm.product()
    lot, stranger = farm.packed(5, product=product).code, farm.packed(5).code
    with pytest.raises(NotEntitled) as refused:
        issue(farm, lot, key)
    assert "nhãn hiệu tập thể Bình Lư: ngày 21/11/2026 Hộ HTX-Miến" in refusal(refused.value)
    entitle(farm, key, product, days_ago(30))
    id_ = new_id()
    made = issue(farm, lot, key, id=id_)
    assert (made.texts["text"].splitlines()[-1], made.mark) == (LINE, key)
    assert issue(farm, lot, key, id=id_).id == made.id
    with pytest.raises(AlreadyRecorded):
        issue(farm, lot, "", id=id_)
    assert LINE not in issue(farm, lot, "").texts["text"]
    with pytest.raises(NotEntitled):
        issue(farm, stranger, key)
    assert farm.lot(stranger).labels == 0


def test_the_day_of_packing_decides(farm: Farm) -> None:
    key, day = mark(farm), datetime.timedelta(days=1)
    for since, until, may in (
        (days_ago(9), TODAY, True),
        (TODAY, None, True),
        (days_ago(9), TODAY - day, False),
        (TODAY + day, None, False),
    ):
        product = farm.product(name=new_id()[:8])
        lot = farm.packed(2, product=product).code
        right = entitle(farm, key, product, since, until)
        if may:
            issue(farm, lot, key)
            farm.do(labelling_marks.end, right, TODAY - day)
        if not may or since < TODAY:
            with pytest.raises(NotEntitled):
                issue(farm, lot, key)


def test_a_roll_is_asked_when_it_is_printed_and_when_it_is_bound(farm: Farm) -> None:
    key, product = mark(farm), farm.product()
    lot, wish = farm.packed(3, product=product).code, RollWish(product, 3, mark=key)
    with pytest.raises(NotEntitled):
        farm.do(make_roll, wish, TEXTS)
    right = entitle(farm, key, product, days_ago(30))
    roll = farm.do(make_roll, wish, TEXTS)
    assert roll.texts["text"].endswith(LINE)
    with farm.records.session() as session:
        serials = list(session.scalars(select(RollCode.serial).order_by(RollCode.place)))
    assert farm.do(bind, Binding(lot, serials[0], serials[0])).mark == key
    farm.do(labelling_marks.end, right, days_ago(1))
    with pytest.raises(NotEntitled):
        farm.do(bind, Binding(lot, serials[1], serials[2]))
    assert farm.lot(lot).labels == 1


def test_rights_do_not_overlap_and_marks_of_others_are_not_there(farm: Farm) -> None:
    key, product = mark(farm), farm.product()
    entitle(farm, key, product, days_ago(30), days_ago(10))
    entitle(farm, key, product, days_ago(9))
    with pytest.raises(RightTwice):
        entitle(farm, key, product, days_ago(40), days_ago(30))
    with pytest.raises(MarkNamed):
        mark(farm)
    other = farm.do(labelling_marks.write_down, "Bắc Hà", "1", "HTX", cooperative="khac").id
    with pytest.raises(PlaceUnknown):
        issue(farm, farm.packed(1, product=product).code, other)


def test_a_clerk_writes_down_who_may_and_prints(site: Site, farm: Farm) -> None:
    product = farm.product()
    lot = farm.packed(4, product=product).code
    assert 'name="mark"' not in site.clerk.get(f"/records/lots/{lot}/labels").text
    made = site.send("/records/marks", name="Bình Lư", number="4-0123", owner="HTX Bình Lư")
    address = made.headers["Location"]
    key = address.rsplit("/", 1)[-1]
    printing = f"/records/lots/{lot}/labels"
    refused = site.send(printing, count="1", mark=key)
    assert refused.status_code == 422
    assert re.search(r'id="mark-trouble">Không in tem mang nhãn hiệu tập thể', refused.text)
    program = site.api(f"/api/v1/lots/{lot}/labels", {"count": 1, "mark": key})
    assert (program.status_code, program.json["code"]) == (409, "not_entitled")
    with farm.records.session() as session:
        maker = session.get_one(Product, product).producer_id
    since = {"producer": maker, "paper": "QĐ 05", "since": "2026-01-01"}
    assert "Ngày cuối phải sau" in site.send(address, **since, until="2025-01-01").text
    assert site.send(address, **since, until="").status_code == 303
    assert site.send(printing, count="1", mark=key).status_code == 303
    with farm.records.session() as session:
        assert LINE in session.scalars(select(LabelIssue)).one().texts["text"]
    page = site.clerk.get(address)
    assert "QĐ 05" in page.text
    ended = site.clerk.post(address + "/end", data=site.fields(address))
    assert ended.status_code == 303
    assert "đến ngày" in site.clerk.get(address).text


def test_marks_go_and_come_back_and_issues_stay(farm: Farm) -> None:
    key, product = mark(farm), farm.product()
    entitle(farm, key, product, days_ago(30))
    issue(farm, farm.packed(1, product=product).code, key)
    with farm.records.engine.begin() as connection:
        command.downgrade(migrations._config(connection), "labelling_4-1")
        assert "mark_right" not in inspect(connection).get_table_names()
    migrations.upgrade(farm.settings)
    with farm.records.session() as session:
        assert LINE in session.scalars(select(LabelIssue)).one().texts["text"]
