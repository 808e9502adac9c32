"""The supervisor's Unix socket as a file: mode 0600, one supervisor a folder, long paths too.

A socket's address holds 107 bytes; a longer path is reached through its folder's file handle.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nongso.gateway.errors import GatewayError

_LONGEST_ADDRESS = 107


class AlreadySupervised(GatewayError):
    """Another supervisor is master of this bus."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Another valve supervisor is running for {path}. Two masters on one bus would undo"
            " each other's work; stop the other one first."
        )


@contextmanager
def _address(path: Path) -> Iterator[str]:
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def hold(path: Path) -> IO[str]:
    """Become the only supervisor of this socket. Raises ``AlreadySupervised``."""
    lock = open(f"{path}.lock", "w")  # noqa: SIM115  held as long as the process lives
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise AlreadySupervised(path) from None
    return lock


def listen(path: Path) -> socket.socket:
    """Listen where ``hold`` was granted; what a killed supervisor left behind is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _address(path) as address:
            listener.bind(address)
    finally:
        os.umask(mask)
    listener.listen(8)
    listener.setblocking(False)
    return listener


def connect(path: Path, timeout_seconds: float) -> socket.socket:
    """Connect to the supervisor. Raises ``OSError``."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout_seconds)
    try:
        with _address(path) as address:
            client.connect(address)
    except OSError:
        client.close()
        raise
    return client
