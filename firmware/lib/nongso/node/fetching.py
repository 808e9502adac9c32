"""Brings a new version's files into the slot that does not run (see ``updates``).

Loaded when the first offer comes.
"""

import asyncio
import hashlib
import os

from nongso.node.interpreter import (
    IS_MICROPYTHON,
    TYPE_CHECKING,
    const,
    sleep_ms,
    sync,
    wait_event,
)
from nongso.node.log import say
from nongso.wire import release

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nongso.node.hardware import Slots

_TRIES = const(60)  # of one piece, while the link comes and goes
_NO_SPACE = const(28)


class GivenUp(Exception):
    """This version cannot be had; the text is one of ``release.REFUSALS``, or empty."""


def objection(offer: release.Offer, signature: str, key: bytes, eui64: str, slots: "Slots") -> str:
    """Say why an offer is not taken, one of ``release.REFUSALS``; empty if it is."""
    if not key or not release.is_signed(key, eui64, offer, signature):
        return "signature"
    if not IS_MICROPYTHON:
        return "unfit"  # versions are compiled for MicroPython
    running = slots.number
    is_step_back = offer.over == running and running > 0
    if offer.number <= running and not is_step_back:
        return "older"
    rolled = slots.rolled
    if rolled is not None and rolled["number"] == offer.number:
        return "rolled_back"
    return ""


class Fetch:
    """The bringing of one version. ``send`` publishes on the topic ``update``."""

    def __init__(
        self, slots: "Slots", send: "Callable[[bytes], Awaitable[None]]", patience_ms: int
    ) -> None:
        self._slots, self._send, self._patience_ms = slots, send, patience_ms
        self._wanted = ("", 0)
        self._piece = b""
        self._came = asyncio.Event()

    def take(self, piece: release.Piece) -> None:
        """Take a piece, if it is the one that was asked for."""
        if (piece.sha256, piece.offset) == self._wanted:
            self._piece = piece.content
            self._came.set()

    async def bring(self, offer: "release.Offer") -> None:
        """Fetch a version and declare it whole. Raises ``GivenUp``, ``OSError``."""
        say("version %d (%s) is fetched" % (offer.number, offer.version))
        slot = self._slots.idle()
        place = self._slots.place(slot)
        await self._file(offer, release.File("list", offer.size, offer.sha256), place)
        with open(place + "/list", "rb") as file:
            try:
                files = release.decode_list(file.read())
            except ValueError as e:
                say("version %d: %s" % (offer.number, e))
                raise GivenUp("damaged")
        for found in files:
            await self._file(offer, found, place)
        _remove_others(place, "", {found.path for found in files})
        self._slots.finish(slot, offer.number, offer.version)
        say("version %d is whole; the node starts anew to try it" % offer.number)

    async def _file(self, offer: "release.Offer", wanted: "release.File", place: str) -> None:
        """Bring one file into the slot, unless it lies there already."""

        path = place + "/" + wanted.path
        await sleep_ms(0)  # hashing takes its time: let the others run between two files
        if _digest(path) == wanted.sha256:
            return
        _make_folders(place, wanted.path)
        running = self._slots.running
        source = self._slots.place(running) + "/" + wanted.path if running else ""
        if source and _digest(source) == wanted.sha256:
            _copy(source, path)
            return
        found = hashlib.sha256()
        with open(path, "wb") as file:
            offset = 0
            while offset < wanted.size:
                piece = await self._next_piece(offer.number, wanted.sha256, offset)
                found.update(piece)
                if file.write(piece) != len(piece):
                    raise OSError(_NO_SPACE)
                offset += len(piece)
            sync(file)
        if found.digest().hex() != wanted.sha256:
            say("version %d: %s came damaged" % (offer.number, wanted.path))
            raise GivenUp("damaged")

    async def _next_piece(self, number: int, sha256: str, offset: int) -> bytes:
        self._wanted = (sha256, offset)
        for _ in range(_TRIES):
            self._came.clear()
            await self._send(release.encode_fetch(number, sha256, offset))
            if await wait_event(self._came, self._patience_ms) and self._piece:
                self._wanted = ("", 0)
                return self._piece
        say("version %d: the gateway sends no more of it" % number)
        raise GivenUp("")  # no refusal: offered again, it goes on


def _digest(path: str) -> str:
    """SHA-256 of a file; empty if there is none."""
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while True:
                piece = file.read(512)
                if not piece:
                    return found.digest().hex()
                found.update(piece)
    except OSError:
        return ""


def _copy(source: str, path: str) -> None:
    with open(source, "rb") as old, open(path, "wb") as new:
        while True:
            piece = old.read(512)
            if not piece:
                break
            if new.write(piece) != len(piece):
                raise OSError(_NO_SPACE)
        sync(new)


def _make_folders(place: str, path: str) -> None:
    folder = place
    for part in path.split("/")[:-1]:
        folder += "/" + part
        try:
            os.stat(folder)
        except OSError:
            os.mkdir(folder)


def _remove_others(place: str, folder: str, kept: "set[str]") -> None:
    """Remove what an older version left in the slot: it would be found before the new one's."""
    for name in os.listdir(place + "/" + folder if folder else place):
        path = folder + "/" + name if folder else name
        if os.stat(place + "/" + path)[0] & 0x4000:
            _remove_others(place, path, kept)
        elif path not in kept:
            os.remove(place + "/" + path)
