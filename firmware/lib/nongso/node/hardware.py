"""What the node expects of a board and of a sensor. For readers and type checkers only.

No board ever loads this file (``typing`` does not exist there).
"""

from collections.abc import Callable
from typing import Any, Protocol


class Sensor(Protocol):
    """One chip. ``start`` and ``read`` are two calls, so that all conversions run together.

    ``series`` are the metrics it measures, in the order in which ``read`` gives whole numbers
    in units of each metric's last decimal (24.50 °C is 2450).
    """

    name: str
    series: tuple[str, ...]

    def start(self) -> int:
        """Start a measurement; return the milliseconds until it can be read.

        Raises ``SensorFault``.
        """

    def read(self) -> tuple[int, ...]:
        """Fetch the measurement. Raises ``SensorFault``: a failed sensor gives no number."""


class Board(Protocol):
    """What the platform branches in ``board.py`` give to the node."""

    simulated: bool
    folder: str

    async def join_network(self) -> None:
        """Return when the network is there. Raises ``OSError``."""

    def unix_seconds(self) -> int | None:
        """Wall clock, or ``None`` while nobody has set it."""

    async def set_clock(self) -> None:
        """Set the wall clock by a time server. Raises ``OSError``."""

    def feed(self) -> None:
        """Tell the watchdog that the node is well."""

    def light(self, is_on: bool) -> None:
        """Switch the board's lamp."""

    def carried(self) -> bytes:
        """What ``carry`` kept through the last sleep; anything after a power cut."""

    def carry(self, found: bytes) -> None:
        """Keep this through the next sleep (``nongso.node.sleep``)."""

    def sleep(self, ms: int) -> None:
        """Sleep deeply, then start anew; on a real board this does not return."""

    async def invite(self, seconds: int, on_turn: Callable[[], object]) -> bool:
        """Open the board's own Wi-Fi and its set-up page for so long after who came last.

        Calls ``on_turn`` all the while. Says whether new settings were saved there. Raises
        ``OSError`` and ``MemoryError``.
        """

    async def wait_for_switch_off(self) -> None:
        """Return when somebody switches the board off; on most boards never."""


class Slots(Protocol):
    """Which version of the program runs, and where another may be written (``slots.py``)."""

    running: str | None
    is_trial: bool

    @property
    def number(self) -> int:
        """Number of the version that runs; 0 where nothing came as an update."""

    @property
    def rolled(self) -> dict[str, Any] | None:
        """The version that was given up last: ``number``, ``version``, ``why``."""

    def version(self, slot: str | None) -> dict[str, Any]:
        """``number`` and ``version`` of what lies in a slot."""

    def place(self, slot: str) -> str:
        """Folder of a slot."""

    def idle(self) -> str:
        """The slot into which a new version is written. Raises ``OSError``."""

    def finish(self, slot: str, number: int, version: str) -> None:
        """Let a slot that is whole be tried at the next start. Raises ``OSError``."""

    def confirm(self) -> None:
        """Keep the version on trial. Raises ``OSError``."""

    def failed(self, why: str, at_once: bool = False) -> None:
        """Note why the version on trial ends."""


class SetUpNetwork(Protocol):
    """The Wi-Fi of a board that is to be set up, and the farm's (``own_wifi.py``)."""

    def number(self) -> str:
        """The board's EUI-64."""

    async def open(self, own_password: str | None) -> tuple[str, int]:
        """Open a Wi-Fi of its own; return where its page listens."""

    def close(self) -> None:
        """Close it again."""

    async def join(self, ssid: str, password: str) -> None:
        """Join the farm's Wi-Fi. Raises ``OSError``."""
