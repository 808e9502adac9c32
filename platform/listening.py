"""Where the server listens, and why it cannot where it cannot."""

import errno
import socket
from typing import Any

BACKLOG = 1024
FORWARDED = "nongso.forwarded"  # of a request: a proxy says that it asks for somebody else
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class ListenError(Exception):
    """The server cannot listen there; the text says why and what to change."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Open the port at every address that the host stands for. Raises ``ListenError``.

    ``::`` means all addresses, those of IPv4 too, each over a socket of its own: so an address of
    IPv4 looks the same to everybody who compares it.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            chosen = opened[0].getsockname()[1] if opened and port == 0 else port
            try:
                opened.append(_open(family, address, chosen))
            except OSError as error:
                if error.errno not in _NOT_HERE or not opened:
                    raise _refusal(host, port, error) from error
    except BaseException:
        for one in opened:
            one.close()
        raise
    return opened


def _addresses(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, OverflowError) as error:
        raise ListenError(
            f"Cannot listen on {host!r}: there is no such host name or address ({error}). "
            "Correct host in platform.json: 127.0.0.1 for this machine only, 0.0.0.0 or :: for "
            "its whole network."
        ) from error
    addresses = list(dict.fromkeys((int(family), tuple(at)) for family, _, _, _, at in found))
    if host == "::":
        addresses.append((int(socket.AF_INET), ("0.0.0.0", port)))
    return addresses


def _open(family: int, address: tuple[Any, ...], port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address[0], port, *address[2:]))  # the rest is the scope of IPv6
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def _refusal(host: str, port: int, error: OSError) -> ListenError:
    where = f"Cannot listen on {host} port {port}: {error.strerror or error}."
    if error.errno == errno.EADDRINUSE:
        advice = "Another program uses this port: end it, or choose another port in platform.json."
    elif error.errno in _NOT_HERE:
        advice = "This machine has no such address: correct host in platform.json."
    elif error.errno in (errno.EACCES, errno.EPERM):
        advice = "This user may not open it: choose a port from 1024 in platform.json."
    else:
        advice = "Correct host and port in platform.json."
    return ListenError(f"{where} {advice}")
