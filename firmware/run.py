"""Runs one version of the node with the ``config.json`` of the current folder."""

import asyncio
import sys

import board

from nongso.node import settings as node_settings
from nongso.node.log import say
from nongso.node.sampling import Sampler
from nongso.node.station import Station


def main(slots):
    """Run until switched off; returns whether the board is to start anew."""
    try:
        settings = node_settings.parse(board.read_config())
        this_board = board.open_board(settings, slots.is_trial)
        import fitting

        sampler = Sampler(fitting.fit_sensors(settings, this_board))
        del sys.modules["fitting"]  # done with; boards are small
        station = Station(settings, this_board, sampler, slots)
    except (node_settings.SettingsError, OSError) as e:
        say("The node cannot start. %s" % e)
        sys.exit(1)
    try:
        return asyncio.run(station.run())
    except KeyboardInterrupt:
        say("node is interrupted; what is not acknowledged stays in the ring")
        return False
