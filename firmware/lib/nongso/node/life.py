"""What a node remembers of its own starts and falls, so that it can get out of a bad one.

A start is bad until the gateway has acknowledged something, or the node has run for a minute.
After five bad ones in a row the next is *safe*: no sensors, only Wi-Fi, broker and updates, so
that a better version can come; after a quarter of an hour of that it tries the ordinary way again.
Waking from a sleep that the node chose itself is no start. The last crash lies in ``crash.txt``,
with the last lines of the log.
"""

import io
import sys

from nongso.node import log
from nongso.node.interpreter import const
from nongso.node.kept import Kept

GOOD_AFTER_MS = 60000
SAFE_FOR_MS = 900000

_BAD_STARTS = const(5)
_LONGEST_CRASH = const(2000)  # characters


class Life:
    """The starts of a node whose files lie in one folder. ``is_safe``: this one is a safe one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._bad = Kept(folder + "/starts", 1)
        self.is_safe = False

    def begin(self, has_slept: bool) -> None:
        """Count this start as bad until it is ``good``."""
        count = self._bad.numbers[0]
        self.is_safe = count >= _BAD_STARTS
        if not has_slept:
            self._keep(count + 1)
        if self.is_safe:
            log.say(
                "%d starts in a row came to nothing: this one is safe, without sensors, for %d "
                "minutes" % (count, SAFE_FOR_MS // 60000)
            )

    def good(self) -> None:
        """Note that the node runs as it should, or has been safe for long enough."""
        if self._bad.numbers[0]:
            self._keep(0)

    def tell_last_crash(self) -> None:
        """Say how the last crash went, once."""
        try:
            with open(self._folder + "/crash.txt") as file:
                words = file.read(_LONGEST_CRASH)
        except (OSError, ValueError):
            return
        if words and words[0] != "#":
            log.say("crash.txt tells of a crash: %s" % words.partition("\n")[0])
            self._write("# told\n" + words)

    def crashed(self, error: Exception) -> None:
        """Keep what is known of the error that ends the node."""
        words = io.StringIO()
        words.write("%r\n" % error)
        if hasattr(sys, "print_exception"):  # MicroPython
            sys.print_exception(error, words)
        else:
            import traceback

            traceback.print_exception(error, file=words)
        words.write("\n".join(log.recent))
        self._write(log.masked(words.getvalue())[:_LONGEST_CRASH])

    def _write(self, words: str) -> None:
        try:
            with open(self._folder + "/crash.txt", "w") as file:
                file.write(words)
        except OSError as e:
            log.say("crash.txt cannot be written (%r)" % e)

    def _keep(self, count: int) -> None:
        try:
            self._bad.keep((count,))
        except OSError as e:
            log.say("starts cannot be counted (%r)" % e)
