"""How long strangers wait for EPCIS's lists and questions, with few events and with 100,000.

Each event is one of our own about a packed lot, so that all are public. The rows of stream and
index are laid down as they are after recording; the addresses are asked through the application,
without a token. Quote the times and how they grow: the fill grows a hundredfold, a list does not;
nor does one page of a question that many events answer, or none.
On SQLite, or with ``--records postgresql://…`` on an empty database.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import MetaData, Table, insert

from nongso.platform import migrations
from nongso.platform.app import create_app
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.epcis.vocabulary import words

FEW = 1000
EVENTS_OF_LOT = 10  # packed, labelled, moved
AT = 1_790_000_000
BASE = "http://127.0.0.1:8080"
LISTS = (
    "/epcis/epcs",
    "/epcis/epcs?nextPageToken=http%3A%2F%2F127.0.0.1%3A8080%2Ft%2FL000050",
    "/epcis/eventTypes",
    "/epcis/bizSteps",
    "/epcis/dispositions",
)
QUESTIONS = (
    "/epcis/events",
    "/epcis/events?EQ_bizStep=shipping",
    "/epcis/events?EQ_bizStep=destroying",
    "/epcis/epcs/http%3A%2F%2F127.0.0.1%3A8080%2Ft%2FL000050",
    "/epcis/epcs/http%3A%2F%2F127.0.0.1%3A8080%2Ft%2FL000050/events",
)
MOST_TIMES = 10  # slower with a hundred times as many events


def lay_down(records: Records, first: int, until: int) -> None:
    """Events from one number to another, and what follows from them."""
    names = ("lot", "event", "event_subject", "epcis_event", "epcis_term", "epcis_public_name")
    meta = MetaData()
    tables = {name: Table(name, meta, autoload_with=records.engine) for name in names}
    reached = Table("epcis_reached", meta, autoload_with=records.engine)
    numbers = range(first, until)
    lots = range(first // EVENTS_OF_LOT, until // EVENTS_OF_LOT)
    steps = [words("business_steps").whole(one) for one in ("packing", "shipping", "receiving")]
    with records.transaction() as session:
        connection = session.connection()
        rows: dict[str, Iterable[dict[str, Any]]] = {
            "event": (_event(n) for n in numbers),
            "lot": (_lot(n) for n in lots),
            "event_subject": ({"number": n + 1, "subject": f"lot:{_code(n)}"} for n in numbers),
            "epcis_event": (_indexed(n, steps[n % 3]) for n in numbers),
            "epcis_term": (
                {"number": n + 1, "place": 0, "field": "class", "value": f"{BASE}/t/{_code(n)}"}
                for n in numbers
            ),
            "epcis_public_name": ({"thing": "epcs", "value": f"{BASE}/t/L{n:06d}"} for n in lots),
        }
        for name, made in rows.items():
            connection.execute(insert(tables[name]), list(made))
        if first == 0:
            said = {"kind": ("ObjectEvent",), "biz_step": steps, "disposition": ("active",)}
            some = [{"thing": k, "value": v} for k, values in said.items() for v in values]
            connection.execute(insert(tables["epcis_public_name"]), some)
            connection.execute(insert(reached), [{"id": 1, "number": until}])
        else:
            connection.execute(reached.update().values(number=until))


def _code(number: int) -> str:
    return f"L{number // EVENTS_OF_LOT:06d}"


def _event(n: int) -> dict[str, Any]:
    body = {
        "type": "ObjectEvent",
        "eventID": f"urn:bench:{n}",
        "eventTime": "2026-11-22T00:00:00Z",
    }
    return {
        "number": n + 1, "id": f"e{n}", "type": "lot.packed", "at": AT + n, "recorded_at": AT + n,
        "actor": "bench", "cooperative": "c", "body": body,
    }  # fmt: skip


def _lot(n: int) -> dict[str, Any]:
    zero = (
        "used_grams",
        "labels",
        "spoiled",
        "lost",
        "sampled",
        "away",
        "destroyed",
        "packs_gone",
    )
    return {
        "code": f"L{n:06d}", "cooperative": "c", "kind": "packs", "name": "Miến dong", "at": AT,
        "born_number": n * EVENTS_OF_LOT + 1, "packs": 10, "owner": "c", "holder": "c",
        "bought": False, "demonstration": False, "regrouped": False, "tested": "",
        **dict.fromkeys(zero, 0),
    }  # fmt: skip


def _indexed(n: int, step: str) -> dict[str, Any]:
    return {
        "number": n + 1, "cooperative": "c", "event_id": f"urn:bench:{n}", "error_name": "",
        "content": f"ni:{n}", "is_foreign": False, "is_public": True, "kind": "ObjectEvent",
        "at_ms": (AT + n) * 1000, "recorded_ms": (AT + n) * 1000, "action": "OBSERVE",
        "biz_step": step, "disposition": "active",
    }  # fmt: skip


def asked(client: Any, times: int) -> dict[str, float]:
    """Milliseconds for each address, the median."""
    found = {}
    for address in (*LISTS, *QUESTIONS):
        client.get(address)  # the first question of a process pays for more than itself
        spent = []
        for _ in range(times):
            began = time.perf_counter()
            answer = client.get(address)
            spent.append(time.perf_counter() - began)
            assert answer.status_code == 200, (address, answer.text)
            assert "shipping" not in address or "urn:bench:" in answer.text, address
        found[address] = median(spent) * 1000
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--records", default="", help="address of an empty database")
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            folder=Path(folder), secret="0123456789abcdef" * 4, records=wished.records
        )
        migrations.upgrade(settings, new_records=True)
        records = Records.of(settings)
        with records.transaction() as session:
            session.add(Cooperative(slug="c", name="HTX"))
        client = create_app(settings).test_client()
        lay_down(records, 0, FEW)
        few = asked(client, wished.times)
        lay_down(records, FEW, wished.events)
        many = asked(client, wished.times)
        records.close()
    worst = 0.0
    for address, spent in many.items():
        ratio = spent / few[address]
        worst = max(worst, ratio) if address in LISTS else worst
        print(f"{address:<76} {few[address]:7.1f} ms {spent:8.1f} ms  ×{ratio:.1f}")
    print(
        f"with {FEW} and with {wished.events} events; slowest growth of a list ×{worst:.1f}, "
        f"at most ×{MOST_TIMES}"
    )
    return 0 if worst <= MOST_TIMES else 1


if __name__ == "__main__":
    sys.exit(main())
