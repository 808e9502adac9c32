"""A bad day: node and broker are killed at random and acknowledgements get lost."""

import random
from collections.abc import Callable

import pytest
from tests.firmware.conftest import (
    OLD_BOOT,
    Broker,
    Gateway,
    NodeProcess,
    fill_ring,
    in_ring,
    until,
)


@pytest.mark.walk
def test_after_a_bad_day_every_sample_is_at_the_gateway(
    new_node: Callable[..., NodeProcess], gateway: Gateway, broker: Broker
) -> None:
    chance = random.Random(20260101)
    taken: set[tuple[int, int]] = set()
    node = new_node()
    fill_ring(node, 120)
    gateway.acknowledges_message = lambda: chance.random() < 0.5
    node.start()
    for _ in range(8):
        heard = len(gateway.heard)
        until(lambda heard=heard: len(gateway.heard) > heard + 3, "some messages", 30)
        taken |= set(in_ring(node))
        if chance.random() < 0.5:
            broker.kill()
            broker.start()
        else:
            node.kill()
            taken |= set(in_ring(node))
            node.start()
    gateway.acknowledges_message = lambda: True
    until(lambda: in_ring(node) == [], "the ring to be empty", 30)
    assert node.end() == 0
    taken -= set(in_ring(node))
    arrived = {(boot, seq) for boot, seq, _ in gateway.heard}
    assert taken <= arrived
    assert gateway.numbers(OLD_BOOT) == set(range(1, 121))
    for boot in {boot for boot, _ in arrived}:
        numbers = gateway.numbers(boot)
        assert numbers == set(range(1, max(numbers) + 1))
    for key in arrived:
        assert len({m for boot, seq, m in gateway.heard if (boot, seq) == key}) == 1
