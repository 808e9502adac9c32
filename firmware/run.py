"""Runs one version of the node with the ``config.json`` of the current folder."""

import asyncio
import sys

import board

from nongso.node import log
from nongso.node import settings as node_settings
from nongso.node.life import Life
from nongso.node.sampling import Sampler
from nongso.node.station import Station


def main(slots):
    """Run until switched off; returns whether the board is to start anew."""
    may_be_set_up, text = board.read_setup()
    if may_be_set_up:
        from nongso.node import setup

        if setup.is_needed(text):
            asyncio.run(setup.run(board.SetUpNetwork(), text))
            return True
        del sys.modules["nongso.node.setup"]
    life = Life(board.FOLDER)
    try:
        try:
            life.begin(board.has_slept())
            life.tell_last_crash()
            station = _station(slots, life)
        except (node_settings.SettingsError, OSError) as e:
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
    settings = node_settings.parse(board.read_config())
    for secret in (settings.broker.password, settings.wifi.get("password"), settings.key):
        log.hide(secret)
    this_board = board.open_board(settings, slots.is_trial)
    sensors = []
    if not life.is_safe:
        import fitting

        sensors = fitting.fit_sensors(settings, this_board)
        del sys.modules["fitting"]  # done with; boards are small
    return Station(settings, this_board, Sampler(sensors), slots, life)
