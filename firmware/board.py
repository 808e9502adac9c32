"""The board under the node: the only file that knows platforms.

``open_board`` gives a bus, analogue pins, network, wall clock, a folder for files and the
watchdog (``nongso.node.hardware.Board``), on an ESP32, on a Pico W, or simulated: then
the same drivers talk over TCP to the chips of the simulated farm. What runs on a real board
differs from the simulated one in this file only.
"""

import os
import sys
import time

from nongso.node.interpreter import sleep_ms
from nongso.node.settings import SettingsError, number

_EARLIEST = 1704067200  # 2024-01-01: a clock before it was never set
_EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0  # ESP32 counts from 2000
_WIFI_PATIENCE_MS = 20000
_WATCHDOG_MS = 8000  # the RP2's longest is 8388


def open_board(settings):
    """Open the board that the settings and the platform name. Raises ``SettingsError``."""
    if "simulated" in settings.board:
        return SimulatedBoard(settings)
    if sys.platform in ("esp32", "rp2"):
        return RealBoard(settings)
    raise SettingsError(
        "config.json: this is no board (%s), so board.simulated must name the chip bus "
        "of a simulated farm as HOST:PORT" % sys.platform
    )


class _Board:
    folder = "."

    def unix_seconds(self):
        """Wall clock in whole seconds, or ``None`` while nobody has set it."""
        seconds = int(time.time()) + _EPOCH
        return seconds if seconds >= _EARLIEST else None


class SimulatedBoard(_Board):
    """A board whose chips are models in the farm process; its clock is the machine's."""

    simulated = True

    def __init__(self, settings):
        import machine

        where = settings.board["simulated"]
        host, colon, port = str(where).rpartition(":")
        if not (host and colon and port.isdigit()):
            raise SettingsError("config.json: board.simulated must be HOST:PORT, not %r" % where)
        machine.plug_in(host, int(port), settings.node)
        self.i2c = machine.I2C(0)
        self._machine = machine

    def adc(self, pin):
        """An analogue input."""
        return self._machine.ADC(self._machine.Pin(pin))

    async def join_network(self):
        """The machine is in its network."""

    def feed(self):
        """No watchdog: a machine that was asleep would be taken for a node that hangs."""

    async def wait_for_switch_off(self):
        """Return when the process is asked to end (SIGTERM)."""
        import power

        await power.switched_off()


class RealBoard(_Board):
    """An ESP32 or a Pico W.

    ``board``: ``scl``, ``sda`` (pins), ``watchdog`` (true or false). ``wifi``: ``ssid``,
    ``password``, ``ntp`` (time server).
    """

    simulated = False

    def __init__(self, settings):
        import machine

        self._machine = machine
        scl = number(settings.board, "scl", 0, 48)
        sda = number(settings.board, "sda", 0, 48)
        self.i2c = machine.I2C(0, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=100000)
        self._wifi = settings.wifi
        if not isinstance(self._wifi.get("ssid"), str):
            raise SettingsError("config.json: wifi.ssid is missing")
        self._wlan = None
        self._is_clock_set = False
        self._dog = None
        if settings.board.get("watchdog", True):
            self._dog = machine.WDT(timeout=_WATCHDOG_MS)

    def adc(self, pin):
        """An analogue input over the whole range of the supply."""
        if sys.platform == "esp32":
            return self._machine.ADC(self._machine.Pin(pin), atten=self._machine.ADC.ATTN_11DB)
        return self._machine.ADC(self._machine.Pin(pin))

    async def join_network(self):
        """Join the Wi-Fi and set the clock. Raises ``OSError`` after a while without success."""
        if self._wlan is None:
            import network

            self._wlan = network.WLAN(network.STA_IF)
        wlan = self._wlan
        if not wlan.isconnected():
            # Without this a chip that lost its access point may refuse to try again.
            wlan.active(False)
            await sleep_ms(500)
            wlan.active(True)
            wlan.connect(self._wifi["ssid"], self._wifi.get("password"))
            waited_ms = 0
            while not wlan.isconnected():
                if waited_ms >= _WIFI_PATIENCE_MS:
                    raise OSError("no Wi-Fi %s" % self._wifi["ssid"])
                await sleep_ms(250)
                waited_ms += 250
        if not self._is_clock_set:
            self._set_clock()

    def _set_clock(self):
        import ntptime

        ntptime.host = self._wifi.get("ntp", "pool.ntp.org")
        ntptime.timeout = 2
        try:
            ntptime.settime()
            self._is_clock_set = True
        except (OSError, OverflowError):
            pass  # times count from now until it works; the next reconnect tries again

    def feed(self):
        """Tell the watchdog that the node is well."""
        if self._dog is not None:
            self._dog.feed()

    async def wait_for_switch_off(self):
        """A board is switched off by its plug."""
        while True:
            await sleep_ms(3600000)


def fit_sensors(settings, board):
    """Make the drivers of the sensors that the settings name: pairs of driver and channel ending.

    Raises ``SettingsError``.
    """
    made = []
    names = set()
    for found in settings.sensors:
        chip = found["chip"]
        if chip == "sht4x":
            from drivers.sht4x import SHT4x

            sensor = SHT4x(board.i2c, number(found, "address", 8, 119, 0x44))
        elif chip == "bh1750":
            from drivers.bh1750 import BH1750

            sensor = BH1750(board.i2c, number(found, "address", 8, 119, 0x23))
        elif chip == "soil":
            from drivers.soil import Soil

            dry, wet = number(found, "dry", 0, 4095), number(found, "wet", 0, 4095)
            try:
                sensor = Soil(board.adc(number(found, "pin", 0, 48)), dry, wet)
            except ValueError as e:
                raise SettingsError("config.json: sensor soil: %s" % e)
        else:
            raise SettingsError(
                "config.json: no driver for the chip %r (sht4x, bh1750, soil)" % chip
            )
        channel = number(found, "channel", 1, 99, 1)
        ending = "" if channel == 1 else ".%d" % channel
        for series in sensor.series:
            if series + ending in names:
                raise SettingsError(
                    "config.json: two sensors measure %s: give one of them another "
                    '"channel" (2 to 99)' % (series + ending)
                )
            names.add(series + ending)
        made.append((sensor, ending))
    return made


def restart():
    """Start anew after a failure: a real board resets itself, a simulated one ends."""
    if sys.platform in ("esp32", "rp2"):
        import machine

        time.sleep(5)  # so that somebody at the serial line can read why
        machine.reset()
    sys.exit(1)


def read_config():
    """Return the text of ``config.json`` in the current folder. Raises ``SettingsError``."""
    try:
        with open("config.json") as file:
            return file.read()
    except OSError as e:
        raise SettingsError("config.json cannot be read in %s (%s)" % (os.getcwd(), e))
    except ValueError:  # bytes that are no UTF-8
        raise SettingsError("config.json in %s is no text: copy it anew" % os.getcwd())
