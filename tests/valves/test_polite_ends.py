"""When somebody ends gateway and supervisor in the middle of a run, the record stays true.

Both are real processes here, ended in either order and at once; the board's own log of edges is
what the record is compared with.
"""

import json
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from farm_house import K1, House, free_port, wait_for

from nongso.gateway.settings import load
from nongso.gateway.store import Store
from nongso.gateway.valves.client import Valves
from nongso.gateway.waterbook import WaterBook

# The gateway's process, with one wish of a person from the start.
GATEWAY = """
import signal, sys, threading
from pathlib import Path
from nongso.gateway import run
from nongso.gateway.settings import load
gateway = run.Gateway(load(Path(sys.argv[1])))
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
gateway.start()
print(gateway.watering.order(
    {"id": sys.argv[3], "do": "water", "zone": sys.argv[2], "seconds": 60, "by": "Páo"}
)["state"], flush=True)
stopping.wait()
gateway.stop()
"""


def begin(house: House) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """The farm, its supervisor, and a gateway that has begun to water."""
    settings = json.loads(house.gateway_file.read_text())
    settings["status_port"] = free_port()
    settings["broker"]["port"] = 1
    settings["platform"] = {"url": "http://127.0.0.1:1", "key": "k" * 43}
    house.gateway_file.write_text(json.dumps(settings))
    house.start_farm()
    supervisor = house.start_supervisor()
    gateway = house.start(GATEWAY, str(house.gateway_file), K1, str(uuid.uuid4()))
    assert gateway.stdout is not None
    assert gateway.stdout.readline() == "running\n"
    return supervisor, gateway


def run_rows(folder: Path) -> list[dict[str, Any]]:
    store = Store(folder / "store.sqlite")
    try:
        _, rows = store.rows(True, 1000, 1 << 22)
        return [json.loads(row.body)["run"] for row in rows if row.kind == "run"]
    finally:
        store.close(2.0)


def let_run(house: House, seconds: float) -> None:
    began = next(e["mono"] for e in house.edges() if e["coil"] == 0 and e["on"])
    wait_for(lambda: time.monotonic() - began > seconds, "some water")


@pytest.mark.parametrize("order", ["gateway first", "supervisor first", "together", "closed"])
def test_a_run_that_is_cut_by_a_polite_end_is_written_down_as_it_was(
    house: House, order: str
) -> None:
    supervisor, gateway = begin(house)
    let_run(house, 2.5)
    if order == "closed":  # by a person at the terminal, and then everything is ended
        close = house.start_room(
            "nongso.gateway.valves.emergency", house.gateway_file, "close_all"
        )
        close.communicate(timeout=15)
        assert close.returncode == 0
    ending = [gateway, supervisor] if order == "gateway first" else [supervisor, gateway]
    struck_at = time.monotonic()
    for process in ending:
        process.send_signal(signal.SIGTERM)
        if order != "together":
            process.wait(8)
    for process in ending:
        assert process.wait(8) == 0, process.communicate()
    assert time.monotonic() - struck_at < 8
    _, ended = run_rows(house.folder)
    (spell,) = house.spells(0)
    assert (ended["state"], ended["code"]) == ("done", "stopped")
    assert ended["seconds"] == pytest.approx(spell, abs=0.3)
    assert ended["litres"] > 0
    assert ended["ended_at"] - ended["started_at"] == pytest.approx(spell, abs=1.1)
    settings = load(house.gateway_file)
    store = Store(house.folder / "store.sqlite")
    assert WaterBook(settings, store).runs == {}
    store.close(2.0)


def test_a_supervisor_that_is_ending_opens_nothing_more(house: House) -> None:
    house.start_farm()
    supervisor = house.start_supervisor()
    valves: Valves = house.valves()
    valves.open(K1, 60, "a")
    supervisor.terminate()
    house.closed_at()
    assert [run["code"] for run in wait_for(lambda: valves.renew()["ended"], "its word")] == [
        "stopped"
    ]
    assert valves.open(K1, 60, "b")["code"] == "supervisor_gone"
    valves.renew(["a"])
    assert supervisor.wait(5) == 0, "it stays no longer than it must"
    assert len(house.spells(0)) == 1
