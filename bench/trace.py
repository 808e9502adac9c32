"""How long tracing takes across 100,000 events, to a depth of 30, back and forward.

Builds a stream in which goods go through 30 steps of splitting and merging and traces from one
end to the other: once a usual lot, which reaches a part of everything, and once a lot through
which everything goes. A fifth of the events others recorded: a buyer made something of a pack of
ours, and we took that in again under GTIN and lot. On SQLite, or with
``--records postgresql://…`` on an empty database.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from sqlalchemy import insert

from nongso.platform import migrations
from nongso.platform.events import Event
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.epcis import lot_names
from nongso.platform.traceability.epcis import records as epcis
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.records import Flow, Lot
from nongso.platform.traceability.tracing import trace
from nongso.platform.traceability.tracing import wide as trace_wide

BASE = "https://htx.example"
MOST_SECONDS = 1.0
AT = 1_790_000_000


def code(number: int) -> str:
    return f"L{number:06d}"


def build(records: Records, events: int, depth: int, funnel: bool) -> tuple[str, str]:
    """Lay down the events and what follows from them; return the first lot and the last."""
    chance = random.Random(7)
    others = events // 10  # each goes out and comes back: two events
    lots = events - 2 * others
    levels = [
        list(range(level * lots // (depth + 1), (level + 1) * lots // (depth + 1)))
        for level in range(depth + 1)
    ]
    flows = set()
    for above, below in itertools.pairwise(levels):
        for place, target in enumerate(below):
            near = place * len(above) // len(below)
            for source in {near, min(near + chance.randint(0, 1), len(above) - 1)}:
                flows.add((above[source], target))
    first, last = levels[0][0], levels[-1][-1]
    if funnel:  # one lot from which everything comes, and one into which everything goes
        flows |= {(first, target) for target in levels[1]}
        flows |= {(source, last) for source in levels[-2]}
        flows |= {(levels[0][0], one) for one in levels[2][:: max(len(levels[2]) // 50, 1)]}
    with records.transaction() as session:
        session.add(Cooperative(slug="c", name="HTX"))
        session.flush()
        _many(session, Event, (_event(number) for number in range(lots)))
        _many(session, Lot, (_lot(number) for number in range(lots)))
        _many(
            session,
            Flow,
            (
                {"number": target + 1, "source": code(source), "target": code(target),
                 "grams": 1000}
                for source, target in sorted(flows)
            ),
        )  # fmt: skip
        ways = chance.choices(sorted(flows), k=others)
        for name, rows in _of_others(ways, lots).items():
            _many(session, name, rows)
    print(
        f"{events} events, {2 * others} of them of others; {lots} lots, {len(flows)} flows and "
        f"{2 * others} of others, depth {depth}"
    )
    return code(first), code(last)


def _many(session, table, rows) -> None:  # type: ignore[no-untyped-def]
    some: list[dict] = []  # type: ignore[type-arg]
    for row in rows:
        some.append(row)
        if len(some) == 5000:
            session.execute(insert(table), some)
            some = []
    if some:
        session.execute(insert(table), some)


def _of_others(ways: list[tuple[int, int]], lots: int) -> dict:  # type: ignore[type-arg]
    """What others recorded between two lots of ours, in the tables of the stream and its index."""
    events, heads, steps, names = [], [], [], {}
    for n, (source, target) in enumerate(ways):
        pack, made = f"{BASE}/t/{code(source)}/S{source:08d}", f"https://bep.example/lots/{n}"
        lot = f"https://id.gs1.org/01/09521141012345/10/{code(target)}"
        said = {"kind": lot_names.LOT, "gtin": "", "host": lot_names.host_of(BASE)}
        names[pack] = {**said, "name": pack, "key": code(source), "lot": code(source)}
        said = {"kind": lot_names.LOT, "gtin": "09521141012345", "host": ""}
        names[lot] = {**said, "name": lot, "key": code(target), "lot": code(target)}
        for at, (one, other) in enumerate(((pack, made), (made, lot))):
            number = lots + 2 * n + at
            events.append({**_event(number), "type": epcis.CAPTURED})
            heads.append(_head(number))
            steps.append(
                {
                    "number": number + 1, "source_number": number + 1, "source": one,
                    "target": other, "kind": "made", "quantity": 1.0, "uom": "KGM",
                    "cooperative": "c", "is_foreign": True,
                }
            )  # fmt: skip
    return {
        Event: events,
        epcis.Indexed: heads,
        epcis.Flow: steps,
        epcis.LotName: list(names.values()),
    }


def _head(number: int) -> dict:  # type: ignore[type-arg]
    return {
        "number": number + 1, "cooperative": "c", "event_id": f"urn:bench:{number}",
        "error_name": "", "content": f"ni:{number}", "is_foreign": True, "is_public": False,
        "sender": "bench", "stands": True, "kind": "TransformationEvent", "at_ms": AT * 1000,
        "recorded_ms": AT * 1000,
    }  # fmt: skip


def _event(number: int) -> dict:  # type: ignore[type-arg]
    return {
        "number": number + 1, "id": f"e{number}", "type": "lot.transformed", "at": AT + number,
        "recorded_at": AT, "actor": "bench", "cooperative": "c", "body": {},
    }  # fmt: skip


def _lot(number: int) -> dict:  # type: ignore[type-arg]
    return {
        "code": code(number), "cooperative": "c", "kind": "starch", "name": "Bột dong",
        "at": AT + number, "born_number": number + 1, "made_grams": 10_000, "owner": "c",
        "holder": "c",
    }  # fmt: skip


def measure(what: str, do, times: int) -> float:  # type: ignore[no-untyped-def]
    found, told = [], 0
    for _ in range(times):
        began = time.perf_counter()
        told = do()
        found.append(time.perf_counter() - began)
    print(f"{what:<50} {told:7} lots {median(found) * 1000:9.1f} ms (worst {max(found):.3f} s)")
    return max(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--depth", type=int, default=30)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--records", default="", help="address of an empty database")
    parser.add_argument("--funnel", action="store_true", help="everything hangs together")
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            folder=Path(folder), secret="0123456789abcdef" * 4, records=wished.records
        )
        migrations.upgrade(settings)
        records = Records.of(settings)
        first, last = build(records, wished.events, wished.depth, wished.funnel)

        def reach(start: str, direction: str) -> int:
            with records.session() as session:
                return len(trace.reach(session, [start], direction).standing)

        def wide(start: str, direction: str) -> int:
            with records.session() as session:
                return len(trace_wide.follow(session, [start], direction, BASE, "c").depths)

        def recalled() -> int:
            with records.session() as session:
                return len(
                    recall_reach.hit(session, "c", recall_reach.Origin("lot", first), BASE).lots
                )

        times = wished.times
        worst = max(
            measure("back from the last lot", lambda: reach(last, "back"), times),
            measure("forward from the first lot", lambda: reach(first, "forward"), times),
            measure("back, with cartons and others' events", lambda: wide(last, "back"), times),
            measure("forward, with them", lambda: wide(first, "forward"), times),
        )
        measure("what a recall of the first lot would hit", recalled, times)
        records.close()
    print(f"slowest trace: {worst:.3f} s (at most {MOST_SECONDS:.0f} s)")
    return 0 if worst <= MOST_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
