"""A line of the diary is written once and stands in the lot's history as an event."""

import datetime
import json
import re

import pytest
from cooperative import COOP, NOW, TODAY, Farm, days_ago, new_id
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.events import Event
from nongso.platform.greenhouse.records import Greenhouse, Run, Zone
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.seasons import field_events as field
from nongso.platform.uplink import register_gateway

HOUSE, ZONE = "tan-binh-1", "tan-binh-1-k1"
BASE = "http://127.0.0.1:8080"


@pytest.fixture
def house(farm: Farm) -> Farm:
    with farm.records.transaction() as session:
        register_gateway(session, "bl", "Tủ Bình Lư", COOP, "k" * 40)
        session.add(
            Greenhouse(slug=HOUSE, name="Nhà màng Tân Bình 1", cooperative=COOP, gateway="bl")
        )
        session.flush()
        session.add(
            Zone(
                id=ZONE,
                name="Khu 1",
                greenhouse=HOUSE,
                gateway="bl",
                coil=0,
                mode="manual",
                max_run_seconds=1800,
                max_day_seconds=7200,
            )
        )
    return farm


def plant(farm: Farm, day: int, crop: str = "Rau cải") -> Lot:
    grower = farm.producer(new_id(), "cooperative")
    wish = ops.Planting(HOUSE, "Nhà màng Tân Bình 1", grower, crop, days_ago(day))
    return farm.do(ops.plant, wish)


def write(farm: Farm, entry: Entry) -> str:
    id_ = new_id()
    with farm.records.transaction() as session:
        diary.write(session, id_, HOUSE, COOP, "farmer", entry, NOW)
    return id_


def correct(farm: Farm, line: str, entry: Entry | None) -> None:
    with farm.records.transaction() as session:
        found = diary.line(session, HOUSE, line)
        diary.correct(session, new_id(), found, HOUSE, COOP, "farmer", entry, "Gõ nhầm", NOW)


def spraying(ago: int, interval: int = 7, **more: object) -> Entry:
    day = days_ago(ago).isoformat()
    return Entry("sprayed", day, product="Dầu neem", interval_days=interval, **more)


def water(farm: Farm, ago: int, litres: float | None, hour: int = 6) -> None:
    begun = datetime.datetime.combine(days_ago(ago), datetime.time(hour), diary.ZONE)
    at = int(begun.timestamp())
    with farm.records.transaction() as session:
        session.add(
            Run(
                id=new_id(),
                zone=ZONE,
                gateway="bl",
                cause="band",
                state="done",
                code="done",
                values={},
                ordered_seconds=120,
                started_at=at,
                ended_at=at + 120,
                seconds=120,
                litres=litres,
            )
        )


def bring_up(farm: Farm, now: int = NOW) -> int:
    with farm.records.transaction() as session:
        return field.bring_up(session, BASE, HOUSE, now)


def events_of(farm: Farm, lot: Lot) -> list[dict]:
    with farm.records.session() as session:
        return [event.body for event in field.of_lots(session, [lot.code])]


def everything(farm: Farm) -> list[Event]:
    with farm.records.session() as session:
        return session.query(Event).filter(Event.type.in_(field.TYPES)).all()


def test_a_spraying_becomes_an_event_of_the_planting_with_what_the_label_says(
    house: Farm,
) -> None:
    planting = plant(house, 20)
    write(
        house,
        spraying(5, ingredient="Azadirachtin", amount=200.0, unit="ml", dose="20 ml/16 lít"),
    )
    assert bring_up(house) == 1
    (body,) = events_of(house, planting)
    assert body["type"] == "ObjectEvent"
    assert body["action"] == "OBSERVE"
    assert body["bizStep"] == "urn:nongso:bizStep:spraying"
    assert lot_of(body["quantityList"][0]["epcClass"]) == planting.code
    assert body["nongso:inputName"] == "Dầu neem"
    assert body["nongso:activeIngredient"] == "Azadirachtin"
    assert (body["nongso:amount"], body["nongso:amountUnit"]) == (200.0, "ml")
    assert body["nongso:preHarvestIntervalDays"] == 7
    assert body["nongso:withheldUntil"] == (days_ago(5) + datetime.timedelta(7)).isoformat()
    assert body["nongso:stated"] == "stated"


def test_brought_up_twice_nothing_is_written_twice(house: Farm) -> None:
    plant(house, 20)
    write(house, spraying(5))
    water(house, 3, 40.0)
    assert bring_up(house) == 2
    assert bring_up(house) == 0


def test_a_corrected_line_declares_the_first_event_wrong_and_stands_anew(house: Farm) -> None:
    planting = plant(house, 20)
    line = write(house, spraying(5, 7))
    bring_up(house)
    correct(house, line, spraying(5, 10))
    assert bring_up(house) == 2
    (body,) = events_of(house, planting)
    assert body["nongso:preHarvestIntervalDays"] == 10
    (declared,) = [e.body for e in everything(house) if e.type == field.CORRECTED]
    assert declared["nongso:preHarvestIntervalDays"] == 7
    assert declared["errorDeclaration"]["reason"] == "incorrect_data"
    assert declared["errorDeclaration"]["correctiveEventIDs"] == [body["eventID"]]
    assert "Gõ nhầm" not in json.dumps(declared, ensure_ascii=False)


def test_a_line_taken_back_did_not_occur(house: Farm) -> None:
    planting = plant(house, 20)
    line = write(house, spraying(5))
    bring_up(house)
    correct(house, line, None)
    assert bring_up(house) == 1
    assert events_of(house, planting) == []
    (declared,) = [e.body for e in everything(house) if e.type == field.CORRECTED]
    assert declared["errorDeclaration"]["reason"] == "did_not_occur"


def test_a_line_corrected_before_anything_was_brought_up_is_one_event(house: Farm) -> None:
    planting = plant(house, 20)
    correct(house, write(house, spraying(5, 7)), spraying(5, 10))
    assert bring_up(house) == 1
    assert len(events_of(house, planting)) == 1


def test_no_person_no_note_no_money_stands_in_an_event(house: Farm) -> None:
    plant(house, 20)
    write(house, spraying(5, who="NGUOI-LAM", note="GHI-CHU", cost=7_777_777, minutes=6_543))
    write(house, Entry("moved", days_ago(4).isoformat(), to="NHA-RIENG", amount=3, unit="kg"))
    write(house, Entry("problem", days_ago(4).isoformat(), note="GHI-CHU"))
    assert bring_up(house) == 2
    said = json.dumps([event.body for event in everything(house)], ensure_ascii=False)
    for private in ("NGUOI-LAM", "GHI-CHU", "NHA-RIENG", "7777777", r"\b6543\b", "farmer"):
        assert re.search(private, said) is None, private


def test_the_gateways_waterings_are_one_measured_event_a_day(house: Farm) -> None:
    planting = plant(house, 20)
    for hour in (6, 9):
        water(house, 3, 40.5, hour)
    water(house, 3, None, 12)
    water(house, 30, 99.0)  # before the planting
    water(house, 0, 99.0)  # the day is not over
    bring_up(house)
    (body,) = events_of(house, planting)
    assert body["bizStep"] == "urn:nongso:bizStep:irrigating"
    assert body["nongso:stated"] == "measured"
    assert body["nongso:litres"] == 81.0
    assert body["nongso:waterings"] == 3
    assert body["nongso:unmeteredWaterings"] == 1
    assert body["nongso:day"] == days_ago(3).isoformat()


def test_waterings_told_of_late_correct_the_days_event(house: Farm) -> None:
    planting = plant(house, 20)
    water(house, 3, 40.0)
    bring_up(house)
    water(house, 3, 20.0, 9)
    assert bring_up(house) == 2
    (body,) = events_of(house, planting)
    assert body["nongso:litres"] == 60.0
    assert bring_up(house) == 0


def test_what_is_done_after_the_next_planting_belongs_to_the_next_one(house: Farm) -> None:
    first, second = plant(house, 40), plant(house, 10, "Cà chua")
    write(house, spraying(20))
    write(house, spraying(5))
    bring_up(house)
    assert [b["nongso:day"] for b in events_of(house, first)] == [days_ago(20).isoformat()]
    assert [b["nongso:day"] for b in events_of(house, second)] == [days_ago(5).isoformat()]


def test_an_older_planting_that_is_still_harvested_has_its_part(house: Farm) -> None:
    first, second = plant(house, 40), plant(house, 10, "Cà chua")
    write(house, spraying(5, 2))
    house.do(ops.harvest, ops.Harvest(first.code, 5000, TODAY), None)
    bring_up(house)
    assert len(events_of(house, first)) == len(events_of(house, second)) == 1


def test_a_planting_recorded_later_finds_the_lines_that_were_there_before(house: Farm) -> None:
    write(house, spraying(5))
    assert bring_up(house) == 0
    planting = plant(house, 20)
    bring_up(house)
    assert len(events_of(house, planting)) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*field.STEPS, "note", "problem", "planted", "harvested"]),
            st.dates(datetime.date(2026, 1, 1), datetime.date(2026, 11, 20)),
        ),
        max_size=5,
    )
)
def test_every_kind_of_line_says_only_known_words(lines: list) -> None:
    known = {
        "nongso:day",
        "nongso:inputName",
        "nongso:activeIngredient",
        "nongso:dose",
        "nongso:amount",
        "nongso:amountUnit",
        "nongso:preHarvestIntervalDays",
        "nongso:withheldUntil",
    }
    for kind, day in lines:
        entry = Entry(
            kind, day.isoformat(), "c", "p", "i", 1.0, "kg", 3, 4, 5, "n", "f", "t", "w", "d", "m"
        )
        assert set(field._said(entry)) <= known
