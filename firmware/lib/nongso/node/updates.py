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
import json

from nongso.node import VERSION
from nongso.node.interpreter import TYPE_CHECKING, const, ticks_diff, ticks_ms
from nongso.node.log import say

# ``fetching`` and ``release`` are loaded by the functions that need them: most boards get no
# update in most of their lives.
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from nongso.node.fetching import Fetch
    from nongso.node.hardware import Slots
    from nongso.node.settings import Settings
    from nongso.wire import release

_PATIENCE_MS = const(5000)  # for one piece
_NO_SPACE = const(28)
_UNHEARD = "unheard"


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
        self._fetch: Fetch | None = None

    # --- what the gateway says -------------------------------------------------

    def words(self, next_one: "dict[str, Any] | None" = None) -> bytes:
        """Tell what runs, and what became of the last offer; or what the next start will try."""
        running = next_one or self._slots.version(self._slots.running)
        told = {
            "do": "tell",
            "number": running["number"],
            "version": running["version"] or VERSION,
            "trial": self._slots.is_trial or next_one is not None,
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
            if self._fetch is not None:
                self._fetch.take(piece)
            return
        found = json.loads(message)
        if not isinstance(found, dict) or found.get("do") != "offer":
            raise ValueError("neither an offer nor a piece")
        offer, signature = release.decode_offer(found)
        if self._offer is not None or self._slots.is_trial:
            return  # one at a time, and none into the slot to which a trial may have to go back
        from nongso.node.fetching import objection

        why = objection(offer, signature, self._key, self._eui64, self._slots)
        if why and self._refused != (offer.number, why):
            say("version %d is refused: %s" % (offer.number, why))
        self._refused = (offer.number, why) if why else None
        self._offer = offer
        self._offered.set()

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

    async def run(self) -> None:
        """Wait for offers and fetch; return when a new version waits for its trial."""
        while True:
            await self._offered.wait()
            self._offered.clear()
            offer = self._offer
            if offer is not None and self._refused is None:
                from nongso.node import fetching

                try:
                    self._fetch = fetching.Fetch(self._slots, self._send, self._patience_ms)
                    await self._fetch.bring(offer)
                    # One that hangs will never tell.
                    next_one = {"number": offer.number, "version": offer.version}
                    await self._send(self.words(next_one))
                    return
                except fetching.GivenUp as e:
                    if str(e):
                        self._refused = (offer.number, str(e))
                except OSError as e:
                    why = "no_space" if e.args and e.args[0] == _NO_SPACE else "damaged"
                    say("version %d cannot be written (%r)" % (offer.number, e))
                    self._refused = (offer.number, why)
            self._offer = None
            await self._send(self.words())
