"""What strangers may be told of older events is worked out, and goes with a downgrade."""

from alembic import command
from cooperative import Farm
from sqlalchemy import select, text

from nongso.platform import migrations
from nongso.platform.migrations import _config
from nongso.platform.traceability.epcis import finding, indexing
from nongso.platform.traceability.epcis.records import EPC_NAMES, Indexed, PublicName


def told(farm: Farm) -> tuple[set[int], set[tuple[str, str]]]:
    with farm.records.session() as session:
        public = session.scalars(select(Indexed.number).where(Indexed.is_public))
        names = session.execute(select(PublicName.thing, PublicName.value))
        return set(public), {(row.thing, row.value) for row in names}


def upgraded(farm: Farm) -> None:
    """Bring the records up as ``nongso platform upgrade`` does."""
    migrations.upgrade(farm.settings)
    indexing.catch_up(farm.records)


def test_events_from_before_are_public_as_if_they_came_today(farm: Farm) -> None:
    packs, roots = farm.packed(20), farm.crop("Rau cải")
    before = told(farm)
    with farm.records.engine.begin() as connection:  # as an upgrade does it, in one go
        command.downgrade(_config(connection), "epcis_1")
        columns = connection.execute(text("SELECT * FROM epcis_event")).keys()
        assert "is_public" not in columns
    upgraded(farm)
    assert told(farm) == before
    with farm.records.session() as session:
        names = finding.public_names(session, EPC_NAMES, "", 100)
    assert any(name.endswith(packs.code) for name in names)
    assert not any(name.endswith(roots.code) for name in names)


def test_pages_of_names_go_on_behind_the_last_one(farm: Farm) -> None:
    for _ in range(2):
        farm.packed(5)
    with farm.records.session() as session:
        whole = finding.public_names(session, EPC_NAMES, "", 100)
        one_by_one, after = [], ""
        while page := finding.public_names(session, EPC_NAMES, after, 1):
            one_by_one += page
            after = page[-1]
    assert one_by_one == whole
    assert len(whole) == len(set(whole)) > 2
