"""File rights that hold for root too: the kernel's exemption of root is put down for a while."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

_VERSION = 0x20080522
_EXEMPTIONS = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


def _call(what: str, data: object) -> None:
    if getattr(_libc, what)(ctypes.byref(_Header(_VERSION, 0)), data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@pytest.fixture
def rights_hold() -> Callable[[], AbstractContextManager[None]]:
    """Give what lets this thread be stopped by a file's rights."""
    return _file_rights_hold


@contextmanager
def _file_rights_hold() -> Iterator[None]:
    """Let this thread, and what it starts, be stopped by a file's rights as anybody is."""
    data = (_Data * 2)()
    _call("capget", data)
    before = data[0].effective
    data[0].effective = before & ~_EXEMPTIONS
    _call("capset", data)
    try:
        yield
    finally:
        data[0].effective = before
        _call("capset", data)
