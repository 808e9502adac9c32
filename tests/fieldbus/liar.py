"""A bus full of lies: frames made wrong in every way, and an oracle that tells which may count.

``run`` asks question after question of a bus whose other end is a program here, not a device:
half of its answers carry a valid check sum. An answer may be believed only if the bytes that came
hold, whole, a frame of the unit, function and length that were asked for (over TCP with the
question's number), and of a written one the exact echo; what the bus then returns must be what
that frame says. The check sum here is pymodbus', not ours.
"""

import queue
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymodbus.framer.rtu import FramerRTU

from nongso.gateway.devicefile import load_device
from nongso.gateway.fieldbus import Bus, BusError
from nongso.gateway.registers import Coils, Inputs, Pulse

UNIT, WORDS = 4, 7
COILS, INPUTS, PULSE = Coils(1, 5, 0, 8), Inputs(2, 0, 4), Pulse(5, 0x0200, 0.1, 0x7FFF)
SOIL = load_device("soil-7in1-cwt")


def sealed(body: bytes) -> bytes:
    """A frame with its check sum."""
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


@dataclass
class Outcome:
    """What came of it. ``wrong`` and ``uncaught`` hold examples and must stay empty."""

    asked: int = 0
    valid_sums: int = 0
    believed: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    uncaught: list[str] = field(default_factory=list)


class _Liar:
    """The other end of the bus. Each question gets one lie, and then the line ends."""

    def __init__(self, framing: str, seed: int) -> None:
        self.framing, self.dice = framing, random.Random(seed)
        self.asked = self.sent = b""
        self.is_valid = False
        self._ends: queue.Queue[socket.socket | None] = queue.Queue()
        self.bus = Bus("127.0.0.1", 1, framing, timeout_seconds=1.0)
        client: Any = self.bus._client
        client.connect = lambda: self._connect(client)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _connect(self, client: Any) -> bool:
        if client.socket is None:
            client.socket, far = socket.socketpair()
            self._ends.put(far)
        return True

    def end(self) -> None:
        self.bus.close()
        self._ends.put(None)
        self._thread.join(5.0)

    def _serve(self) -> None:
        while (end := self._ends.get()) is not None:
            with end:
                asked = end.recv(300)
                if asked:
                    self.asked, self.sent = asked, self._lie(asked)
                    end.sendall(self.sent)

    def _lie(self, asked: bytes) -> bytes:
        dice = self.dice
        self.is_valid = dice.random() < 0.5
        if self.framing == "tcp":
            return self._over_tcp(asked)
        body = asked[:-2]
        right = self._right(body[0], body[1:])
        if self.is_valid:
            return sealed(self._well_sealed(body, right))
        return self._badly_sealed(right)

    def _right(self, unit: int, pdu: bytes) -> bytes:
        dice = self.dice
        if pdu[0] in (5, 6):
            return bytes([unit]) + pdu[:5]
        count = struct.unpack(">H", pdu[3:5])[0]
        size = (count + 7) // 8 if pdu[0] in (1, 2) else 2 * count
        return bytes([unit, pdu[0], size]) + dice.randbytes(size)

    def _well_sealed(self, asked: bytes, right: bytes) -> bytes:
        """Everything about it may be wrong but its check sum."""
        dice = self.dice
        unit, function, rest = right[0], right[1], right[2:]
        kind = dice.randrange(10)
        if kind == 0:
            return right
        if kind == 1:
            return bytes([dice.randrange(256), function]) + rest
        if kind == 2:
            return bytes([unit, dice.randrange(256)]) + rest
        if kind == 3:
            return bytes([unit, function, dice.randrange(256)]) + rest[1:]
        if kind == 4:
            return right[: dice.randrange(1, len(right))]
        if kind == 5:
            return right + dice.randbytes(dice.randrange(1, 9))
        if kind == 6:
            return bytes([unit, function | 0x80, dice.randrange(256)])
        if kind == 7:
            return asked
        if kind == 8:
            changed = bytearray(right)
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
            return bytes(changed)
        return dice.randbytes(dice.randrange(1, 40))

    def _badly_sealed(self, right: bytes) -> bytes:
        dice = self.dice
        frame = bytearray(sealed(right))
        kind = dice.randrange(7)
        if kind == 0:
            for _ in range(dice.randrange(1, 4)):
                frame[dice.randrange(len(frame))] ^= 1 << dice.randrange(8)
        elif kind == 1:
            del frame[dice.randrange(len(frame)) :]
        elif kind == 2:
            frame[-2:] = frame[:-3:-1]
        elif kind == 3:
            return dice.randbytes(dice.randrange(0, 300))
        elif kind == 4:
            frame[:0] = dice.randbytes(dice.randrange(1, 6))  # noise before a good frame
        elif kind == 5:
            frame[-2:] = dice.randbytes(2)
        else:
            place = dice.randrange(len(frame))
            frame[place:place] = dice.randbytes(1)
        return bytes(frame)

    def _over_tcp(self, asked: bytes) -> bytes:
        dice = self.dice
        right = self._right(asked[6], asked[7:])
        body = self._well_sealed(asked[6:], right)
        number, protocol, length = asked[:2], b"\0\0", len(body)
        if not self.is_valid:
            kind = dice.randrange(4)
            number = dice.randbytes(2) if kind == 0 else number
            protocol = dice.randbytes(2) if kind == 1 else protocol
            length = dice.randrange(65536) if kind == 2 else length
            body = body[: dice.randrange(len(body))] if kind == 3 else body
        return number + protocol + struct.pack(">H", length) + body


def _questions(bus: Bus) -> list[tuple[bytes, Callable[[], object]]]:
    """Each question as its PDU, and how it is asked."""
    return [
        (b"\x03\x00\x00\x00\x07", lambda: bus.quantities(UNIT, SOIL)),
        (b"\x01\x00\x00\x00\x08", lambda: bus.read_coils(UNIT, COILS)),
        (b"\x02\x00\x00\x00\x04", lambda: bus.read_inputs(UNIT, INPUTS, urgent=True)),
        (b"\x05\x00\x03\x00\x00", lambda: bus.coil_off(UNIT, COILS, 3)),
        (b"\x05\x02\x03\x00\x28", lambda: bus.coil_pulse(UNIT, PULSE, 3, 4.0)),
    ]


def _meanings(pdu: bytes, liar: _Liar) -> list[object]:
    """What each frame in the bytes says that is an answer to this question."""
    sent, number = liar.sent, liar.asked[:2]
    size = {1: 1, 2: 1, 3: 2 * WORDS}.get(pdu[0], 0)
    start = bytes([UNIT]) + (bytes([pdu[0], size]) if size else pdu)
    found: list[object] = []
    for place in range(len(sent)):
        body = sent[place : place + len(start) + size]
        if not body.startswith(start) or len(body) < len(start) + size:
            continue
        if liar.framing == "rtu" and sent[place:].startswith(sealed(body)):
            found.append(_meaning(pdu, body[len(start) :]))
        head = number + struct.pack(">HH", 0, len(body))
        if liar.framing == "tcp" and sent[:place] == head:
            found.append(_meaning(pdu, body[len(start) :]))
    return found


def _meaning(pdu: bytes, held: bytes) -> object:
    if pdu[0] == 5:
        return None
    if pdu[0] == 3:
        names = ("moisture", "temperature", "conductivity", "ph")
        words = struct.unpack(">HhHHHHH", held)
        names = (*names, "nitrogen", "phosphorus", "potassium")
        return SOIL.values({n: float(w) for n, w in zip(names, words, strict=True)})
    return tuple(bool(held[0] >> n & 1) for n in range(8 if pdu[0] == 1 else 4))


def run(frames: int, framing: str = "rtu", seed: int = 1) -> Outcome:
    """Ask that many questions of a liar."""
    liar, outcome = _Liar(framing, seed), Outcome()
    questions = _questions(liar.bus)
    for n in range(frames):
        pdu, ask = questions[n % len(questions)]
        liar.bus.wake_all()
        liar.bus._late_until.clear()  # the line has ended: nothing late can come
        outcome.asked += 1
        try:
            said = ask()
        except BusError as error:
            outcome.answers[type(error).__name__] += 1
        except Exception as error:
            outcome.uncaught.append(f"{error!r} after {liar.sent.hex(' ')}")
        else:
            outcome.believed += 1
            if said not in _meanings(pdu, liar):
                outcome.wrong.append(f"{pdu.hex(' ')} and {liar.sent.hex(' ')} gave {said}")
        outcome.valid_sums += liar.is_valid
    liar.end()
    return outcome
