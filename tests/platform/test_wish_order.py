"""Which of two wishes was made first is known, also within one second and after an upgrade."""

import json
import time
import uuid

import pytest
from alembic import command as alembic
from office import Place
from sqlalchemy import text
from test_watering import ZONE, wish

from nongso.platform import migrations
from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings
from nongso.platform.store import Records


def bodies(farm: Place) -> list[dict[str, object]]:
    return [json.loads(offered["body"]) for offered in farm.poll()]


def test_wishes_of_one_second_are_offered_in_their_order(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    made = []
    for n in range(12):
        one = wish()
        if n % 4 == 3:
            answer = farm.ask("/api/v1/stop", {"id": one["id"], "zone": "tan-binh-1-k2"})
            made.append(answer.json["commands"][0]["id"])
        else:
            assert farm.ask(ZONE + "/water", one).status_code == 202
            made.append(str(one["id"]))
    offered = bodies(farm)
    assert [c["id"] for c in offered] == made
    numbers = [c["number"] for c in offered]
    assert numbers == sorted(set(numbers))


def test_a_wish_whose_poll_died_comes_not_again_after_a_stop(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, steady = time.time(), time.monotonic
    monkeypatch.setattr(time, "time", lambda: now)
    old, new = wish(), wish()
    farm.ask(ZONE + "/water", old)
    (lost,) = bodies(farm)  # handed to a poll that died
    farm.ask("/api/v1/stop", {})
    farm.ask(ZONE + "/water", new)
    monkeypatch.setattr(time, "monotonic", lambda: steady() + commands.OFFER_AGAIN_SECONDS + 1)
    stop, after = bodies(farm)
    assert (stop["do"], after["id"]) == ("stop", new["id"])
    assert lost["number"] < stop["number"] < after["number"]  # type: ignore[operator]


def test_numbers_grow_when_the_clock_goes_back_and_when_records_were_put_back(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    farm.ask(ZONE + "/water", wish())
    monkeypatch.setattr(time, "time", lambda: real() - 200)
    farm.ask(ZONE + "/water", wish())
    first, second = bodies(farm)
    assert second["number"] == first["number"] + 1  # type: ignore[operator]
    with farm.records.transaction() as session:  # an old backup, an hour later
        session.execute(text("DELETE FROM command"))
    monkeypatch.setattr(time, "time", lambda: real() + 60)
    farm.ask(ZONE + "/water", wish())
    (third,) = bodies(farm)
    assert third["number"] > second["number"]  # type: ignore[operator]


def test_wishes_from_before_the_upgrade_are_numbered_by_their_age(settings: Settings) -> None:
    records = Records.of(settings)
    with records.engine.connect().execution_options(writes=True) as connection:
        alembic.downgrade(migrations._config(connection), "greenhouse_1")
        connection.execute(text("INSERT INTO cooperative VALUES ('c', 'HTX')"))
        for slug in ("g-1", "g-2"):
            connection.execute(
                text(
                    "INSERT INTO gateway (slug, name, cooperative, key, key_hash, simulated,"
                    " registered_at) VALUES (:slug, :slug, 'c', :slug, :slug, 0, 0)"
                ),
                {"slug": slug},
            )
        made = [("g-1", 1000), ("g-2", 1000), ("g-1", 1000), ("g-1", 999), ("g-1", 1001)]
        ids = [str(uuid.uuid4()) for _ in made]
        for command_id, (gateway, created_at) in zip(ids, made, strict=True):
            connection.execute(
                text(
                    "INSERT INTO command (id, gateway, cooperative, do, by, person_id, created_at,"
                    " expires_at, state, 'values') VALUES"
                    " (:id, :gateway, 'c', 'stop', 'x', 'x', :at, 0, 'done', '{}')"
                ),
                {"id": command_id, "gateway": gateway, "at": created_at},
            )
        alembic.upgrade(migrations._config(connection), "heads")
        found = dict(iter(connection.execute(text("SELECT id, number FROM command"))))
        assert [found[i] for i in ids] == [1000_000, 1000_000, 1000_001, 999_000, 1001_000]
        run = "INSERT INTO run VALUES ('r', 'z', 'g-1', 'wished', NULL, 'done', 'stopped', '{}',"
        connection.execute(text(run + " 'wished', '{}', 5, 1, 6, 5.0, NULL)"))
        alembic.downgrade(migrations._config(connection), "greenhouse_1")
        assert connection.execute(text("SELECT count(*) FROM command")).scalar() == len(made)
        assert connection.execute(text("SELECT litres FROM run")).scalar() == 0
        connection.commit()
    records.close()
    assert migrations.upgrade(settings)


def test_an_older_program_finds_reckoned_zones_watered_by_hand(farm: Place) -> None:
    """Its page knows no such ways; the way back must not leave a zone in one of them."""
    for number, (zone, mode) in enumerate(
        (("tan-binh-1-k1", "balance"), ("tan-binh-1-k2", "band"))
    ):
        row = {"id": zone, "state": "idle", "at": 1_790_000_000 + number, "mode": mode}
        assert farm.bring(farm.row("zone", zone=row)).status_code == 200
    with farm.records.engine.connect() as connection:
        connection.execution_options(**farm.records.write_options())
        alembic.downgrade(migrations._config(connection), "greenhouse_3")
        found = dict(connection.execute(text("SELECT id, mode FROM zone")).all())  # type: ignore[arg-type]
        assert found == {"tan-binh-1-k1": "manual", "tan-binh-1-k2": "band"}
        alembic.upgrade(migrations._config(connection), "heads")
        beds = connection.execute(text("SELECT bed, balance FROM zone")).all()
        assert set(beds) == {(None, None)}
        connection.rollback()
