"""The node's diary for the IT person: one plain line per event, on the serial line.

Nothing secret is ever written: no passwords, no whole configuration.
"""

import time


def say(text: str) -> None:
    """Write one line with the time, as far as the board knows it."""
    t = time.gmtime()
    print("%04d-%02d-%02dT%02d:%02d:%02dZ %s" % (t[0], t[1], t[2], t[3], t[4], t[5], text))


class Trouble:
    """Says the first failure and the recovery, and counts what is between."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.count = 0

    def failed(self, why: str) -> None:
        """Note a failure; say it if things went well before."""
        self.count += 1
        if self.count == 1:
            say("%s: %s" % (self.what, why))

    def well(self, how: str) -> None:
        """Note that it works; say it if it had failed before."""
        if self.count:
            say("%s: %s (after %d failed attempts)" % (self.what, how, self.count))
            self.count = 0
