"""libmodbus, a Modbus stack that is not ours, through ctypes: a server and a client.

Debian's package ``libmodbus5`` (``mbpoll`` brings it). ``load`` gives ``None`` without it.
"""

import ctypes
import ctypes.util
import errno
import os
import select
import socket
import threading
import tty
from types import TracebackType
from typing import Any

LONGEST = 260
_BAUD = 19200


class _Mapping(ctypes.Structure):
    """``modbus_mapping_t`` of libmodbus 3.1."""

    _fields_ = (
        *((f"numbers{n}", ctypes.c_int) for n in range(8)),
        ("bits", ctypes.POINTER(ctypes.c_uint8)),
        ("input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("registers", ctypes.POINTER(ctypes.c_uint16)),
    )


def load() -> Any:
    """Return the library, or ``None``."""
    name = ctypes.util.find_library("modbus")
    if name is None:
        return None
    library = ctypes.CDLL(name, use_errno=True)
    library.modbus_new_tcp.restype = ctypes.c_void_p
    library.modbus_new_rtu.restype = ctypes.c_void_p
    library.modbus_mapping_new_start_address.restype = ctypes.POINTER(_Mapping)
    library.modbus_strerror.restype = ctypes.c_char_p
    return library


def _timed(library: Any, context: Any) -> None:
    """Wait no longer than this for a question or an answer, so that threads can end."""
    library.modbus_set_indication_timeout(context, ctypes.c_uint32(0), ctypes.c_uint32(200_000))
    library.modbus_set_response_timeout(context, ctypes.c_uint32(1), ctypes.c_uint32(0))


class Server:
    """A device of 16 coils, 16 inputs, and words from ``first`` on; over TCP or ``serial``."""

    def __init__(self, library: Any, first: int = 0, words: int = 64, serial: str = "") -> None:
        self._library, self._ending = library, False
        self.map = library.modbus_mapping_new_start_address(
            *(first, 16, 0, 16, first, words, first, words)
        ).contents
        if serial:
            self._context = ctypes.c_void_p(
                library.modbus_new_rtu(serial.encode(), _BAUD, ctypes.c_char(b"N"), 8, 1)
            )
            library.modbus_set_slave(self._context, 1)
            assert library.modbus_connect(self._context) == 0, "libmodbus cannot open the line"
        else:
            self._context = ctypes.c_void_p(library.modbus_new_tcp(b"127.0.0.1", 0))
            self._listener = ctypes.c_int(library.modbus_tcp_listen(self._context, 1))
            with socket.socket(fileno=os.dup(self._listener.value)) as listener:
                self.port = int(listener.getsockname()[1])
        _timed(library, self._context)
        self._thread = threading.Thread(target=self.serve, args=(bool(serial),), daemon=True)
        self._thread.start()

    def serve(self, is_serial: bool) -> None:
        """Answer until the end."""
        buffer = (ctypes.c_uint8 * LONGEST)()
        while not self._ending:
            if not is_serial:
                if not select.select([self._listener.value], [], [], 0.1)[0]:
                    continue
                self._library.modbus_tcp_accept(self._context, ctypes.byref(self._listener))
            while not self._ending:
                length = self._library.modbus_receive(self._context, buffer)
                if length > 0:
                    self._library.modbus_reply(
                        self._context, buffer, length, ctypes.byref(self.map)
                    )
                elif length < 0 and ctypes.get_errno() != errno.ETIMEDOUT and not is_serial:
                    self._library.modbus_close(self._context)
                    break

    def close(self) -> None:
        self._ending = True
        self._thread.join(5.0)
        self._library.modbus_close(self._context)


class Client:
    """Asks a Modbus TCP server; an exception is an ``OSError`` with libmodbus' words."""

    def __init__(self, library: Any, port: int, unit: int) -> None:
        self._library = library
        self._context = ctypes.c_void_p(library.modbus_new_tcp(b"127.0.0.1", port))
        library.modbus_set_slave(self._context, unit)
        _timed(library, self._context)
        self._answered(library.modbus_connect(self._context))

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._library.modbus_close(self._context)
        self._library.modbus_free(self._context)

    def _answered(self, status: int) -> None:
        if status < 0:
            number = ctypes.get_errno()
            raise OSError(number, self._library.modbus_strerror(number).decode())

    def bits(self, address: int, count: int) -> list[int]:
        found = (ctypes.c_uint8 * count)()
        self._answered(self._library.modbus_read_bits(self._context, address, count, found))
        return list(found)

    def write_bit(self, address: int, on: bool) -> None:
        self._answered(self._library.modbus_write_bit(self._context, address, int(on)))

    def registers(self, address: int, count: int, inputs: bool = False) -> list[int]:
        found = (ctypes.c_uint16 * count)()
        read = "modbus_read_input_registers" if inputs else "modbus_read_registers"
        self._answered(getattr(self._library, read)(self._context, address, count, found))
        return list(found)


class Cable:
    """Two pseudo-terminals joined, as a serial cable joins two machines; ``ends`` are their names.

    With ``port`` set, one end is a converter instead: a TCP port that carries the line's bytes.
    """

    def __init__(self, converter: bool = False) -> None:
        self._open: list[int] = []
        self._woken, self._wake = os.pipe()
        left = self._terminal()
        self.port = 0
        if converter:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = int(self._listener.getsockname()[1])
            self._thread = threading.Thread(target=self._convert, args=(left,), daemon=True)
        else:
            right = self._terminal()
            self._thread = threading.Thread(target=self._join, args=(left, right), daemon=True)
        self._thread.start()

    @property
    def ends(self) -> list[str]:
        return [os.ttyname(near) for near in self._open[1::2]]

    def _terminal(self) -> int:
        far, near = os.openpty()
        tty.setraw(near)
        self._open += [far, near]
        return far

    def _convert(self, line: int) -> None:
        while self._woken not in select.select([self._listener, self._woken], [], [])[0]:
            end, _ = self._listener.accept()
            with end:
                self._join(line, end.fileno())

    def _join(self, left: int, right: int) -> None:
        while True:
            ready = select.select([left, right, self._woken], [], [])[0]
            if self._woken in ready:
                return
            for source, sink in ((left, right), (right, left)):
                if source in ready:
                    heard = os.read(source, 300)
                    if not heard:
                        return
                    os.write(sink, heard)

    def close(self) -> None:
        os.write(self._wake, b"x")
        self._thread.join(5.0)
        for end in (*self._open, self._wake, self._woken):
            os.close(end)
        if self.port:
            self._listener.close()
