"""The node fits a small board: 64 KB of heap, compiled from its sources on the board itself."""

from collections.abc import Callable

import pytest
from tests.firmware.conftest import OLD_BOOT, Gateway, NodeProcess, fill_ring, in_ring, until


@pytest.mark.walk
def test_a_node_drains_its_backlog_in_64_kilobytes(
    new_node: Callable[..., NodeProcess], gateway: Gateway
) -> None:
    node = new_node()
    fill_ring(node, 300)
    node.start(heap="64wK")  # a word is twice as long here: stands for 64 KB on a 32-bit board
    until(lambda: gateway.numbers(OLD_BOOT) == set(range(1, 301)), "the backlog")
    until(lambda: len({b for b, _, _ in list(gateway.heard)}) == 2, "a new sample")
    until(lambda: in_ring(node) == [], "all to be forgotten")
    assert node.end() == 0
    assert "memory" not in node.words(), node.words()
