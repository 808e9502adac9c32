"""A gateway whose disk is full opens nothing that it could forget, and stops all the same."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from farm_house import K1, House, free_port, wait_for
from full_disk import Disk, small_disk
from watered_farm import Farm


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def farm(disk: Disk) -> Iterator[Farm]:
    made = Farm(disk.folder)
    made.turn(1)
    yield made
    made.store.close()


def fill(farm: Farm, disk: Disk) -> None:
    """Fill the disk, and the room that the store's file still has of its own."""
    disk.fill()
    for number in range(10_000):
        farm.store.set_state(f"filler-{number}", "x" * 4000)
        if not farm.store.is_writable():
            return
    raise AssertionError("the disk does not get full")


def test_one_wish_never_waters_twice_on_a_full_disk(farm: Farm, disk: Disk) -> None:
    """The gateway is restarted while the disk is full, and the wish is offered again."""
    for _ in range(3):
        fill(farm, disk)  # each time: a store that is closed gives back what its log took
        refused = farm.order(do="water", zone="k1", seconds=5, id="wish")
        assert (refused["state"], refused["code"]) == ("refused", "cannot_record")
        farm.turn(8)
        farm.dies()
        farm.start()
        farm.turn(1)
    assert farm.openings() == 0
    disk.make_room()
    wait_for(farm.store.is_writable, "room on the disk", 15)
    assert farm.order(do="water", zone="k1", seconds=5, id="other")["state"] == "running"
    assert farm.openings() == 1


def test_a_wish_that_began_before_the_disk_was_full_is_not_run_again(
    farm: Farm, disk: Disk
) -> None:
    assert farm.order(do="water", zone="k1", seconds=5, id="wish")["state"] == "running"
    fill(farm, disk)
    farm.turn(8)
    farm.dies()
    farm.start()
    farm.turn(1)
    farm.order(do="water", zone="k1", seconds=5, id="wish")
    farm.turn(8)
    assert farm.openings() == 1


def test_a_stop_needs_no_disk(farm: Farm, disk: Disk) -> None:
    assert farm.order(do="water", zone="k1", seconds=60)["state"] == "running"
    fill(farm, disk)
    assert farm.rig.is_open("k1")
    assert farm.order(do="stop", number=50)["state"] == "done"
    assert not farm.rig.is_open("k1")
    disk.make_room()
    wait_for(farm.store.is_writable, "room on the disk", 15)
    late = farm.order(do="water", zone="k1", seconds=5, number=49)
    assert late["code"] == "stopped_meanwhile", "the stop was remembered all the time"
    farm.dies()
    farm.start()
    farm.turn(1)
    late = farm.order(do="water", zone="k1", seconds=5, number=48)
    assert late["code"] == "stopped_meanwhile", "and is on the disk now"


def test_a_refusal_on_a_full_disk_stays_one_when_there_is_room(farm: Farm, disk: Disk) -> None:
    fill(farm, disk)
    refused = farm.order(do="water", zone="k1", seconds=5, id="wish")
    disk.make_room()
    wait_for(farm.store.is_writable, "room on the disk", 15)
    assert farm.order(do="water", zone="k1", seconds=5, id="wish") == refused
    assert farm.rows("command") == [refused], "the platform hears of it"
    farm.dies()
    farm.start()
    farm.turn(1)
    assert farm.order(do="water", zone="k1", seconds=5, id="wish") == refused
    assert farm.openings() == 0


# A gateway's process whose store cannot even be opened: it is asked for water, then to stop.
GATEWAY = """
import sys, threading
from pathlib import Path
from nongso.gateway import run
from nongso.gateway.settings import load
gateway = run.Gateway(load(Path(sys.argv[1])))
gateway.start()
there = threading.Event()
while not there.wait(0.05) and not gateway.watering._supervised.has_bus:
    pass
body = {"gateway": "binh-lu", "zone": sys.argv[2], "by": "Páo", "age": 0}
for number, do in enumerate(("water", "stop"), 1):
    outcome = gateway.watering.order(
        body | {"id": f"wish-{number}", "number": number, "do": do, "seconds": 60}
    )
    print(outcome["state"], outcome["code"], flush=True)
gateway.stop()
"""


def test_a_gateway_without_a_disk_waters_for_nobody_and_stops_for_everybody(
    house: House,
) -> None:
    settings = json.loads(house.gateway_file.read_text())
    settings["status_port"] = free_port()
    settings["broker"]["port"] = 1
    settings["platform"] = {"url": "http://127.0.0.1:1", "key": "k" * 43}
    house.gateway_file.write_text(json.dumps(settings))
    (house.folder / "store.sqlite").mkdir()
    house.start_farm()
    house.start_supervisor()
    gateway = house.start(GATEWAY, str(house.gateway_file), K1)
    said, complaints = gateway.communicate(timeout=30)
    assert said.splitlines() == ["refused cannot_record", "done stopped"], complaints
    assert not any(edge["on"] for edge in house.edges())
