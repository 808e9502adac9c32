"""Labels: as many as packs, never twice, never lost."""

import threading
from pathlib import Path

import pytest
from cooperative import COOP, NOW, Farm, new_id

from nongso.labels import check, layout
from nongso.labels.errors import SheetNotReadable
from nongso.platform import restored
from nongso.platform.traceability import lots
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    LabelNotPrintable,
    LotUnknown,
    NotPacked,
    SerialUnknown,
    TooManyLabels,
)
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import sheets as labelling_sheets
from nongso.platform.traceability.labelling.account import Told, spoil
from nongso.platform.traceability.records import LabelCode, LabelIssue
from nongso.platform.traceability.sentences import refusal

TEXTS = {"text": "Miến dong Bình Lư\n500 g"}


def issue(farm: Farm, lot: str, count: int, id: str | None = None, **more) -> LabelIssue:  # noqa: A002
    return farm.do(labelling.issue, labelling.Wish(lot, count, **more), TEXTS, id=id)


def pdf_of(farm: Farm, made: LabelIssue) -> Path:
    with farm.records.session() as session:
        return labelling.file_of(session, made, farm.settings.files_folder)


def addresses(farm: Farm, made: LabelIssue) -> list[str]:
    with farm.records.session() as session:
        return labelling.addresses_of(session, made)


def test_180_packs_get_exactly_180_labels(farm: Farm) -> None:
    lot = farm.packed(180).code
    assert (issue(farm, lot, 24).first, issue(farm, lot, 155).last) == (1, 179)
    with pytest.raises(TooManyLabels) as refused:
        issue(farm, lot, 2)
    assert (refused.value.packs, refused.value.issued, refused.value.left) == (180, 179, 1)
    assert issue(farm, lot, 1).last == 180
    with pytest.raises(TooManyLabels):
        issue(farm, lot, 1)
    with farm.records.session() as session:
        assert session.query(LabelCode).count() == 180
        assert lots.differences(session) == []


def test_the_file_says_what_was_stored(farm: Farm) -> None:
    made = issue(farm, farm.packed(30).code, 30, start_cell=7)
    file = pdf_of(farm, made)
    wanted = addresses(farm, made)
    assert len(set(wanted)) == 30
    assert all(url.startswith(f"HTTP://127.0.0.1:8080/T/{made.lot}/") for url in wanted)
    assert check.check(file.read_bytes(), wanted, layout.find("a4-3x8"), 7) == 2


def test_a_second_download_gives_the_same_file(farm: Farm) -> None:
    made = issue(farm, farm.packed(24).code, 24)
    first = pdf_of(farm, made).read_bytes()
    assert pdf_of(farm, made).read_bytes() == first
    pdf_of(farm, made).unlink()
    assert pdf_of(farm, made).read_bytes() == first, "made again from the same rows"


def test_a_stop_between_issue_and_print_loses_nothing(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot, id_ = farm.packed(24).code, new_id()
    made = issue(farm, lot, 24, id=id_)
    with monkeypatch.context() as broken:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr(labelling_sheets, "print_sheet", stop)
        with pytest.raises(KeyboardInterrupt):
            pdf_of(farm, made)
    assert not list(farm.settings.files_folder.rglob("*"))
    again = issue(farm, lot, 24, id=id_)
    assert addresses(farm, again) == addresses(farm, made)
    assert pdf_of(farm, again).exists()
    assert farm.lot(lot).labels == 24


def test_a_sheet_that_does_not_read_back_is_no_file(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = issue(farm, farm.packed(2).code, 2)
    with monkeypatch.context() as broken:
        broken.setattr(check, "_decode", lambda *_: ())
        with pytest.raises(SheetNotReadable):
            pdf_of(farm, made)
    assert not list(farm.settings.files_folder.rglob("*.pdf"))
    assert pdf_of(farm, made).exists()


def test_the_same_form_with_another_number_is_refused(farm: Farm) -> None:
    lot, id_ = farm.packed(24).code, new_id()
    issue(farm, lot, 5, id=id_)
    with pytest.raises(AlreadyRecorded):
        issue(farm, lot, 6, id=id_)


def test_what_cannot_be_printed_issues_nothing(farm: Farm) -> None:
    lot = farm.packed(24).code
    for wish in ({"layout": "a4-9x9"}, {"start_cell": 25}, {"start_cell": 0}):
        with pytest.raises(LabelNotPrintable):
            issue(farm, lot, 5, **wish)
    with pytest.raises(LabelNotPrintable):
        farm.do(labelling.issue, labelling.Wish(lot, 5), {"text": "M" * 80})
    assert farm.lot(lot).labels == 0


def test_only_packs_get_labels_and_only_of_their_own_cooperative(farm: Farm) -> None:
    with pytest.raises(NotPacked):
        issue(farm, farm.noodles(1).code, 1)
    with pytest.raises(LotUnknown):
        farm.do(labelling.issue, labelling.Wish(farm.packed(2).code, 1), TEXTS, cooperative="khac")


def test_spoiled_labels_are_printed_again_under_new_numbers(farm: Farm) -> None:
    lot = farm.packed(24).code
    made = issue(farm, lot, 24)
    with farm.records.session() as session:
        serials = labelling.codes_of(session, made.id)
    spoiled, id_ = serials[3:6], new_id()
    assert farm.do(spoil, Told(lot, tuple(spoiled)), id=id_) == 3
    assert farm.do(spoil, Told(lot, tuple(spoiled)), id=id_) == 3, "the same form again"
    assert farm.lot(lot).labels_left == 3
    with pytest.raises(SerialUnknown) as refused:
        farm.do(spoil, Told(lot, (spoiled[0], serials[0], "ZZZZZZZZZ")))
    assert refused.value.serials == sorted([spoiled[0], "ZZZZZZZZZ"])
    again = issue(farm, lot, 3)
    assert (again.first, again.last) == (25, 27)
    with pytest.raises(TooManyLabels):
        issue(farm, lot, 1)
    with farm.records.session() as session:
        assert not set(labelling.codes_of(session, again.id)) & set(serials)
        assert lots.differences(session) == []


def test_clerks_who_print_at_once_never_exceed_the_packs(farm: Farm) -> None:
    lot = farm.packed(40).code
    outcomes: list[str] = []

    def clerk() -> None:
        try:
            issue(farm, lot, 5)
            outcomes.append("issued")
        except TooManyLabels:
            outcomes.append("refused")

    clerks = [threading.Thread(target=clerk) for _ in range(12)]
    for one in clerks:
        one.start()
    for one in clerks:
        one.join(60)
    assert sorted(outcomes) == ["issued"] * 8 + ["refused"] * 4
    with farm.records.session() as session:
        issues = session.query(LabelIssue).order_by(LabelIssue.first).all()
        assert [(i.first, i.last) for i in issues] == [(n, n + 4) for n in range(1, 41, 5)]
        assert all(i.at == NOW and i.cooperative == COOP for i in issues)


def test_goods_with_a_gtin_print_a_digital_link(farm: Farm) -> None:
    product = farm.product(name="Có mã số", gtin="09524000059109")
    made = issue(farm, farm.packed(2, product=product).code, 1)
    assert addresses(farm, made)[0].startswith(
        f"HTTP://127.0.0.1:8080/01/09524000059109/10/{made.lot}/21/"
    )
    assert pdf_of(farm, made).exists()


@pytest.mark.parametrize("sheet", ["a4-2x7-ean", "a4-3x8"])
def test_a_label_carries_the_bar_code_of_its_gtin_where_there_is_a_place_for_it(
    farm: Farm, sheet: str
) -> None:
    product = farm.product(name="Có mã số", gtin="09524000059109")
    made = issue(farm, farm.packed(3, product=product).code, 3, layout=sheet)
    bars = " 9524000059109" if sheet == "a4-2x7-ean" else ""
    meant = [address + bars for address in addresses(farm, made)]
    assert check.check(pdf_of(farm, made).read_bytes(), meant, layout.find(sheet)) == 1


def test_a_carton_number_does_not_fit_the_bar_code_of_a_pack(farm: Farm) -> None:
    product = farm.product(name="Thùng", gtin="19524000059106")
    with pytest.raises(LabelNotPrintable) as refused:
        issue(farm, farm.packed(3, product=product).code, 3, layout="a4-2x7-ean")
    assert "mã vạch" in refusal(refused.value)


def test_after_a_backup_was_put_back_no_number_on_paper_is_given_again(farm: Farm) -> None:
    lot = farm.packed(180).code
    assert issue(farm, lot, 24).last == 24
    # Here the backup was made; of what was printed after it nothing is known.
    restored.note(farm.settings, NOW)
    assert issue(farm, lot, 10).first == 1001
    with farm.records.session() as session:
        assert lots.differences(session) == []
