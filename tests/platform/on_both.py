"""Which tests have their records in SQLite, in PostgreSQL, or in both in turn.

``RECORDS=postgresql`` puts all of them into PostgreSQL, except those about SQLite's own file. In
the usual run those named here, which stand for what databases do differently, run on both.
"""

import os
from collections.abc import Iterator

import pytest
from postgresql_server import Server, programs, running

DATABASE = os.environ.get("RECORDS", "sqlite")
assert DATABASE in ("sqlite", "postgresql"), "RECORDS is sqlite or postgresql"

ON_BOTH: dict[str, str | set[str]] = {
    "test_ground.py": "*",
    "test_ingest.py": "*",
    "test_wish_order.py": "*",
    "test_guessing.py": {"test_a_hundred_guesses_at_the_same_moment_are_counted_as_a_hundred"},
    "test_watering.py": {
        "test_the_same_wish_at_once_from_many_phones_is_one",
        "test_an_unanswered_command_is_offered_again_but_not_at_once",
    },
    "test_alert_watch.py": {
        "test_of_two_processes_one_does_the_work_and_the_other_takes_over",
        "test_a_lease_of_a_clock_that_ran_ahead_does_not_silence_everything",
    },
    "test_alert_pages.py": {
        "test_alerts_of_before_name_people_by_their_ids_and_find_the_way_back"
    },
    "test_alert_ways.py": {"test_a_message_is_sent_once"},
    "test_diary.py": {"test_the_same_line_sent_twice_is_one_line"},
    "test_members.py": {
        "test_a_code_works_once",
        "test_a_person_who_leaves_is_nowhere_but_the_deeds_stay",
    },
    "test_hostile_batches.py": {
        "test_a_row_that_only_the_database_refuses_is_set_aside",
        "test_no_row_whatever_it_holds_loses_a_good_one",
    },
    "test_overview.py": "*",
    "test_seals.py": {
        "test_secrets_of_before_are_sealed_by_the_upgrade_and_open_again_by_the_way_back",
        "test_without_its_key_nothing_is_upgraded_down_and_nothing_lost",
    },
    "test_two_servers.py": "*",
    "test_moving_data.py": "*",
    "test_lots.py": {
        "test_a_form_sent_twice_is_one_lot",
        "test_clerks_who_pack_the_same_noodles_at_once_never_exceed_them",
    },
    "test_keeping.py": {
        "test_workers_that_write_at_once_make_one_log",
        "test_what_is_taken_back_leaves_no_entry",
        "test_the_database_refuses_to_change_an_entry",
    },
    "test_lotproof.py": {"test_a_proof_convinces_and_says_what_it_does_not_prove"},
    "test_labelling.py": {"test_clerks_who_print_at_once_never_exceed_the_packs"},
    "test_making_migration.py": "*",
    "test_making.py": {"test_64_clerks_at_four_servers_who_pack_the_same_lot_never_exceed_it"},
    "test_epcis_capture.py": {
        "test_the_same_events_again_are_the_same_events",
        "test_what_was_sent_cannot_be_changed_in_the_database",
        "test_the_index_is_made_again_from_the_stream",
        "test_a_field_with_an_endless_name_is_kept_and_not_asked_for",
        "test_what_leads_to_more_ways_than_are_kept_is_refused_and_none_is_left_out",
    },
    "test_epcis_queries.py": {
        "test_each_parameter_finds_what_it_names",
        "test_a_page_leads_to_the_next_until_the_end",
    },
    "test_moving.py": {
        "test_64_clerks_who_send_the_same_packs_at_once_never_exceed_them",
        "test_goods_come_back_are_sold_and_destroyed",
    },
    "test_recall.py": {"test_what_comes_back_counts_for_the_recall"},
    "test_trace.py": {
        "test_the_way_goes_on_in_our_carton_and_in_a_buyers_kitchen",
        "test_many_lots_are_traced_with_few_queries",
    },
    "test_withdrawal.py": {"test_a_lot_is_either_used_or_withdrawn_however_many_press_at_once"},
}
ABOUT_SQLITE = {
    "test_after_a_backup_was_put_back_no_number_on_paper_is_given_again",  # a backup is a file
    "test_accounts_are_made_once_and_lost_ones_can_be_had_anew",  # looks into the file's bytes
    "test_the_database_is_opened_as_promised",
    "test_wishes_from_before_the_upgrade_are_numbered_by_their_age",  # writes rows of SQLite's
}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL of our own."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed: nongso[postgres]")
    with running() as server:
        yield server


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Which database the records of a test are in."""
    return str(getattr(request, "param", DATABASE))


@pytest.fixture
def records(database: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The setting ``records`` of a test; in PostgreSQL a migrated database of its own."""
    if database == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgresql")
    name = server.copy()
    yield server.url(name)
    server.drop(name)


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
