"""The node's diary for the IT person: one plain line per event, on the serial line.

Nothing secret is ever written: what was named to ``hide`` is masked, whoever says it.
"""

import time

_RECENT = 8
_LONGEST = 160  # characters of a recent line
_SHORTEST_SECRET = 4  # masking less would only spoil the lines

recent: "list[str]" = []  # the last lines, for crash.txt
_secrets: "list[str]" = []


def hide(secret: "str | None") -> None:
    """Mask this text from now on; a password, a key."""
    if secret and len(secret) >= _SHORTEST_SECRET and secret not in _secrets:
        _secrets.append(secret)


def masked(text: str) -> str:
    """Return the text without what is hidden."""
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text


def say(text: str) -> None:
    """Write one line with the time, as far as the board knows it."""
    t = time.gmtime()
    line = "%04d-%02d-%02dT%02d:%02d:%02dZ %s" % (t[0], t[1], t[2], t[3], t[4], t[5], masked(text))
    recent.append(line[:_LONGEST])
    if len(recent) > _RECENT:
        recent.pop(0)
    print(line)


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
