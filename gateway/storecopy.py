"""The gateway's store as one file: copied while the gateway works, and taken up on another disk.

A copy that is put back knows less than the gateway that was lost: which wishes ran after it was
made, who pressed stop, which zone was switched off. So a store that is taken up again gets a new
id (rows and wishes of before are then told apart from those of now, see ``remembering``), and
``TAKEN_UP`` is noted in its small state: at its first start the gateway lets no zone water by
itself until a person has watered it or set its mode.
"""

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw

from nongso.gateway.errors import StoreDamaged
from nongso.gateway.storefile import StoreFile
from nongso.gateway.storeopening import check_store, hold, named

TAKEN_UP = "water.taken_up"  # when the store was put on this machine; empty once it was heeded


def copy_store(path: Path, to: Path) -> None:
    """Copy a store, whether its gateway runs or not, and check the copy.

    Raises ``StoreDamaged`` and ``StoreUnwritable``.
    """
    with named(path):
        if not path.exists():
            raise StoreDamaged(f"{path} is not there")
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as source,
            closing(apsw.Connection(str(to))) as target,
        ):
            source.set_busy_timeout(10_000)
            target.pragma("synchronous", "off")  # it is checked, and read again later
            with target.backup("main", source, "main") as work:
                while not work.done:
                    work.step()
    check_store(to)


def take_up(path: Path, destinations: Sequence[str]) -> None:
    """Make a store that was copied here this gateway's own; where there is none, begin one.

    Raises ``StoreError`` while a gateway runs on it, ``StoreDamaged``, ``StoreUnwritable``.
    """
    if path.exists():
        check_store(path)
    held = hold(path)
    try:
        file = StoreFile(path, destinations=destinations)
        try:
            file.begin()
            file.set_state("store_id", secrets.token_hex(8))
            file.set_state(TAKEN_UP, str(int(time.time())))
            file.commit()
        finally:
            file.close()
    finally:
        if held is not None:
            os.close(held)
