"""The log of everything recorded: appends a second, a proof at a million entries, verification.

Appends go through the stream as a capture's do (event, subject, entry, seals, hashes, one
transaction a batch), each batch to the disk. The large log is laid down without events, its
tiles as they would be; then proofs are read from the database with nothing kept in memory, for
entries drawn with a fixed seed. A lot's file is made and judged as the shopper gets it.

    python bench/proof.py [--entries 1000000] [--appends 5000] [--batch 500] [--proofs 300] [--cpu]

``--cpu`` counts the processor's time of this process instead of the clock's, for a busy machine.
    RECORDS=postgresql://… python bench/proof.py     another database, which is filled
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy import insert

from nongso.platform import events, migrations
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.proof import (
    keeping,
    lotfile,
    lotproof,
    merkle,
    reading,
    verdicts,
)
from nongso.platform.traceability.proof import signing as signings
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.records import LogEntry

AT_ONCE = 20_000


def clock() -> float:
    """Seconds: of the clock, or with ``--cpu`` of the processor."""
    return time.process_time() if "--cpu" in sys.argv else time.perf_counter()


def body(number: int) -> dict[str, Any]:
    """An event of a mẻ, as large as ours are."""
    return {
        "type": "TransformationEvent",
        "eventID": f"urn:uuid:{uuid.UUID(int=number)}",
        "eventTime": "2026-11-21T12:00:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "bizStep": "commissioning",
        "disposition": "in_progress",
        "inputQuantityList": [
            {"epcClass": f"https://lo.example/t/R{number:07}", "quantity": 212.5, "uom": "KGM"}
        ],
        "outputQuantityList": [
            {"epcClass": f"https://lo.example/t/S{number:07}", "quantity": 29.75, "uom": "KGM"}
        ],
        "nongso:stated": "weighed",
        "nongso:name": "Bột dong",
        "nongso:kind": "starch",
        "nongso:producer": str(uuid.UUID(int=number % 50)),
        "nongso:form": f"{number:064x}",
    }


def appends(records: Records, first: int, count: int, batch: int) -> float:
    """Append events with their entries, ``batch`` a transaction; returns events a second."""
    begun = clock()
    for at in range(first, first + count, batch):
        with records.transaction() as session:
            for number in range(at, min(at + batch, first + count)):
                events.append(
                    session,
                    id=str(uuid.UUID(int=number)),
                    type="lot.transformed",
                    at=1_795_000_000,
                    actor="clerk",
                    cooperative=None,
                    body=body(number),
                    subjects=[f"lot:S{number:07}"],
                )
    return count / (clock() - begun)


def lay_down(records: Records, entries: int) -> float:
    """Fill the log up with entries of no event; returns entries a second."""
    begun = clock()
    with records.session() as session:
        size = keeping.size_of(session)
    first = size
    while size < entries:
        more = min(AT_ONCE, entries - size)
        made = [b'{"kind":"filler","n":%d}' % number for number in range(size, size + more)]
        with records.transaction() as session:
            rows = [
                {"number": number, "kind": "filler", "event_number": None, "entry": entry}
                for number, entry in enumerate(made, size)
            ]
            session.execute(insert(LogEntry), rows)
            keeping.grow(session, size, list(map(merkle.leaf_hash, made)))
        size += more
    return (size - first) / max(clock() - begun, 1e-9)


def spread(seconds: list[float]) -> str:
    """Median and the slowest of a hundred, in ms."""
    return f"{median(seconds) * 1e3:.2f} ms (p99 {quantiles(seconds, n=100)[98] * 1e3:.2f} ms)"


def timed_proofs(records: Records, size: int, count: int) -> tuple[list[float], list[float]]:
    """Seconds to read a proof from the database, and to judge it, for drawn entries."""
    dice, made, judged = random.Random(1), [], []
    with records.session() as session:
        root = merkle.root(reading.nodes(session), size)
    for _ in range(count):
        place = dice.randrange(size)
        with records.session() as session:
            begun = clock()
            nodes = reading.nodes(session, [place], size)
            proof = merkle.inclusion(nodes, place, size)
            made.append(clock() - begun)
            (entry,) = reading.entries_between(session, place, place + 1)
        begun = clock()
        merkle.verify_inclusion(merkle.leaf_hash(entry), place, size, proof, root)
        judged.append(clock() - begun)
    return made, judged


def lot_file(records: Records, custody: Custody, count: int) -> tuple[list[float], list[float]]:
    """Seconds to make the file of one lot's record in the large log, and to judge it whole."""
    signer = signings.Signer(records, custody, "lo.example/log")
    signer.sign_now(int(time.time()))
    made, judged = [], []
    for _ in range(count):
        with records.session() as session:
            begun = clock()
            found = lotfile.of_events(session, "S0000007", [8], "https://lo.example/t/S0000007")
            made.append(clock() - begun)
        data = json.dumps(found).encode()
        begun = clock()
        with suppress(lotproof.Refused):  # at the last question: where its roots came from
            list(verdicts.told(lotproof.judge(data)))
        judged.append(clock() - begun)
    return made, judged


def main() -> int:
    """Run it."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--entries", type=int, default=1_000_000)
    asked.add_argument("--appends", type=int, default=5_000)
    asked.add_argument("--batch", type=int, default=500)
    asked.add_argument("--proofs", type=int, default=300)
    asked.add_argument("--cpu", action="store_true")
    args = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            folder=Path(folder), secret="k7m4pqrstvwx" * 4, records=os.environ.get("RECORDS", "")
        )
        migrations.upgrade(settings)
        records = Records.of(settings)
        rate = appends(records, 0, args.appends, args.batch)
        print(f"events with entry, batches of {args.batch}: {rate:,.0f} a second", flush=True)
        single = appends(records, args.appends, 50, batch=1)  # as a clerk does
        print(f"events with entry, one a transaction: {single:,.0f} a second", flush=True)
        rate = lay_down(records, args.entries - 1)
        print(f"bare entries to fill up: {rate:,.0f} a second", flush=True)
        custody = Custody(settings.folder)
        made, judged = lot_file(records, custody, min(args.proofs, 100))
        with records.session() as session:
            size = keeping.size_of(session)
        print(f"the log has {size:,} entries")
        print(f"a lot's file (one record, key, checkpoint), made: {spread(made)}")
        print(f"a lot's file, judged with all signatures: {spread(judged)}")
        made, judged = timed_proofs(records, size, args.proofs)
        print(f"an inclusion proof, read from the database: {spread(made)}")
        print(f"an inclusion proof, judged: {spread(judged)}")
        records.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
