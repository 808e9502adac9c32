"""The columns of making come to lots that were there before, and go again, with all their data."""

from alembic import command
from cooperative import Farm
from sqlalchemy import text

from nongso.platform import migrations
from nongso.platform.migrations import _config
from nongso.platform.traceability import lots


def test_lots_from_before_get_owner_recipe_and_what_went_in(farm: Farm) -> None:
    packs = farm.packed(20)
    farm.crop("Rau cải")
    with farm.records.engine.begin() as connection:  # as an upgrade does it, in one go
        command.downgrade(_config(connection), "traceability_2")
        columns = connection.execute(text("SELECT * FROM lot")).keys()
        assert not {"owner", "holder", "recipe", "packs_gone"} & set(columns)
    migrations.upgrade(farm.settings)
    with farm.records.session() as session:
        assert lots.differences(session) == []
    assert farm.lot(packs.code).packs_left == 20
