"""New versions of the nodes' program: which node is to run which, and handing it over.

How this works. ``nongso node rollout`` lays a version down in ``updates/<number>/`` beside
``gateway.json`` (the list and the files, each under its SHA-256) and writes into
``updates/wanted.json`` which node is to run it. Here that file is looked at once a second. A node
that runs something else gets an offer, signed with its key, and then each piece for which it
asks (``nongso.wire.release``); it does the rest by itself and tells what became of it. What a node
told last is kept in the store and told to the platform when it has changed.

A node that went back to its old version, or refused, is not offered the same one again.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nongso.gateway.settings import GatewaySettings, Node
from nongso.gateway.store import Store
from nongso.wire import release, topics

log = logging.getLogger(__name__)

AGAIN_SECONDS = 20.0  # a node that answers an offer with nothing is offered it again
LARGEST_WORD = 1024

RUNNING, OFFERED, FETCHING = "running", "offered", "fetching"
TRIAL, ROLLED_BACK, REFUSED = "trial", "rolled_back", "refused"


class Wish(NamedTuple):
    """Which version a node is to run, since when; ``step_back``: also if it is an older one."""

    number: int
    step_back: bool
    at: int


class _Release(NamedTuple):
    version: str
    size: int
    sha256: str


class Updates:
    """Hands versions to nodes. ``say`` publishes; ``take`` and ``tick`` are of two threads."""

    def __init__(
        self,
        settings: GatewaySettings,
        store: Store,
        say: Callable[[str, bytes], None],
        steady: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._store, self._say = settings, store, say
        self._steady, self._clock = steady, clock
        self._folder = settings.updates_folder
        self._nodes = {node.slug: node for node in settings.boards}
        self._lock = threading.Lock()
        self._read_at = -1
        self._wanted: dict[str, Wish] = {}
        self._offered_at: dict[str, float] = {}
        self._sent: dict[str, int] = {}  # bytes of the version on its way, by slug
        self._complained = ""

    def renew(self, settings: GatewaySettings) -> None:
        """Know new stations, and new keys of those that were there."""
        with self._lock:
            self._settings = settings
            self._nodes = {node.slug: node for node in settings.boards}

    # --- from the nodes --------------------------------------------------------

    def take(self, node: Node, raw: bytes) -> str | None:
        """Take a node's word; a sentence comes back where it makes no sense."""
        if len(raw) > LARGEST_WORD:
            return f"{len(raw)} bytes, at most {LARGEST_WORD}"
        try:
            found = msgspec.json.decode(raw)
            if not isinstance(found, dict):
                return "it is no object"
            with self._lock:
                if found.get("do") == "tell":
                    self._hear(node, found)
                elif found.get("do") == "fetch":
                    self._hand_over(node, found)
                else:
                    return f"{found.get('do')!r:.40} is neither tell nor fetch"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            return str(error)
        return None

    def _hear(self, node: Node, found: dict[str, Any]) -> None:
        told: dict[str, Any] = {
            "number": release.whole(found, "number", 1 << 40),
            "version": release.word(found, "version"),
            "trial": found.get("trial") is True,
        }
        for key, reasons in (("rolled", release.FAILURES), ("refused", release.REFUSALS)):
            word = found.get(key)
            if isinstance(word, dict):
                if word.get("why") not in reasons:
                    raise release.ReleaseError(f"{key}: {word.get('why')!r:.40} is no reason")
                told[key] = {
                    "number": release.whole(word, "number", 1 << 40),
                    "why": word["why"],
                }
        self._offered_at.pop(node.slug, None)  # it listens now
        self._judge(node, told)
        self._offer(node)

    def _hand_over(self, node: Node, found: dict[str, Any]) -> None:
        number = release.whole(found, "number", 1 << 40)
        wish = self._wanted.get(node.slug)
        if wish is None or wish.number != number:
            return  # withdrawn meanwhile: the node gives up by itself
        sha256 = release.digest(found, "sha256")
        offset = release.whole(found, "from", release.MAX_FILE)
        try:
            with (self._folder / str(number) / sha256).open("rb") as file:
                file.seek(offset)
                piece = file.read(release.MAX_PIECE)
        except OSError as error:
            self._complain(f"a piece of version {number} cannot be read: {error}")
            return
        if not piece:
            return
        self._offered_at[node.slug] = self._steady()
        self._sent[node.slug] = self._sent.get(node.slug, 0) + len(piece)
        if self.known(node).get("state") == OFFERED:
            self._keep(node, self.known(node) | {"state": FETCHING})
        self._say(
            topics.topic(node.farm, node.slug, "down"),
            release.encode_piece(sha256, offset, piece),
        )

    # --- deciding --------------------------------------------------------------

    def tick(self) -> None:
        """See what is wanted, and offer it where it does not run."""
        with self._lock:
            is_changed = self._read_wanted()
            for slug, node in self._nodes.items():
                if not is_changed and slug not in self._wanted:
                    continue
                known = self.known(node)
                if known:
                    self._judge(node, known["told"])
                    self._offer(node)

    def _judge(self, node: Node, told: dict[str, Any]) -> None:
        """Say how a node stands to what is wanted of it."""
        wish = self._wanted.get(node.slug)
        wanted = wish.number if wish is not None else 0
        asked_at = wish.at if wish is not None else 0
        known = self.known(node)
        if known and known["asked_at"] != asked_at:  # asked for anew: no refusal stands
            told = {key: word for key, word in told.items() if key != "refused"}
            self._sent.pop(node.slug, None)
            self._offered_at.pop(node.slug, None)
        why = ""
        rolled, refused = told.get("rolled"), told.get("refused")
        if told["trial"]:
            state = TRIAL
        elif not wanted or told["number"] == wanted:
            state = RUNNING
        elif rolled is not None and rolled["number"] == wanted:
            state, why = ROLLED_BACK, rolled["why"]
        elif refused is not None and refused["number"] == wanted:
            state, why = REFUSED, refused["why"]
        elif node.key is None:
            state, why = REFUSED, "signature"
        else:
            is_same = known.get("asked_at") == asked_at and known.get("state") == FETCHING
            state = FETCHING if is_same else OFFERED
        self._keep(
            node,
            {"told": told, "state": state, "why": why, "wanted": wanted, "asked_at": asked_at},
        )

    def _keep(self, node: Node, found: dict[str, Any]) -> None:
        known = self.known(node)
        if known == found:
            return
        told = found["told"]
        row = {
            "eui64": node.eui64,
            "number": told["number"],
            "version": told["version"],
            "state": found["state"],
            "wanted": found["wanted"],
            "why": found["why"],
            "at": int(self._clock()),
        }
        self._store.record_soon("program", row, {_key(node): json.dumps(found)})
        if found["state"] in (ROLLED_BACK, REFUSED):
            log.error(
                "node %s does not run version %d: %s (%s); it goes on with %d",
                *(node.slug, found["wanted"], found["state"], found["why"], told["number"]),
            )

    def _offer(self, node: Node) -> None:
        wish = self._wanted.get(node.slug)
        known = self.known(node)
        if wish is None or node.key is None or known["state"] not in (OFFERED, FETCHING):
            return
        now = self._steady()
        if now - self._offered_at.get(node.slug, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return
        self._offered_at[node.slug] = now
        try:
            found = read_release(self._folder / str(wish.number))
        except (OSError, ValueError) as error:
            self._complain(f"version {wish.number} cannot be offered: {error}")
            return
        over = known["told"]["number"] if wish.step_back else 0
        offer = release.Offer(wish.number, found.version, found.size, found.sha256, over)
        signature = release.sign(bytes.fromhex(node.key), node.eui64, offer)
        self._say(
            topics.topic(node.farm, node.slug, "down"), release.encode_offer(offer, signature)
        )

    def _read_wanted(self) -> bool:
        """Read ``wanted.json`` if it has changed; what is damaged changes nothing."""
        file = self._folder / "wanted.json"
        try:
            changed_at = file.stat().st_mtime_ns
            if changed_at == self._read_at:
                return False
            self._read_at = changed_at
            self._wanted = read_wanted(file)
            return True
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            self._complain(f"{file} cannot be read: {error}")
            return False

    def _complain(self, text: str) -> None:
        if text != self._complained:
            log.error("%s", text)
        self._complained = text

    # --- for the status page ---------------------------------------------------

    def known(self, node: Node) -> dict[str, Any]:
        """What is known of a node's program; empty before its first word."""
        text = self._store.state(_key(node))
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def report(self) -> dict[str, dict[str, Any]]:
        """How each node stands, by slug."""
        found = {}
        for slug, node in self._nodes.items():
            known = self.known(node)
            if known:
                found[slug] = {
                    "number": known["told"]["number"],
                    "version": known["told"]["version"],
                    "state": known["state"],
                    "why": known["why"],
                    "wanted": known["wanted"],
                    "sent_bytes": self._sent.get(slug, 0),
                }
        return found


def _key(node: Node) -> str:
    return f"program:{node.eui64}"


def read_wanted(file: Path) -> dict[str, Wish]:
    """Read ``wanted.json``. Raises ``OSError`` or ``ValueError``."""
    found = json.loads(file.read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError("it holds no object")
    wishes = {}
    for slug, wish in found.items():
        if not isinstance(wish, dict):
            raise ValueError(f"{slug!r:.40} has no object")
        number = release.whole(wish, "number", 1 << 40)
        at = release.whole(wish, "at", 1 << 40)
        wishes[slug] = Wish(number, wish.get("step_back") is True, at)
    return wishes


def read_release(folder: Path) -> _Release:
    """Read what a version's folder says of it. Raises ``OSError`` or ``ValueError``."""
    found = json.loads((folder / "release.json").read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{folder.name}/release.json holds no object")
    return _Release(
        release.word(found, "version"),
        release.whole(found, "size", release.MAX_LIST),
        release.digest(found, "sha256"),
    )
