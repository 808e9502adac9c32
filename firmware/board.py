"""The board under the node: the only file that knows platforms.

``open_board`` gives buses, pins, network, wall clock, a folder for files and the watchdog
(``nongso.node.hardware.Board``), on an ESP32, an ESP32-C3, a Pico W, or simulated: then the same
drivers talk over TCP to the chips of the simulated farm. What runs on a real board differs from
the simulated one in this file, ``own_wifi.py`` and ``button.py`` only. ``pins_of`` says what is
soldered where (``docs/node.md`` draws it); the settings' ``board`` and each sensor may name other
pins.
"""

import os
import sys
import time

from nongso.node.interpreter import forget, sleep_ms
from nongso.node.log import say
from nongso.node.settings import SettingsError, number

_EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0  # ESP32 counts from 2000
FOLDER = "."
_EARLIEST = 1704067200  # 2024-01-01: a clock before it was never set
_WIFI_PATIENCE_MS = 20000
_WATCHDOG_MS = 8000  # the RP2's longest is 8388
_SIMULATED_WATCHDOG_MS = 30000
MODELS = ("esp32", "esp32c3", "pico_w")
_ONLY_AT_START = (  # what the node in its run does not ask for any more
    "pins_of open_board SimulatedBoard RealBoard has_slept forget_sleep read_setup model "
    "SettingsError number"
)


def pins_of(model):
    """Return the pins of a board.

    ``analogue`` are those that can measure while the radio is on; ``weak`` have no resistor inside
    that could pull them up; ``button`` is BOOT, ``None`` where that is no pin; ``full_mv`` is
    where the converter's scale ends.
    """
    if model == "esp32":
        return {
            "scl": 22,
            "sda": 21,
            "one_wire": 4,
            "soil": (34, 35),
            "battery": 33,
            "flow": 27,
            "level": (25, 26),
            "door": 14,
            "power": 13,
            "led": 2,
            "button": 0,
            "analogue": (32, 33, 34, 35, 36, 39),
            "weak": (34, 35, 36, 39),
            "full_mv": 3050,
        }
    if model == "esp32c3":
        return {
            "scl": 7,
            "sda": 6,
            "one_wire": 10,
            "soil": (0, 1),
            "battery": 3,
            "flow": 4,
            "level": (20, 21),
            "door": 5,
            "power": None,
            "led": 8,
            "button": 9,
            "analogue": (0, 1, 2, 3, 4),
            "weak": (),
            "full_mv": 2800,
        }
    return {
        "scl": 5,
        "sda": 4,
        "one_wire": 22,
        "soil": (26, 27),
        "battery": 28,
        "flow": 15,
        "level": (16, 17),
        "door": 14,
        "power": 18,
        "led": "LED",
        "button": None,  # BOOTSEL is no pin
        "analogue": (26, 27, 28),
        "weak": (),
        "full_mv": 3290,
    }


def forget_the_start():
    """Give back what is only needed until the node runs, and the boards that this one is not."""
    here = globals()
    for name in _ONLY_AT_START.split():
        del here[name]


def open_board(settings, is_trial=False):
    """Open the board that the settings and the platform name. Raises ``SettingsError``.

    A version on trial is watched in any case.
    """
    if "simulated" in settings.board:
        return SimulatedBoard(settings)
    if sys.platform in ("esp32", "rp2"):
        return RealBoard(settings, is_trial)
    raise SettingsError(
        "config.json: this is no board (%s), so board.simulated must name the chip bus "
        "of a simulated farm as HOST:PORT" % sys.platform
    )


class _Board:
    folder = FOLDER

    def light(self, is_on):
        """No lamp."""

    def carried(self):
        """What outlived the last sleep."""
        return self._machine.RTC().memory()

    def carry(self, found):
        """Keep this through the next sleep."""
        self._machine.RTC().memory(found)

    def sleep(self, ms):
        """Sleep deeply, then start anew."""
        self._machine.deepsleep(ms)

    async def invite(self, seconds, on_turn):
        """Open the board's own Wi-Fi and its page; says whether new settings were saved there."""
        if self.simulated and setup_port() is None:
            return False
        import own_wifi

        from nongso.node import setup

        try:
            return await setup.invite(own_wifi.OwnWifi(), seconds, on_turn)
        finally:
            forget("nongso.node.setup")
            forget("own_wifi")

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
        self.pins = pins_of("esp32")
        host, colon, port = str(where).rpartition(":")
        if not (host and colon and port.isdigit()):
            raise SettingsError("config.json: board.simulated must be HOST:PORT, not %r" % where)
        machine.plug_in(host, int(port), settings.node)
        self.i2c = machine.I2C(0)
        self._machine = machine
        self._dog = machine.WDT(timeout=_SIMULATED_WATCHDOG_MS)

    def adc(self, pin):
        """An analogue input."""
        return self._machine.ADC(self._machine.Pin(pin))

    def __getattr__(self, what):
        if what in ("input", "one_wire", "full_mv"):
            raise SettingsError(
                "config.json: a simulated farm has the chips sht4x, bh1750 and soil only"
            )
        raise AttributeError(what)

    async def join_network(self):
        """The machine is in its network."""

    async def set_clock(self):
        """The machine looks after its clock."""

    def feed(self):
        """Tell the watchdog that the node is well; this machine may be busy for a while."""
        self._dog.feed()

    async def wait_for_switch_off(self):
        """Return when the process is asked to end (SIGTERM)."""
        import power

        await power.switched_off()


class RealBoard(_Board):
    """An ESP32, an ESP32-C3 or a Pico W.

    ``board``: ``model`` (one of ``MODELS``, where the board is mistaken about itself), ``scl``,
    ``sda``, ``power`` (other pins than usual), ``watchdog`` (true or false). ``wifi``: ``ssid``,
    ``password``, ``ntp`` (time server; else the broker's machine).
    """

    simulated = False

    def __init__(self, settings, is_trial=False):
        import machine

        self._machine = machine
        self.model = settings.board.get("model") or model()
        if self.model not in MODELS:
            raise SettingsError("config.json: board.model must be one of %s" % ", ".join(MODELS))
        if self.model == "pico_w" and settings.sleep_every:
            raise SettingsError(
                "config.json: sleep_every needs an ESP32: a Pico W forgets everything asleep"
            )
        self.pins = pins = pins_of(self.model)
        scl = number(settings.board, "scl", 0, 48, pins["scl"])
        sda = number(settings.board, "sda", 0, 48, pins["sda"])
        self.i2c = machine.I2C(0, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=100000)
        self.full_mv = pins["full_mv"]
        self._wires = {}
        self._lamp = machine.Pin(settings.board.get("led", pins["led"]), machine.Pin.OUT)
        self._rail = None
        rail = settings.board.get("power", pins["power"])
        if rail is not None:
            self._rail = machine.Pin(number({"power": rail}, "power", 0, 48), machine.Pin.OUT)
            self._rail.value(1)
        self._wifi = settings.wifi
        self._time_server = settings.wifi.get("ntp") or settings.broker.host
        if not isinstance(self._wifi.get("ssid"), str):
            raise SettingsError("config.json: wifi.ssid is missing")
        self._wlan = None
        self._is_clock_set = False
        self._dog = None
        if is_trial or settings.board.get("watchdog", True):
            self._dog = machine.WDT(timeout=_WATCHDOG_MS)

    def adc(self, pin):
        """An analogue input over the whole range of the supply. Raises ``SettingsError``."""
        if pin not in self.pins["analogue"]:
            raise SettingsError(
                "config.json: pin %s of this board measures no voltage; these do: %s"
                % (pin, ", ".join(str(p) for p in self.pins["analogue"]))
            )
        if sys.platform == "esp32":
            return self._machine.ADC(self._machine.Pin(pin), atten=self._machine.ADC.ATTN_11DB)
        return _Microvolts(self._machine.ADC(self._machine.Pin(pin)))

    def input(self, pin):
        """A pin with a switch to ground. Raises ``SettingsError``."""
        if pin in self.pins["weak"]:
            raise SettingsError(
                "config.json: pin %d has no pull-up resistor: take another for a switch" % pin
            )
        return self._machine.Pin(pin, self._machine.Pin.IN, self._machine.Pin.PULL_UP)

    def one_wire(self, pin):
        """The 1-Wire bus at a pin, the same one each time."""
        if pin not in self._wires:
            import onewire

            self._wires[pin] = onewire.OneWire(self._machine.Pin(pin))
        return self._wires[pin]

    async def join_network(self):
        """Join the Wi-Fi and set the clock. Raises ``OSError`` after a while without success."""
        if self._wlan is None:
            import network

            self._wlan = network.WLAN(network.STA_IF)
        wlan = self._wlan
        if not wlan.isconnected():
            await join(wlan, self._wifi["ssid"], self._wifi.get("password"))
        if not self._is_clock_set:
            try:
                await self.set_clock()
            except OSError as e:
                say("times count from the start until the clock is known (%s)" % e)

    async def set_clock(self):
        """Set the clock by the time server, forwards or back. Raises ``OSError``."""
        from nongso.node import ntp

        seconds = await ntp.ask(self._time_server)
        t = time.gmtime(seconds - _EPOCH)
        self._machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))
        self._is_clock_set = True

    def light(self, is_on):
        """Switch the lamp on the board."""
        self._lamp.value(is_on)

    def sleep(self, ms):
        """Cut the sensors' supply and the radio, sleep deeply, then start anew."""
        if self._wlan is not None:
            self._wlan.active(False)
        if self._rail is not None:
            self._rail.value(0)
        super().sleep(ms)

    def feed(self):
        """Tell the watchdog that the node is well."""
        if self._dog is not None:
            self._dog.feed()

    async def wait_for_switch_off(self):
        """A board is switched off by its plug."""
        while True:
            await sleep_ms(3600000)


class _Microvolts:
    """An RP2040's analogue input: its scale is the supply."""

    def __init__(self, adc):
        self.read_u16 = adc.read_u16

    def read_uv(self):
        """Microvolts at the pin, as an ESP32 gives them."""
        return self.read_u16() * 3300000 // 65535


async def join(wlan, ssid, password):
    """Join a Wi-Fi. Raises ``OSError`` after a while without success."""
    if wlan.active():
        # Without this a chip that lost its access point may refuse to try again. At a start it
        # would be half a second for nothing.
        wlan.active(False)
        await sleep_ms(500)
    wlan.active(True)
    wlan.connect(ssid, password)
    waited_ms = 0
    while not wlan.isconnected():
        if waited_ms >= _WIFI_PATIENCE_MS:
            raise OSError("no Wi-Fi %s" % ssid)
        await sleep_ms(250)
        waited_ms += 250


def model():
    """Return which of ``MODELS`` this is, as far as the platform tells."""
    if sys.platform == "rp2":
        return "pico_w"
    is_c3 = sys.platform == "esp32" and "C3" in os.uname().machine
    return "esp32c3" if is_c3 else "esp32"  # as which a simulated board counts


def has_slept():
    """Say whether the board wakes from a sleep that it chose itself."""
    import machine

    # An RP2 has no such cause.
    return machine.reset_cause() == getattr(machine, "DEEPSLEEP_RESET", None)


def forget_sleep():
    """Give up what outlived the last sleep, on a board on which something does."""
    import machine

    clock = machine.RTC()
    if hasattr(clock, "memory"):
        clock.memory(b"")


def read_config():
    """Return the text of ``config.json`` in the current folder. Raises ``SettingsError``."""
    try:
        with open("config.json") as file:
            return file.read()
    except OSError as e:
        raise SettingsError("config.json cannot be read in %s (%s)" % (os.getcwd(), e))
    except ValueError:  # bytes that are no UTF-8
        raise SettingsError("config.json in %s is no text: copy it anew" % os.getcwd())


def read_setup():
    """Return whether this board may be set up by its own page, and its ``config.json``."""
    try:
        with open("config.json") as file:
            text = file.read()
    except OSError:
        text = None
    except ValueError:  # bytes that are no UTF-8: read_config says so
        text = ""
    return sys.platform in ("esp32", "rp2") or setup_port() is not None, text


def setup_port():
    """On a PC: where the page of a simulated board without a name listens, if it is to."""
    port = os.getenv("NONGSO_SETUP_PORT") if hasattr(os, "getenv") else None
    return int(port) if port else None
