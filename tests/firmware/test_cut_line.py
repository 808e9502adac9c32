"""A line that never lives for long: each connection ends after so many bytes of the node."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.firmware.conftest import OLD_BOOT, Broker, Gateway, NodeProcess, fill_ring, until

from nongso.gateway.simulated import boards

LIVES = 850  # bytes: hello, topics and the first words take some 450, a sample alone 240

IN_HASTE = """
import nongso.node.uplink as uplink

uplink._FIRST_PAUSE_MS = 20
uplink._LONGEST_PAUSE_MS = 50
with open({main!r}) as file:
    exec(file.read())
"""


class ShortLine:
    """Stands between node and broker."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                node, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connected, args=(node,), daemon=True).start()

    def _connected(self, node: socket.socket) -> None:
        with node, socket.create_connection(("127.0.0.1", self._to), 5) as broker:
            broker.settimeout(None)
            back = threading.Thread(target=self._carry, args=(broker, node, 1 << 30), daemon=True)
            back.start()
            self._carry(node, broker, LIVES)
            back.join(5)

    def _carry(self, one: socket.socket, other: socket.socket, left: int) -> None:
        try:
            while left and (piece := one.recv(min(left, 4096))):
                other.sendall(piece)
                left -= len(piece)
        except OSError:
            pass
        self.cuts += not left
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def short_line(broker: Broker) -> Iterator[ShortLine]:
    made = ShortLine(broker.port)
    yield made
    made.close()


def test_a_line_that_is_cut_all_the_time_still_brings_everything(
    new_node: Callable[..., NodeProcess],
    gateway: Gateway,
    short_line: ShortLine,
    config: dict[str, Any],
    tmp_path: Path,
) -> None:
    way = {**config["broker"], "port": short_line.port}
    node = new_node(broker=way, interval_seconds=3600, samples_in_memory=10)
    fill_ring(node, 30)
    haste = tmp_path / "haste"
    haste.mkdir()
    main = str(boards.firmware_folder() / "main.py")
    (haste / "main.py").write_text(IN_HASTE.format(main=main))
    board, *others = boards.module_paths()
    node.start(paths=[board, haste, *others])
    # Whatever must be said again at each connection must not grow with their number.
    until(lambda: gateway.numbers(OLD_BOOT) == set(range(1, 31)), "the old samples", 20)
    assert short_line.cuts >= 5
    for seq in range(1, 31):
        same = {m for boot, s, m in list(gateway.heard) if (boot, s) == (OLD_BOOT, seq)}
        assert len(same) == 1, "another sample under the same number"
