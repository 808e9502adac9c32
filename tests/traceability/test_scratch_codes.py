"""Scratch codes: on one sheet and nowhere else, checked by whoever has the pack, never guessed."""

import re
from contextlib import closing

import pypdfium2
import pytest
from alembic import command
from cooperative import NOW, Farm
from platform_site import Site
from sqlalchemy import select, text

from nongso.platform import migrations
from nongso.platform.events import Event
from nongso.platform.guesses import DAY
from nongso.platform.store import Base
from nongso.platform.traceability import lots
from nongso.platform.traceability.labelling import account, issuing, scratch
from nongso.platform.traceability.labelling.errors import NoScratchPlace, NotScratched, SheetGiven
from nongso.platform.traceability.labelling.records import ScratchCode
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.proof import entries
from nongso.platform.traceability.records import SCRATCH, LabelIssue, Lot
from nongso.platform.traceability.shopper import scratch_pages

TEXTS = {"text": "Miến dong Bình Lư\n500 g"}
SHEET = "a4-2x7-scratch"
CODE = re.compile(r"[2-9A-Z]{4}-[2-9A-Z]{4}")


def issue(farm: Farm, lot: str, count: int) -> LabelIssue:
    wish = issuing.Wish(lot, count, SHEET, codes=SCRATCH)
    return farm.do(issuing.issue, wish, TEXTS)


def give_out(
    farm: Farm, made: LabelIssue, anew: bool = False, now: int = NOW
) -> tuple[bytes, dict[str, str]]:
    """Give a sheet out; returns it with its codes by serial."""
    key = scratch.key_of(farm.settings.secret)
    with farm.records.session() as session:
        scratch.refuse_sheet(session, made, int(anew))
        pdf, codes = scratch.draw(session, made)
    with farm.records.transaction() as session:
        desk = Desk(session, made.cooperative, "clerk", farm.settings.label_url, now)
        scratch.keep(desk, made, codes, key, int(anew))
    return pdf, codes


def check(
    farm: Farm, serial: str, typed: str, now: int = NOW, address: str = "192.0.2.7"
) -> scratch.Outcome:
    key = scratch.key_of(farm.settings.secret)
    with farm.records.transaction() as session:
        found = scratch.check(session, serial, typed, key, address, now)
    assert found is not None
    return found


@pytest.fixture
def made(farm: Farm) -> LabelIssue:
    return issue(farm, farm.packed(6).code, 3)


@pytest.fixture
def codes(farm: Farm, made: LabelIssue) -> dict[str, str]:
    return give_out(farm, made)[1]


def printed(pdf: bytes) -> list[str]:
    with closing(pypdfium2.PdfDocument(pdf)) as document:
        return CODE.findall(" ".join(page.get_textpage().get_text_range() for page in document))


def test_codes_stand_on_the_sheet_and_nowhere_else(farm: Farm, made: LabelIssue) -> None:
    pdf, codes = give_out(farm, made)
    assert len(set(codes.values())) == 3
    assert printed(pdf) == [scratch.shown(code) for code in codes.values()]
    said = [one.encode() for code in codes.values() for one in (code, scratch.shown(code))]
    kept = [file.read_bytes() for file in farm.settings.folder.rglob("*") if file.is_file()]
    with farm.records.session() as session:
        rows = [
            row for table in Base.metadata.sorted_tables for row in session.execute(table.select())
        ]
    assert any(serial in str(row) for row in rows for serial in codes)
    kept.append(str(rows).encode())
    assert not [code for code in said for part in kept if code in part]


def test_codes_are_printed_on_a_roll_of_a_label_printer_too(farm: Farm) -> None:
    wish = issuing.Wish(farm.packed(6).code, 4, "roll-70x50-scratch", codes=SCRATCH)
    made = farm.do(issuing.issue, wish, TEXTS)
    pdf, codes = give_out(farm, made)
    assert printed(pdf) == [scratch.shown(code) for code in codes.values()]
    with closing(pypdfium2.PdfDocument(pdf)) as document:
        assert len(document) == 4, "a page for each label"
    serial, code = next(iter(codes.items()))
    assert check(farm, serial, code).kind == scratch.FIRST


def test_a_sheet_is_given_out_once_and_anew_only_while_nobody_used_it(
    farm: Farm, made: LabelIssue
) -> None:
    first = give_out(farm, made)[1]
    with pytest.raises(SheetGiven) as refused:
        give_out(farm, made)
    assert (refused.value.at, refused.value.is_used) == (NOW, False)
    second = give_out(farm, made, anew=True, now=NOW + 60)[1]
    serial = next(iter(first))
    assert check(farm, serial, first[serial]).kind == scratch.WRONG, "the lost sheet is worthless"
    assert check(farm, serial, second[serial]).kind == scratch.FIRST
    with pytest.raises(SheetGiven) as refused:
        give_out(farm, made, anew=True)
    assert (refused.value.at, refused.value.is_used) == (NOW + 60, True)
    on_packs = issue(farm, made.lot, 3)
    give_out(farm, on_packs)
    farm.do(account.apply, account.Told(made.lot, ("4",)))
    with pytest.raises(SheetGiven, match="in use"):
        give_out(farm, on_packs, anew=True)


def test_the_first_check_is_remembered(farm: Farm, codes: dict[str, str]) -> None:
    serial, code = next(iter(codes.items()))
    assert check(farm, serial, f" {scratch.shown(code).lower()} ") == (scratch.FIRST, NOW, 1, 0)
    reloaded = check(farm, serial, code, NOW + 30)
    assert reloaded == (scratch.AGAIN, NOW, 1, 0), "a reloaded page is no second check"
    assert check(farm, serial, code, NOW + 5 * DAY) == (scratch.AGAIN, NOW, 2, 0)
    others = [one for one in codes if one != serial]
    assert check(farm, others[0], code).kind == scratch.WRONG, "of another label"
    with farm.records.transaction() as session:
        other = scratch.key_of("another secret of the platform")
        found = scratch.check(session, serial, code, other, "", NOW)
    assert found == (scratch.AWAY, 0, 0, 0), "with another secret nothing is called wrong"


def test_a_slip_of_the_finger_is_no_try(farm: Farm, codes: dict[str, str]) -> None:
    serial = next(iter(codes))
    for typed in ("", "K7M4", "K7M4-PQ2O", "' OR 1=1", "\uff21" * 8, "A" * 5000) * 3:
        assert check(farm, serial, typed).kind == scratch.MISTYPED
    assert check(farm, serial, codes[serial]).kind == scratch.FIRST


def test_nobody_guesses_a_code_from_however_many_addresses(
    farm: Farm, codes: dict[str, str]
) -> None:
    """The clock is turned to each moment at which somebody may try again, for three days."""
    serial, now, tries = next(iter(codes)), NOW, []
    while now < NOW + 3 * DAY:
        at = f"198.51.{len(tries) % 200}.{len(tries) % 99}"
        found = check(farm, serial, scratch.new_code(), now, at)
        if found.kind == scratch.WAIT:
            now += found.wait_seconds
            continue
        assert found.kind == scratch.WRONG
        tries.append(now)
    most = max(sum(since <= at < since + DAY for at in tries) for since in tries)
    assert most == scratch.MOST_A_DAY
    assert check(farm, serial, codes[serial], now + DAY).kind == scratch.FIRST


def test_one_address_cannot_try_label_after_label(farm: Farm, codes: dict[str, str]) -> None:
    kinds = [
        check(farm, serial, scratch.new_code()).kind for _ in range(15) for serial in list(codes)
    ]
    assert kinds.count(scratch.WRONG) == 30, "ten at each label"
    more = give_out(farm, issue(farm, farm.packed(6).code, 3))[1]
    kinds = [check(farm, serial, scratch.new_code()).kind for serial in more for _ in range(5)]
    assert kinds.count(scratch.WRONG) == 10, "forty from one address in an hour"
    assert scratch.WAIT_HERE in kinds
    serial = next(iter(more))
    assert check(farm, serial, more[serial], address="203.0.113.9").kind == scratch.FIRST


def test_codes_need_a_place_on_the_label(farm: Farm) -> None:
    lot = farm.packed(2).code
    with pytest.raises(NoScratchPlace):
        farm.do(issuing.issue, issuing.Wish(lot, 1, codes=SCRATCH), TEXTS)
    assert farm.lot(lot).labels == 0
    plain = farm.do(issuing.issue, issuing.Wish(lot, 1, SHEET), TEXTS)
    with pytest.raises(NotScratched):
        give_out(farm, plain)


def test_the_log_holds_nothing_of_a_code_and_the_schema_goes_down_and_up(
    farm: Farm, made: LabelIssue, codes: dict[str, str]
) -> None:
    with farm.records.session() as session:
        wanted = select(Event).where(Event.type == lots.LABELLED)
        body = session.scalars(wanted).one().body
        digests = list(session.scalars(select(ScratchCode.digest)))
    assert body["nongso:scratch"] is True
    public, private = entries.split(lots.LABELLED, body)
    assert "nongso:scratch" not in public
    assert "/body/nongso:scratch" in private, "sealed like every field that is not listed"
    assert not any(one in str(body) for one in (*codes.values(), *digests))
    _down_and_up(farm)
    with farm.records.session() as session:
        assert session.scalars(select(ScratchCode)).all() == []
        assert len(issuing.codes_of(session, made.id)) == len(codes)


def _down_and_up(farm: Farm) -> None:
    with farm.records.engine.connect() as connection:
        config = migrations._config(connection)
        command.downgrade(config, "labelling_5-1")
        found = text("SELECT codes FROM label_issue")
        assert connection.execute(found).scalar() == "unit"
        command.upgrade(config, "heads")
        connection.commit()


def ask(site: Site, made: LabelIssue, serial: str, typed: str, **headers: str):
    return site.stranger.post(
        f"/t/{made.lot}/{serial}/scratch", data={"code": typed}, headers=headers
    )


def test_a_shopper_checks_a_code_without_script_cookie_or_account(
    site: Site, farm: Farm, made: LabelIssue, codes: dict[str, str]
) -> None:
    serial, code = next(iter(codes.items()))
    page = site.stranger.get(f"/t/{made.lot}/{serial}")
    assert f'action="/t/{made.lot}/{serial}/scratch#scratch"' in page.text
    assert "<script" not in page.text
    wrong = ask(site, made, serial, "2222-2222")
    assert (wrong.status_code, "Không đúng mã cào" in wrong.text) == (422, True)
    right = ask(site, made, serial, scratch.shown(code))
    assert (right.status_code, right.headers["Cache-Control"]) == (200, "no-store")
    assert "Đây là lần đầu mã được kiểm tra" in right.text
    assert "không chứng minh gói hàng là thật" in right.text
    for answer in (page, wrong, right):
        assert "Set-Cookie" not in answer.headers
        assert code not in answer.text
    after = site.stranger.get(f"/t/{made.lot}/{serial}").text
    assert "Mã cào này đã được kiểm tra lần đầu lúc" in after
    again = ask(site, made, serial, code)
    assert "đã có người biết mã này từ trước" in again.text
    english = site.stranger.get(f"/t/{made.lot}/{serial}?lang=en").text
    assert "was first checked at" in english


def test_pages_with_and_without_a_code_are_not_mixed_up(
    site: Site, farm: Farm, made: LabelIssue, codes: dict[str, str]
) -> None:
    plain = farm.do(issuing.issue, issuing.Wish(made.lot, 1), TEXTS)
    with farm.records.session() as session:
        (other,) = issuing.codes_of(session, plain.id)
    marks = [
        "/scratch#scratch" in site.stranger.get(f"/t/{made.lot}/{serial}").text
        for serial in (next(iter(codes)), other, next(iter(codes)), other)
    ]
    assert marks == [True, False, True, False]
    assert ask(site, made, other, "2222-2222").status_code == 422
    assert ask(site, made, "22222AAAA", "2222-2222").status_code == 404


def test_a_spoiled_label_takes_its_code_with_it_and_its_reprint_has_another(
    site: Site, farm: Farm, made: LabelIssue, codes: dict[str, str]
) -> None:
    serial, code = next(iter(codes.items()))
    farm.do(account.spoil, account.Told(made.lot, (serial,)))
    refused = ask(site, made, serial, code)
    assert (refused.status_code, "đã được báo hỏng" in refused.text) == (422, True)
    assert "/scratch#scratch" not in refused.text
    with farm.records.session() as session:
        assert session.get_one(ScratchCode, serial).first_at is None
    again = give_out(farm, issue(farm, made.lot, 1))[1]
    assert not set(again) & set(codes)
    assert not set(again.values()) & set(codes.values())
    (item,) = again.items()
    assert ask(site, made, *item).status_code == 200


def test_other_pages_send_no_guesses_and_a_warning_stands_first_whatever_the_code_says(
    site: Site, farm: Farm, made: LabelIssue, codes: dict[str, str]
) -> None:
    item = next(iter(codes.items()))
    assert ask(site, made, *item, **{"Sec-Fetch-Site": "cross-site"}).status_code == 400
    assert "lần đầu" in ask(site, made, *item, **{"Sec-Fetch-Site": "same-origin"}).text
    led = site.stranger.get(f"/t/{made.lot}/{item[0]}/scratch")
    assert (led.status_code, led.location) == (303, f"/T/{made.lot}/{item[0]}")
    with farm.records.transaction() as session:
        session.get_one(Lot, made.lot).tested = "failed"
    page = site.stranger.get(f"/t/{made.lot}/{item[0]}").text
    assert f'action="/t/{made.lot}/{item[0]}/scratch"' in page, "no jump past the warning"
    answer = ask(site, made, *item).text
    assert 0 < answer.index("kết quả kiểm nghiệm không đạt") < answer.index("Đúng mã cào")


def test_too_many_tries_say_how_long_to_wait(
    site: Site, made: LabelIssue, codes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch_pages.time, "time", lambda: float(NOW))
    serial = next(iter(codes))
    answers = [ask(site, made, serial, "2222-2222") for _ in range(11)]
    assert [one.status_code for one in answers] == [422] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert "thử lại sau 1 phút" in answers[-1].text


def test_the_clerk_is_given_the_sheet_once(site: Site, farm: Farm) -> None:
    lot = farm.packed(6).code
    answer = site.send(f"/records/lots/{lot}/labels", count="3", codes="scratch", layout=SHEET)
    issued = answer.headers["Location"]
    page = site.clerk.get(issued).text
    assert "chỉ tải được một lần" in page
    assert site.clerk.get(issued + ".pdf").status_code == 404
    asked = site.fields(issued)
    sheet = site.clerk.post(issued + "/sheet", data=asked)
    assert (sheet.mimetype, len(printed(sheet.data))) == ("application/pdf", 3)
    assert sheet.headers["Cache-Control"] == "no-store"
    second = site.clerk.post(issued + "/sheet", data=asked)
    assert (second.status_code, "Tờ in này đã tải lúc" in second.text) == (409, True)
    anew = site.clerk.post(issued + "/sheet", data={**asked, "anew": "1"})
    assert not set(printed(anew.data)) & set(printed(sheet.data))
    audit = site.clerk.get("/audit?group=data").text
    assert audit.count(f"Tải tờ tem có mã cào của lô {lot}, tem số 1 đến 3.") == 2
    answer = site.send(f"/records/lots/{lot}/labels", count="3", codes="scratch")
    assert (answer.status_code, "không có ô mã cào" in answer.text) == (422, True)


def test_of_two_clerks_who_replace_the_same_sheet_one_wins(farm: Farm, made: LabelIssue) -> None:
    give_out(farm, made)
    key = scratch.key_of(farm.settings.secret)
    drawn = []
    for _clerk in range(2):  # both have read the page, and both sheets are drawn
        with farm.records.session() as session:
            scratch.refuse_sheet(session, made, 1)
            drawn.append(scratch.draw(session, made)[1])
    for codes, wins in zip(drawn, (True, False), strict=True):
        with farm.records.transaction() as session:
            desk = Desk(session, made.cooperative, "clerk", farm.settings.label_url, NOW)
            if wins:
                scratch.keep(desk, made, codes, key, 1)
                continue
            with pytest.raises(SheetGiven) as refused:
                scratch.keep(desk, made, codes, key, 1)
    assert refused.value.was_faster
    serial = next(iter(drawn[0]))
    assert check(farm, serial, drawn[0][serial]).kind == scratch.FIRST, "its sheet counts"
    assert check(farm, serial, drawn[1][serial]).kind == scratch.WRONG


def test_the_slower_clerk_reads_that_somebody_was_faster(site: Site, farm: Farm) -> None:
    issued = f"/records/labels/{issue(farm, farm.packed(6).code, 3).id}"
    first = site.fields(issued)
    site.clerk.post(issued + "/sheet", data=first)
    assert 'name="anew" value="1"' in site.clerk.get(issued).text
    assert site.clerk.post(issued + "/sheet", data={**first, "anew": "1"}).status_code == 200
    slower = site.clerk.post(issued + "/sheet", data={**first, "anew": "1"})
    assert (slower.status_code, "Đã có người tải tờ mới" in slower.text) == (409, True)


def test_a_program_asks_for_the_sheet(site: Site, farm: Farm) -> None:
    lot = farm.packed(6).code
    wish = {"count": 2, "codes": "scratch", "layout": SHEET}
    made = site.api(f"/api/v1/lots/{lot}/labels", wish)
    assert made.status_code == 201
    sheet = site.api(made.json["pdf"], {})
    assert (sheet.mimetype, len(printed(sheet.data))) == ("application/pdf", 2)
    again = site.api(made.json["pdf"], {})
    assert (again.status_code, again.json["code"]) == (409, "sheet_given")
    assert site.api(made.json["pdf"], {"anew": True}).status_code == 200
    assert site.api(f"/api/v1/labels/{made.json['id']}.pdf").status_code == 404
    assert site.api(made.json["pdf"], {}, role="farmer").status_code == 403
