"""Runs one version of the node with the ``config.json`` of the current folder."""

import asyncio
import sys

import board

from nongso.node import log
from nongso.node.interpreter import IS_MICROPYTHON, forget
from nongso.node.life import Life


def main(slots):
    """Run until switched off; returns whether the board is to start anew."""
    if _was_set_up(slots):
        return True
    from nongso.node.settings import SettingsError

    life = Life(board.FOLDER)
    try:
        try:
            life.begin(board.has_slept())
            life.tell_last_crash()
            station = _station(slots, life)
        except (SettingsError, OSError) as e:
            log.say("The node cannot start. %s" % e)
            sys.exit(1)
        starts_anew = asyncio.run(station.run())
        if not starts_anew:
            station.sleep()
        return starts_anew
    except KeyboardInterrupt:
        log.say("node is interrupted; what is not acknowledged stays in the ring")
        return False
    except Exception as e:
        life.crashed(e)
        raise


def _was_set_up(slots):
    """Set the board up if it has no name, or if somebody at its button asks for that."""
    may_be_set_up, text = board.read_setup()
    if not may_be_set_up and "was_elsewhere" not in (text or ""):
        return False
    from nongso.node import setup

    setup.settle(text, board.forget_sleep)
    if not may_be_set_up:
        return False
    # A version on trial has a watchdog that nobody would feed; who wakes has nobody beside it.
    may_be_asked = not slots.is_trial and not board.has_slept()
    if not setup.is_needed(text) and not (may_be_asked and _is_asked_for(setup.board_of(text))):
        forget("nongso.node.setup")
        return False
    import own_wifi

    asyncio.run(setup.run(own_wifi.OwnWifi(), text))
    setup.settle(board.read_setup()[1], board.forget_sleep)
    return True


def _is_asked_for(soldered):
    """Look at the button of a board that may have other pins than usual."""
    import button

    is_held = button.is_held(soldered)
    forget("button")
    return is_held


def _station(slots, life):
    """Make the node that the configuration describes."""
    from nongso.node import settings as node_settings

    settings = node_settings.parse(board.read_config())
    for secret in (settings.broker.password, settings.wifi.get("password"), settings.key):
        log.hide(secret)
    this_board = board.open_board(settings, slots.is_trial)
    sensors = []
    if not life.is_safe:
        import fitting

        sensors = fitting.fit_sensors(settings, this_board)
    # A station of several modules comes into a heap that is empty again.
    _forget_the_start()
    from nongso.node.sampling import Sampler
    from nongso.node.station import Station

    made = Station(settings, this_board, Sampler(sensors), slots, life)
    forget("nongso.wire.topics")
    return made


def _forget_the_start():
    """Give back what only a start needs: boards are small."""
    if IS_MICROPYTHON:
        board.forget_the_start()
        for name in ("fitting", "nongso.node.settings", "nongso.node.calibration"):
            forget(name)
