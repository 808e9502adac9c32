"""Makes the drivers of the sensors that ``config.json`` names.

Each chip has a line in ``_CHIPS``; a pin that is not named is the board's usual one for that chip
(the second soil probe's for channel 2, and so on). All mistakes are ``SettingsError``.
"""

from nongso.node.calibration import Calibration
from nongso.node.interpreter import pause_ms
from nongso.node.kept import Kept
from nongso.node.log import say
from nongso.node.settings import SettingsError, number


def _ending(found):
    """What a sensor's channel adds to the names of its series."""
    channel = number(found, "channel", 1, 99, 1)
    return "" if channel == 1 else ".%d" % channel


def _pin(found, board, usual):
    """The pin of a sensor: its own, or the board's usual one for its channel."""
    if isinstance(usual, tuple):
        channel = found.get("channel", 1)
        usual = usual[channel - 1] if channel in range(1, len(usual) + 1) else None
    return number(found, "pin", 0, 48, usual)


def _choice(found, key, words):
    """Return which of two words is there, the first if none: true for the first."""
    word = found.get(key, words[0])
    if word not in words:
        raise SettingsError(
            "config.json: sensor %s: %s must be %s" % (found["chip"], key, " or ".join(words))
        )
    return word == words[0]


def _sht3x(found, board):
    from drivers.sht3x import SHT3x

    return SHT3x(board.i2c, number(found, "address", 8, 119, 0x44))


def _sht4x(found, board):
    from drivers.sht4x import SHT4x

    return SHT4x(board.i2c, number(found, "address", 8, 119, 0x44))


def _bh1750(found, board):
    from drivers.bh1750 import BH1750

    return BH1750(board.i2c, number(found, "address", 8, 119, 0x23))


def _scd4x(found, board):
    from drivers.scd4x import SCD4x

    rests = not _choice(found, "measures", ("always", "once"))
    return SCD4x(board.i2c, pause_ms, rests)


def _ds18b20(found, board):
    from drivers.ds18b20 import DS18B20

    rom = found.get("rom")
    if rom is not None:
        try:
            rom = bytes.fromhex(rom)
        except (ValueError, TypeError):
            rom = b""
        if len(rom) != 8:
            raise SettingsError("config.json: sensor ds18b20: rom must be 16 hex digits")
    bus = board.one_wire(_pin(found, board, board.pins["one_wire"]))
    if rom is None:
        there = [bytes(one).hex() for one in bus.scan()]
        if len(there) > 1:
            say("several thermometers on one wire, name each by its rom: " + ", ".join(there))
    in_soil = _choice(found, "place", ("soil", "air"))
    return DS18B20(bus, rom, "soil_temperature" if in_soil else "air_temperature")


def _soil(found, board):
    from drivers.soil import Soil

    dry, wet = Calibration(board.folder).of("soil_moisture" + _ending(found))
    if dry is None and "dry" in found:
        dry = number(found, "dry", 0, 4095)
    if wet is None and "wet" in found:
        wet = number(found, "wet", 0, 4095)
    adc = board.adc(_pin(found, board, board.pins["soil"]))
    try:
        return Soil(adc, dry, wet)
    except ValueError as e:
        raise SettingsError("config.json: sensor soil: %s" % e)


def _battery(found, board):
    from drivers.battery import Battery

    return Battery(
        board.adc(_pin(found, board, board.pins["battery"])),
        number(found, "upper_ohm", 0, 10000000, 100000),
        number(found, "lower_ohm", 1, 10000000, 100000),
        board.full_mv,
    )


def _flow(found, board):
    from drivers.flow import Flow

    pin = _pin(found, board, board.pins["flow"])
    return Flow(
        board.input(pin),
        number(found, "pulses", 1, 1000000),
        number(found, "litres", 1, 10000, 1),
        Kept("%s/water-%d" % (board.folder, pin), 1),
        number(found, "most_l_per_min", 1, 10000, 1000),
        number(found, "bounce_ms", 0, 1000, 0),
    )


def _level(found, board):
    from drivers.contact import Level

    pins = found.get("pins", board.pins["level"])
    if (
        not isinstance(pins, (list, tuple))
        or not pins
        or any(type(pin) is not int for pin in pins)
    ):
        raise SettingsError("config.json: sensor level: pins must be a list of pin numbers")
    return Level([board.input(pin) for pin in pins], _choice(found, "closed_is", ("wet", "dry")))


def _door(found, board):
    from drivers.contact import Door

    return Door(board.input(_pin(found, board, board.pins["door"])))


_CHIPS = {
    "sht3x": _sht3x,
    "sht4x": _sht4x,
    "bh1750": _bh1750,
    "scd4x": _scd4x,
    "ds18b20": _ds18b20,
    "soil": _soil,
    "battery": _battery,
    "flow": _flow,
    "level": _level,
    "door": _door,
}


def fit_sensors(settings, board):
    """Make the drivers of the sensors that the settings name: pairs of driver and channel ending.

    Raises ``SettingsError``.
    """
    made = []
    names = set()
    for found in settings.sensors:
        make = _CHIPS.get(found["chip"])
        if make is None:
            raise SettingsError(
                "config.json: no driver for the chip %r (%s)"
                % (found["chip"], ", ".join(sorted(_CHIPS)))
            )
        if settings.sleep_every and found["chip"] == "flow":
            raise SettingsError(
                "config.json: sensor flow: a node that sleeps (sleep_every) counts no pulses"
            )
        sensor = make(found, board)
        ending = _ending(found)
        for series in sensor.series:
            if series + ending in names:
                raise SettingsError(
                    "config.json: two sensors measure %s: give one of them another "
                    '"channel" (2 to 99)' % (series + ending)
                )
            names.add(series + ending)
        made.append((sensor, ending))
    return made
