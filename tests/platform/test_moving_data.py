"""Migrations with a farm's data in the tables, down and up again, in SQLite and in PostgreSQL."""

import json
import time
import uuid
from typing import Any

import pytest
from alembic import command
from office import Place, open_place
from sqlalchemy import Connection, MetaData, select, text
from sqlalchemy.exc import IntegrityError

from nongso.platform import audit, events, migrations, people
from nongso.platform.alerts.records import Alert, AlertEvent
from nongso.platform.greenhouse.records import Run
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.traceability.records import Lot, Producer

NOW = 7_000_000_000  # behind 2038


def fill(settings: Settings) -> None:
    """Put something into every room."""
    place = open_place(settings)
    place.configure()
    run = {"id": "r-1", "zone": "tan-binh-1-k1", "cause": "wished", "state": "done"}
    times = {"ordered_seconds": 60, "started_at": NOW, "ended_at": NOW + 60, "seconds": 60}
    alarm = {"id": "a-1", "code": "leak", "raised_at": NOW, "values": {"litres": 1.5}}
    answer = place.bring(
        place.row("run", run={**run, **times, "code": "done", "litres": None}),
        place.row("alarm", alarm=alarm),
    )
    assert answer.json is not None
    assert answer.json["refused"] == []
    wish = {"id": str(uuid.uuid4()), "seconds": 60}
    assert place.ask("/api/v1/zones/tan-binh-1-k1/water", wish).status_code == 202
    place.client("farmer")
    with place.records.transaction() as session:
        event = events.append(
            session,
            id="e-1",
            type="planted",
            at=NOW,
            actor="x",
            cooperative="binh-lu",
            body={"crop": "cà chua", "n": 2**53},
            subjects=["lot:K7M4"],
        )
        where = dict.fromkeys(("village", "commune", "province", "contact"), "")
        session.add(
            Producer(
                id="p", cooperative="binh-lu", code="H01", kind="household", name="H", **where
            )
        )
        session.flush()
        session.add(
            Lot(
                code="K7M4",
                cooperative="binh-lu",
                kind="roots",
                name="Củ dong",
                at=NOW,
                born_number=event.number,
                producer_id="p",
                made_grams=5_000_000_000,
                used_grams=0,
                packs=0,
                labels=0,
                spoiled=0,
                demonstration=False,
                owner="binh-lu",
                holder="binh-lu",
            )
        )
        session.add(
            Alert(
                id="al",
                cause="c",
                code="frost",
                level="alarm",
                cooperative="binh-lu",
                values={"v": 1},
                raised_at=NOW,
            )
        )
        session.flush()
        session.add(AlertEvent(alert="al", at=NOW, what="raised", body={}))
    place.close()


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in an order of its own; JSON decoded."""
    found = {}
    tables = MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        if table.name == "alembic_version":
            continue
        rows = [
            {
                str(name): json.dumps(value) if isinstance(value, dict | list) else value
                for name, value in row.items()
            }
            for row in connection.execute(select(table)).mappings()
        ]
        found[table.name] = sorted(rows, key=lambda row: str(sorted(row.items())))
    return found


def kept(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> None:
    """What is in both has stayed the same, whatever columns have come or gone."""
    for table in before.keys() & after.keys():
        assert len(before[table]) == len(after[table]), table
        if not before[table]:
            continue
        columns = before[table][0].keys() & after[table][0].keys()
        sides = [
            sorted(str(sorted((c, row[c]) for c in columns)) for row in rows)
            for rows in (before[table], after[table])
        ]
        assert sides[0] == sides[1], table


def moved(
    settings: Settings, down_to: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Go down to a revision and up again; the contents before, there, and after."""
    records = Records.of(settings)
    try:
        with records.engine.connect() as connection:
            connection.execution_options(**records.write_options())
            before = contents(connection)
            command.downgrade(migrations._config(connection), down_to)
            there = contents(connection)
            command.upgrade(migrations._config(connection), "heads")
            after = contents(connection)
            connection.commit()
        return before, there, after
    finally:
        records.close()


def test_the_ground_stays_when_all_rooms_go_and_come_back(settings: Settings) -> None:
    fill(settings)
    before, there, after = moved(settings, "ground_1")
    assert set(there) >= {"cooperative", "person", "event", "event_subject", "api_token"}
    assert not {"gateway", "lot", "alert", "audit"} & set(there)
    for table in ("cooperative", "person", "event", "event_subject", "api_token", "log_in"):
        assert before[table], table
    kept({name: before[name] for name in there if name in before}, there)
    kept(there, {name: after[name] for name in there if name in after})
    assert set(after) == set(before)
    assert after["gateway"] == after["lot"] == after["audit"] == []
    place = Place(settings, _app(settings))  # everybody comes in as before
    assert place.client("farmer").get("/greenhouses").status_code == 200
    with place.records.transaction() as session:
        last = max(row["number"] for row in before["event"])
        more = events.append(
            session, id="e-2", type="t", at=1, actor="x", cooperative=None, body={}
        )
        assert more.number == last + 1  # a number is never given twice
    for table in ("event", "event_subject"):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            place.records.transaction() as session,
        ):
            session.execute(text(f"DELETE FROM {table}"))
    with place.records.transaction() as session:
        audit.note(session, "stop", person="x", cooperative="binh-lu")
        assert people.find_person(session, "farmer") is not None
    with (
        pytest.raises(IntegrityError, match="append-only"),
        place.records.transaction() as session,
    ):
        session.execute(text("DELETE FROM audit"))
    place.close()


def _app(settings: Settings) -> Any:
    from nongso.platform.app import create_app

    return create_app(settings)


def test_wishes_and_runs_stay_when_their_last_revision_goes_and_comes_back(
    settings: Settings,
) -> None:
    fill(settings)
    before, there, after = moved(settings, "greenhouse_1")
    assert before["command"]
    assert before["run"][0]["litres"] is None
    assert there["run"][0]["litres"] == 0  # the older version knows no unknown litres
    assert "number" not in there["command"][0]
    numbers = [row["number"] for row in after["command"]]
    assert numbers == [row["created_at"] * 1000 for row in before["command"]]
    for table in ("gateway", "greenhouse", "zone", "node", "alarm", "person", "event"):
        kept({table: before[table]}, {table: after[table]})
    records = Records.of(settings)
    with records.transaction() as session:
        run = session.get_one(Run, "r-1")
        assert run.started_at == NOW
        run.litres = None  # may be unknown again
    records.close()
    assert migrations.upgrade(settings)


def test_lots_stay_when_their_last_revision_goes_and_comes_back(settings: Settings) -> None:
    fill(settings)
    before, there, after = moved(settings, "traceability_1")
    kept(before, there)
    assert after["lot"] == before["lot"]
    assert after["lot"][0]["made_grams"] == 5_000_000_000
    records = Records.of(settings)
    with records.session() as session:
        assert session.get_one(Lot, "K7M4").demonstration is False
    records.close()


def test_everything_goes_and_comes_back(settings: Settings) -> None:
    fill(settings)
    _before, there, after = moved(settings, "base")
    assert there == {}
    assert all(rows == [] for rows in after.values())
    records = Records.of(settings)
    with records.transaction() as session:
        session.add(Cooperative(slug="binh-lu", name="HTX"))
        session.flush()
        first = events.append(
            session, id="e", type="t", at=int(time.time()), actor="x", cooperative=None, body={}
        )
        assert first.number == 1
    records.close()
    open_place_again(settings)


def open_place_again(settings: Settings) -> None:
    app = _app(settings)
    assert app.test_client().get("/healthz").status_code == 200
    app.extensions["nongso.records"].close()
    app.extensions["nongso.telemetry"].close()
