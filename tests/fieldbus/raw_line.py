"""A bus line that is only a socket: it answers the bytes that a test tells it to, true or not."""

import socket
import struct
import threading
import time
from collections.abc import Callable

from nongso.gateway.fieldbus import Bus

# What to answer to the n-th question (unit, PDU): a list of (seconds to wait, unit, PDU).
Script = Callable[[int, int, bytes], list[tuple[float, int, bytes]]]


def crc(frame: bytes) -> bytes:
    """CRC of Modbus over serial line, V1.02, section 6.2.2; written from the standard."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


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
