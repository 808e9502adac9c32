"""Runs the node with the ``config.json`` of the current folder.

On a board MicroPython starts this file by itself. On a PC: ``micropython .../firmware/main.py``
with MICROPYPATH naming the simulated board, ``firmware`` and ``firmware/lib``; CPython
likewise with PYTHONPATH. Ends with status 1 and one sentence if the configuration is unusable.
"""

import asyncio
import sys

import board
import fitting

from nongso.node import settings as node_settings
from nongso.node.log import say
from nongso.node.sampling import Sampler
from nongso.node.station import Station


def main():
    """Run until switched off."""
    try:
        settings = node_settings.parse(board.read_config())
        this_board = board.open_board(settings)
        sampler = Sampler(fitting.fit_sensors(settings, this_board))
        station = Station(settings, this_board, sampler)
    except (node_settings.SettingsError, OSError) as e:
        say("The node cannot start. %s" % e)
        sys.exit(1)
    try:
        asyncio.run(station.run())
    except KeyboardInterrupt:
        say("node is interrupted; what is not acknowledged stays in the ring")
    except Exception as e:
        say("the node ends by an error of its own: %r" % e)
        if hasattr(sys, "print_exception"):
            sys.print_exception(e)
        else:
            sys.excepthook(type(e), e, e.__traceback__)
        board.restart()


main()
