"""A witness: looks at another cooperative's log and signs that it only ever grew.

Runs anywhere with a network, on a machine of the witness: no database. It keeps three things in
its folder: its own key (0600), the log's key as it was told, and the last checkpoint that it
saw. A log that does not continue that one is not signed; both are kept as evidence.
"""

import json
import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nongso.platform.traceability.proof import checkpoints, lotproof, merkle, notes, tiles
from nongso.platform.traceability.proof.checkpoints import Checkpoint, Opened
from nongso.platform.traceability.proof.lotproof import Refused
from nongso.platform.traceability.proof.merkle import ProofError
from nongso.platform.traceability.proof.notes import COSIGNER, Key, NoteError, PrivateKey
from nongso.platform.traceability.proof.tiles import Tile

TIMEOUT_SECONDS = 30
LARGEST_ANSWER = 8 << 20


class WitnessError(Exception):
    """Nothing was signed; the text says why and what to do."""


class Forked(WitnessError):
    """The log shows another history than before."""


@dataclass(frozen=True)
class Seen:
    """What a witness signed."""

    checkpoint: Checkpoint
    before: int  # entries that it had seen before; 0 at the first look
    line: str
    was_taken: str  # what the log answered; empty when it took the cosignature


class FarLog:
    """A log behind an address, as files."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/").removesuffix("/log") + "/log"

    def fetch(self, path: str, body: bytes | None = None) -> bytes:
        """Get a file, or send one. Raises ``WitnessError``."""
        asked = urllib.request.Request(
            f"{self.url}/{path}", data=body, headers={"Content-Type": "text/plain"}
        )
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT_SECONDS) as answer:
                data: bytes = answer.read(LARGEST_ANSWER + 1)
        except urllib.error.HTTPError as error:
            with error:
                word = error.read(2000).decode(errors="replace")
            raise WitnessError(f"{asked.full_url} answers {error.code}: {word[:300]}") from error
        except (OSError, ValueError) as error:
            raise WitnessError(f"{asked.full_url} cannot be reached: {error}") from error
        if len(data) > LARGEST_ANSWER:
            raise WitnessError(f"{asked.full_url} answers too much")
        return data

    def nodes(self, size: int) -> merkle.Nodes:
        """The hashes of the log of that size."""

        def read(level: int, index: int) -> bytes:
            width = tiles.width_at(size, level, index)
            path = Tile(level, index, width).path
            return self.fetch("tile/" + path) if width else b""

        return tiles.nodes_of(read)


class Folder:
    """What a witness keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, name: str | None) -> PrivateKey:
        """The witness's own key, made at the first time under this name."""
        file = self.folder / "witness.key"
        if file.exists():
            try:
                return PrivateKey.parse(file.read_text(encoding="utf-8"))
            except (NoteError, UnicodeError, OSError) as error:
                raise WitnessError(f"{file} cannot be used: {error}") from error
        if not name:
            raise WitnessError(
                "This witness has no key yet. Give it a name, best an address that you own: "
                "--name hop-tac-xa.example/witness"
            )
        try:
            made = PrivateKey.new(name, COSIGNER)
            text = made.text()
        except NoteError as error:
            raise WitnessError(str(error)) from error
        self._write("witness.key", text + "\n")
        return made

    def _file(self, origin: str, what: str) -> str:
        return re.sub(r"[^A-Za-z0-9.-]+", "_", origin) + "." + what

    def log_key(self, origin: str) -> Key | None:
        """The key of a log as it was told before."""
        file = self.folder / self._file(origin, "key")
        return Key.parse(file.read_text(encoding="utf-8")) if file.exists() else None

    def last(self, origin: str) -> Checkpoint | None:
        """The newest checkpoint that was signed."""
        file = self.folder / self._file(origin, "checkpoint")
        if not file.exists():
            return None
        return Checkpoint.parse(notes.parse(file.read_bytes()).text)

    def keep(self, origin: str, key: Key, note: str) -> None:
        """Keep what is about to be signed, before anybody gets the signature."""
        self._write(self._file(origin, "key"), f"{key}\n")
        self._write(self._file(origin, "checkpoint"), note)

    def keep_evidence(self, origin: str, size: int, note: str) -> Path:
        """Keep a checkpoint that does not continue the last one."""
        return self._write(self._file(origin, f"forked-{size}"), note)

    def _write(self, name: str, text: str) -> Path:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / name
        part = file.with_name(name + ".part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(handle)
        part.replace(file)
        return file


def witness(log: FarLog, folder: Folder, name: str | None, told: Key | None, now: int) -> Seen:
    """Look at a log, sign what continues what was seen before, and hand the signature in.

    ``told`` is the log's key from the notice board, needed at the first look. Raises
    ``WitnessError``, and ``Forked`` for a second history.
    """
    own = folder.key(name)
    note = log.fetch("checkpoint").decode(errors="replace")
    try:
        origin = Checkpoint.parse(notes.parse(note).text).origin
        pinned = told or folder.log_key(origin)
        if pinned is None:
            raise WitnessError(
                f"The key of the log {origin} is not known here. Read it from its notice board "
                f"({log.url}/) and say --log-key '…'"
            )
        opened = _opened(log, note, pinned)
        before = _check(log, folder, opened, note)
    except (NoteError, ProofError, UnicodeError) as error:
        raise WitnessError(f"The log's answer is not right: {error}") from error
    except Refused as error:
        raise WitnessError(f"The log's keys do not follow each other: {error}") from error
    text = opened.note.text
    line = own.line(text, now)
    (key,) = opened.signers
    folder.keep(origin, key, f"{opened.note}{line}")
    taken = ""
    try:
        log.fetch(f"cosignature/{opened.checkpoint.size}", line.encode())
    except WitnessError as error:
        taken = str(error)
    return Seen(opened.checkpoint, before, line, taken)


def _opened(log: FarLog, note: str, pinned: Key) -> Opened:
    """Judge the checkpoint's signature: by the kept key, or one that it has confirmed."""
    found = notes.parse(note)
    if any(one.is_of(pinned) for one in found.signatures):
        return checkpoints.open_note(note, [pinned], [])
    told: Any = json.loads(log.fetch("keys"))
    key = Key.parse(told["key"])
    opened = checkpoints.open_note(note, [key], [])
    if str(pinned) not in lotproof.confirmed_by(told, key, opened.checkpoint):
        raise WitnessError(
            f"The log is signed with another key than before ({key}), and the old one has not "
            "confirmed it. Ask its cooperative; if it is right, say --log-key with the new one."
        )
    return opened


def _check(log: FarLog, folder: Folder, opened: Opened, note: str) -> int:
    """See that the log continues what was seen. Returns how many entries that had."""
    found = opened.checkpoint
    nodes = log.nodes(found.size)
    if merkle.root(nodes, found.size) != found.root:
        raise ProofError("its tiles do not lead to the root that it signed")
    last = folder.last(found.origin)
    if last is None:
        return 0
    if found.size < last.size:
        raise WitnessError(
            f"The log shows {found.size} entries; {last.size} were seen before. It may be an old "
            "copy: try again later. If it stays so, tell others."
        )
    try:
        if last.size:
            proof = merkle.consistency(nodes, last.size, found.size)
            merkle.verify_consistency(last.size, found.size, proof, last.root, found.root)
    except ProofError as error:
        kept = folder.keep_evidence(found.origin, found.size, note)
        raise Forked(
            f"The log {found.origin} shows a second history: its first {last.size} entries are "
            f"not those that were signed before. Nothing was signed. Evidence: {kept} against the "
            "checkpoint kept beside it. Show both to others."
        ) from error
    return last.size
