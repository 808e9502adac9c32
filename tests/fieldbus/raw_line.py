"""Bus lines that are only a socket or a pair of terminals: they answer what a test tells them."""

import os
import select
import socket
import struct
import threading
import time
import tty
from collections.abc import Callable

from nongso.gateway.devicefile import crc
from nongso.gateway.fieldbus import Bus
from nongso.gateway.settings import Serial

# What to answer to the n-th question (unit, PDU): a list of (seconds to wait, unit, PDU).
Script = Callable[[int, int, bytes], list[tuple[float, int, bytes]]]


def holding(held: dict[tuple[int, int], int]) -> Script:
    """A device with these words by (function, address); it refuses what touches any other."""

    def answer(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        function, address, count = struct.unpack(">BHH", pdu)
        places = [(function, place) for place in range(address, address + count)]
        if any(place not in held for place in places):
            return [(0.0, unit, bytes([function | 0x80, 2]))]
        words = [held[place] for place in places]
        return [(0.0, unit, struct.pack(f">BB{count}H", function, 2 * count, *words))]

    return answer


class Line:
    """Listens on a free port; ``asked`` holds the raw frames that came."""

    def __init__(self, script: Script, framing: str) -> None:
        self.script, self.framing = script, framing
        self.asked: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def bus(self, timeout_seconds: float = 0.15) -> Bus:
        return Bus("127.0.0.1", self.port, self.framing, timeout_seconds)

    def close(self) -> None:
        self._listener.close()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._ends.append(end)
            threading.Thread(target=self._serve, args=(end,), daemon=True).start()

    def _serve(self, end: socket.socket) -> None:
        try:
            while frame := end.recv(300):
                n = len(self.asked)
                self.asked.append(frame)
                unit, pdu = (
                    (frame[6], frame[7:])
                    if self.framing == "tcp"
                    else (
                        frame[0],
                        frame[1:-2],
                    )
                )
                threading.Thread(
                    target=self._answer, args=(end, frame, self.script(n, unit, pdu)), daemon=True
                ).start()
        except OSError:
            return

    def _answer(
        self, end: socket.socket, frame: bytes, answers: list[tuple[float, int, bytes]]
    ) -> None:
        for wait, unit, pdu in answers:
            time.sleep(wait)  # the liar's own slowness; no test waits by sleeping
            try:
                if self.framing == "tcp":
                    # The newest question's number: a late answer pretends to be the next one's.
                    end.sendall(self.asked[-1][:4] + struct.pack(">HB", len(pdu) + 1, unit) + pdu)
                else:
                    body = bytes([unit]) + pdu
                    end.sendall(body + crc(body))
            except OSError:
                return


class SerialLine:
    """A serial line with one device at its far end; ``asked`` holds the raw frames that came."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[bytes] = []
        self._end, self._near = os.openpty()
        tty.setraw(self._near)
        self.device = os.ttyname(self._near)
        self._woken, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def bus(self, timeout_seconds: float = 0.15) -> Bus:
        return Bus(timeout_seconds=timeout_seconds, serial=Serial(self.device, 115200))

    def send(self, raw: bytes) -> None:
        """Put bytes on the line that nobody asked for."""
        os.write(self._end, raw)

    def unplug(self) -> None:
        """The converter is pulled out."""
        if self._thread.is_alive():
            os.write(self._wake, b"x")
            self._thread.join()  # its descriptors may be another line's a moment later
        for end in (self._end, self._near, self._wake, self._woken):
            if end >= 0:
                os.close(end)
        self._end = self._near = self._wake = self._woken = -1

    close = unplug

    def _serve(self) -> None:
        end, heard = self._end, b""
        try:
            while self._woken not in select.select([end, self._woken], [], [])[0]:
                heard += os.read(end, 300)
                while len(heard) >= 8 and len(heard) >= _length(heard):
                    frame, heard = heard[: _length(heard)], heard[_length(heard) :]
                    n = len(self.asked)
                    self.asked.append(frame)
                    for wait, unit, pdu in self.script(n, frame[0], frame[1:-2]):
                        time.sleep(wait)  # the liar's own slowness; no test waits by sleeping
                        body = bytes([unit]) + pdu
                        os.write(end, body + crc(body))
        except OSError:
            return


def _length(heard: bytes) -> int:
    return 9 + heard[6] if heard[1] in (15, 16) else 8
