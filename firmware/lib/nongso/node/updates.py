"""A new version of the node's program: asked for piece by piece, checked, put on trial.

How this works. At each connection the node tells the gateway what runs. The gateway offers a
version; its signature is checked before anything is fetched. Then the node asks for the list and
for each file, one piece at a time and at its own pace, into the slot that does not run
(``firmware/slots.py``); files that it already has are taken over from there. Only when every
file has the SHA-256 that the signed list names is the slot declared whole, and the board starts
anew. Whatever ends this in the middle leaves the running version as it is; offered again, it goes
on with the first file that is missing.

On trial, the first of its own readings that the gateway acknowledges makes the version the active
one: that takes sensors, ring, Wi-Fi, broker and gateway.
"""

import asyncio
import hashlib
import json
import os

from nongso.node import VERSION
from nongso.node.interpreter import (
    IS_MICROPYTHON,
    TYPE_CHECKING,
    sleep_ms,
    sync,
    ticks_diff,
    ticks_ms,
    wait_event,
)
from nongso.node.log import say

# Loaded by the functions that need it: most boards get no update in most of their lives.
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nongso.node.hardware import Slots
    from nongso.node.settings import Settings
    from nongso.wire import release

_PATIENCE_MS = 5000  # for one piece
_TRIES = 60  # of one piece, while the link comes and goes
_NO_SPACE = 28
_UNHEARD = "unheard"


class _GivenUp(Exception):
    """This version cannot be had; the text is one of ``release.REFUSALS``, or empty."""


class Updates:
    """The node's part in an update. ``send`` publishes on the topic ``update``."""

    def __init__(
        self,
        settings: "Settings",
        slots: "Slots",
        send: "Callable[[bytes], Awaitable[None]]",
        patience_ms: int = _PATIENCE_MS,
    ) -> None:
        self._slots = slots
        self._key = bytes.fromhex(settings.key)
        self._eui64 = settings.eui64
        self._trial_ms = settings.trial_seconds * 1000
        self._send = send
        self._patience_ms = patience_ms
        self._heard_at = ticks_ms()
        self._offer: "release.Offer | None" = None
        self._offered = asyncio.Event()
        self._was_heard = False
        self._refused: tuple[int, str] | None = None
        self._wanted = ("", 0)
        self._piece = b""
        self._came = asyncio.Event()

    # --- what the gateway says -------------------------------------------------

    def words(self) -> bytes:
        """Tell what runs, and what became of the last offer."""
        running = self._slots.version(self._slots.running)
        told = {
            "do": "tell",
            "number": running["number"],
            "version": running["version"] or VERSION,
            "trial": self._slots.is_trial,
        }
        if self._refused is not None:
            told["refused"] = {"number": self._refused[0], "why": self._refused[1]}
        rolled = self._slots.rolled
        if rolled is not None:
            told["rolled"] = rolled
        return json.dumps(told).encode()

    def take(self, message: bytes) -> None:
        """Take a message of the gateway on ``down``. Raises ``ValueError`` if it is none."""
        from nongso.wire import release

        piece = release.decode_piece(message)
        if piece is not None:
            if (piece.sha256, piece.offset) == self._wanted:
                self._piece = piece.content
                self._came.set()
            return
        found = json.loads(message)
        if not isinstance(found, dict) or found.get("do") != "offer":
            raise ValueError("neither an offer nor a piece")
        offer, signature = release.decode_offer(found)
        if self._offer is not None or self._slots.is_trial:
            return  # one at a time, and none into the slot to which a trial may have to go back
        why = self._objection(offer, signature)
        if why and self._refused != (offer.number, why):
            say("version %d is refused: %s" % (offer.number, why))
        self._refused = (offer.number, why) if why else None
        self._offer = offer
        self._offered.set()

    def _objection(self, offer: "release.Offer", signature: str) -> str:
        from nongso.wire import release

        if not self._key or not release.is_signed(self._key, self._eui64, offer, signature):
            return "signature"
        if not IS_MICROPYTHON:
            return "unfit"  # versions are compiled for MicroPython
        running = self._slots.number
        is_step_back = offer.over == running and running > 0
        if offer.number <= running and not is_step_back:
            return "older"
        rolled = self._slots.rolled
        if rolled is not None and rolled["number"] == offer.number:
            return "rolled_back"
        return ""

    def heard(self, is_new: bool) -> None:
        """Note that the gateway has acknowledged readings; ``is_new``: of this start."""
        if is_new and not self._was_heard:
            self._was_heard = True
            say("the gateway has acknowledged the first reading")
        self._heard_at = ticks_ms()  # with a long backlog the new ones' turn comes late
        if is_new and self._slots.is_trial:
            try:
                self._slots.confirm()
            except OSError as e:  # the trial goes on; the next acknowledgement tries again
                say("the new version works, but that cannot be kept (%r)" % e)
                return
            say("version %d works and is kept" % self._slots.number)
            self._tell_soon()

    def has_failed(self) -> bool:
        """Say whether a trial has gone on for too long without a word of the gateway."""
        if self._slots.is_trial and ticks_diff(ticks_ms(), self._heard_at) > self._trial_ms:
            say("version %d was not heard by the gateway" % self._slots.number)
            self._slots.failed(_UNHEARD, True)
            return True
        return False

    def _tell_soon(self) -> None:
        self._offered.set()  # with no offer: only tell

    # --- fetching --------------------------------------------------------------

    async def run(self) -> None:
        """Wait for offers and fetch; return when a new version waits for its trial."""
        while True:
            await self._offered.wait()
            self._offered.clear()
            offer = self._offer
            if offer is not None and self._refused is None:
                try:
                    await self._fetch(offer)
                    return
                except _GivenUp as e:
                    if str(e):
                        self._refused = (offer.number, str(e))
                except OSError as e:
                    why = "no_space" if e.args and e.args[0] == _NO_SPACE else "damaged"
                    say("version %d cannot be written (%r)" % (offer.number, e))
                    self._refused = (offer.number, why)
            self._offer = None
            await self._send(self.words())

    async def _fetch(self, offer: "release.Offer") -> None:
        from nongso.wire import release

        say("version %d (%s) is fetched" % (offer.number, offer.version))
        slot = self._slots.idle()
        place = self._slots.place(slot)
        await self._file(offer, release.File("list", offer.size, offer.sha256), place)
        with open(place + "/list", "rb") as file:
            try:
                files = release.decode_list(file.read())
            except ValueError as e:
                say("version %d: %s" % (offer.number, e))
                raise _GivenUp("damaged")
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
            raise _GivenUp("damaged")

    async def _next_piece(self, number: int, sha256: str, offset: int) -> bytes:
        from nongso.wire import release

        self._wanted = (sha256, offset)
        for _ in range(_TRIES):
            self._came.clear()
            await self._send(release.encode_fetch(number, sha256, offset))
            if await wait_event(self._came, self._patience_ms) and self._piece:
                self._wanted = ("", 0)
                return self._piece
        say("version %d: the gateway sends no more of it" % number)
        raise _GivenUp("")  # no refusal: offered again, it goes on


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
