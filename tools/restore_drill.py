"""The drill: a whole house is backed up while it works, lost, and put back on an empty place.

    make drill

Starts ``nongso up``, lets people wish for water and stations measure while the backup is made,
kills everything without a word, restores into an empty folder, starts that, and asks what every
user would ask: is a reading doubled or gone, does a wish run again, is a label's number given
twice, is all water shut. About two minutes; ends with status 1 and a sentence if one is wrong.
"""

import json
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "walks"))

from running import System, end, free_port, start, until

ZONE = "tan-binh-1-k1"


def water(house: System, seconds: int) -> str:
    body: dict[str, Any] = {"seconds": seconds, "expires": int(time.time()) + 300}

    def is_taken() -> bool:
        body["id"] = wish = str(uuid.uuid4())
        ids.append(wish)
        return bool(house.ask(f"/api/v1/zones/{ZONE}/water", body)[0] == 202)

    ids: list[str] = []
    until("a wish that is carried out", is_taken, 30)
    until("the end of the run", lambda: is_over(house, ids[-1]), 30)
    return ids[-1]


def is_over(house: System, wish: str) -> bool:
    runs = house.ask(f"/api/v1/zones/{ZONE}/runs?limit=20")[1]["runs"]
    return any(run["id"] == wish and run["ended_at"] for run in runs)


def plants(house: System, number: int) -> None:
    """What a clerk does all day, here by the API: another batch of labels."""
    lots = house.ask("/api/v1/lots", role="clerk")[1]["lots"]
    for lot in lots:
        more = {"count": 1, "layout": "a4-3x8"}
        status, _ = house.ask(f"/api/v1/lots/{lot['lot']}/labels", more, role="clerk")
        if status == 201:
            return
    print(f"  no lot takes label {number}")


def rows(file: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as db:
        return db.execute(question).fetchall()


def readings_of(house: System, metric: str) -> list[Any]:
    until_ = int(time.time())
    asked = f"greenhouse=tan-binh-1&metric={metric}&since={until_ - 1800}&until={until_}"
    found: list[Any] = house.ask(f"/api/v1/series?{asked}")[1]["series"]
    return found


def check_that(what: str, is_so: bool) -> None:
    print(f"  {'ok   ' if is_so else 'WRONG'} {what}")
    if not is_so:
        raise SystemExit(1)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="nongso-drill-") as around:
        drill(Path(around))


def drill(around: Path) -> None:
    first = start(around / "first", free_port())
    second: System | None = None
    try:
        ending = threading.Event()
        clerk = threading.Thread(target=lambda: keep_on(ending, first), daemon=True)
        clerk.start()
        wish = water(first, 5)
        began = time.monotonic()
        made = first.nongso(
            *("backup", "--data", str(first.folder), "--to", str(around / "copy.zip"))
        )
        took = time.monotonic() - began
        ending.set()
        clerk.join(60)
        check_that(f"the backup was made in {took:.1f} s", made.returncode == 0)
        late = water(first, 5)  # the copy knows nothing of it
        codes = {s for (s,) in rows(records(first), "SELECT serial FROM label_code")}
        numbers = set(rows(records(first), "SELECT lot, running FROM label_code"))
        before = {
            (one["node"], point[0])
            for one in readings_of(first, "air_temperature")
            for point in one["points"]
        }
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait(20)

        began = time.monotonic()
        back = first.nongso("restore", str(around / "copy.zip"), "--data", str(around / "second"))
        took = time.monotonic() - began
        check_that(f"it was put back in {took:.1f} s", back.returncode == 0)
        second = start(around / "second", free_port())
        check_that("the house is whole", "NOT COMPLETE" not in "".join(second.said))
        opened = [e for coil in range(8) for e in second.edges(coil) if e["on"]]
        known = len(opened)
        series = readings_of(second, "air_temperature")
        for one in series:
            times = [point[0] for point in one["points"]]
            check_that(f"no reading of {one['node']} is doubled", len(times) == len(set(times)))
        after = {(one["node"], point[0]) for one in series for point in one["points"]}
        lost = len(before - after)
        print(f"       readings of the last half hour: {len(before)}, not in the copy: {lost}")
        check_that("earlier wishes are not carried out again", not any_run(second, late, known))
        made_again = second.ask(f"/api/v1/zones/{ZONE}/runs?limit=50")[1]["runs"]
        check_that(
            "the run of before the copy is told once",
            sum(run["id"] == wish or run.get("command") == wish for run in made_again) <= 1,
        )
        states = second.gateway_status()["zones"].values()
        check_that("no zone runs", all(z["state"] != "running" for z in states))
        plants(second, 1)
        again = set(rows(records(second), "SELECT lot, running FROM label_code"))
        old = set(
            rows(around / "first" / "platform" / "records.sqlite", "SELECT serial FROM label_code")
        )
        new = {s for (s,) in rows(records(second), "SELECT serial FROM label_code")} - {
            s for (s,) in old
        }
        fresh = {n for n in again if n not in numbers}
        check_that("a new label has a new number and a new serial", len(fresh) == len(new) == 1)
        check_that("codes of before are known", len(codes & {s for (s,) in old}) == len(codes))
        looked = second.nongso(
            *("trace", "check", "--settings", str(second.folder / "platform" / "platform.json"))
        )
        check_that("the public log is whole", looked.returncode == 0)
        said = end(second)
        check_that("it ends with all water shut", "All valves are closed" in said)
        second = None
    finally:
        for house in filter(None, (first, second)):
            if house.process.poll() is None:
                os.killpg(house.process.pid, signal.SIGKILL)
                house.process.wait(20)


def records(house: System) -> Path:
    return house.folder / "platform" / "records.sqlite"


def any_run(house: System, wish: str, known: int) -> bool:
    """Whether a valve was opened since the house came back."""
    deadline = time.monotonic() + 12
    while time.monotonic() < deadline:
        opened = [e for coil in range(8) for e in house.edges(coil) if e["on"]]
        if len(opened) > known:
            print(json.dumps(opened[known:]), wish)
            return True
        time.sleep(0.2)
    return False


def keep_on(ending: threading.Event, house: System) -> None:
    number = 0
    while not ending.is_set():
        number += 1
        plants(house, number)


if __name__ == "__main__":
    sys.exit(main())
