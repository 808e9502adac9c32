"""What holds for all tests: no clock on an example, an end to each wait, platforms quickly made.

No test depends on how busy the machine is: Hypothesis sets no clock on an example anywhere. But a
test that waits for what never comes fails in its place, and the others go on.

More than a thousand tests make a platform of their own. What would come out the same each time
is made once: templates are compiled, addresses turned into code, and passwords hashed cheaply.
"""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from nongso.platform import people

settings.register_profile("nongso", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nongso")

TESTS = Path(__file__).parent

# Begun first, so that the workers end together.
LONG = (
    "browser/test_every_page.py",
    "browser/test_without_network.py",
    "browser/test_a_day_on_the_farm.py",
    "platform/test_hostile_forms.py",
    "platform/test_hostile_queries.py",
    "walks/test_alerts.py",
    "walks/test_damaged_house.py",
    "walks/test_from_harvest_to_shopper.py",
    "walks/test_killed_on_the_way.py",
    "walks/test_life_of_a_house.py",
    "walks/test_new_zone.py",
    "walks/test_two_platforms.py",
    "walks/test_whole_way.py",
    "valves/test_supervisor_process.py",
)
# Fixtures that open a whole platform with its pages, a browser, or a farm's processes.
WHOLE = {"place", "site", "browser", "server", "module_server", "house"}
# Files that are not among the quick ones either: they start processes, or do much in one test.
SLOW = (
    *LONG,
    "browser/test_cut_forms.py",
    "commands/test_damaged_folder.py",
    "farm/test_bus.py",
    "farm/test_water.py",
    "firmware/test_node_process.py",
    "firmware/test_power_cuts.py",
    "firmware/test_station.py",
    "firmware/test_tls.py",
    "firmware/test_updates.py",
    "gateway/test_mutilated_store.py",
    "gateway/test_new_stations.py",
    "gateway/test_new_version.py",
    "gateway/test_process.py",
    "gateway/test_uplink.py",
    "labels/test_symbols.py",
    "labels/test_worn_prints.py",
    "platform/test_alert_deciding.py",
    "platform/test_damaged_records.py",
    "platform/test_full_disk.py",
    "platform/test_languages.py",
    "platform/test_local.py",
    "platform/test_matrix.py",
    "platform/test_moving_data.py",
    "platform/test_page_rules.py",
    "platform/test_sealed_days.py",
    "platform/test_seals.py",
    "platform/test_selfcheck.py",
    "platform/test_server.py",
    "platform/test_serving.py",
    "platform/test_slip.py",
    "platform/test_telemetry_damage.py",
    "traceability/test_all_steps.py",
    "traceability/test_making.py",
    "valves/test_cabinet_process.py",
    "valves/test_cut_runs.py",
    "valves/test_killed_between_steps.py",
    "valves/test_polite_ends.py",
    "valves/test_stop_order.py",
)
# Thousands of small transactions wait for a disk; in memory, where there is plenty, they do not.
MEMORY, PLENTY = Path("/dev/shm"), 4 * 2**30


# Before faulthandler's limit (pyproject.toml), which ends the process and all its other tests.
LONGEST_SECONDS, LONGEST_CLEARING_SECONDS = 540, 20


class WaitedInVain(BaseException):
    """A test waits for something that does not come; nothing is to catch this and go on."""


def stop_waiting(*_: object) -> None:
    signal.alarm(LONGEST_CLEARING_SECONDS)  # what clears up may wait for the same
    raise WaitedInVain("this test waits for something that does not come")


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGALRM, stop_waiting)
    named = config.option.basetemp or os.environ.get("PYTEST_DEBUG_TEMPROOT")
    if not named and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= PLENTY:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {TESTS / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))
    slow = {TESTS / name for name in SLOW}
    for item in items:
        if item.path in slow or is_whole(item):
            item.add_marker(pytest.mark.slow)


def is_whole(item: pytest.Item) -> bool:
    """Say whether a test opens a whole platform with its pages, or a server beside it."""
    fixtures = set(getattr(item, "fixturenames", ()))
    in_postgresql = "[postgresql" in item.name or "postgresql" in fixtures
    return in_postgresql or not fixtures.isdisjoint(WHOLE)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    signal.alarm(LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    with limited():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    with limited():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    with limited():
        return (yield)


class CompiledTemplates(BytecodeCache):
    """Templates that some application of this process has compiled before."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


def written_once(write: Callable[[Rule, bool], Any]) -> Callable[[Rule, bool], Any]:
    """Let rules of the same words share the code that writes their addresses."""
    known: dict[tuple[object, ...], Any] = {}

    def written(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return write(rule, append_unknown)
        words = (rule.rule, tuple(rule._trace), append_unknown)
        if words not in known:
            known[words] = write(rule, append_unknown)
        return known[words]

    return written


@pytest.fixture(scope="session", autouse=True)
def quickly_made_platforms() -> Iterator[None]:
    """The same Flask and the same argon2id, with a small cost: the tests log in often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_hasher", people.PasswordHasher(1, 64, 1))
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": CompiledTemplates()})
        patch.setattr(Rule, "_compile_builder", written_once(Rule._compile_builder))
        yield
