"""How all tests run: none depends on how busy the machine is, and the longest begin first."""

import pytest
from hypothesis import HealthCheck, settings

# Hypothesis sets no clock on an example anywhere.
settings.register_profile("nongso", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nongso")

LONG = ("tests/walks/", "tests/browser/")  # they wait for the farm's own time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let whoever runs files side by side begin with those at whose end it would wait alone."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
