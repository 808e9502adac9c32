"""A gateway's store is put on another disk: nothing of before is done again, and water waits."""

import json

import pytest
from watered_farm import Farm

from nongso.gateway import storecopy
from nongso.gateway.errors import StoreError
from nongso.gateway.store import Store


def moved(farm: Farm) -> None:
    """The machine is lost; a copy of its store is taken up on another."""
    copy = farm.folder / "copy.sqlite"
    storecopy.copy_store(farm.folder / "store.sqlite", copy)
    farm.dies()
    farm.store.close()
    (farm.folder / "store.sqlite").unlink()
    copy.rename(farm.folder / "store.sqlite")
    storecopy.take_up(farm.folder / "store.sqlite", ["main"])
    farm.store = Store(farm.folder / "store.sqlite")
    farm.rig.loop()
    farm.start()


BAND = {"low": 40.0, "high": 55.0, "run_seconds": 20, "soak_seconds": 60}


def test_no_zone_waters_by_itself_until_a_person_has_looked(farm: Farm) -> None:
    farm.order(do="mode", zone="k1", mode="band", band=BAND)
    moved(farm)
    farm.moisture = 20.0
    farm.turn(120)
    assert farm.openings() == 0
    assert farm.watering.states()["k1"]["code"] == "stopped_by_person"
    assert [a["code"] for a in farm.rows("alarm")] == ["taken_up"]
    farm.order(do="mode", zone="k1", mode="band", band=BAND)
    farm.turn(5)
    assert farm.openings() == 1
    farm.dies()
    farm.rig.loop()
    farm.start()
    farm.turn(200)
    assert farm.openings() > 1, "an ordinary restart holds nothing back"
    assert [a["code"] for a in farm.rows("alarm")] == ["taken_up"], "and tells nothing anew"


def test_a_wish_that_ran_after_the_copy_was_made_does_not_run_again(farm: Farm) -> None:
    farm.turn(1)
    copy = farm.folder / "early.sqlite"
    storecopy.copy_store(farm.folder / "store.sqlite", copy)
    wish = {"id": "wish", "number": 1, "gateway": "binh-lu", "do": "water", "zone": "k1"}
    wish |= {"seconds": 10}
    assert farm.watering.order(wish | {"age": 0})["state"] == "running"
    farm.turn(20)
    farm.dies()
    farm.store.close()
    for end in ("", "-wal", "-shm"):
        (farm.folder / f"store.sqlite{end}").unlink(missing_ok=True)
    copy.rename(farm.folder / "store.sqlite")
    storecopy.take_up(farm.folder / "store.sqlite", ["main"])
    farm.store = Store(farm.folder / "store.sqlite")
    farm.rig.loop()
    farm.start()
    farm.turn(2)
    again = farm.watering.order(wish | {"age": 22})
    assert (again["state"], again["code"]) == ("refused", "interrupted")
    assert farm.openings() == 1


def test_rows_that_waited_still_wait_and_get_new_numbers_behind_them(farm: Farm) -> None:
    farm.order(do="stop")
    before = farm.store.rows(True, 100, 1 << 20)
    moved(farm)
    farm.turn(2)
    where, rows = farm.store.rows(True, 100, 1 << 20)
    assert where != before[0]
    assert [(r.id, json.loads(r.body)) for r in rows][: len(before[1])] == [
        (r.id, json.loads(r.body)) for r in before[1]
    ]
    assert rows[-1].id > before[1][-1].id


def test_a_spare_with_the_settings_alone_begins_as_carefully(farm: Farm) -> None:
    farm.order(do="mode", zone="k1", mode="band", band=BAND)
    farm.dies()
    farm.store.close()
    for end in ("", "-wal", "-shm"):
        (farm.folder / f"store.sqlite{end}").unlink(missing_ok=True)
    storecopy.take_up(farm.folder / "store.sqlite", ["main"])
    farm.store = Store(farm.folder / "store.sqlite")
    farm.rig.loop()
    farm.start()
    farm.moisture = 20.0
    farm.turn(60)
    assert farm.openings() == 0


def test_a_store_that_a_gateway_works_on_is_not_taken_up(farm: Farm) -> None:
    with pytest.raises(StoreError, match="in use"):
        storecopy.take_up(farm.folder / "store.sqlite", ["main"])
