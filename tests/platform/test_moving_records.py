"""The records go from SQLite's file into a real PostgreSQL: all of them, once, or none."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import migrated
import pytest
from office import Place, open_place
from on_both import postgresql  # noqa: F401
from postgresql_server import PASSWORD as DATABASE_PASSWORD
from postgresql_server import Server
from sqlalchemy import MetaData, select, text

from nongso.platform import events, moving_records
from nongso.platform import postgresql as door
from nongso.platform.app import create_app
from nongso.platform.moving_records import MoveError, move
from nongso.platform.settings import Settings
from nongso.platform.store import Records


@pytest.fixture
def filled(tmp_path: Path) -> Settings:
    """A lived-in SQLite file: people, a farm, runs, wishes, alarms, events."""
    settings = Settings(folder=tmp_path / "platform", secret="0123456789abcdef" * 4, port=0)
    settings.folder.mkdir()
    migrated.lay_down(settings)
    place = open_place(settings)
    place.configure()
    run = {"id": "r-1", "zone": "tan-binh-1-k1", "cause": "wished", "state": "done"}
    times = {"ordered_seconds": 60, "started_at": 7_000_000_000, "ended_at": None, "seconds": 0.1}
    alarm = {"id": "a-1", "code": "leak", "raised_at": 1_790_000_000, "values": {"litres": 1.5}}
    place.bring(
        place.row("run", run={**run, **times, "code": "done", "litres": None}),
        place.row("alarm", alarm=alarm),
        place.row("nonsense", what={"\u0300́ 雨": [None, True, 1e-300, "\\N\t\n"]}),
    )
    place.client("clerk")
    with place.records.transaction() as session:
        for number in range(3):
            events.append(
                session,
                id=f"e-{number}",
                type="planted",
                at=number,
                actor="x",
                cooperative="binh-lu",
                body={"crop": "cà chua \\N \t", "n": 2**53, "none": None},
                subjects=["lot:K7M4"],
            )
    place.close()
    return settings


@pytest.fixture
def empty(postgresql: Server) -> str:  # noqa: F811
    return postgresql.url(postgresql.empty())


def contents(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Every row as the program sees it: the file and the database alike."""
    records = Records.of(settings)
    found = {}
    with records.engine.connect() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            rows = [
                {
                    key: json.loads(json.dumps(value)) if isinstance(value, dict | list) else value
                    for key, value in row.items()
                }
                for row in connection.execute(select(table)).mappings()
            ]
            found[table.name] = sorted(rows, key=lambda row: str(sorted(row.items(), key=str)))
    records.close()
    return found


def test_every_row_is_the_same_and_the_file_untouched(filled: Settings, empty: str) -> None:
    before = hashlib.sha256(filled.records_file.read_bytes()).digest()
    said: list[str] = []
    moved = {one.table: one for one in move(filled, empty, said.append)}
    assert hashlib.sha256(filled.records_file.read_bytes()).digest() == before
    there = contents(replace(filled, records=empty))
    here = contents(filled)
    assert there == here
    for table, rows in here.items():
        if table != "alembic_version":
            assert moved[table].before == moved[table].after == len(rows), table
    assert moved["event"].after == 3
    assert moved["person"].after > 5


def test_people_come_in_and_numbers_go_on_where_they_were(filled: Settings, empty: str) -> None:
    with Records.of(filled).transaction() as session:
        last = session.scalar(text("SELECT max(number) FROM event"))
    move(filled, empty, lambda _word: None)
    there = replace(filled, records=empty)
    place = Place(there, create_app(there))
    assert place.client("clerk").get("/people").status_code == 200
    assert place.client("farmer").get("/greenhouses/tan-binh-1").status_code == 200
    with place.records.transaction() as session:
        more = events.append(
            session, id="e-9", type="t", at=1, actor="x", cooperative=None, body={}
        )
        assert more.number == last + 1
    with pytest.raises(Exception, match="append-only"), place.records.transaction() as session:
        session.execute(text("DELETE FROM event"))
    place.close()


def test_a_database_with_anything_in_it_is_refused(
    filled: Settings,
    empty: str,
    postgresql: Server,  # noqa: F811
) -> None:
    name = empty.rpartition("/")[2]
    postgresql.ask("CREATE TABLE somebody_elses (id int)", database=name)
    with pytest.raises(MoveError, match="is not empty: it has a table somebody_elses"):
        move(filled, empty, lambda _word: None)


def test_done_twice_the_second_time_is_refused(filled: Settings, empty: str) -> None:
    move(filled, empty, lambda _word: None)
    with pytest.raises(MoveError, match="is not empty"):
        move(filled, empty, lambda _word: None)


def test_what_breaks_half_way_leaves_the_database_empty_and_it_is_done_again(
    filled: Settings, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = door.copy_rows
    seen: list[str] = []

    def breaks(connection: Any, table: str, *rest: Any) -> None:
        real(connection, table, *rest)
        seen.append(table)
        if table == "person":
            connection.connection.driver_connection.close()

    monkeypatch.setattr(door, "copy_rows", breaks)
    with pytest.raises(Exception, match=r"closed|lost|Nothing has changed"):
        move(filled, empty, lambda _word: None)
    assert len(seen) > 3
    monkeypatch.undo()
    assert len(move(filled, empty, lambda _word: None)) > 20


def test_rows_that_went_missing_are_noticed(
    filled: Settings, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = door.copy_rows

    def loses(connection: Any, table: str, columns: Any, rows: Any) -> None:
        real(connection, table, columns, rows[:-1] if table == "audit" else rows)

    monkeypatch.setattr(door, "copy_rows", loses)
    with pytest.raises(MoveError, match=r"audit has .* rows in the file and would have"):
        move(filled, empty, lambda _word: None)
    monkeypatch.undo()
    assert move(filled, empty, lambda _word: None)


def test_a_text_that_postgresql_cannot_keep_is_named_by_its_table(
    filled: Settings, empty: str
) -> None:
    with Records.of(filled).transaction() as session:
        session.execute(text("UPDATE greenhouse SET farm_name = 'a' || char(0) || 'b'"))
    with pytest.raises(MoveError, match="A row of greenhouse cannot be kept in PostgreSQL"):
        move(filled, empty, lambda _word: None)


def test_while_a_server_runs_nothing_is_moved(filled: Settings, empty: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(MoveError, match="End it first"):
            move(replace(filled, port=port, host="0.0.0.0"), empty, lambda _word: None)


@pytest.mark.parametrize(
    "to", ["", "sqlite:///other.sqlite", "mysql://x/y", "postgresql://user:p@ss/word@host/x"]
)
def test_what_is_no_address_of_postgresql_is_refused(filled: Settings, to: str) -> None:
    with pytest.raises(MoveError):
        move(filled, to, lambda _word: None)


def test_a_long_table_says_how_far_it_is(
    filled: Settings, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving_records, "ROWS_AT_ONCE", 2)
    said: list[str] = []
    move(filled, empty, said.append)
    assert "event: 2 of 3" in said
    assert "event: 3 of 3" in said


def test_the_command_tells_what_it_moved_and_what_to_do_next(
    filled: Settings, empty: str, tmp_path: Path
) -> None:
    file = tmp_path / "platform.json"
    file.write_text(json.dumps({"folder": str(filled.folder), "secret": filled.secret, "port": 0}))
    words = ["platform", "move-records", "--to", "-", "--settings", str(file)]
    done = subprocess.run(
        [sys.executable, "-m", "nongso.commands", *words],
        input=empty + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("NONGSO_")},
    )
    assert done.returncode == 0, done.stderr
    assert "person" in done.stdout
    assert 'put the address as "records"' in done.stdout
    assert DATABASE_PASSWORD not in done.stdout + done.stderr
