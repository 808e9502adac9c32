"""A Raspberry Pi Pico W made of software, with the official image, and what is soldered to it.

Runs as a process of its own: ``python pico_board.py IMAGE LOG`` with the emulator's packages on
PYTHONPATH; ``pico.py`` holds the other end. It prints the name of its serial port, then answers
each line on its standard input (JSON) with a line. What the board says goes to LOG too.

How this works. The chip executes the image's own instructions; its clock is the emulated one,
which never runs ahead of the wall's: a time-out of the program is at least as long as on a board,
and a broker on this machine is never late. Some things are put in the place of the emulator's
own: its host at the USB sends nothing when there is nothing to send (its own sends empty packets
without end, each of them an interrupt: that costs nine tenths of the speed); the network ends at
127.0.0.1, where 10.0.0.1 is; and the flash can lose its supply in the middle of an operation.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import pty
import random
import struct
import sys
import time
import tty
from typing import Any

from rp2040py.boards import BOARDS, BoardSpec
from rp2040py.device.base_device import BaseDevice, ResetCause
from rp2040py.execute_batch import execute_batch
from rp2040py.external.cyw43 import nat, net
from rp2040py.external.cyw43.chip import Cyw43439

from nongso.gateway.simulated import chips

GATEWAY = "10.0.0.1"
_LOOK_NANOS = 2_000_000  # how often the two clocks are compared
_PROGRAM, _ERASES = 0x02, {0x20: 4096, 0xD8: 65536}
_FILES_BYTES = 848 * 1024  # the end of the board's 2 MB, as the image has it
_FILES_AT = 2048 * 1024 - _FILES_BYTES
_RING_OSCILLATOR, _RANDOM_BIT = 0x40060, 0x1C  # 2.17.8; each start's number comes from it
_QUEUE_IS_EMPTY = 1 << 4  # TX_EMPTY, data sheet of the RP2040, 4.3.17
_SINCE_1900 = 2208988800


class Network(Cyw43439):
    """The Wi-Fi chip; behind its access point there is this machine alone, and the time."""

    def attach(self, mcu: Any) -> None:
        """Wire it."""
        super().attach(mcu)
        self._send = self.bus.queue_rx_ethernet_frame
        bridge = self.bus.nat_bridge
        bridge._tcp = nat.TcpReflector(mcu, self._send, connect_fn=self._connect)
        bridge._udp = self
        self._flows = bridge._tcp._flows
        self._left_behind: list[Any] = []
        self.tells_time = True

    @staticmethod
    async def _connect(host: str, port: int) -> Any:
        if host != GATEWAY:
            raise ConnectionRefusedError(host)
        return await asyncio.open_connection("127.0.0.1", port)

    def lose_power(self) -> None:
        """Forget everything. Who was connected hears nothing of it, as with a pulled plug."""
        for flow in self._flows.values():
            if flow.pump_task is not None:
                flow.pump_task.cancel()
            self._left_behind.append(flow.writer)
        self._flows.clear()
        self.bus.power_off()

    def maybe_handle(self, frame: Any) -> bool:
        """Be the time server; nothing else is there that speaks UDP."""
        ip = net.parse_ipv4(frame.payload)
        asked = net.parse_udp(ip.payload) if ip is not None else None
        if asked is None or asked.dst_port != 123 or ip.dst_ip != nat.GATEWAY_IP:
            return True
        if self.tells_time:
            stamp = struct.pack("!II", int(time.time()) + _SINCE_1900 & 0xFFFFFFFF, 0)
            told = b"\x24\x02" + bytes(22) + asked.payload[40:48] + stamp + stamp
            reply = net.pack_udp(ip.dst_ip, ip.src_ip, 123, asked.src_port, told)
            packet = net.pack_ipv4(ip.dst_ip, ip.src_ip, net.IP_PROTO_UDP, reply)
            self._send(
                net.pack_ethernet(frame.src_mac, nat.GATEWAY_MAC, net.ETHERTYPE_IPV4, packet)
            )
        return True


class Wires:
    """The I2C bus 0 with its chips, at register level; ``truth`` is what they measure."""

    def __init__(self, mcu: Any) -> None:
        self.truth = {"air_temperature": 24.5, "air_humidity": 71.2, "light": 30000.0}

        def now() -> float:
            return float(mcu.clock.nanos) / 1e9

        def shown() -> dict[str, float]:
            return self.truth

        self.chips: dict[int, chips.Chip] = {
            0x44: chips.SHT4x(shown, now),
            0x23: chips.BH1750(shown, now),
        }
        self._bus = bus = mcu.i2c[0]
        bus.on_connect = self._connect
        bus.on_write_byte = self._take
        bus.on_read_byte = self._give
        bus.on_stop = self._stop
        self._written = bytearray()
        self._answer = iter(b"")
        self._chip: chips.Chip | None = None

    def _connect(self, address: int, mode: int) -> None:
        self._carry_out()
        chip = self.chips.get(address)
        self._chip = None if chip is None or chip.absent else chip
        if self._chip is not None and mode == 1:
            try:
                self._answer = iter(self._chip.read(32))
            except chips.Nack:
                self._chip = None
        self._bus.complete_connect(self._chip is not None)
        if self._chip is None:
            # What was to be written is dropped, so the queue is empty; the emulator forgets to
            # say so, and the program would wait in vain and spoil what it asks next.
            self._bus._set_interrupts(_QUEUE_IS_EMPTY)

    def _take(self, value: int) -> None:
        self._written.append(value)
        self._bus.complete_write(True)

    def _give(self, _more: bool) -> None:
        self._bus.complete_read(next(self._answer))

    def _stop(self) -> None:
        self._carry_out()
        self._bus.complete_stop()

    def _carry_out(self) -> None:
        """Give the chip what was written, whole."""
        if self._chip is not None and self._written:
            with contextlib.suppress(chips.Nack):
                self._chip.write(bytes(self._written))
        self._written.clear()


class Analogue(list[int]):
    """What the converter sees at its pins: nothing in the world is quite still."""

    def __init__(self, length: int) -> None:
        super().__init__([0] * length)
        self._chance = random.Random(3)

    def __getitem__(self, channel: Any) -> Any:
        return max(0, min(4095, super().__getitem__(channel) + self._chance.randint(-1, 1)))


class Board:
    """The board on its cable. ``do`` carries out an order of the other process."""

    def __init__(self, image: str, log: str) -> None:
        self._network = Network()
        base = BOARDS["pico_w"]
        others = tuple(extra for extra in base.extras if extra is not Cyw43439)
        spec = dataclasses.replace(base, extras=(*others, lambda: self._network), image=image)
        self._device = BaseDevice(board=BoardSpec(spec.mcu, spec.extras, None, image))
        self._mcu = self._device.mcu
        self._simulator = self._device.simulator
        self._wires = Wires(self._mcu)
        self._mcu.adc.channel_values = Analogue(5)
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND)
        self._is_on = False
        self._starts: list[str] = []
        self._cable()
        self._mcu.watchdog.on_watchdog_trigger = self._bitten
        self._operations, self._cut_at, self._is_cut = 0, -1, False
        self._apply = self._mcu.ssi._apply_command
        self._mcu.ssi._apply_command = self._flash_operation
        self._chance = random.Random(7)
        oscillator = self._mcu.peripherals[_RING_OSCILLATOR]
        read = oscillator.read_uint32
        oscillator.read_uint32 = lambda at: (
            self._chance.getrandbits(1) if at == _RANDOM_BIT else read(at)
        )
        self._mcu.gpio[15].set_input_value(True)  # the water meter lets go
        self._look = self._mcu.clock.create_alarm(self._compare_clocks)
        self._look.schedule(_LOOK_NANOS)

    # --- power ---------------------------------------------------------------------

    def switch_on(self) -> None:
        """Give it power: what was in its memory is gone."""
        size = len(self._mcu.sram)
        self._mcu.sram[:] = self._chance.randbytes(size)
        self._stop_watchdog()
        self._device.hard_reset(cause=ResetCause.POWER_ON)
        self._is_on = True
        self._starts.append("power")

    def switch_off(self) -> None:
        """Pull the plug."""
        self._is_on = False
        self._network.lose_power()

    def _bitten(self) -> None:
        is_reset = not self._mcu.watchdog._reason & 1  # machine.reset() comes this way too
        self._starts.append("hard" if is_reset else "watchdog")
        self._stop_watchdog()
        self._device.hard_reset(cause=ResetCause.WATCHDOG)

    def _stop_watchdog(self) -> None:
        """A chip begins with its watchdog asleep; the emulator's would go on counting."""
        self._mcu.watchdog.timer.enable = self._mcu.watchdog.alarm.enable = False

    # --- flash ------------------------------------------------------------------------

    def _flash_operation(self) -> None:
        """Carry out what was clocked into the flash chip; at the cut, half of it."""
        sent = self._mcu.ssi._tx_buffer
        if not self._mcu.ssi._write_enabled or (
            sent[:1] != bytes([_PROGRAM]) and (not sent or sent[0] not in _ERASES)
        ):
            self._apply()
            return
        self._operations += 1
        if self._operations != self._cut_at:
            self._apply()
            return
        if sent[0] == _PROGRAM:
            del sent[4 + (len(sent) - 4) // 2 :]
            self._apply()
        else:
            size = _ERASES[sent[0]]
            at = int.from_bytes(sent[1:4], "big") & ~(size - 1)
            self._mcu.flash[at : at + size // 2] = b"\xff" * (size // 2)
        self._is_cut = True
        self._simulator.stopped = True  # not one instruction more

    # --- cable ------------------------------------------------------------------------

    def _cable(self) -> None:
        self._host, self._slave = pty.openpty()
        tty.setraw(self._slave)
        tty.setraw(self._host)
        os.set_blocking(self._host, False)
        self.port = os.ttyname(self._slave)
        self._typed = bytearray()
        self._asked: tuple[int, int] | None = None
        cdc = self._device.cdc
        cdc.on_serial_data = self._said
        usb, self._answer = cdc.usb, cdc.usb.on_endpoint_read
        usb.on_endpoint_read = self._read
        forget = usb.on_reset

        def reset() -> None:
            self._asked = None
            self._typed.clear()
            forget()

        usb.on_reset = reset

    def _said(self, content: bytes) -> None:
        os.write(self._log, content)
        with contextlib.suppress(OSError):  # nobody listens
            os.write(self._host, content)

    def _read(self, endpoint: int, size: int) -> None:
        """The board is ready for something from the host; there may be nothing yet."""
        if endpoint and endpoint == self._device.cdc._out_endpoint:
            self._asked = (endpoint, size)
            self._hand_over()
        else:
            self._answer(endpoint, size)

    def _hand_over(self) -> None:
        if self._asked is not None and self._typed:
            endpoint, size = self._asked
            self._asked = None
            for byte in self._typed[:size]:
                self._device.cdc.tx_fifo.push(byte)
            del self._typed[:size]
            self._answer(endpoint, size)

    def _take_typed(self) -> None:
        with contextlib.suppress(OSError):
            content = os.read(self._host, 4096)
            if self._is_on and self._device.cdc._initialized:
                self._typed += content
                self._hand_over()

    # --- time -------------------------------------------------------------------------

    def _compare_clocks(self) -> None:
        self._look.schedule(_LOOK_NANOS)
        if self._ahead() > 0:
            self._simulator.stopped = True  # ends the batch

    def _ahead(self) -> float:
        """Seconds by which the emulated clock is ahead. What it is behind is forgiven."""
        emulated, wall = self._mcu.clock.nanos / 1e9, time.monotonic()
        ahead = float(emulated - self._zero[0]) - (wall - self._zero[1])
        if ahead < 0:
            self._zero = (emulated, wall)
        return ahead

    async def run(self) -> None:
        """Be a board."""
        self._simulator.bind_loop()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._host, self._take_typed)
        self._zero = (self._mcu.clock.nanos / 1e9, time.monotonic())
        while True:
            if not self._is_on:
                await asyncio.sleep(0.01)
                self._zero = (self._mcu.clock.nanos / 1e9, time.monotonic())
                continue
            self._simulator.stopped = False
            execute_batch(self._simulator, 1)
            if self._is_cut:
                self._is_cut, self._cut_at = False, -1
                self.switch_off()
            await asyncio.sleep(max(0.0, self._ahead()))

    # --- orders -------------------------------------------------------------------------

    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out an order; say how the board is."""
        what = order.pop("do")
        getattr(self, "_" + what)(**order)
        return {
            "is_on": self._is_on,
            "is_listening": self._is_on and self._device.cdc._initialized,
            "starts": self._starts,
            "operations": self._operations,
            "emulated_seconds": self._mcu.clock.nanos / 1e9,
        }

    def _nothing(self) -> None:
        pass

    def _power(self, on: bool) -> None:
        self.switch_on() if on else self.switch_off()

    def _cut(self, operations: int) -> None:
        self._cut_at = self._operations + operations

    def _dump(self, path: str) -> None:
        """Write down the file system as it lies in the flash."""
        with open(path, "wb") as file:
            file.write(self._mcu.flash[_FILES_AT : _FILES_AT + _FILES_BYTES])

    def _truth(self, **values: float) -> None:
        self._wires.truth.update(values)

    def _unplug(self, address: int, absent: bool) -> None:
        self._wires.chips[address].absent = absent

    def _volts(self, pin: int, counts: int) -> None:
        self._mcu.adc.channel_values[pin - 26] = counts

    def _clock_server(self, answers: bool) -> None:
        self._network.tells_time = answers

    def _pulses(self, count: int, every_ms: float) -> None:
        """Close the water meter's contact so many times."""
        pin, half = self._mcu.gpio[15], int(every_ms * 500_000)
        left = [2 * count]

        def turn() -> None:
            left[0] -= 1
            pin.set_input_value(left[0] % 2 == 0)
            if left[0]:
                alarm.schedule(half)

        alarm = self._mcu.clock.create_alarm(turn)
        alarm.schedule(half)


async def main(image: str, log: str) -> None:
    """Serve one board until the input ends."""
    board = Board(image, log)
    running = asyncio.create_task(board.run())
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    print(json.dumps({"port": board.port}), flush=True)
    while not running.done() and (line := await orders.readline()):
        print(json.dumps(board.do(json.loads(line))), flush=True)
    if running.done():
        running.result()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
