"""Two layers under SQLite, through which a ``Disk`` sees every write, sync and deletion.

``under_apsw`` stands under the gateway's SQLite, ``under_python`` under that of Python's own
``sqlite3``, which the platform uses: a copy of the system's VFS whose calls go through here, made
with ctypes, so that neither rights nor a mount are needed. Both are the default while they last
and touch only files in the disk's folder.
"""

import ctypes
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from torn_disk import Disk, Refused

_IO_ERROR, _FULL = 10, 13
_CODES = {"full": _FULL, "broken": _IO_ERROR}


# under apsw


@contextmanager
def under_apsw(disk: Disk) -> Iterator[None]:
    """Put the disk under every connection that apsw opens."""
    layer = _Layer(disk)
    try:
        yield
    finally:
        layer.unregister()


def _may(disk: Disk) -> None:
    try:
        disk.may()
    except Refused as refused:
        error = apsw.FullError if refused.why == "full" else apsw.IOError
        raise error(f"the disk is {refused.why}") from None


class _Layer(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("faults", "unix", makedefault=True)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        if self._disk.is_here(filename):
            _may(self._disk)
            self._disk.deleted(Path(filename).name, syncdir)
        super().xDelete(filename, syncdir)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        if name is None or not self._disk.is_here(path):
            found: apsw.VFSFile = super().xOpen(name, flags)
            return found
        return _LayerFile(self._disk, name, Path(path), flags)


class _LayerFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, path: Path, flags: list[int]) -> None:
        if not path.exists():
            _may(disk)
        super().__init__("unix", name, flags)
        self._disk, self._name = disk, path.name
        disk.opened(path.name)

    def xWrite(self, data: bytes, offset: int) -> None:
        _may(self._disk)
        self._disk.written(self._name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        _may(self._disk)
        self._disk.written(self._name, newsize, None)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        _may(self._disk)
        self._disk.synced(self._name)
        super().xSync(flags)


# under Python's sqlite3: the two tables of functions of https://sqlite.org/c3ref/vfs.html and
# https://sqlite.org/c3ref/io_methods.html, as far as calls are caught

_int, _long, _void = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(_int, _void, _void, _void, _int, _void)  # the file keeps the name's place
_DELETE = ctypes.CFUNCTYPE(_int, _void, ctypes.c_char_p, _int)
_CLOSE = ctypes.CFUNCTYPE(_int, _void)
_WRITE = ctypes.CFUNCTYPE(_int, _void, _void, _int, _long)
_TRUNCATE = ctypes.CFUNCTYPE(_int, _void, _long)
_SYNC = ctypes.CFUNCTYPE(_int, _void, _int)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", _int),
        ("file_bytes", _int),
        ("longest_path", _int),
        ("next", _void),
        ("name", ctypes.c_char_p),
        ("data", _void),
        ("open", _OPEN),
        ("delete", _DELETE),
        ("rest", _void * 14),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", _int),
        ("close", _CLOSE),
        ("read", _void),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        ("rest", _void * 13),
    )


class _File(ctypes.Structure):
    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


def _library() -> ctypes.CDLL:
    """Find the SQLite that Python's ``sqlite3`` uses."""
    sqlite3.connect(":memory:").close()
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = re.search(r"(/\S*libsqlite3\.so\S*)$", line)
        if found is not None:
            return ctypes.CDLL(found[1])
    pytest.skip("this Python has SQLite built in, no layer can be put under it")


@contextmanager
def under_python(disk: Disk) -> Iterator[None]:
    """Put the disk under every connection that Python's ``sqlite3`` opens."""
    library = _library()
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    system = library.sqlite3_vfs_find(None)
    layer = _Beneath(disk, system)
    made = _Vfs.from_buffer_copy(system.contents)
    made.name, made.next = b"faults", None
    made.open, made.delete = layer.open, layer.delete
    assert library.sqlite3_vfs_register(ctypes.byref(made), 1) == 0
    try:
        yield
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(made))
        library.sqlite3_vfs_register(system, 1)
        _KEPT.append((made, layer))  # a connection that was left open still calls them


_KEPT: list[Any] = []


class _Beneath:
    """Catches the calls; exceptions cannot fly through SQLite, so each becomes a code."""

    def __init__(self, disk: Disk, system: Any) -> None:
        self._disk = disk
        self._system = system
        self._open_files: dict[int, str] = {}  # by address: the file's name
        self._ours: dict[int, tuple[Any, _Methods]] = {}
        self.open = _OPEN(self._open)
        self.delete = _DELETE(self._delete)

    def _refusal(self) -> int:
        try:
            self._disk.may()
        except Refused as refused:
            return _CODES[refused.why]
        return 0

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        is_here = bool(path) and self._disk.is_here(path)
        if is_here and not Path(path).exists():
            code = self._refusal()
            if code:
                ctypes.memset(file, 0, ctypes.sizeof(_File))  # no methods: it is not open
                return 14  # it cannot be opened
        code = self._system.contents.open(ctypes.cast(self._system, _void), name, file, flags, out)
        if code == 0 and is_here:
            self._open_files[file] = Path(path).name
            self._disk.opened(Path(path).name)
            opened = _File.from_address(file)
            opened.methods = ctypes.pointer(self._methods(opened.methods))
        return int(code)

    def _delete(self, vfs: int, name: bytes, syncs: int) -> int:
        path = name.decode()
        if self._disk.is_here(path) and Path(path).exists():
            code = self._refusal()
            if code:
                return code
            self._disk.deleted(Path(path).name, bool(syncs))
        return int(self._system.contents.delete(ctypes.cast(self._system, _void), name, syncs))

    def _methods(self, real: Any) -> _Methods:
        """Return the caught methods that stand for the system's."""
        address = ctypes.addressof(real.contents)
        if address not in self._ours:
            kept = real.contents
            made = _Methods.from_buffer_copy(kept)

            def write(file: int, data: int, size: int, offset: int) -> int:
                code = self._refusal()
                if code:
                    return code
                piece = ctypes.string_at(data, size)
                self._disk.written(self._open_files[file], offset, piece)
                return int(kept.write(file, data, size, offset))

            def truncate(file: int, size: int) -> int:
                code = self._refusal()
                if code:
                    return code
                self._disk.written(self._open_files[file], size, None)
                return int(kept.truncate(file, size))

            def sync(file: int, flags: int) -> int:
                code = self._refusal()
                if code:
                    return code
                self._disk.synced(self._open_files[file])
                return int(kept.sync(file, flags))

            def close(file: int) -> int:
                self._open_files.pop(file, None)
                return int(kept.close(file))

            made.write, made.truncate = _WRITE(write), _TRUNCATE(truncate)
            made.sync, made.close = _SYNC(sync), _CLOSE(close)
            self._ours[address] = (kept, made)
        return self._ours[address][1]
