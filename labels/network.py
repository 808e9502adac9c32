"""Straight to a printer in the network: raw TCP, port 9100, as label and office printers listen.

How this works. The pages are sent one after the other, each whole; a page counts when the
printer's side has acknowledged its last byte (on Linux; elsewhere when this machine has taken
it over for sending). In between the caller hears how far it is and may say stop. A slow printer
is waited for as long as it takes anything at all within ``STALL_SECONDS``.

What cannot be known: this way has no answers. A printer without paper, with an open lid or
paused takes bytes until its memory is full and then nothing; what it took may be printed later
or never. So "handed over" is all that is said, and an end in the middle names the first label
that was not.
"""

import select
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nongso.labels.errors import BadPrinter, PrinterFailed

PORT = 9100
CONNECT_SECONDS = 10.0
STALL_SECONDS = 60.0
_CHUNK = 16 * 1024
_LOOK_SECONDS = 0.01

if sys.platform == "linux":
    import fcntl
    import termios

CANNOT_KNOW = (
    "The printer does not say over this connection whether it has paper or printed: look at it"
)


@dataclass(frozen=True)
class Address:
    """Where a printer listens."""

    host: str
    port: int = PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"


def address(text: str) -> Address:
    """Read ``HOST``, ``HOST:PORT``, ``[IPv6]`` or ``[IPv6]:PORT``. Raises ``BadPrinter``."""
    wrong = BadPrinter(f"{text!r} is no printer's address, like 192.168.1.50 or printer.lan:9100")
    host, port = text, ""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise wrong
        port = rest[1:]
        if rest == ":":
            raise wrong
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            raise wrong
    if not host or not host.isascii() or not all(c.isalnum() or c in ".-_:%" for c in host):
        raise wrong
    if not port:
        return Address(host)
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise wrong
    return Address(host, int(port))


@dataclass(frozen=True)
class Sent:
    """How many labels were handed over whole, of how many; fewer after a stop."""

    labels: int
    of: int


def _connect(where: Address, of: int) -> socket.socket:
    try:
        return socket.create_connection((where.host, where.port), CONNECT_SECONDS)
    except socket.gaierror as e:
        raise PrinterFailed(
            f"no machine is called {where.host!r} in this network: write the printer's number,"
            " like 192.168.1.50 (it prints it on its settings page)",
            0,
            of,
        ) from e
    except TimeoutError as e:
        raise PrinterFailed(
            f"nothing answers at {where} within {CONNECT_SECONDS:g} s: is the printer on, and in"
            " the same network?",
            0,
            of,
        ) from e
    except ConnectionRefusedError as e:
        raise PrinterFailed(
            f"{where} is there but refuses printing on port {where.port}: another machine has"
            " this address, another computer is printing, or raw printing is switched off",
            0,
            of,
        ) from e
    except OSError as e:
        raise PrinterFailed(f"{where} cannot be reached: {e.strerror or e}", 0, of) from e


def _broken(where: Address, sent: int, of: int, detail: str) -> PrinterFailed:
    return PrinterFailed(
        f"{where} {detail}: {sent} of {of} labels were handed over whole, label {sent + 1} was"
        f" not. {CANNOT_KNOW}, count what it printed, and go on from there",
        sent,
        of,
    )


def send(
    pages: Iterable[tuple[bytes, int]],
    of: int,
    where: Address,
    progress: Callable[[int], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    stall_seconds: float = STALL_SECONDS,
) -> Sent:
    """Hand pages to a printer; each comes with the number of labels done after it.

    ``progress`` hears that number after each page; ``stopped`` is asked before each, and what
    was begun is finished, so that no label is printed half. Raises ``PrinterFailed``.
    """
    sent = 0
    with _connect(where, of) as line:
        line.settimeout(stall_seconds)
        try:
            for content, after in pages:
                if stopped():
                    break
                _hand_over(line, content, stall_seconds)
                sent = after
                progress(sent)
            line.shutdown(socket.SHUT_WR)
        except TimeoutError as e:
            detail = f"has taken nothing for {stall_seconds:g} s (no paper, lid open, paused?)"
            raise _broken(where, sent, of, detail) from e
        except OSError as e:
            raise _broken(where, sent, of, "hung up in the middle") from e
    return Sent(sent, of)


def _hand_over(line: socket.socket, content: bytes, stall_seconds: float) -> None:
    """Send a page and wait until the printer's side has acknowledged all of it."""
    rest = memoryview(content)
    while rest:
        rest = rest[line.send(rest[:_CHUNK]) :]
    waited, left = 0.0, _unacknowledged(line)
    while left:
        if select.select([line], [], [], _LOOK_SECONDS)[0] and not line.recv(1024):
            raise ConnectionResetError
        before, left = left, _unacknowledged(line)
        waited = waited + _LOOK_SECONDS if left == before else 0.0
        if waited > stall_seconds:
            raise TimeoutError


def _unacknowledged(line: socket.socket) -> int:
    """Bytes that lie here because the printer has not taken them; 0 where no one can say."""
    if sys.platform != "linux":
        return 0
    told = fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(told, sys.byteorder)
