"""``nongso node calibrate``: what a soil probe shows in dry air and in wet soil, into the board.

The probe is read on the board, by its own pins. What was found is shown before it is written, and
refused where dry and wet do not differ: then it is not the probe, or not on this pin.
"""

import json
import statistics
from collections.abc import Callable

from nongso.commands.errors import CommandError
from nongso.commands.node_board import Board, stopped

SAMPLES = 40
LEAST_APART = 300  # counts of 4095 between dry and wet; a probe in order has over a thousand
MOST_FLUTTER = 80

_READ = """
import board as _b
from nongso.node import settings as _s
_o = _b.open_board(_s.parse(_read("config.json")))
_pin = %r
_pin = _o.pins["soil"][%d - 1] if _pin is None else _pin
_adc = _o.adc(_pin)
"""

_KEEP = """
from nongso.node.calibration import Calibration as _c
_c(".").keep(%r, %d, %d)
"""


def run(
    port: str, channel: int, ask: Callable[[str], str], say: Callable[[str], None] = print
) -> int:
    """Walk through dry and wet. Raises ``CommandError``."""
    with stopped(port) as board:
        config, probe = _probe(board, channel)
        try:
            active = json.loads(board.read("slots.json") or "{}").get("active")
            if active:
                board.run(f"sys.path[:0] = ['/{active}', '/{active}/lib']")
            board.run(_READ % (probe.get("pin"), channel))
            pin = board.ask("_pin")
            ask("Wipe the probe dry and hold it in the air. Then press Enter. ")
            dry = _read(board, say)
            ask("Put it into a glass of water up to its line, or into soaked soil. Then Enter. ")
            wet = _read(board, say)
            if abs(dry - wet) < LEAST_APART:
                raise CommandError(
                    f"Dry gives {dry} and wet {wet} counts: too little apart. Is this the probe "
                    f"on pin {pin}? Are the wires right? Nothing was changed."
                )
            probe["dry"], probe["wet"] = dry, wet
            board.replace("config.json", json.dumps(config, sort_keys=True, indent=1).encode())
            # What was measured on the node by an order of the gateway would outweigh it.
            board.run(_KEEP % (_series(channel), dry, wet))
            say(f"Written: dry {dry}, wet {wet}. The board starts anew with them.")
        finally:
            board.restart()
    return 0


def _probe(board: Board, channel: int) -> tuple[dict[str, object], dict[str, int]]:
    try:
        config = json.loads(board.read("config.json") or "")
        probes = [s for s in config["sensors"] if s["chip"] == "soil"]
    except (ValueError, KeyError, TypeError):
        raise CommandError("This board is not set up yet; first: nongso node deploy") from None
    for probe in probes:
        if probe.get("channel", 1) == channel:
            return config, probe
    raise CommandError(
        f"config.json of this board names no soil probe {channel}; it has {len(probes)} of them."
    )


def _series(channel: int) -> str:
    return "soil_moisture" if channel == 1 else f"soil_moisture.{channel}"


def _read(board: Board, say: Callable[[str], None]) -> int:
    """The middle of many samples, as the node itself takes it."""
    found: list[int] = board.ask(f"[_adc.read_u16() >> 4 for _ in range({SAMPLES})]")
    board.run("_dog.feed()")
    middle = round(statistics.median(found))
    if max(found) - min(found) > MOST_FLUTTER:
        say(f"  it flutters between {min(found)} and {max(found)}: hold it still")
    say(f"  {middle} counts")
    return middle
