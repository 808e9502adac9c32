"""Chips at register level, for both interpreters, and a clock to turn by hand.

Each model follows its datasheet, not its driver: what a chip would not answer, it does not answer
here (``OSError``, as on a board), and its faults are switched on by plain attributes.
"""


class Clock:
    """Milliseconds, turned by hand; ``pause`` is what a driver takes for ``time.sleep_ms``."""

    def __init__(self):
        self.ms = 1000

    def __call__(self):
        return self.ms

    def pause(self, ms):
        """Let time pass."""
        self.ms += ms


def sensirion(word):
    """A word and its checksum, bit by bit as in the datasheet."""
    crc = 0xFF
    for byte in (word >> 8, word & 255):
        for place in range(7, -1, -1):
            feedback = (crc >> 7) ^ (byte >> place & 1)
            crc = crc << 1 & 0xFF
            if feedback:
                crc ^= 0x31
    return bytes([word >> 8, word & 255, crc])


def maxim(message):
    """Maxim's checksum: X^8 + X^5 + X^4 + 1, lowest bit first."""
    crc = 0
    for byte in message:
        for place in range(8):
            feedback = (crc ^ byte >> place) & 1
            crc >>= 1
            if feedback:
                crc ^= 0x8C
    return crc


class Bus:
    """An I2C bus with chips at addresses. ``garble`` names a bit of each answer that flips."""

    def __init__(self, **chips):
        self.chips = {int(name[1:], 16): chip for name, chip in chips.items()}  # x44=chip
        self.is_held_low = False
        self.garble = None

    def _chip(self, address):
        if self.is_held_low:
            raise OSError(110)  # ETIMEDOUT
        chip = self.chips.get(address)
        if chip is None or chip.is_absent:
            raise OSError(19)  # ENODEV
        return chip

    def writeto(self, address, message):
        """Write."""
        if not self._chip(address).write(bytes(message)):
            raise OSError(19)

    def readfrom_into(self, address, buffer):
        """Read."""
        answer = self._chip(address).answer()
        if answer is None:
            raise OSError(19)
        for i in range(len(buffer)):
            buffer[i] = answer[i] if i < len(answer) else 0xFF
        if self.garble is not None:
            buffer[self.garble // 8 % len(buffer)] ^= 1 << self.garble % 8


_SHT3X_MS = {0x2400: 15.5, 0x240B: 6.5, 0x2416: 4.5}  # table 4


class Sht3x:
    """SHT3x: single shots without clock stretching."""

    def __init__(self, clock):
        self.clock = clock
        self.is_absent = self.is_stuck = False
        self.temperature, self.humidity = 24.5, 71.2
        self._ready = None
        self._words = self._new = (0, 0)

    def write(self, message):
        """Take a command of two bytes."""
        if len(message) != 2:
            return False
        command = message[0] << 8 | message[1]
        if command not in _SHT3X_MS or (self._ready or 0) > self.clock():
            return False
        self._ready = self.clock() + _SHT3X_MS[command]
        if not self.is_stuck:
            self._words = (
                round((self.temperature + 45) / 175 * 65535),
                round(self.humidity / 100 * 65535),
            )
        return True

    def answer(self):
        """Give a measurement once."""
        if self._ready is None or self.clock() < self._ready:
            return None
        self._ready = None
        return sensirion(self._words[0]) + sensirion(self._words[1])


class Scd4x:
    """SCD41: idle until told to measure; while it measures it knows only a few commands."""

    def __init__(self, clock):
        self.clock = clock
        self.is_absent = self.is_stuck = self.refuses_recalibration = False
        self.ppm = 815
        self.self_calibration = 1  # as it leaves the factory
        self.recalibrated = None
        self.lose_power()

    def lose_power(self):
        """Start anew: idle, self-calibration as it was persisted."""
        self.self_calibration = 1
        self._since = None  # periodic measurement
        self._shot = None
        self._busy = 0
        self._read_at = self.clock()
        self._out = None
        self._shown = 0

    def is_measuring(self):
        """Say whether it measures by itself."""
        return self._since is not None

    def _has_new(self):
        now = self.clock()
        if self._since is not None:
            latest = now - (now - self._since) % 5000
            return latest > self._since and latest > self._read_at
        return self._shot is not None and now >= self._shot

    def write(self, message):
        """Take a command, with its words and their checksums."""
        if len(message) not in (2, 5) or self.clock() < self._busy:
            return False
        command = message[0] << 8 | message[1]
        word = None
        if len(message) == 5:
            word = message[2] << 8 | message[3]
            if sensirion(word) != message[2:]:
                return False
        if self._since is not None and command not in (0x3F86, 0xEC05, 0xE4B8):
            return False
        self._out = None
        if command == 0x21B1:
            self._since = self._read_at = self.clock()
        elif command == 0x3F86:
            self._since = None
            self._busy = self.clock() + 500
        elif command == 0x219D:
            self._shot = self.clock() + 5000
            self._busy = self._shot
        elif command == 0xE4B8:
            self._out = sensirion(0x8006 if self._has_new() else 0x8000)
        elif command == 0xEC05:
            if not self._has_new():
                return False
            self._read_at, self._shot = self.clock(), None
            if not self.is_stuck:
                self._shown = (self._shown + 1) & 7  # its last bits flutter
            self._out = sensirion(self.ppm) + sensirion(26000 + self._shown) + sensirion(30000)
        elif command == 0x2416 and word is not None:
            self.self_calibration = word
        elif command == 0x2313:
            self._out = sensirion(self.self_calibration)
        elif command == 0x362F and word is not None:
            self._busy = self.clock() + 400
            self.recalibrated = word
            change = 0xFFFF if self.refuses_recalibration else 0x8000 + word - self.ppm
            self._out = sensirion(change & 0xFFFF)
        else:
            return False
        return True

    def answer(self):
        """Give the answer to the last command once."""
        if self.clock() < self._busy and self._shot is None:
            return None
        out, self._out = self._out, None
        return out


class Ds18b20:
    """One thermometer on a 1-Wire bus."""

    def __init__(self, clock, rom=b"\x28\x01\x02\x03\x04\x05\x06"):
        self.clock = clock
        self.rom = rom + bytes([maxim(rom)])
        self.is_absent = False
        self.temperature = 21.3125
        self.resolution = 12
        self.lose_power()

    def lose_power(self):
        """Start anew: the scratchpad shows 85 °C."""
        self.raw = 0x0550
        self._ready = self._coming = None

    def convert(self):
        """Begin a measurement."""
        if self._ready is None:
            self._ready = self.clock() + (750 >> 12 - self.resolution)
            self._coming = round(self.temperature * 16)

    def scratchpad(self):
        """The nine bytes."""
        if self._ready is not None and self.clock() >= self._ready:
            self.raw, self._ready = self._coming, None
        raw = self.raw & 0xFFFF
        pad = bytes([raw & 255, raw >> 8, 0x4B, 0x46, (self.resolution - 9) << 5 | 0x1F])
        pad += b"\xff\x0c\x10"
        return pad + bytes([maxim(pad)])


class Wire:
    """A 1-Wire bus as ``onewire.OneWire`` gives it; absent chips leave it high, all ones."""

    def __init__(self, *chips):
        self.chips = chips
        self.is_held_low = False
        self.garble = None
        self._chosen = ()

    def _there(self):
        return tuple(chip for chip in self.chips if not chip.is_absent)

    def reset(self):
        """Say whether anybody is there; a wire held low looks like it."""
        self._chosen = None
        return self.is_held_low or bool(self._there())

    def select_rom(self, rom):
        """Speak to one."""
        self._chosen = tuple(chip for chip in self._there() if chip.rom == bytes(rom))

    def writebyte(self, byte):
        """Give a command."""
        if self._chosen is None:
            assert byte == 0xCC, "a command before anybody is chosen"
            self._chosen = self._there()
        elif byte == 0x44:
            for chip in self._chosen:
                chip.convert()
        else:
            assert byte == 0xBE

    def readinto(self, buffer):
        """Read: who speaks together pulls the wire low together."""
        for i in range(len(buffer)):
            buffer[i] = 0xFF
        for chip in self._chosen:
            pad = chip.scratchpad()
            for i in range(len(buffer)):
                buffer[i] &= pad[i]
        if self.garble is not None:
            buffer[self.garble // 8] ^= 1 << self.garble % 8
        if self.is_held_low:
            for i in range(len(buffer)):
                buffer[i] = 0


class Converter:
    """An analogue pin; its counts flutter by a few."""

    def __init__(self, counts):
        self.counts = counts
        self.flutters = True
        self.is_absent = False
        self._n = 0

    def read_u16(self):
        """Sixteen bits, of which twelve are real."""
        if self.is_absent:
            raise OSError(5)
        self._n = (self._n * 5 + 3) % 7
        counts = self.counts + (self._n % 3 - 1 if self.flutters else 0)
        counts = max(0, min(4095, counts))
        return counts << 4 | counts >> 8

    def read_uv(self):
        """Microvolts of a converter that ends at 3.3 V."""
        return (self.read_u16() >> 4) * 3300000 // 4095


class Pin:
    """A pin that a wire pulls down."""

    IRQ_FALLING = 2

    def __init__(self, level=1, knows_hard=True):
        self.level = level
        self._knows_hard = knows_hard
        self._handler = None

    def value(self):
        """The level."""
        return self.level

    def irq(self, handler, trigger, **more):
        """Have a function called at each falling edge; not all boards know ``hard``."""
        if more and not self._knows_hard:
            raise TypeError("extra keyword arguments given")
        assert trigger == self.IRQ_FALLING
        self._handler = handler

    def pulse(self):
        """One falling edge."""
        self._handler(self)
