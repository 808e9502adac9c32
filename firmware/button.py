"""The button with which somebody beside a board asks for its set-up page.

Boards have one already: BOOT of an ESP32 (GPIO 0) and ESP32-C3 (GPIO 9), BOOTSEL of a Pico W. Held
*before* power comes it starts the chip's own loader and not this program, so it is looked at for
some seconds after the start, while the lamp burns steadily. ``board.setup_pin`` names a switch to
ground in its place: that one may be held from the beginning.
"""

import sys

import board

from nongso.node.interpreter import pause_ms
from nongso.node.log import say

_STEP_MS = 100
_WINDOW_MS = 3000
_HELD_MS = 1000  # a finger that brushes it, or a pin that hums, asks for nothing


def is_held(soldered):
    """Say whether somebody asks for the page; ``soldered`` is the settings' ``board``."""
    import machine

    model = soldered.get("model")
    pins = board.pins_of(model if model in board.MODELS else board.model())
    is_pressed = _pressed(machine, soldered.get("setup_pin", pins["button"]))
    if sys.platform not in ("esp32", "rp2"):
        return is_pressed()  # a simulated board has no lamp to wait by
    lamp = machine.Pin(soldered.get("led", pins["led"]), machine.Pin.OUT)
    lamp.value(1)
    found = is_held_long(is_pressed, pause_ms)
    if not found:
        lamp.value(0)  # else it burns as long as the page is there
    return found


def _pressed(machine, pin):
    """Return what tells whether the button is pressed."""
    if pin is None:
        import rp2

        return getattr(rp2, "bootsel_button", int)  # older images cannot read it: never pressed
    try:
        line = machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP)
    except (ValueError, TypeError) as e:
        say("config.json: board.setup_pin %r is no pin with a pull-up (%s)" % (pin, e))
        return int
    return lambda: not line.value()


def is_held_long(is_pressed, pause):
    """Look for some seconds; say whether the button was held for a whole one, begun in them."""
    waited = held = 0
    while waited < _WINDOW_MS or held:
        held = held + _STEP_MS if is_pressed() else 0
        if held > _HELD_MS:
            return True
        pause(_STEP_MS)
        waited += _STEP_MS
    return False
