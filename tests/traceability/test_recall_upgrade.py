"""The tables of moving and recalling come and go although there is something in them."""

from alembic import command
from cooperative import TODAY, Farm
from selling import agree, cartons, holder, ship
from sqlalchemy import inspect

from nongso.platform import migrations
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.recall import recalling as recall
from nongso.platform.traceability.recall.reach import Origin
from nongso.platform.traceability.testing import laboratory as testing
from nongso.platform.traceability.testing.correcting import Correction, correct


def test_the_tables_go_and_come_back_with_data(farm: Farm) -> None:
    lot = farm.packed(20).code
    (box,) = cartons(farm, lot, 5)
    ship(farm, holder(farm), Amount(lot, 2), cartons=(box,))
    found = testing.Result(lot, "P", "1", "Chì", "1", "", "", conformant=False, day=TODAY)
    test = farm.do(testing.record, found)
    farm.do(correct, Correction(test.id, "lô khác", None))
    farm.do(recall.begin, recall.Call(Origin("lot", lot), "mốc", "gọi", "destroy"))
    agree(farm)
    with farm.records.engine.connect() as connection:
        connection.execution_options(**farm.records.write_options())
        config = migrations._config(connection)
        command.downgrade(config, "recall_1-1")
        connection.commit()
        assert "carton" not in inspect(connection).get_table_names()
        command.upgrade(config, "heads")
        connection.commit()
        assert "carton" in inspect(connection).get_table_names()
    assert farm.lot(lot).packs == 20, "lots are untouched"
