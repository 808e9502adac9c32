"""The ports of one start: the platform's is the user's choice, the others are whatever is free."""

import errno
import socket
from dataclasses import dataclass

from nongso.commands.errors import CommandError

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Ports:
    """The ports of one start; all but the platform's are open on the loopback only."""

    platform: int
    broker: int
    modbus: int
    chips: int
    status: int


def free_ports(platform: int, host: str) -> Ports:
    """Choose free loopback ports. Raises ``CommandError`` if the platform's cannot be had."""
    _check(platform, host)
    sockets = [socket.socket() for _ in range(4)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        broker, modbus, chips, status = (int(s.getsockname()[1]) for s in sockets)
    finally:
        for s in sockets:
            s.close()
    return Ports(platform, broker, modbus, chips, status)


def _check(port: int, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError) as e:
        raise CommandError(_why(port, host, e)) from e


def _why(port: int, host: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror | UnicodeError) or number in (
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EINVAL,
    ):
        return (
            f"{host!r} is no address of this machine ({getattr(error, 'strerror', error)}). Give "
            "--host 127.0.0.1 for this machine only, or --host 0.0.0.0 for its whole network."
        )
    if number == errno.EACCES:
        return (
            f"Port {port} cannot be used (this user may not open ports below 1024). "
            "Choose another with --port."
        )
    return (
        f"Port {port} cannot be used ({getattr(error, 'strerror', error)}). "
        "End the program that uses it, or choose another with --port."
    )


def inner_url(host: str, port: int) -> str:
    """The address under which this machine itself reaches the platform."""
    at = _EVERYWHERE.get(host, host)
    return f"http://[{at}]:{port}" if ":" in at else f"http://{at}:{port}"
