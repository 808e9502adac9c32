"""How many EPCIS events a second are captured: HTTP body to commit, log of proofs and index in.

Through the application itself (no socket), in batches, as a clerk's token would send them. What is
counted: reading, checking against the model, the event hash, the stream, the log's entry and tile
hashes, the index, the job, the commit (``synchronous=FULL``). The floor beside it is the same
number of rows in the stream alone, in the same batches. Quote the goal (500/s) and the ratio.
"""

import argparse
import json
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

GOAL_PER_SECOND = 500
COOP = "bench"
CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"my": "urn:my:"}]


def event(n: int) -> dict[str, Any]:
    """The n-th event: a third each of harvests, millings and cartons."""
    at = f"2026-{1 + n // 28 % 12:02d}-{1 + n % 28:02d}T{n % 24:02d}:00:00+07:00"
    head = {"eventTime": at, "eventTimeZoneOffset": "+07:00", "eventID": f"urn:bench:{n}"}
    lot = f"https://htx.example/01/08930000000118/10/R{n}"
    place = {"id": f"https://htx.example/place/{n % 50}"}
    if n % 3 == 0:
        quantity = [{"epcClass": lot, "quantity": 500 + n % 100, "uom": "KGM"}]
        more = {"action": "ADD", "bizStep": "commissioning", "quantityList": quantity}
        ilmd = {"my:variety": "dong", "my:day": "2026-11-05"}
        return {"type": "ObjectEvent", **head, **more, "bizLocation": place, "ilmd": ilmd}
    if n % 3 == 1:
        made = f"https://htx.example/01/08930000000125/10/S{n}"
        inputs = [
            {"epcClass": lot[: -len(str(n))] + str(n - i), "quantity": 100, "uom": "KGM"}
            for i in range(1, 3)
        ]
        outputs = [{"epcClass": made, "quantity": 28.5, "uom": "KGM"}]
        sides = {"inputQuantityList": inputs, "outputQuantityList": outputs}
        return {"type": "TransformationEvent", **head, **sides, "readPoint": place}
    parent = f"https://htx.example/id/carton/{n}"
    packs = [f"https://htx.example/01/08930000000149/21/{n}{i}" for i in range(6)]
    more = {"action": "ADD", "bizStep": "packing", "parentID": parent, "childEPCs": packs}
    return {"type": "AggregationEvent", **head, **more, "readPoint": place}


def document(first: int, count: int) -> bytes:
    """A document of so many events."""
    listed = [event(n) for n in range(first, first + count)]
    frame = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-22T00:00:00Z",
        "epcisBody": {"eventList": listed},
    }
    return json.dumps(frame).encode()


def floor(records: Any, total: int, batch: int) -> float:
    """Rows in the stream alone, a second."""
    from sqlalchemy import insert

    from nongso.platform.events import Event

    begun = time.perf_counter()
    for first in range(0, total, batch):
        rows = [
            {
                "id": str(uuid.uuid4()),
                "type": "bench",
                "at": 1_790_000_000,
                "recorded_at": 1_790_000_000,
                "actor": "bench",
                "cooperative": COOP,
                "body": event(n),
            }
            for n in range(first, first + batch)
        ]
        with records.transaction() as session:
            session.execute(insert(Event), rows)
    return total / (time.perf_counter() - begun)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--records", default="", help="an address of PostgreSQL instead of SQLite")
    wished = parser.parse_args()

    from nongso.platform import migrations, people
    from nongso.platform.app import create_app
    from nongso.platform.people import Cooperative
    from nongso.platform.settings import Settings
    from nongso.platform.store import Records

    with tempfile.TemporaryDirectory() as folder:
        secret = "k7m4pqrstvwx" * 4
        settings = Settings(folder=Path(folder), secret=secret, records=wished.records)
        migrations.upgrade(settings, new_records=True)
        records = Records.of(settings)
        with records.transaction() as session:
            session.add(Cooperative(slug=COOP, name="bench"))
            session.flush()
            person = people.add_person(session, "clerk", "clerk", "clerk", COOP, "dong rieng 2026")
            token = people.new_api_token(session, person, "bench")
        client = create_app(settings).test_client()
        headers = {"Authorization": "Bearer " + token}
        documents = [
            document(first, wished.batch) for first in range(0, wished.events, wished.batch)
        ]
        slowest, begun, worked = 0.0, time.perf_counter(), time.process_time()
        for content in documents:
            one = time.perf_counter()
            answer = client.post(
                "/epcis/capture", data=content, content_type="application/ld+json", headers=headers
            )
            job = client.get(answer.headers["Location"], headers=headers).json
            assert job["success"], job["errors"][:1]
            slowest = max(slowest, time.perf_counter() - one)
        captured = wished.events / (time.perf_counter() - begun)
        alone = wished.events / (time.process_time() - worked)
        bare = floor(records, wished.events, wished.batch)
        records.close()
    print(
        f"capture: {captured:,.0f} events/s in batches of {wished.batch} "
        f"({wished.events} events, slowest batch {slowest * 1000:,.0f} ms); "
        f"{alone:,.0f} a second of processor; "
        f"stream alone {bare:,.0f} rows/s, {captured / bare:.0%} of it; goal {GOAL_PER_SECOND}"
    )
    return 0 if captured >= GOAL_PER_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
