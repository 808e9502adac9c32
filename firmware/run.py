"""Runs one version of the node with the ``config.json`` of the current folder."""

import asyncio
import gc
import sys

import board

from nongso.node import log
from nongso.node.interpreter import IS_MICROPYTHON
from nongso.node.life import Life


def main(slots):
    """Run until switched off; returns whether the board is to start anew."""
    may_be_set_up, text = board.read_setup()
    if may_be_set_up:
        from nongso.node import setup

        if setup.is_needed(text):
            asyncio.run(setup.run(board.SetUpNetwork(), text))
            return True
        _forget("nongso.node.setup")
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
    _forget("nongso.wire.topics")
    return made


def _forget_the_start():
    """Give back what only a start needs: boards are small."""
    if IS_MICROPYTHON:
        board.forget_the_start()
        for name in ("fitting", "nongso.node.settings", "nongso.node.calibration"):
            _forget(name)


def _forget(name):
    """Let go of a module, on a board; its package holds it too."""
    if IS_MICROPYTHON and sys.modules.pop(name, None) is not None:
        package, _, leaf = name.rpartition(".")
        if package:
            delattr(sys.modules[package], leaf)
        gc.collect()
