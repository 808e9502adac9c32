"""The words of a command line: what each kind of argument may be, and hints where one may not.

Everything here ends with status 2 before any work begins.
"""

import argparse
import datetime
import difflib
import importlib.metadata
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

LONGEST_SECONDS = 86400
FASTEST = 3600
FARM = datetime.timezone(datetime.timedelta(hours=7))  # no daylight saving in Viet Nam

Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Says what was meant, perhaps, and where help is; takes words and options in any order."""

    _mixes = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read words also behind and between options; by itself a word that may be left out
        counts as left out as soon as an option comes."""
        has_rooms = any(isinstance(a, argparse._SubParsersAction) for a in self._actions)
        if has_rooms or self._mixes:
            return super().parse_known_args(args, namespace)
        self._mixes = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixes = False

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n{self._hint(message)}Help: {self.prog} --help\n")

    def _hint(self, message: str) -> str:
        found = re.search(r"invalid choice: '([^']*)'|unrecognized arguments: (\S+)", message)
        if found is None:
            return ""
        word = found[1] if found[1] is not None else found[2].partition("=")[0]
        near = difflib.get_close_matches(word, self._known(), 1, 0.6)
        return f"Perhaps: {self.prog} {near[0]}\n" if near else ""

    def _known(self) -> list[str]:
        words = [word for action in self._actions for word in action.option_strings]
        for action in self._actions:
            words += [str(choice) for choice in action.choices or ()]
        return words


def version() -> str:
    """Return the program's name and version."""
    try:
        return f"nongso {importlib.metadata.version('nongso')}"
    except importlib.metadata.PackageNotFoundError:
        return "nongso (not installed)"


def path(text: str) -> Path:
    """A file or folder by name."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no file or folder")
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no name for a file or folder")
    return Path(text)


def port(text: str) -> int:
    """A TCP port."""
    number_ = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= number_ <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to 65535")
    return number_


def number(text: str) -> int:
    """A whole number from 1."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def seconds(text: str) -> float:
    """A time for which something is held."""
    found = _number(text)
    if not 0 < found <= LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: more than 0, at most {LONGEST_SECONDS} s"
        )
    return found


def speed(text: str) -> float:
    """How fast the simulated physics goes."""
    found = _number(text)
    if not 1 <= found <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: 1 to {FASTEST}")
    return found


def day(text: str) -> int:
    """A day, as the Unix time at which it begins on the farm."""
    try:
        found = datetime.date.fromisoformat(text)
        return int(datetime.datetime(found.year, found.month, found.day, tzinfo=FARM).timestamp())
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no day, like 2026-03-01") from None


def day_after(text: str) -> int:
    """A last day, as the Unix time at which it is over."""
    return day(text) + 86400


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return math.nan
    return found


def host(text: str) -> str:
    """An address to listen on; whether this machine has it is seen when it is tried."""
    if not re.fullmatch(r"[0-9A-Za-z.:_%-]{1,253}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address of a machine, like 127.0.0.1")
    return text


def address(text: str) -> str:
    """A web address as people type it."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not text.isprintable() or " " in text or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} is no address, like https://nongso.example.vn")
    return text.rstrip("/")


def group(
    parent: "argparse._SubParsersAction[Parser]", name: str, about: str
) -> "argparse._SubParsersAction[Parser]":
    """Add a room, whose commands come after its name."""
    made = parent.add_parser(name, help=about, description=about)
    return made.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add(
    parent: "argparse._SubParsersAction[Parser]",
    name: str,
    command: Command,
    about: str,
    *shared: Parser,
) -> Parser:
    """Add a command to a room; ``shared`` are arguments that it has in common with others."""
    made = parent.add_parser(name, help=about, description=about, parents=list(shared))
    made.set_defaults(command=command, parser=made)
    return made
