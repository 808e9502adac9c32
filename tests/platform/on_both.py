"""Which tests have their records in SQLite, in PostgreSQL, or in both in turn.

``RECORDS=postgresql`` puts all of them into PostgreSQL, except those about SQLite's own file. In
the usual run those named here, which stand for what databases do differently, run on both.
"""

import os

import pytest

DATABASE = os.environ.get("RECORDS", "sqlite")
assert DATABASE in ("sqlite", "postgresql"), "RECORDS is sqlite or postgresql"

ON_BOTH = {
    "test_ground.py": "*",
    "test_ingest.py": "*",
    "test_wish_order.py": "*",
}
ABOUT_SQLITE = {
    "test_the_database_is_opened_as_promised",
    "test_wishes_from_before_the_upgrade_are_numbered_by_their_age",  # writes rows of SQLite's
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a test that stands for many run on both databases."""
    names = ON_BOTH.get(metafunc.definition.path.name, ())
    test = metafunc.function.__name__
    if "database" not in metafunc.fixturenames or DATABASE != "sqlite" or test in ABOUT_SQLITE:
        return
    if names == "*" or test in names:
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what only SQLite's file has."""
    if DATABASE == "sqlite":
        return
    for item in items:
        if getattr(item, "originalname", item.name) in ABOUT_SQLITE:
            item.add_marker(pytest.mark.skip(reason="about SQLite's own file"))
